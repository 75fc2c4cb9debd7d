//! A view against a naive evaluator over the same documents: hits, order, totals and facets of generated searches.

mod first;
mod meaning;
mod queries;
mod world;

use super::*;
use crate::fixture::{self, Dice};
use crate::request::Facet;
use proptest::prelude::*;
use std::collections::BTreeMap;
use world::WORLD;

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
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn a_search_finds_what_a_naive_evaluator_finds(seed: u64) {
        let mut dice = Dice(seed);
        let query = queries::query(&mut dice);
        let facets = Facet::ALL.iter().map(|facet| facet.as_str()).collect::<Vec<_>>().join(",");
        let request = Request::parse(&format!("{query}&facets={facets}")).unwrap();
        let expected = WORLD.hits(&request);
        let matching = WORLD.matching(&request.text);
        let answer = WORLD.view.search(&request, fixture::now()).unwrap();
        prop_assert_eq!(answer.total, expected.len() as u64, "{}", &query);
        for facet in Facet::ALL {
            let counted = &answer.facets[facet.as_str()];
            let counted: BTreeMap<String, u64> = counted.iter().map(|count| (count.value.clone(), count.count)).collect();
            prop_assert_eq!(counted, WORLD.facet(&request, *facet, &matching), "{} {}", &query, facet.as_str());
        }
        prop_assert_eq!(pages(&WORLD.view, &query, 1 + dice.below(30)), ids(&expected), "{}", &query);
    }

    #[test]
    fn by_relevance_the_kind_of_match_comes_first(seed: u64) {
        let mut dice = Dice(seed);
        let query = queries::text(&mut dice);
        let request = Request::parse(&format!("{query}&limit=100")).unwrap();
        let answer = WORLD.view.search(&request, fixture::now()).unwrap();
        let mut found: Vec<EventId> = answer.hits.iter().map(|hit| hit.event_id).collect();
        if request.text.is_positive() {
            prop_assert!(answer.hits.is_sorted_by(|a, b| a.score >= b.score), "{}", &query);
            let kinds = WORLD.kinds(&request.text);
            for hit in &answer.hits {
                let event = WORLD.events.iter().find(|event| event.event_id == hit.event_id).unwrap();
                let kind = 4 * event.boost + kinds[&event.event_id];
                let within = f32::from(kind)..f32::from(kind + 1);
                prop_assert!(within.contains(&hit.score.unwrap()), "{} {}", &query, &event.title);
            }
        }
        prop_assert_eq!(&pages(&WORLD.view, &query, 1 + dice.below(9))[..found.len()], &found, "{}", &query);
        let mut expected = ids(&WORLD.hits(&request));
        prop_assert_eq!(answer.total, expected.len() as u64, "{}", &query);
        found.sort();
        expected.sort();
        prop_assert!(expected.len() > 100 || found == expected, "{}", &query);
    }

    #[test]
    fn any_cursor_is_read_or_refused(bytes: Vec<u8>, text: String) {
        use base64::Engine as _;
        let encoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&bytes);
        if let Some(cursor) = crate::request::Cursor::decode(&encoded) {
            prop_assert_eq!(cursor.encode(), encoded);
        }
        let _read = crate::request::Cursor::decode(&text);
        // One of ours with anything in it is a place in any order.
        let first = WORLD.view.search(&Request::parse("sort=name&limit=1").unwrap(), fixture::now()).unwrap();
        let mut ours = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(first.next.unwrap()).unwrap();
        ours.truncate(4);
        ours.extend(&bytes);
        let cursor = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&ours);
        if let Ok(request) = Request::parse(&format!("sort=name&cursor={cursor}")) {
            WORLD.view.search(&request, fixture::now()).unwrap();
        }
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
    let answer = search("q=rusalka&limit=100&include_past=true");
    assert!(answer.hits.windows(2).all(|pair| pair[0].score >= pair[1].score) && answer.total > 0);
    let pages = pages(&WORLD.view, "q=rusalka&include_past=true", 3);
    assert_eq!(pages, answer.hits.iter().map(|hit| hit.event_id).collect::<Vec<_>>());
    let typo = search("q=rusalla&limit=100&highlight=true&include_past=true");
    assert_eq!((typo.total, typo.did_you_mean.as_deref()), (answer.total, Some("rusalka")));
    let marked = |hit: &crate::answer::Hit| {
        let highlight = hit.highlight.as_ref().unwrap();
        highlight.parts.iter().chain([&highlight.title]).any(|html| html.contains("<mark>Rusalka</mark>"))
    };
    assert!(typo.hits.iter().all(marked));
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
        ("mode=semantic", "mode"),
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

#[test]
fn suggestions_know_aliases_parts_of_dense_names_and_typing_errors() {
    let suggest = |q: &str| WORLD.view.suggest(q, 5, fixture::now()).unwrap();
    let artists = |q: &str| suggest(q).artists.into_iter().map(|artist| artist.text).collect::<Vec<_>>();
    assert_eq!(artists("ny ph"), ["New York Philharmonic"]);
    assert_eq!(artists("dworsch"), ["Antonín Dvořák"]);
    assert_eq!(artists("交響"), ["東京交響楽団"]);
    assert_eq!(suggest("東京").cities[0].id, "東京");
    assert!(suggest("京東").artists.is_empty());
    // One error in a word of four letters, two in one of eight, none in a shorter one.
    assert_eq!(artists("mahlre"), ["Gustav Mahler"]);
    assert_eq!(artists("brenstien"), ["Leonard Bernstein"]);
    assert_eq!(artists("gustva mah"), ["Gustav Mahler"]);
    assert_eq!(artists("malhre"), [""; 0]);
    assert!(suggest("pxx").cities.is_empty());
    assert_eq!(suggest("prahs").cities[0].highlight, "<mark>Praha</mark>");
    assert!(suggest("resurecton").events.iter().all(|event| event.text.contains("Resurrection")));
    assert!(!suggest("resurecton").events.is_empty());
}

#[test]
fn suggestions_of_events_are_the_most_popular_ahead_one_of_each_title() {
    let mut expected: Vec<(u32, &str)> = Vec::new();
    let ahead = |event: &&EventDocument| event.starts_at > fixture::now() && !event.date_tba;
    let shown = |event: &&EventDocument| event.status != crate::document::Status::Cancelled;
    for event in WORLD.events.iter().filter(|event| event.title.contains("Gala")).filter(ahead).filter(shown) {
        match expected.iter_mut().find(|(_, title)| *title == event.title) {
            Some(known) => known.0 = known.0.max(event.popularity),
            None => expected.push((event.popularity, &event.title)),
        }
    }
    expected.sort_by_key(|(popularity, _)| std::cmp::Reverse(*popularity));
    let found = WORLD.view.suggest("gal", 4, fixture::now()).unwrap().events;
    let popularity: Vec<u64> = found.iter().map(|event| event.popularity).collect();
    assert!(found.len() == 4 && popularity.is_sorted_by(|a, b| a >= b));
    let at_least: Vec<u64> = expected.iter().take(4).map(|(popularity, _)| u64::from(*popularity)).collect();
    assert!(popularity.iter().zip(at_least).all(|(found, dated)| *found >= dated), "{popularity:?}");
}

#[test]
fn distances_and_boxes_hold_at_the_poles_and_the_date_line() {
    let place = |lat: f64, lon: f64| crate::request::Place { lat, lon };
    let near = |km: f64, expected: f64| (km - expected).abs() < 0.01;
    // A degree of a great circle is 111.195 km.
    assert!(near(filter::distance_km(place(0.0, 179.5), Some(0.0), Some(-179.5)), 111.195));
    assert!(near(filter::distance_km(place(90.0, 17.0), Some(89.0), Some(-120.0)), 111.195));
    assert!(near(filter::distance_km(place(-90.0, 0.0), Some(90.0), Some(55.0)), 20_015.115));
    assert!(near(filter::distance_km(place(12.0, 180.0), Some(12.0), Some(-180.0)), 0.0));
    let contains = |bbox: &str, lat: f64, lon: f64| {
        let request = Request::parse(&format!("bbox={bbox}")).unwrap();
        request.filters.bbox.unwrap().contains(Some(lat), Some(lon))
    };
    assert!(contains("170,-20,-170,20", 0.0, 175.0) && contains("170,-20,-170,20", 0.0, -175.0));
    assert!(!contains("170,-20,-170,20", 0.0, 0.0) && !contains("-170,-20,170,20", 0.0, 175.0));
    assert!(contains("-180,-20,-170,20", 0.0, 180.0) && contains("170,-20,180,20", 0.0, -180.0));
    assert!(contains("10,80,20,90", 90.0, -77.0) && !contains("10,80,20,89", 90.0, 15.0));
}
