//! Histories of real processes under faults: two gateways, clients that want the same few seats, and in between a gateway killed,
//! a gateway asleep for longer than its lease, a Postgres that crashes and is away for a while. What every client saw must be explained by seats that change
//! hands one at a time.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tests::catalog::Listing;
use tests::history::{Did, Flaw, Operation, flaw, story};
use tests::{Client, Database, Indexer, Postgres, Process, Server, until};

const CLIENTS: usize = 12;
const SEATS: u32 = 10;

/// Two doors to one event, and what was seen through them.
struct Scene {
    database: Database,
    listing: Listing,
    doors: [String; 2],
    seen: Mutex<Vec<Operation>>,
    stop: AtomicBool,
    held: AtomicUsize,
    failed: AtomicUsize,
}

impl Scene {
    fn see(&self, asked: Instant, answered: Option<Instant>, did: Did) {
        self.held.fetch_add(usize::from(matches!(did, Did::Took { .. }) && answered.is_some()), Ordering::Relaxed);
        self.seen.lock().unwrap().push(Operation { asked, answered, did });
    }

    /// Waits until so many more reservations were acknowledged.
    async fn some_are_held(&self, more: usize) {
        grows("reservations", &self.held, more).await;
    }

    /// Waits until so many more requests came to nothing.
    async fn some_fail(&self, more: usize) {
        grows("failures", &self.failed, more).await;
    }

    /// Asks at the other door from now on.
    fn turn(&self, door: &mut usize) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        *door = 1 - *door;
    }

    /// One person, who takes seats, finds them taken, lets them go, by one door or the other.
    async fn client(&self, number: usize) {
        let person = Client::with_session(&self.doors[0], &self.database).await;
        let mut door = number % 2;
        for turn in 0_u32.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let number = u32::try_from(number).unwrap();
            let first = (number * 3 + turn * 7) % SEATS;
            let seats = if turn % 3 == 0 { vec![first, (first + 1) % SEATS] } else { vec![first] };
            if let Some(holder) = self.take(&person, &mut door, seats.clone(), turn).await {
                self.release(&person, &mut door, holder, seats).await;
            }
        }
    }

    /// Insists on an answer under one key, at either door.
    async fn take(&self, person: &Client, door: &mut usize, seats: Vec<u32>, turn: u32) -> Option<String> {
        let (asked, key) = (Instant::now(), format!("turn-{turn}"));
        let body = json!({"event_id": self.listing.event, "seats": seats});
        loop {
            let path = format!("{}/ticket/reserve", self.doors[*door]);
            let request = person.request(Method::POST, &path).header("idempotency-key", &key).json(&body);
            let (status, answer) = answer(request).await;
            let now = Some(Instant::now());
            match (status, answer["type"].as_str()) {
                (201, _) => {
                    let holder = answer["reserve_id"].as_str().unwrap().to_owned();
                    let seq = answer["receipt"]["seq"].as_i64().unwrap();
                    self.see(asked, now, Did::Took { holder: holder.clone(), seats, seq });
                    return Some(holder);
                }
                (409, Some("/problem/seats-taken")) => {
                    let taken = serde_json::from_value(answer["seats"].clone()).unwrap();
                    self.see(asked, now, Did::FoundTaken(taken));
                    return None;
                }
                (409, Some("/problem/in-progress")) => {}
                (0 | 500 | 503, _) => self.turn(door),
                other => panic!("{other:?}: {answer}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Insists on letting go; it may take several tries, of which one does it.
    async fn release(&self, person: &Client, door: &mut usize, holder: String, seats: Vec<u32>) {
        let asked = Instant::now();
        loop {
            let path = format!("{}/ticket/reserve/{}", self.doors[*door], self.listing.event);
            match answer(person.request(Method::DELETE, &path)).await {
                (204, _) => return self.see(asked, Some(Instant::now()), Did::Released { holder, seats }),
                (0 | 500 | 503, _) => self.turn(door),
                other => panic!("{other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the tables say in the end.
    async fn read(&self) {
        let asked = Instant::now();
        let client = self.database.connect().await;
        let rows = client.query("select seat_no, hold_id::text from claim", &[]).await.unwrap();
        let mut seats: std::collections::BTreeMap<u32, Option<String>> = (0..SEATS).map(|seat| (seat, None)).collect();
        for row in rows {
            seats.insert(u32::try_from(row.get::<_, i32>(0)).unwrap(), Some(row.get(1)));
        }
        self.see(asked, Some(Instant::now()), Did::Read(seats));
    }
}

async fn grows(what: &str, count: &AtomicUsize, more: usize) {
    let from = count.load(Ordering::Relaxed);
    until(what, async || (count.load(Ordering::Relaxed) >= from + more).then_some(())).await;
}

/// Status and body; 0 when there was no answer.
async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    match request.timeout(Duration::from_secs(8)).send().await {
        Ok(response) => {
            let status = response.status().as_u16();
            (status, response.json().await.unwrap_or(Value::Null))
        }
        Err(_) => (0, Value::Null),
    }
}

async fn gateway(database: &Database, data: &TempDir, store: &str) -> Server {
    Server::start_on(database, data.path(), |command| {
        command.args(["--role", "gateway"]).env("FRONTROW_STORE", store);
    })
    .await
}

/// The faults, one after the other, each amid reservations that succeed; the owner changes with the first two.
async fn faults(scene: &Scene, postgres: &Postgres, (one, other): (&mut Process, &mut Process)) {
    scene.some_are_held(40).await;
    one.pause();
    scene.some_are_held(40).await;
    one.resume();
    scene.some_are_held(40).await;
    postgres.crash();
    // For longer than a lane tries to read its state anew.
    scene.some_fail(CLIENTS).await;
    postgres.start_again();
    scene.some_are_held(40).await;
    other.kill().await;
    scene.some_are_held(40).await;
    scene.stop.store(true, Ordering::Relaxed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_saw_under_faults_is_linearizable() {
    let postgres = Postgres::start("").await;
    let database = postgres.database();
    let listing = Listing { buyer_limit: 4, ..Listing::new("Everybody wants these", SEATS) };
    listing.insert(&database).await;
    let data = [(); 3].map(|()| TempDir::with_prefix("frontrow-histories-").unwrap());
    let _indexer = Indexer::start(&database, data[0].path());
    let store = format!("file://{}", Indexer::store(data[0].path()).display());
    let (mut one, mut other) = (gateway(&database, &data[1], &store).await, gateway(&database, &data[2], &store).await);
    let scene = Scene {
        database,
        listing,
        doors: [one.base.clone(), other.base.clone()],
        seen: Mutex::default(),
        stop: AtomicBool::new(false),
        held: AtomicUsize::new(0),
        failed: AtomicUsize::new(0),
    };
    // The first door's process has the lane.
    let person = Client::with_session(&one.base, &scene.database).await;
    let first = scene.take(&person, &mut 0, vec![0], 0).await.unwrap();
    scene.release(&person, &mut 0, first, vec![0]).await;
    let clients = join_all((0..CLIENTS).map(|number| scene.client(number)));
    futures::join!(clients, faults(&scene, &postgres, (&mut one.process, &mut other.process)));
    scene.read().await;
    let seen = scene.seen.into_inner().unwrap();
    let found = flaw(&seen).map(|flaw| match &flaw {
        Flaw::Seat(seat) => format!("{flaw}:\n{}", story(&seen, *seat)),
        Flaw::Inversion { .. } => flaw.to_string(),
    });
    assert!(found.is_none(), "in {} operations {}", seen.len(), found.unwrap_or_default());
    assert!(scene.database.number("select epoch from lane").await >= 3, "the lane changed hands");
}
