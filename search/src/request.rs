//! What a search asks for: `GET /event`'s parameters, parsed and checked, nothing resolved yet.
//!
//! Parsing is total: any query string gives a [`Request`] or the parameter that is wrong and what it accepts. Filters of one
//! name mean *or*, different names *and*. Nothing here knows the index or the time.

mod cursor;
mod parse;
mod text;
mod urlencoded;

pub use cursor::Cursor;
pub(crate) use cursor::day_of;
pub use text::Text;
pub(crate) use text::{Clause, Slot, apart};

use crate::document::Status;
use jiff::Timestamp;
use jiff::civil::Date;
use model::{ArtistId, Currency, EventId, VenueId};

/// A parameter that is unknown or has a bad value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} accepts {accepted}")]
pub struct BadParameter {
    /// The parameter's name.
    pub name: String,
    /// What it accepts.
    pub accepted: String,
}

/// A checked search.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The words looked for, as typed; empty when there are none.
    pub q: String,
    /// What they say.
    pub text: Text,
    /// What hits must satisfy.
    pub filters: Filters,
    /// Which counts to give beside the hits.
    pub facets: Vec<Facet>,
    /// The order of the hits; none means by relevance when there are words, else by date.
    pub sort: Option<Sort>,
    /// Hits on a page.
    pub limit: usize,
    /// Where the page begins.
    pub cursor: Option<Cursor>,
    /// Whether hits show where the words stand.
    pub highlight: bool,
    /// What hits may owe their match to; none means to meaning too where words alone find little.
    pub mode: Option<Mode>,
}

/// The filters; an empty list filters nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filters {
    /// Only these events.
    pub event_ids: Vec<EventId>,
    /// Names of artists.
    pub artists: Vec<String>,
    /// Ids of artists.
    pub artist_ids: Vec<ArtistId>,
    /// Names of venues.
    pub venues: Vec<String>,
    /// Ids of venues.
    pub venue_ids: Vec<VenueId>,
    /// Names of cities.
    pub cities: Vec<String>,
    /// Names of regions.
    pub regions: Vec<String>,
    /// Codes of countries.
    pub countries: Vec<String>,
    /// Genres.
    pub genres: Vec<String>,
    /// The place distances are from.
    pub near: Option<Place>,
    /// Greatest distance from `near`, in kilometres.
    pub radius_km: Option<f64>,
    /// A box of coordinates.
    pub bbox: Option<BoundingBox>,
    /// Earliest start.
    pub from: Option<Timestamp>,
    /// First start that is too late.
    pub to: Option<Timestamp>,
    /// First day, in the venue's zone.
    pub local_from: Option<Date>,
    /// Last day, in the venue's zone.
    pub local_to: Option<Date>,
    /// A time people name, in the venue's zone.
    pub when: Vec<When>,
    /// State of the sale.
    pub on_sale: Vec<OnSale>,
    /// Least of the lowest price left, in minor units.
    pub price_min: Option<i64>,
    /// Greatest of the lowest price left, in minor units.
    pub price_max: Option<i64>,
    /// What prices are in.
    pub currencies: Vec<Currency>,
    /// How much is left.
    pub availability: Vec<Availability>,
    /// Seats that must be left.
    pub seats_min: Option<u32>,
    /// Whether it takes place; empty means scheduled or postponed.
    pub statuses: Vec<Status>,
    /// Whether events that are over are shown too.
    pub include_past: bool,
}

/// A point on the globe in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
}

/// A box in degrees; west may be greater than east: it then crosses the date line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoundingBox {
    /// Western edge.
    pub west: f64,
    /// Southern edge.
    pub south: f64,
    /// Eastern edge.
    pub east: f64,
    /// Northern edge.
    pub north: f64,
}

/// Declares an enum whose variants have names in the API.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:tt),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, utoipa::ToSchema)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $text)] $variant),* }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name in the API.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// The value of a name.
            #[must_use]
            pub fn named(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }
    };
}

named! {
    /// A time people name, each in the venue's own zone.
    When {
        /// The current day.
        Today = "today",
        /// The current day from 17:00.
        Tonight = "tonight",
        /// The next day.
        Tomorrow = "tomorrow",
        /// This week's Saturday and Sunday.
        ThisWeekend = "this-weekend",
        /// The next Monday to the Sunday after it.
        NextWeek = "next-week",
        /// The current calendar month.
        ThisMonth = "this-month",
    }
}

named! {
    /// The state of an event's sale.
    OnSale {
        /// Open.
        Now = "now",
        /// Not yet open.
        Soon = "soon",
        /// Not yet open for everybody, but within a presale.
        Presale = "presale",
        /// Closed.
        Past = "past",
    }
}

named! {
    /// How much of an event is left.
    Availability {
        /// More than a tenth of the seats.
        Available = "available",
        /// Some, but no more than a tenth.
        Few = "few",
        /// None.
        SoldOut = "sold-out",
    }
}

named! {
    /// What hits can be counted by.
    Facet {
        /// Genre.
        Genre = "genre",
        /// City.
        City = "city",
        /// Region.
        Region = "region",
        /// Country.
        Country = "country",
        /// Venue.
        Venue = "venue",
        /// Artist.
        Artist = "artist",
        /// Whether it takes place.
        Status = "status",
        /// How much is left.
        Availability = "availability",
        /// State of the sale.
        OnSale = "on_sale",
        /// Currency.
        Currency = "currency",
        /// Lowest price left, in steps of 1, 2 and 5 of each currency.
        Price = "price",
        /// Month of the start, in the venue's zone.
        Date = "date",
    }
}

named! {
    /// What a hit may owe its match to.
    Mode {
        /// Its words.
        Lexical = "lexical",
        /// Its words or what it means.
        Hybrid = "hybrid",
    }
}

named! {
    /// The order of hits; ties are in order of event id.
    Sort {
        /// Best match first.
        Relevance = "relevance",
        /// Earliest first.
        Date = "date",
        /// Latest first.
        DateDescending = "-date",
        /// Nearest first.
        Distance = "distance",
        /// Lowest price left first; nothing left last.
        Price = "price",
        /// Highest of the lowest prices left first; nothing left last.
        PriceDescending = "-price",
        /// Most popular first.
        Popularity = "popularity",
        /// Most seats left first.
        Availability = "availability",
        /// By title, accents and case folded.
        Name = "name",
        /// Sale that opens first, first.
        OnSale = "on_sale",
    }
}

impl Request {
    /// Parses the part of the URL after the question mark.
    ///
    /// # Errors
    /// The first parameter that is unknown or has a bad value.
    pub fn parse(query_string: &str) -> Result<Self, BadParameter> {
        parse::parse(query_string)
    }

    /// The order in force.
    #[must_use]
    pub fn sort(&self) -> Sort {
        self.sort.unwrap_or(if self.text.is_positive() { Sort::Relevance } else { Sort::Date })
    }
}

impl Availability {
    /// Of so many seats left.
    #[must_use]
    pub fn of(seats_left: u32, seats_total: u32) -> Self {
        match u64::from(seats_left) {
            0 => Self::SoldOut,
            left if left * 10 <= u64::from(seats_total) => Self::Few,
            _ => Self::Available,
        }
    }
}

impl OnSale {
    /// Of a sale window, and presale windows as openings and closings in turn, in microseconds.
    pub(crate) fn of(opens_at: i64, closes_at: i64, presales: &[i64], now: i64) -> Self {
        if now < opens_at {
            let open = presales.as_chunks::<2>().0.iter().any(|[from, to]| (*from..*to).contains(&now));
            if open { Self::Presale } else { Self::Soon }
        } else if now < closes_at {
            Self::Now
        } else {
            Self::Past
        }
    }
}
