//! What is indexed: events joined with their venue, artists and prices, beside the venues and artists themselves.
//!
//! The structs are the projection of Postgres's rows; their JSON is what the index stores and what `GET /event/{id}` shows.
//! Every document here is a pure function of rows: nothing reads a clock or a database.

mod works;

use crate::schema::{fields, weight, weighted};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::{ArtistId, Currency, EventId, LayoutHash, SearchId, TierNo, UserId, VenueId};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use tantivy::Term;
use tantivy::schema::TantivyDocument;
use uuid::Uuid;

pub use works::Works;

/// What a document is about; its number leads the document's unique id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// An [`EventDocument`].
    Event = 0,
    /// A [`VenueRow`].
    Venue = 1,
    /// An [`ArtistRow`].
    Artist = 2,
    /// A [`SynonymRow`].
    Synonym = 3,
    /// A [`SavedSearchRow`].
    SavedSearch = 4,
}

impl Kind {
    /// Every kind there is.
    pub const ALL: [Self; 5] = [Self::Event, Self::Venue, Self::Artist, Self::Synonym, Self::SavedSearch];
}

/// Whether an event takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Status {
    /// As planned.
    Scheduled = 0,
    /// Later than planned, perhaps without a date yet.
    Postponed = 1,
    /// Not at all.
    Cancelled = 2,
}

impl Status {
    /// Its name in the API and in Postgres.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Postponed => "postponed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A row of `venue`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct VenueRow {
    /// Its id.
    pub venue_id: VenueId,
    /// Its name.
    pub name: String,
    /// The city's name as people there write it.
    pub city: String,
    /// A part of the city.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub district: Option<String>,
    /// State, province or canton.
    pub region: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// Degrees north.
    pub lat: Option<f64>,
    /// Degrees east.
    pub lon: Option<f64>,
    /// IANA zone.
    pub timezone: String,
    /// The row's version.
    pub version: i64,
}

/// A row of `artist`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ArtistRow {
    /// Their id.
    pub artist_id: ArtistId,
    /// Their name.
    pub name: String,
    /// Other names they are known by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The row's version.
    pub version: i64,
}

/// A row of `synonym`: who searches for `term` finds what any of `means` finds too, after what has the term itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SynonymRow {
    /// Its id.
    pub synonym_id: Uuid,
    /// One or more words.
    pub term: String,
    /// What else they say, each as `q` has it: words and phrases in quotes.
    pub means: Vec<String>,
    /// The row's version.
    pub version: i64,
}

/// What the index keeps of a row of `saved_search`: what is asked, not who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedSearchRow {
    /// Its id.
    pub search_id: SearchId,
    /// The query string of `GET /event`.
    pub query: String,
}

/// A row of `event_artist` with its artist's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Credit {
    /// Whose.
    pub artist_id: ArtistId,
    /// Their name.
    pub name: String,
    /// Other names they are known by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// composer, conductor, orchestra, or an instrument or voice.
    pub role: String,
    /// Place on the bill, from 0.
    pub position: i16,
}

/// A row of `event_tier`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Tier {
    /// The tier's number in the seat plan.
    pub tier: TierNo,
    /// What people call it.
    pub name: String,
    /// Minor units of the event's currency.
    pub price: i64,
    /// What one ticket costs with all fees and taxes, where that is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_in: Option<i64>,
}

impl Tier {
    /// What one ticket costs, everything in: what is searched and shown first.
    #[must_use]
    pub fn asked(&self) -> i64 {
        self.all_in.unwrap_or(self.price)
    }
}

/// A row of `event_presale`: a time before the public sale in which some may buy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Presale {
    /// Place in the list, from 0.
    pub position: i16,
    /// Whom or what it is for.
    pub name: String,
    /// Its first instant.
    #[schema(value_type = String, format = DateTime)]
    pub opens_at: Timestamp,
    /// The first instant after it.
    #[schema(value_type = String, format = DateTime)]
    pub closes_at: Timestamp,
}

/// A row of `event` with everything that belongs to it. `artists` and `presales` are in order of `position`, `tiers` of `tier`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EventDocument {
    /// Its id.
    pub event_id: EventId,
    /// Its cell in the availability overlay.
    pub slot: u32,
    /// Whose it is.
    pub organizer_id: UserId,
    /// What it is called.
    pub title: String,
    /// A few sentences, or nothing.
    pub description: String,
    /// Genres, the first leading.
    pub genres: Vec<String>,
    /// What is played.
    #[schema(value_type = Vec<Object>)]
    pub works: Works,
    /// An image's id or address.
    pub image: Option<String>,
    /// What the organizer's figures say; more is more.
    pub popularity: u32,
    /// Above 0, pinned: before all others by relevance, the greatest first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub boost: u8,
    /// Whether it takes place.
    pub status: Status,
    /// When it begins; only when it is expected to when `date_tba`.
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    /// When it ends, if known.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<Timestamp>,
    /// Whether the date is still to be announced.
    #[serde(default)]
    pub date_tba: bool,
    /// Where.
    pub venue: VenueRow,
    /// Who.
    pub artists: Vec<Credit>,
    /// What the seats cost; a tier of the plan that is not here is not for sale.
    pub tiers: Vec<Tier>,
    /// The seat plan.
    pub layout_hash: LayoutHash,
    /// Seats in it.
    pub capacity: u32,
    /// What the prices are in.
    pub currency: Currency,
    /// The sale's first instant.
    #[schema(value_type = String, format = DateTime)]
    pub sale_opens_at: Timestamp,
    /// The first instant after the sale.
    #[schema(value_type = String, format = DateTime)]
    pub sale_closes_at: Timestamp,
    /// Times before it in which some may buy.
    #[serde(default)]
    pub presales: Vec<Presale>,
    /// How long a hold lives, in seconds.
    pub hold_ttl_s: u32,
    /// Seats one buyer may have.
    pub buyer_limit: u32,
    /// The row's version.
    pub version: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(boost: &u8) -> bool {
    *boost == 0
}

/// Cannot happen for values made by this program: a source that is not JSON.
#[derive(Debug, thiserror::Error)]
#[error("write a document's source as JSON")]
pub struct SourceError(#[from] serde_json::Error);

/// The unique term of a document: replace with `delete_term` and add.
#[must_use]
pub fn id_term(kind: Kind, id: Uuid) -> Term {
    Term::from_field_bytes(fields().id, &id_bytes(kind, id))
}

/// The term of every event that names this venue or artist.
#[must_use]
pub fn parent_term(kind: Kind, id: Uuid) -> Term {
    Term::from_field_bytes(fields().parents, &id_bytes(kind, id))
}

fn id_bytes(kind: Kind, id: Uuid) -> [u8; 17] {
    let mut bytes = [0; 17];
    let (first, rest) = bytes.split_at_mut(1);
    first.fill(kind as u8);
    rest.copy_from_slice(id.as_bytes());
    bytes
}

/// A document with nothing but its kind, id and source: how venues and artists are kept.
fn bare(kind: Kind, id: Uuid, source: &impl Serialize) -> Result<TantivyDocument, SourceError> {
    let fields = fields();
    let source = serde_json::to_string(source)?;
    // Its words and columns are about as long again.
    let mut document = TantivyDocument::with_capacity(3 * source.len());
    document.add_u64(fields.kind, kind as u64);
    document.add_text(fields.source, source);
    document.add_bytes(fields.id, &id_bytes(kind, id));
    Ok(document)
}

impl VenueRow {
    /// The venue's own document.
    ///
    /// # Errors
    /// When a number in it cannot be written as JSON.
    pub fn to_document(&self) -> Result<TantivyDocument, SourceError> {
        bare(Kind::Venue, self.venue_id.0, self)
    }
}

impl ArtistRow {
    /// The artist's own document.
    ///
    /// # Errors
    /// Never in practice.
    pub fn to_document(&self) -> Result<TantivyDocument, SourceError> {
        bare(Kind::Artist, self.artist_id.0, self)
    }
}

impl SynonymRow {
    /// The synonym's own document.
    ///
    /// # Errors
    /// Never in practice.
    pub fn to_document(&self) -> Result<TantivyDocument, SourceError> {
        bare(Kind::Synonym, self.synonym_id, self)
    }
}

impl SavedSearchRow {
    /// The search's own document.
    ///
    /// # Errors
    /// Never in practice.
    pub fn to_document(&self) -> Result<TantivyDocument, SourceError> {
        bare(Kind::SavedSearch, self.search_id.0, self)
    }
}

/// The artist as hits show them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ArtistName {
    /// Their id.
    pub artist_id: ArtistId,
    /// Their name.
    pub name: String,
}

/// The artist as the `artists` column keeps them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ArtistNames {
    #[serde(flatten)]
    pub(crate) artist: ArtistName,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) aliases: Vec<String>,
}

impl EventDocument {
    /// The event's document: source, words and columns.
    ///
    /// # Errors
    /// When a number in it cannot be written as JSON.
    pub fn to_document(&self) -> Result<TantivyDocument, SourceError> {
        let fields = fields();
        let mut document = bare(Kind::Event, self.event_id.0, self)?;
        document.add_text(fields.text, weighted(self.parts()));
        document.add_text(fields.title_words, weighted([(Cow::from(&self.title), 1)]));
        document.add_bytes(fields.parents, &id_bytes(Kind::Venue, self.venue.venue_id.0));
        for credit in &self.artists {
            document.add_bytes(fields.parents, &id_bytes(Kind::Artist, credit.artist_id.0));
        }
        let (high, low) = self.event_id.0.as_u64_pair();
        document.add_u64(fields.id_high, high);
        document.add_u64(fields.id_low, low);
        document.add_u64(fields.slot, self.slot.into());
        if self.date_tba {
            document.add_i64(fields.starts_at, self.expected_day_last_us());
            document.add_i64(fields.expected_at, self.starts_at.as_microsecond());
        } else {
            document.add_i64(fields.starts_at, self.starts_at.as_microsecond());
        }
        if let Some(ends_at) = self.ends_at {
            document.add_i64(fields.ends_at, ends_at.as_microsecond());
        }
        document.add_i64(fields.sale_opens_at, self.sale_opens_at.as_microsecond());
        document.add_i64(fields.sale_closes_at, self.sale_closes_at.as_microsecond());
        for presale in &self.presales {
            document.add_i64(fields.presales, presale.opens_at.as_microsecond());
            document.add_i64(fields.presales, presale.closes_at.as_microsecond());
        }
        document.add_u64(fields.boost, self.boost.into());
        document.add_u64(fields.status, self.status as u64);
        document.add_u64(fields.popularity, self.popularity.into());
        document.add_u64(fields.capacity, self.capacity.into());
        if let (Some(low), Some(high)) = (self.price_min(), self.price_max()) {
            document.add_i64(fields.price_min, low);
            document.add_i64(fields.price_max, high);
        }
        document.add_text(fields.currency, self.currency.as_str());
        document.add_text(fields.title, &self.title);
        if let Some(image) = &self.image {
            document.add_text(fields.image, image);
        }
        for genre in &self.genres {
            document.add_text(fields.genres, genre);
        }
        document.add_text(fields.venue, serde_json::to_string(&self.venue)?);
        let mut named = Vec::new();
        for credit in &self.artists {
            if !named.contains(&credit.artist_id) {
                named.push(credit.artist_id);
                let artist = ArtistName { artist_id: credit.artist_id, name: credit.name.clone() };
                let kept = ArtistNames { artist, aliases: credit.aliases.clone() };
                document.add_text(fields.artists, serde_json::to_string(&kept)?);
            }
        }
        Ok(document)
    }

    /// The last microsecond of the day it is expected on, in the venue's zone: after everything that begins that day.
    fn expected_day_last_us(&self) -> i64 {
        let zone = TimeZone::get(&self.venue.timezone).unwrap_or(TimeZone::UTC);
        let end = self.starts_at.to_zoned(zone).end_of_day();
        end.map_or(self.starts_at, |end| end.timestamp()).as_microsecond()
    }

    /// The lowest price of a tier, everything in.
    #[must_use]
    pub fn price_min(&self) -> Option<i64> {
        self.tiers.iter().map(Tier::asked).min()
    }

    /// The highest price of a tier, everything in.
    #[must_use]
    pub fn price_max(&self) -> Option<i64> {
        self.tiers.iter().map(Tier::asked).max()
    }

    /// Every text a search looks into, with its weight.
    pub(crate) fn parts(&self) -> Vec<(Cow<'_, str>, u32)> {
        let mut parts = Vec::with_capacity(64);
        let mut take = |text, weight| parts.push((text, weight));
        take(Cow::from(&self.title), weight::TITLE);
        take(Cow::from(&self.venue.name), weight::VENUE);
        take(Cow::from(&self.venue.city), weight::CITY);
        take(Cow::from(&self.description), weight::DESCRIPTION);
        for credit in &self.artists {
            take(Cow::from(&credit.name), weight::ARTIST);
            credit.aliases.iter().for_each(|alias| take(Cow::from(alias), weight::ALIAS));
        }
        self.genres.iter().for_each(|genre| take(Cow::from(genre), weight::GENRE));
        self.works.texts(|text| take(text, weight::WORK));
        parts
    }
}
