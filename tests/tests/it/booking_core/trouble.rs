//! What must not shake the lane: lost connections, a lane taken by another, changed terms, a poisoned request, cut seats.

use super::{Core, numbers};
use booking::ReserveError;
use futures::future::join_all;
use model::UserId;
use tests::until;

#[tokio::test]
async fn a_lane_taken_by_another_is_taken_back_and_nothing_is_sold_twice() {
    let core = Core::new().await;
    let buyer = core.buyer().await;
    core.seats(buyer, &[0], "a").await.unwrap();
    let client = core.database.connect().await;
    client.batch_execute("update lane set epoch = epoch + 1, owner = 'another'").await.unwrap();
    until("it is taken back", async || core.seats(buyer, &[1], "b").await.ok()).await;
    assert_eq!(core.number("select epoch from lane").await, 4, "looked at once, and loaded");
    assert_eq!(core.number("select count(*) from claim").await, 2);
    core.audit().await;
}

#[tokio::test]
async fn a_changed_price_is_charged_from_then_on() {
    let core = Core::new().await;
    let buyer = core.buyer().await;
    assert_eq!(core.seats(buyer, &[0], "a").await.unwrap().total, 5_000);
    core.database.connect().await.batch_execute("update event_tier set price = 6000").await.unwrap();
    assert_eq!(core.seats(buyer, &[1], "b").await.unwrap().total, 6_000);
    assert_eq!(core.seats(buyer, &[0], "a").await.unwrap().total, 5_000, "the first answer");
    core.audit().await;
}

#[tokio::test]
async fn lost_connections_lose_no_acknowledged_hold() {
    let core = Core::new().await;
    let buyers: Vec<UserId> = join_all((0..24).map(|_| core.buyer())).await;
    let admin = core.database.connect().await;
    let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and query like '%lane%'";
    let asks = join_all(buyers.iter().map(|buyer| core.best(*buyer, 1, "k")));
    let kills = async {
        for _ in 0..5 {
            admin.query(kill, &[]).await.unwrap();
        }
    };
    let (answers, ()) = futures::join!(asks, kills);
    for (buyer, answer) in buyers.iter().zip(answers) {
        let again = core.best(*buyer, 1, "k").await.unwrap();
        if let Ok(first) = answer {
            assert_eq!(again, first);
        }
    }
    assert_eq!(core.number("select count(*) from claim").await, 24);
    assert_eq!(core.number("select count(*) from hold").await, 24);
    core.audit().await;
}

#[tokio::test]
async fn one_impossible_request_does_not_spoil_the_batch() {
    let core = Core::new().await;
    let buyer = core.buyer().await;
    // The hold's table takes no key as long as this.
    let endless = "a".repeat(201);
    let (impossible, real) = futures::join!(core.seats(buyer, &[0], &endless), core.seats(buyer, &[1], "b"));
    assert!(matches!(impossible, Err(ReserveError::Failed(_))), "{impossible:?}");
    assert_eq!(numbers(&real.unwrap()), [1]);
    assert_eq!(core.number("select count(*) from claim").await, 1);
    core.seats(buyer, &[0], "c").await.unwrap();
    core.audit().await;
}

#[tokio::test]
async fn the_log_replays_to_the_tables() {
    let core = Core::new().await;
    let buyer = core.buyer().await;
    core.seats(buyer, &[0, 1], "a").await.unwrap();
    core.seats(buyer, &[5], "b").await.unwrap();
    core.booking.release(buyer, core.event()).await.unwrap();
    core.seats(buyer, &[7], "c").await.unwrap();
    let client = core.database.connect().await;
    let rows = client.query("select payload from lane_log order by seq", &[]).await.unwrap();
    let mut claimed = std::collections::BTreeSet::new();
    for row in rows {
        let facts: Vec<serde_json::Value> = serde_json::from_slice(row.get(0)).unwrap();
        for fact in facts {
            let seats: Vec<i64> = serde_json::from_value(fact["seats"].clone()).unwrap_or_default();
            for seat in seats {
                let changed = if fact["fact"] == "held" { claimed.insert(seat) } else { claimed.remove(&seat) };
                assert!(changed, "{fact}");
            }
        }
    }
    let rows = client.query("select seat_no::bigint from claim order by seat_no", &[]).await.unwrap();
    assert_eq!(claimed.into_iter().collect::<Vec<i64>>(), rows.iter().map(|row| row.get(0)).collect::<Vec<i64>>());
}
