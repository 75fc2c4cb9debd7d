//! Connections that fall silent, and an expiry that the database refuses: neither holds a lane up for ever, nor burns the machine.

use super::{Core, numbers};
use std::time::{Duration, Instant};
use tests::catalog::Listing;
use tests::{Database, Wire, until};

#[tokio::test]
async fn a_connection_that_falls_silent_costs_seconds_not_the_lane() {
    let (database, listing) = (Database::migrated().await, Listing::new("An evening", 30));
    listing.insert(&database).await;
    let server: tokio_postgres::Config = database.url.parse().unwrap();
    let wire = Wire::to(server.get_ports()[0]).await;
    let url = format!("postgres://postgres@127.0.0.1:{}/{}", wire.port, database.name);
    // Silent for as long, it would lose the lane to nobody: it is alone.
    let core = Core::with(database, listing, super::settings(&url)).await;
    let buyer = core.buyer().await;
    core.seats(buyer, &[0], "before").await.unwrap();
    wire.silence();
    let began = Instant::now();
    assert_eq!(numbers(&core.seats(buyer, &[1], "after").await.unwrap()), [1]);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(core.number("select count(*) from claim").await, 2);
    core.audit().await;
}

#[tokio::test]
async fn an_expiry_that_fails_is_tried_again_after_a_pause_that_grows() {
    let mut listing = Listing::new("Soon over", 10);
    listing.hold_ttl_s = 1;
    let core = Core::of(listing).await;
    let buyer = core.buyer().await;
    let client = core.database.connect().await;
    let refuse = "create sequence tries;
        create function refuse() returns trigger language plpgsql as $$
            begin perform nextval('tries'); raise exception 'not today'; end $$;
        create trigger refuse before update on hold for each row when (new.state = 'expired') execute function refuse()";
    client.batch_execute(refuse).await.unwrap();
    core.seats(buyer, &[0], "k").await.unwrap();
    let tries = async |count: i64| {
        let last = "select case when is_called then last_value else 0 end from tries";
        until("tries", async || (core.number(last).await >= count).then(Instant::now)).await
    };
    let (first, fifth) = (tries(1).await, tries(5).await);
    // 0.1, 0.2, 0.4 and 0.8 s; the first may be seen late.
    assert!(fifth - first > Duration::from_secs(1), "{:?}", fifth - first);
    client.batch_execute("drop trigger refuse on hold").await.unwrap();
    until("the seat is free", async || (core.number("select count(*) from claim").await == 0).then_some(())).await;
    core.audit().await;
}
