//! Postgres as a source: may it serve as one, its slot, its tables' columns.
//!
//! Invariant: while streaming nothing here reads the live tables; only the copy and `verify` do, each in one snapshot.

pub(crate) mod copy;
pub(crate) mod preflight;
pub(crate) mod session;
pub(crate) mod slot;

use crate::cells::SESSION_OPTIONS;
use crate::settings::{TlsWanted, without_tls};
use std::str::FromStr;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The publication that the migrations make.
pub(crate) const PUBLICATION: &str = "frontrow";

/// Where the database is and who asks.
#[derive(Clone)]
pub(crate) struct Source {
    config: Config,
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
    /// The URL is not one.
    #[error("DATABASE_URL is not a Postgres URL with a host and a user")]
    Url(#[source] Option<tokio_postgres::Error>),
    /// It asks for an encrypted connection.
    #[error(transparent)]
    Tls(#[from] TlsWanted),
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
        without_tls(url)?;
        let mut config = Config::from_str(url).map_err(|error| SourceError::Url(Some(error)))?;
        config.options(SESSION_OPTIONS).application_name("frontrow indexer");
        let user = config.get_user().ok_or(SourceError::Url(None))?;
        let database = config.get_dbname().unwrap_or(user);
        let slot = slot.map_or_else(|| default_slot(database), ToOwned::to_owned);
        if config.get_hosts().is_empty() {
            return Err(SourceError::Url(None));
        }
        Ok(Self { config, slot })
    }

    /// Opens an ordinary connection.
    pub(crate) async fn connect(&self) -> Result<Connection, SourceError> {
        let unreachable = |source| SourceError::Unreachable { place: self.place(), source };
        let (client, connection) = self.config.connect(NoTls).await.map_err(unreachable)?;
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

    fn host(&self) -> String {
        match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            Some(Host::Unix(folder)) => folder.display().to_string(),
            None => String::new(),
        }
    }

    fn port(&self) -> u16 {
        self.config.get_ports().first().copied().unwrap_or(5432)
    }

    /// Host and port, for sentences.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.host(), self.port())
    }
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
        assert_eq!(slot("host=/run/postgresql user=me"), Some("frontrow_me".into()));
        assert_eq!(slot("postgres://localhost/x"), None);
        assert_eq!(slot("nonsense"), None);
    }
}
