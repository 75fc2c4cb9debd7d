//! Durable holds on one event through HTTP, beside what 32 pgbench clients reach with three statements a hold on the same cluster.

use super::load;
use model::{EventId, UserId};
use sha2::{Digest as _, Sha256};
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tests::{Database, Server, catalog};
use uuid::Uuid;

const SEATS: u32 = 120_000;
const BUYERS: u32 = 512;
const CONNECTIONS: usize = 512;
const SECONDS: u64 = 8;

pub(crate) async fn run() -> anyhow::Result<()> {
    let database = Database::migrated().await;
    let mut listing = catalog::Listing::new("The on-sale", SEATS);
    listing.buyer_limit = 1_000;
    listing.insert(&database).await;
    let three_statements = three_statement_holds(&database).await?;
    let tokens = buyers(&database).await?;
    let server = Server::start(&database).await;
    let requests = reserve_requests(listing.event, tokens);
    let outcome = load::run(super::address(&server.base), CONNECTIONS, Duration::from_secs(SECONDS), requests).await?;
    anyhow::ensure!(outcome.statuses.keys().all(|status| *status == 201), "{:?}", outcome.statuses);
    let held = database.number("select count(*) from claim").await;
    anyhow::ensure!(u64::try_from(held)? == outcome.statuses[&201], "{held} claims, {:?}", outcome.statuses);
    let per_s = outcome.per_s(201);
    super::print("durable holds on one event over HTTP", (per_s, "/s"), (three_statements, "3 statements, /s:"));
    super::print("  their p99", (outcome.quantile_ms(0.99), "ms"), (outcome.quantile_ms(0.5), "p50, ms:"));
    Ok(())
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

/// People with a session each, made without the cost of their passwords.
async fn buyers(database: &Database) -> anyhow::Result<Vec<String>> {
    let client = database.connect().await;
    let mut tokens = Vec::new();
    for n in 0..BUYERS {
        let (user, token) = (UserId::new(), format!("{}{}", Uuid::now_v7().simple(), Uuid::now_v7().simple()));
        let email = format!("buyer-{n}@example.test");
        let account = "insert into account (user_id, email, name, password_hash) values ($1, $2, 'Buyer', '!')";
        client.execute(account, &[&user.0, &email]).await?;
        let session = "insert into session (token_hash, user_id, expires_at) values ($1, $2, now() + interval '1 day')";
        client.execute(session, &[&Sha256::digest(token.as_bytes()).as_slice(), &user.0]).await?;
        tokens.push(token);
    }
    Ok(tokens)
}

/// A seat row locked and taken, a quota counted, a hold inserted: what a plain ticketing transaction does, on other tables.
async fn three_statement_holds(database: &Database) -> anyhow::Result<f64> {
    let client = database.connect().await;
    client
        .batch_execute(&format!(
            "create table bench_seat (seat_no int primary key, holder int);
             insert into bench_seat select n, null from generate_series(0, {SEATS} * 4) n;
             create table bench_quota (user_id int primary key, seats int not null);
             insert into bench_quota select n, 0 from generate_series(0, 9999) n;
             create table bench_hold (hold_id bigint generated always as identity primary key, seat_no int not null, user_id int not null);"
        ))
        .await?;
    client.batch_execute("vacuum analyze").await?;
    let mut script = tempfile::NamedTempFile::new()?;
    writeln!(
        script,
        "\\set seat random(0, {SEATS} * 4)\n\\set buyer random(0, 9999)\nbegin;\n\
         update bench_seat set holder = :buyer where seat_no = :seat;\n\
         update bench_quota set seats = seats + 1 where user_id = :buyer;\n\
         insert into bench_hold (seat_no, user_id) values (:seat, :buyer);\ncommit;"
    )?;
    let output = tokio::process::Command::new(tests::postgres_bin().join("pgbench"))
        .args(["-n", "-M", "prepared", "-c", "32", "-j", "2", "-T", &SECONDS.to_string(), "-f"])
        .arg(script.path())
        .arg(&database.url)
        .output()
        .await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let tps = text.lines().find_map(|line| line.strip_prefix("tps = ")).and_then(|rest| rest.split(' ').next());
    tps.and_then(|tps| tps.parse().ok())
        .ok_or_else(|| anyhow::anyhow!("pgbench: {text}{}", String::from_utf8_lossy(&output.stderr)))
}
