//! The replication slot: what Postgres keeps for us, and until where we told it that we have it.

use super::SourceError;
use model::Lsn;
use std::time::Duration;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::PgLsn;
use tokio_postgres::{Client, Error};

/// How long a slot may stay taken by a connection that is going away: walsenders notice a dead peer within this.
const BUSY_MAX: Duration = Duration::from_secs(20);
const BUSY_PAUSE: Duration = Duration::from_millis(200);

/// A slot as `pg_replication_slots` shows it.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    /// Everything before is forgotten by Postgres.
    pub(crate) confirmed: Lsn,
    /// It was cut off by `max_slot_wal_keep_size`, or is not one of ours: it can only be dropped.
    pub(crate) lost: bool,
    /// The process that streams from it.
    pub(crate) active_pid: Option<i32>,
    /// Bytes of log that Postgres keeps for it.
    pub(crate) lag_bytes: i64,
    /// From a commit to its confirmation, as its walsender measured it last; 0 when nothing was to be confirmed.
    pub(crate) lag_ms: Option<f64>,
}

/// A slot stays in use.
#[derive(Debug, thiserror::Error)]
pub enum DropSlotError {
    /// Another process streams from it.
    #[error("the replication slot {slot} is in use by another indexer; stop that one first")]
    Busy {
        /// Its name.
        slot: String,
    },
    /// Postgres refused for another reason.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// The slot of this name, if there is one.
pub(crate) async fn find(client: &Client, name: &str) -> Result<Option<Slot>, SourceError> {
    let sql = "select confirmed_flush_lsn, active_pid,
            coalesce(wal_status, 'lost') = 'lost' or restart_lsn is null or plugin is distinct from 'pgoutput'
                or database is distinct from current_database() or confirmed_flush_lsn is null,
            coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn), 0)::bigint,
            (select coalesce(extract(epoch from flush_lag) * 1000, 0)::double precision from pg_stat_replication
                where pid = active_pid)
        from pg_replication_slots where slot_name = $1";
    let row = client.query_opt(sql, &[&name]).await?;
    Ok(row.map(|row| Slot {
        confirmed: row.get::<_, Option<PgLsn>>(0).map(|lsn| Lsn(lsn.into())).unwrap_or_default(),
        active_pid: row.get(1),
        lost: row.get(2),
        lag_bytes: row.get(3),
        lag_ms: row.get(4),
    }))
}

/// Drops the slot if it is there, waiting for a connection that is going away.
pub(crate) async fn drop(client: &Client, name: &str) -> Result<(), DropSlotError> {
    let busy_until = tokio::time::Instant::now() + BUSY_MAX;
    loop {
        let sql = "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1";
        match client.query_opt(sql, &[&name]).await {
            Ok(_) => return Ok(()),
            Err(error) if is(&error, &SqlState::UNDEFINED_OBJECT) => return Ok(()),
            Err(error) if is(&error, &SqlState::OBJECT_IN_USE) => {
                if tokio::time::Instant::now() >= busy_until {
                    return Err(DropSlotError::Busy { slot: name.to_owned() });
                }
                tokio::time::sleep(BUSY_PAUSE).await;
            }
            Err(error) => return Err(SourceError::from(error).into()),
        }
    }
}

/// Puts the slot `from`, which must be free, in the place of `to`: the log it keeps is never let go of.
pub(crate) async fn succeed(client: &Client, from: &str, to: &str) -> Result<(), DropSlotError> {
    drop(client, to).await?;
    let sql = "select pg_copy_logical_replication_slot($1::text::name, $2::text::name)";
    client.query_one(sql, &[&from, &to]).await.map_err(SourceError::from)?;
    drop(client, from).await
}

fn is(error: &Error, state: &SqlState) -> bool {
    error.code() == Some(state)
}
