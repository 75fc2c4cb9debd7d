//! Uncached `GET /event` with text, a filter, date order and three facets over 200,000 events, beside an axum server that says hello.

use super::load;
use std::sync::Arc;
use std::time::Duration;
use tests::Server;

const EVENTS: usize = 200_000;
const CONNECTIONS: usize = 16;

const WORDS: [&str; 16] = [
    "beethoven",
    "symphony",
    "brahms",
    "concerto",
    "mozart",
    "piano",
    "wagner",
    "overture",
    "tchaikovsky",
    "violin",
    "strauss",
    "mahler",
    "ravel",
    "suite",
    "bernstein",
    "debussy",
];
const CITIES: [&str; 6] = ["New York", "Philadelphia", "Washington", "Tokyo", "London", "Vienna"];
const GENRES: [&str; 4] = ["Orchestral", "Concerto", "Chamber", "Choral"];

pub(crate) async fn run() -> anyhow::Result<()> {
    let (database, data) = super::demo(EVENTS).await?;
    let server = Server::start_on(&database, data.path(), |_| {}).await;
    let total = server.visitor().get("/event?limit=1&include_past=true").await.expect(200)["total"].as_u64().unwrap();
    anyhow::ensure!(total >= EVENTS as u64, "{total} events are searchable");
    // A price bound that differs each time makes every request one that no cache has seen.
    let request = |n: u64| {
        let pick = |list: &[&str], by: u64| list[usize::try_from(by).unwrap() % list.len()].replace(' ', "%20");
        let (word, filter) = (
            pick(&WORDS, n),
            if n.is_multiple_of(2) {
                format!("city={}", pick(&CITIES, n / 2))
            } else {
                format!("genre={}", pick(&GENRES, n / 2))
            },
        );
        let price = 100 + n;
        Some(load::get(&format!(
            "/event?q={word}&{filter}&price_min={price}&sort=date&facets=genre,city,venue&limit=20"
        )))
    };
    let addr = super::address(&server.base);
    load::run(addr, CONNECTIONS, Duration::from_secs(2), Arc::new(request)).await?;
    let outcome =
        load::run(addr, CONNECTIONS, Duration::from_secs(10), Arc::new(move |n| request(n + 10_000_000))).await?;
    anyhow::ensure!(outcome.statuses.keys().all(|status| *status == 200), "{:?}", outcome.statuses);
    let per_s = outcome.per_s(200);
    let figure = "text + filter + date sort + 3 facets, 200 k events";
    super::print(figure, (per_s, "/s"), (1_000.0, "bound, /s:"));
    super::print(figure, (per_s, "/s"), (super::hello_per_s(CONNECTIONS).await?, "hello axum, /s:"));
    super::print("  its p99", (outcome.quantile_ms(0.99), "ms"), (outcome.quantile_ms(0.5), "p50, ms:"));
    Ok(())
}
