//! Commit in Postgres → hit over HTTP: an event's title changes to a word nobody used, and a kept-alive connection asks until it is found.
//! Seat held → seats left in a search's hit: the same for availability, from the answer to the hold on.

use super::{buyers, load};
use serde_json::Value;
use std::time::{Duration, Instant};
use tests::{Database, Server, catalog};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const CHANGES: usize = 300;

pub(crate) async fn run() -> anyhow::Result<()> {
    let (database, data) = super::demo(super::cold::CONCERTS).await?;
    let listing = catalog::on_sale(&database, "Freshness", 100).await;
    let server = Server::start_on(&database, data.path(), |_| {}).await;
    let client = database.connect().await;
    let mut stream = connect(&server).await?;
    let mut latencies = Vec::with_capacity(CHANGES);
    for n in 0..CHANGES {
        let word = format!("fresh{n}word{}", uuid::Uuid::now_v7().simple());
        client.execute("update event set title = $2 where event_id = $1", &[&listing.event.0, &word]).await?;
        let committed = Instant::now();
        ask_until(&mut stream, &format!("/event?q=%22{word}%22&limit=1"), |answer| answer["total"] == 1).await?;
        latencies.push(committed.elapsed());
    }
    latencies.sort_unstable();
    super::print("commit to hit over HTTP, p50", (super::quantile_ms(&latencies, 0.5), "ms"), (100.0, "bound, ms:"));
    super::print("commit to hit over HTTP, p99", (super::quantile_ms(&latencies, 0.99), "ms"), (400.0, "bound, ms:"));
    seats(&database, &server).await
}

/// One seat after the other of an event.
async fn seats(database: &Database, server: &Server) -> anyhow::Result<()> {
    let seats = u32::try_from(CHANGES)?;
    let mut listing = catalog::Listing::new("Freshness of seats", seats);
    listing.buyer_limit = i32::try_from(CHANGES)?;
    listing.insert(database).await;
    let token = buyers::with_sessions(database, 1).await?.remove(0);
    let (mut booking, mut search) = (connect(server).await?, connect(server).await?);
    let (event, mut buffer) = (listing.event, Vec::new());
    let path = format!("/event?event_id={event}&limit=1");
    ask_until(&mut search, &path, |answer| answer["total"] == 1).await?;
    let mut latencies = Vec::with_capacity(CHANGES);
    for seat in 0..seats {
        let body = format!(r#"{{"event_id":"{event}","seats":[{seat}]}}"#);
        let request = load::post("/ticket/reserve", &token, &format!("seat-{seat}"), &body);
        booking.write_all(&request).await?;
        let (status, body) = load::read_answer(&mut booking, &mut buffer).await?;
        anyhow::ensure!(status == 201, "{status}: {}", String::from_utf8_lossy(&body));
        let held = Instant::now();
        ask_until(&mut search, &path, |answer| answer["hits"][0]["seats_left"] == seats - seat - 1).await?;
        latencies.push(held.elapsed());
    }
    latencies.sort_unstable();
    super::print(
        "seat held to seats left over HTTP, p50",
        (super::quantile_ms(&latencies, 0.5), "ms"),
        (50.0, "bound, ms:"),
    );
    super::print(
        "seat held to seats left over HTTP, p99",
        (super::quantile_ms(&latencies, 0.99), "ms"),
        (50.0, "bound, ms:"),
    );
    Ok(())
}

async fn connect(server: &Server) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(super::address(&server.base)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Asks again and again until the answer is as it should be.
async fn ask_until(stream: &mut TcpStream, path: &str, good: impl Fn(&Value) -> bool) -> anyhow::Result<()> {
    let (request, mut buffer, began) = (load::get(path), Vec::new(), Instant::now());
    loop {
        stream.write_all(&request).await?;
        let (status, body) = load::read_answer(stream, &mut buffer).await?;
        anyhow::ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(&body));
        if good(&serde_json::from_slice(&body)?) {
            return Ok(());
        }
        anyhow::ensure!(began.elapsed() < Duration::from_secs(30), "{path} was never so");
    }
}
