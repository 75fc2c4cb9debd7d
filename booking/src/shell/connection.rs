//! The lanes' own connections to Postgres: few, kept open, with every statement prepared.
//!
//! A connection that failed is dropped, never put back: what state its transaction is in is the server's to say.

use super::statements::Statements;
use crate::failure::Failure;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::{Client, Config, NoTls};
use tokio_util::task::TaskTracker;

/// Every statement here goes by a key, so no table is to be read from end to end.
const PLANNING: &str = "set enable_seqscan = off; set jit = off";

/// Uses of a connection between two throwings away of its plans, once it is past its first ones.
const PLAN_USES_MAX: u32 = 64;

/// A bounded set of connections.
#[derive(Debug)]
pub(crate) struct Connections {
    config: Config,
    idle: Mutex<Vec<(Client, Arc<Statements>, u32)>>,
    permits: Arc<Semaphore>,
    tracker: TaskTracker,
}

/// One connection, lent; give it back with [`Connections::put_back`] when it is clean.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(super) client: Client,
    pub(super) statements: Arc<Statements>,
    uses: u32,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    /// Undoes an open transaction; false when the connection is no longer good.
    pub(super) async fn roll_back(&self) -> bool {
        self.client.batch_execute("rollback").await.is_ok()
    }
}

impl Connections {
    pub(crate) fn new(config: Config, connections_max: usize, tracker: TaskTracker) -> Self {
        Self { config, idle: Mutex::default(), permits: Arc::new(Semaphore::new(connections_max)), tracker }
    }

    /// Waits for a turn, then lends an open connection or opens one.
    pub(crate) async fn get(&self) -> Result<Connection, Failure> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(Failure::new)?;
        loop {
            let idle = self.idle.lock().pop();
            match idle {
                Some((client, ..)) if client.is_closed() => {}
                Some((client, statements, uses)) => {
                    // A plan made while a table was small (those of the foreign keys' look-ups above all, which no statement
                    // here can see) may go by a wrong index, and would be kept as the table grows.
                    if uses.is_power_of_two() || uses.is_multiple_of(PLAN_USES_MAX) {
                        client.batch_execute("discard plans").await?;
                    }
                    return Ok(Connection { client, statements, uses: uses + 1, _permit: permit });
                }
                None => break,
            }
        }
        let (client, connection) = self.config.connect(NoTls).await?;
        self.tracker.spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(error = &error as &dyn std::error::Error, "a lane's connection ended");
            }
        });
        client.batch_execute(PLANNING).await?;
        let statements = Arc::new(Box::pin(Statements::prepare(&client)).await?);
        Ok(Connection { client, statements, uses: 1, _permit: permit })
    }

    /// Takes a connection back that is between transactions.
    pub(crate) fn put_back(&self, connection: Connection) {
        self.idle.lock().push((connection.client, connection.statements, connection.uses));
    }

    /// Closes what is idle.
    pub(crate) fn close(&self) {
        self.permits.close();
        self.idle.lock().clear();
    }
}
