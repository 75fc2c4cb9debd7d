//! The initial build: Postgres → index → published, over a million varied events (`FRONTROW_BENCH_EVENTS`).

use std::path::Path;
use std::time::{Duration, Instant};
use tests::Indexer;

pub(crate) async fn run() -> anyhow::Result<()> {
    let (database, data) = super::demo(super::events()?).await?;
    let documents = database
        .number("select (select count(*) from event) + (select count(*) from venue) + (select count(*) from artist)")
        .await;
    let copy = bare_copy(&database).await?;

    let took = build(&database, data.path()).await;
    let per_s = documents as f64 / took.as_secs_f64();
    let figure = format!("{documents} documents, copy to published");
    super::print(&figure, (per_s, "/s"), (20_000.0, "bound, /s:"));
    super::print(&figure, (per_s, "/s"), (documents as f64 / copy.as_secs_f64(), "bare COPY, /s:"));
    Ok(())
}

/// An indexer from nothing to its first publication, and stopped: how long it took.
pub(crate) async fn build(database: &tests::Database, data: &Path) -> Duration {
    let start = Instant::now();
    let mut indexer = Indexer::start(database, data);
    let published = Indexer::store(data).join("ALIAS");
    while !published.exists() {
        assert!(indexer.process.poll().is_none(), "{}", indexer.process.output());
        assert!(start.elapsed() < Duration::from_mins(20), "{}", indexer.process.output());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = start.elapsed();
    indexer.process.interrupt();
    indexer.process.end().await;
    took
}

/// The same rows copied out of Postgres by nobody in particular.
async fn bare_copy(database: &tests::Database) -> anyhow::Result<Duration> {
    let start = Instant::now();
    for table in ["venue", "artist", "event", "event_artist", "event_tier"] {
        let psql = tests::postgres_bin().join("psql");
        let copy = format!("\\copy (select * from {table}) to /dev/null");
        let status = tokio::process::Command::new(psql).args([&database.url, "-qc", &copy]).status().await?;
        anyhow::ensure!(status.success(), "psql: {status}");
    }
    Ok(start.elapsed())
}
