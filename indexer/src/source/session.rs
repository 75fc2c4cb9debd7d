//! The replication session: makes the slot with an exported snapshot, then streams from it on the same connection.
//!
//! Order that leaves no gap: connect → create slot (exports its snapshot) → others import it → start. A session that resumes skips the middle.

use super::{PUBLICATION, Source};
use crate::cells::SESSION_OPTIONS;
use model::Lsn;
use pgwire_replication::{PgWireError, ReplicationClient, ReplicationConfig, ReplicationEvent};
use std::time::Duration;

/// How often at most the server hears what is durable here.
const STATUS_INTERVAL: Duration = Duration::from_millis(200);
/// Messages read ahead of the projection.
const AHEAD_MAX: usize = 8192;
const BUSY_MAX: Duration = Duration::from_secs(20);
const BUSY_PAUSE: Duration = Duration::from_millis(200);

/// The stream could not be opened or broke.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Someone else streams from the slot.
    #[error("the replication slot {slot} is in use by another indexer; stop that one first")]
    Busy {
        /// Its name.
        slot: String,
    },
    /// The slot no longer has the log it needs, or has what cannot be read.
    #[error("the replication slot {slot} is lost")]
    Lost {
        /// Its name.
        slot: String,
    },
    /// The connection failed or Postgres refused.
    #[error("stream from Postgres")]
    Wire(#[from] PgWireError),
    /// Postgres ended the stream.
    #[error("Postgres ended the stream")]
    Ended,
    /// The answer to a replication command is not as documented.
    #[error("Postgres answered {command} in an unknown form")]
    Answer {
        /// What was asked.
        command: &'static str,
    },
}

/// A connection in replication mode.
pub(crate) struct Session {
    client: ReplicationClient,
    slot: String,
}

/// A slot that was just made, and its view of the database.
pub(crate) struct Snapshot {
    /// What `set transaction snapshot` takes, valid until the session's next command.
    pub(crate) name: String,
    /// The stream begins here: every transaction is either in the snapshot or in the stream.
    pub(crate) lsn: Lsn,
}

impl Session {
    /// Connects, without streaming. The stream will begin where the slot was last confirmed.
    pub(crate) async fn open(source: &Source) -> Result<Self, SessionError> {
        let endpoint = &source.endpoint;
        let user = endpoint.config.get_user().unwrap_or_default();
        let password = String::from_utf8_lossy(endpoint.config.get_password().unwrap_or_default());
        let slot = source.slot.clone();
        let mut replication =
            ReplicationConfig::new(endpoint.host(), user, password, endpoint.database(), slot, PUBLICATION)
                .with_port(endpoint.port())
                .with_tls(endpoint.replication.clone());
        replication.status_interval = STATUS_INTERVAL;
        replication.idle_wakeup_interval = Duration::from_secs(5);
        replication.buffer_events = AHEAD_MAX;
        replication.options = Some(SESSION_OPTIONS.into());
        replication.application_name = Some("frontrow indexer".into());
        let client = ReplicationClient::connect_gated(replication).await?;
        Ok(Self { client, slot: source.slot.clone() })
    }

    /// Makes the slot. The snapshot lives until [`Session::start`].
    pub(crate) async fn create_slot(&mut self) -> Result<Snapshot, SessionError> {
        let sql = format!("CREATE_REPLICATION_SLOT \"{}\" LOGICAL pgoutput (SNAPSHOT 'export')", self.slot);
        let rows = self.client.simple_query(&sql).await?;
        let text = |at: usize| {
            let cell = rows.first()?.get(at)?.as_ref()?;
            std::str::from_utf8(cell).ok().map(ToOwned::to_owned)
        };
        let snapshot = || Some(Snapshot { lsn: text(1)?.parse().ok()?, name: text(2)? });
        snapshot().ok_or(SessionError::Answer { command: "CREATE_REPLICATION_SLOT" })
    }

    /// Streams from here on; returns once this session holds the slot.
    pub(crate) async fn start(&mut self) -> Result<(), SessionError> {
        self.client.start().await?;
        self.client.wait_started().await.map_err(|error| self.refused(error))
    }

    fn refused(&self, error: PgWireError) -> SessionError {
        let slot = self.slot.clone();
        match &error {
            PgWireError::Server(message) if message.contains("SQLSTATE 55006") => SessionError::Busy { slot },
            // 55000: "can no longer get changes from replication slot"; 42704: it is not there, or the publication was not there at a
            // moment that is still to be streamed.
            PgWireError::Server(message)
                if message.contains("SQLSTATE 55000") || message.contains("SQLSTATE 42704") =>
            {
                SessionError::Lost { slot }
            }
            _ => SessionError::Wire(error),
        }
    }

    /// The next event. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<ReplicationEvent, SessionError> {
        let event = self.client.recv().await.map_err(|error| self.refused(error))?;
        event.ok_or(SessionError::Ended)
    }

    /// Tells Postgres that everything up to here is durable in the store.
    pub(crate) fn confirm(&self, lsn: Lsn) {
        self.client.update_applied_lsn(pgwire_replication::Lsn::from_u64(lsn.0));
    }

    /// Ends the stream after a last status message.
    pub(crate) async fn close(mut self) {
        if let Err(error) = self.client.shutdown().await {
            tracing::debug!(error = %error, "the replication session did not end cleanly");
        }
    }
}

/// Opens and starts a session, waiting for a predecessor whose connection is going away (SQLSTATE 55006).
pub(crate) async fn resume(source: &Source) -> Result<Session, SessionError> {
    let busy_until = tokio::time::Instant::now() + BUSY_MAX;
    loop {
        let mut session = Session::open(source).await?;
        match session.start().await {
            Ok(()) => return Ok(session),
            Err(SessionError::Busy { slot }) => {
                if tokio::time::Instant::now() >= busy_until {
                    return Err(SessionError::Busy { slot });
                }
                tokio::time::sleep(BUSY_PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}
