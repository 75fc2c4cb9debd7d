//! `kill -9` of the process that sells an event while another stands by: when the next hold is in the log.
//!
//! Counted by the database's clock from the end of the dead one's lease, which nobody may cut short.

use std::time::{Duration, Instant};
use tempfile::TempDir;
use tests::{Client, Database, Indexer, Server, catalog};

const ROUNDS: usize = 3;
/// What it may take after the lease's end, in milliseconds.
const AFTER_LEASE_MS_MAX: f64 = 200.0;
const ASK_AGAIN: Duration = Duration::from_millis(5);

pub(crate) async fn run() -> anyhow::Result<()> {
    let database = Database::migrated().await;
    let listing = catalog::on_sale(&database, "Two doors", 200).await;
    let data = TempDir::with_prefix("frontrow-takeover-")?;
    let _indexer = Indexer::start(&database, data.path());
    let store = format!("file://{}", Indexer::store(data.path()).display());
    let mut doors = Vec::new();
    for n in 0..=ROUNDS {
        let own = data.path().join(format!("door-{n}"));
        let gateway = |command: &mut std::process::Command| {
            command.args(["--role", "gateway"]).env("FRONTROW_STORE", &store);
        };
        doors.push(Server::start_on(&database, &own, gateway).await);
    }
    let buyer = Client::with_session(&doors[0].base, &database).await;
    let body = serde_json::json!({"event_id": listing.event, "best_available": {"quantity": 1}});
    let (mut after_lease, mut in_all) = (Vec::new(), Vec::new());
    let first = buyer.post_once("/ticket/reserve", &body, "first").await;
    anyhow::ensure!(first.status == 201, "nobody serves: {}", first.text);
    for round in 0..ROUNDS {
        let owner = doors[round].process.id();
        let next = buyer.at(&doors[round + 1].base);
        let killed = Instant::now();
        doors[round].process.kill().await;
        let key = format!("after {round}");
        while next.post_once("/ticket/reserve", &body, &key).await.status != 201 {
            anyhow::ensure!(killed.elapsed() < tests::DEADLINE, "nobody takes over");
            tokio::time::sleep(ASK_AGAIN).await;
        }
        in_all.push(killed.elapsed());
        let sql = "select (extract(epoch from max(g.at) - min(o.lease_until)) * 1000)::double precision
            from lane_log g, lane_owner o where o.owner like $1 || '/%'";
        let row = database.connect().await.query_one(sql, &[&owner.to_string()]).await?;
        after_lease.push(row.try_get::<_, f64>(0)?);
    }
    let worst_ms = after_lease.iter().copied().fold(f64::MIN, f64::max);
    let longest = in_all.iter().max().map_or(0.0, Duration::as_secs_f64);
    super::print("kill -9: next hold after the lease's end", (worst_ms, "ms"), (AFTER_LEASE_MS_MAX, "bound, ms:"));
    super::print("  and after the kill", (longest, "s"), (3.2, "lease and 0.2, s:"));
    Ok(())
}
