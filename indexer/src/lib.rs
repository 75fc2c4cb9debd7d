//! The way from a row in Postgres to a published search index.
//!
//! `WAL slot → wal (decode) → projection (which documents?) → index (commit) → publish (packs, manifest, HEAD)`. The index equals Postgres
//! exactly at the log position it names, and the slot is confirmed only after that index is durable in the store.
//! Invariant: only this room speaks replication. It never answers a query and never asks the live tables while streaming.

mod cells;
mod index;
mod progress;
mod projection;
mod publish;
mod restore;
mod row;
mod run;
mod settings;
mod source;
mod start;
mod status;
mod stream;
mod verify;
mod wal;

pub use progress::{Observer, Progress};
pub use publish::PublishError;
pub use run::{RunError, reindex, run, sentence};
pub use settings::{Settings, TlsWanted, without_tls};
pub use status::{IndexStatus, Status, status};
pub use verify::{Difference, Report, VerifyError, verify};
