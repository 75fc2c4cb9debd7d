//! The life of an indexer: start, stream, and start again when the connection breaks or the slot is lost.

use crate::gc::collect_now_and_then;
use crate::index::IndexError;
use crate::projection::ApplyError;
use crate::publish::PublishError;
use crate::reindex::is_for;
use crate::restore::RestoreError;
use crate::source::copy::CopyError;
use crate::source::preflight::PreflightError;
use crate::source::session::SessionError;
use crate::source::slot::DropSlotError;
use crate::source::{Source, SourceError, preflight};
use crate::start::{Context, start, without_slot};
use crate::stream::stream;
use crate::{Observer, Progress, Settings};
use search::manifest::ReadError;
use search::store::StoreError;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pauses between attempts to reach a Postgres that was there before.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// A slot that is lost so often in a row will be lost again: copying takes longer than Postgres keeps its log.
const LOST_MAX: u32 = 3;

/// Why the indexer ended. With its sources it is one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Postgres cannot be a source as it stands.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// A question to Postgres failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The slot could not be dropped.
    #[error(transparent)]
    DropSlot(#[from] DropSlotError),
    /// The stream could not be opened or broke.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The slot is lost each time.
    #[error(
        "Postgres dropped the replication slot's log {LOST_MAX} times before the copy was done; raise max_slot_wal_keep_size"
    )]
    LostAgain,
    /// The initial copy failed.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// A change could not be applied.
    #[error("apply a change")]
    Apply(#[from] ApplyError),
    /// The working index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The working directory could not be restored.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The store could not be written, or another indexer writes it.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The working directory cannot be used.
    #[error("use the working directory {dir}")]
    WorkDir {
        /// The directory.
        dir: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// What the store holds cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A new generation was not finished because the indexer was told to stop.
    #[error("stopped before the new generation was handed over; the next reindex goes on from here")]
    Stopped,
    /// Another reindex or rollback is at work.
    #[error("the replication slot {slot} is in use: another reindex or rollback is under way; let that one end first")]
    Reindexing {
        /// Its slot.
        slot: String,
    },
    /// What to roll back to is not there.
    #[error("there is no such publication to roll back to; kept are (generation/publication): {}", kept.join(", "))]
    NoSuchPublication {
        /// Generations and publications that there are, newest first.
        kept: Vec<String>,
    },
    /// Another process works there.
    #[error("the working directory {dir} is in use by another indexer; stop that one first")]
    WorkDirBusy {
        /// The directory.
        dir: PathBuf,
    },
}

impl RunError {
    /// Whether Postgres or the store being away, or a full disk, explains it: what is published is read on, and trying again may help.
    fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Session(SessionError::Wire(_) | SessionError::Ended)
                | Self::Source(_)
                | Self::Preflight(PreflightError::Source(_) | PreflightError::Changed)
                | Self::DropSlot(DropSlotError::Source(_))
                | Self::Copy(CopyError::Source(_) | CopyError::Lines { .. })
                | Self::Store(_)
                | Self::Read(ReadError::Store(_))
                | Self::Publish(
                    PublishError::Store(_) | PublishError::Read(ReadError::Store(_)) | PublishError::Index(_)
                )
                | Self::Restore(RestoreError::Store(_) | RestoreError::Io { .. })
                | Self::Index(_)
                | Self::Apply(ApplyError::Index(_))
        )
    }
}

/// Copies if there is no usable index, then streams until stopped.
///
/// Cancel `stop` to end it in order: what was published stays, the slot is confirmed up to it. A connection that breaks after the first
/// start is opened again for as long as it takes; a slot that was lost is made anew with a new generation.
///
/// # Errors
/// When Postgres cannot serve as a source, the store cannot be written, or another indexer took over.
pub async fn run(settings: Settings, observer: Observer, stop: CancellationToken) -> Result<(), RunError> {
    let (context, _lock) = context(settings, observer, stop.clone())?;
    let _collecting = AbortOnDrop(tokio::spawn(collect_now_and_then(context.store.clone())));
    let (mut started_once, mut lost, mut pause) = (false, 0, PAUSE_MIN);
    loop {
        let attempt = async {
            if lost > 0 {
                without_slot(&context).await?;
            }
            let started = start(&context).await?;
            (started_once, lost, pause) = (true, 0, PAUSE_MIN);
            (context.observer)(&Progress::Streaming);
            let payload = started.payload.clone();
            tokio::select! {
                ended = stream(started, Arc::clone(&context.observer), &stop) => ended,
                changed = preflight::until_changed(&context.source, &payload) => Err(changed.into()),
            }
        };
        let error = tokio::select! {
            biased;
            ended = attempt => match ended {
                Ok(()) | Err(RunError::Stopped) => return Ok(()),
                Err(error) => error,
            },
            // Only a start is cut short here: a stream ends by itself, in order, and before this is asked.
            () = stop_starting(&stop) => return Ok(()),
        };
        let Some(error) = moves_over(&context, error).await else { continue };
        if matches!(error, RunError::Session(SessionError::Lost { .. })) {
            lost += 1;
            if lost >= LOST_MAX {
                return Err(RunError::LostAgain);
            }
        } else if !(started_once && error.is_passing()) {
            return Err(error);
        }
        tracing::warn!(error = %sentence(&error), pause_ms = pause.as_millis(), "starting again");
        (context.observer)(&Progress::Waiting { why: sentence(&error) });
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// The task ends with the indexer.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// None when a generation was made for this indexer to go on from; else why it ended.
async fn moves_over(context: &Context, error: RunError) -> Option<RunError> {
    let RunError::Publish(PublishError::Superseded { generation }) = error else { return Some(error) };
    match is_for(context, generation).await {
        Ok(true) => {
            tracing::info!(generation, "moving over to the new generation");
            None
        }
        Ok(false) => Some(error),
        Err(other) => Some(other),
    }
}

fn context(settings: Settings, observer: Observer, stop: CancellationToken) -> Result<(Context, File), RunError> {
    let source = Source::new(&settings.database_url, settings.slot.as_deref()).map_err(PreflightError::from)?;
    let lock = lock(&settings.work_dir)?;
    let Settings { store, work_dir, .. } = settings;
    let followed_by = source.slot.clone();
    Ok((Context { source, store, work_dir, followed_by, observer, stop }, lock))
}

/// A stop during a start may wait for a copy that nobody needs any more; a stream is given this long to end in order.
async fn stop_starting(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
}

/// One indexer per working directory; the kernel drops the lock with its process.
pub(crate) fn lock(dir: &Path) -> Result<File, RunError> {
    let failed = |source| RunError::WorkDir { dir: dir.to_owned(), source };
    std::fs::create_dir_all(dir).map_err(failed)?;
    let file = File::options().create(true).truncate(false).write(true).open(dir.join(".lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(RunError::WorkDirBusy { dir: dir.to_owned() }),
        Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// An error with its sources on one line.
#[must_use]
pub fn sentence(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}
