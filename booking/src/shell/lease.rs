//! This process's lease on the lanes it owns: one row, renewed while the process lives, gone when it stops in order.
//!
//! For liveness only: it says when another process may take the lanes. That a lane which was taken writes nothing is the fence's
//! doing, whatever clocks and pauses do.

use super::connection::{ANSWER_MAX, Connection, Connections, within};
use crate::failure::Failure;
use futures::TryFutureExt as _;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tokio_postgres::types::ToSql;
use tokio_util::sync::CancellationToken;

/// Renewals in the time of one lease: so many less one may be missed.
const RENEWALS_PER_LEASE: u32 = 4;

/// The lease.
#[derive(Debug)]
pub(crate) struct Lease {
    owner: String,
    term: Duration,
    /// One of its own: no lane's load may delay a renewal.
    connections: Connections,
}

impl Lease {
    /// Takes the lease under a name that no process had before.
    pub(crate) async fn take(connections: Connections, term: Duration) -> Result<Self, Failure> {
        let owner = format!("{}/{}", std::process::id(), uuid::Uuid::now_v7());
        let lease = Self { owner, term, connections };
        lease.renew().await?;
        Ok(lease)
    }

    /// Who this process is to the others.
    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }

    /// How long the lease lasts without a renewal.
    pub(crate) fn term(&self) -> Duration {
        self.term
    }

    /// Renews until `stop`.
    pub(crate) async fn keep(&self, stop: &CancellationToken) {
        let mut beat = tokio::time::interval(self.term / RENEWALS_PER_LEASE);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(beat.tick()).await.is_some() {
            if let Err(error) = self.renew().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "the lanes' lease was not renewed");
            }
        }
    }

    /// Gives the lease up, and with it every lane.
    pub(crate) async fn give_up(&self) {
        if let Err(error) = self.end().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the lanes' lease was not given up");
        }
        self.connections.close();
    }

    async fn renew(&self) -> Result<(), Failure> {
        let connection = self.connections.get().await?;
        let Connection { client, statements, .. } = &connection;
        let seconds = self.term.as_secs_f64();
        let parameters: [&(dyn ToSql + Sync); 2] = [&self.owner, &seconds];
        let renewal = client.execute(&statements.lease_renew, &parameters).err_into::<Failure>();
        // One that stalls is dropped, and the next beat has a new connection.
        within(self.term / RENEWALS_PER_LEASE, renewal).await?;
        self.connections.put_back(connection);
        Ok(())
    }

    async fn end(&self) -> Result<(), Failure> {
        let connection = self.connections.get().await?;
        let Connection { client, statements, .. } = &connection;
        let parameters: [&(dyn ToSql + Sync); 1] = [&self.owner];
        within(ANSWER_MAX, client.execute(&statements.lease_end, &parameters).err_into::<Failure>()).await?;
        Ok(())
    }
}
