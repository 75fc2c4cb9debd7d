//! From an empty database to the first search hit over the real concerts, and a second start to its first answer.

use std::time::Instant;
use tests::{Database, Server};

/// The real concerts in the archive.
pub(crate) const CONCERTS: usize = 17_835;

pub(crate) async fn run() -> anyhow::Result<()> {
    let database = Database::empty().await;
    let data = tempfile::TempDir::with_prefix("frontrow-bench-")?;
    let path = data.path().to_str().unwrap();
    let start = Instant::now();
    super::frontrow(&database, &["migrate"]).await?;
    super::frontrow(&database, &["demo", "--events", &CONCERTS.to_string(), "--data", path]).await?;
    let mut server = Server::start_on(&database, data.path(), |_| {}).await;
    let answer = server.visitor().get("/event?q=beethoven").await.expect(200);
    assert!(answer["total"].as_u64().unwrap() > 100, "{answer}");
    let seconds = start.elapsed().as_secs_f64();
    super::print("empty database to the real concerts searchable", (seconds, "s"), (30.0, "bound, s:"));

    server.process.interrupt();
    server.process.end().await;
    let start = Instant::now();
    let server = Server::start_on(&database, data.path(), |_| {}).await;
    let answer = server.visitor().get("/event?q=beethoven").await.expect(200);
    assert!(answer["total"].as_u64().unwrap() > 100, "{answer}");
    super::print("second start to the first answer", (start.elapsed().as_secs_f64(), "s"), (5.0, "bound, s:"));
    Ok(())
}
