//! The queue in front of a lane: commands in the order of their arrival, and answers back to whoever asked.
//!
//! Two of one kind: in this process (`here`), or a stream in Redis that every process asks by and whose lane's owner serves (`stream`).
//! A command is answered at most once, after what it came to is durable. One that is dropped unanswered is for whoever has the
//! lane next, or its asker is told that the event is busy.

mod here;
mod redis;
mod stream;

use super::backlog::{Backlog, Turn};
use super::{Answer, Refused, Weight};
use crate::lane::Command;
use futures::future::BoxFuture;
use model::EventId;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Instant;

pub(crate) use redis::{Redis, RedisError};

/// An event's queue as those see it who ask.
pub(super) trait Queue: Debug + Send + Sync {
    /// Puts a command at the end and waits for its answer; gives it back when the lane takes no more here. Its turn lasts until
    /// it is answered.
    fn ask(&self, command: Command, turn: Turn) -> BoxFuture<'_, Result<Result<Answer, Refused>, Command>>;

    /// How much waits.
    fn weight(&self) -> Weight;
}

/// An event's queue as its lane sees it.
pub(super) trait Line: Send {
    /// Waits for commands and adds the oldest to `queue`, for the lane in this epoch. Cancel-safe: what was not handed out comes
    /// again.
    fn take<'a>(&'a mut self, epoch: i64, queue: &'a mut Vec<Queued>) -> BoxFuture<'a, Taken>;

    /// Another process had the lane: what was answered here and not told yet is its to answer.
    fn lose(&mut self);

    /// The lane is another process's: turns away who cannot be served there. Ends only when nobody can ask here any more.
    fn turn_away(&mut self) -> BoxFuture<'_, ()>;

    /// Takes no more; adds what only this lane could still answer to `queue`.
    fn close<'a>(&'a mut self, queue: &'a mut Vec<Queued>) -> BoxFuture<'a, ()>;
}

/// What waiting for commands came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// There are some.
    Commands,
    /// The lane was taken again after this epoch, by another process or by this one.
    Overtaken,
    /// Nobody can ask any more.
    Over,
}

/// A command that waits for its answer.
pub(super) struct Queued {
    pub(super) command: Command,
    /// From when on whoever asked is told that the event is busy, and may do otherwise; none where they wait until they are answered.
    late_at: Option<Instant>,
    reply: Box<dyn FnOnce(Result<Answer, Refused>) + Send + Sync>,
}

impl Queued {
    fn new(command: Command, reply: impl FnOnce(Result<Answer, Refused>) + Send + Sync + 'static) -> Self {
        Self { command, late_at: None, reply: Box::new(reply) }
    }

    /// What it asks for is not to be done any more: nobody would know that they have it.
    pub(super) fn is_late(&self) -> bool {
        self.command.is_in_person() && self.late_at.is_some_and(|late_at| Instant::now() >= late_at)
    }

    /// Tells whoever asked.
    pub(super) fn answer(self, answer: Result<Answer, Refused>) {
        (self.reply)(answer);
    }
}

/// How much a queue takes, and its lane at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) queue_max: usize,
    pub(super) batch_max: usize,
}

/// Where the queues of this process are.
#[derive(Debug)]
pub(crate) enum Queues {
    /// In its memory: who asks here is served here.
    Here,
    /// In Redis.
    Redis(Arc<Redis>),
}

impl Queues {
    /// Lets go of what they are reached by.
    pub(super) async fn close(&self) {
        match self {
            Self::Here => {}
            Self::Redis(redis) => redis.close().await,
        }
    }

    /// Both ends of an event's queue.
    pub(super) fn open(
        &self,
        event: EventId,
        bounds: Bounds,
        backlog: &Arc<Backlog>,
    ) -> (Arc<dyn Queue>, Box<dyn Line>) {
        match self {
            Self::Here => here::open(bounds, backlog),
            Self::Redis(redis) => stream::open(redis, event, bounds, backlog),
        }
    }
}
