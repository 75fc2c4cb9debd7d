//! Commit in Postgres → hit over HTTP: an event's title changes to a word nobody used, and a kept-alive connection asks until it is found.

use super::load;
use std::time::{Duration, Instant};
use tests::{Server, catalog};
use tokio::net::TcpStream;

const CHANGES: usize = 300;

pub(crate) async fn run() -> anyhow::Result<()> {
    let (database, data) = super::demo(super::cold::CONCERTS).await?;
    let listing = catalog::on_sale(&database, "Freshness", 100).await;
    let server = Server::start_on(&database, data.path(), |_| {}).await;
    let client = database.connect().await;
    let mut stream = TcpStream::connect(super::address(&server.base)).await?;
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    let mut latencies = Vec::with_capacity(CHANGES);
    for n in 0..CHANGES {
        let word = format!("fresh{n}word{}", uuid::Uuid::now_v7().simple());
        client.execute("update event set title = $2 where event_id = $1", &[&listing.event.0, &word]).await?;
        let committed = Instant::now();
        let request = load::get(&format!("/event?q=%22{word}%22&limit=1"));
        loop {
            tokio::io::AsyncWriteExt::write_all(&mut stream, &request).await?;
            let (status, body) = load::read_answer(&mut stream, &mut buffer).await?;
            anyhow::ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(&body));
            let answer: serde_json::Value = serde_json::from_slice(&body)?;
            if answer["total"] == 1 {
                break;
            }
            anyhow::ensure!(committed.elapsed() < Duration::from_secs(30), "{word} was never found");
        }
        latencies.push(committed.elapsed());
    }
    latencies.sort_unstable();
    super::print("commit to hit over HTTP, p50", (super::quantile_ms(&latencies, 0.5), "ms"), (100.0, "bound, ms:"));
    super::print("commit to hit over HTTP, p99", (super::quantile_ms(&latencies, 0.99), "ms"), (400.0, "bound, ms:"));
    Ok(())
}
