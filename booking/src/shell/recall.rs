//! What was answered to whom under which idempotency key: a repeat gets the first answer, refusals included.
//!
//! A key counts per buyer and event, whatever it was used for. Bounded, what was done apart from refusals: a storm of those
//! makes nobody's hold forgotten. What falls out is still known to the tables' unique keys, which make the lane look it up; a
//! refusal that falls out is decided anew.

use crate::digest::Digest;
use crate::lane::{Command, Done, Refusal};
use crate::reservation::Receipt;
use model::UserId;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Holds of the last day read when a lane is loaded, and as many checkouts.
pub(super) const RECALLED_MAX: usize = 50_000;
/// Holds and checkouts remembered per lane.
const DONE_MAX: usize = 100_000;
/// Refusals remembered per lane.
const REFUSED_MAX: usize = 50_000;

/// What was asked for under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// These seats.
    Reserve(Digest),
    /// An order. The attempt's row knows no more of the request.
    Buy,
}

/// Whose command it is, under which idempotency key, and what was asked; `None` for one that has no key.
pub(super) fn keyed(command: &Command) -> Option<(UserId, &str, Asked)> {
    match command {
        Command::Reserve { buyer, key, request, .. } => Some((*buyer, key, Asked::Reserve(*request))),
        Command::Buy { buyer, key, .. } => Some((*buyer, key, Asked::Buy)),
        Command::Extend { .. }
        | Command::Release { .. }
        | Command::Refund { .. }
        | Command::Exchange { .. }
        | Command::Settle { .. }
        | Command::Join { .. }
        | Command::Leave { .. }
        | Command::Wake => None,
    }
}

/// What was done, and where that stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) done: Done,
    /// `None` until the batch is in the log, and of what needs no receipt.
    pub(super) receipt: Option<Receipt>,
}

impl Told {
    /// Of the batch at hand.
    pub(super) fn now(done: Done) -> Self {
        Self { done, receipt: None }
    }
}

/// A past request read from the tables.
#[derive(Clone, Debug)]
pub(super) struct Recalled {
    pub(super) buyer: UserId,
    pub(super) key: String,
    pub(super) asked: Asked,
    pub(super) told: Told,
}

/// The memory.
#[derive(Clone, Debug)]
pub(super) struct Recall {
    done: Memory<Told>,
    refused: Memory<Refusal>,
}

impl Default for Recall {
    fn default() -> Self {
        Self { done: Memory::new(DONE_MAX), refused: Memory::new(REFUSED_MAX) }
    }
}

impl Recall {
    /// The first answer to this key, if it is known; `KeyReused` when it was another request's.
    pub(super) fn answer(&self, buyer: UserId, key: &str, asked: Asked) -> Option<Result<Told, Refusal>> {
        let known = (buyer, key.to_owned());
        let (first, answer) = match (self.done.get(&known), self.refused.get(&known)) {
            (Some((first, told)), _) => (first, Ok(told.clone())),
            (None, Some((first, refusal))) => (first, Err(refusal.clone())),
            (None, None) => return None,
        };
        Some(if *first == asked { answer } else { Err(Refusal::KeyReused) })
    }

    /// Remembers an answer.
    pub(super) fn remember(&mut self, (buyer, key): (UserId, &str), asked: Asked, answer: &Result<Done, Refusal>) {
        let known = (buyer, key.to_owned());
        match answer {
            Ok(done) => self.done.put(known, asked, Told::now(done.clone())),
            Err(refusal) => self.refused.put(known, asked, refusal.clone()),
        }
    }

    /// Notes where what was done stands in the log.
    pub(super) fn certify(&mut self, buyer: UserId, key: &str, receipt: Receipt) {
        if let Some((_, told)) = self.done.answers.get_mut(&(buyer, key.to_owned())) {
            told.receipt = Some(receipt);
        }
    }

    /// Takes back an answer that was never given.
    pub(super) fn forget(&mut self, buyer: UserId, key: &str) {
        let known = (buyer, key.to_owned());
        self.done.remove(&known);
        self.refused.remove(&known);
    }

    /// Whether something that was done today may be unknown here.
    pub(super) fn has_forgotten(&self) -> bool {
        self.done.answers.len() >= RECALLED_MAX
    }

    /// Takes in past requests.
    pub(super) fn restore(&mut self, requests: Vec<Recalled>) {
        for Recalled { buyer, key, asked, told } in requests {
            self.done.put((buyer, key), asked, told);
        }
    }
}

type Key = (UserId, String);

/// So many answers, the oldest forgotten first.
#[derive(Clone, Debug)]
struct Memory<T> {
    answers: HashMap<Arc<Key>, (Asked, T)>,
    order: VecDeque<Arc<Key>>,
    max: usize,
}

impl<T> Memory<T> {
    fn new(max: usize) -> Self {
        Self { answers: HashMap::new(), order: VecDeque::new(), max }
    }

    fn get(&self, key: &Key) -> Option<&(Asked, T)> {
        self.answers.get(key)
    }

    fn put(&mut self, key: Key, asked: Asked, answer: T) {
        let key = Arc::new(key);
        if self.answers.insert(Arc::clone(&key), (asked, answer)).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > self.max
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
    }

    fn remove(&mut self, key: &Key) {
        if self.answers.remove(key).is_some()
            && let Some(at) = self.order.iter().rposition(|entry| entry.as_ref() == key)
        {
            self.order.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::OrderId;
    use model::PaymentId;

    #[test]
    fn a_storm_of_refusals_makes_no_hold_forgotten() {
        let mut recall = Recall::default();
        let (buyer, stormer) = (UserId::new(), UserId::new());
        let bought = Done::Checkout { order: OrderId::new(), payment: PaymentId::new() };
        recall.remember((buyer, "k"), Asked::Buy, &Ok(bought.clone()));
        let asked = Asked::Reserve(Digest([0; 32]));
        for n in 0..=DONE_MAX + REFUSED_MAX {
            recall.remember((stormer, &n.to_string()), asked, &Err(Refusal::NotEnoughSeats));
        }
        assert_eq!(recall.answer(buyer, "k", Asked::Buy), Some(Ok(Told::now(bought))));
        assert_eq!(recall.answer(stormer, "0", asked), None, "refusals are bounded");
        let newest = (DONE_MAX + REFUSED_MAX).to_string();
        assert_eq!(recall.answer(stormer, &newest, asked), Some(Err(Refusal::NotEnoughSeats)));
        assert_eq!(recall.answer(stormer, &newest, Asked::Buy), Some(Err(Refusal::KeyReused)));
    }
}
