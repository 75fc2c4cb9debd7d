//! The way from a row in Postgres to a published search index.
//!
//! `WAL slot → wal (decode) → projection (which documents?) → index (commit) → publish (packs, manifest, HEAD)`. The index equals Postgres
//! exactly at the log position it names, and the slot is confirmed only after that index is durable in the store.
//! On the way new events meet the saved searches (`percolate`), and who waits for one is told (`tell`).
//! Invariant: only this room speaks replication. It never answers a query and never asks the live tables what the index is made of
//! while streaming.

mod cells;
mod endpoint;
mod index;
mod percolate;
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
mod tell;
mod verify;
mod wal;

pub use endpoint::{Endpoint, EndpointError};
pub use progress::{Observer, Progress};
pub use publish::PublishError;
pub use run::{RunError, reindex, run, sentence};
pub use settings::Settings;
pub use status::{IndexStatus, Status, status};
pub use verify::{Difference, Report, VerifyError, verify};
