//! The face of the booking core: what the HTTP layer calls. Each method is one push into an event's queue or one read.
//!
//! What is decided is decided in the lanes; here commands are made and answers described.

mod exchange;
mod payments;
mod read;
mod refund;
mod report;
mod tickets;
mod waiting;
mod watch;

pub use exchange::ExchangeError;

use crate::clock::Clock;
use crate::code::TicketKey;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::lane::{Command, Done, Hold, Refusal};
use crate::order::{BuyError, Checkout};
use crate::plans::Plans;
use crate::reservation::{Ask, ExtendError, ReleaseError, Reservation, ReserveError, ReserveRequest};
use crate::seats::board::Board;
use crate::shell::{Answer, Connections, Lanes, Lease, Queues, Redis, RedisError, Refused};
use crate::table;
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use model::{EventId, HoldId, UserId};
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Events the sweeper wakes at a time.
const SWEEP_MAX: i64 = 256;
/// How many of them at once, and for how long one may keep the place of another.
const WAKES_AT_ONCE: usize = 16;
const WAKE_MAX: Duration = Duration::from_secs(2);
/// How old the seat map of an event without a lane may be: nobody books there, but its terms may change.
const MAP_AGE_MAX: Duration = Duration::from_secs(5);

/// How the booking core runs.
#[derive(Clone)]
pub struct Settings {
    /// Where Postgres is: the lanes keep connections of their own beside the pool.
    pub postgres: tokio_postgres::Config,
    /// Encrypts the connections, where `postgres` asks for that.
    pub tls: MakeRustlsConnect,
    /// What tickets are signed with.
    pub ticket_key: TicketKey,
    /// A Redis that holds the queues in front of the lanes, so that every process asks of every event; without it an event is
    /// asked of where its lane is.
    pub redis: Option<String>,
    /// Connections the lanes share.
    pub connections_max: usize,
    /// Commands waiting per event; beyond it the answer is busy.
    pub queue_max: usize,
    /// Commands decided in one transaction.
    pub batch_max: usize,
    /// Seconds without a command after which a lane without live holds leaves memory.
    pub idle_s: u64,
    /// Seconds between looks for expired holds of events nobody has loaded.
    pub sweep_s: u64,
    /// Milliseconds a process may be silent before another takes its lanes.
    pub lease_ms: u64,
}

impl Settings {
    /// The usual limits with this database and this key.
    #[must_use]
    pub fn new(postgres: tokio_postgres::Config, tls: MakeRustlsConnect, ticket_key: TicketKey) -> Self {
        Self {
            postgres,
            tls,
            ticket_key,
            redis: None,
            connections_max: 8,
            queue_max: 16_384,
            batch_max: 2_048,
            idle_s: 60,
            sweep_s: 5,
            lease_ms: 3_000,
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("connections_max", &self.connections_max)
            .field("queue_max", &self.queue_max)
            .field("batch_max", &self.batch_max)
            .field("idle_s", &self.idle_s)
            .field("sweep_s", &self.sweep_s)
            .field("lease_ms", &self.lease_ms)
            .finish_non_exhaustive()
    }
}

/// Why the booking core did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nobody answers there, or not with our tables.
    #[error("the booking core cannot use the database")]
    Connect(#[source] Failure),
    /// Redis has no such address.
    #[error("the booking core cannot use Redis")]
    Redis(#[source] Failure),
}

impl From<RedisError> for OpenError {
    fn from(error: RedisError) -> Self {
        Self::Redis(Failure::new(error))
    }
}

/// The booking core. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Booking {
    lanes: Arc<Lanes>,
    pool: PgPool,
    plans: Plans,
    ticket_key: TicketKey,
    /// Boards of events without a lane, kept a while for those who ask again.
    boards: moka::future::Cache<EventId, Arc<Board>>,
    stop: CancellationToken,
}

impl Booking {
    /// Connects, prepares every statement once, starts the sweeper. Runs until `stop`; its tasks are in `tracker`.
    ///
    /// # Errors
    /// When nobody answers there, or the tables are not there.
    pub async fn open(
        settings: Settings,
        pool: PgPool,
        tracker: TaskTracker,
        stop: CancellationToken,
    ) -> Result<Self, OpenError> {
        let connections =
            |most| Connections::new(settings.postgres.clone(), settings.tls.clone(), most, tracker.clone());
        let (lanes_own, lease_own) = (connections(settings.connections_max), connections(1));
        let first = lanes_own.get().await.map_err(OpenError::Connect)?;
        lanes_own.put_back(first);
        let lease = Lease::take(lease_own, Duration::from_millis(settings.lease_ms));
        let lease = lease.await.map_err(OpenError::Connect)?;
        let mut connection = pool.acquire().await.map_err(|error| OpenError::Connect(error.into()))?;
        let reading = table::hold::clock(&mut connection).await.map_err(|error| OpenError::Connect(error.into()))?;
        drop(connection);
        let (plans, ticket_key, sweep_s) = (Plans::new(), settings.ticket_key.clone(), settings.sweep_s);
        let queues = match &settings.redis {
            Some(url) => Queues::Redis(Redis::open(url, &tracker, stop.clone()).await?),
            None => Queues::Here,
        };
        let parts = (lanes_own, queues, Clock::new(reading), plans.clone());
        let lanes = Arc::new(Lanes::new(settings, lease, parts, (tracker.clone(), stop.clone())));
        let boards = moka::future::Cache::builder().max_capacity(1_024).time_to_live(MAP_AGE_MAX).build();
        let booking = Self { lanes, pool, plans, ticket_key, boards, stop };
        tracker.spawn(booking.clone().sweep(Duration::from_secs(sweep_s)));
        let lanes = Arc::clone(&booking.lanes);
        tracker.spawn(async move { lanes.keep_lease().await });
        Ok(booking)
    }

    /// Reserves seats. The same key answers the same, once the first has its answer; another request under it is refused.
    ///
    /// Cancel-safe in this sense: once called the request is decided, waited for or not; ask again with its key.
    ///
    /// # Errors
    /// When the seats cannot be had; each says why.
    pub async fn reserve(
        &self,
        buyer: UserId,
        request: ReserveRequest,
        key: &str,
    ) -> Result<Reservation, ReserveError> {
        let ReserveRequest { event, ask, code } = request;
        let request = request_hash(&ask, code.as_deref())?;
        let command = Command::Reserve { buyer, ask, code, key: key.to_owned(), request };
        let answer = self.lanes.send(event, command).await.map_err(reserve_error)?;
        let Done::Held(hold) = &answer.done else { return Err(ReserveError::Failed(mismatch())) };
        Ok(self.describe(event, hold, &answer).await?)
    }

    /// Gives the buyer's live holds of an event their whole time again, each once; a repeat answers them as they are.
    ///
    /// # Errors
    /// When there is no live hold.
    pub async fn extend(&self, buyer: UserId, event: EventId) -> Result<Vec<Reservation>, ExtendError> {
        let answer = self.lanes.send(event, Command::Extend { buyer }).await.map_err(|refused| match refused {
            Refused::Busy | Refused::InProgress => ExtendError::Busy,
            Refused::Failed(failure) => ExtendError::Failed(failure),
            Refused::NoSuchEvent | Refused::Refusal(_) => ExtendError::NoHold,
        })?;
        let Done::Extended = answer.done else { return Err(ExtendError::Failed(mismatch())) };
        Ok(self.holds(buyer, event).await?)
    }

    /// Lets all the buyer's live holds of an event go; says how many there were.
    ///
    /// # Errors
    /// When the queue is full or the database fails; having no hold is none.
    pub async fn release(&self, buyer: UserId, event: EventId) -> Result<usize, ReleaseError> {
        let mut connection = self.pool.acquire().await.map_err(Failure::from)?;
        let live = table::hold::live(&mut connection, buyer, event).await?;
        drop(connection);
        let holds: Vec<HoldId> = live.into_iter().map(|row| row.hold).collect();
        if holds.is_empty() {
            return Ok(0);
        }
        match self.lanes.send(event, Command::Release { buyer, holds }).await {
            Ok(Answer { done: Done::Released(count), .. }) => Ok(count),
            Ok(_) => Err(ReleaseError::Failed(mismatch())),
            Err(Refused::Busy | Refused::InProgress) => Err(ReleaseError::Busy),
            Err(Refused::Failed(failure)) => Err(ReleaseError::Failed(failure)),
            Err(Refused::NoSuchEvent | Refused::Refusal(_)) => Ok(0),
        }
    }

    /// Turns a hold (the newest when none is named) into an order with an open attempt to pay.
    ///
    /// Again while an attempt is open, or with the same key: the same attempt, also when the order is long paid. After a refusal: a new attempt on the same
    /// order. A hold already bought answers its order. An order of nothing is paid at once.
    ///
    /// # Errors
    /// When there is no live hold, or the key was used for seats.
    pub async fn buy(
        &self,
        buyer: UserId,
        event: EventId,
        hold: Option<HoldId>,
        key: &str,
    ) -> Result<Checkout, BuyError> {
        let command = Command::Buy { buyer, hold, key: key.to_owned() };
        let answer = self.lanes.send(event, command).await.map_err(|refused| match refused {
            Refused::Busy => BuyError::Busy,
            Refused::InProgress => BuyError::InProgress,
            Refused::Failed(failure) => BuyError::Failed(failure),
            Refused::NoSuchEvent => BuyError::NoSuchEvent,
            Refused::Refusal(Refusal::KeyReused) => BuyError::KeyReused,
            Refused::Refusal(_) => BuyError::HoldExpired,
        })?;
        let Done::Checkout { order, payment } = answer.done else { return Err(BuyError::Failed(mismatch())) };
        let order = self.order(order).await?.ok_or_else(mismatch)?;
        let payment = order.attempts.iter().find(|attempt| attempt.payment_id == payment).cloned();
        let payment = payment.ok_or_else(mismatch)?;
        Ok(Checkout { order, payment })
    }

    /// The database's clock as the core knows it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.lanes.clock().now()
    }

    /// The terms of an event have changed: what can be had by them now is offered to those who wait. Not for long: a lane that cannot
    /// be reached sees to it with its next command.
    pub async fn terms_changed(&self, event: EventId) {
        wake(Arc::clone(&self.lanes), event).await;
    }

    /// Sets the gauges of the queues to what they are now: of all lanes of this process together, of its fullest and its slowest.
    pub fn weigh_queues(&self) {
        let (lanes, weight) = self.lanes.weight();
        let depth = u32::try_from(weight.depth).unwrap_or(u32::MAX);
        metrics::gauge!("booking_lanes").set(u32::try_from(lanes).unwrap_or(u32::MAX));
        metrics::gauge!("booking_queue_depth").set(depth);
        metrics::gauge!("booking_queue_fill_ratio").set(weight.fill);
        metrics::gauge!("booking_queue_oldest_seconds").set(weight.oldest.as_secs_f64());
    }

    /// Wakes the lanes of events with expired holds that nobody has loaded.
    async fn sweep(self, pause: Duration) {
        while self.stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            let overdue = async {
                let mut connection = self.pool.acquire().await?;
                table::hold::overdue_events(&mut connection, SWEEP_MAX).await
            };
            match overdue.await {
                Ok(events) => {
                    let asleep = events.into_iter().filter(|event| !self.lanes.serves(*event)).collect::<Vec<_>>();
                    let wake = |event| wake(Arc::clone(&self.lanes), event);
                    let woken = stream::iter(asleep).for_each_concurrent(WAKES_AT_ONCE, wake);
                    self.stop.run_until_cancelled(woken).await;
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "look for expired holds");
                }
            }
        }
    }

    /// What a buyer reads of a hold: its seats by the plan it was made under.
    async fn describe(&self, event: EventId, hold: &Hold, answer: &Answer) -> Result<Reservation, Failure> {
        let layout = &hold.basis.layout;
        let house = match self.plans.get(layout) {
            Some(house) => house,
            None => self.house(&mut *self.pool.acquire().await?, layout).await?,
        };
        let seats = hold.seats.iter().copied().zip(hold.prices.iter().copied());
        Ok(Reservation {
            reserve_id: hold.id,
            event_id: event,
            seats: seats.clone().map(|(seat, price)| house.describe(seat, price)).collect(),
            lines: house.lines(seats, hold.extras.clone()),
            total: hold.total(),
            currency: hold.basis.currency,
            expires_at: hold.expires_at,
            state: hold.state,
            receipt: answer.receipt.ok_or_else(mismatch)?,
        })
    }
}

/// Has an event's lane look at the time and at its terms. One that takes long goes on by itself.
async fn wake(lanes: Arc<Lanes>, event: EventId) {
    match tokio::time::timeout(WAKE_MAX, lanes.send(event, Command::Wake)).await {
        // Busy: another process's, which sees to its own time. Failed: the lane has said why.
        Err(_) | Ok(Ok(_) | Err(Refused::Busy | Refused::Failed(_))) => {}
        Ok(Err(refused)) => {
            tracing::warn!(event.id = %event, ?refused, "a lane was not woken");
        }
    }
}

/// Without a code it is what it was before there were any.
fn request_hash(ask: &Ask, code: Option<&str>) -> Result<Digest, Failure> {
    let bytes = match code {
        None => serde_json::to_vec(ask),
        Some(code) => serde_json::to_vec(&(ask, code)),
    };
    let bytes = bytes.map_err(Failure::new)?;
    Ok(Digest(Sha256::digest(&bytes).into()))
}

pub(crate) fn reserve_error(refused: Refused) -> ReserveError {
    match refused {
        Refused::NoSuchEvent => ReserveError::NoSuchEvent,
        Refused::Busy => ReserveError::Busy,
        Refused::InProgress => ReserveError::InProgress,
        Refused::Failed(failure) => ReserveError::Failed(failure),
        Refused::Refusal(refusal) => match refusal {
            Refusal::BadAsk { field, must } => ReserveError::BadAsk { field, must },
            Refusal::BadSeat(seats) => ReserveError::BadSeat { seats },
            Refusal::SeatsTaken(seats) => ReserveError::SeatsTaken { seats },
            Refusal::NotEnoughSeats => ReserveError::NotEnoughSeats,
            Refusal::LimitReached(limit) => ReserveError::LimitReached { limit },
            Refusal::NotOnSale { opens_at, closed } => ReserveError::NotOnSale { opens_at, closed },
            Refusal::Code(why) => ReserveError::Code(why),
            Refusal::KeyReused => ReserveError::KeyReused,
            Refusal::SeatsLeft
            | Refusal::InLine
            | Refusal::LineFull
            | Refusal::TicketsGone(_)
            | Refusal::NoHold
            | Refusal::UnknownPayment
            | Refusal::UnknownOrder
            | Refusal::NotPaid
            | Refusal::OtherPrice
            | Refusal::NotRefundable { .. } => ReserveError::Failed(mismatch()),
        },
    }
}

/// A command was answered with another command's answer; cannot happen.
#[derive(Debug, thiserror::Error)]
#[error("the lane's answer is of another kind")]
struct Mismatch;

fn mismatch() -> Failure {
    Failure::new(Mismatch)
}
