//! What an indexer is told: where Postgres, the store and its working directory are.
//!
//! Invariant: nothing here is read from the environment; the callers do that.

use search::store::Store;
use std::fmt;
use std::path::PathBuf;

/// Where to read from and to write to.
#[derive(Clone)]
pub struct Settings {
    /// A Postgres URL. Its user needs the REPLICATION attribute.
    pub database_url: String,
    /// Where to publish. A replica in this process opened from a clone of it hears of each publication at once.
    pub store: Store,
    /// A directory of this indexer alone, made when missing. Losing it costs time, not data.
    pub work_dir: PathBuf,
    /// The replication slot's name; `None` means `frontrow_<database>`.
    pub slot: Option<String>,
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
