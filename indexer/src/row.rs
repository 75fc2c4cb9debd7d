//! Rows of the published tables as what the documents are made of.
//!
//! One place names the columns, for the stream and for `COPY` alike. `previous` gives the values that an update left unchanged.

use crate::cells::{CellError, PgText, Row};
use jiff::Timestamp;
use model::{ArtistId, EventId, SearchId, TierNo, UserId, VenueId};
use search::availability::Change;
use search::document::{
    ArtistRow, Credit, EventDocument, Presale, SavedSearchRow, Status, SynonymRow, Tier, VenueRow, Works,
};
use uuid::Uuid;

/// A table of the publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Venue,
    Artist,
    Event,
    EventArtist,
    EventTier,
    EventPresale,
    Synonym,
    Availability,
    SavedSearch,
}

impl Table {
    pub(crate) const ALL: [Self; 9] = [
        Self::Venue,
        Self::Artist,
        Self::Event,
        Self::EventArtist,
        Self::EventTier,
        Self::EventPresale,
        Self::Synonym,
        Self::Availability,
        Self::SavedSearch,
    ];

    /// Its name in Postgres.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Venue => "venue",
            Self::Artist => "artist",
            Self::Event => "event",
            Self::EventArtist => "event_artist",
            Self::EventTier => "event_tier",
            Self::EventPresale => "event_presale",
            Self::Synonym => "synonym",
            Self::Availability => "availability",
            Self::SavedSearch => "saved_search",
        }
    }

    /// The columns a projection reads.
    pub(crate) fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Venue => {
                &["venue_id", "name", "city", "district", "region", "country", "lat", "lon", "timezone", "version"]
            }
            Self::Artist => &["artist_id", "name", "aliases", "version"],
            Self::Event => &[
                "event_id",
                "slot",
                "organizer_id",
                "venue_id",
                "title",
                "description",
                "genres",
                "works",
                "image",
                "popularity",
                "boost",
                "status",
                "starts_at",
                "ends_at",
                "date_tba",
                "layout_hash",
                "capacity",
                "currency",
                "sale_opens_at",
                "sale_closes_at",
                "hold_ttl_s",
                "buyer_limit",
                "version",
            ],
            Self::EventArtist => &["event_id", "position", "artist_id", "role"],
            Self::EventTier => &["event_id", "tier", "name", "price", "all_in"],
            Self::EventPresale => &["event_id", "position", "name", "opens_at", "closes_at"],
            Self::Synonym => &["synonym_id", "term", "means", "version"],
            Self::Availability => &["event_id", "slot", "version", "seats_left", "price_min"],
            Self::SavedSearch => &["search_id", "query"],
        }
    }

    /// The table a relation of the stream is.
    pub(crate) fn find(namespace: &str, name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| namespace == "public" && table.name() == name)
    }
}

impl PgText for UserId {
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl PgText for Status {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "scheduled" => Some(Self::Scheduled),
            "postponed" => Some(Self::Postponed),
            "cancelled" => Some(Self::Cancelled),
            _ => None,
        }
    }
}

impl PgText for Works {
    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

pub(crate) fn venue(row: Row<'_>, previous: Option<&VenueRow>) -> Result<VenueRow, CellError> {
    Ok(VenueRow {
        venue_id: row.key("venue_id")?,
        name: row.value("name", previous.map(|p| &p.name))?,
        city: row.value("city", previous.map(|p| &p.city))?,
        district: row.nullable("district", previous.map(|p| &p.district))?,
        region: row.nullable("region", previous.map(|p| &p.region))?,
        country: row.value("country", previous.map(|p| &p.country))?,
        lat: row.nullable("lat", previous.map(|p| &p.lat))?,
        lon: row.nullable("lon", previous.map(|p| &p.lon))?,
        timezone: row.value("timezone", previous.map(|p| &p.timezone))?,
        version: row.value("version", previous.map(|p| &p.version))?,
    })
}

pub(crate) fn artist(row: Row<'_>, previous: Option<&ArtistRow>) -> Result<ArtistRow, CellError> {
    Ok(ArtistRow {
        artist_id: row.key("artist_id")?,
        name: row.value("name", previous.map(|p| &p.name))?,
        aliases: row.value("aliases", previous.map(|p| &p.aliases))?,
        version: row.value("version", previous.map(|p| &p.version))?,
    })
}

pub(crate) fn synonym(row: Row<'_>, previous: Option<&SynonymRow>) -> Result<SynonymRow, CellError> {
    Ok(SynonymRow {
        synonym_id: row.key("synonym_id")?,
        term: row.value("term", previous.map(|p| &p.term))?,
        means: row.value("means", previous.map(|p| &p.means))?,
        version: row.value("version", previous.map(|p| &p.version))?,
    })
}

/// The venue an event row names.
pub(crate) fn venue_of(row: Row<'_>, previous: Option<&EventDocument>) -> Result<VenueId, CellError> {
    row.value("venue_id", previous.map(|p| &p.venue.venue_id))
}

/// An event's own columns; its venue is given, its artists, prices and presales are the previous ones.
pub(crate) fn event(
    row: Row<'_>,
    previous: Option<&EventDocument>,
    venue: VenueRow,
) -> Result<EventDocument, CellError> {
    let was = previous;
    Ok(EventDocument {
        event_id: row.key("event_id")?,
        slot: row.value("slot", was.map(|p| &p.slot))?,
        organizer_id: row.value("organizer_id", was.map(|p| &p.organizer_id))?,
        title: row.value("title", was.map(|p| &p.title))?,
        description: row.value("description", was.map(|p| &p.description))?,
        genres: row.value("genres", was.map(|p| &p.genres))?,
        works: row.value("works", was.map(|p| &p.works))?,
        image: row.nullable("image", was.map(|p| &p.image))?,
        popularity: row.value("popularity", was.map(|p| &p.popularity))?,
        boost: row.value("boost", was.map(|p| &p.boost))?,
        status: row.value("status", was.map(|p| &p.status))?,
        starts_at: row.value("starts_at", was.map(|p| &p.starts_at))?,
        ends_at: row.nullable::<Timestamp>("ends_at", was.map(|p| &p.ends_at))?,
        date_tba: row.value("date_tba", was.map(|p| &p.date_tba))?,
        venue,
        artists: was.map(|p| p.artists.clone()).unwrap_or_default(),
        tiers: was.map(|p| p.tiers.clone()).unwrap_or_default(),
        layout_hash: row.value("layout_hash", was.map(|p| &p.layout_hash))?,
        capacity: row.value("capacity", was.map(|p| &p.capacity))?,
        currency: row.value("currency", was.map(|p| &p.currency))?,
        sale_opens_at: row.value("sale_opens_at", was.map(|p| &p.sale_opens_at))?,
        sale_closes_at: row.value("sale_closes_at", was.map(|p| &p.sale_closes_at))?,
        presales: was.map(|p| p.presales.clone()).unwrap_or_default(),
        hold_ttl_s: row.value("hold_ttl_s", was.map(|p| &p.hold_ttl_s))?,
        buyer_limit: row.value("buyer_limit", was.map(|p| &p.buyer_limit))?,
        version: row.value("version", was.map(|p| &p.version))?,
    })
}

/// The key of a row of `event_artist`.
pub(crate) fn credit_key(row: Row<'_>) -> Result<(EventId, i16), CellError> {
    Ok((row.key("event_id")?, row.key("position")?))
}

/// The artist that a row of `event_artist` names.
pub(crate) fn credit_artist(row: Row<'_>, previous: Option<&Credit>) -> Result<ArtistId, CellError> {
    row.value("artist_id", previous.map(|p| &p.artist_id))
}

/// A row of `event_artist`; the names are its artist's.
pub(crate) fn credit(
    row: Row<'_>,
    previous: Option<&Credit>,
    (name, aliases): (String, Vec<String>),
) -> Result<Credit, CellError> {
    Ok(Credit {
        artist_id: credit_artist(row, previous)?,
        name,
        aliases,
        role: row.value("role", previous.map(|p| &p.role))?,
        position: row.key("position")?,
    })
}

/// The key of a row of `event_tier`.
pub(crate) fn tier_key(row: Row<'_>) -> Result<(EventId, TierNo), CellError> {
    Ok((row.key("event_id")?, row.key("tier")?))
}

pub(crate) fn tier(row: Row<'_>, previous: Option<&Tier>) -> Result<Tier, CellError> {
    Ok(Tier {
        tier: row.key("tier")?,
        name: row.value("name", previous.map(|p| &p.name))?,
        price: row.value("price", previous.map(|p| &p.price))?,
        all_in: row.nullable("all_in", previous.map(|p| &p.all_in))?,
    })
}

/// The key of a row of `event_presale`.
pub(crate) fn presale_key(row: Row<'_>) -> Result<(EventId, i16), CellError> {
    Ok((row.key("event_id")?, row.key("position")?))
}

pub(crate) fn presale(row: Row<'_>, previous: Option<&Presale>) -> Result<Presale, CellError> {
    Ok(Presale {
        position: row.key("position")?,
        name: row.value("name", previous.map(|p| &p.name))?,
        opens_at: row.value("opens_at", previous.map(|p| &p.opens_at))?,
        closes_at: row.value("closes_at", previous.map(|p| &p.closes_at))?,
    })
}

/// A row of `availability`: it has no column that could be left out as unchanged.
pub(crate) fn availability(row: Row<'_>) -> Result<Change, CellError> {
    Ok(Change {
        slot: row.key("slot")?,
        version: row.key("version")?,
        seats_left: row.key("seats_left")?,
        price_min: row.nullable("price_min", None)?,
    })
}

pub(crate) fn saved_search(row: Row<'_>, previous: Option<&SavedSearchRow>) -> Result<SavedSearchRow, CellError> {
    Ok(SavedSearchRow { search_id: row.key("search_id")?, query: row.value("query", previous.map(|p| &p.query))? })
}

/// The id in a row's key column.
pub(crate) fn id(row: Row<'_>, table: Table) -> Result<Uuid, CellError> {
    match table {
        Table::Venue => row.key::<VenueId>("venue_id").map(|id| id.0),
        Table::Artist => row.key::<ArtistId>("artist_id").map(|id| id.0),
        Table::SavedSearch => row.key::<SearchId>("search_id").map(|id| id.0),
        Table::Synonym => row.key("synonym_id"),
        Table::Event | Table::EventArtist | Table::EventTier | Table::EventPresale | Table::Availability => {
            row.key::<EventId>("event_id").map(|id| id.0)
        }
    }
}
