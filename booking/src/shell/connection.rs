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

/// A bounded set of connections.
#[derive(Debug)]
pub(crate) struct Connections {
    config: Config,
    idle: Mutex<Vec<(Client, Arc<Statements>)>>,
    permits: Arc<Semaphore>,
    tracker: TaskTracker,
}

/// One connection, lent; give it back with [`Connections::put_back`] when it is clean.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(super) client: Client,
    pub(super) statements: Arc<Statements>,
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
                Some((client, _)) if client.is_closed() => {}
                Some((client, statements)) => return Ok(Connection { client, statements, _permit: permit }),
                None => break,
            }
        }
        let (client, connection) = self.config.connect(NoTls).await?;
        self.tracker.spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(error = &error as &dyn std::error::Error, "a lane's connection ended");
            }
        });
        let statements = Arc::new(Box::pin(Statements::prepare(&client)).await?);
        Ok(Connection { client, statements, _permit: permit })
    }

    /// Takes a connection back that is between transactions.
    pub(crate) fn put_back(&self, connection: Connection) {
        self.idle.lock().push((connection.client, connection.statements));
    }

    /// Closes what is idle.
    pub(crate) fn close(&self) {
        self.permits.close();
        self.idle.lock().clear();
    }
}
