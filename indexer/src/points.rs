//! The manifests that lie in the store: what an indexer may go on from, be rolled back to, or have deleted.

use model::Lsn;
use search::manifest::Head;
use search::store::{Object, Store, StoreError};

/// A manifest in the store, by its name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) generation: u32,
    /// As a HEAD would name it; its position is in the manifest.
    pub(crate) head: Head,
    pub(crate) object: Object,
}

/// The manifests among these objects, newest first.
pub(crate) fn manifests(objects: &[Object]) -> Vec<Stored> {
    let stored = |object: &Object| {
        let generation = generation_of(&object.path)?;
        let (folder, name) = object.path.rsplit_once('/')?;
        let (seq, epoch) = name.strip_suffix(".json")?.split_once('-')?;
        let head = Head { seq: seq.parse().ok()?, epoch: epoch.parse().ok()?, lsn: Lsn::default() };
        folder.ends_with("/m").then(|| Stored { generation, head, object: object.clone() })
    };
    let mut found: Vec<Stored> = objects.iter().filter_map(stored).collect();
    found.sort_unstable_by_key(|stored| std::cmp::Reverse((stored.generation, stored.head.seq, stored.head.epoch)));
    found
}

/// The generation that an object belongs to.
pub(crate) fn generation_of(path: &str) -> Option<u32> {
    path.split_once('/')?.0.strip_prefix('g')?.parse().ok()
}

/// The generations that have left something in the store, in order.
pub(crate) async fn generations(store: &Store) -> Result<Vec<u32>, StoreError> {
    let mut found: Vec<u32> = store.list("").await?.iter().filter_map(|object| generation_of(&object.path)).collect();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_known_by_their_names() {
        let object = |path: &str| Object { path: path.into(), len_bytes: 1, modified: jiff::Timestamp::UNIX_EPOCH };
        let objects = [
            "ALIAS",
            "g1/HEAD",
            "g1/m/0000000000000002-1.json",
            "g2/m/0000000000000001-3.json",
            "g1/a/1/log/1",
            "g2/pack/x",
        ];
        let found = manifests(&objects.map(object));
        let named: Vec<_> =
            found.iter().map(|stored| (stored.generation, stored.head.seq, stored.head.epoch)).collect();
        assert_eq!(named, [(2, 1, 3), (1, 2, 1)]);
    }
}
