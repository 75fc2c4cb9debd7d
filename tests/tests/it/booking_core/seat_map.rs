//! The live seat map: states, deltas, subscriptions.

use super::Core;
use booking::{SeatDelta, SeatStates, SeatUpdate, SeatsError, SeatsSince};
use model::EventId;
use std::sync::Arc;

fn delta(version: u64, from: u64, changes: &[(u32, u8)]) -> SeatDelta {
    SeatDelta { version, from, changes: changes.to_vec() }
}

fn told(delta: SeatDelta) -> SeatUpdate {
    SeatUpdate::Delta(Arc::new(delta.into()))
}

fn state(states: &SeatStates, seat: usize) -> u8 {
    states.states[seat / 4] >> (seat % 4 * 2) & 3
}

#[tokio::test]
async fn the_map_shows_what_is_held_and_tells_what_changed() {
    let core = Core::new().await;
    let buyer = core.buyer().await;
    let before = core.booking.seats(core.event()).await.unwrap();
    assert_eq!((before.version, &before.states), (0, &vec![0; 8]));
    let mut watch = core.booking.subscribe(core.event(), None).await.unwrap();
    assert!(matches!(watch.next().await, Some(SeatUpdate::Snapshot(_))));
    core.seats(buyer, &[5], "a").await.unwrap();
    core.seats(buyer, &[7], "b").await.unwrap();
    let after = core.booking.seats(core.event()).await.unwrap();
    assert_eq!((state(&after, 5), state(&after, 6), state(&after, 7)), (1, 0, 1));
    assert_eq!(watch.next().await, Some(told(delta(1, 0, &[(5, 1)]))));
    assert_eq!(watch.next().await, Some(told(delta(2, 1, &[(7, 1)]))));
    let since = core.booking.seats_since(core.event(), 0).await.unwrap();
    assert_eq!(since, SeatsSince::Delta(delta(2, 0, &[(5, 1), (7, 1)])));
    let none = core.booking.seats_since(core.event(), 2).await.unwrap();
    assert_eq!(none, SeatsSince::Delta(delta(2, 2, &[])));
    assert!(matches!(core.booking.seats_since(core.event(), 77).await.unwrap(), SeatsSince::Full(_)));
    let mut resumed = core.booking.subscribe(core.event(), Some(1)).await.unwrap();
    assert_eq!(resumed.next().await, Some(told(delta(2, 1, &[(7, 1)]))));
    core.booking.release(buyer, core.event()).await.unwrap();
    assert_eq!(watch.next().await, Some(told(delta(3, 2, &[(5, 0), (7, 0)]))));
    let unknown = core.booking.seats(EventId::new()).await;
    assert!(matches!(unknown, Err(SeatsError::NoSuchEvent)), "{unknown:?}");
}

#[tokio::test]
async fn the_map_of_an_event_without_a_lane_comes_from_the_tables() {
    let core = Core::new().await;
    let buyer = core.buyer().await;
    core.seats(buyer, &[0, 29], "a").await.unwrap();
    let loaded = core.booking.seats(core.event()).await.unwrap();
    let core = core.restarted().await;
    assert_eq!(core.booking.seats(core.event()).await.unwrap(), loaded);
    // A lane that comes later writes on the same board.
    let mut watch = core.booking.subscribe(core.event(), Some(loaded.version)).await.unwrap();
    core.seats(buyer, &[1], "b").await.unwrap();
    assert_eq!(watch.next().await, Some(told(delta(loaded.version + 1, loaded.version, &[(1, 1)]))));
}

#[tokio::test]
async fn who_falls_behind_starts_from_a_snapshot_again() {
    let core = Core::new().await;
    let mut watch = core.booking.subscribe(core.event(), None).await.unwrap();
    let Some(SeatUpdate::Snapshot(first)) = watch.next().await else { panic!("a snapshot first") };
    // More changes than are kept for somebody who does not look.
    let buyer = core.buyer().await;
    for round in 0..40 {
        core.seats(buyer, &[1], &format!("round {round}")).await.unwrap();
        core.booking.release(buyer, core.event()).await.unwrap();
    }
    let now = core.booking.seats(core.event()).await.unwrap();
    assert_eq!(now.version, first.version + 80);
    assert_eq!(watch.next().await, Some(SeatUpdate::Snapshot(Arc::clone(&now))), "one message, whatever was missed");
    core.seats(buyer, &[2], "after").await.unwrap();
    assert_eq!(watch.next().await, Some(told(delta(now.version + 1, now.version, &[(2, 1)]))));
}
