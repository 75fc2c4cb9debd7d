//! The parameters of `GET /event` as the API's description lists them. `search::Request` parses them; this only names them.

use search::request::Mode;
use utoipa::IntoParams;

/// Never a value: each field is one parameter's name, type and meaning.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a description, never a value")]
pub(super) struct Parameters {
    /// Words, of which the last may be unfinished, and phrases in quotes; `-word` and `-"a phrase"` must not stand in an event.
    q: Option<String>,
    /// Only these events.
    event_id: Option<Vec<uuid::Uuid>>,
    /// Names of artists.
    artist: Option<Vec<String>>,
    /// Ids of artists.
    artist_id: Option<Vec<uuid::Uuid>>,
    /// Names of venues.
    venue: Option<Vec<String>>,
    /// Ids of venues.
    venue_id: Option<Vec<uuid::Uuid>>,
    /// Names of cities.
    city: Option<Vec<String>>,
    /// Names of regions.
    region: Option<Vec<String>>,
    /// ISO 3166-1 codes of countries.
    country: Option<Vec<String>>,
    /// Genres.
    genre: Option<Vec<String>>,
    /// Degrees north of the place distances are from.
    lat: Option<f64>,
    /// Degrees east of it.
    lon: Option<f64>,
    /// Greatest distance from it.
    radius_km: Option<f64>,
    /// west,south,east,north in degrees.
    bbox: Option<String>,
    /// Earliest start (RFC 3339). An event whose date is to be announced is found by no filter on dates.
    from: Option<String>,
    /// First start that is too late (RFC 3339).
    to: Option<String>,
    /// First day, in the venue's zone.
    local_from: Option<String>,
    /// Last day, in the venue's zone.
    local_to: Option<String>,
    /// today, tonight, tomorrow, this-weekend, next-week, this-month; in each venue's zone.
    when: Option<Vec<String>>,
    /// now, soon, presale (not yet open for everybody, but within a presale), past.
    on_sale: Option<Vec<String>>,
    /// Least of the lowest price left, in minor units.
    price_min: Option<i64>,
    /// Greatest of the lowest price left, in minor units.
    price_max: Option<i64>,
    /// ISO 4217 codes.
    currency: Option<Vec<String>>,
    /// available, few, sold-out.
    availability: Option<Vec<String>>,
    /// Seats that must be left.
    min_seats: Option<u32>,
    /// scheduled, postponed, cancelled.
    status: Option<Vec<String>>,
    /// Events that are over too.
    include_past: Option<bool>,
    /// Names of facets to count, with commas between: genre, city, region, country, venue, artist, status, availability,
    /// `on_sale`, currency, price, date.
    facets: Option<String>,
    /// relevance (pinned first, then a title that is exactly the words, everything as typed, with typing errors, by a synonym;
    /// within each BM25, raised by at most a fifth for popularity and nearness in time), date, -date, distance, price, -price, popularity, availability, name, `on_sale`.
    sort: Option<String>,
    /// Hits on a page, 1 to 100.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// lexical: hits have the words. hybrid: they have the words or are near them in meaning, which needs a table of word vectors
    /// (`mode` in the answer says whether there was one); by relevance, places in the order by words and in the one by meaning decide
    /// together (reciprocal rank fusion). Left out: hybrid by relevance where words alone find fewer than five and nothing is in
    /// quotes, else lexical. Pages of a hybrid search fit together over one state of the index; while it moves, a hit may be on two
    /// pages or none.
    #[param(value_type = Option<Mode>)]
    mode: Option<String>,
    /// Whether hits show where the words stand.
    highlight: Option<bool>,
    /// A log position the answer must have reached, from a write's `Frontrow-Lsn`.
    min_lsn: Option<String>,
}
