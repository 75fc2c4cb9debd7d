//! Who reads the index: every replica leaves a small object in the store, `r/<id>`, and renews it.
//!
//! For people who look after it, and for nothing else: no writer waits for a reader. A replica that stops in order takes its object
//! away; one that died is seen to age.

use crate::store::{Durability, Store, StoreError};
use jiff::Timestamp;
use model::Lsn;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use uuid::Uuid;

/// How often a replica says that it lives.
pub const RENEWED_EVERY: Duration = Duration::from_secs(2);

const FOLDER: &str = "r";
/// Replicas listed at most, the latest first.
const SEEN_MAX: usize = 1_000;

/// What a replica says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Its machine's name.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// The generation it shows; 0 before the first.
    pub generation: u32,
    /// The publication it shows.
    pub seq: u64,
    /// How far Postgres's log is in it.
    pub lsn: Lsn,
    /// Whether it counts itself ready.
    pub ready: bool,
}

/// A replica that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The name of its object.
    pub path: String,
    /// What it said last.
    pub presence: Presence,
    /// When, by the store's clock.
    pub at: Timestamp,
}

impl Presence {
    /// This process, showing nothing yet.
    #[must_use]
    pub fn here() -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
        let host = host.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        Self {
            host: host.unwrap_or_else(|| "unknown".to_owned()),
            pid: std::process::id(),
            generation: 0,
            seq: 0,
            lsn: Lsn::default(),
            ready: false,
        }
    }

    /// Writes it under the replica's id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn put(&self, store: &Store, id: Uuid) -> Result<(), StoreError> {
        let path = path(id);
        let json = serde_json::to_vec(self).map_err(|source| StoreError::Object {
            action: "write",
            path: path.clone(),
            source: source.into(),
        })?;
        store.put(&path, json.into(), Durability::Visible).await
    }
}

/// Takes a replica's object away.
///
/// # Errors
/// When the store fails.
pub async fn leave(store: &Store, id: Uuid) -> Result<(), StoreError> {
    store.delete(&path(id)).await
}

/// Every replica that has an object, the one that spoke last first.
///
/// # Errors
/// When the store fails; an object that goes meanwhile, or that cannot be read, is passed over.
pub async fn seen(store: &Store) -> Result<Vec<Seen>, StoreError> {
    let mut objects = store.list(FOLDER).await?;
    objects.sort_by_key(|object| std::cmp::Reverse(object.modified));
    let mut seen = Vec::new();
    for object in objects.into_iter().take(SEEN_MAX) {
        if let Some(bytes) = store.get(&object.path).await?
            && let Ok(presence) = serde_json::from_slice(&bytes)
        {
            seen.push(Seen { path: object.path, presence, at: object.modified });
        }
    }
    Ok(seen)
}

fn path(id: Uuid) -> String {
    format!("{FOLDER}/{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_reads_is_seen_until_it_leaves() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("file://{}", dir.path().display())).unwrap();
        let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
        let at = |seq| Presence { seq, ..Presence::here() };
        at(1).put(&store, one).await.unwrap();
        at(2).put(&store, other).await.unwrap();
        at(3).put(&store, one).await.unwrap();
        store.put("r/spoilt", "?".into(), Durability::Visible).await.unwrap();
        let mut seqs: Vec<u64> = seen(&store).await.unwrap().into_iter().map(|seen| seen.presence.seq).collect();
        seqs.sort_unstable();
        assert_eq!(seqs, [2, 3]);
        leave(&store, one).await.unwrap();
        assert_eq!(seen(&store).await.unwrap()[0].presence, at(2));
    }
}
