//! The whole on-sale: a hundred thousand people over HTTP want twenty thousand seats, and what they were told is held against the tables.
//!
//! Each asks for the best one to four seats there are, or for named ones; who finds those taken asks for the best; who finds not enough
//! asks for one, and leaves without it.

use super::{buyers, load};
use model::EventId;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tests::history::{Did, Operation, flaw};
use tests::{Database, Server, catalog};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const SEATS: u32 = 20_000;
const PEOPLE: u32 = 100_000;
const CONNECTIONS: usize = 1_024;
const HELLO_CONNECTIONS: usize = 64;
/// What a full queue says by `Retry-After`.
const RETRY: Duration = Duration::from_secs(1);

pub(crate) async fn run() -> anyhow::Result<()> {
    let database = Database::migrated().await;
    let listing = catalog::on_sale(&database, "Everybody wants in", SEATS).await;
    let people = buyers::with_sessions(&database, PEOPLE).await?;
    let server = Server::start(&database).await;
    let crowd = Arc::new(Crowd {
        address: super::address(&server.base),
        event: listing.event,
        people,
        next: AtomicU32::new(0),
    });
    let started = Instant::now();
    let visits: Vec<_> = (0..CONNECTIONS).map(|_| tokio::spawn(Arc::clone(&crowd).visit())).collect();
    let mut seen = Seen::default();
    for visit in visits {
        seen.add(visit.await??);
    }
    let wall = started.elapsed();
    seen.is_true(&database).await?;
    super::frontrow(&database, &["audit", &listing.event.to_string()]).await?;
    let hello = super::hello_per_s(HELLO_CONNECTIONS).await?;
    let asked = seen.latencies.len() as f64;
    seen.latencies.sort_unstable();
    let quantile = |share| super::quantile_ms(&seen.latencies, share);
    super::print("20,000 seats, 100,000 people", (wall.as_secs_f64(), "s"), (asked / hello, "as many hellos, s:"));
    super::print("  their requests", (asked / wall.as_secs_f64(), "/s"), (hello, "hello, /s:"));
    super::print("  their p99", (quantile(0.99), "ms"), (quantile(0.5), "p50, ms:"));
    super::print("  told to come again", (f64::from(seen.busy), ""), (asked, "requests:"));
    // Each would have ended the run.
    super::print("  inversions, double sells, lost answers", (0.0, ""), (seen.told.len() as f64, "reservations:"));
    Ok(())
}

/// Those who come.
struct Crowd {
    address: SocketAddr,
    event: EventId,
    people: Vec<String>,
    next: AtomicU32,
}

/// What was seen by those of one connection, or by all.
#[derive(Default)]
struct Seen {
    history: Vec<Operation>,
    /// Reservations that were acknowledged.
    told: HashSet<String>,
    latencies: Vec<Duration>,
    busy: u32,
}

impl Crowd {
    /// One after another comes by this connection, until nobody is left.
    async fn visit(self: Arc<Self>) -> anyhow::Result<Seen> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let mut seen = Seen::default();
        loop {
            let person = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(token) = self.people.get(person as usize) else { return Ok(seen) };
            let mut chance = SmallRng::seed_from_u64(person.into());
            let (quantity, first) = (chance.random_range(1..=4), chance.random_range(0..SEATS - 4));
            let mut wish = if person.is_multiple_of(4) { named(first, quantity) } else { best(quantity) };
            for wishes in 0.. {
                let answer = self.ask(&mut stream, (token, wishes), &wish, &mut seen).await?;
                wish = match answer["type"].as_str() {
                    Some("/problem/seats-taken") => best(quantity),
                    Some("/problem/not-enough-seats") if wish != best(1) => best(1),
                    None | Some("/problem/not-enough-seats") => break,
                    Some(_) => anyhow::bail!("{answer}"),
                };
            }
        }
    }

    /// Asks until there is an answer that is more than "later".
    async fn ask(
        &self,
        stream: &mut TcpStream,
        (token, wishes): (&str, u32),
        wish: &Value,
        seen: &mut Seen,
    ) -> anyhow::Result<Value> {
        let mut body = wish.clone();
        body["event_id"] = json!(self.event);
        let request = load::post("/ticket/reserve", token, &format!("wish-{wishes}"), &body.to_string());
        let mut buffer = Vec::new();
        loop {
            let asked = Instant::now();
            stream.write_all(&request).await?;
            let (status, answer) = load::read_answer(stream, &mut buffer).await?;
            let answered = Instant::now();
            seen.latencies.push(answered - asked);
            let answer: Value = serde_json::from_slice(&answer)?;
            match status {
                201 | 409 => seen.see((asked, answered), &answer)?,
                503 => {
                    seen.busy += 1;
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
                _ => anyhow::bail!("{status}: {answer}"),
            }
            return Ok(answer);
        }
    }
}

fn named(first: u32, quantity: u32) -> Value {
    json!({"seats": (first..first + quantity).collect::<Vec<_>>()})
}

fn best(quantity: u32) -> Value {
    json!({"best_available": {"quantity": quantity}})
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.history.extend(other.history);
        self.told.extend(other.told);
        self.latencies.extend(other.latencies);
        self.busy += other.busy;
    }

    fn see(&mut self, (asked, answered): (Instant, Instant), answer: &Value) -> anyhow::Result<()> {
        let did = match (answer["reserve_id"].as_str(), &answer["seats"]) {
            (Some(holder), Value::Array(seats)) => {
                anyhow::ensure!(self.told.insert(holder.to_owned()), "reservation {holder} was had twice");
                let seats = seats.iter().filter_map(|seat| seat["seat_no"].as_u64()?.try_into().ok()).collect();
                let seq = answer["receipt"]["seq"].as_i64().unwrap_or_default();
                Did::Took { holder: holder.to_owned(), seats, seq }
            }
            (None, seats @ Value::Array(_)) => Did::FoundTaken(serde_json::from_value(seats.clone())?),
            _ => return Ok(()),
        };
        self.history.push(Operation { asked, answered: Some(answered), did });
        Ok(())
    }

    /// Everything is sold, each seat once, to whoever was told so, in the order of asking.
    async fn is_true(&mut self, database: &Database) -> anyhow::Result<()> {
        let asked = Instant::now();
        let rows = database.connect().await.query("select seat_no, hold_id::text from claim", &[]).await?;
        anyhow::ensure!(rows.len() == SEATS as usize, "{} seats are held", rows.len());
        let mut seats = BTreeMap::new();
        for row in &rows {
            seats.insert(u32::try_from(row.try_get::<_, i32>(0)?)?, Some(row.try_get::<_, String>(1)?));
        }
        let holders: HashSet<String> = seats.values().flatten().cloned().collect();
        anyhow::ensure!(holders == self.told, "who was told of a reservation is not who has one");
        self.history.push(Operation { asked, answered: Some(Instant::now()), did: Did::Read(seats) });
        match flaw(&self.history) {
            Some(flaw) => anyhow::bail!("{flaw}"),
            None => Ok(()),
        }
    }
}
