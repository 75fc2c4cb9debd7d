//! Deletes from the store what nobody can need any more: by retention, and never what a live manifest names.
//!
//! Live are HEAD's manifest, those a reader may still be fetching, and the points to roll back to. Ages are taken by the store's own clock,
//! so a clock that jumps here deletes nothing too early; and what is younger than a publication can take is left alone whatever names it.
//! The store is listed before any HEAD is read: what a later HEAD names besides is younger than the list.

use crate::points::{Stored, generation_of, manifests};
use crate::publish::{GRACE, POINT_EVERY, POINTS_KEPT};
use crate::resume::usable;
use crate::run::RunError;
use crate::{Settings, sentence};
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use search::manifest::{Alias, Head, Manifest, head_path, pack_path};
use search::store::{Durability, Object, Store, StoreError};
use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

/// A publication does not take longer than this from its first pack to its HEAD.
const IN_FLIGHT: Duration = Duration::from_mins(10);
/// A replica that was silent for so long is not coming back under its old name.
const SILENT: Duration = Duration::from_mins(2);
const EVERY: Duration = Duration::from_hours(1);
/// Manifests read at a time.
const READS: usize = 16;
/// Written to read the store's clock.
const CLOCK: &str = "r/clock";

/// What a collection deleted, or would.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Garbage {
    /// The objects' names, in the order of their deletion.
    pub paths: Vec<String>,
    /// Their length altogether.
    pub bytes: u64,
}

/// Deletes what is older than `keep` and named by nothing live; `None` keeps what the running indexer keeps. A dry run only looks.
///
/// # Errors
/// When the store fails.
pub async fn gc(settings: &Settings, keep: Option<Duration>, mode: Mode) -> Result<Garbage, RunError> {
    let superfluous = superfluous(&settings.store, keep.unwrap_or(POINTS_KEPT)).await?;
    if mode == Mode::Delete {
        for object in &superfluous {
            settings.store.delete(&object.path).await?;
        }
    }
    let bytes = superfluous.iter().map(|object| object.len_bytes).sum();
    Ok(Garbage { paths: superfluous.into_iter().map(|object| object.path).collect(), bytes })
}

/// Whether a collection deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It does.
    Delete,
    /// It only says what it would.
    DryRun,
}

/// Collects beside a running indexer, for ever.
pub(crate) async fn collect_now_and_then(store: Store) {
    loop {
        match superfluous(&store, POINTS_KEPT).await {
            Ok(objects) => {
                for object in objects {
                    if let Err(error) = store.delete(&object.path).await {
                        tracing::warn!(error = %sentence(&error), "an old object stays in the store");
                    }
                }
            }
            Err(error) => tracing::warn!(error = %sentence(&error), "the store was not tidied"),
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// What may go: manifests first, so that none is left that names a deleted pack.
async fn superfluous(store: &Store, keep: Duration) -> Result<Vec<Object>, StoreError> {
    store.put(CLOCK, "".into(), Durability::Visible).await?;
    let objects = store.list("").await?;
    let Some(now) = objects.iter().find(|object| object.path == CLOCK).map(|object| object.modified) else {
        return Ok(Vec::new());
    };
    let age = |object: &Object| Duration::try_from(now.duration_since(object.modified)).unwrap_or_default();
    let Some((Alias { generation: read }, _)) = usable(Alias::read(store).await)?.flatten() else {
        return Ok(Vec::new());
    };
    let numbers: BTreeSet<u32> = objects.iter().filter_map(|object| generation_of(&object.path)).collect();
    let mut live = HashSet::new();
    let mut whole = HashSet::new();
    for generation in numbers {
        let own: Vec<Object> =
            objects.iter().filter(|object| generation_of(&object.path) == Some(generation)).cloned().collect();
        let is_stale = own.iter().map(age).min().is_none_or(|youngest| youngest > keep.max(IN_FLIGHT));
        if generation > read && !is_stale {
            whole.insert(generation);
        } else if generation == read || (generation < read && own.iter().map(age).min() <= Some(keep)) {
            match named(store, generation, (&own, now), keep).await? {
                Some(paths) => live.extend(paths),
                None => drop(whole.insert(generation)),
            }
        }
    }
    let mut going: Vec<Object> = objects
        .into_iter()
        .filter(|object| match generation_of(&object.path) {
            Some(generation) => {
                let is_log = object.path.starts_with(&format!("g{generation}/a/"));
                let is_young = age(object) <= if generation < read { GRACE } else { IN_FLIGHT };
                let is_kept = whole.contains(&generation) || live.contains(&object.path);
                !(is_kept || is_young || is_log && generation == read)
            }
            None => object.path.starts_with("r/") && age(object) > SILENT,
        })
        .collect();
    going.sort_by_key(|object| !object.path.contains("/m/"));
    Ok(going)
}

/// What a generation's live manifests name, and they themselves; none when its HEAD cannot be read, and so all of it stays.
async fn named(
    store: &Store,
    generation: u32,
    (own, now): (&[Object], Timestamp),
    keep: Duration,
) -> Result<Option<HashSet<String>>, StoreError> {
    let Some((head, _)) = usable(Head::read(store, generation).await)?.flatten() else { return Ok(None) };
    let Some(manifest) = usable(Manifest::read(store, generation, &head).await)? else { return Ok(None) };
    let others = kept(&manifests(own), &head, now, keep);
    let read = futures::stream::iter(others)
        .map(|stored| async move { usable(Manifest::read(store, generation, &stored.head).await) })
        .buffer_unordered(READS);
    let others: Vec<Option<Manifest>> = read.try_collect().await?;
    let mut paths = HashSet::from([head_path(generation)]);
    for manifest in others.into_iter().flatten().chain([manifest]) {
        paths.insert(search::manifest::manifest_path(generation, manifest.seq, manifest.epoch));
        paths.extend(manifest.files.iter().map(|file| pack_path(generation, file.pack)));
    }
    Ok(Some(paths))
}

/// The manifests besides HEAD's that stay: the young ones, and the first of each stretch of time as a point to roll back to.
fn kept(manifests: &[Stored], head: &Head, now: Timestamp, keep: Duration) -> Vec<Stored> {
    let age = |stored: &Stored| Duration::try_from(now.duration_since(stored.object.modified)).unwrap_or_default();
    let stretch = |stored: &Stored| stored.object.modified.as_second().div_euclid(POINT_EVERY.as_secs().cast_signed());
    let mut stretches = HashSet::new();
    // Oldest first: a stretch's first stays its first.
    let others = manifests.iter().rev().filter(|stored| (stored.head.seq, stored.head.epoch) != (head.seq, head.epoch));
    others
        .filter(|stored| age(stored) <= GRACE || (age(stored) <= keep && stretches.insert(stretch(stored))))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Lsn;

    #[test]
    fn the_young_and_the_first_of_each_stretch_stay() {
        let now = Timestamp::from_second(1_000_000_200).unwrap();
        let stored = |seq, age_s: i64| Stored {
            generation: 1,
            head: Head { epoch: 1, seq, lsn: Lsn(0) },
            object: Object {
                path: format!("g1/m/{seq:016}-1.json"),
                len_bytes: 1,
                modified: Timestamp::from_second(1_000_000_200 - age_s).unwrap(),
            },
        };
        let manifests: Vec<Stored> =
            [(9, 1), (8, 5), (7, 100), (6, 150), (5, 700), (4, 800), (3, 3_000), (2, 4_000), (1, 9_000)]
                .map(|(seq, age_s)| stored(seq, age_s))
                .to_vec();
        let head = manifests[0].head;
        let stays = |keep_s| {
            let kept = kept(&manifests, &head, now, Duration::from_secs(keep_s));
            kept.iter().map(|stored| stored.head.seq).collect::<Vec<_>>()
        };
        assert_eq!(stays(3_600), [3, 4, 6, 8]);
        assert_eq!(stays(0), [8]);
    }
}
