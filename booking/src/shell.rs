//! The lanes' shell: which lanes are loaded, their queues, and how a command finds its lane.
//!
//! Invariant: in this process an event has at most one lane task. A lane that ends closes its queue first and answers what is
//! in it; a command that meets a closed queue waits for the end and starts the next lane. Every queue is bounded. Who asks for
//! events that do not exist takes no lane and next to nothing else.

mod access;
mod backlog;
mod batch;
mod changes;
mod connection;
mod desk;
mod lease;
mod loaded;
#[cfg(test)]
mod protocol;
mod queue;
mod recall;
mod rows;
#[cfg(test)]
mod sim;
mod statements;
#[cfg(test)]
mod takeover;
mod task;
mod trouble;
mod write;

use crate::booking::Settings;
use crate::clock::Clock;
use crate::failure::Failure;
use crate::lane::{Command, Done, Refusal};
use crate::plans::Plans;
use crate::reservation::Receipt;
use crate::seats::board::Board;
use backlog::Backlog;
use connection::{ANSWER_MAX, Connection, within};
use futures::TryFutureExt as _;
use futures::future::BoxFuture;
use loaded::LoadError;
use model::EventId;
use parking_lot::Mutex;
use queue::{Bounds, Queue};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio_postgres::types::ToSql;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use trouble::Troubles;

pub(crate) use connection::Connections;
pub(crate) use lease::Lease;
pub(crate) use queue::{Queues, Redis, RedisError};

/// Lanes in memory at once; beyond it new events are busy until others go idle.
const LANES_MAX: usize = 4_096;
/// Before a lane that has ended is looked after again for those who wait.
const ATTEND_PAUSE: Duration = Duration::from_millis(100);
/// Look-ups of events without a lane at once, and those that may wait for theirs.
const STRANGERS_AT_ONCE: usize = 2;
const STRANGERS_WAITING_MAX: usize = 256;
/// Answers about events without a lane kept, and for how long.
const STRANGERS_KEPT_MAX: u64 = 16_384;
const STRANGERS_KEPT: Duration = Duration::from_secs(2);

/// A decided command.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) done: Done,
    /// Where it stands in the log; `None` when it needed no entry.
    pub(crate) receipt: Option<Receipt>,
}

/// Why a command was not carried out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refused {
    /// The lane says no.
    Refusal(Refusal),
    /// There is no such event.
    NoSuchEvent,
    /// The queue is full, another process has the lane and does not hear us, or the server stops.
    Busy,
    /// The same request under the same key waits for its answer.
    InProgress,
    /// The database failed us.
    Failed(#[serde(with = "crate::failure::told")] Failure),
}

/// How much waits: commands, their share of what may wait, how long the oldest has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weight {
    pub(crate) depth: usize,
    pub(crate) fill: f64,
    pub(crate) oldest: Duration,
}

/// All the lanes of this process.
#[derive(Debug)]
pub(crate) struct Lanes {
    settings: Settings,
    lease: Lease,
    connections: Connections,
    queues: Queues,
    plans: Plans,
    clock: Clock,
    loaded: Mutex<HashMap<EventId, Handle>>,
    boards: Mutex<HashMap<EventId, Weak<Board>>>,
    strangers: Strangers,
    troubles: Troubles,
    tracker: TaskTracker,
    stop: CancellationToken,
}

#[derive(Clone, Debug)]
struct Handle {
    queue: Arc<dyn Queue>,
    backlog: Arc<Backlog>,
    /// The lane is this process's; else it is being loaded, or another's.
    serves: Arc<AtomicBool>,
    ended: CancellationToken,
}

/// Events somebody asked for that have no lane here: which of them exist.
#[derive(Debug)]
struct Strangers {
    exist: moka::future::Cache<EventId, bool>,
    turns: Semaphore,
    places: Semaphore,
}

impl Strangers {
    fn new() -> Self {
        let exist =
            moka::future::Cache::builder().max_capacity(STRANGERS_KEPT_MAX).time_to_live(STRANGERS_KEPT).build();
        Self { exist, turns: Semaphore::new(STRANGERS_AT_ONCE), places: Semaphore::new(STRANGERS_WAITING_MAX) }
    }
}

impl Lanes {
    pub(crate) fn new(
        settings: Settings,
        lease: Lease,
        (connections, queues, clock, plans): (Connections, Queues, Clock, Plans),
        (tracker, stop): (TaskTracker, CancellationToken),
    ) -> Self {
        let (loaded, boards) = (Mutex::default(), Mutex::default());
        let (strangers, troubles) = (Strangers::new(), Troubles::new());
        Self { settings, lease, connections, queues, plans, clock, loaded, boards, strangers, troubles, tracker, stop }
    }

    /// The database's clock.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Whether this process decides for the event.
    pub(crate) fn serves(&self, event: EventId) -> bool {
        self.loaded.lock().get(&event).is_some_and(|handle| handle.serves.load(Ordering::Acquire))
    }

    /// Queues a command and waits for its answer. The command is carried out even if the wait is given up.
    pub(crate) async fn send(self: &Arc<Self>, event: EventId, mut command: Command) -> Result<Answer, Refused> {
        loop {
            let handle = self.handle(event).await?;
            let turn = handle.backlog.enter(&command).inspect_err(|refused| {
                if matches!(refused, Refused::Busy) {
                    metrics::counter!("booking_busy_total").increment(1);
                }
            })?;
            let asked = handle.queue.ask(command, turn);
            match self.attend(event, handle.ended.clone(), asked).await {
                Ok(answer) => return answer,
                Err(back) => {
                    command = back;
                    handle.ended.cancelled().await;
                }
            }
        }
    }

    /// Waits for an answer, and sees to it that a lane task is here meanwhile: to decide, or to take over from who does.
    async fn attend(
        self: &Arc<Self>,
        event: EventId,
        mut ended: CancellationToken,
        mut asked: BoxFuture<'_, Result<Result<Answer, Refused>, Command>>,
    ) -> Result<Result<Answer, Refused>, Command> {
        loop {
            tokio::select! {
                biased;
                answer = &mut asked => return answer,
                () = ended.cancelled() => tokio::time::sleep(ATTEND_PAUSE).await,
            }
            match self.handle(event).await {
                Ok(handle) => ended = handle.ended,
                Err(refused) => return Ok(Err(refused)),
            }
        }
    }

    /// The event's lane, started if the event exists.
    async fn handle(self: &Arc<Self>, event: EventId) -> Result<Handle, Refused> {
        if let Some(handle) = self.loaded.lock().get(&event) {
            return Ok(handle.clone());
        }
        if !self.exists(event).await? {
            return Err(Refused::NoSuchEvent);
        }
        let (handle, line) = {
            let mut loaded = self.loaded.lock();
            if let Some(handle) = loaded.get(&event) {
                return Ok(handle.clone());
            }
            if loaded.len() >= LANES_MAX || self.stop.is_cancelled() {
                return Err(Refused::Busy);
            }
            let Settings { queue_max, batch_max, .. } = self.settings;
            let backlog = Backlog::new(queue_max);
            let (queue, line) = self.queues.open(event, Bounds { queue_max, batch_max }, &backlog);
            let handle = Handle { queue, backlog, serves: Arc::default(), ended: CancellationToken::new() };
            loaded.insert(event, handle.clone());
            (handle, line)
        };
        // Not under the lock: a runtime that shuts down drops the task here and now, and `Ending` takes the lock.
        let ending = Ending { lanes: Arc::clone(self), event, handle: handle.clone() };
        self.tracker.spawn(task::run(Arc::clone(self), event, line, ending));
        Ok(handle)
    }

    /// Whether there is such an event; asked once for all who want to know, a few at a time, and remembered a while.
    async fn exists(&self, event: EventId) -> Result<bool, Refused> {
        let look = async {
            let _place = self.strangers.places.try_acquire().map_err(|_| Refused::Busy)?;
            let _turn = self.strangers.turns.acquire().await.map_err(|_| Refused::Busy)?;
            let look = async {
                let connection = self.connections.get().await?;
                let Connection { client, statements, .. } = &connection;
                let parameters: [&(dyn ToSql + Sync); 1] = [&event.0];
                let found = client.query_opt(&statements.event_exists, &parameters).err_into::<Failure>();
                let exists = within(ANSWER_MAX, found).await?.is_some();
                self.connections.put_back(connection);
                Ok(exists)
            };
            look.await.map_err(Refused::Failed)
        };
        let known = self.strangers.exist.try_get_with(event, look).await;
        known.map_err(|refused: Arc<Refused>| refused.as_ref().clone())
    }

    /// A lane was not read, for this reason, which is said once.
    fn in_trouble(&self, event: EventId, error: &LoadError) {
        if self.troubles.note(event, error.reason()) {
            tracing::error!(event.id = %event, error = error as &dyn std::error::Error, "a lane cannot be read");
        }
    }

    /// A lane was read.
    fn out_of_trouble(&self, event: EventId) {
        if self.troubles.over(event) {
            tracing::info!(event.id = %event, "a lane is read again");
        }
    }

    /// Waits until a lane that could not be read may be tried again; false when the server stops.
    async fn may_try(&self, event: EventId) -> bool {
        let pause = self.troubles.pause(event);
        pause.is_zero() || self.stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some()
    }

    /// How many lanes are loaded or loading, and how much waits: altogether, in the fullest queue, in the slowest.
    pub(crate) fn weight(&self) -> (usize, Weight) {
        let loaded = self.loaded.lock();
        let weight = loaded.values().map(|handle| handle.queue.weight()).fold(Weight::default(), |all, one| Weight {
            depth: all.depth + one.depth,
            fill: all.fill.max(one.fill),
            oldest: all.oldest.max(one.oldest),
        });
        (loaded.len(), weight)
    }

    /// The event's board if anyone holds it, else the one `make` makes.
    pub(crate) fn board(&self, event: EventId, make: impl FnOnce() -> Board) -> Arc<Board> {
        let mut boards = self.boards.lock();
        if let Some(board) = boards.get(&event).and_then(Weak::upgrade) {
            return board;
        }
        if boards.len() > 2 * LANES_MAX {
            boards.retain(|_, board| board.strong_count() > 0);
        }
        let board = Arc::new(make());
        boards.insert(event, Arc::downgrade(&board));
        board
    }

    /// The event's board if anyone holds it.
    pub(crate) fn known_board(&self, event: EventId) -> Option<Arc<Board>> {
        self.boards.lock().get(&event).and_then(Weak::upgrade)
    }

    /// Keeps this process's lease until the stop, when no lane starts any more; then:
    /// 1. every lane ends; 2. the lease is given up, and with it every lane; 3. the connections are closed.
    pub(crate) async fn keep_lease(&self) {
        self.lease.keep(&self.stop).await;
        loop {
            let running = self.loaded.lock().values().next().map(|handle| handle.ended.clone());
            let Some(ended) = running else { break };
            ended.cancelled().await;
        }
        self.lease.give_up().await;
        self.queues.close().await;
        self.connections.close();
    }
}

/// Takes the lane off the list when its task ends, however it ends.
struct Ending {
    lanes: Arc<Lanes>,
    event: EventId,
    handle: Handle,
}

impl Ending {
    /// When somebody asked here last, if anybody did.
    fn asked_at(&self) -> Option<Instant> {
        self.handle.backlog.asked_at()
    }

    /// Whether the lane is this process's from now on.
    fn serves(&self, serves: bool) {
        self.handle.serves.store(serves, Ordering::Release);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let handle = self.lanes.loaded.lock().remove(&self.event);
        drop(handle);
        self.handle.ended.cancel();
    }
}
