//! Many people at one event's seat map over HTTP: everyone is told each change in the same bytes, who comes back what was missed, and
//! who does not read is told everything anew instead of having it kept for them. `FRONTROW_SUBSCRIBERS` (500) says how many.

use model::EventId;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::io::Write as _;
use std::time::{Duration, Instant};
use tests::catalog::Listing;
use tests::{Client, Database, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

const SEATS: u32 = 20_000;
/// Seats of one change: a few kilobytes.
const CHANGE_SEATS: u32 = 400;
/// Holds made and let go: fewer changes than a reader may be behind.
const ROUNDS: u32 = 20;
/// The change after which everyone goes.
const LAST_SEAT: u32 = SEATS - 1;
/// Memory of the server for each stream, read or not.
const BYTES_MAX: u64 = 150_000;

/// The place where it happens.
struct Scene {
    database: Database,
    server: Server,
    event: EventId,
    buyer: Client,
}

impl Scene {
    async fn new() -> Self {
        let database = Database::migrated().await;
        let mut listing = Listing::new("An evening", SEATS);
        listing.buyer_limit = 1_000;
        listing.insert(&database).await;
        let server = Server::start(&database).await;
        let buyer = Client::with_session(&server.base, &database).await;
        Self { database, server, event: listing.event, buyer }
    }

    async fn hold(&self, seats: Vec<u32>) {
        let held = self.buyer.post_new("/ticket/reserve", &json!({"event_id": self.event, "seats": seats})).await;
        assert_eq!(held.status, 201, "{}", held.text);
    }

    async fn let_go(&self) {
        let gone = self.buyer.delete(&format!("/ticket/reserve/{}", self.event)).await;
        assert_eq!(gone.status, 204, "{}", gone.text);
    }

    /// Two changes of the same seats.
    async fn hold_and_let_go(&self, round: u32) {
        let first = round * CHANGE_SEATS % (SEATS / 2);
        self.hold((first..first + CHANGE_SEATS).collect()).await;
        self.let_go().await;
    }

    async fn map(&self) -> Value {
        self.server.visitor().get(&format!("/event/{}/seats", self.event)).await.expect(200)
    }

    /// A stream from now, or from a version seen before.
    async fn watch(&self, socket: TcpSocket, seen: Option<u64>) -> Stream {
        let address = self.server.base.trim_start_matches("http://").parse().unwrap();
        let mut connection = socket.connect(address).await.unwrap();
        let seen = seen.map_or(String::new(), |version| format!("last-event-id: {version}\r\n"));
        // HTTP/1.0: the stream comes as it is, not in chunks.
        let path = format!("/event/{}/seats/stream", self.event);
        let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\n{seen}\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut stream = Stream { connection, unread: Vec::new() };
        let head = stream.until(b"\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.0 200"), "{head}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        stream
    }

    /// What the server's process takes of the machine's memory, in bytes.
    fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }
}

/// A stream whose head was read.
struct Stream {
    connection: TcpStream,
    unread: Vec<u8>,
}

/// A message: its event, and what stands in it.
type Message = (String, Data);

#[derive(Debug, Deserialize)]
struct Data {
    version: u64,
    from: Option<u64>,
    changes: Option<Vec<(usize, u8)>>,
    states: Option<String>,
}

impl Stream {
    async fn until(&mut self, end: &[u8]) -> String {
        loop {
            if let Some(at) = self.unread.windows(end.len()).position(|bytes| bytes == end) {
                let rest = self.unread.split_off(at + end.len());
                return String::from_utf8(std::mem::replace(&mut self.unread, rest)).unwrap();
            }
            assert!(self.connection.read_buf(&mut self.unread).await.unwrap() > 0, "the stream has ended");
        }
    }

    /// The next message as it came.
    async fn text(&mut self) -> String {
        loop {
            let text = self.until(b"\n\n").await;
            if !text.starts_with(':') {
                return text;
            }
        }
    }

    async fn message(&mut self) -> Message {
        let text = self.text().await;
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let data: Data = serde_json::from_str(field("data: ")).unwrap();
        assert_eq!(field("id: "), data.version.to_string());
        (field("event: ").to_owned(), data)
    }
}

/// A map as a page keeps it.
#[derive(Default)]
struct Shown {
    version: u64,
    states: Vec<u8>,
}

impl Shown {
    /// Follows a message; one that does not follow on what is shown fails the test.
    fn follow(&mut self, (event, data): Message) {
        if let Some(states) = data.states {
            assert_eq!(event, "snapshot");
            self.states = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, states).unwrap();
        } else {
            assert_eq!((event.as_str(), data.from), ("delta", Some(self.version)));
            for (seat, state) in data.changes.unwrap() {
                let (byte, shift) = (&mut self.states[seat / 4], seat % 4 * 2);
                *byte = *byte & !(3 << shift) | state << shift;
            }
        }
        self.version = data.version;
    }

    /// Is what the server says of itself.
    async fn is_true(&self, scene: &Scene) {
        let map = scene.map().await;
        let states = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &self.states);
        assert_eq!((map["version"].as_u64(), map["states"].as_str()), (Some(self.version), Some(states.as_str())));
    }
}

fn socket() -> TcpSocket {
    TcpSocket::new_v4().unwrap()
}

/// Reads until the last change; says what the whole of it comes to, how many messages that were, and when the last of them was there.
async fn read_on(mut stream: Stream) -> ([u8; 32], u32, Instant) {
    let (mut digest, mut count) = (Sha256::new(), 0);
    let last = format!("[[{LAST_SEAT},1]]");
    loop {
        let text = stream.text().await;
        digest.update(&text);
        count += 1;
        if text.contains(&last) {
            return (digest.finalize().into(), count, Instant::now());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everyone_is_told_each_change_in_the_same_bytes() {
    let people = std::env::var("FRONTROW_SUBSCRIBERS").map_or(500, |people| people.parse().unwrap());
    let scene = Scene::new().await;
    scene.hold_and_let_go(0).await;
    let (before, opened) = (scene.resident(), Instant::now());
    let (mut audience, mut asleep) = (JoinSet::new(), Vec::new());
    for number in 0..people {
        audience.spawn(read_on(scene.watch(socket(), None).await));
        if number % 10 == 0 {
            asleep.push(scene.watch(socket(), None).await);
        }
    }
    let opening = opened.elapsed();
    let mut one = scene.watch(socket(), None).await;
    let mut shown = Shown::default();
    shown.follow(one.message().await);
    for round in 0..ROUNDS {
        scene.hold_and_let_go(round).await;
    }
    let asked = Instant::now();
    scene.hold(vec![LAST_SEAT]).await;
    let told = audience.join_all().await;
    let cost = scene.resident().saturating_sub(before) / (told.len() + asleep.len()) as u64;
    let (first, ..) = told[0];
    assert!(told.iter().all(|(digest, count, _)| (*digest, *count) == (first, 2 * ROUNDS + 2)), "not the same for all");
    for _ in 0..=2 * ROUNDS {
        shown.follow(one.message().await);
    }
    shown.is_true(&scene).await;
    let late = told.iter().map(|(.., at)| at.duration_since(asked)).max().unwrap_or(Duration::ZERO);
    writeln!(
        std::io::stderr(),
        "{people} subscribers, {} more asleep: there in {opening:.1?}; a hold has reached the last of them {late:.1?} after it was \
         asked for; {cost} bytes of memory each",
        asleep.len()
    )
    .unwrap();
    assert!(cost <= BYTES_MAX, "{cost} bytes for each of {people}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_is_told_everything_anew() {
    const CHANGES: u32 = 240;
    let scene = Scene::new().await;
    scene.hold_and_let_go(0).await;
    let small = socket();
    small.set_recv_buffer_size(4_096).unwrap();
    let mut slow = scene.watch(small, None).await;
    let mut shown = Shown::default();
    shown.follow(slow.message().await);
    for round in 0..CHANGES / 2 {
        scene.hold_and_let_go(round).await;
    }
    scene.hold(vec![LAST_SEAT]).await;
    let last = scene.map().await["version"].as_u64().unwrap();
    let (mut messages, mut anew) = (0, 0);
    while shown.version < last {
        let message = slow.message().await;
        messages += 1;
        anew += u32::from(message.0 == "snapshot");
        shown.follow(message);
    }
    shown.is_true(&scene).await;
    assert_eq!(anew, 1, "{messages} messages");
    assert!(messages < CHANGES / 2, "{messages} messages were kept for who did not read");
    assert_eq!(scene.database.number("select count(*) from claim").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_is_told_what_was_missed() {
    let scene = Scene::new().await;
    let mut stream = scene.watch(socket(), None).await;
    let mut shown = Shown::default();
    shown.follow(stream.message().await);
    scene.hold(vec![1, 2]).await;
    shown.follow(stream.message().await);
    drop(stream);
    scene.hold(vec![7]).await;
    scene.let_go().await;
    let mut again = scene.watch(socket(), Some(shown.version)).await;
    let (event, missed) = again.message().await;
    assert_eq!(event, "delta");
    assert_eq!(missed.changes.as_deref(), Some([(1, 0), (2, 0), (7, 0)].as_slice()), "each seat once");
    shown.follow((event, missed));
    shown.is_true(&scene).await;
    // A version that nobody here remembers: everything.
    let (event, _) = scene.watch(socket(), Some(12_345)).await.message().await;
    assert_eq!(event, "snapshot");
}
