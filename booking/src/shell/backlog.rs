//! What a lane has still to answer: how much, since when, and under which idempotency keys.
//!
//! Bounded: it is what makes the queue full. A key is in it once; whoever repeats it meanwhile is told that the first runs.

use super::recall::{Asked, keyed};
use super::{Refused, Weight};
use crate::lane::{Command, Refusal};
use model::UserId;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// The commands of one lane that wait for their answers.
#[derive(Debug)]
pub(super) struct Backlog {
    waiting: Mutex<Waiting>,
    max: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Commands are answered in the order of their arrival, or nearly, so the first is the oldest.
    arrivals: VecDeque<Instant>,
    /// When the last came, if any did.
    last: Option<Instant>,
    keys: HashMap<(UserId, String), Asked>,
}

/// A command's turn in a backlog, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    backlog: Arc<Backlog>,
    key: Option<(UserId, String)>,
}

impl Backlog {
    /// An empty one that takes `max` commands.
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { waiting: Mutex::default(), max })
    }

    /// Lets a command in, unless the backlog is full or the command's key is in it.
    pub(super) fn enter(self: &Arc<Self>, command: &Command) -> Result<Turn, Refused> {
        let mut waiting = self.waiting.lock();
        let asked = keyed(command).map(|(buyer, key, asked)| ((buyer, key.to_owned()), asked));
        if let Some((key, asked)) = &asked
            && let Some(running) = waiting.keys.get(key)
        {
            return Err(if running == asked { Refused::InProgress } else { Refused::Refusal(Refusal::KeyReused) });
        }
        if waiting.arrivals.len() >= self.max {
            return Err(Refused::Busy);
        }
        let now = Instant::now();
        waiting.arrivals.push_back(now);
        waiting.last = Some(now);
        let key = asked.map(|(key, asked)| {
            waiting.keys.insert(key.clone(), asked);
            key
        });
        Ok(Turn { backlog: Arc::clone(self), key })
    }

    /// When somebody asked last, if anybody did.
    pub(super) fn asked_at(&self) -> Option<Instant> {
        self.waiting.lock().last
    }

    /// How much there is.
    pub(super) fn weight(&self) -> Weight {
        let waiting = self.waiting.lock();
        let depth = waiting.arrivals.len();
        let oldest = waiting.arrivals.front().map(Instant::elapsed).unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "a queue is far shorter than 2^52")]
        let fill = depth as f64 / self.max as f64;
        Weight { depth, fill, oldest }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut waiting = self.backlog.waiting.lock();
        waiting.arrivals.pop_front();
        if let Some(key) = &self.key {
            waiting.keys.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::reservation::Ask;

    fn reserve(buyer: UserId, request: u8) -> Command {
        Command::Reserve {
            buyer,
            ask: Ask::Seats(vec![0]),
            code: None,
            key: "k".into(),
            request: Digest([request; 32]),
        }
    }

    #[test]
    fn a_key_waits_once_and_a_full_backlog_takes_no_more() {
        let (backlog, one, other) = (Backlog::new(2), UserId::new(), UserId::new());
        let first = backlog.enter(&reserve(one, 1)).unwrap();
        assert!(matches!(backlog.enter(&reserve(one, 1)), Err(Refused::InProgress)));
        assert!(matches!(backlog.enter(&reserve(one, 2)), Err(Refused::Refusal(Refusal::KeyReused))));
        let buy = Command::Buy { buyer: one, hold: None, key: "k".into() };
        assert!(matches!(backlog.enter(&buy), Err(Refused::Refusal(Refusal::KeyReused))));
        let second = backlog.enter(&reserve(other, 1)).unwrap();
        assert!(matches!(backlog.enter(&Command::Wake), Err(Refused::Busy)));
        assert_eq!((backlog.weight().depth, backlog.weight().fill), (2, 1.0));
        drop(first);
        assert!(backlog.enter(&reserve(one, 2)).is_ok(), "it was answered");
        drop(second);
        assert_eq!((backlog.weight().depth, backlog.weight().oldest.as_nanos()), (0, 0));
    }
}
