//! Searches that find what was meant: the same events and table, looked through naively.

use super::world::{TABLE, WORLD, World};
use super::{ids, pages, queries};
use crate::answer::Answer;
use crate::document::{EventDocument, Works};
use crate::fixture::{self, Dice, Publisher};
use crate::manifest::Head;
use crate::request::{Filters, Mode, Request, Sort, Text};
use crate::vectors::{Embedder, Vector, Wide, least_product, tests::table};
use crate::view::meaning::{K, NEAR, NEAREST_MAX, Said};
use crate::view::{Shared, View};
use model::{EventId, Lsn};
use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

fn search(view: &View, query: &str) -> Answer {
    view.search(&Request::parse(query).unwrap(), fixture::now()).unwrap()
}

fn vector_of(event: &EventDocument) -> Option<Vector> {
    let said: Said = serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap();
    Embedder::new(&TABLE).vector(said.texts())
}

impl World {
    /// The events nearest to a search's words among those that everything else in it lets through, the nearest first.
    fn nearest(&self, request: &Request, did_you_mean: Option<&str>) -> Vec<EventId> {
        let meant = did_you_mean.map_or_else(|| request.text.clone(), Text::parse);
        let sources = meant.clauses.iter().filter(|clause| !clause.negated).map(|clause| (clause.source.as_str(), 1.0));
        let Some(asked) = Embedder::new(&TABLE).vector(sources) else { return Vec::new() };
        let unwanted = request.text.clauses.iter().filter(|clause| clause.negated).cloned().collect();
        let open = Request { text: Text { clauses: unwanted }, sort: Some(Sort::Date), ..request.clone() };
        let mut near: Vec<(Reverse<i32>, EventId)> = Vec::new();
        for event in self.hits(&open) {
            let product = vector_of(event).map_or(0, |vector| Wide::new(&asked).product(&vector));
            if product >= least_product(NEAR) {
                near.push((Reverse(product), event.event_id));
            }
        }
        near.sort_unstable();
        near.into_iter().take(NEAREST_MAX).map(|(_, id)| id).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_hybrid_search_finds_what_has_the_words_and_what_is_nearest_of_the_rest(seed: u64) {
        let mut dice = Dice(seed);
        let query = format!("{}&mode=hybrid&facets=city", queries::query(&mut dice));
        let request = Request::parse(&query).unwrap();
        let answer = WORLD.meant.search(&request, fixture::now()).unwrap();
        let worded: BTreeSet<EventId> = WORLD.hits(&request).iter().map(|event| event.event_id).collect();
        let near = if request.text.is_positive() { WORLD.nearest(&request, answer.did_you_mean.as_deref()) } else { Vec::new() };
        let expected: BTreeSet<EventId> = worded.iter().chain(&near).copied().collect();
        prop_assert_eq!(answer.total, expected.len() as u64, "{}", &query);
        let found = pages(&WORLD.meant, &query, 1 + dice.below(30));
        prop_assert_eq!(found.len(), expected.len(), "no event is on two pages: {}", &query);
        prop_assert_eq!(&found.iter().copied().collect::<BTreeSet<_>>(), &expected, "{}", &query);
        for hit in &answer.hits {
            prop_assert_eq!(hit.by_meaning, !worded.contains(&hit.event_id), "{} {}", &query, &hit.title);
        }
        let anywhere = Request { filters: Filters { cities: Vec::new(), ..request.filters.clone() }, ..request };
        let mut expected: BTreeSet<EventId> = WORLD.hits(&anywhere).iter().map(|event| event.event_id).collect();
        if anywhere.text.is_positive() {
            expected.extend(WORLD.nearest(&anywhere, answer.did_you_mean.as_deref()));
        }
        let mut cities: BTreeMap<String, u64> = BTreeMap::new();
        for event in WORLD.events.iter().filter(|event| expected.contains(&event.event_id)) {
            *cities.entry(event.venue.city.clone()).or_default() += 1;
        }
        let counted: BTreeMap<String, u64> = answer.facets["city"].iter().map(|c| (c.value.clone(), c.count)).collect();
        prop_assert_eq!(counted, cities, "{}", &query);
    }

    #[test]
    fn by_relevance_places_in_both_orders_decide(seed: u64) {
        let mut dice = Dice(seed);
        let text = queries::text(&mut dice);
        let request = Request::parse(&text).unwrap();
        prop_assume!(request.text.is_positive());
        let did_you_mean = search(&WORLD.view, &text).did_you_mean;
        let (by_words, by_meaning) = (pages(&WORLD.view, &text, 100), WORLD.nearest(&request, did_you_mean.as_deref()));
        let mut shares: HashMap<EventId, f32> = HashMap::new();
        for order in [&by_meaning, &by_words] {
            for (place, event) in (0_u16..).zip(order) {
                *shares.entry(*event).or_default() += (K + 1.0) / (K + 1.0 + f32::from(place));
            }
        }
        let pinned = |id: &EventId| {
            let boost = WORLD.events.iter().find(|event| event.event_id == *id).map_or(0, |event| event.boost);
            if by_words.contains(id) { boost } else { 0 }
        };
        let mut expected: Vec<EventId> = shares.keys().copied().collect();
        expected.sort_by_key(|id| (Reverse(pinned(id)), Reverse(shares[id].to_bits()), *id));
        let query = format!("{text}&mode=hybrid");
        prop_assert_eq!(pages(&WORLD.meant, &query, 1 + dice.below(30)), expected, "{}", &query);
    }
}

/// Events of these titles and nothing else that the table knows, at one venue each.
fn view_of(titles: &[&str]) -> (View, Vec<EventId>) {
    let dir = tempfile::tempdir().unwrap();
    let store = crate::store::Store::open(&format!("file://{}", dir.path().display())).unwrap();
    let mut publisher = Publisher::new(store, 1);
    let events: Vec<EventDocument> = (0..)
        .zip(titles)
        .map(|(n, title)| EventDocument {
            title: (*title).to_owned(),
            description: String::new(),
            genres: Vec::new(),
            works: Works::default(),
            artists: Vec::new(),
            venue: fixture::venue(usize::from(n % 2 == 1)),
            starts_at: fixture::now() + jiff::SignedDuration::from_hours(24 + i64::from(n)),
            ends_at: None,
            date_tba: false,
            status: crate::document::Status::Scheduled,
            boost: 0,
            ..fixture::event(n)
        })
        .collect();
    publisher.write(&events, &[]);
    let table = table(&[&["sea", "ocean"], &["waltz", "dance"]]);
    let shared = Shared::new(&Arc::default(), Some(Arc::new(table)));
    let view = View::of(&publisher.index, 1, Head { epoch: 1, seq: 1, lsn: Lsn(1) }, &shared).unwrap();
    (view, ids(&events.iter().collect::<Vec<_>>()))
}

fn found(view: &View, query: &str) -> (Mode, Vec<EventId>) {
    let answer = search(view, query);
    assert_eq!(answer.total, answer.hits.len() as u64);
    (answer.mode, answer.hits.iter().map(|hit| hit.event_id).collect())
}

#[test]
fn where_words_find_little_what_was_meant_is_found_too_unless_the_search_says_not_to() {
    let (view, ids) = view_of(&["Sea", "The ocean", "A waltz", "Ocean waltz gala"]);
    assert_eq!(
        found(&view, "q=sea"),
        (Mode::Hybrid, vec![ids[0]]),
        "there are no vectors yet, and nothing waits for them"
    );
    view.embed(&CancellationToken::new()).unwrap();
    let all = vec![ids[0], ids[1], ids[3]];
    assert_eq!(found(&view, "q=sea"), (Mode::Hybrid, all.clone()));
    assert_eq!(found(&view, "q=sea&mode=hybrid"), (Mode::Hybrid, all.clone()));
    assert_eq!(found(&view, "q=sea&mode=hybrid&sort=date"), (Mode::Hybrid, all));
    let by_words = (Mode::Lexical, vec![ids[0]]);
    for query in ["q=sea&mode=lexical", "q=%22sea%22", "q=sea&sort=date"] {
        assert_eq!(found(&view, query), by_words, "{query}");
    }
    assert_eq!(found(&view, "mode=hybrid").0, Mode::Lexical, "nothing was meant");
    assert_eq!(found(&view, "q=zzzz&mode=hybrid"), (Mode::Lexical, vec![]), "the table does not know it");
}

#[test]
fn filters_and_negations_hold_for_what_was_meant() {
    let (view, ids) = view_of(&["Sea", "The ocean", "A waltz", "Ocean waltz gala"]);
    view.embed(&CancellationToken::new()).unwrap();
    assert_eq!(found(&view, "q=sea+-gala").1, [ids[0], ids[1]]);
    assert_eq!(found(&view, "q=sea&venue=geffen+hall").1, [ids[1], ids[3]]);
    let answer = search(&view, "q=dance&venue=carnegie+hall&facets=venue");
    assert_eq!((answer.total, answer.hits[0].event_id, answer.hits[0].by_meaning), (1, ids[2], true));
    let halls: Vec<_> = answer.facets["venue"].iter().map(|count| count.count).collect();
    assert_eq!(halls, [1, 1], "a facet counts what its own filter leaves out, too");
}

#[test]
fn pages_go_on_as_they_began() {
    let (view, ids) = view_of(&["Sea", "The ocean", "A waltz", "Ocean"]);
    view.embed(&CancellationToken::new()).unwrap();
    let first = search(&view, "q=sea&limit=2");
    let cursor = first.next.unwrap();
    assert_eq!(found_on(&view, &format!("q=sea&limit=2&cursor={cursor}")), (Mode::Hybrid, vec![ids[3]]));
    assert!(Request::parse(&format!("q=sea&mode=hybrid&cursor={cursor}")).is_ok());
    assert_eq!(Request::parse(&format!("q=sea&mode=lexical&cursor={cursor}")).unwrap_err().name, "cursor");
    // A replica without a table goes on by places in the order by words alone, in which nothing comes after.
    let (bare, _) = view_of(&["Sea", "The ocean"]);
    assert_eq!(found_on(&bare, &format!("q=sea&cursor={cursor}")).0, Mode::Hybrid);
}

fn found_on(view: &View, query: &str) -> (Mode, Vec<EventId>) {
    let answer = search(view, query);
    (answer.mode, answer.hits.iter().map(|hit| hit.event_id).collect())
}

#[test]
fn without_a_table_words_answer_and_the_answer_says_so() {
    WORLD.view.embed(&CancellationToken::new()).unwrap();
    for query in ["q=titan", "q=rezurrection", "q=zzzz"] {
        let (hybrid, lexical) = (format!("{query}&mode=hybrid"), format!("{query}&mode=lexical"));
        let by_words = (Mode::Lexical, search(&WORLD.view, &lexical).total);
        for query in [query, &hybrid] {
            let answer = search(&WORLD.view, query);
            assert_eq!((answer.mode, answer.total), by_words, "{query}");
        }
    }
}
