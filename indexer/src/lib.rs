//! The way from a row in Postgres to a published search index.
//!
//! `WAL slot → wal (decode) → projection (which documents?) → index (commit) → publish (packs, manifest, HEAD)`. The index equals Postgres
//! exactly at the log position it names, and the slot is confirmed only after that index is durable in the store.
//! On the way new events meet the saved searches (`percolate`), and who waits for one is told (`tell`).
//! Invariant: only this room speaks replication. It never answers a query and never asks the live tables what the index is made of
//! while streaming.

mod build;
mod cells;
mod endpoint;
mod fill;
mod gc;
mod index;
mod percolate;
mod points;
mod progress;
mod projection;
mod publish;
mod reindex;
mod restore;
mod resume;
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
pub use fill::Pace;
pub use gc::{Garbage, Mode, gc};
pub use progress::{Observer, Progress};
pub use publish::PublishError;
pub use reindex::{Target, reindex, rollback};
pub use run::{RunError, run, sentence};
pub use settings::Settings;
pub use status::{IndexStatus, Point, ReplicaStatus, Status, status};
pub use verify::{Difference, Report, VerifyError, verify};
