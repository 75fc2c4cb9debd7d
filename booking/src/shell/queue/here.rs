//! A queue in the memory of this process. What is in it goes with the process, unanswered and undecided.

use super::{Bounds, Line, Queue, Queued, Taken};
use crate::lane::Command;
use crate::shell::backlog::{Backlog, Turn};
use crate::shell::{Answer, Refused, Weight};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::sync::Arc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::oneshot;

/// Both ends of a new one.
pub(super) fn open(bounds: Bounds, backlog: &Arc<Backlog>) -> (Arc<dyn Queue>, Box<dyn Line>) {
    let (commands, line) = mpsc::channel(bounds.queue_max);
    let queue = HereQueue { commands, backlog: Arc::clone(backlog) };
    (Arc::new(queue), Box::new(HereLine { commands: line, batch_max: bounds.batch_max }))
}

#[derive(Debug)]
struct HereQueue {
    commands: Sender<Queued>,
    backlog: Arc<Backlog>,
}

impl Queue for HereQueue {
    fn ask(&self, command: Command, turn: Turn) -> BoxFuture<'_, Result<Result<Answer, Refused>, Command>> {
        let (reply, answer) = oneshot::channel();
        let queued = Queued::new(command, move |answer| {
            // First, for who has the answer may ask again at once.
            drop(turn);
            // Whoever asked may have gone.
            reply.send(answer).ok();
        });
        let sent = self.commands.try_send(queued);
        async move {
            match sent {
                Ok(()) => Ok(answer.await.unwrap_or(Err(Refused::Busy))),
                // The backlog is full before the queue is.
                Err(TrySendError::Full(_)) => Ok(Err(Refused::Busy)),
                Err(TrySendError::Closed(back)) => Err(back.command),
            }
        }
        .boxed()
    }

    fn weight(&self) -> Weight {
        self.backlog.weight()
    }
}

struct HereLine {
    commands: Receiver<Queued>,
    batch_max: usize,
}

impl Line for HereLine {
    fn take<'a>(&'a mut self, _: i64, queue: &'a mut Vec<Queued>) -> BoxFuture<'a, Taken> {
        async move {
            let count = self.commands.recv_many(queue, self.batch_max).await;
            if count == 0 { Taken::Over } else { Taken::Commands }
        }
        .boxed()
    }

    fn lose(&mut self) {}

    fn turn_away(&mut self) -> BoxFuture<'_, ()> {
        async move {
            while let Some(queued) = self.commands.recv().await {
                queued.answer(Err(Refused::Busy));
            }
        }
        .boxed()
    }

    fn close<'a>(&'a mut self, queue: &'a mut Vec<Queued>) -> BoxFuture<'a, ()> {
        async move {
            self.commands.close();
            while self.commands.recv_many(queue, self.batch_max).await > 0 {}
        }
        .boxed()
    }
}
