//! What an indexer is told: where Postgres, the store and its working directory are.
//!
//! Invariant: nothing here is read from the environment; the callers do that.

use search::store::Store;
use std::fmt;
use std::path::PathBuf;

/// Where to read from and to write to.
#[derive(Clone)]
pub struct Settings {
    /// A Postgres URL or key-value string. Its user needs the REPLICATION attribute.
    pub database_url: String,
    /// Where to publish. A replica in this process opened from a clone of it hears of each publication at once.
    pub store: Store,
    /// A directory of this indexer alone, made when missing. Losing it costs time, not data.
    pub work_dir: PathBuf,
    /// The replication slot's name; `None` means `frontrow_<database>`.
    pub slot: Option<String>,
}

/// The URL insists on TLS, which this build does not speak to Postgres.
#[derive(Debug, thiserror::Error)]
#[error(
    "DATABASE_URL has sslmode={mode}, but this build speaks no TLS to Postgres: use sslmode=disable or prefer on a private \
     network, or a local proxy that speaks TLS to it"
)]
pub struct TlsWanted {
    mode: String,
}

/// Refuses a Postgres URL, or key-value string, that insists on TLS.
///
/// # Errors
/// When it does.
pub fn without_tls(database_url: &str) -> Result<(), TlsWanted> {
    let mut modes = database_url.split(['?', '&', ' ']).filter_map(|part| part.strip_prefix("sslmode="));
    match modes.find(|mode| ["require", "verify-ca", "verify-full"].contains(mode)) {
        Some(mode) => Err(TlsWanted { mode: mode.to_owned() }),
        None => Ok(()),
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("store", &self.store)
            .field("work_dir", &self.work_dir)
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_url_that_insists_on_tls_is_refused() {
        for mode in ["require", "verify-ca", "verify-full"] {
            let refused = without_tls(&format!("postgres://me@db/shop?connect_timeout=5&sslmode={mode}")).unwrap_err();
            assert!(refused.to_string().contains(&format!("sslmode={mode}")));
            assert!(without_tls(&format!("host=db user=me sslmode={mode}")).is_err());
        }
        for url in ["postgres://me@db/shop", "postgres://me@db/shop?sslmode=prefer", "host=db sslmode=disable"] {
            assert!(without_tls(url).is_ok(), "{url}");
        }
    }
}
