//! A view against a naive evaluator over the same documents: hits, order, totals and facets of generated searches.

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
