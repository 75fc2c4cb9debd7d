//! Blue and green: a new generation is made and caught up beside the indexer that runs, then handed over to it. No search fails meanwhile.
//!
//! The maker has a slot of its own. Once it is as far as Postgres it points ALIAS at its generation; the running indexer sees that at its
//! next settlement, takes the generation over from the maker, epochs and all, and goes on from its own slot. Until then the maker streams,
//! so readers never wait. Killed at any instant, the maker is taken up by the next `reindex`, or, once ALIAS has moved, by the indexer.

use crate::build::{Base, build};
use crate::fill::Pace;
use crate::points::{Stored, generations, manifests};
use crate::publish::{GRACE, PublishError};
use crate::resume::{payload, remove_other_directories, resume, served, usable};
use crate::run::{RunError, lock};
use crate::source::preflight::{self, PreflightError};
use crate::source::session::{self, SessionError};
use crate::source::slot::Slot;
use crate::source::{Source, beyond, slot};
use crate::start::{Context, Started};
use crate::stream::stream;
use crate::{Observer, Progress, Settings};
use jiff::Timestamp;
use model::Lsn;
use search::manifest::{Alias, Head, Manifest};
use search::store::Tag;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

/// Caught up: what readers see at a moment is in the new generation so soon after it. On a machine that is too busy for that, a little more
/// is granted each time, up to a bound: readers wait so long for their next view, and the writer they have had until then makes way.
const CAUGHT_UP: Duration = Duration::from_secs(2);
const CAUGHT_UP_MAX: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);
/// How often an indexer that runs is given something to settle, so that it notices.
const NUDGE_EVERY: Duration = Duration::from_secs(1);

/// Publications named at most when the wanted one is not there.
const KEPT_NAMED_MAX: usize = 20;

/// What to roll back to; all of it may be left to the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The generation; none means the one that is read.
    pub generation: Option<u32>,
    /// The publication; none means the last one kept that is no longer the newest.
    pub seq: Option<u64>,
}

/// Builds a new generation from a snapshot while the present one is read and written, catches up and hands it over. Gives its number. An
/// attempt that was killed is taken up where it was.
///
/// # Errors
/// As [`run`](crate::run()); also when another reindex or rollback is under way, or someone else made a generation meanwhile.
pub async fn reindex(
    settings: Settings,
    pace: Pace,
    observer: Observer,
    stop: CancellationToken,
) -> Result<u32, RunError> {
    Box::pin(make(settings, None, pace, (observer, stop))).await
}

/// Makes a new generation out of an earlier publication's files and what differs from them in Postgres now, then hands it over as
/// [`reindex`] does. Gives its number.
///
/// # Errors
/// As [`reindex`]; also when there is no such publication any more.
pub async fn rollback(
    settings: Settings,
    target: Target,
    observer: Observer,
    stop: CancellationToken,
) -> Result<u32, RunError> {
    Box::pin(make(settings, Some(target), Pace::default(), (observer, stop))).await
}

async fn make(
    settings: Settings,
    target: Option<Target>,
    pace: Pace,
    (observer, stop): (Observer, CancellationToken),
) -> Result<u32, RunError> {
    let serving = Source::new(&settings.database_url, settings.slot.as_deref()).map_err(PreflightError::from)?;
    let work_dir = settings.work_dir.join("reindex");
    let _lock = lock(&work_dir)?;
    let context = Context {
        source: serving.through(serving.makers_slot()),
        store: settings.store,
        work_dir,
        followed_by: serving.slot.clone(),
        observer,
        stop,
    };
    let connection = context.source.connect().await?;
    let client = &connection.client;
    let facts = preflight::check(&context.source, client).await?;
    let expected = Alias::read(&context.store).await?.map(|(_, tag)| tag);
    let mut started = match take_up(&context, &facts, client).await? {
        Some(started) if target.is_none() => started,
        other => {
            if let Some(Started { session, .. }) = other {
                session.close().await;
            }
            slot::drop(client, &context.source.slot).await?;
            let base = match target {
                Some(target) => choose(&context, target).await?,
                None => Base::Nothing,
            };
            let mut started = build(&context, &facts, (base, pace)).await?;
            started.session.start().await?;
            started
        }
    };
    let generation = started.publisher.generation();
    remove_other_directories(&context.work_dir, generation);
    started.payload.slot.clone_from(&context.followed_by);
    catch_up_and_hand_over(&context, (&serving, client), expected, started).await?;
    remove_other_directories(&context.work_dir, 0);
    Ok(generation)
}

/// The generation that a killed reindex had published and was catching up with.
async fn take_up(context: &Context, facts: &preflight::Facts, client: &Client) -> Result<Option<Started>, RunError> {
    if slot::find(client, &context.source.slot).await?.is_none_or(|slot| slot.lost) {
        return Ok(None);
    }
    let session = match session::resume(&context.source).await {
        Err(SessionError::Busy { slot }) => return Err(RunError::Reindexing { slot }),
        held => held?,
    };
    let confirmed = slot::find(client, &context.source.slot).await?.map(|slot| slot.confirmed).unwrap_or_default();
    let last = generations(&context.store).await?.last().copied().filter(|_| confirmed > Lsn::default());
    let unread = match (last, served(&context.store).await?) {
        (Some(last), Some(read)) if last <= read => None,
        (last, _) => last,
    };
    if let Some(generation) = unread
        && let Some(resumed) = resume(context, facts, generation, confirmed).await?
    {
        return Ok(Some(Started::new(context, session, resumed)));
    }
    session.close().await;
    Ok(None)
}

/// The publication that is meant.
async fn choose(context: &Context, target: Target) -> Result<Base, RunError> {
    let store = &context.store;
    let read = served(store).await?;
    let kept = manifests(&store.list("").await?);
    let newest = |stored: &&Stored| Some(stored.generation) == read;
    let head = kept.iter().find(newest).map(|stored| stored.head);
    let old_enough = Timestamp::now() - GRACE;
    let is_meant = |stored: &&Stored| match target {
        Target { generation, seq: Some(seq) } => {
            stored.head.seq == seq && Some(stored.generation) == generation.or(read)
        }
        Target { generation: Some(generation), seq: None } => stored.generation == generation,
        Target { generation: None, seq: None } => {
            Some(stored.generation) <= read
                && !(Some(stored.generation) == read && Some(stored.head) == head)
                && stored.object.modified < old_enough
        }
    };
    let found = kept.iter().find(is_meant).ok_or_else(|| RunError::NoSuchPublication {
        kept: kept
            .iter()
            .take(KEPT_NAMED_MAX)
            .map(|stored| format!("{}/{}", stored.generation, stored.head.seq))
            .collect(),
    })?;
    let manifest = Manifest::read(store, found.generation, &found.head).await?;
    tracing::info!(generation = found.generation, seq = found.head.seq, wal.lsn = %manifest.lsn, "rolling back");
    Ok(Base::Publication { generation: found.generation, manifest: Box::new(manifest) })
}

async fn catch_up_and_hand_over(
    context: &Context,
    (serving, client): (&Source, &Client),
    expected: Option<Tag>,
    started: Started,
) -> Result<(), RunError> {
    let generation = started.publisher.generation();
    let (published, shown) = watch::channel(started.payload.lsn);
    let outer = Arc::clone(&context.observer);
    let observer: Observer = Arc::new(move |progress| {
        if let Progress::Published { lsn, .. } = progress {
            published.send_replace(*lsn);
        }
        outer(progress);
    });
    let done = context.stop.child_token();
    let mut streaming = std::pin::pin!(stream(started, observer, &done));
    let handing = HandOver { context, serving, client, generation, shown };
    let mut handing = std::pin::pin!(handing.run(expected));
    let outcome = tokio::select! {
        ended = &mut streaming => match ended {
            // The indexer that runs has taken it over.
            Err(RunError::Publish(PublishError::Fenced)) if served(&context.store).await? == Some(generation) => Ok(()),
            Err(error) => Err(error),
            Ok(()) => Err(RunError::Stopped),
        },
        successor = &mut handing => {
            done.cancel();
            match streaming.await {
                Ok(()) | Err(RunError::Publish(PublishError::Fenced)) => {}
                Err(error) => return Err(error),
            }
            if matches!(successor?, Successor::NoSlot) {
                slot::succeed(client, &context.source.slot, &serving.slot).await?;
            }
            Ok(())
        }
    };
    outcome?;
    Ok(slot::drop(client, &context.source.slot).await?)
}

/// Who goes on from the generation.
enum Successor {
    /// Whoever next streams from the serving slot, which is not ahead of the generation.
    Slot,
    /// There is no such slot: the maker's becomes it.
    NoSlot,
}

struct HandOver<'a> {
    context: &'a Context,
    serving: &'a Source,
    client: &'a Client,
    generation: u32,
    shown: watch::Receiver<Lsn>,
}

impl HandOver<'_> {
    /// Where readers are; where Postgres is, when there is nothing to read.
    async fn read_at(&self) -> Result<Lsn, RunError> {
        let store = &self.context.store;
        let head = match served(store).await? {
            Some(generation) => usable(Head::read(store, generation).await)?.flatten(),
            None => None,
        };
        match head {
            Some((head, _)) => Ok(head.lsn),
            None => Ok(beyond(self.client).await?),
        }
    }

    /// 1. Catch up; 2. point ALIAS; 3. stay until nobody writes the old generation any more and its slot is not ahead.
    async fn run(mut self, expected: Option<Tag>) -> Result<Successor, RunError> {
        let mut patience = CAUGHT_UP;
        loop {
            let lsn = self.read_at().await?;
            let lag_bytes = lsn.0.saturating_sub(self.shown.borrow().0);
            (self.context.observer)(&Progress::CatchingUp { lag_bytes });
            if tokio::time::timeout(patience, self.shown.wait_for(|at| *at >= lsn)).await.is_ok() {
                break;
            }
            patience = (patience * 2).min(CAUGHT_UP_MAX);
        }
        let alias = Alias { generation: self.generation };
        alias.publish(&self.context.store, expected.as_ref()).await.map_err(PublishError::from)?;
        tracing::info!(generation = self.generation, "the new generation is read");
        let mut nudged_at = None::<tokio::time::Instant>;
        loop {
            if nudged_at.is_none_or(|at| at.elapsed() >= NUDGE_EVERY) {
                beyond(self.client).await?;
                nudged_at = Some(tokio::time::Instant::now());
            }
            match slot::find(self.client, &self.serving.slot).await? {
                None | Some(Slot { lost: true, active_pid: None, .. }) => return Ok(Successor::NoSlot),
                Some(Slot { active_pid: None, confirmed, .. }) if confirmed <= *self.shown.borrow() => {
                    return Ok(Successor::Slot);
                }
                Some(_) => tokio::time::sleep(POLL).await,
            }
        }
    }
}

/// Whether a later generation was made for this indexer to go on from.
pub(crate) async fn is_for(context: &Context, generation: u32) -> Result<bool, RunError> {
    let payload = payload(&context.store, generation).await?;
    Ok(payload.is_some_and(|payload| payload.slot == context.source.slot))
}
