//! The naive evaluator: the rules of the API's page over whole documents, one by one.

use crate::availability::Change;
use crate::document::{EventDocument, Status};
use crate::fixture::{self, Publisher};
use crate::fold;
use crate::manifest::Head;
use crate::request::{Availability, Clause, Facet, OnSale, Request, Slot, Sort, Text, When};
use crate::vectors::{Table, tests::table};
use crate::view::words::distance;
use crate::view::{Shared, View, filter};
use jiff::ToSpan as _;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use model::{EventId, Lsn};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};
use tokio_util::sync::CancellationToken;

pub(super) struct World {
    pub(super) view: View,
    /// The same moment as another process sees it, which knows what words mean.
    pub(super) meant: View,
    pub(super) events: Vec<EventDocument>,
    left: HashMap<u32, (u32, Option<i64>)>,
    /// The terms of each part of each event.
    parts: HashMap<EventId, Vec<Vec<String>>>,
}

/// Words that point one way, several ways.
pub(super) static TABLE: LazyLock<Arc<Table>> = LazyLock::new(|| {
    let groups: [&[&str]; 6] = [
        &["titan", "mahler", "gustav"],
        &["resurrection", "requiem", "kaddish", "farewell"],
        &["rusalka", "antonin", "dvorak", "praha"],
        &["candide", "bernstein", "york"],
        &["evening", "gala", "hall", "schumann"],
        &["symphony", "chamber", "opera", "tokyo"],
    ];
    Arc::new(table(&groups))
});

/// 300 events in several segments, some replaced, some deleted, a third of them booked; and synonyms, one of them taken back.
pub(super) static WORLD: LazyLock<World> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let store = crate::store::Store::open(&format!("file://{}", dir.path().display())).unwrap();
    let mut publisher = Publisher::new(store, 1);
    let mut events: Vec<EventDocument> = (0..300).map(fixture::event).collect();
    publisher.write_synonyms(&[("gala", &["rusalka"]), ("farewell", &["rusalka"])], &[]);
    publisher.write(&events[..150], &[]);
    publisher.write_synonyms(&fixture::SYNONYMS, &["gala"]);
    publisher.write(&events[150..250], &[]);
    for n in 0..20 {
        events[n * 7] = EventDocument {
            slot: events[n * 7].slot,
            event_id: events[n * 7].event_id,
            ..fixture::event(1000 + u32::try_from(n).unwrap())
        };
    }
    let deleted: Vec<EventId> = events[200..220].iter().map(|event| event.event_id).collect();
    let replaced: Vec<EventDocument> = (0..20).map(|n| events[n * 7].clone()).collect();
    publisher.write(&[&events[250..], &replaced].concat(), &deleted);
    events.drain(200..220);
    let shared = Shared::default();
    let mut left = HashMap::new();
    for event in events.iter().filter(|event| event.slot % 3 == 0) {
        let seats_left = event.slot % (event.capacity + 1);
        let price_min = (seats_left > 0).then(|| event.price_min().unwrap_or(500) + i64::from(event.slot % 2) * 500);
        left.insert(event.slot, (seats_left, price_min));
        shared.overlay.apply(&[Change { slot: event.slot, version: 1, seats_left, price_min }]);
    }
    let head = Head { epoch: 1, seq: 3, lsn: Lsn(9) };
    let view = View::of(&publisher.index, 1, head, &shared).unwrap();
    let shared = Shared::new(&shared.overlay, Some(Arc::clone(&TABLE)));
    let meant = View::of(&publisher.index, 1, head, &shared).unwrap();
    meant.embed(&CancellationToken::new()).unwrap();
    assert!(view.segments.len() >= 2 && view.events() == 280);
    let parts = events.iter().map(|event| (event.event_id, parts(event))).collect();
    World { view, meant, events, left, parts }
});

fn parts(event: &EventDocument) -> Vec<Vec<String>> {
    event.parts().iter().map(|(text, _)| fold::terms(text).map(|(_, term)| term).collect()).collect()
}

/// What an event owes its match to: 3 its title, 2 everything as typed, 1 typing errors, 0 a synonym.
type Kind = u8;

impl World {
    pub(super) fn left(&self, event: &EventDocument) -> (u32, Option<i64>) {
        self.left.get(&event.slot).copied().unwrap_or((event.capacity, event.price_min()))
    }

    fn availability(&self, event: &EventDocument) -> Availability {
        Availability::of(self.left(event).0, event.capacity)
    }

    /// The events the text asks for.
    pub(super) fn matching(&self, text: &Text) -> Vec<&EventDocument> {
        let matching = Matching::new(self, text);
        self.events.iter().filter(|event| matching.kind(event).is_some()).collect()
    }

    /// The hits in order; by relevance only in order of id.
    pub(super) fn hits(&self, request: &Request) -> Vec<&EventDocument> {
        let matching = self.matching(&request.text).into_iter();
        let mut hits: Vec<&EventDocument> = matching.filter(|event| self.passes(event, request, None)).collect();
        hits.sort_by(|a, b| {
            let by_key = self.key(request, a).cmp(&self.key(request, b));
            by_key.then_with(|| a.event_id.cmp(&b.event_id))
        });
        hits
    }

    /// What each event that matches owes it to.
    pub(super) fn kinds(&self, text: &Text) -> HashMap<EventId, Kind> {
        let matching = Matching::new(self, text);
        self.events.iter().filter_map(|event| Some((event.event_id, matching.kind(event)?))).collect()
    }

    fn passes(&self, event: &EventDocument, request: &Request, without: Option<Facet>) -> bool {
        let filters = &request.filters;
        let on = |facet: Facet| without != Some(facet);
        let (seats_left, price) = self.left(event);
        let shown = if filters.statuses.is_empty() {
            event.status != Status::Cancelled
        } else {
            filters.statuses.contains(&event.status)
        };
        let within = |least: Option<i64>, most: Option<i64>| {
            least.is_none_or(|least| price.is_some_and(|price| price >= least))
                && most.is_none_or(|most| price.is_some_and(|price| price <= most))
        };
        named_well(event, request, without)
            && (!on(Facet::Status) || shown)
            && (!on(Facet::Currency) || any_or(&filters.currencies, &event.currency))
            && (!on(Facet::Availability) || any_or(&filters.availability, &self.availability(event)))
            && (!on(Facet::OnSale) || any_or(&filters.on_sale, &on_sale(event)))
            && (!on(Facet::Price) || within(filters.price_min, filters.price_max))
            && filters.seats_min.is_none_or(|least| seats_left >= least)
            && filters.radius_km.is_none_or(|km| distance_of(request, event) <= km)
            && filters.bbox.is_none_or(|bbox| bbox.contains(event.venue.lat, event.venue.lon))
            && (!on(Facet::Date) || dated_well(event, request))
            && (filters.include_past || event.ends_at.unwrap_or(stands_at(event)) > fixture::now())
    }

    fn key(&self, request: &Request, event: &EventDocument) -> (i64, String, u64) {
        let number = |key: i64| (key, String::new(), 0);
        match request.sort() {
            Sort::Date => number(stands_at(event).as_microsecond()),
            Sort::DateDescending => number(-stands_at(event).as_microsecond()),
            Sort::Price => number(self.left(event).1.unwrap_or(i64::MAX)),
            Sort::PriceDescending => number(self.left(event).1.map_or(i64::MAX, |price| -price)),
            Sort::Popularity => number(-i64::from(event.popularity)),
            Sort::Availability => number(-i64::from(self.left(event).0)),
            Sort::OnSale => number(event.sale_opens_at.as_microsecond()),
            Sort::Name => (0, fold::name(&event.title), 0),
            Sort::Distance => (0, String::new(), distance_of(request, event).to_bits()),
            Sort::Relevance => number(0),
        }
    }

    /// The counts of a facet among the events the text asks for.
    pub(super) fn facet(&self, request: &Request, facet: Facet, matching: &[&EventDocument]) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for event in matching.iter().filter(|event| self.passes(event, request, Some(facet))) {
            let mut values: Vec<String> = match facet {
                Facet::Genre => event.genres.clone(),
                Facet::City => vec![event.venue.city.clone()],
                Facet::Region => event.venue.region.iter().cloned().collect(),
                Facet::Country => vec![event.venue.country.clone()],
                Facet::Venue => vec![event.venue.name.clone()],
                Facet::Artist => event.artists.iter().map(|credit| credit.name.clone()).collect(),
                Facet::Status => vec![event.status.as_str().into()],
                Facet::Availability => vec![self.availability(event).as_str().into()],
                Facet::OnSale => vec![on_sale(event).as_str().into()],
                Facet::Currency => vec![event.currency.to_string()],
                Facet::Price => {
                    self.left(event).1.map(|price| price_step(&event.currency.to_string(), price)).into_iter().collect()
                }
                Facet::Date if event.date_tba => Vec::new(),
                Facet::Date => vec![local(event).strftime("%Y-%m").to_string()],
            };
            values.sort();
            values.dedup();
            for value in values {
                *counts.entry(value).or_default() += 1;
            }
        }
        counts
    }
}

fn any_or<T: PartialEq>(wanted: &[T], value: &T) -> bool {
    wanted.is_empty() || wanted.contains(value)
}

fn on_sale(event: &EventDocument) -> OnSale {
    let now = fixture::now();
    if now >= event.sale_closes_at {
        OnSale::Past
    } else if now >= event.sale_opens_at {
        OnSale::Now
    } else if event.presales.iter().any(|presale| presale.opens_at <= now && now < presale.closes_at) {
        OnSale::Presale
    } else {
        OnSale::Soon
    }
}

fn price_step(currency: &str, price: i64) -> String {
    let ends = (0..13).flat_map(|exponent| [1, 2, 5].map(|leading| leading * 10_i64.pow(exponent)));
    let ends: Vec<i64> = std::iter::once(0).chain(ends).collect();
    let step = ends.windows(2).find(|step| (step[0]..step[1]).contains(&price)).unwrap();
    format!("{currency} {}-{}", step[0], step[1] - 1)
}

fn named_well(event: &EventDocument, request: &Request, without: Option<Facet>) -> bool {
    let filters = &request.filters;
    let on = |facet: Facet| without != Some(facet);
    let venues = fixture::VENUES;
    let venue = &event.venue;
    let artists: Vec<&str> = event
        .artists
        .iter()
        .flat_map(|c| std::iter::once(c.name.as_str()).chain(c.aliases.iter().map(String::as_str)))
        .collect();
    let known: Vec<&str> =
        fixture::ARTISTS.iter().copied().chain(fixture::ALIASES.iter().map(|(_, alias)| *alias)).collect();
    let genres: Vec<&str> = event.genres.iter().map(String::as_str).collect();
    (!on(Facet::Artist) || named(&filters.artists, &known, &artists))
        && (!on(Facet::Artist)
            || filters.artist_ids.is_empty()
            || event.artists.iter().any(|credit| filters.artist_ids.contains(&credit.artist_id)))
        && (!on(Facet::Venue) || named(&filters.venues, &venues.map(|v| v.0), &[&venue.name]))
        && (!on(Facet::Venue) || any_or(&filters.venue_ids, &venue.venue_id))
        && (!on(Facet::City) || named(&filters.cities, &venues.map(|v| v.1), &[&venue.city]))
        && (!on(Facet::Region)
            || named(&filters.regions, &["NY", "AK"], &venue.region.as_deref().into_iter().collect::<Vec<_>>()))
        && (!on(Facet::Country) || any_or(&filters.countries, &venue.country))
        && (!on(Facet::Genre) || named(&filters.genres, &fixture::GENRES, &genres))
        && any_or(&filters.event_ids, &event.event_id)
}

/// Whether a name is one of those wanted: exactly when some name is exactly so, else when it has every word.
fn named(wanted: &[String], known: &[&str], names: &[&str]) -> bool {
    wanted.is_empty()
        || wanted.iter().any(|wanted| {
            let wanted = fold::name(wanted);
            let exact = known.iter().any(|name| fold::name(name) == wanted);
            names
                .iter()
                .map(|name| fold::name(name))
                .any(|name| name == wanted || (!exact && wanted.split(' ').all(|word| fold::stands_in(word, &name))))
        })
}

fn zone(event: &EventDocument) -> TimeZone {
    TimeZone::get(&event.venue.timezone).unwrap()
}

fn local(event: &EventDocument) -> DateTime {
    zone(event).to_datetime(event.starts_at)
}

/// Where it stands by date: an expected one after all others of its day.
fn stands_at(event: &EventDocument) -> jiff::Timestamp {
    if !event.date_tba {
        return event.starts_at;
    }
    let tomorrow = local(event).date().tomorrow().unwrap();
    let first = zone(event).to_zoned(tomorrow.at(0, 0, 0, 0)).unwrap().start_of_day().unwrap().timestamp();
    jiff::Timestamp::from_microsecond(first.as_microsecond() - 1).unwrap()
}

fn dated_well(event: &EventDocument, request: &Request) -> bool {
    let filters = &request.filters;
    let asked = filters.from.is_some()
        || filters.to.is_some()
        || filters.local_from.is_some()
        || filters.local_to.is_some()
        || !filters.when.is_empty();
    if event.date_tba {
        return !asked;
    }
    let (at, today) = (local(event), zone(event).to_datetime(fixture::now()).date());
    let day = at.date();
    let monday = today.checked_sub(i64::from(today.weekday().to_monday_zero_offset()).days()).unwrap();
    let from_monday = |first: i64, last: i64| {
        day >= monday.checked_add(first.days()).unwrap() && day <= monday.checked_add(last.days()).unwrap()
    };
    let then = |when: &When| match when {
        When::Today => day == today,
        When::Tonight => day == today && at.hour() >= 17,
        When::Tomorrow => day == today.tomorrow().unwrap(),
        When::ThisWeekend => from_monday(5, 6),
        When::NextWeek => from_monday(7, 13),
        When::ThisMonth => (day.year(), day.month()) == (today.year(), today.month()),
    };
    filters.from.is_none_or(|from| event.starts_at >= from)
        && filters.to.is_none_or(|to| event.starts_at < to)
        && filters.local_from.is_none_or(|from| day >= from)
        && filters.local_to.is_none_or(|to| day <= to)
        && (filters.when.is_empty() || filters.when.iter().any(then))
}

fn distance_of(request: &Request, event: &EventDocument) -> f64 {
    filter::distance_km(request.filters.near.unwrap(), event.venue.lat, event.venue.lon)
}

/// A clause, and how many typing errors it may have.
type Allowed = (Clause, usize);

/// A text against the documents.
struct Matching<'a> {
    world: &'a World,
    /// Clauses that follow each other, and what they may stand for.
    groups: Vec<(Vec<Allowed>, Vec<Vec<Clause>>)>,
    unwanted: Vec<Clause>,
    name: String,
}

impl<'a> Matching<'a> {
    fn new(world: &'a World, text: &Text) -> Self {
        let (unwanted, wanted): (Vec<_>, Vec<_>) = text.clauses.iter().cloned().partition(|clause| clause.negated);
        let name = fold::name(&wanted.iter().map(|c| c.source.as_str()).collect::<Vec<_>>().join(" "));
        let mut groups = Vec::new();
        let mut rest = wanted.as_slice();
        while !rest.is_empty() {
            let named = |length: usize| {
                let names: Option<Vec<&str>> = rest[..length].iter().map(|clause| clause.name.as_deref()).collect();
                fixture::SYNONYMS.iter().find(|(term, _)| names.as_ref().is_some_and(|names| names.join(" ") == *term))
            };
            let synonym = (1..=rest.len()).rev().find_map(|length| Some((length, named(length)?.1)));
            let (length, means) = synonym.unwrap_or((1, &[]));
            let (clauses, after) = rest.split_at(length);
            let clauses = clauses.iter().map(|clause| (clause.clone(), world.errors(clause))).collect();
            groups.push((clauses, means.iter().map(|text| crate::synonyms::meaning(text).unwrap()).collect()));
            rest = after;
        }
        Self { world, groups, unwanted, name }
    }

    fn kind(&self, event: &EventDocument) -> Option<Kind> {
        let parts = &self.world.parts[&event.event_id];
        if self.unwanted.iter().any(|clause| stands(clause, 0, parts)) {
            return None;
        }
        let mut kind = 2;
        for (clauses, meanings) in &self.groups {
            let by = if clauses.iter().all(|(clause, _)| stands(clause, 0, parts)) {
                2
            } else if clauses.iter().all(|(clause, errors)| stands(clause, *errors, parts)) {
                1
            } else if meanings.iter().any(|clauses| clauses.iter().all(|clause| stands(clause, 0, parts))) {
                0
            } else {
                return None;
            };
            kind = kind.min(by);
        }
        Some(if fold::name(&event.title) == self.name { 3 } else { kind })
    }
}

impl World {
    /// The typing errors a clause is allowed: none where it stands in three events without.
    fn errors(&self, clause: &Clause) -> usize {
        let length = clause.slots[0].term.chars().count();
        let standing = self.events.iter().filter(|event| stands(clause, 0, &self.parts[&event.event_id])).count();
        match length {
            4.. if clause.tolerant && standing < 3 => 1 + usize::from(length >= 8),
            _ => 0,
        }
    }
}

/// Whether a clause's terms stand one after the other in a part.
fn stands(clause: &Clause, errors: usize, parts: &[Vec<String>]) -> bool {
    let is = |slot: &Slot, term: &String| match errors {
        0 => *term == slot.term || (slot.prefix && term.starts_with(&slot.term)),
        _ => match distance(&slot.term, term, slot.prefix) {
            2 => errors == 2 && slot.term.chars().next() == term.chars().next(),
            distance => distance <= 1,
        },
    };
    let all = |window: &[String]| clause.slots.iter().zip(window).all(|(slot, term)| is(slot, term));
    parts.iter().any(|part| part.windows(clause.slots.len()).any(all))
}
