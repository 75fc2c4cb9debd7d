//! The first hits of one word are found without a look at all of them, and are the first of all.

use super::pages;
use crate::document::EventDocument;
use crate::fixture::{self, Publisher};
use crate::manifest::Head;
use crate::request::{Request, day_of};
use crate::view::filter::Plan;
use crate::view::order;
use crate::view::words::{Scored, Words};
use crate::view::{Shared, View};
use model::{EventId, Lsn};

const EVENTS: u32 = 8_000;

/// One segment of many events, some of them deleted, and one title that many have.
fn view() -> View {
    let dir = tempfile::tempdir().unwrap();
    let store = crate::store::Store::open(&format!("file://{}", dir.path().display())).unwrap();
    let mut publisher = Publisher::new(store, 1);
    let event = |n: u32| {
        let mut event = EventDocument { popularity: n.wrapping_mul(7_919) % 9_973, ..fixture::event(n) };
        if n.is_multiple_of(11) {
            event.title = "Carmen".into();
        }
        event
    };
    let events: Vec<EventDocument> = (0..EVENTS).map(event).collect();
    publisher.write(&events, &[]);
    publisher.merge();
    let deleted: Vec<EventId> = events.iter().step_by(9).map(|event| event.event_id).collect();
    publisher.write(&[], &deleted);
    View::of(&publisher.index, 1, Head { epoch: 1, seq: 1, lsn: Lsn(9) }, &Shared::default()).unwrap()
}

/// The hits to choose from for a request's page, and all of them in order.
fn chosen_and_all(view: &View, query: &str) -> (Vec<Scored>, Vec<EventId>) {
    let request = Request::parse(query).unwrap();
    let (now, cells) = (fixture::now(), view.shared.overlay.cells());
    let words = Words::look_up(view, &request.text).unwrap();
    let plan = Plan::new(&request, &view.shared.names.read(), now);
    let matches = view.matches(&words, &plan, &request, &cells).unwrap();
    let score = |page| words.score(view, &matches, day_of(now), page).swap_remove(0);
    let mut all: Vec<_> = score(None)
        .into_iter()
        .map(|hit| (hit.relevance.key(), view.segments[0].columns.id[hit.rank as usize]))
        .collect();
    all.sort_unstable();
    (score(Some(order::page(&request))), all.into_iter().map(|(_, id)| EventId(id)).collect())
}

#[test]
fn the_best_hits_of_a_word_are_the_first_of_all_its_hits() {
    let view = view();
    let mut chosen_in_all = 0;
    // A word that stands often, as it is typed, as it begins, misspelt; with a title of that name; filtered a little and a lot.
    for query in [
        "q=gala",
        "q=gal",
        "q=galla",
        "q=gala%20gala",
        "q=carmen",
        "q=titan&currency=USD",
        "q=titan&city=Praha&min_seats=30",
    ] {
        let (chosen, all) = chosen_and_all(&view, query);
        assert!(all.len() > 10, "{query}: {}", all.len());
        chosen_in_all += usize::from(chosen.len() < all.len() / 4);
        assert_eq!(pages(&view, query, 7), all, "{query}");
        assert_eq!(pages(&view, query, 100), all, "{query}");
    }
    assert!(chosen_in_all >= 4, "{chosen_in_all}");
}
