//! `kill -9` of Postgres's postmaster in the middle of a sale: when the first hold is committed after it was started again.

use super::{buyers, load};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tests::{Client, Postgres, Server, catalog};

const SEATS: u32 = 120_000;
const BUYERS: u32 = 512;
const CONNECTIONS: usize = 256;
const SALE: Duration = Duration::from_secs(6);
/// How far the sale is when Postgres dies: what it has to recover.
const BEFORE: Duration = Duration::from_secs(4);
/// What the first commit may take, in seconds.
const BOUND_S: f64 = 10.0;
const ASK_AGAIN: Duration = Duration::from_millis(10);

pub(crate) async fn run() -> anyhow::Result<()> {
    let postgres = Arc::new(Postgres::start("").await);
    let database = postgres.database();
    let mut listing = catalog::Listing::new("The lights go out", SEATS);
    listing.buyer_limit = 1_000;
    listing.insert(&database).await;
    let tokens = buyers::with_sessions(&database, BUYERS).await?;
    let data = TempDir::with_prefix("frontrow-crash-")?;
    let server = Server::start_on(&database, data.path(), |_| {}).await;
    let buyer = Client::with_session(&server.base, &database).await;
    let event = listing.event;
    let requests: load::Requests = Arc::new(move |n| {
        let seat = u32::try_from(n).ok().filter(|seat| *seat < SEATS - 1)?;
        let body = format!(r#"{{"event_id":"{event}","seats":[{seat}]}}"#);
        Some(load::post("/ticket/reserve", &tokens[(seat % BUYERS) as usize], &format!("key-{seat}"), &body))
    });
    let sale = tokio::spawn(load::run(super::address(&server.base), CONNECTIONS, SALE, requests));
    tokio::time::sleep(BEFORE).await;
    let killed = Instant::now();
    let again = Arc::clone(&postgres);
    let started = tokio::task::spawn_blocking(move || {
        again.kill();
        again.start_again();
    });
    let body = serde_json::json!({"event_id": event, "seats": [SEATS - 1]});
    // The first one answered may have been committed before the end: only what is asked for after the start counts.
    started.await?;
    let restarted = killed.elapsed();
    while buyer.post_once("/ticket/reserve", &body, "after").await.status != 201 {
        anyhow::ensure!(killed.elapsed() < tests::DEADLINE, "nothing is committed");
        tokio::time::sleep(ASK_AGAIN).await;
    }
    let committed = killed.elapsed();
    let told = sale.await??.statuses.get(&201).copied().unwrap_or_default();
    let held = database.number("select count(*) from claim").await;
    anyhow::ensure!(u64::try_from(held)? > told, "{told} holds were acknowledged, {held} are there");
    super::print("kill -9 of Postgres: first commit", (committed.as_secs_f64(), "s"), (BOUND_S, "bound, s:"));
    super::print("  of that until it answers again", (restarted.as_secs_f64(), "s"), (held as f64, "holds before:"));
    Ok(())
}
