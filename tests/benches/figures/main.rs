//! The figures, each beside its ceiling or bound from the same run: `cargo bench -p tests [-- NAME…]`.
//!
//! Everything runs as its users run it: release binaries, a private cluster, HTTP over loopback. Absolute numbers are this machine's;
//! the ratios are what to compare. `FRONTROW_BENCH_EVENTS` (1000000) sizes the `index` figure.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a bench prints, and fails by panicking")]
#![allow(clippy::cast_precision_loss, reason = "figures are printed to three places")]

mod best;
mod buyers;
mod ceilings;
mod cold;
mod crash;
mod freshness;
mod holds;
mod hot;
mod index;
mod lane;
mod load;
mod on_sale;
mod refusals;
mod relevance;
mod search;
mod shapes;
mod stream;
mod takeover;

use std::process::Command;
use std::time::Duration;

fn main() -> anyhow::Result<()> {
    let asked: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|one| one == name);
    let built = Command::new(env!("CARGO")).args(["build", "--release", "--workspace", "--bins"]).status()?;
    anyhow::ensure!(built.success(), "the release binaries do not build");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    println!("{:<58}{:>14}{:>30}{:>10}", "figure", "measured", "beside", "ratio");
    if wanted("cold") {
        runtime.block_on(cold::run())?;
    }
    if wanted("freshness") {
        runtime.block_on(freshness::run())?;
    }
    if wanted("best") {
        best::run()?;
    }
    if wanted("lane") {
        runtime.block_on(lane::run())?;
    }
    if wanted("holds") {
        runtime.block_on(holds::run())?;
    }
    if wanted("on-sale") {
        runtime.block_on(on_sale::run())?;
    }
    if wanted("takeover") {
        runtime.block_on(takeover::run())?;
    }
    if wanted("crash") {
        runtime.block_on(crash::run())?;
    }
    if wanted("refusals") {
        runtime.block_on(refusals::run())?;
    }
    if wanted("search") {
        runtime.block_on(search::run())?;
    }
    if wanted("stream") {
        runtime.block_on(stream::run())?;
    }
    if wanted("hot") {
        runtime.block_on(hot::run())?;
    }
    if wanted("index") {
        runtime.block_on(index::run())?;
    }
    if wanted("relevance") {
        runtime.block_on(relevance::run())?;
    }
    if wanted("shapes") {
        runtime.block_on(shapes::run())?;
    }
    Ok(())
}

/// One line: what was measured, what it stands beside, and the first over the second.
fn print(figure: &str, (measured, unit): (f64, &str), (beside, what): (f64, &str)) {
    let measured_text = format!("{measured:.1} {unit}");
    let beside_text = format!("{what} {beside:.1}");
    println!("{figure:<58}{measured_text:>14}{beside_text:>30}{:>10.2}", measured / beside);
}

/// The latency that a share (0 to 1) of the sorted latencies does not exceed, in milliseconds.
fn quantile_ms(sorted: &[Duration], share: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index within the slice")]
    let index = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
}

/// The site's address, for raw connections.
fn address(base: &str) -> std::net::SocketAddr {
    base.trim_start_matches("http://").parse().unwrap()
}

/// Answers per second of an axum server that says hello, on this runtime: the ceiling of any handler.
async fn hello_per_s(connections: usize) -> anyhow::Result<f64> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let app = axum::Router::new().route("/", axum::routing::get(async || "hello, world"));
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let outcome =
        load::run(addr, connections, Duration::from_secs(4), std::sync::Arc::new(|_| Some(load::get("/")))).await?;
    server.abort();
    Ok(outcome.per_s(200))
}

/// How many events the large figures are taken over: a million, unless `FRONTROW_BENCH_EVENTS` says otherwise.
fn events() -> anyhow::Result<usize> {
    Ok(std::env::var("FRONTROW_BENCH_EVENTS").map_or(Ok(1_000_000), |text| text.parse())?)
}

/// Runs the release `frontrow` with arguments on a database and waits for its end.
async fn frontrow(database: &tests::Database, args: &[&str]) -> anyhow::Result<()> {
    let status = tokio::process::Command::new(tests::binary("frontrow"))
        .args(args)
        .env("DATABASE_URL", &database.url)
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .status()
        .await?;
    anyhow::ensure!(status.success(), "frontrow {args:?}: {status}");
    Ok(())
}

/// A database with the demo's first `events` events, and a data directory for whoever serves it.
async fn demo(events: usize) -> anyhow::Result<(tests::Database, tempfile::TempDir)> {
    let database = tests::Database::migrated().await;
    let data = tempfile::TempDir::with_prefix("frontrow-bench-")?;
    let path = data.path().to_str().unwrap().to_owned();
    frontrow(&database, &["demo", "--events", &events.to_string(), "--data", &path]).await?;
    Ok((database, data))
}
