//! Durable holds on one event through HTTP, beside what plain SQL reaches on the same cluster; and how long they take at half that rate.

use super::{buyers, ceilings, load};
use model::EventId;
use std::sync::Arc;
use std::time::Duration;
use tests::{Database, Server, catalog};

const SEATS: u32 = 120_000;
const BUYERS: u32 = 512;
const CONNECTIONS: usize = 512;
const SPAN: Duration = Duration::from_secs(8);
/// What they must reach of a hold in three statements, and of seats taken in bare batches.
const THREE_STATEMENTS_TIMES: f64 = 5.0;
const BARE_SHARE: f64 = 0.2;
/// What 99 of a hundred must not exceed at half of the rate, in milliseconds.
const P99_MS_MAX: f64 = 50.0;

pub(crate) async fn run() -> anyhow::Result<()> {
    ceilings::probe_disk()?;
    let plain = Database::migrated().await;
    let three = ceilings::three_statements(&plain).await?;
    let bare = ceilings::bare_batches(&plain).await?;
    let database = Database::migrated().await;
    let tokens = buyers::with_sessions(&database, BUYERS).await?;
    let server = Server::start(&database).await;
    let full = hold(&database, &server, tokens.clone(), None).await?;
    let per_s = full.per_s(201);
    super::print("durable holds over HTTP", (per_s, "/s"), (three * THREE_STATEMENTS_TIMES, "3 statements x 5:"));
    super::print("durable holds over HTTP", (per_s, "/s"), (bare * BARE_SHARE, "bare batches x 0.2:"));
    super::print("  their p99", (full.quantile_ms(0.99), "ms"), (full.quantile_ms(0.5), "p50, ms:"));
    let half = hold(&database, &server, tokens, Some(per_s / 2.0)).await?;
    super::print("  at half of that rate", (half.per_s(201), "/s"), (per_s / 2.0, "asked for, /s:"));
    super::print("  p99 at half of that rate", (half.quantile_ms(0.99), "ms"), (P99_MS_MAX, "bound, ms:"));
    Ok(())
}

/// Takes the seats of a new event, as fast as can be or at a rate.
async fn hold(
    database: &Database,
    server: &Server,
    tokens: Vec<String>,
    per_s: Option<f64>,
) -> anyhow::Result<load::Outcome> {
    let mut listing = catalog::Listing::new("The on-sale", SEATS);
    listing.buyer_limit = 1_000;
    listing.insert(database).await;
    let before = database.number("select count(*) from claim").await;
    let (addr, requests) = (super::address(&server.base), reserve_requests(listing.event, tokens));
    let outcome = match per_s {
        None => load::run(addr, CONNECTIONS, SPAN, requests).await?,
        Some(per_s) => load::paced(addr, (CONNECTIONS, per_s), SPAN, requests).await?,
    };
    anyhow::ensure!(outcome.statuses.keys().all(|status| *status == 201), "{:?}", outcome.statuses);
    let held = database.number("select count(*) from claim").await - before;
    anyhow::ensure!(u64::try_from(held)? == outcome.statuses[&201], "{held} claims, {:?}", outcome.statuses);
    Ok(outcome)
}

/// Every seat once, one by one, by buyers in turn.
fn reserve_requests(event: EventId, tokens: Vec<String>) -> load::Requests {
    Arc::new(move |n| {
        let seat = u32::try_from(n).ok().filter(|seat| *seat < SEATS)?;
        let token = &tokens[usize::try_from(seat % BUYERS).ok()?];
        let body = format!(r#"{{"event_id":"{event}","seats":[{seat}]}}"#);
        Some(load::post("/ticket/reserve", token, &format!("key-{seat}"), &body))
    })
}
