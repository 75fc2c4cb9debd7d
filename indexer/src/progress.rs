//! What a caller may see of a running indexer: how far the copy is, and each publication as it becomes visible.
//!
//! An observer is called from the indexer's own task and must not block.

use model::Lsn;
use std::sync::Arc;

/// Called with each step.
pub type Observer = Arc<dyn Fn(&Progress) + Send + Sync>;

/// A step of the indexer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A new generation is being built from a snapshot of Postgres.
    Copying {
        /// Events read so far.
        events: u64,
        /// Postgres's estimate of how many there are; 0 when it has none.
        events_estimate: u64,
    },
    /// It holds the slot and follows it.
    Streaming,
    /// Something that may pass broke it off: it starts again by itself, and what is published is read meanwhile.
    Waiting {
        /// What broke it off.
        why: String,
    },
    /// A new generation that nobody reads yet follows the stream until it is as far as Postgres.
    CatchingUp {
        /// Bytes of log that it has yet to apply.
        lag_bytes: u64,
    },
    /// A manifest is durable in the store and replicas may fetch it.
    Published {
        /// Generation it belongs to.
        generation: u32,
        /// Its number in the generation.
        seq: u64,
        /// The index equals Postgres here.
        lsn: Lsn,
        /// Documents of all kinds.
        documents: u64,
    },
    /// New availability entries are durable in the store.
    Availability {
        /// They are of transactions up to here.
        lsn: Lsn,
    },
}
