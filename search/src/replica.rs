//! A local copy of the published index that follows the store and never goes backwards.
//!
//! Readers take the current [`View`] and keep it as long as they like; [`Replica::run`] makes the next one beside it and swaps.
//! A round that fails (store away, pack damaged, indexer dead) changes nothing: the last view answers on. Log positions of
//! views only rise, also over a change of generation.

mod fetch;
#[cfg(test)]
mod tests;

use crate::availability;
use crate::manifest::{Alias, Head, Manifest, ReadError};
use crate::overlay::Overlay;
use crate::presence::{self, Presence};
use crate::store::Store;
use crate::vectors::Table;
use crate::view::{SearchError, Shared, View};
use arc_swap::ArcSwapOption;
use fetch::{Directory, FetchError};
use model::Lsn;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How a replica behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// How often the store is asked when nothing says that it changed.
    pub poll_interval: Duration,
    /// How long a newer HEAD may be known but not shown before the replica counts as not ready.
    pub lag_max: Duration,
    /// What words mean; without it searches go by words alone.
    pub table: Option<Arc<Table>>,
}

impl Options {
    /// What suits a store.
    #[must_use]
    pub fn of(store: &Store) -> Self {
        Self { poll_interval: store.poll_interval(), lag_max: Duration::from_secs(10), table: None }
    }
}

/// A handle on the local copy; clones share it.
#[derive(Clone, Debug)]
pub struct Replica {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    work_dir: PathBuf,
    options: Options,
    view: ArcSwapOption<View>,
    overlay: Arc<Overlay>,
    shown: watch::Sender<Lsn>,
    behind: AtomicBool,
}

/// The work directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("make the replica's directory {path}")]
pub struct OpenError {
    path: String,
    source: std::io::Error,
}

/// The wait was over before the index was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the index is at {shown}, not yet at {wanted}")]
pub struct NotYet {
    /// What was waited for.
    pub wanted: Lsn,
    /// What is there.
    pub shown: Lsn,
}

/// A round did not get to the newest view; the next one tries again.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Open(#[from] SearchError),
    #[error("the replica's task was cut off")]
    Task(#[from] tokio::task::JoinError),
}

/// What a running replica remembers from round to round.
struct Progress {
    generation: u32,
    shared: Shared,
    directory: Option<Directory>,
    /// The availability log and the number of its last batch that was applied.
    applied: (Uuid, u64),
    failing: bool,
}

impl Replica {
    /// Makes a replica of `store` that keeps its files under `work_dir`; nothing is read before [`Replica::run`].
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn open(store: Store, work_dir: impl Into<PathBuf>, options: Options) -> Result<Self, OpenError> {
        let work_dir = work_dir.into();
        std::fs::create_dir_all(&work_dir)
            .map_err(|source| OpenError { path: work_dir.display().to_string(), source })?;
        let inner = Inner {
            store,
            work_dir,
            options,
            view: ArcSwapOption::empty(),
            overlay: Arc::default(),
            shown: watch::Sender::new(Lsn::default()),
            behind: AtomicBool::new(false),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The newest view; none before the first was made.
    #[must_use]
    pub fn current(&self) -> Option<Arc<View>> {
        self.inner.view.load_full()
    }

    /// Whether searches can be answered, and not from a view that is long behind what is published. A dead indexer publishes
    /// nothing, so it makes no replica unready.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.inner.view.load().is_some() && !self.inner.behind.load(Ordering::Relaxed)
    }

    /// How far Postgres's log is in the newest view; changes are seen through the receiver.
    #[must_use]
    pub fn shown(&self) -> watch::Receiver<Lsn> {
        self.inner.shown.subscribe()
    }

    /// Waits until what was committed at `lsn` is in the newest view.
    ///
    /// # Errors
    /// [`NotYet`] after `timeout`.
    pub async fn wait_for(&self, lsn: Lsn, timeout: Duration) -> Result<(), NotYet> {
        let mut shown = self.shown();
        let there = tokio::time::timeout(timeout, shown.wait_for(|at| *at >= lsn)).await;
        match there {
            Ok(Ok(_)) => Ok(()),
            _ => Err(NotYet { wanted: lsn, shown: *self.inner.shown.borrow() }),
        }
    }

    /// Follows the store until `stop`. To be run once per replica. Cancelling loses nothing: files are taken up when they are
    /// whole.
    pub async fn run(&self, stop: CancellationToken) {
        tokio::join!(self.follow(&stop), self.embed(&stop), self.be_present(&stop));
    }

    async fn follow(&self, stop: &CancellationToken) {
        let mut changes = self.inner.store.changes();
        let mut progress = Progress::new(0, self.shared());
        let mut lagging_since = None;
        while !stop.is_cancelled() {
            changes.mark_unchanged();
            let round = tokio::select! {
                () = stop.cancelled() => return,
                round = self.round(&mut progress) => round,
            };
            self.note(&mut progress, &round, &mut lagging_since);
            let wait =
                if round.is_ok() { self.inner.options.poll_interval } else { 8 * self.inner.options.poll_interval };
            tokio::select! {
                () = stop.cancelled() => return,
                _ = changes.changed(), if round.is_ok() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// What views of a new generation share.
    fn shared(&self) -> Shared {
        Shared::new(&self.inner.overlay, self.inner.options.table.clone())
    }

    /// Has each view's vectors made after it is shown, on a thread that may take its time, until `stop`.
    async fn embed(&self, stop: &CancellationToken) {
        let mut shown = self.shown();
        while self.inner.options.table.is_some() && !stop.is_cancelled() {
            shown.mark_unchanged();
            if let Some(view) = self.current() {
                let until = stop.clone();
                match tokio::task::spawn_blocking(move || view.embed(&until)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "some events are found by their words alone"
                    ),
                    Err(error) => tracing::debug!(%error, "vectors are made no more"),
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                _ = shown.changed() => {}
            }
        }
    }

    /// Says in the store what is shown here, now and then, until `stop`.
    async fn be_present(&self, stop: &CancellationToken) {
        let id = Uuid::now_v7();
        let mut told = Ok(());
        loop {
            let mut presence = Presence { ready: self.ready(), ..Presence::here() };
            if let Some(view) = self.current() {
                let Head { seq, lsn, .. } = view.head;
                presence = Presence { generation: view.generation, seq, lsn, ..presence };
            }
            let before = told.is_ok();
            told = presence.put(&self.inner.store, id).await;
            if let (true, Err(error)) = (before, &told) {
                tracing::warn!(
                    error = error as &dyn std::error::Error,
                    "the store does not take this replica's sign of life"
                );
            }
            if stop.run_until_cancelled(tokio::time::sleep(presence::RENEWED_EVERY)).await.is_none() {
                break;
            }
        }
        if let Err(error) = presence::leave(&self.inner.store, id).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "this replica's sign of life stays");
        }
    }

    fn note(
        &self,
        progress: &mut Progress,
        round: &Result<(), RoundError>,
        lagging_since: &mut Option<tokio::time::Instant>,
    ) {
        match round {
            Ok(()) => {
                *lagging_since = None;
                progress.failing = false;
            }
            Err(error) => {
                lagging_since.get_or_insert_with(tokio::time::Instant::now);
                if !progress.failing {
                    tracing::warn!(error = error as &dyn std::error::Error, "the replica keeps its last view");
                    progress.failing = true;
                }
            }
        }
        let behind = lagging_since.is_some_and(|since| since.elapsed() > self.inner.options.lag_max);
        self.inner.behind.store(behind, Ordering::Relaxed);
    }

    /// Reads what is published, and shows it when it is newer. Availability is read after HEAD and applied before the swap: a
    /// view then has at least the availability of its log position.
    async fn round(&self, progress: &mut Progress) -> Result<(), RoundError> {
        let Some((alias, _)) = Alias::read(&self.inner.store).await? else { return Ok(()) };
        let Some((head, _)) = Head::read(&self.inner.store, alias.generation).await? else { return Ok(()) };
        let shown = self.current().map(|view| (view.generation, view.head));
        if shown.is_some_and(|(generation, at)| generation != alias.generation && head.lsn < at.lsn) {
            // It has yet to catch up with what is shown here.
            return Ok(());
        }
        self.apply_availability(progress, alias.generation).await?;
        if !is_newer(shown, (alias.generation, head)) {
            return Ok(());
        }
        if progress.generation != alias.generation {
            let applied = progress.applied;
            *progress = Progress { applied, ..Progress::new(alias.generation, self.shared()) };
        }
        let view = self.make(progress, head).await?;
        self.inner.view.store(Some(Arc::clone(&view)));
        self.inner.shown.send_replace(head.lsn);
        if let Some(directory) = &mut progress.directory {
            directory.shown(&view);
            directory.collect();
        }
        tracing::debug!(wal.lsn = %head.lsn, index.seq = head.seq, "showing a newer view");
        Ok(())
    }

    async fn make(&self, progress: &mut Progress, head: Head) -> Result<Arc<View>, RoundError> {
        let generation = progress.generation;
        let manifest = Manifest::read(&self.inner.store, generation, &head).await?;
        let directory = match &mut progress.directory {
            Some(directory) => directory,
            none => none.insert(Directory::open(&self.inner.work_dir, generation).await?),
        };
        let (path, shared) = (directory.path().to_owned(), progress.shared.clone());
        let fetched = directory.fetch(&self.inner.store, &manifest).await;
        if fetched.is_err() && !path.exists() {
            // Somebody cleaned up where the files were: the next round fetches all of them.
            progress.directory = None;
        }
        fetched?;
        let opened = tokio::task::spawn_blocking(move || View::open(&path, generation, head, &shared)).await?;
        if opened.is_err() {
            // Files that passed their check and cannot be opened: begin again from nothing.
            progress.directory = None;
            fetch::wipe(&self.inner.work_dir, generation);
        }
        Ok(Arc::new(opened?))
    }

    async fn apply_availability(&self, progress: &mut Progress, generation: u32) -> Result<(), RoundError> {
        let Some((head, _)) = availability::read_head(&self.inner.store, generation).await? else { return Ok(()) };
        let (writer, seq) = progress.applied;
        if (head.writer, head.seq) == (writer, seq) {
            return Ok(());
        }
        let follows = head.writer == writer && head.seq > seq;
        let known = if follows { seq } else { 0 };
        let changes = availability::read_after(&self.inner.store, generation, known, &head).await?;
        if follows {
            self.inner.overlay.apply(&changes);
        } else {
            // Another writer began with a snapshot of all it knows: what is not in it is no longer so.
            self.inner.overlay.replace(&changes);
        }
        progress.applied = (head.writer, head.seq);
        Ok(())
    }
}

impl Progress {
    fn new(generation: u32, shared: Shared) -> Self {
        Self { generation, shared, directory: None, applied: (Uuid::nil(), 0), failing: false }
    }
}

/// Whether a published state may follow the shown one: any other that is not behind it. Numbers do not matter: in a store that was
/// emptied they begin again.
fn is_newer(shown: Option<(u32, Head)>, published: (u32, Head)) -> bool {
    let Some((generation, head)) = shown else { return true };
    published != (generation, head) && published.1.lsn >= head.lsn
}
