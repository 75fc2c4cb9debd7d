//! The life of an indexer: start, stream, and start again when the connection breaks or the slot is lost.

use crate::index::IndexError;
use crate::projection::ApplyError;
use crate::publish::PublishError;
use crate::restore::RestoreError;
use crate::source::copy::CopyError;
use crate::source::preflight::PreflightError;
use crate::source::session::SessionError;
use crate::source::slot::DropSlotError;
use crate::source::{Source, SourceError};
use crate::start::{Context, rebuild, start};
use crate::stream::stream;
use crate::{Observer, Settings};
use search::manifest::ReadError;
use search::store::StoreError;
use std::fs::File;
use std::path::{Path, PathBuf};
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
    /// A copy was cut short because the indexer was told to stop.
    #[error("stopped while copying")]
    Stopped,
    /// Another process works there.
    #[error("the working directory {dir} is in use by another indexer; stop that one first")]
    WorkDirBusy {
        /// The directory.
        dir: PathBuf,
    },
}

impl RunError {
    /// Whether Postgres being away explains it.
    fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Session(SessionError::Wire(_) | SessionError::Ended)
                | Self::Source(_)
                | Self::Preflight(PreflightError::Source(_))
                | Self::DropSlot(DropSlotError::Source(_))
                | Self::Copy(CopyError::Source(_) | CopyError::Lines { .. })
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
    let (mut started_once, mut lost, mut pause) = (false, 0, PAUSE_MIN);
    loop {
        let attempt = async {
            let started = start(&context).await?;
            (started_once, lost, pause) = (true, 0, PAUSE_MIN);
            stream(started, std::sync::Arc::clone(&context.observer), &stop).await
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
        if matches!(error, RunError::Session(SessionError::Lost { .. })) {
            lost += 1;
            if lost >= LOST_MAX {
                return Err(RunError::LostAgain);
            }
        } else if !(started_once && error.is_passing()) {
            return Err(error);
        }
        tracing::warn!(error = %sentence(&error), pause_ms = pause.as_millis(), "starting again");
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Builds a new generation from a snapshot, whatever the present one is, and lets it be read. The old one is read until then; the next
/// [`run`] goes on from the new one.
///
/// # Errors
/// As [`run`]; also when an indexer is running.
pub async fn reindex(settings: Settings, observer: Observer, stop: CancellationToken) -> Result<(), RunError> {
    let (context, _lock) = context(settings, observer, stop)?;
    let started = rebuild(&context).await?;
    started.session.close().await;
    Ok(())
}

fn context(settings: Settings, observer: Observer, stop: CancellationToken) -> Result<(Context, File), RunError> {
    let source = Source::new(&settings.database_url, settings.slot.as_deref()).map_err(PreflightError::from)?;
    let lock = lock(&settings.work_dir)?;
    let Settings { store, work_dir, .. } = settings;
    Ok((Context { source, store, work_dir, observer, stop }, lock))
}

/// A stop during a start may wait for a copy that nobody needs any more; a stream is given this long to end in order.
async fn stop_starting(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
}

/// One indexer per working directory; the kernel drops the lock with its process.
fn lock(dir: &Path) -> Result<File, RunError> {
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
