//! Where a batch is decided: a lane, and what was answered to whom. Pure: instants and ids are arguments, and nothing is written.
//!
//! What a batch decided is in the state at once, but its answers count only once it is in the log (`committed`). A batch that is
//! not known to be there leaves a state that nothing may rest on (`undone`) until it is read anew, with what the batch's keys came
//! to (`open_keys`, `renew`): whoever sent them may have been told that it failed, and ask again much later.

use super::recall::{Recall, Recalled, Told, keyed};
use crate::lane::fact::Fact;
use crate::lane::{Command, Lane, Moment, Refusal};
use crate::reservation::Receipt;
use model::UserId;

/// The desk.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    pub(super) lane: Lane,
    pub(super) recall: Recall,
    /// Keys of a batch that may be in the log or not. Nothing is decided while there are any, so there is one batch at most.
    doubtful: Vec<(UserId, String)>,
}

/// What a batch came to.
#[derive(Clone, Debug)]
pub(super) struct Decided {
    /// For the log.
    pub(super) facts: Vec<Fact>,
    /// Of each command, in order. Without a receipt it rests on this batch's entry, if there is one.
    pub(super) answers: Vec<Result<Told, Refusal>>,
    /// Keys answered for the first time.
    fresh: Vec<(UserId, String)>,
}

impl Desk {
    /// One of a lane just taken, and what was done of late.
    pub(super) fn new(lane: Lane, recent: Vec<Recalled>) -> Self {
        let mut recall = Recall::default();
        recall.restore(recent);
        Self { lane, recall, doubtful: Vec::new() }
    }

    /// The keys whose answers must be read with the state: those in doubt, and those of the commands to be decided next.
    pub(super) fn open_keys<'a>(&self, commands: impl Iterator<Item = &'a Command>) -> Vec<(UserId, String)> {
        let next = commands.filter_map(keyed).map(|(buyer, key, _)| (buyer, key.to_owned()));
        self.doubtful.iter().cloned().chain(next).collect()
    }

    /// The state was read anew, and with it what the open keys came to. Nobody else decided anything in between.
    pub(super) fn renew(&mut self, lane: Lane, known: Vec<Recalled>) {
        self.lane = lane;
        self.recall.restore(known);
        self.doubtful.clear();
    }

    /// Lets go what time lets go, then decides each command, or finds its first answer.
    pub(super) fn decide<'a>(
        &mut self,
        commands: impl Iterator<Item = &'a Command>,
        moment: &mut Moment<'_>,
    ) -> Decided {
        let (mut facts, mut fresh) = (Vec::new(), Vec::new());
        self.lane.expire(moment, &mut facts);
        let answers = commands.map(|command| {
            let Some((buyer, key, asked)) = keyed(command) else {
                return self.lane.decide(command, moment, &mut facts).map(Told::now);
            };
            if let Some(first) = self.recall.answer(buyer, key, asked) {
                return first;
            }
            let done = self.lane.decide(command, moment, &mut facts);
            // Without a hold today does not mean without one tomorrow.
            if done != Err(Refusal::NoHold) {
                self.recall.remember((buyer, key), asked, &done);
                fresh.push((buyer, key.to_owned()));
            }
            done.map(Told::now)
        });
        let answers = answers.collect();
        Decided { facts, answers, fresh }
    }

    /// The batch is in the log: what it answered keeps its receipt.
    pub(super) fn committed(&mut self, decided: &Decided, receipt: Receipt) {
        for (buyer, key) in &decided.fresh {
            self.recall.certify(*buyer, key, receipt);
        }
    }

    /// The batch is not in the log, or not known to be: what it answered was answered to nobody.
    pub(super) fn undone(&mut self, decided: Decided) {
        for (buyer, key) in &decided.fresh {
            self.recall.forget(*buyer, key);
        }
        self.doubtful.extend(decided.fresh);
    }
}
