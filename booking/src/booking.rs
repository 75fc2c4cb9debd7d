//! The face of the booking core: what the HTTP layer calls. Each method is one push into an event's queue or one read.

use crate::failure::Failure;
use crate::order::{BuyError, Checkout, Effect, InboxEntry, Order, PaymentAttempt, Report, ReportError, Ticket};
use crate::reservation::{ExtendError, ReleaseError, Reservation, ReserveError, ReserveRequest};
use crate::seats::{SeatStates, SeatUpdate, SeatsError, SeatsSince};
use jiff::Timestamp;
use model::{EventId, HoldId, OrderId, PaymentId, TicketId, UserId};
use std::future::pending;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How the booking core runs.
#[derive(Clone)]
pub struct Settings {
    /// Where Postgres is: the lanes keep connections of their own beside the pool.
    pub database_url: String,
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
}

impl Settings {
    /// The usual limits with this database.
    #[must_use]
    pub fn new(database_url: impl Into<String>) -> Self {
        Self {
            database_url: database_url.into(),
            connections_max: 8,
            queue_max: 16_384,
            batch_max: 2_048,
            idle_s: 60,
            sweep_s: 5,
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("batch_max", &self.batch_max).finish_non_exhaustive()
    }
}

/// Why the booking core did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is not one.
    #[error("database_url is not a Postgres URL")]
    Url(#[source] tokio_postgres::Error),
    /// Nobody answers there, or not with our tables.
    #[error("the booking core cannot use the database")]
    Connect(#[source] Failure),
}

/// The booking core. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Booking {}

/// A running seat map: a snapshot, then every change.
#[derive(Debug)]
pub struct Subscription {}

impl Subscription {
    /// The next message; `None` when the server stops. Cancel-safe.
    pub async fn next(&mut self) -> Option<SeatUpdate> {
        pending().await
    }
}

#[expect(clippy::unused_async, unused_variables, clippy::missing_errors_doc, reason = "the shape comes first")]
impl Booking {
    /// Connects, prepares, starts the sweeper.
    pub async fn open(
        settings: Settings,
        pool: sqlx::PgPool,
        tracker: TaskTracker,
        stop: CancellationToken,
    ) -> Result<Self, OpenError> {
        Ok(Self {})
    }
    /// Reserves seats. The same key answers the same.
    pub async fn reserve(
        &self,
        buyer: UserId,
        request: ReserveRequest,
        key: &str,
    ) -> Result<Reservation, ReserveError> {
        pending().await
    }
    /// Gives the buyer's holds of an event their time again, once.
    pub async fn extend(&self, buyer: UserId, event: EventId) -> Result<Vec<Reservation>, ExtendError> {
        pending().await
    }
    /// Lets all the buyer's holds of an event go; says how many there were.
    pub async fn release(&self, buyer: UserId, event: EventId) -> Result<usize, ReleaseError> {
        pending().await
    }
    /// The buyer's live holds of an event, oldest first.
    pub async fn holds(&self, buyer: UserId, event: EventId) -> Result<Vec<Reservation>, Failure> {
        pending().await
    }
    /// Turns a hold (the newest when none is named) into an order with an open attempt to pay.
    pub async fn buy(
        &self,
        buyer: UserId,
        event: EventId,
        hold: Option<HoldId>,
        key: &str,
    ) -> Result<Checkout, BuyError> {
        pending().await
    }
    /// Notes where the provider has the attempt. Says it again harmlessly.
    pub async fn payment_opened(
        &self,
        payment: &PaymentAttempt,
        provider_ref: &str,
        portal_url: &str,
    ) -> Result<(), Failure> {
        pending().await
    }
    /// Takes in what a provider says; twice or out of order changes nothing more.
    pub async fn payment_reported(
        &self,
        provider: &str,
        provider_ref: &str,
        report: Report,
    ) -> Result<(), ReportError> {
        pending().await
    }
    /// One order with its attempts and tickets.
    pub async fn order(&self, order: OrderId) -> Result<Option<Order>, Failure> {
        pending().await
    }
    /// One attempt to pay.
    pub async fn payment(&self, payment: PaymentId) -> Result<Option<PaymentAttempt>, Failure> {
        pending().await
    }
    /// A holder's tickets, of one event or all, by event and seat.
    pub async fn tickets(&self, holder: UserId, event: Option<EventId>) -> Result<Vec<Ticket>, Failure> {
        pending().await
    }
    /// One ticket.
    pub async fn ticket(&self, ticket: TicketId) -> Result<Option<Ticket>, Failure> {
        pending().await
    }
    /// Every seat's state.
    pub async fn seats(&self, event: EventId) -> Result<SeatStates, SeatsError> {
        pending().await
    }
    /// What changed since a version.
    pub async fn seats_since(&self, event: EventId, version: u64) -> Result<SeatsSince, SeatsError> {
        pending().await
    }
    /// Every change from now, or from a version seen before.
    pub async fn subscribe(&self, event: EventId, since: Option<u64>) -> Result<Subscription, SeatsError> {
        pending().await
    }
    /// Effects to carry out now; each is leased for 30 s, then due again.
    pub async fn due_effects(&self, limit: i64) -> Result<Vec<Effect>, Failure> {
        pending().await
    }
    /// The provider did it.
    pub async fn effect_done(&self, id: i64) -> Result<(), Failure> {
        pending().await
    }
    /// The provider did not; due again after a growing pause.
    pub async fn effect_failed(&self, id: i64) -> Result<(), Failure> {
        pending().await
    }
    /// Stores a webhook; false when it was there already. Durable when answered.
    pub async fn inbox_store(&self, entry: &InboxEntry) -> Result<bool, Failure> {
        pending().await
    }
    /// Webhooks to deal with, oldest first.
    pub async fn inbox_due(&self, limit: i64) -> Result<Vec<InboxEntry>, Failure> {
        pending().await
    }
    /// The webhook was dealt with.
    pub async fn inbox_done(&self, provider: &str, provider_event_id: &str) -> Result<(), Failure> {
        pending().await
    }
    /// Attempts that have been open at a provider for some seconds without a word; each comes up once per pause.
    pub async fn payments_to_poll(&self, pause_s: u32, limit: i64) -> Result<Vec<PaymentAttempt>, Failure> {
        pending().await
    }
    /// The database clock as the core knows it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
