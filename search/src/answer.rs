//! What a search answers: exactly the bodies of `GET /event`, `GET /event/{event_id}` and `GET /event/suggest`.

use crate::document::{ArtistName, EventDocument, Status, VenueRow};
use crate::request::{Availability, Mode, OnSale};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::{ArtistId, EventId, Lsn, VenueId};
use serde::Serialize;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A page of hits.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Answer {
    /// The page.
    pub hits: Vec<Hit>,
    /// How many there are on all pages; exact, but in a degraded answer only at least so many.
    pub total: u64,
    /// Counts by facet, each ignoring its own filter; the most frequent values first, prices and months in their order.
    pub facets: BTreeMap<&'static str, Vec<FacetCount>>,
    /// The next page's cursor; none on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The words that were looked for instead of those that stand nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub did_you_mean: Option<String>,
    /// What hits may owe their match to. Lexical though hybrid was asked for: there is no table of word vectors here.
    pub mode: Mode,
    /// How far Postgres's log is in this answer.
    #[schema(value_type = String)]
    pub as_of: Lsn,
    /// Time spent, in milliseconds.
    pub took_ms: f64,
    /// True when the answer comes from Postgres, without words and facets, because there is no index.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub degraded: bool,
}

/// An event as lists show it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Hit {
    /// Its id.
    pub event_id: EventId,
    /// What it is called.
    pub title: String,
    /// When it begins; only when it is expected to when `date_tba`.
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    /// When it ends, if known.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<Timestamp>,
    /// When it begins on the venue's clocks, without a zone.
    pub local_start: String,
    /// Whether the date is still to be announced.
    pub date_tba: bool,
    /// The venue's IANA zone.
    pub timezone: String,
    /// Whether it takes place.
    pub status: Status,
    /// Where.
    pub venue: VenueBrief,
    /// Who.
    pub artists: Vec<ArtistName>,
    /// An image's id or address.
    pub image: Option<String>,
    /// Genres, the first leading.
    pub genres: Vec<String>,
    /// The lowest price left, in minor units; null when nothing is.
    pub price_min: Option<i64>,
    /// The highest price, in minor units.
    pub price_max: Option<i64>,
    /// What the prices are in.
    pub currency: String,
    /// Seats neither held nor sold.
    pub seats_left: u32,
    /// All seats.
    pub seats_total: u32,
    /// How much is left.
    pub availability: Availability,
    /// State of the sale.
    pub on_sale: OnSale,
    /// When the sale opens.
    #[schema(value_type = String, format = DateTime)]
    pub sale_opens_at: Timestamp,
    /// Distance from `lat` and `lon`, when they were given and the venue's place is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance_km: Option<f64>,
    /// Where the words stand, as HTML with nothing in it but text and `<mark>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub highlight: Option<Highlight>,
    /// How well it matches, when sorted by relevance: the whole part says how (3 a title exactly so, 2 as typed, 1 with typing
    /// errors, 0 by a synonym; in a hybrid answer 3 by its places in both orders; 4 more and on when pinned), the fraction how well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
    /// Whether it is here for what it means alone, without having the words.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_meaning: bool,
}

/// A venue as hits show it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct VenueBrief {
    /// Its id.
    pub venue_id: VenueId,
    /// Its name.
    pub name: String,
    /// Its city.
    pub city: String,
    /// State, province or canton.
    pub region: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// Degrees north.
    pub lat: Option<f64>,
    /// Degrees east.
    pub lon: Option<f64>,
}

/// Where the words of a search stand; every text is safe HTML.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub struct Highlight {
    /// The title.
    pub title: String,
    /// The parts of the event beside the title in which a word stands, the first few.
    pub parts: Vec<String>,
}

/// A value of a facet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FacetCount {
    /// The value, as the filter of the facet's name takes it.
    pub value: String,
    /// Hits with it.
    pub count: u64,
    /// Of a step of prices, its currency: `currency` takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Of a step of prices or a month, where it begins: `price_min` or `local_from` takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Where it ends, included: `price_max` or `local_to` takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The venue's or artist's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
}

/// A whole event with what is live about it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct EventAnswer {
    /// The event.
    #[serde(flatten)]
    pub event: EventDocument,
    /// When it begins on the venue's clocks, without a zone.
    pub local_start: String,
    /// The venue's IANA zone.
    pub timezone: String,
    /// The lowest price left, in minor units; null when nothing is.
    pub price_min: Option<i64>,
    /// The highest price, in minor units.
    pub price_max: Option<i64>,
    /// Seats neither held nor sold.
    pub seats_left: u32,
    /// All seats.
    pub seats_total: u32,
    /// How much is left.
    pub availability: Availability,
    /// State of the sale.
    pub on_sale: OnSale,
    /// How far Postgres's log is in this answer.
    #[schema(value_type = String)]
    pub as_of: Lsn,
    /// True when the answer comes from Postgres, because there is no index.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub degraded: bool,
}

/// What of an event changes with every seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// Seats neither held nor sold.
    pub seats_left: u32,
    /// The lowest price left, in minor units.
    pub price_min: Option<i64>,
}

impl Live {
    /// Of an event no seat of which was ever asked for.
    #[must_use]
    pub fn untouched(event: &EventDocument) -> Self {
        Self { seats_left: event.capacity, price_min: event.price_min() }
    }
}

impl EventAnswer {
    /// Puts an event and what is live about it together, as of a log position and at an instant.
    #[must_use]
    pub fn of(event: EventDocument, live: Live, as_of: Lsn, now: Timestamp) -> Self {
        let zone = TimeZone::get(&event.venue.timezone).unwrap_or(TimeZone::UTC);
        let us = Timestamp::as_microsecond;
        let presales: Vec<i64> =
            event.presales.iter().flat_map(|sale| [us(sale.opens_at), us(sale.closes_at)]).collect();
        Self {
            local_start: zone.to_datetime(event.starts_at).to_string(),
            timezone: event.venue.timezone.clone(),
            price_min: live.price_min,
            price_max: event.price_max(),
            seats_left: live.seats_left,
            seats_total: event.capacity,
            availability: Availability::of(live.seats_left, event.capacity),
            on_sale: OnSale::of(us(event.sale_opens_at), us(event.sale_closes_at), &presales, us(now)),
            as_of,
            degraded: false,
            event,
        }
    }
}

impl From<EventAnswer> for Hit {
    fn from(answer: EventAnswer) -> Self {
        let event = answer.event;
        let mut artists: Vec<ArtistName> = Vec::new();
        for credit in event.artists {
            if !artists.iter().any(|artist| artist.artist_id == credit.artist_id) {
                artists.push(ArtistName { artist_id: credit.artist_id, name: credit.name });
            }
        }
        Self {
            event_id: event.event_id,
            title: event.title,
            starts_at: event.starts_at,
            ends_at: event.ends_at,
            local_start: answer.local_start,
            date_tba: event.date_tba,
            timezone: answer.timezone,
            status: event.status,
            venue: VenueBrief::from(&event.venue),
            artists,
            image: event.image,
            genres: event.genres,
            price_min: answer.price_min,
            price_max: answer.price_max,
            currency: event.currency.to_string(),
            seats_left: answer.seats_left,
            seats_total: answer.seats_total,
            availability: answer.availability,
            on_sale: answer.on_sale,
            sale_opens_at: event.sale_opens_at,
            distance_km: None,
            highlight: None,
            score: None,
            by_meaning: false,
        }
    }
}

impl From<&VenueRow> for VenueBrief {
    fn from(venue: &VenueRow) -> Self {
        Self {
            venue_id: venue.venue_id,
            name: venue.name.clone(),
            city: venue.city.clone(),
            region: venue.region.clone(),
            country: venue.country.clone(),
            lat: venue.lat,
            lon: venue.lon,
        }
    }
}

/// What someone may be about to type.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub struct Suggestions {
    /// Events by title.
    pub events: Vec<Suggestion<EventId>>,
    /// Artists.
    pub artists: Vec<Suggestion<ArtistId>>,
    /// Venues.
    pub venues: Vec<Suggestion<VenueId>>,
    /// Cities; their id is their name.
    pub cities: Vec<Suggestion<String>>,
}

/// One suggestion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Suggestion<Id> {
    /// What it is.
    pub id: Id,
    /// Its name.
    pub text: String,
    /// Its name as safe HTML with `<mark>` around what was typed.
    pub highlight: String,
    /// An event's own figure; of the others, how many events are coming up.
    pub popularity: u64,
}
