//! Two cores on one database: an event is one's, the other says so, and takes over when the first has stopped or fallen silent.

use super::{Core, numbers};
use booking::{Ask, ReserveError, ReserveRequest};
use std::time::{Duration, Instant};
use tests::catalog::Listing;
use tests::{Database, until};

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

#[tokio::test]
async fn lanes_that_are_stuck_keep_no_other_from_letting_holds_go() {
    let database = Database::migrated().await;
    let listings = ["First", "Second", "Third"].map(|title| Listing { hold_ttl_s: 1, ..Listing::new(title, 10) });
    for listing in &listings {
        listing.insert(&database).await;
    }
    let [first, second, third] = &listings;
    let core = Core::with(database.clone(), second.clone(), super::settings(&database.url)).await;
    let buyer = core.buyer().await;
    for Listing { event, .. } in &listings {
        let request = ReserveRequest { event: *event, ask: Ask::Seats(vec![0]), code: None };
        core.booking.reserve(buyer, request, "k").await.unwrap();
    }
    let (database, listing) = core.stopped().await;
    let stuck = database.connect().await;
    let lock = "begin; select from lane where event_id in";
    stuck.batch_execute(&format!("{lock} ('{}', '{}') for update", first.event, third.event)).await.unwrap();
    let overdue = "select count(*) from hold where state = 'held' and expires_at <= clock_timestamp()";
    until("all are overdue", async || (database.number(overdue).await == 3).then_some(())).await;
    let core = Core::with(database.clone(), listing, super::settings(&database.url)).await;
    let (began, held) = (Instant::now(), format!("select count(*) from claim where event_id = '{}'", second.event));
    until("the seat is free", async || (core.number(&held).await == 0).then_some(())).await;
    assert!(began.elapsed() < Duration::from_secs(20), "a load may take 30 s: {:?}", began.elapsed());
    drop(stuck);
    until("all are free", async || (core.number("select count(*) from claim").await == 0).then_some(())).await;
}
