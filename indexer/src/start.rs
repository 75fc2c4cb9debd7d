//! Finds out where an indexer stands and brings it to where it can stream: resume the published index, or build a new generation.
//!
//! An index is gone on from only if it is of this cluster and publication and not older than what the slot has confirmed: what lies
//! between them is forgotten by Postgres. Everything else is rebuilt, while the old generation goes on being read.

use crate::index::{Payload, Purpose, WorkingIndex, payload_of};
use crate::projection::Projection;
use crate::publish::{PublishError, Publisher, generations};
use crate::restore::{RestoreError, restore};
use crate::source::copy::{Projected, Snapshot};
use crate::source::preflight::{self, Facts};
use crate::source::session::{self, Session};
use crate::source::{Source, slot};
use crate::tell::Teller;
use crate::{Observer, Progress, RunError, sentence};
use model::Lsn;
use search::availability::Change;
use search::manifest::{Alias, Head, Manifest, ReadError};
use search::store::{Store, StoreError, Tag};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Manifests tried, newest first, when HEAD's own is damaged: a power cut may spoil what was visible but not yet durable.
const MANIFESTS_TRIED_MAX: usize = 256;
/// How many events pass between two reports of the copy.
const REPORT_EVERY: u64 = 1_000;

/// What every start needs.
pub(crate) struct Context {
    pub(crate) source: Source,
    pub(crate) store: Store,
    pub(crate) work_dir: PathBuf,
    pub(crate) observer: Observer,
    pub(crate) stop: CancellationToken,
}

/// An indexer that holds the slot and an index to apply its stream to.
pub(crate) struct Started {
    pub(crate) session: Session,
    pub(crate) projection: Projection,
    pub(crate) teller: Teller,
    pub(crate) publisher: Publisher,
    /// What the index at hand is.
    pub(crate) payload: Payload,
}

/// Checks everything, then resumes or builds.
pub(crate) async fn start(context: &Context) -> Result<Started, RunError> {
    let connection = context.source.connect().await.map_err(preflight::PreflightError::from)?;
    let facts = preflight::check(&context.source, &connection.client).await?;
    let found = slot::find(&connection.client, &context.source.slot).await?;
    if let Some(slot) = found.filter(|slot| !slot.lost) {
        // Holding the slot first: from here on no other indexer of this database publishes.
        let session = session::resume(&context.source).await?;
        if let Some(resumed) = resume(context, &facts, slot.confirmed).await? {
            let (publisher, projection, payload) = resumed;
            let teller = Teller::new(context.source.clone());
            return Ok(Started { session, projection, teller, publisher, payload });
        }
        session.close().await;
    }
    slot::drop(&connection.client, &context.source.slot).await?;
    build(context, &facts).await
}

/// Checks everything and builds, whatever there is. The slot must be free.
pub(crate) async fn rebuild(context: &Context) -> Result<Started, RunError> {
    let connection = context.source.connect().await.map_err(preflight::PreflightError::from)?;
    let facts = preflight::check(&context.source, &connection.client).await?;
    slot::drop(&connection.client, &context.source.slot).await?;
    build(context, &facts).await
}

type Resumed = (Publisher, Projection, Payload);

async fn resume(context: &Context, facts: &Facts, confirmed: Lsn) -> Result<Option<Resumed>, RunError> {
    let Some((generation, head, tag)) = published(&context.store).await? else { return Ok(None) };
    let dir = directory(&context.work_dir, generation);
    for candidate in candidates(&context.store, generation, head).await? {
        let Some(manifest) = usable(Manifest::read(&context.store, generation, &candidate).await)? else { continue };
        let Some(payload) = payload_of::<Payload>(&manifest.index_meta) else { continue };
        let same = payload.system_id == facts.system_id && payload.publication == facts.publication;
        if !same || payload.lsn < confirmed {
            tracing::warn!(wal.lsn = %payload.lsn, same, "the published index cannot be gone on from");
            return Ok(None);
        }
        match restore(&context.store, generation, &manifest, &dir).await {
            Ok(()) => {}
            // A shortened object fails as the store's error, a spoilt one by its checksum.
            Err(error @ (RestoreError::Read(_) | RestoreError::Store(_))) => {
                tracing::warn!(error = %sentence(&error), "a manifest cannot be restored, trying the one before");
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        let index = blocking(move || WorkingIndex::open(&dir, Purpose::Stream)).await??;
        let epoch = next_epoch(&context.store).await?;
        let mut publisher = Publisher::take_over(context.store.clone(), generation, epoch, (head, tag), manifest);
        publisher.publish(&index, &payload).await?;
        match publisher.open_availability().await {
            Err(PublishError::Read(error)) => {
                tracing::warn!(error = %error, "the availability log cannot be gone on from");
                return Ok(None);
            }
            opened => opened?,
        }
        publisher.collect_garbage().await?;
        remove_other_directories(&context.work_dir, generation);
        tracing::info!(generation, epoch, wal.lsn = %payload.lsn, "resumed");
        return Ok(Some((publisher, Projection::new(index)?, payload)));
    }
    Ok(None)
}

/// The generation that is read and its HEAD; none when there is nothing that could be gone on from.
async fn published(store: &Store) -> Result<Option<(u32, Head, Tag)>, RunError> {
    let Some((alias, _)) = usable(Alias::read(store).await)?.flatten() else { return Ok(None) };
    let head = usable(Head::read(store, alias.generation).await)?.flatten();
    Ok(head.map(|(head, tag)| (alias.generation, head, tag)))
}

/// A store that fails is an error; what it holds may be damaged or of another version, and is rebuilt.
fn usable<T>(read: Result<T, ReadError>) -> Result<Option<T>, StoreError> {
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
    let named = |path: &str| {
        let (seq, epoch) = path.rsplit_once('/')?.1.strip_suffix(".json")?.split_once('-')?;
        Some(Head { seq: seq.parse().ok()?, epoch: epoch.parse().ok()?, lsn: Lsn::default() })
    };
    let listed = store.list(&format!("g{generation}/m")).await?;
    let older = listed.iter().rev().filter_map(|object| named(&object.path));
    let older = older.filter(|other| other.seq < head.seq).take(MANIFESTS_TRIED_MAX);
    Ok([head].into_iter().chain(older).collect())
}

/// Above every epoch there ever was: each HEAD keeps its writer's, and the availability log is opened after a HEAD.
async fn next_epoch(store: &Store) -> Result<u64, StoreError> {
    let mut highest = 0;
    for generation in generations(store).await? {
        if let Some((head, _)) = usable(Head::read(store, generation).await)?.flatten() {
            highest = highest.max(head.epoch);
        }
    }
    Ok(highest + 1)
}

/// A new generation from a snapshot. A crash before ALIAS is set leaves a slot and objects that the next start removes.
async fn build(context: &Context, facts: &Facts) -> Result<Started, RunError> {
    let store = &context.store;
    let alias = usable(Alias::read(store).await)?.flatten();
    let generation = generations(store).await?.last().map_or(1, |last| last + 1);
    let dir = directory(&context.work_dir, generation);
    let mut session = Session::open(&context.source).await?;
    let snapshot = session.create_slot().await?;
    tracing::info!(generation, wal.lsn = %snapshot.lsn, "copying");
    let rows = Snapshot::open(&context.source, &snapshot.name).await?;
    let payload =
        Payload { lsn: snapshot.lsn, system_id: facts.system_id.clone(), publication: facts.publication.clone() };
    let (observer, stop) = (Arc::clone(&context.observer), context.stop.clone());
    let report = move |events, events_estimate| {
        observer(&Progress::Copying { events, events_estimate });
        if stop.is_cancelled() { Err(RunError::Stopped) } else { Ok(()) }
    };
    let copied = payload.clone();
    let (index, availability) = blocking(move || copy(rows, &dir, &copied, report)).await??;
    let mut publisher = Publisher::begin(store.clone(), generation, next_epoch(store).await?);
    publisher.publish(&index, &payload).await?;
    publisher.restart_availability(&availability).await?;
    let settled = publisher.settle().run().await?;
    publisher.settled(settled);
    publisher.expose(alias.as_ref().map(|(_, tag)| tag)).await?;
    let head = publisher.head();
    let (seq, lsn, documents) = (head.seq, head.lsn, index.documents());
    (context.observer)(&Progress::Published { generation, seq, lsn, documents });
    session.start().await?;
    let teller = Teller::new(context.source.clone());
    Ok(Started { session, projection: Projection::new(index)?, teller, publisher, payload })
}

fn copy(
    rows: Snapshot,
    dir: &Path,
    payload: &Payload,
    report: impl Fn(u64, u64) -> Result<(), RunError>,
) -> Result<(WorkingIndex, Vec<Change>), RunError> {
    if dir.exists() {
        std::fs::remove_dir_all(dir).map_err(crate::index::IndexError::from)?;
    }
    std::fs::create_dir_all(dir).map_err(crate::index::IndexError::from)?;
    let mut index = WorkingIndex::create(dir, Purpose::Copy)?;
    let (mut events, events_estimate) = (0, rows.events_estimate);
    let mut availability = Vec::new();
    rows.read::<RunError>(|projected| {
        let document = match projected {
            Projected::Availability(change) => {
                availability.push(change);
                return Ok(());
            }
            Projected::Venue(venue) => venue.to_document(),
            Projected::Artist(artist) => artist.to_document(),
            Projected::Synonym(synonym) => synonym.to_document(),
            Projected::SavedSearch(search) => search.to_document(),
            Projected::Event(event) => {
                events += 1;
                if events % REPORT_EVERY == 0 {
                    report(events, events_estimate)?;
                }
                event.to_document()
            }
        };
        index.add(document.map_err(crate::index::IndexError::from)?)?;
        Ok(())
    })?;
    report(events, events)?;
    index.commit(Some(payload))?;
    // The copy's writer, with its memory, makes way for the stream's.
    drop(index);
    Ok((WorkingIndex::open(dir, Purpose::Stream)?, availability))
}

fn directory(work_dir: &Path, generation: u32) -> PathBuf {
    work_dir.join(format!("g{generation}"))
}

fn remove_other_directories(work_dir: &Path, generation: u32) {
    let own = directory(work_dir, generation);
    let Ok(entries) = std::fs::read_dir(work_dir) else { return };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_dir() && *path != own) {
        if let Err(error) = std::fs::remove_dir_all(&path) {
            tracing::warn!(error = %error, path = %path.display(), "a superfluous working directory stays");
        }
    }
}

/// Runs what blocks off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, RunError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| RunError::Publish(PublishError::Thread(error)))
}
