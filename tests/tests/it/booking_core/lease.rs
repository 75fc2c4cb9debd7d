//! Two cores on one database: an event is one's, the other says so, and takes over when the first has stopped or fallen silent.

use super::{Core, numbers};
use booking::ReserveError;
use tests::until;

#[tokio::test]
async fn an_event_is_served_by_its_owner_alone() {
    let core = Core::new().await;
    let other = core.another().await;
    let buyer = core.buyer().await;
    let held = core.seats(buyer, &[0], "a").await.unwrap();
    for n in 0..20 {
        let refused = other.seats(buyer, &[1], &format!("{n}")).await;
        assert!(matches!(refused, Err(ReserveError::Busy)), "{refused:?}");
    }
    assert_eq!(core.number("select epoch from lane").await, 1, "nobody took the lane from its owner");
    // What it knows of other events is its own.
    assert_eq!(core.seats(buyer, &[0], "a").await.unwrap(), held);
    assert_eq!(core.number("select count(*) from claim").await, 1);
    core.audit().await;
}

#[tokio::test]
async fn an_owner_that_stops_leaves_its_lanes_to_the_other_at_once() {
    let core = Core::new().await;
    let other = core.another().await;
    let buyer = core.buyer().await;
    let held = core.seats(buyer, &[0], "a").await.unwrap();
    core.stopped().await;
    assert_eq!(other.number("select count(*) from lane_owner").await, 1, "the lease was given up");
    assert_eq!(other.seats(buyer, &[0], "a").await.unwrap(), held);
    assert_eq!(numbers(&other.seats(buyer, &[1], "b").await.unwrap()), [1]);
    other.audit().await;
}

#[tokio::test]
async fn an_idle_owner_keeps_its_lane_and_gives_it_up_when_nobody_asks() {
    let core = Core::new().await;
    let settings = booking::Settings { idle_s: 1, lease_ms: 2_000, ..super::settings(&core.database.url) };
    let brief = Core::with(core.database.clone(), core.listing.clone(), settings).await;
    let buyer = core.buyer().await;
    brief.seats(buyer, &[0], "a").await.unwrap();
    // Far beyond its lease the owner still has what it holds seats of: renewals, and no batch, keep it so.
    let renewals = "select (extract(epoch from max(lease_until)) * 1000)::bigint from lane_owner";
    let from = core.number(renewals).await;
    until("the leases were renewed for longer than it", async || {
        (core.number(renewals).await > from + 3_000).then_some(())
    })
    .await;
    let refused = core.seats(buyer, &[1], "b").await;
    assert!(matches!(refused, Err(ReserveError::Busy)), "{refused:?}");
    assert_eq!(core.number("select epoch from lane").await, 1);
    brief.booking.release(buyer, core.event()).await.unwrap();
    until("an idle lane is given up", async || {
        (core.number("select count(*) from lane where owner is null").await == 1).then_some(())
    })
    .await;
    until("the other takes it", async || core.seats(buyer, &[1], &uuid::Uuid::now_v7().to_string()).await.ok()).await;
    core.audit().await;
}
