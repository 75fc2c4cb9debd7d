//! Histories of real processes under faults: two gateways, clients that want the same few seats, and in between a gateway killed,
//! one asleep for longer than its lease, clocks that jump, a Postgres that crashes and is away for a while or is followed by its
//! standby, a Redis that forgets, dies or falls silent, commands delivered twice. What every client saw must be explained by seats
//! that change hands one at a time. `FRONTROW_HISTORIES_ROUNDS` has the faults come so many times.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use std::cell::Cell;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tests::catalog::Listing;
use tests::history::{Did, Flaw, Operation, flaw, story};
use tests::{Client, Database, Indexer, Postgres, Process, Redis, Server, WallClock, Wire, until};

const CLIENTS: usize = 12;
const SEATS: u32 = 10;

/// Two doors to one event, and what was seen through them. The first door's process has the lane at first.
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

/// Two gateways, their indexer, and where all of them keep their files.
struct Site {
    scene: Scene,
    one: Process,
    other: Process,
    _indexer: Indexer,
    _data: [TempDir; 3],
}

impl Site {
    async fn on(database: Database, adjust: impl Fn(usize, &mut Command)) -> Self {
        let listing = Listing { buyer_limit: 4, ..Listing::new("Everybody wants these", SEATS) };
        listing.insert(&database).await;
        let data = [(); 3].map(|()| TempDir::with_prefix("frontrow-histories-").unwrap());
        let indexer = Indexer::start(&database, data[0].path());
        let store = format!("file://{}", Indexer::store(data[0].path()).display());
        let gateway = async |number: usize| {
            Server::start_on(&database, data[number + 1].path(), |command| {
                command.args(["--role", "gateway"]).env("FRONTROW_STORE", &store);
                adjust(number, command);
            })
            .await
        };
        let (one, other) = (gateway(0).await, gateway(1).await);
        let scene = Scene {
            database,
            listing,
            doors: [one.base.clone(), other.base.clone()],
            seen: Mutex::default(),
            stop: AtomicBool::new(false),
            held: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
        };
        let person = Client::with_session(&one.base, &scene.database).await;
        let first = scene.take(&person, &mut 0, vec![0], 0).await.unwrap();
        scene.release(&person, &mut 0, first, vec![0]).await;
        Self { scene, one: one.process, other: other.process, _indexer: indexer, _data: data }
    }
}

impl Scene {
    async fn play(&self, faults: impl Future<Output = ()>) {
        let clients = join_all((0..CLIENTS).map(|number| self.client(number)));
        let faults = async {
            faults.await;
            self.some_are_held(40).await;
            self.stop.store(true, Ordering::Relaxed);
        };
        futures::join!(clients, faults);
    }

    /// Looks for a flaw in what was seen, and in what the tables say of it.
    async fn ends_without_a_flaw(self) {
        self.read().await;
        let seen = self.seen.into_inner().unwrap();
        let found = flaw(&seen).map(|flaw| match &flaw {
            Flaw::Seat(seat) => format!("{flaw}:\n{}", story(&seen, *seat)),
            Flaw::Inversion { .. } => flaw.to_string(),
        });
        assert!(found.is_none(), "in {} operations {}", seen.len(), found.unwrap_or_default());
        assert!(self.database.number("select epoch from lane").await >= 3, "the lane changed hands");
    }

    /// Stops whoever has the lane for longer than its lease.
    async fn sleeps(&self, owner: &Process) {
        self.some_are_held(40).await;
        owner.pause();
        self.some_are_held(40).await;
        owner.resume();
        self.some_are_held(40).await;
    }

    /// What waits in the stream is delivered once more, behind everybody else's.
    fn deliver_again(&self, redis: &Redis) -> usize {
        let stream = format!("frontrow:queue:{{{}}}", self.listing.event);
        let waiting = redis.cli(&["XRANGE", &stream, "-", "+"]);
        let lines: Vec<&str> = waiting.lines().collect();
        for entry in lines.chunks_exact(7) {
            redis.cli(&[&["XADD", &stream, "*"][..], &entry[1..]].concat());
        }
        lines.len() / 7
    }
}

fn rounds() -> usize {
    std::env::var("FRONTROW_HISTORIES_ROUNDS").map_or(1, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_saw_under_faults_is_linearizable() {
    let postgres = Postgres::start("").await;
    let clocks = [WallClock::new(), WallClock::new()];
    let mut site = Site::on(postgres.database(), |number, command| clocks[number].rule(command)).await;
    let Site { scene, one, other, .. } = &mut site;
    scene
        .play(async {
            for round in 0..rounds() {
                clocks[0].step_s(-86_400);
                clocks[1].step_s(3_600);
                // The lane changes hands with each.
                scene.sleeps(if round.is_multiple_of(2) { &*one } else { &*other }).await;
                clocks[0].step_s(86_400);
                clocks[1].step_s(-3_600);
                scene.some_are_held(40).await;
                postgres.crash();
                // For longer than a lane tries to read its state anew.
                scene.some_fail(CLIENTS).await;
                postgres.start_again();
                scene.some_are_held(40).await;
            }
            let owner = if rounds().is_multiple_of(2) { one } else { other };
            owner.kill().await;
        })
        .await;
    site.scene.ends_without_a_flaw().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_queues_in_redis_what_clients_saw_under_faults_is_linearizable() {
    let (primary, mut redis) = (Postgres::start("-c fsync=off").await, Redis::start().await);
    let wires = [Wire::to(redis.port()).await, Wire::to(redis.port()).await];
    let mut site = Site::on(primary.database(), |number, command| {
        command.env("FRONTROW_REDIS", format!("redis://127.0.0.1:{}", wires[number].port));
    })
    .await;
    let Site { scene, one, other, .. } = &mut site;
    scene
        .play(async {
            for round in 0..rounds() {
                scene.sleeps(if round.is_multiple_of(2) { &*one } else { &*other }).await;
                redis.cli(&["FLUSHALL"]);
                scene.some_are_held(40).await;
                redis.process.kill().await;
                scene.some_fail(CLIENTS).await;
                redis.restart().await;
                scene.some_are_held(40).await;
                wires.iter().for_each(Wire::silence);
                scene.some_are_held(40).await;
                let twice = Cell::new(0);
                until("commands are delivered twice", async || {
                    twice.set(twice.get() + scene.deliver_again(&redis));
                    (twice.get() >= 20).then_some(())
                })
                .await;
                scene.some_are_held(40).await;
            }
            let standby = primary.synchronous_standby();
            scene.some_are_held(40).await;
            let _promoted = primary.succeeded_by(standby);
            scene.some_are_held(40).await;
            let owner = if rounds().is_multiple_of(2) { one } else { other };
            owner.kill().await;
        })
        .await;
    site.scene.ends_without_a_flaw().await;
}
