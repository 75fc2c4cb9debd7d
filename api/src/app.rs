//! What every handler can reach: the database, the rooms, the settings. Cheap to clone; nothing in it changes after start.

use crate::account::Passwords;
use crate::catalog::Layouts;
use crate::config::Config;
use crate::find::{Answers, Degraded};
use crate::indexing::Indexing;
use crate::limit::Limits;
use crate::payment::Providers;
use crate::problem::Problem;
use crate::sandbox::Sandbox;
use crate::session::Sessions;
use crate::upload::Album;
use booking::Booking;
use metrics_exporter_prometheus::PrometheusHandle;
use search::Replica;
use sqlx::PgPool;
use std::ops::Deref;
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The state of the router.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts an [`App`] is made of.
pub struct Parts {
    /// The settings, with `public_url` filled in.
    pub config: Config,
    /// Where people reach this site, without a trailing slash.
    pub public_url: String,
    /// Postgres.
    pub pool: PgPool,
    /// Hashes and checks passwords, a few at a time.
    pub passwords: Passwords,
    /// How much anyone may ask and write.
    pub limits: Limits,
    /// Sessions seen lately.
    pub sessions: Sessions,
    /// Seat plans asked for lately.
    pub layouts: Layouts,
    /// Pictures organizers sent.
    pub album: Album,
    /// The local copy of the search index.
    pub replica: Replica,
    /// How the process's own indexer fares.
    pub indexing: watch::Receiver<Indexing>,
    /// Search answers of this second.
    pub answers: Answers,
    /// The way to Postgres while there is no index.
    pub degraded: Degraded,
    /// Look-ups of events the index does not have.
    pub misses: Semaphore,
    /// The booking core; a process that serves search alone has none.
    pub booking: Option<Booking>,
    /// Those who take money, spoken to over HTTP.
    pub providers: Providers,
    /// Wakes the payment workers: something is due.
    pub payments_due: Notify,
    /// Places for seat-map streams.
    pub streams: Arc<Semaphore>,
    /// The built-in payment portal's own state.
    pub sandbox: Sandbox,
    /// Renders the process's figures.
    pub figures: PrometheusHandle,
    /// Work that outlives its request; the process waits for it when it stops.
    pub tracker: TaskTracker,
    /// Cancelled when the process stops: long answers end by it.
    pub stop: CancellationToken,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The booking core.
    ///
    /// # Errors
    /// 503 in a process that serves search alone.
    pub fn booking(&self) -> Result<&Booking, Problem> {
        self.booking.as_ref().ok_or_else(|| Problem::busy("this process serves search alone", 5))
    }

    /// Whether people reach this site over TLS, so that its cookies are `__Host-` and `Secure`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
