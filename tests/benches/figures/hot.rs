//! The page that everybody refreshes: one query again and again, beside an axum server that says hello and a Varnish before this one.

use super::load;
use std::sync::Arc;
use std::time::Duration;
use tests::{Edge, Server};

const QUERY: &str = "/event?q=beethoven&facets=genre,city&limit=20";
const CONNECTIONS: usize = 16;
const SPAN: Duration = Duration::from_secs(6);
/// What a hot query must reach of either.
const HELLO_SHARE: f64 = 0.8;
const VARNISH_SHARE: f64 = 1.5;

pub(crate) async fn run() -> anyhow::Result<()> {
    let (database, data) = super::demo(super::cold::CONCERTS).await?;
    let server = Server::start_on(&database, data.path(), |_| {}).await;
    let edge = Edge::varnish(&server.base).await;
    let ours = per_s(&server.base).await?;
    let varnish = per_s(&edge.base).await?;
    let hello = super::hello_per_s(CONNECTIONS).await?;
    super::print("a hot query", (ours, "/s"), (hello * HELLO_SHARE, "hello x 0.8, /s:"));
    super::print("a hot query", (ours, "/s"), (varnish * VARNISH_SHARE, "Varnish x 1.5, /s:"));
    Ok(())
}

async fn per_s(base: &str) -> anyhow::Result<f64> {
    // As browsers ask.
    let get = format!("GET {QUERY} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip, br\r\n\r\n").into_bytes();
    let request: load::Requests = Arc::new(move |_| Some(get.clone()));
    let address = super::address(base);
    load::run(address, CONNECTIONS, Duration::from_secs(1), Arc::clone(&request)).await?;
    let outcome = load::run(address, CONNECTIONS, SPAN, request).await?;
    anyhow::ensure!(outcome.statuses.keys().all(|status| *status == 200), "{:?}", outcome.statuses);
    Ok(outcome.per_s(200))
}
