//! Six shapes of search over a million events, through HTTP with 16 connections while 100 events a second change, beside Postgres and
//! Typesense with the same documents, the same questions and nothing changing.
//!
//! Each question differs from the last ones, and the index moves many times a second, so hardly an answer comes from a cache.

mod postgres;
mod typesense;

use super::load;
use std::sync::Arc;
use std::time::Duration;
use tests::{Database, Server};

const CONNECTIONS: usize = 16;
const WARM: Duration = Duration::from_secs(2);
const SPAN: Duration = Duration::from_secs(8);
const CHANGES_PER_S: u64 = 100;
const P99_MS_MAX: f64 = 5.0;

/// What is asked, in every engine's stead; each translates it.
#[derive(Clone, Debug, Default)]
struct Question {
    words: String,
    /// The words may be misspelt.
    fuzzy: bool,
    city: Option<String>,
    genre: Option<String>,
    country: Option<String>,
    /// West, south, east, north in degrees.
    bbox: Option<[f64; 4]>,
    /// First and last instant of the start, in Unix seconds.
    span: Option<(i64, i64)>,
    by_date: bool,
    /// Count genres and cities.
    facets: bool,
    limit: usize,
}

/// What questions are made of: frequent words, and the values that events have, most frequent first.
struct Vocabulary {
    words: Vec<String>,
    cities: Vec<(String, f64, f64)>,
    genres: Vec<String>,
    countries: Vec<String>,
    /// Of the first and the last start, in Unix seconds.
    starts: (i64, i64),
}

type Make = fn(&Vocabulary, u64) -> Question;

const SHAPES: [(&str, Make); 6] = [
    ("one word, top 10", |v, n| Question { words: v.word(n), limit: 10, ..Question::default() }),
    ("two words + city", |v, n| Question {
        words: format!("{} {}", v.word(n), v.word(n / 7 + 3)),
        city: Some(pick(&v.cities, n).0.clone()),
        limit: 10,
        ..Question::default()
    }),
    ("genre + country by date, 20", |v, n| Question {
        genre: Some(pick(&v.genres, n).clone()),
        country: Some(pick(&v.countries, n / 3).clone()),
        span: Some((v.starts.0 + i64::try_from(n % 5_000).unwrap_or(0) * 600, v.starts.1)),
        by_date: true,
        limit: 20,
        ..Question::default()
    }),
    ("fuzzy prefix, top 10", |v, n| Question {
        words: misspelt(&v.word(n), n),
        fuzzy: true,
        limit: 10,
        ..Question::default()
    }),
    ("one word, facets genre + city", |v, n| Question {
        words: v.word(n),
        facets: true,
        limit: 10,
        ..Question::default()
    }),
    ("geo box + dates by date, 20", |v, n| {
        let (_, lat, lon) = pick(&v.cities, n);
        let half = 0.5 + (n % 16) as f64 / 4.0;
        let from = v.starts.0 + i64::try_from(n % 400).unwrap_or(0) * 86_400;
        Question {
            bbox: Some([lon - half, lat - half, lon + half, lat + half]),
            span: Some((from, from + 30 * 86_400)),
            by_date: true,
            limit: 20,
            ..Question::default()
        }
    }),
];

fn pick<T>(list: &[T], n: u64) -> &T {
    &list[usize::try_from(n).unwrap_or(0) % list.len()]
}

/// The word's beginning with one letter changed, as people type it: at least five letters are left.
fn misspelt(word: &str, n: u64) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    let kept = (letters.len() - usize::try_from(n % 2).unwrap_or(0)).max(5).min(letters.len());
    letters.truncate(kept);
    let at = 2 + usize::try_from(n).unwrap_or(0) % (kept - 3);
    letters.swap(at, at + 1);
    letters.into_iter().collect()
}

impl Vocabulary {
    fn word(&self, n: u64) -> String {
        // A step without a common divisor: neighbours in time are not neighbours in the list.
        pick(&self.words, n.wrapping_mul(7_919)).clone()
    }
}

pub(crate) async fn run() -> anyhow::Result<()> {
    let (database, data) = super::demo(super::events()?).await?;
    super::index::build(&database, data.path()).await;
    let vocabulary = Arc::new(postgres::prepare(&database).await?);
    let typesense = typesense::Engine::start(&database).await?;
    let server = Server::start_on(&database, data.path(), |_| {}).await;
    cold_replica(&database, data.path()).await?;
    let mut peers = Vec::new();
    for (name, make) in SHAPES {
        let (database, vocabulary) = (&database, &vocabulary);
        peers.push((
            postgres::per_s(database, vocabulary, make).await?,
            typesense.per_s(vocabulary, make).await.map_err(|error| error.context(name))?,
        ));
    }
    typesense.stop().await;
    let changes = tokio::spawn(change(database.clone()));
    for ((name, make), (postgres, typesense)) in SHAPES.into_iter().zip(peers) {
        let addr = super::address(&server.base);
        let words = Arc::clone(&vocabulary);
        let request: load::Requests = Arc::new(move |n| Some(load::get(&path(&make(&words, n)))));
        load::run(addr, CONNECTIONS, WARM, Arc::clone(&request)).await?;
        let outcome = load::run(addr, CONNECTIONS, SPAN, Arc::new(move |n| request(n + 1_000_000))).await?;
        anyhow::ensure!(outcome.statuses.keys().all(|status| *status == 200), "{name}: {:?}", outcome.statuses);
        let per_s = outcome.per_s(200);
        super::print(name, (per_s, "/s"), (postgres, "Postgres, /s:"));
        super::print(name, (per_s, "/s"), (typesense, "Typesense, /s:"));
        super::print("  its p99", (outcome.quantile_ms(0.99), "ms"), (P99_MS_MAX, "bound, ms:"));
    }
    changes.abort();
    let rss_mib = resident_mib(server.process.id())?;
    super::print("memory of the whole process", (rss_mib, "MiB"), (2_048.0, "bound of a replica, MiB:"));
    Ok(())
}

/// A replica that begins with an empty directory beside a published index: the time until it is ready, and its memory.
async fn cold_replica(database: &Database, data: &std::path::Path) -> anyhow::Result<()> {
    let own = tempfile::TempDir::with_prefix("frontrow-bench-replica-")?;
    let store = format!("file://{}", data.join("store").display());
    let start = std::time::Instant::now();
    let replica = Server::start_on(database, own.path(), |command| {
        command.args(["--role", "search"]).env("FRONTROW_STORE", &store);
    })
    .await;
    super::print("replica ready from cold", (start.elapsed().as_secs_f64(), "s"), (20.0, "bound, s:"));
    super::print("memory of a replica", (resident_mib(replica.process.id())?, "MiB"), (2_048.0, "bound, MiB:"));
    Ok(())
}

fn resident_mib(process: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).and_then(|rest| rest.split_whitespace().next());
    Ok(kib.ok_or_else(|| anyhow::anyhow!("no VmRSS"))?.parse::<f64>()? / 1_024.0)
}

/// The question as `GET /event` has it.
fn path(question: &Question) -> String {
    let mut url = reqwest::Url::parse("http://localhost/event").unwrap();
    let mut parameters = url.query_pairs_mut();
    let mut add = |name: &str, value: &str| {
        parameters.append_pair(name, value);
    };
    if !question.words.is_empty() {
        add("q", &question.words);
    }
    for (name, value) in [("city", &question.city), ("genre", &question.genre), ("country", &question.country)] {
        if let Some(value) = value {
            add(name, value);
        }
    }
    if let Some(bbox) = question.bbox {
        add("bbox", &bbox.map(|edge| format!("{edge:.4}")).join(","));
    }
    if let Some((from, to)) = question.span {
        for (name, second) in [("from", from), ("to", to)] {
            add(name, &jiff::Timestamp::from_second(second).map(|at| at.to_string()).unwrap_or_default());
        }
    }
    if question.by_date {
        add("sort", "date");
    }
    if question.facets {
        add("facets", "genre,city");
    }
    add("limit", &question.limit.to_string());
    drop(parameters);
    format!("/event?{}", url.query().unwrap_or_default())
}

/// Changes events at a steady pace until aborted: each a row of its own transaction, all over the index.
async fn change(database: Database) -> anyhow::Result<()> {
    let client = database.connect().await;
    let slots: i32 = client.query_one("select max(slot) from event", &[]).await?.get(0);
    let mut tick = tokio::time::interval(Duration::from_millis(1_000 / CHANGES_PER_S));
    for n in 0_i32.. {
        tick.tick().await;
        let slot = n.wrapping_mul(7_919).rem_euclid(slots);
        client.execute("update event set popularity = popularity + 1 where slot = $1", &[&slot]).await?;
    }
    Ok(())
}
