//! From an empty database to the first search hit over the real concerts, and a second start to its first answer.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tests::{Client, Database, Process, Server, binary, repository};

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
    let data = tempfile::TempDir::with_prefix("frontrow-bench-")?;
    // The server's own user must reach its part of it.
    std::fs::set_permissions(data.path(), std::fs::Permissions::from_mode(0o755))?;
    run_to_an_answer(data.path()).await;
    let seconds = run_to_an_answer(data.path()).await;
    super::print("second ./run to the first answer", (seconds, "s"), (5.0, "bound, s:"));
    Ok(())
}

/// `./run` as one types it, its own cluster included, until it has answered a search; then Ctrl-C. Gives the seconds to the answer.
async fn run_to_an_answer(data: &Path) -> f64 {
    let mut command = Command::new(repository().join("run"));
    command.args(["--addr", "127.0.0.1:0", "--demo-events", &CONCERTS.to_string(), "--data"]).arg(data);
    command.env("FRONTROW_BIN", binary("frontrow").parent().unwrap()).env_remove("DATABASE_URL");
    let start = Instant::now();
    let mut run = Process::spawn(&mut command);
    let base = run.line("ready ", Duration::from_mins(3)).await;
    let answer = Client::new(&base).get("/event?q=beethoven").await.expect(200);
    let seconds = start.elapsed().as_secs_f64();
    assert!(answer["total"].as_u64().unwrap() > 100, "{answer}");
    run.interrupt();
    run.end().await;
    seconds
}
