//! A loaded lane and its batches: decide in arrival order, write one transaction, answer.
//!
//! Answers leave after the commit, refusals included, for they rest on the same state; a batch that decides nothing new needs no
//! SQL. A batch that fails leaves the state void: nothing is decided on it before it is read anew.

use super::connection::{ANSWER_MAX, LOAD_MAX, within};
use super::loaded::{LoadError, Place, Source};
use super::recall::{Asked, Recall};
use super::write::{WriteError, write};
use super::{Answer, Lanes, Queued, Refused};
use crate::failure::Failure;
use crate::lane::fact::Fact;
use crate::lane::{Command, Done, Lane, Moment, Refusal};
use crate::seats::board::Board;
use model::{EventId, HoldId, SeatNo, UserId};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How old the terms may be that a refusal rests on; what sells is fenced by them anyway.
const TERMS_AGE_MAX: Duration = Duration::from_millis(200);

/// A loaded lane.
pub(super) struct LoadedLane {
    pub(super) lanes: Arc<Lanes>,
    pub(super) event: EventId,
    pub(super) lane: Lane,
    /// Another process has it now.
    pub(super) lost: bool,
    place: Place,
    recall: Recall,
    board: Arc<Board>,
    terms_seen_at: Instant,
    /// The state has decisions in it that were not committed.
    void: bool,
}

/// Why a batch came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum BatchError {
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("the lane is another's, or its terms have changed")]
    Moved,
}

impl BatchError {
    /// Nothing is wrong: somebody took the lane or changed the terms first.
    pub(super) fn is_moved(&self) -> bool {
        matches!(self, Self::Moved | Self::Write(WriteError::Moved))
    }
}

impl From<Failure> for BatchError {
    fn from(failure: Failure) -> Self {
        Self::Load(LoadError::Failed(failure))
    }
}

impl LoadedLane {
    /// Takes the lane and reads it.
    pub(super) async fn load(lanes: &Arc<Lanes>, event: EventId) -> Result<Self, LoadError> {
        let connection = lanes.connections.get().await?;
        let source = Source { connection: &connection, event, plans: &lanes.plans };
        let (place, lane, recent) = within(LOAD_MAX, async {
            let (place, lane) = source.take(lanes.lease.owner(), &lanes.clock).await?;
            let recent = source.recent(&lane).await?;
            Ok::<_, LoadError>((place, lane, recent))
        })
        .await?;
        lanes.connections.put_back(connection);
        let mut recall = Recall::default();
        recall.restore(recent);
        let layout = lane.house().layout.clone();
        let board = lanes.board(event, || Board::new(layout.clone(), place.version(), lane.seats()));
        board.reset(&layout, place.version(), lane.seats());
        tracing::debug!(event.id = %event, lane.epoch = place.epoch, lane.seq = place.seq, "lane loaded");
        let (lanes, terms_seen_at) = (Arc::clone(lanes), Instant::now());
        Ok(Self { lanes, event, place, lane, recall, board, terms_seen_at, void: false, lost: false })
    }

    /// Takes the lane again and reads it anew, with what the queue's keys came to.
    pub(super) async fn reload(&mut self, queue: &[Queued]) -> Result<(), LoadError> {
        self.void = true;
        let keys: Vec<_> = queue.iter().filter_map(|queued| key(&queued.command)).collect();
        let keys: Vec<_> = keys.into_iter().map(|(buyer, key)| (buyer, key.to_owned())).collect();
        let connection = self.lanes.connections.get().await?;
        let source = Source { connection: &connection, event: self.event, plans: &self.lanes.plans };
        let taken = within(LOAD_MAX, async {
            let (place, lane) = source.take(self.lanes.lease.owner(), &self.lanes.clock).await?;
            let known = source.by_keys(&lane, &keys).await?;
            Ok::<_, LoadError>((place, lane, known))
        });
        let known;
        (self.place, self.lane, known) = taken.await?;
        self.recall.restore(known);
        self.lanes.connections.put_back(connection);
        (self.terms_seen_at, self.void) = (Instant::now(), false);
        self.board.reset(&self.lane.house().layout, self.place.version(), self.lane.seats());
        Ok(())
    }

    /// Lets any process have the lane.
    pub(super) async fn give_up(&self) {
        let given_up = async {
            let connection = self.lanes.connections.get().await?;
            let source = Source { connection: &connection, event: self.event, plans: &self.lanes.plans };
            within(ANSWER_MAX, source.give_up(self.place.epoch, self.lanes.lease.owner())).await?;
            self.lanes.connections.put_back(connection);
            Ok::<_, LoadError>(())
        };
        if let Err(error) = given_up.await {
            // It is still ours, and we may take it again; another waits for our lease's end.
            tracing::debug!(event.id = %self.event, error = &error as &dyn std::error::Error, "a lane was not given up");
        }
    }

    /// Decides the queue's commands, writes what they came to, answers. On an error nothing was answered and the state is void.
    pub(super) async fn batch(&mut self, queue: &mut Vec<Queued>) -> Result<(), BatchError> {
        self.check_terms().await?;
        self.bring_in_orders(queue).await?;
        let mut facts = Vec::new();
        let mut remembered = Vec::new();
        let answers = self.decide(queue, &mut facts, &mut remembered);
        if !facts.is_empty()
            && let Err(error) = self.commit(&facts, queue.len()).await
        {
            self.void = true;
            for (buyer, key) in remembered {
                self.recall.forget(buyer, &key);
            }
            return Err(error);
        }
        for (queued, answer) in queue.drain(..).zip(answers) {
            let answer = answer.map(|done| Answer { done, house: Arc::clone(self.lane.house()) });
            // Whoever asked may have gone.
            queued.reply.send(answer.map_err(Refused::Refusal)).ok();
        }
        self.lane.forget_ended_orders();
        Ok(())
    }

    fn decide(
        &mut self,
        queue: &[Queued],
        facts: &mut Vec<Fact>,
        remembered: &mut Vec<(UserId, String)>,
    ) -> Vec<Result<Done, Refusal>> {
        let now = self.lanes.clock.now();
        let mut moment = Moment { now, mint: &mut Uuid::now_v7 };
        self.lane.expire(now, facts);
        let decided = queue.iter().map(|Queued { command, .. }| {
            let Some(((buyer, key), asked)) = key(command).zip(asked(command)) else {
                return self.lane.decide(command, &mut moment, facts);
            };
            if let Some(first) = self.recall.answer(buyer, key, asked) {
                return first;
            }
            let done = self.lane.decide(command, &mut moment, facts);
            // Without a hold today does not mean without one tomorrow.
            if done != Err(Refusal::NoHold) {
                self.recall.remember((buyer, key), asked, &done);
                remembered.push((buyer, key.to_owned()));
            }
            done
        });
        decided.collect()
    }

    async fn commit(&mut self, facts: &[Fact], commands: usize) -> Result<(), BatchError> {
        let started = Instant::now();
        let connections = &self.lanes.connections;
        let connection = connections.get().await?;
        match within(ANSWER_MAX, write(&connection, (self.event, &self.place), &self.lane, facts)).await {
            Ok((place, reading)) => {
                connections.put_back(connection);
                self.lanes.clock.set(reading);
                self.place = place;
                self.terms_seen_at = Instant::now();
            }
            Err(error) => {
                // A broken connection is dropped, and the server undoes what it had begun.
                let broken = matches!(error, WriteError::Unknown(_) | WriteError::Stalled(_));
                if !broken && connection.roll_back().await {
                    connections.put_back(connection);
                }
                return Err(error.into());
            }
        }
        let seats: BTreeSet<SeatNo> = facts.iter().flat_map(Fact::seats).copied().collect();
        let changes = seats.into_iter().map(|seat| (seat, self.lane.seats()[seat as usize] as u8)).collect();
        self.board.advance(self.place.version(), changes);
        metrics::counter!("booking_batches_total").increment(1);
        metrics::histogram!("booking_batch_commands").record(u32::try_from(commands).unwrap_or(u32::MAX));
        metrics::histogram!("booking_batch_seconds").record(started.elapsed());
        Ok(())
    }

    /// Looks, now and then, whether the lane is still ours and its terms the same: a refusal asks no fence.
    async fn check_terms(&mut self) -> Result<(), BatchError> {
        if self.void {
            return Err(BatchError::Moved);
        }
        if self.terms_seen_at.elapsed() < TERMS_AGE_MAX {
            return Ok(());
        }
        let connection = self.lanes.connections.get().await?;
        let source = Source { connection: &connection, event: self.event, plans: &self.lanes.plans };
        let seen = within(ANSWER_MAX, source.look()).await?;
        self.lanes.connections.put_back(connection);
        if seen != (self.place.epoch, self.place.seq, self.place.terms) {
            return Err(BatchError::Moved);
        }
        self.terms_seen_at = Instant::now();
        Ok(())
    }

    /// Reads the orders the queue speaks of and the lane does not know: reported on, named by their hold, or by their key alone.
    async fn bring_in_orders(&mut self, queue: &[Queued]) -> Result<(), BatchError> {
        let (mut orders, mut holds, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for Queued { command, .. } in queue {
            match command {
                Command::Settle { order, .. } if self.lane.order(*order).is_none() => orders.push(order.0),
                Command::Buy { hold, buyer, key } => {
                    let unknown =
                        |hold: &HoldId| self.lane.hold(*hold).is_none() && self.lane.order_of(*hold).is_none();
                    holds.extend(hold.filter(unknown).map(|hold| hold.0));
                    if self.recall.has_forgotten() && self.recall.answer(*buyer, key, Asked::Buy).is_none() {
                        keys.push((*buyer, key.clone()));
                    }
                }
                _ => {}
            }
        }
        if orders.is_empty() && holds.is_empty() && keys.is_empty() {
            return Ok(());
        }
        let connection = self.lanes.connections.get().await?;
        let source = Source { connection: &connection, event: self.event, plans: &self.lanes.plans };
        let (found, known) = within(ANSWER_MAX, async {
            let found = source.orders(&self.lane, orders, holds).await?;
            Ok::<_, LoadError>((found, source.by_keys(&self.lane, &keys).await?))
        })
        .await?;
        self.lanes.connections.put_back(connection);
        self.recall.restore(known);
        for order in found {
            self.lane.adopt(order);
        }
        Ok(())
    }
}

/// Whose command it is, and under which idempotency key.
fn key(command: &Command) -> Option<(UserId, &str)> {
    match command {
        Command::Reserve { buyer, key, .. } | Command::Buy { buyer, key, .. } => Some((*buyer, key)),
        Command::Extend { .. } | Command::Release { .. } | Command::Settle { .. } | Command::Wake => None,
    }
}

fn asked(command: &Command) -> Option<Asked> {
    match command {
        Command::Reserve { request, .. } => Some(Asked::Reserve(*request)),
        Command::Buy { .. } => Some(Asked::Buy),
        Command::Extend { .. } | Command::Release { .. } | Command::Settle { .. } | Command::Wake => None,
    }
}
