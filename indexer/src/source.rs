//! Postgres as a source: may it serve as one, its slot, its tables' columns.
//!
//! Invariant: while streaming nothing here reads the live tables; only the copy and `verify` do, each in one snapshot.

pub(crate) mod copy;
pub(crate) mod preflight;
pub(crate) mod session;
pub(crate) mod slot;

use crate::cells::SESSION_OPTIONS;
use crate::endpoint::{Endpoint, EndpointError};
use model::Lsn;
use tokio_postgres::Client;
use tokio_postgres::types::PgLsn;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The publication that the migrations make.
pub(crate) const PUBLICATION: &str = "frontrow";

const MAKERS: &str = "_reindex";

/// Where the database is and who asks.
#[derive(Clone)]
pub(crate) struct Source {
    endpoint: Endpoint,
    /// The slot's name: cluster-wide unique, so it carries the database's.
    pub(crate) slot: String,
}

/// An ordinary connection; dropping it ends it.
pub(crate) struct Connection {
    /// The client.
    pub(crate) client: Client,
    _driver: DropGuard,
}

/// Postgres could not be reached or asked.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The URL is not one, or asks for what cannot be done.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// No connection.
    #[error("Postgres at {place} cannot be reached; start it or correct DATABASE_URL")]
    Unreachable {
        /// Host and port.
        place: String,
        /// Why.
        source: tokio_postgres::Error,
    },
    /// A question failed.
    #[error("ask Postgres")]
    Query(#[from] tokio_postgres::Error),
}

impl Source {
    /// Reads the URL; `slot` defaults to one name per database.
    pub(crate) fn new(url: &str, slot: Option<&str>) -> Result<Self, SourceError> {
        let mut endpoint = Endpoint::parse(url)?;
        endpoint.config.options(SESSION_OPTIONS).application_name("frontrow indexer");
        let slot = slot.map_or_else(|| default_slot(endpoint.database()), ToOwned::to_owned);
        Ok(Self { endpoint, slot })
    }

    /// Opens an ordinary connection.
    pub(crate) async fn connect(&self) -> Result<Connection, SourceError> {
        let unreachable = |source| SourceError::Unreachable { place: self.endpoint.place(), source };
        let Endpoint { config, tls, .. } = &self.endpoint;
        let (client, connection) = Box::pin(config.connect(tls.clone())).await.map_err(unreachable)?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(error = %error, "a connection to Postgres ended");
                }
            }
        });
        Ok(Connection { client, _driver: stop.drop_guard() })
    }

    /// The slot of whoever makes a new generation beside the indexer that holds [`Source::slot`].
    pub(crate) fn makers_slot(&self) -> String {
        let name: String = self.slot.chars().take(63 - MAKERS.len()).collect();
        name + MAKERS
    }

    /// The same database through another slot.
    pub(crate) fn through(&self, slot: String) -> Self {
        Self { endpoint: self.endpoint.clone(), slot }
    }
}

/// A position behind everything that any snapshot taken before can hold. The message is a transaction of its own: its commit flushes the
/// log, which in an idle database nothing else would.
pub(crate) async fn beyond(client: &Client) -> Result<Lsn, SourceError> {
    let sql = "select pg_logical_emit_message(true, 'frontrow', 'here')";
    let row = client.query_one(sql, &[]).await?;
    Ok(Lsn(row.get::<_, PgLsn>(0).into()))
}

/// `frontrow_<database>` in the letters a slot's name may have, at most 63 of them.
fn default_slot(database: &str) -> String {
    let letter = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '_' };
    let name = format!("frontrow_{}", database.to_ascii_lowercase().chars().map(letter).collect::<String>());
    name.chars().take(63).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_named_after_its_database() {
        let slot = |url| Source::new(url, None).map(|source| source.slot).ok();
        assert_eq!(slot("postgres://me@localhost/My-Shop"), Some("frontrow_my_shop".into()));
        assert_eq!(slot("postgres://me@%2Frun%2Fpostgresql"), Some("frontrow_me".into()));
        let longest = Source::new(&format!("postgres://me@localhost/{}", "x".repeat(90)), None).unwrap();
        assert_eq!((longest.slot.len(), longest.makers_slot().len()), (63, 63));
        assert!(longest.makers_slot().ends_with("x_reindex"));
        assert_eq!(slot("postgres://localhost/x"), None);
        assert_eq!(slot("nonsense"), None);
    }
}
