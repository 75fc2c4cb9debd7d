//! Goes on from a published generation: takes it over from whoever wrote it and brings the working directory to it.
//!
//! An index is gone on from only if it is of this cluster and publication and not older than what the slot has confirmed: what lies
//! between them is forgotten by Postgres. A manifest that turns out to be damaged is stepped over for the one before.

use crate::index::{Payload, Purpose, WorkingIndex, payload_of};
use crate::points::{generations, manifests};
use crate::projection::Projection;
use crate::publish::{PublishError, Publisher};
use crate::restore::{RestoreError, restore};
use crate::source::preflight::Facts;
use crate::start::{Context, blocking};
use crate::{RunError, sentence};
use model::Lsn;
use search::manifest::{Alias, Head, Manifest, ReadError};
use search::store::{Store, StoreError};
use std::path::{Path, PathBuf};

/// Manifests tried, newest first, when HEAD's own is damaged: a power cut may spoil what was visible but not yet durable.
const MANIFESTS_TRIED_MAX: usize = 256;
/// How often a HEAD that moves under our hands is read again before its writer is left alone.
const CLAIMS_MAX: usize = 50;

/// A generation that this indexer writes from now on.
pub(crate) struct Resumed {
    pub(crate) publisher: Publisher,
    pub(crate) projection: Projection,
    pub(crate) payload: Payload,
}

/// What a look at a generation tells.
pub(crate) enum Outlook {
    /// It can be gone on from.
    Good,
    /// It is not as far as the slot.
    Behind(Lsn),
    /// It cannot be gone on from: of another database, damaged, or not there.
    Unusable,
}

/// The generation that is read, if there is one.
pub(crate) async fn served(store: &Store) -> Result<Option<u32>, StoreError> {
    Ok(usable(Alias::read(store).await)?.flatten().map(|(alias, _)| alias.generation))
}

/// What a generation's last publication says about itself.
pub(crate) async fn payload(store: &Store, generation: u32) -> Result<Option<Payload>, StoreError> {
    let Some((head, _)) = usable(Head::read(store, generation).await)?.flatten() else { return Ok(None) };
    let manifest = usable(Manifest::read(store, generation, &head).await)?;
    Ok(manifest.and_then(|manifest| payload_of(&manifest.index_meta)))
}

/// Whether HEAD can be gone on from with a slot that has confirmed so far. A damaged manifest has older ones before it.
pub(crate) async fn outlook(
    store: &Store,
    generation: u32,
    facts: &Facts,
    confirmed: Lsn,
) -> Result<Outlook, StoreError> {
    let Some((head, _)) = usable(Head::read(store, generation).await)?.flatten() else { return Ok(Outlook::Unusable) };
    let Some(manifest) = usable(Manifest::read(store, generation, &head).await)? else { return Ok(Outlook::Good) };
    Ok(match payload_of::<Payload>(&manifest.index_meta) {
        Some(payload) if is_of(&payload, facts) && payload.lsn >= confirmed => Outlook::Good,
        Some(payload) if is_of(&payload, facts) => Outlook::Behind(payload.lsn),
        _ => Outlook::Unusable,
    })
}

/// Takes the generation over; none when it cannot be gone on from.
pub(crate) async fn resume(
    context: &Context,
    facts: &Facts,
    generation: u32,
    confirmed: Lsn,
) -> Result<Option<Resumed>, RunError> {
    let store = &context.store;
    let Some((mut seen, _)) = usable(Head::read(store, generation).await)?.flatten() else { return Ok(None) };
    let dir = directory(&context.work_dir, generation);
    for candidate in candidates(store, generation, seen).await? {
        let Some(manifest) = usable(Manifest::read(store, generation, &candidate).await)? else { continue };
        let Some(payload) = payload_of::<Payload>(&manifest.index_meta) else { continue };
        if !is_of(&payload, facts) || payload.lsn < confirmed {
            tracing::warn!(wal.lsn = %payload.lsn, %confirmed, "the published index cannot be gone on from");
            return Ok(None);
        }
        // Most of it while its writer may still be at work, the rest once it is ours.
        if !is_restored(store, generation, &manifest, &dir).await? {
            continue;
        }
        let (mut publisher, manifest) = claim(store, generation, seen, manifest).await?;
        seen = publisher.head();
        let Some(payload) = payload_of::<Payload>(&manifest.index_meta) else { continue };
        if !is_restored(store, generation, &manifest, &dir).await? {
            continue;
        }
        match publisher.open_availability().await {
            Err(PublishError::Read(error)) => {
                tracing::warn!(error = %error, "the availability log cannot be gone on from");
                return Ok(None);
            }
            opened => opened?,
        }
        let index = blocking(move || WorkingIndex::open(&dir, Purpose::Stream)).await??;
        tracing::info!(generation, epoch = publisher.head().epoch, wal.lsn = %payload.lsn, "resumed");
        return Ok(Some(Resumed { publisher, projection: Projection::new(index, &payload)?, payload }));
    }
    Ok(None)
}

fn is_of(payload: &Payload, facts: &Facts) -> bool {
    payload.system_id == facts.system_id && payload.publication == facts.publication
}

/// Publishes a manifest again under an epoch of our own, which fences every other writer of the generation. If the writer has gone on
/// since `seen`, it is that writer's last manifest which is taken.
async fn claim(
    store: &Store,
    generation: u32,
    seen: Head,
    mut manifest: Manifest,
) -> Result<(Publisher, Manifest), RunError> {
    for _ in 0..CLAIMS_MAX {
        let epoch = next_epoch(store).await?;
        let Some((head, tag)) = Head::read(store, generation).await? else { return Err(PublishError::Fenced.into()) };
        if head != seen {
            manifest = Manifest::read(store, generation, &head).await?;
        }
        match Publisher::take_over(store.clone(), generation, epoch, (head, tag), &manifest).await {
            Err(PublishError::Fenced) => {}
            taken => return Ok((taken?, manifest)),
        }
    }
    Err(PublishError::Fenced.into())
}

/// False when the store does not hold what the manifest names.
async fn is_restored(store: &Store, generation: u32, manifest: &Manifest, dir: &Path) -> Result<bool, RunError> {
    match restore(store, generation, manifest, dir).await {
        Ok(()) => Ok(true),
        // A shortened object fails as the store's error, a spoilt one by its checksum.
        Err(error @ (RestoreError::Read(_) | RestoreError::Store(_))) => {
            tracing::warn!(error = %sentence(&error), "a manifest cannot be restored, trying the one before");
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// A store that fails is an error; what it holds may be damaged or of another version, and is rebuilt.
pub(crate) fn usable<T>(read: Result<T, ReadError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(ReadError::Store(error)) => Err(error),
        Err(error) => {
            tracing::warn!(error = %error, "the index store holds what cannot be gone on from");
            Ok(None)
        }
    }
}

/// HEAD, then every older manifest that is still there, newest first.
async fn candidates(store: &Store, generation: u32, head: Head) -> Result<Vec<Head>, StoreError> {
    let listed = manifests(&store.list(&format!("g{generation}/m")).await?);
    let older = listed.into_iter().map(|stored| stored.head).filter(|other| other.seq < head.seq);
    Ok([head].into_iter().chain(older.take(MANIFESTS_TRIED_MAX)).collect())
}

/// Above every epoch there ever was: each HEAD keeps its writer's, and the availability log is opened after a HEAD.
pub(crate) async fn next_epoch(store: &Store) -> Result<u64, StoreError> {
    let mut highest = 0;
    for generation in generations(store).await? {
        if let Some((head, _)) = usable(Head::read(store, generation).await)?.flatten() {
            highest = highest.max(head.epoch);
        }
    }
    Ok(highest + 1)
}

/// Where a generation's working index is.
pub(crate) fn directory(work_dir: &Path, generation: u32) -> PathBuf {
    work_dir.join(format!("g{generation}"))
}

/// Removes the working indexes of other generations.
pub(crate) fn remove_other_directories(work_dir: &Path, generation: u32) {
    let own = directory(work_dir, generation);
    let is_index = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('g'));
    let Ok(entries) = std::fs::read_dir(work_dir) else { return };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| is_index(path) && *path != own) {
        if let Err(error) = std::fs::remove_dir_all(&path) {
            tracing::warn!(error = %error, path = %path.display(), "a superfluous working directory stays");
        }
    }
}
