//! What this machine's disk and Postgres do by themselves: what the booking core's figures stand beside.

use std::io::{Seek as _, Write as _};
use std::time::{Duration, Instant};
use tests::Database;

const CLIENTS: &str = "32";
const SECONDS: &str = "6";
/// Seats of the plain tables: four times those of the event beside them, so that clients seldom meet.
const SEATS: u32 = 480_000;
const BATCH_SEATS: i32 = 256;
const BATCH_WRITERS: i32 = 2;
const SPAN: Duration = Duration::from_secs(6);

/// Says how long the disk takes to keep eight kilobytes: everything durable waits for that.
pub(crate) fn probe_disk() -> anyhow::Result<()> {
    let mut file = tempfile::tempfile()?;
    let mut took = Vec::new();
    for _ in 0..200 {
        file.rewind()?;
        file.write_all(&[1; 8192])?;
        let started = Instant::now();
        file.sync_data()?;
        took.push(started.elapsed());
    }
    took.sort_unstable();
    let quantile = |share| super::quantile_ms(&took, share);
    super::print("fsync of eight kilobytes: its p99", (quantile(0.99), "ms"), (quantile(0.5), "p50, ms:"));
    Ok(())
}

/// Transactions of pgbench's simple-update.
pub(crate) async fn simple_update(database: &Database) -> anyhow::Result<f64> {
    run(database, &["-i", "-q", "-s", "10"]).await?;
    tps(database, &["-b", "simple-update"]).await
}

/// Updates of one row that everybody wants.
pub(crate) async fn hot_row(database: &Database) -> anyhow::Result<f64> {
    let tables = "create table bench_hot (id int primary key, held int not null) with (fillfactor = 50);
        insert into bench_hot values (1, 0)";
    database.connect().await.batch_execute(tables).await?;
    script_tps(database, "update bench_hot set held = held + 1 where id = 1;").await
}

/// A seat row locked and taken, a quota counted, a hold inserted: what a plain ticketing transaction does, on other tables.
pub(crate) async fn three_statements(database: &Database) -> anyhow::Result<f64> {
    make_seats(database).await?;
    let tables = "create table bench_quota (user_id int primary key, seats int not null);
        insert into bench_quota select n, 0 from generate_series(0, 9999) n;
        create table bench_hold (hold_id bigint generated always as identity primary key, seat_no int not null, user_id int not null)";
    database.connect().await.batch_execute(tables).await?;
    let script = format!(
        "\\set seat random(0, {SEATS} - 1)\n\\set buyer random(0, 9999)\nbegin;\n\
         update bench_seat set holder = :buyer where seat_no = :seat;\n\
         update bench_quota set seats = seats + 1 where user_id = :buyer;\n\
         insert into bench_hold (seat_no, user_id) values (:seat, :buyer);\ncommit;"
    );
    script_tps(database, &script).await
}

/// Seats that two writers take in transactions of 256, with nothing else to do.
pub(crate) async fn bare_batches(database: &Database) -> anyhow::Result<f64> {
    make_seats(database).await?;
    let started = Instant::now();
    let writers = (0..BATCH_WRITERS).map(|writer| bare_writer(database, writer, started + SPAN));
    let seats: i64 = futures::future::try_join_all(writers).await?.into_iter().sum();
    Ok(seats as f64 / started.elapsed().as_secs_f64())
}

async fn bare_writer(database: &Database, writer: i32, end: Instant) -> anyhow::Result<i64> {
    let client = database.connect().await;
    let sql = "update bench_seat s set holder = u.holder from unnest($1::int[], $2::int[]) as u (seat_no, holder)
        where s.seat_no = u.seat_no";
    let statement = client.prepare(sql).await?;
    // Each writer has its own half: nobody waits for a row.
    let half = i32::try_from(SEATS)? / BATCH_WRITERS;
    let (mut first, mut taken) = (0, 0);
    while Instant::now() < end {
        let seats: Vec<i32> = (first..first + BATCH_SEATS).map(|seat| writer * half + seat % half).collect();
        let holders = vec![first; seats.len()];
        let rows = client.execute(&statement, &[&seats, &holders]).await?;
        anyhow::ensure!(rows == seats.len() as u64, "{rows} seats taken");
        taken += i64::from(BATCH_SEATS);
        first = (first + BATCH_SEATS) % half;
    }
    Ok(taken)
}

async fn make_seats(database: &Database) -> anyhow::Result<()> {
    let tables = format!(
        "drop table if exists bench_seat;
         create table bench_seat (seat_no int primary key, holder int) with (fillfactor = 50);
         insert into bench_seat select n, null from generate_series(0, {SEATS} - 1) n"
    );
    let client = database.connect().await;
    client.batch_execute(&tables).await?;
    Ok(client.batch_execute("vacuum analyze bench_seat").await?)
}

async fn script_tps(database: &Database, script: &str) -> anyhow::Result<f64> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(script.as_bytes())?;
    tps(database, &["-f", &file.path().to_string_lossy()]).await
}

async fn tps(database: &Database, what: &[&str]) -> anyhow::Result<f64> {
    let load = ["-n", "-M", "prepared", "-c", CLIENTS, "-j", "2", "-T", SECONDS];
    let text = run(database, &[&load, what].concat()).await?;
    let tps = text.lines().find_map(|line| line.strip_prefix("tps = ")).and_then(|rest| rest.split(' ').next());
    tps.and_then(|tps| tps.parse().ok()).ok_or_else(|| anyhow::anyhow!("pgbench says {text}"))
}

async fn run(database: &Database, args: &[&str]) -> anyhow::Result<String> {
    let pgbench = tests::postgres_bin().join("pgbench");
    let output = tokio::process::Command::new(pgbench).args(args).arg(&database.url).output().await?;
    anyhow::ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
