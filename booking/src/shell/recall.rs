//! What was answered to whom under which idempotency key: a repeat gets the first answer, refusals included.
//!
//! Bounded: what falls out is still known to the table's unique key, which makes the lane look it up.

use crate::lane::fact::RequestHash;
use crate::lane::{Hold, Refusal};
use model::UserId;
use std::collections::{HashMap, VecDeque};

/// Answers remembered per lane.
const ANSWERS_MAX: usize = 100_000;

/// A past request read from the tables.
#[derive(Clone, Debug)]
pub(super) struct Recalled {
    pub(super) buyer: UserId,
    pub(super) key: String,
    pub(super) request: RequestHash,
    pub(super) hold: Hold,
}

/// The memory.
#[derive(Debug, Default)]
pub(super) struct Recall {
    answers: HashMap<(UserId, String), (RequestHash, Result<Hold, Refusal>)>,
    order: VecDeque<(UserId, String)>,
}

impl Recall {
    /// The first answer to this key, if it is known; `KeyReused` when it was another request's.
    pub(super) fn answer(&self, buyer: UserId, key: &str, request: RequestHash) -> Option<Result<Hold, Refusal>> {
        let (first, answer) = self.answers.get(&(buyer, key.to_owned()))?;
        Some(if *first == request { answer.clone() } else { Err(Refusal::KeyReused) })
    }

    /// Remembers an answer.
    pub(super) fn remember(&mut self, buyer: UserId, key: &str, request: RequestHash, answer: Result<Hold, Refusal>) {
        let known = (buyer, key.to_owned());
        if self.answers.insert(known.clone(), (request, answer)).is_none() {
            self.order.push_back(known);
        }
        if self.order.len() > ANSWERS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
    }

    /// Takes back an answer that was never given.
    pub(super) fn forget(&mut self, buyer: UserId, key: &str) {
        let known = (buyer, key.to_owned());
        if self.answers.remove(&known).is_some()
            && let Some(at) = self.order.iter().rposition(|entry| *entry == known)
        {
            self.order.remove(at);
        }
    }

    /// Takes in past requests.
    pub(super) fn restore(&mut self, requests: Vec<Recalled>) {
        for Recalled { buyer, key, request, hold } in requests {
            self.remember(buyer, &key, request, Ok(hold));
        }
    }
}
