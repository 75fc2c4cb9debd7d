//! Parameter by parameter: text to value, or what it accepts.

use super::urlencoded::pairs;
use super::{
    Availability, BadParameter, BoundingBox, Cursor, Facet, Filters, Mode, OnSale, Place, Request, Sort, Text, When,
};
use crate::document::Status;
use crate::fold;
use jiff::Timestamp;
use std::str::FromStr;

const LIMIT_DEFAULT: usize = 20;
const LIMIT_MAX: usize = 100;
const PARAMETERS_MAX: usize = 200;
const TEXT_CHARS_MAX: usize = 500;
const WORDS_MAX: usize = 20;
/// Terms of all words: those of dense scripts have one per letter.
const TERMS_MAX: usize = 80;
/// Half the globe's circumference: every distance is less.
const RADIUS_KM_MAX: f64 = 20_038.0;

const KNOWN: &str = "q, event_id, artist, artist_id, venue, venue_id, city, region, country, genre, lat, lon, radius_km, bbox, from, \
     to, local_from, local_to, when, on_sale, price_min, price_max, currency, availability, min_seats, status, include_past, \
     facets, sort, limit, cursor, mode, highlight, min_lsn";

/// What of a search is spread over several parameters or must be checked when all are known.
#[derive(Default)]
struct Loose {
    lat: Option<f64>,
    lon: Option<f64>,
    seen: Vec<String>,
}

pub(super) fn parse(query_string: &str) -> Result<Request, BadParameter> {
    let mut request = Request { limit: LIMIT_DEFAULT, ..Request::default() };
    let mut loose = Loose::default();
    for (n, pair) in pairs(query_string).enumerate() {
        let (name, value) = pair.ok_or_else(|| bad("query string", "UTF-8"))?;
        if n >= PARAMETERS_MAX {
            return Err(bad(&name, &format!("at most {PARAMETERS_MAX} parameters in all")));
        }
        if value.chars().count() > TEXT_CHARS_MAX && name != "cursor" {
            return Err(bad(&name, &format!("at most {TEXT_CHARS_MAX} characters")));
        }
        // An empty field of a form says nothing.
        if value.is_empty() && KNOWN.split(", ").any(|known| known == name) {
            continue;
        }
        parameter(&mut request, &mut loose, &name, &value)?;
        loose.seen.push(name);
    }
    finish(request, &loose)
}

fn parameter(request: &mut Request, loose: &mut Loose, name: &str, value: &str) -> Result<(), BadParameter> {
    if repeats(&mut request.filters, name, value)? {
        return Ok(());
    }
    if loose.seen.iter().any(|seen| seen == name) && name != "facets" {
        return Err(bad(name, "one value"));
    }
    let filters = &mut request.filters;
    match name {
        "q" => words(request, value)?,
        "lat" => loose.lat = Some(within(name, value, -90.0, 90.0)?),
        "lon" => loose.lon = Some(within(name, value, -180.0, 180.0)?),
        "radius_km" => filters.radius_km = Some(within(name, value, 0.0, RADIUS_KM_MAX)?),
        "bbox" => filters.bbox = Some(bbox(name, value)?),
        "from" => filters.from = Some(instant(name, value)?),
        "to" => filters.to = Some(instant(name, value)?),
        "local_from" => filters.local_from = Some(parsed(name, value, "a date such as 2026-05-01")?),
        "local_to" => filters.local_to = Some(parsed(name, value, "a date such as 2026-05-31")?),
        "price_min" => filters.price_min = Some(minor(name, value)?),
        "price_max" => filters.price_max = Some(minor(name, value)?),
        "min_seats" => filters.seats_min = Some(parsed(name, value, "a whole number from 0")?),
        "include_past" => filters.include_past = boolean(name, value)?,
        "highlight" => request.highlight = boolean(name, value)?,
        "sort" => request.sort = Some(one_of(name, value, Sort::ALL, Sort::as_str)?),
        "limit" => request.limit = limit(name, value)?,
        "cursor" => {
            request.cursor = Some(Cursor::decode(value).ok_or_else(|| bad(name, "a `next` of an earlier answer"))?);
        }
        "facets" => {
            for part in value.split(',') {
                let facet = one_of(name, part.trim(), Facet::ALL, Facet::as_str)?;
                if !request.facets.contains(&facet) {
                    request.facets.push(facet);
                }
            }
        }
        // The gateway waits for it before it asks the index; here it is only checked.
        "min_lsn" => drop(parsed::<model::Lsn>(name, value, "a log position such as 16/B374D848")?),
        "mode" => request.mode = Some(one_of(name, value, Mode::ALL, Mode::as_str)?),
        _ => return Err(bad(name, &format!("nothing: the parameters are {KNOWN}"))),
    }
    Ok(())
}

/// The parameters that may stand several times; false when `name` is none of them.
fn repeats(filters: &mut Filters, name: &str, value: &str) -> Result<bool, BadParameter> {
    const ID: &str = "a UUID";
    match name {
        "event_id" => filters.event_ids.push(parsed(name, value, ID)?),
        "artist_id" => filters.artist_ids.push(parsed(name, value, ID)?),
        "venue_id" => filters.venue_ids.push(parsed(name, value, ID)?),
        "artist" => filters.artists.push(named(name, value)?),
        "venue" => filters.venues.push(named(name, value)?),
        "city" => filters.cities.push(named(name, value)?),
        "region" => filters.regions.push(named(name, value)?),
        "genre" => filters.genres.push(named(name, value)?),
        "country" => {
            let code = value.to_ascii_uppercase();
            let two = code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase());
            filters
                .countries
                .push(Some(code).filter(|_| two).ok_or_else(|| bad(name, "a two-letter code such as US"))?);
        }
        "currency" => {
            filters.currencies.push(parsed(name, &value.to_ascii_uppercase(), "a three-letter code such as USD")?);
        }
        "when" => filters.when.push(one_of(name, value, When::ALL, When::as_str)?),
        "on_sale" => filters.on_sale.push(one_of(name, value, OnSale::ALL, OnSale::as_str)?),
        "availability" => filters.availability.push(one_of(name, value, Availability::ALL, Availability::as_str)?),
        "status" => {
            let all = [Status::Scheduled, Status::Postponed, Status::Cancelled];
            filters.statuses.push(one_of(name, value, &all, Status::as_str)?);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn finish(mut request: Request, loose: &Loose) -> Result<Request, BadParameter> {
    request.filters.near = match (loose.lat, loose.lon) {
        (Some(lat), Some(lon)) => Some(Place { lat, lon }),
        (None, None) => None,
        (Some(_), None) => return Err(bad("lon", "a number of degrees beside lat")),
        (None, Some(_)) => return Err(bad("lat", "a number of degrees beside lon")),
    };
    if request.filters.near.is_none() {
        if request.filters.radius_km.is_some() {
            return Err(bad("radius_km", "a number of kilometres beside lat and lon"));
        }
        if request.sort == Some(Sort::Distance) {
            return Err(bad("sort", "distance only beside lat and lon"));
        }
    }
    if request.sort == Some(Sort::Relevance) && !request.text.is_positive() {
        // Nothing to be relevant to: the default order.
        request.sort = None;
    }
    if let Some(cursor) = &request.cursor {
        let began = Mode::ALL.iter().copied().find(|mode| cursor.search == request.checksum(*mode));
        let began = began.filter(|mode| *mode == Mode::Lexical || request.mode != Some(Mode::Lexical));
        request.mode = Some(began.ok_or_else(|| bad("cursor", "a `next` of an answer to this very search"))?);
    }
    Ok(request)
}

impl Request {
    /// Of everything that decides which hits come in which order, the mode in force being one of it; page size, facets and highlights may change between pages.
    pub(crate) fn checksum(&self, mode: Mode) -> u32 {
        crc32fast::hash(format!("{:?} {:?} {:?} {mode:?}", self.q, self.filters, self.sort()).as_bytes())
    }
}

fn words(request: &mut Request, value: &str) -> Result<(), BadParameter> {
    let text = Text::parse(value);
    if fold::words(value).count() > WORDS_MAX || text.terms() > TERMS_MAX {
        return Err(bad("q", &format!("at most {WORDS_MAX} words")));
    }
    // Text without a single word asks for nothing.
    request.q = if text.is_empty() { String::new() } else { value.trim().to_owned() };
    request.text = text;
    Ok(())
}

fn named(name: &str, value: &str) -> Result<String, BadParameter> {
    if value.contains('\0') { Err(bad(name, "a name")) } else { Ok(value.trim().to_owned()) }
}

fn limit(name: &str, value: &str) -> Result<usize, BadParameter> {
    let accepted = format!("a whole number from 1 to {LIMIT_MAX}");
    let limit = parsed(name, value, &accepted)?;
    if (1..=LIMIT_MAX).contains(&limit) { Ok(limit) } else { Err(bad(name, &accepted)) }
}

fn minor(name: &str, value: &str) -> Result<i64, BadParameter> {
    let accepted = "a whole number of minor units from 0";
    let minor: i64 = parsed(name, value, accepted)?;
    if minor >= 0 { Ok(minor) } else { Err(bad(name, accepted)) }
}

fn boolean(name: &str, value: &str) -> Result<bool, BadParameter> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(bad(name, "true or false")),
    }
}

fn instant(name: &str, value: &str) -> Result<Timestamp, BadParameter> {
    // A plus sign that a client forgot to escape arrives as a space.
    let value = value.replace(' ', "+");
    parsed(name, &value, "an RFC 3339 instant such as 2026-05-01T00:00:00Z")
}

fn bbox(name: &str, value: &str) -> Result<BoundingBox, BadParameter> {
    let accepted = "west,south,east,north in degrees, south no greater than north";
    let edges: Vec<f64> = value.split(',').map_while(|edge| edge.trim().parse().ok()).collect();
    match edges[..] {
        [west, south, east, north]
            if value.split(',').count() == 4
                && [west, east].iter().all(|lon| (-180.0..=180.0).contains(lon))
                && [south, north].iter().all(|lat| (-90.0..=90.0).contains(lat))
                && south <= north =>
        {
            Ok(BoundingBox { west, south, east, north })
        }
        _ => Err(bad(name, accepted)),
    }
}

fn within(name: &str, value: &str, low: f64, high: f64) -> Result<f64, BadParameter> {
    let accepted = format!("a number from {low} to {high}");
    let number: f64 = parsed(name, value, &accepted)?;
    if (low..=high).contains(&number) { Ok(number) } else { Err(bad(name, &accepted)) }
}

fn one_of<T: Copy>(name: &str, value: &str, all: &[T], text: fn(T) -> &'static str) -> Result<T, BadParameter> {
    let found = all.iter().copied().find(|candidate| text(*candidate) == value);
    found.ok_or_else(|| bad(name, &all.iter().map(|value| text(*value)).collect::<Vec<_>>().join(", ")))
}

fn parsed<T: FromStr>(name: &str, value: &str, accepted: &str) -> Result<T, BadParameter> {
    value.trim().parse().map_err(|_| bad(name, accepted))
}

fn bad(name: &str, accepted: &str) -> BadParameter {
    BadParameter { name: name.chars().take(64).collect(), accepted: accepted.to_owned() }
}
