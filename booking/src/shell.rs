//! The lanes' shell: which lanes are loaded, their queues, and how a command finds its lane.
//!
//! Invariant: in this process an event has at most one lane task. A lane that ends closes its queue first and answers what is
//! in it; a command that meets a closed queue waits for the end and starts the next lane. Every queue is bounded.

mod changes;
mod connection;
mod loaded;
mod recall;
mod rows;
mod statements;
mod task;
mod write;

use crate::booking::Settings;
use crate::clock::Clock;
use crate::failure::Failure;
use crate::lane::house::House;
use crate::lane::{Command, Done, Refusal};
use crate::plans::Plans;
use crate::seats::board::Board;
use model::{Currency, EventId};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use connection::Connections;

/// Lanes in memory at once; beyond it new events are busy until others go idle.
const LANES_MAX: usize = 4_096;

/// A decided command, with what its answer is described by.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) done: Done,
    pub(crate) house: Arc<House>,
    pub(crate) currency: Currency,
}

/// Why a command was not carried out.
#[derive(Clone, Debug)]
pub(crate) enum Refused {
    /// The lane says no.
    Refusal(Refusal),
    /// There is no such event.
    NoSuchEvent,
    /// The queue is full, or the server stops.
    Busy,
    /// The database failed us.
    Failed(Failure),
}

struct Queued {
    command: Command,
    reply: oneshot::Sender<Result<Answer, Refused>>,
}

/// All the lanes of this process.
#[derive(Debug)]
pub(crate) struct Lanes {
    settings: Settings,
    /// Who holds the lanes' leases.
    owner: String,
    connections: Connections,
    plans: Plans,
    clock: Clock,
    loaded: Mutex<HashMap<EventId, Handle>>,
    boards: Mutex<HashMap<EventId, Weak<Board>>>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

#[derive(Clone, Debug)]
struct Handle {
    queue: mpsc::Sender<Queued>,
    ended: CancellationToken,
}

impl Lanes {
    pub(crate) fn new(
        settings: Settings,
        (connections, clock, plans): (Connections, Clock, Plans),
        tracker: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let owner = format!("{}/{}", std::process::id(), uuid::Uuid::now_v7());
        let (loaded, boards) = (Mutex::default(), Mutex::default());
        Self { settings, owner, connections, plans, clock, loaded, boards, tracker, stop }
    }

    /// The database's clock.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Whether this process decides for the event.
    pub(crate) fn is_loaded(&self, event: EventId) -> bool {
        self.loaded.lock().contains_key(&event)
    }

    /// Queues a command and waits for its answer. The command is carried out even if the wait is given up.
    pub(crate) async fn send(self: &Arc<Self>, event: EventId, command: Command) -> Result<Answer, Refused> {
        let (reply, answer) = oneshot::channel();
        let mut queued = Queued { command, reply };
        loop {
            let handle = self.handle(event).ok_or(Refused::Busy)?;
            match handle.queue.try_send(queued) {
                Ok(()) => return answer.await.unwrap_or(Err(Refused::Busy)),
                Err(TrySendError::Full(_)) => {
                    metrics::counter!("booking_busy_total").increment(1);
                    return Err(Refused::Busy);
                }
                Err(TrySendError::Closed(back)) => {
                    queued = back;
                    handle.ended.cancelled().await;
                }
            }
        }
    }

    fn handle(self: &Arc<Self>, event: EventId) -> Option<Handle> {
        let (handle, commands) = {
            let mut loaded = self.loaded.lock();
            if let Some(handle) = loaded.get(&event) {
                return Some(handle.clone());
            }
            if loaded.len() >= LANES_MAX || self.stop.is_cancelled() {
                return None;
            }
            let (queue, commands) = mpsc::channel(self.settings.queue_max);
            let handle = Handle { queue, ended: CancellationToken::new() };
            loaded.insert(event, handle.clone());
            (handle, commands)
        };
        // Not under the lock: a runtime that shuts down drops the task here and now, and `Ending` takes the lock.
        let ending = Ending { lanes: Arc::clone(self), event, ended: handle.ended.clone() };
        self.tracker.spawn(task::run(Arc::clone(self), event, commands, ending));
        Some(handle)
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

    /// Waits until every lane has ended, then closes the connections. For after the stop, when no lane starts any more.
    pub(crate) async fn close(&self) {
        loop {
            let running = self.loaded.lock().values().next().map(|handle| handle.ended.clone());
            let Some(ended) = running else { break };
            ended.cancelled().await;
        }
        self.connections.close();
    }
}

/// Takes the lane off the list when its task ends, however it ends.
struct Ending {
    lanes: Arc<Lanes>,
    event: EventId,
    ended: CancellationToken,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let handle = self.lanes.loaded.lock().remove(&self.event);
        drop(handle);
        self.ended.cancel();
    }
}
