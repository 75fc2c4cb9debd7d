//! A request's filters, resolved against the names and the clock, and applied to a segment as sets of ranks.
//!
//! Filters are grouped by what they are about, because a facet counts what all groups but its own let through. Filters on
//! columns cover the segment; those on live cells or places are tried only on what the others leave.

use super::time::{local_days, when_ranges};
use super::{SearchError, Segment};
use crate::bits::Bits;
use crate::columns::{NO_INSTANT, NO_PRICE, SetKey};
use crate::document::{Kind, Status, id_term};
use crate::names::{Names, Table};
use crate::overlay::{Cell, Cells};
use crate::request::{Availability, BoundingBox, Facet, OnSale, Place, Request};
use jiff::Timestamp;
use model::EventId;
use std::sync::Arc;

/// The mean radius of the Earth (IUGG), in kilometres.
const EARTH_KM: f64 = 6_371.008_8;

/// What a filter is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// What a facet counts.
    Facet(Facet),
    /// Anything else.
    Other,
}

/// One filter.
enum Clause {
    /// A remembered set.
    Set(SetKey),
    /// Starts from the first instant, before the second, on a date that is announced.
    Start(i64, i64),
    /// Not over yet.
    Ahead,
    /// At a venue that is marked.
    Venues(Vec<bool>),
    /// Starts within one of its zone's spans of time, on a date that is announced.
    Zones(Vec<Vec<(i64, i64)>>),
    /// One of these.
    Events(Vec<EventId>),
    /// State of the sale.
    OnSale(Vec<OnSale>),
    /// Lowest price left.
    Price(i64, i64),
    /// How much is left.
    Availability(Vec<Availability>),
    /// Seats left.
    Seats(u32),
}

/// A request's filters.
pub(super) struct Plan {
    clauses: Vec<(About, Clause)>,
    /// The zone of each venue.
    zones: Vec<u32>,
    /// The distance of each venue in kilometres, when asked from somewhere; infinite when its place is unknown.
    pub(super) distances: Vec<f64>,
    pub(super) now_us: i64,
}

/// What a segment has for a request.
pub(super) struct Matches {
    /// The hits.
    pub(super) hits: Bits,
    /// For the requested facets that have a filter of their own, what the others let through.
    pub(super) without: Vec<(Facet, Bits)>,
}

impl Plan {
    pub(super) fn new(request: &Request, names: &Names, now: Timestamp) -> Self {
        let near = request.filters.near;
        let distances = near.map(|near| {
            names.venues.entries().iter().map(|v| distance_km(near, v.item.row.lat, v.item.row.lon)).collect()
        });
        let mut plan = Self {
            clauses: Vec::new(),
            zones: names.venues.entries().iter().map(|venue| venue.item.zone).collect(),
            distances: distances.unwrap_or_default(),
            now_us: now.as_microsecond(),
        };
        plan.names(request, names);
        plan.places(request, names);
        plan.times(request, names, now);
        plan.sales(request, names);
        plan
    }

    fn push(&mut self, facet: Facet, clause: Clause) {
        self.clauses.push((About::Facet(facet), clause));
    }

    fn names(&mut self, request: &Request, names: &Names) {
        let filters = &request.filters;
        if !filters.event_ids.is_empty() {
            self.clauses.push((About::Other, Clause::Events(filters.event_ids.clone())));
        }
        let lists = [
            (Facet::Artist, meant(&names.artists, &filters.artists).map(SetKey::Artist)),
            (Facet::Venue, meant(&names.venues, &filters.venues).map(SetKey::Venue)),
            (Facet::City, meant(&names.cities, &filters.cities).map(SetKey::City)),
            (Facet::Region, meant(&names.regions, &filters.regions).map(SetKey::Region)),
            (Facet::Country, meant(&names.countries, &filters.countries).map(SetKey::Country)),
            (Facet::Genre, meant(&names.genres, &filters.genres).map(SetKey::Genre)),
        ];
        for (facet, key) in lists {
            if let Some(key) = key {
                self.push(facet, Clause::Set(key));
            }
        }
        if !filters.artist_ids.is_empty() {
            let numbers = numbers(&names.artists, |artist| filters.artist_ids.contains(&artist.artist_id));
            self.push(Facet::Artist, Clause::Set(SetKey::Artist(numbers)));
        }
        if !filters.venue_ids.is_empty() {
            let numbers = numbers(&names.venues, |venue| filters.venue_ids.contains(&venue.row.venue_id));
            self.push(Facet::Venue, Clause::Set(SetKey::Venue(numbers)));
        }
    }

    fn places(&mut self, request: &Request, names: &Names) {
        if let Some(radius_km) = request.filters.radius_km {
            let within = self.distances.iter().map(|km| *km <= radius_km).collect();
            self.clauses.push((About::Other, Clause::Venues(within)));
        }
        if let Some(bbox) = request.filters.bbox {
            let within = names.venues.entries().iter().map(|v| bbox.contains(v.item.row.lat, v.item.row.lon)).collect();
            self.clauses.push((About::Other, Clause::Venues(within)));
        }
    }

    fn times(&mut self, request: &Request, names: &Names, now: Timestamp) {
        let filters = &request.filters;
        if filters.from.is_some() || filters.to.is_some() {
            let from = filters.from.map_or(i64::MIN, Timestamp::as_microsecond);
            let to = filters.to.map_or(i64::MAX, Timestamp::as_microsecond);
            self.push(Facet::Date, Clause::Start(from, to));
        }
        let zones = names.zones.entries();
        if filters.local_from.is_some() || filters.local_to.is_some() {
            let spans = zones.iter().map(|zone| vec![local_days(&zone.item, filters.local_from, filters.local_to)]);
            self.push(Facet::Date, Clause::Zones(spans.collect()));
        }
        if !filters.when.is_empty() {
            let spans = zones.iter().map(|zone| when_ranges(&zone.item, &filters.when, now));
            self.push(Facet::Date, Clause::Zones(spans.collect()));
        }
        if !filters.include_past {
            self.clauses.push((About::Other, Clause::Ahead));
        }
    }

    fn sales(&mut self, request: &Request, names: &Names) {
        let filters = &request.filters;
        let shown = if filters.statuses.is_empty() {
            vec![Status::Scheduled as u8, Status::Postponed as u8]
        } else {
            filters.statuses.iter().map(|status| *status as u8).collect()
        };
        self.push(Facet::Status, Clause::Set(SetKey::Status(shown)));
        if !filters.currencies.is_empty() {
            let texts: Vec<String> = filters.currencies.iter().map(|currency| currency.as_str().to_owned()).collect();
            let numbers = numbers(&names.currencies, |text| texts.contains(text));
            self.push(Facet::Currency, Clause::Set(SetKey::Currency(numbers)));
        }
        if !filters.on_sale.is_empty() {
            self.push(Facet::OnSale, Clause::OnSale(filters.on_sale.clone()));
        }
        if filters.price_min.is_some() || filters.price_max.is_some() {
            let range = Clause::Price(filters.price_min.unwrap_or(0), filters.price_max.unwrap_or(i64::MAX));
            self.push(Facet::Price, range);
        }
        if !filters.availability.is_empty() {
            self.push(Facet::Availability, Clause::Availability(filters.availability.clone()));
        }
        if let Some(seats) = filters.seats_min {
            self.clauses.push((About::Other, Clause::Seats(seats)));
        }
    }

    /// Applies the filters to the events of a segment that the words leave.
    pub(super) fn apply(
        &self,
        segment: &Segment,
        base: Bits,
        facets: &[Facet],
        cells: &Cells,
    ) -> Result<Matches, SearchError> {
        let counted = |about: About| facets.iter().any(|facet| about == About::Facet(*facet));
        let (own, common): (Vec<_>, Vec<_>) = self.clauses.iter().partition(|(about, _)| counted(*about));
        let mut hits = base;
        let mut live = Vec::new();
        for (_, clause) in common {
            match self.column_set(segment, clause)? {
                Some(set) => hits.and(&set),
                None => live.push(clause),
            }
        }
        // Each event that is left is looked at, so these come last.
        for clause in live {
            self.retain_live(segment, clause, &mut hits, cells);
        }
        let mut sets: Vec<(About, Arc<Bits>)> = Vec::with_capacity(own.len());
        for (about, clause) in own {
            let set = self.column_set(segment, clause)?.unwrap_or_else(|| {
                let mut set = hits.clone();
                self.retain_live(segment, clause, &mut set, cells);
                Arc::new(set)
            });
            sets.push((*about, set));
        }
        let filtered = facets.iter().filter(|facet| sets.iter().any(|(about, _)| *about == About::Facet(**facet)));
        let without = filtered.map(|facet| {
            let mut left = hits.clone();
            let others = sets.iter().filter(|(about, _)| *about != About::Facet(*facet));
            others.for_each(|(_, set)| left.and(set));
            (*facet, left)
        });
        let without = without.collect();
        for (_, set) in &sets {
            hits.and(set);
        }
        Ok(Matches { hits, without })
    }

    /// The set of a filter on columns; none for one that is tried on each event.
    fn column_set(&self, segment: &Segment, clause: &Clause) -> Result<Option<Arc<Bits>>, SearchError> {
        let columns = &segment.columns;
        let first_from = |instant: i64| columns.starts_at.partition_point(|start| *start < instant);
        let set = match clause {
            Clause::Set(key) => return Ok(Some(columns.set(key.clone()))),
            Clause::Start(from, to) => {
                let mut set = Bits::range(columns.len(), first_from(*from), first_from(*to));
                set.and_not(&columns.unannounced);
                set
            }
            Clause::Ahead => {
                let after = first_from(self.now_us.saturating_add(1));
                // Nothing lasts longer than the longest, so what began before that is over without a look.
                let longest = first_from(self.now_us.saturating_sub(columns.duration_max_us));
                let mut ahead = Bits::range(columns.len(), longest, columns.len());
                ahead.and_below(after, |rank| {
                    columns.ends_at.get(rank).is_some_and(|end| *end != NO_INSTANT && *end > self.now_us)
                });
                ahead
            }
            Clause::Zones(zones) => {
                let spans = zones.iter().flatten();
                let from = spans.clone().map(|span| span.0).min().unwrap_or(i64::MAX);
                let to = spans.map(|span| span.1).max().unwrap_or(i64::MIN);
                let mut set = Bits::none(columns.len());
                for rank in first_from(from)..first_from(to) {
                    if self.starts_within(segment, rank, zones) {
                        set.insert(rank);
                    }
                }
                set
            }
            Clause::Events(events) => {
                let mut set = Bits::none(columns.len());
                for event in events {
                    if let Some(rank) = segment.find(&id_term(Kind::Event, event.0))? {
                        set.insert(rank);
                    }
                }
                set
            }
            Clause::Venues(_) | Clause::OnSale(_) | Clause::Price(..) | Clause::Availability(_) | Clause::Seats(_) => {
                return Ok(None);
            }
        };
        Ok(Some(Arc::new(set)))
    }

    fn starts_within(&self, segment: &Segment, rank: usize, zones: &[Vec<(i64, i64)>]) -> bool {
        let spans = self.zone_of(segment, rank).and_then(|zone| zones.get(zone as usize));
        match (spans, segment.columns.starts_at.get(rank)) {
            (Some(spans), Some(start)) if !segment.columns.unannounced.contains(rank) => {
                spans.iter().any(|(from, to)| from <= start && start < to)
            }
            _ => false,
        }
    }

    /// The number of the zone an event is in.
    pub(super) fn zone_of(&self, segment: &Segment, rank: usize) -> Option<u32> {
        segment.columns.venue.get(rank).and_then(|venue| self.zones.get(*venue as usize)).copied()
    }

    /// Keeps the events that pass a filter that has no set.
    fn retain_live(&self, segment: &Segment, clause: &Clause, events: &mut Bits, cells: &Cells) {
        match clause {
            Clause::Venues(marked) => {
                let venues = &segment.columns.venue;
                events.retain(|rank| venues.get(rank).and_then(|venue| marked.get(*venue as usize)) == Some(&true));
            }
            Clause::OnSale(states) => events.retain(|rank| states.contains(&segment.on_sale(rank, self.now_us))),
            Clause::Price(from, to) => events
                .retain(|rank| segment.live(rank, cells).price_min.is_some_and(|price| (*from..=*to).contains(&price))),
            Clause::Availability(states) => events.retain(|rank| states.contains(&segment.availability(rank, cells))),
            Clause::Seats(seats) => events.retain(|rank| segment.live(rank, cells).seats_left >= *seats),
            _ => {}
        }
    }
}

impl Segment {
    /// What is left of an event: its cell, or everything when nobody has booked it.
    pub(super) fn live(&self, rank: usize, cells: &Cells) -> Cell {
        let columns = &self.columns;
        let unset = || Cell {
            seats_left: columns.capacity.get(rank).copied().unwrap_or(0),
            price_min: columns.price_min.get(rank).copied().filter(|price| *price != NO_PRICE),
        };
        columns.slot.get(rank).and_then(|slot| cells.get(*slot)).unwrap_or_else(unset)
    }

    pub(super) fn availability(&self, rank: usize, cells: &Cells) -> Availability {
        Availability::of(self.live(rank, cells).seats_left, self.columns.capacity.get(rank).copied().unwrap_or(0))
    }

    pub(super) fn on_sale(&self, rank: usize, now_us: i64) -> OnSale {
        let at = |column: &[i64]| column.get(rank).copied().unwrap_or(0);
        OnSale::of(at(&self.columns.opens_at), at(&self.columns.closes_at), self.columns.presales.of(rank), now_us)
    }
}

impl BoundingBox {
    /// The date line is 180 degrees east and west alike, and a pole is at every longitude.
    pub(super) fn contains(&self, lat: Option<f64>, lon: Option<f64>) -> bool {
        let (Some(lat), Some(lon)) = (lat, lon) else { return false };
        let between = |lon: f64| {
            if self.west <= self.east {
                (self.west..=self.east).contains(&lon)
            } else {
                lon >= self.west || lon <= self.east
            }
        };
        let at_its_lon = between(lon) || (lon.abs() >= 180.0 && between(-lon)) || lat.abs() >= 90.0;
        at_its_lon && (self.south..=self.north).contains(&lat)
    }
}

/// The numbers the texts mean; none when there is no text, no number when they mean nothing.
fn meant<T>(table: &Table<T>, texts: &[String]) -> Option<Vec<u32>> {
    let mut numbers: Vec<u32> = texts.iter().flat_map(|text| table.meant_by(text)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    (!texts.is_empty()).then_some(numbers)
}

fn numbers<T>(table: &Table<T>, mut test: impl FnMut(&T) -> bool) -> Vec<u32> {
    (0..).zip(table.entries()).filter(|(_, entry)| test(&entry.item)).map(|(number, _)| number).collect()
}

/// Great-circle distance by the haversine formula, which is exact enough everywhere, also at the poles and the date line.
pub(super) fn distance_km(from: Place, lat: Option<f64>, lon: Option<f64>) -> f64 {
    let (Some(lat), Some(lon)) = (lat, lon) else { return f64::INFINITY };
    let half = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let h = half(lat - from.lat) + from.lat.to_radians().cos() * lat.to_radians().cos() * half(lon - from.lon);
    2.0 * EARTH_KM * h.min(1.0).sqrt().asin()
}
