//! Two gateways on one database: one serves an event, the other says so, or asks by Redis, and takes over when the first is killed
//! or falls asleep.
//!
//! Whatever happens, no acknowledged hold is lost, no seat is had twice, and who was answered before another asked comes first.

use futures::future::join_all;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tests::catalog::{self, Listing};
use tests::{Client, Database, Indexer, Process, Redis, Server, until};

/// A process's lease as it is by default, and what taking over may take beside: far below it on a machine with nothing else to do.
const LEASE: Duration = Duration::from_secs(3);
const TAKEOVER_MAX: Duration = Duration::from_secs(5);

/// Two gateways and what they share. The first serves the event.
struct Pair {
    database: Database,
    listing: Listing,
    one: Server,
    other: Server,
    _indexer: Indexer,
    _data: [TempDir; 3],
}

impl Pair {
    async fn start() -> Self {
        Self::by(None).await
    }

    /// With the queues in Redis, if there is one.
    async fn by(redis: Option<&Redis>) -> Self {
        let database = Database::migrated().await;
        let listing = catalog::on_sale(&database, "Two doors", 200).await;
        let data = [(); 3].map(|()| TempDir::with_prefix("frontrow-gateways-").unwrap());
        let indexer = Indexer::start(&database, data[0].path());
        let store = format!("file://{}", Indexer::store(data[0].path()).display());
        let gateway = async |data: &TempDir| {
            Server::start_on(&database, data.path(), |command| {
                command.args(["--role", "gateway"]).env("FRONTROW_STORE", &store);
                command.envs(redis.map(|redis| ("FRONTROW_REDIS", &redis.url)));
            })
            .await
        };
        let (one, other) = (gateway(&data[1]).await, gateway(&data[2]).await);
        let pair = Self { database, listing, one, other, _indexer: indexer, _data: data };
        let first = pair.buyer(&pair.one).await;
        pair.reserve(&first, "first").await.expect(201).as_object().unwrap();
        pair
    }

    async fn buyer(&self, server: &Server) -> Client {
        Client::with_session(&server.base, &self.database).await
    }

    async fn reserve(&self, buyer: &Client, key: &str) -> tests::Answer {
        let body = json!({"event_id": self.listing.event, "best_available": {"quantity": 1}});
        buyer.post_once("/ticket/reserve", &body, key).await
    }

    /// Asks again and again under one key until there is a hold.
    async fn insist(&self, buyer: &Client, key: &str) -> Value {
        until("a hold", async || {
            let answer = self.reserve(buyer, key).await;
            if answer.status.as_u16() == 201 {
                return Some(answer.json);
            }
            assert_eq!(answer.headers["retry-after"], "1", "{}", answer.text);
            match answer.status.as_u16() {
                // Somebody else insists under the same key, and waits in the queue.
                409 => answer.problem(409, "in-progress"),
                _ => answer.problem(503, "busy"),
            };
            None
        })
        .await
    }

    /// Each seat once, and the log as the tables have it.
    async fn is_exact(&self, holds: i64) {
        let number = async |sql| self.database.number(sql).await;
        assert_eq!(number("select count(*) from hold").await, holds);
        assert_eq!(number("select count(*) from claim").await, holds);
        assert_eq!(number("select count(distinct hold_id) from claim").await, holds);
        assert_eq!(number("select seq - (select count(*) from lane_log) from lane").await, 0, "the log has no gap");
    }

    /// Where each hold stands in the log: its entry, and its place in that.
    async fn places(&self) -> Vec<(String, (i64, usize))> {
        let client = self.database.connect().await;
        let mut places = Vec::new();
        for row in client.query("select seq, payload from lane_log order by seq", &[]).await.unwrap() {
            let facts: Vec<Value> = serde_json::from_slice(row.get(1)).unwrap();
            let holds = facts.iter().filter(|fact| fact["fact"] == "held");
            places.extend(
                holds.enumerate().map(|(at, fact)| (fact["hold"].as_str().unwrap().to_owned(), (row.get(0), at))),
            );
        }
        places
    }
}

/// One buyer's hold: when it was first asked for, when it was answered.
struct Held {
    hold: String,
    asked: Instant,
    answered: Instant,
}

/// Nobody who asked after another was answered stands before them.
async fn no_inversions(pair: &Pair, held: &[Held]) {
    let places: std::collections::HashMap<_, _> = pair.places().await.into_iter().collect();
    for earlier in held {
        for later in held.iter().filter(|later| later.asked > earlier.answered) {
            assert!(places[&earlier.hold] < places[&later.hold], "{} before {}", later.hold, earlier.hold);
        }
    }
}

/// Everyone asks for a seat; once some are told the process is killed. What they were told, and when it ended.
async fn kill_amid(process: &mut Process, listing: &Listing, buyers: &[Client]) -> (Vec<Option<Held>>, Instant) {
    let told = AtomicUsize::new(0);
    let ask = async |buyer: &Client| {
        let asked = Instant::now();
        let body = json!({"event_id": listing.event, "best_available": {"quantity": 1}});
        let request = buyer.request(reqwest::Method::POST, "/ticket/reserve").header("idempotency-key", "once");
        let hold: Value = request.json(&body).send().await.ok()?.json().await.ok()?;
        told.fetch_add(1, Ordering::Relaxed);
        Some(Held { hold: hold["reserve_id"].as_str()?.to_owned(), asked, answered: Instant::now() })
    };
    let kill = async {
        until("some are told", async || (told.load(Ordering::Relaxed) >= 20).then_some(())).await;
        process.kill().await;
        Instant::now()
    };
    futures::join!(join_all(buyers.iter().map(&ask)), kill)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_owner_is_followed_within_its_lease_and_nothing_is_lost() {
    let mut pair = Pair::start().await;
    let busy = pair.reserve(&pair.buyer(&pair.other).await, "k").await;
    assert_eq!(busy.headers["retry-after"], "1");
    busy.problem(503, "busy").as_object().unwrap();
    let buyers = join_all((0..150).map(|_| pair.buyer(&pair.one))).await;
    let (first, killed) = kill_amid(&mut pair.one.process, &pair.listing, &buyers).await;
    let followed = async {
        pair.insist(&buyers[0].at(&pair.other.base), "once").await;
        killed.elapsed()
    };
    let (again, took) = futures::join!(
        join_all(buyers.iter().map(async |buyer| {
            let asked = Instant::now();
            let hold = pair.insist(&buyer.at(&pair.other.base), "once").await;
            Held { hold: hold["reserve_id"].as_str().unwrap().to_owned(), asked, answered: Instant::now() }
        })),
        followed
    );
    assert!(took < TAKEOVER_MAX, "{took:?}, of which {LEASE:?} are the lease");
    let mut told_of: Vec<Held> = Vec::new();
    for (first, again) in first.into_iter().zip(again) {
        if let Some(first) = &first {
            assert_eq!(again.hold, first.hold, "an acknowledged hold was lost");
        }
        // Asked of the first, and answered by it or by nobody: then its place may be of any time until the second told it.
        told_of.extend(first);
    }
    assert!((20..150).contains(&told_of.len()), "{} were told before the end", told_of.len());
    for n in 0..10 {
        let (newcomer, asked) = (pair.buyer(&pair.other).await, Instant::now());
        let hold = pair.reserve(&newcomer, &n.to_string()).await.expect(201)["reserve_id"].as_str().unwrap().to_owned();
        told_of.push(Held { hold, asked, answered: Instant::now() });
    }
    no_inversions(&pair, &told_of).await;
    pair.is_exact(161).await;
    assert_eq!(pair.database.number("select epoch from lane").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_slept_longer_than_its_lease_writes_nothing_when_it_wakes() {
    let mut pair = Pair::start().await;
    let buyers = join_all((0..60).map(|_| pair.buyer(&pair.one))).await;
    let written_by_the_first = "select count(*) from lane_log where epoch = 1";
    let asleep = async {
        until("some are written", async || (pair.database.number("select count(*) from hold").await > 1).then_some(()))
            .await;
        pair.one.process.pause();
        let late = pair.buyer(&pair.other).await;
        pair.insist(&late, "late").await;
        let before = pair.database.number(written_by_the_first).await;
        pair.one.process.resume();
        before
    };
    let asked = Instant::now();
    let first = join_all(buyers.iter().map(async |buyer| {
        let answer = pair.reserve(buyer, "once").await;
        (answer.status.as_u16(), answer.json, Instant::now())
    }));
    let (first, before) = futures::join!(first, asleep);
    let mut told_of = Vec::new();
    for (buyer, (status, answer, answered)) in buyers.iter().zip(&first) {
        assert!([201, 503].contains(status), "{answer}");
        let again = pair.insist(&buyer.at(&pair.other.base), "once").await;
        if *status == 201 {
            assert_eq!(again["reserve_id"], answer["reserve_id"], "an acknowledged hold was lost");
            let hold = answer["reserve_id"].as_str().unwrap().to_owned();
            told_of.push(Held { hold, asked, answered: *answered });
        }
    }
    no_inversions(&pair, &told_of).await;
    assert_eq!(pair.database.number(written_by_the_first).await, before, "the sleeper wrote when it woke");
    let newcomer = pair.buyer(&pair.one).await;
    pair.reserve(&newcomer, "k").await.problem(503, "busy").as_object().unwrap();
    pair.other.process.kill().await;
    pair.insist(&newcomer, "k").await;
    pair.is_exact(63).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_redis_any_gateway_takes_requests_and_outlives_the_lanes_owner() {
    let redis = Redis::start().await;
    let mut pair = Pair::by(Some(&redis)).await;
    let buyers = join_all((0..150).map(|_| pair.buyer(&pair.other))).await;
    pair.reserve(&buyers[0], "at once").await.expect(201).as_object().unwrap();
    assert_eq!(pair.database.number("select epoch from lane").await, 1, "the lane stayed where it was");
    let (told, killed) = kill_amid(&mut pair.one.process, &pair.listing, &buyers).await;
    assert!(killed.elapsed() < TAKEOVER_MAX, "{:?}", killed.elapsed());
    let told: Vec<Held> = told.into_iter().map(|held| held.expect("nobody had to ask twice")).collect();
    for (buyer, first) in buyers.iter().zip(&told) {
        assert_eq!(pair.insist(buyer, "once").await["reserve_id"], *first.hold, "an acknowledged hold was lost");
    }
    no_inversions(&pair, &told).await;
    pair.is_exact(152).await;
    assert_eq!(pair.database.number("select epoch from lane").await, 2);
    let key = format!("frontrow:queue:{{{}}}", pair.listing.event);
    until("the stream is empty", async || (redis.cli(&["XLEN", &key]) == "0").then_some(())).await;
}
