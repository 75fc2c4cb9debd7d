//! Refusals of a sold-out event: through HTTP beside an axum server that says hello, without a statement of SQL; and in memory.

use super::load;
use booking::{Ask, BestAvailable, Rehearsal};
use model::UserId;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests::{Client, Database, Server, catalog};

const SEATS: u32 = 100;
const CONNECTIONS: usize = 64;
const SECONDS: u64 = 6;
const IN_MEMORY: u32 = 2_000_000;
/// What refusals in memory must reach.
const IN_MEMORY_PER_S: f64 = 500_000.0;
const HTTP_SHARE: f64 = 0.6;

pub(crate) async fn run() -> anyhow::Result<()> {
    in_memory()?;
    let database = Database::migrated().await;
    let mut listing = catalog::Listing::new("Sold out", SEATS);
    listing.buyer_limit = 1_000;
    listing.insert(&database).await;
    let server = Server::start(&database).await;
    let (winner, loser) =
        (Client::with_session(&server.base, &database).await, Client::with_session(&server.base, &database).await);
    let all: Vec<u32> = (0..SEATS).collect();
    let body = serde_json::json!({"event_id": listing.event, "seats": all});
    anyhow::ensure!(winner.post_once("/ticket/reserve", &body, "all").await.status == 201, "nobody is sold out");
    let token = loser.token().unwrap_or_default().to_owned();
    let body = format!(r#"{{"event_id":"{}","best_available":{{"quantity":2}}}}"#, listing.event);
    let requests: load::Requests =
        Arc::new(move |n| Some(load::post("/ticket/reserve", &token, &format!("k{n}"), &body)));
    let addr = super::address(&server.base);
    load::run(addr, CONNECTIONS, Duration::from_secs(1), Arc::clone(&requests)).await?;
    let before = statements(&database).await?;
    // A key counts once: these are other requests than the first second's.
    let later: load::Requests = Arc::new(move |n| requests(n + 10_000_000));
    let outcome = load::run(addr, CONNECTIONS, Duration::from_secs(SECONDS), later).await?;
    anyhow::ensure!(outcome.statuses.keys().all(|status| *status == 409), "{:?}", outcome.statuses);
    let transactions = statements(&database).await? - before;
    let hello = super::hello_per_s(CONNECTIONS).await?;
    super::print("refusals over HTTP", (outcome.per_s(409), "/s"), (hello * HTTP_SHARE, "hello x 0.6, /s:"));
    super::print("  their p99", (outcome.quantile_ms(0.99), "ms"), (outcome.quantile_ms(0.5), "p50, ms:"));
    super::print(
        "  transactions of everyone meanwhile",
        (transactions as f64, ""),
        (outcome.statuses[&409] as f64, "refusals:"),
    );
    Ok(())
}

/// Transactions of the database since it was made: the lane's look at its terms, sessions, leases, the indexer's and payments' ticks.
async fn statements(database: &Database) -> anyhow::Result<i64> {
    let client = database.connect().await;
    client.batch_execute("select pg_stat_force_next_flush()").await?;
    let sql = "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()";
    Ok(client.query_one(sql, &[]).await?.try_get(0)?)
}

fn in_memory() -> anyhow::Result<()> {
    let mut rehearsal = Rehearsal::new(&catalog::plan(SEATS), "USD".parse()?, HashMap::from([(0, 5_000)]));
    rehearsal.reserve(UserId::new(), Ask::Seats((0..SEATS).collect()))?;
    let buyer = UserId::new();
    let started = Instant::now();
    for n in 0..IN_MEMORY {
        let ask = if n % 2 == 0 {
            Ask::Seats(vec![n % SEATS])
        } else {
            Ask::Best(BestAvailable { quantity: 2, ..BestAvailable::default() })
        };
        anyhow::ensure!(rehearsal.reserve(buyer, ask).is_err(), "a seat of a sold-out house was had");
    }
    let per_s = f64::from(IN_MEMORY) / started.elapsed().as_secs_f64();
    super::print("refusals in memory", (per_s, "/s"), (IN_MEMORY_PER_S, "bound, /s:"));
    Ok(())
}
