//! Durable holds at the lane: a booking core in this process on a real Postgres, without HTTP; of one event, and of a hundred at once.

use super::ceilings;
use booking::{Ask, Booking, ReserveRequest, Settings, TicketKey};
use model::{EventId, UserId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;
use tests::{Database, catalog};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Seats taken, one a hold.
const SEATS: u32 = 120_000;
const EVENTS: u32 = 100;
const BUYERS: usize = 10_000;
/// Asks under way at once.
const AT_ONCE: usize = 4_096;
/// What the lane must reach of what 32 clients do.
const TIMES: f64 = 10.0;
/// What a hundred events must reach of one event's rate.
const EVENTS_SHARE: f64 = 0.8;

pub(crate) async fn run() -> anyhow::Result<()> {
    ceilings::probe_disk()?;
    let database = Database::migrated().await;
    let simple_update = ceilings::simple_update(&database).await?;
    let hot_row = ceilings::hot_row(&database).await?;
    let one = holds_per_s(1).await?;
    super::print("durable holds at the lane", (one, "/s"), (simple_update * TIMES, "simple-update x 10:"));
    super::print("durable holds at the lane", (one, "/s"), (hot_row * TIMES, "one hot row x 10:"));
    let many = holds_per_s(EVENTS).await?;
    super::print("  of 100 events at once", (many, "/s"), (one * EVENTS_SHARE, "one event x 0.8:"));
    Ok(())
}

/// What one asks for after another, until there is none left.
struct Asks {
    booking: Booking,
    events: Vec<EventId>,
    buyers: Vec<UserId>,
    next: AtomicU32,
}

/// Takes every seat of as many events, whose seats are as many whatever their number.
async fn holds_per_s(events: u32) -> anyhow::Result<f64> {
    let database = Database::migrated().await;
    let mut ids = Vec::new();
    for _ in 0..events {
        let mut listing = catalog::Listing::new("The on-sale", SEATS / events);
        listing.buyer_limit = 1_000;
        listing.insert(&database).await;
        ids.push(listing.event);
    }
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let endpoint = indexer::Endpoint::parse(&database.url)?;
    let settings = Settings::new(endpoint.config, endpoint.tls, TicketKey::from_seed(&[7; 32])?);
    let booking = Booking::open(settings, database.pool().await, tracker.clone(), stop.clone()).await?;
    let buyers = (0..BUYERS).map(|_| UserId::new()).collect();
    let asks = Arc::new(Asks { booking, events: ids, buyers, next: AtomicU32::new(events) });
    // The first seat of each, so that its lane is there.
    futures::future::try_join_all((0..events).map(|n| asks.ask(n))).await?;
    let started = Instant::now();
    let loops: Vec<_> = (0..AT_ONCE).map(|_| tokio::spawn(Arc::clone(&asks).ask_on())).collect();
    for one in loops {
        one.await??;
    }
    let per_s = f64::from(SEATS - events) / started.elapsed().as_secs_f64();
    let claims = database.number("select count(*) from claim").await;
    anyhow::ensure!(claims == i64::from(SEATS), "{claims} seats are held");
    stop.cancel();
    tracker.close();
    tracker.wait().await;
    Ok(per_s)
}

impl Asks {
    async fn ask_on(self: Arc<Self>) -> anyhow::Result<()> {
        loop {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            if n >= SEATS {
                return Ok(());
            }
            self.ask(n).await?;
        }
    }

    /// The n-th: the events in turn, the seats of each in turn.
    async fn ask(&self, n: u32) -> anyhow::Result<()> {
        let (turn, buyer) = (n as usize % self.events.len(), n as usize % self.buyers.len());
        let seat = n / u32::try_from(self.events.len())?;
        let request = ReserveRequest { event: self.events[turn], ask: Ask::Seats(vec![seat]), code: None };
        self.booking.reserve(self.buyers[buyer], request, &format!("key-{n}")).await?;
        Ok(())
    }
}
