//! The lanes' own connections to Postgres: few, kept open, with every statement prepared.
//!
//! A connection that failed or stalled is dropped, never put back: what state its transaction is in is the server's to say.
//! Nothing here waits for the server without bound, nor lets the server wait for us with a lane's row locked.

use super::statements::Statements;
use crate::failure::Failure;
use futures::TryFutureExt as _;
use parking_lot::Mutex;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// Every statement here goes by a key, so no table is to be read from end to end. A process that is paused within a transaction
/// loses the transaction, not everyone else the lane.
const SESSION: &str = "set enable_seqscan = off; set jit = off;
    set idle_in_transaction_session_timeout = '2s'; set statement_timeout = '30s'";

/// The longest a connection, a batch or a look may take.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The longest the reading of a whole lane may take.
pub(super) const LOAD_MAX: Duration = Duration::from_secs(30);

/// Uses of a connection between two throwings away of its plans, once it is past its first ones.
const PLAN_USES_MAX: u32 = 64;

/// A connection nobody uses, as [`Connection`] has it.
type Idle = (Client, Arc<Statements>, AbortOnDropHandle<()>, u32);

/// A bounded set of connections.
pub(crate) struct Connections {
    config: Config,
    tls: MakeRustlsConnect,
    idle: Mutex<Vec<Idle>>,
    permits: Arc<Semaphore>,
    tracker: TaskTracker,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").field("idle", &self.idle.lock().len()).finish_non_exhaustive()
    }
}

/// One connection, lent; give it back with [`Connections::put_back`] when it is clean.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(super) client: Client,
    pub(super) statements: Arc<Statements>,
    /// Moves the bytes; ends with the connection, also when the server has stopped listening.
    driver: AbortOnDropHandle<()>,
    uses: u32,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    /// Undoes an open transaction; false when the connection is no longer good.
    pub(super) async fn roll_back(&self) -> bool {
        within::<_, Failure>(ANSWER_MAX, self.client.batch_execute("rollback").err_into()).await.is_ok()
    }
}

/// The server did not answer in time.
#[derive(Debug, thiserror::Error)]
#[error("the database did not answer within {0:?}")]
pub(super) struct Stalled(Duration);

impl From<Stalled> for Failure {
    fn from(stalled: Stalled) -> Self {
        Self::new(stalled)
    }
}

/// Waits for a conversation with the server at most so long. One that was cut short leaves its connection in an unknown state.
pub(super) async fn within<T, E: From<Stalled>>(
    limit: Duration,
    talk: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::time::timeout(limit, talk).await.unwrap_or_else(|_| Err(Stalled(limit).into()))
}

impl Connections {
    pub(crate) fn new(config: Config, tls: MakeRustlsConnect, connections_max: usize, tracker: TaskTracker) -> Self {
        Self { config, tls, idle: Mutex::default(), permits: Arc::new(Semaphore::new(connections_max)), tracker }
    }

    /// Waits for a turn, then lends an open connection or opens one.
    pub(crate) async fn get(&self) -> Result<Connection, Failure> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(Failure::new)?;
        loop {
            let idle = self.idle.lock().pop();
            match idle {
                Some((client, ..)) if client.is_closed() => {}
                Some((client, statements, driver, uses)) => {
                    // A plan made while a table was small (those of the foreign keys' look-ups above all, which no statement
                    // here can see) may go by a wrong index, and would be kept as the table grows.
                    if uses.is_power_of_two() || uses.is_multiple_of(PLAN_USES_MAX) {
                        within::<_, Failure>(ANSWER_MAX, client.batch_execute("discard plans").err_into()).await?;
                    }
                    return Ok(Connection { client, statements, driver, uses: uses + 1, _permit: permit });
                }
                None => break,
            }
        }
        let (client, connection) =
            within::<_, Failure>(ANSWER_MAX, Box::pin(self.config.connect(self.tls.clone())).err_into()).await?;
        let driver = self.tracker.spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(error = &error as &dyn std::error::Error, "a lane's connection ended");
            }
        });
        let driver = AbortOnDropHandle::new(driver);
        within::<_, Failure>(ANSWER_MAX, client.batch_execute(SESSION).err_into()).await?;
        let statements =
            Arc::new(within::<_, Failure>(ANSWER_MAX, Box::pin(Statements::prepare(&client)).err_into()).await?);
        Ok(Connection { client, statements, driver, uses: 1, _permit: permit })
    }

    /// Takes a connection back that is between transactions.
    pub(crate) fn put_back(&self, connection: Connection) {
        let Connection { client, statements, driver, uses, .. } = connection;
        self.idle.lock().push((client, statements, driver, uses));
    }

    /// Closes what is idle.
    pub(crate) fn close(&self) {
        self.permits.close();
        self.idle.lock().clear();
    }
}
