//! A view against a naive evaluator over the same documents: hits, order, totals and facets of generated searches.

use super::words::distance;
use super::*;
use crate::availability::Change;
use crate::document::Status;
use crate::fixture::{self, Dice};
use crate::fold;
use crate::request::{Availability, Facet, OnSale};
use jiff::tz::TimeZone;
use model::Lsn;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

struct World {
    view: View,
    events: Vec<EventDocument>,
    left: HashMap<u32, (u32, Option<i64>)>,
    /// The words of each event, folded.
    words: HashMap<EventId, Vec<String>>,
}

/// 300 events in three segments, some replaced, some deleted, a third of them booked.
static WORLD: LazyLock<World> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let store = crate::store::Store::open(&format!("file://{}", dir.path().display())).unwrap();
    let mut publisher = fixture::Publisher::new(store, 1);
    let mut events: Vec<EventDocument> = (0..300).map(fixture::event).collect();
    publisher.write(&events[..150], &[]);
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
    let view = View::of(&publisher.index, 1, Head { epoch: 1, seq: 3, lsn: Lsn(9) }, &shared).unwrap();
    assert!(view.segments.len() >= 2 && view.events() == 280);
    let words = events.iter().map(|event| (event.event_id, event_words(event))).collect();
    World { view, events, left, words }
});

impl World {
    fn left(&self, event: &EventDocument) -> (u32, Option<i64>) {
        self.left.get(&event.slot).copied().unwrap_or((event.capacity, event.price_min()))
    }

    fn availability(&self, event: &EventDocument) -> Availability {
        Availability::of(self.left(event).0, event.capacity)
    }

    /// The hits in order, by the rules of the API's page, with `without`'s own filter left out.
    fn hits(&self, request: &Request, without: Option<Facet>) -> Vec<&EventDocument> {
        let words = self.words(&request.q);
        let mut hits: Vec<&EventDocument> = self
            .events
            .iter()
            .filter(|event| {
                words.iter().all(|meant| self.words[&event.event_id].iter().any(|word| meant.contains(word)))
            })
            .filter(|event| self.passes(event, request, without))
            .collect();
        hits.sort_by(|a, b| {
            let by_key = self.key(request, a).cmp(&self.key(request, b));
            by_key.then_with(|| a.event_id.cmp(&b.event_id))
        });
        hits
    }

    /// For each typed word the indexed words it stands for.
    fn words(&self, q: &str) -> Vec<HashSet<String>> {
        let typed: Vec<String> = fold::words(q).map(|(_, word)| word).collect();
        let last = typed.len().saturating_sub(1);
        let each = typed.iter().enumerate().map(|(n, typed)| {
            let prefix = n == last && !typed.bytes().all(|b| b.is_ascii_digit());
            let is = |word: &str, errors: usize| {
                if errors > 0 {
                    distance(typed, word, prefix) <= errors
                } else {
                    word == typed || (prefix && word.starts_with(typed.as_str()))
                }
            };
            let having = |errors| {
                self.events
                    .iter()
                    .filter(|event| self.words[&event.event_id].iter().any(|word| is(word, errors)))
                    .count()
            };
            let errors = match typed.chars().count() {
                0..=3 => 0,
                4..=7 => 1,
                _ => 2,
            };
            let errors = if having(0) < 3 { errors } else { 0 };
            self.words.values().flatten().filter(|word| is(word, errors)).cloned().collect::<HashSet<String>>()
        });
        each.collect()
    }

    fn passes(&self, event: &EventDocument, request: &Request, without: Option<Facet>) -> bool {
        let filters = &request.filters;
        let now = fixture::now();
        let on = |facet: Facet| without != Some(facet);
        let named = |wanted: &[String], all: &[&str], names: &[&str]| {
            wanted.is_empty()
                || wanted.iter().any(|wanted| {
                    let wanted = fold::name(wanted);
                    let exact = all.iter().any(|name| fold::name(name) == wanted);
                    names.iter().any(|name| {
                        let name = fold::name(name);
                        if exact {
                            name == wanted
                        } else {
                            wanted.split(' ').all(|word| name.split(' ').any(|other| other == word))
                        }
                    })
                })
        };
        let venues = fixture::VENUES;
        let artists: Vec<&str> = event.artists.iter().map(|credit| credit.name.as_str()).collect();
        let genres: Vec<&str> = event.genres.iter().map(String::as_str).collect();
        let (seats_left, price) = self.left(event);
        let sale = OnSale::of(
            event.sale_opens_at.as_microsecond(),
            event.sale_closes_at.as_microsecond(),
            now.as_microsecond(),
        );
        let local = TimeZone::get(&event.venue.timezone).unwrap().to_datetime(event.starts_at).date();
        let status = if filters.statuses.is_empty() {
            event.status != Status::Cancelled
        } else {
            filters.statuses.contains(&event.status)
        };
        (!on(Facet::Artist) || named(&filters.artists, &fixture::ARTISTS, &artists))
            && (!on(Facet::Venue) || named(&filters.venues, &venues.map(|v| v.0), &[&event.venue.name]))
            && (!on(Facet::Venue) || filters.venue_ids.is_empty() || filters.venue_ids.contains(&event.venue.venue_id))
            && (!on(Facet::City) || named(&filters.cities, &venues.map(|v| v.1), &[&event.venue.city]))
            && (!on(Facet::Country) || filters.countries.is_empty() || filters.countries.contains(&event.venue.country))
            && (!on(Facet::Genre) || named(&filters.genres, &fixture::GENRES, &genres))
            && (!on(Facet::Status) || status)
            && (!on(Facet::Currency) || filters.currencies.is_empty() || filters.currencies.contains(&event.currency))
            && (!on(Facet::Availability)
                || filters.availability.is_empty()
                || filters.availability.contains(&self.availability(event)))
            && (!on(Facet::OnSale) || filters.on_sale.is_empty() || filters.on_sale.contains(&sale))
            && filters.from.is_none_or(|from| event.starts_at >= from)
            && filters.to.is_none_or(|to| event.starts_at < to)
            && filters.local_from.is_none_or(|from| local >= from)
            && filters.local_to.is_none_or(|to| local <= to)
            && filters.price_min.is_none_or(|least| price.is_some_and(|price| price >= least))
            && filters.price_max.is_none_or(|most| price.is_some_and(|price| price <= most))
            && filters.seats_min.is_none_or(|least| seats_left >= least)
            && filters.radius_km.is_none_or(|km| distance_of(request, event) <= km)
            && (filters.include_past || event.ends_at.unwrap_or(event.starts_at) > now)
    }

    fn key(&self, request: &Request, event: &EventDocument) -> (i64, String, u64) {
        let number = |key: i64| (key, String::new(), 0);
        match request.sort() {
            Sort::Date => number(event.starts_at.as_microsecond()),
            Sort::DateDescending => number(-event.starts_at.as_microsecond()),
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

    fn facet(&self, request: &Request, facet: Facet) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        let now_us = fixture::now().as_microsecond();
        for event in self.hits(request, Some(facet)) {
            let sale = OnSale::of(event.sale_opens_at.as_microsecond(), event.sale_closes_at.as_microsecond(), now_us);
            let mut values: Vec<String> = match facet {
                Facet::Genre => event.genres.clone(),
                Facet::City => vec![event.venue.city.clone()],
                Facet::Region => event.venue.region.iter().cloned().collect(),
                Facet::Country => vec![event.venue.country.clone()],
                Facet::Venue => vec![event.venue.name.clone()],
                Facet::Artist => event.artists.iter().map(|credit| credit.name.clone()).collect(),
                Facet::Status => vec![event.status.as_str().into()],
                Facet::Availability => vec![self.availability(event).as_str().into()],
                Facet::OnSale => vec![sale.as_str().into()],
                Facet::Currency => vec![event.currency.to_string()],
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

fn event_words(event: &EventDocument) -> Vec<String> {
    event.parts().iter().flat_map(|(text, _)| fold::words(text).map(|(_, word)| word).collect::<Vec<_>>()).collect()
}

fn distance_of(request: &Request, event: &EventDocument) -> f64 {
    let near = request.filters.near.unwrap();
    filter::distance_km(near, event.venue.lat, event.venue.lon)
}

/// A query string of random parameters.
fn query(dice: &mut Dice) -> String {
    let some = |dice: &mut Dice, all: &[&str]| all[dice.below(all.len())].to_owned();
    let mut pairs: Vec<(&str, String)> = Vec::new();
    let near = dice.below(3) == 0;
    if near {
        pairs.extend([("lat", "40.7".into()), ("lon", "-74".into())]);
    }
    for _ in 0..dice.below(5) {
        let pair = match dice.below(17) {
            0 => ("city", some(dice, &["new york", "Tokyo", "PRAHA", "york", "nowhere"])),
            1 => ("genre", some(dice, &["Symphony", "chamber", "opera", "lieder"])),
            2 => ("country", some(dice, &["US", "jp", "CZ"])),
            3 => ("artist", some(dice, &["Gustav Mahler", "dvorak", "schumann", "new york philharmonic"])),
            4 => ("venue", some(dice, &["Carnegie Hall", "hall", "rudolfinum"])),
            5 => ("availability", some(dice, &["available", "few", "sold-out"])),
            6 => ("on_sale", some(dice, &["now", "soon", "past", "presale"])),
            7 => ("currency", some(dice, &["USD", "JPY"])),
            8 => ("status", some(dice, &["scheduled", "postponed", "cancelled"])),
            9 => ("include_past", "true".into()),
            10 => ("price_min", some(dice, &["1000", "2500", "5000"])),
            11 => ("price_max", some(dice, &["3000", "6000", "0"])),
            12 => ("min_seats", some(dice, &["0", "3", "15"])),
            13 => ("from", some(dice, &["2026-11-20T00:00:00Z", "2026-12-01T00:00:00Z"])),
            14 => ("local_from", some(dice, &["2026-11-25", "2026-12-05"])),
            15 => ("local_to", some(dice, &["2026-11-28", "2026-12-10"])),
            _ if near => ("radius_km", some(dice, &["5", "12000", "20000"])),
            _ => continue,
        };
        let once = !["city", "genre", "country", "artist", "venue", "availability", "on_sale", "currency", "status"]
            .contains(&pair.0);
        if !(once && pairs.iter().any(|(name, _)| *name == pair.0)) {
            pairs.push(pair);
        }
    }
    if dice.below(2) == 0 {
        let words = [
            "mahler",
            "Dvořák",
            "titan",
            "gala",
            "requiem ka",
            "sch",
            "mahlre",
            "rezurrection",
            "5",
            "philharmnic",
            "hall evening",
            "zzzz",
        ];
        pairs.push(("q", some(dice, &words)));
    }
    let sorts = [
        "date",
        "-date",
        "price",
        "-price",
        "popularity",
        "availability",
        "name",
        "on_sale",
        if near { "distance" } else { "date" },
    ];
    pairs.push(("sort", some(dice, &sorts)));
    pairs.iter().map(|(name, value)| format!("{name}={}", value.replace(' ', "+"))).collect::<Vec<_>>().join("&")
}

fn ids(hits: &[&EventDocument]) -> Vec<EventId> {
    hits.iter().map(|event| event.event_id).collect()
}

/// Every page of a search, put together.
fn pages(view: &View, query: &str, limit: usize) -> Vec<EventId> {
    let mut found = Vec::new();
    let mut next = String::new();
    loop {
        let request = Request::parse(&format!("{query}&limit={limit}{next}")).unwrap();
        let answer = view.search(&request, fixture::now()).unwrap();
        found.extend(answer.hits.iter().map(|hit| hit.event_id));
        let Some(cursor) = answer.next else { return found };
        next = format!("&cursor={cursor}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_search_finds_what_a_naive_evaluator_finds(seed: u64) {
        let mut dice = Dice(seed);
        let query = query(&mut dice);
        let facets = Facet::ALL.iter().map(|facet| facet.as_str()).collect::<Vec<_>>().join(",");
        let request = Request::parse(&format!("{query}&facets={facets}")).unwrap();
        let expected = WORLD.hits(&request, None);
        let answer = WORLD.view.search(&request, fixture::now()).unwrap();
        prop_assert_eq!(answer.total, expected.len() as u64, "{}", &query);
        for facet in Facet::ALL {
            let counted = &answer.facets[facet.as_str()];
            let counted: BTreeMap<String, u64> = counted.iter().map(|count| (count.value.clone(), count.count)).collect();
            prop_assert_eq!(counted, WORLD.facet(&request, *facet), "{} {}", &query, facet.as_str());
        }
        prop_assert_eq!(pages(&WORLD.view, &query, 1 + dice.below(30)), ids(&expected), "{}", &query);
    }

    #[test]
    fn any_query_string_is_parsed_or_refused(query: String) {
        if let Ok(request) = Request::parse(&query) {
            WORLD.view.search(&request, fixture::now()).unwrap();
        }
    }

    #[test]
    fn parameters_with_any_value_are_parsed_or_refused(name in 0_usize..40, value: String) {
        let names = ["q", "lat", "lon", "bbox", "from", "to", "local_from", "local_to", "when", "price_min", "min_seats", "limit", "cursor", "facets", "sort", "event_id", "city"];
        let escaped = value.bytes().map(|b| format!("%{b:02x}")).collect::<Vec<_>>().concat();
        if let Ok(request) = Request::parse(&format!("{}={escaped}", names[name % names.len()])) {
            WORLD.view.search(&request, fixture::now()).unwrap();
        }
    }
}

#[test]
fn relevance_ranks_what_was_typed_above_what_may_have_been_meant() {
    let search = |query: &str| WORLD.view.search(&Request::parse(query).unwrap(), fixture::now()).unwrap();
    let answer = search("q=rusalka&limit=100");
    assert!(answer.hits.windows(2).all(|pair| pair[0].score >= pair[1].score) && answer.total > 0);
    assert!(answer.hits.first().unwrap().title.contains("Rusalka"));
    let pages = pages(&WORLD.view, "q=rusalka", 3);
    assert_eq!(pages, answer.hits.iter().map(|hit| hit.event_id).collect::<Vec<_>>());
    let typo = search("q=rusalla&limit=100&highlight=true");
    assert_eq!((typo.total, typo.did_you_mean.as_deref()), (answer.total, Some("rusalka")));
    assert!(typo.hits.iter().all(|hit| hit.highlight.as_ref().unwrap().title.contains("<mark>Rusalka</mark>")));
}

#[test]
fn a_cursor_belongs_to_its_search() {
    let first = WORLD.view.search(&Request::parse("sort=name&limit=2").unwrap(), fixture::now()).unwrap();
    let cursor = first.next.unwrap();
    assert!(Request::parse(&format!("sort=name&limit=9&facets=city&cursor={cursor}")).is_ok());
    let refused = Request::parse(&format!("sort=date&cursor={cursor}")).unwrap_err();
    assert_eq!(refused.name, "cursor");
    assert_eq!(Request::parse("cursor=abc").unwrap_err().name, "cursor");
}

#[test]
fn bad_parameters_are_named_with_what_they_accept() {
    for (query, name) in [
        ("colour=red", "colour"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("sort=best", "sort"),
        ("lat=91&lon=0", "lat"),
        ("lat=1", "lon"),
        ("radius_km=5", "radius_km"),
        ("sort=distance", "sort"),
        ("bbox=1,2,3", "bbox"),
        ("from=yesterday", "from"),
        ("price_min=-1", "price_min"),
        ("price_min=1.5", "price_min"),
        ("q=a&q=b", "q"),
        ("when=someday", "when"),
        ("event_id=7", "event_id"),
        ("facets=shoe", "facets"),
        ("mode=hybrid", "mode"),
        ("lat=NaN&lon=0", "lat"),
        ("q=%ff", "query string"),
    ] {
        let refused = Request::parse(query).unwrap_err();
        assert_eq!(refused.name, name, "{query}");
        assert!(!refused.accepted.is_empty());
    }
}

#[test]
fn a_whole_event_is_found_by_id_with_what_is_live_about_it() {
    let event = WORLD.events.iter().find(|event| event.slot % 3 == 0).unwrap();
    let found = WORLD.view.event(event.event_id, fixture::now()).unwrap().unwrap();
    assert_eq!(&found.event, event);
    assert_eq!((found.seats_left, found.price_min), WORLD.left(event));
    assert!(WORLD.view.event(EventId(uuid::Uuid::nil()), fixture::now()).unwrap().is_some_and(|e| e.event.slot == 0));
    assert!(WORLD.view.event(EventId(uuid::Uuid::from_u128(77)), fixture::now()).unwrap().is_none());
}

#[test]
fn suggestions_complete_names_and_titles() {
    let found = WORLD.view.suggest("dvo", 5, fixture::now()).unwrap();
    assert_eq!(found.artists.len(), 1);
    assert_eq!(found.artists[0].highlight, "Antonín <mark>Dvořák</mark>");
    let york = WORLD.view.suggest("New Yo", 5, fixture::now()).unwrap();
    assert_eq!((york.cities[0].id.as_str(), york.artists[0].text.as_str()), ("New York", "New York Philharmonic"));
    assert!(
        WORLD.view.suggest("tit", 3, fixture::now()).unwrap().events.iter().all(|event| event.text.contains("Titan"))
    );
    assert!(WORLD.view.suggest("  ", 3, fixture::now()).unwrap().events.is_empty());
}
