//! A loaded lane and its batches: decide in arrival order, write one transaction, answer.
//!
//! Answers leave after the commit, refusals included, for they rest on the same state; a batch that decides nothing new needs no
//! SQL. A batch that fails leaves the state void: nothing is decided on it before it is read anew.

use super::connection::{ANSWER_MAX, LOAD_MAX, within};
use super::desk::Desk;
use super::loaded::{GoneTicket, LoadError, Place, Source};
use super::queue::Queued;
use super::recall::{Asked, Recall, Told};
use super::write::{WriteError, write};
use super::{Answer, Lanes, Refused};
use crate::failure::Failure;
use crate::lane::fact::Fact;
use crate::lane::{Command, Lane, Moment, Refusal};
use crate::order::RefundBy;
use crate::seats::board::Board;
use model::{EventId, HoldId, OrderId, SeatNo, UserId};
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
    pub(super) desk: Desk,
    /// Another process has it now.
    pub(super) lost: bool,
    place: Place,
    board: Arc<Board>,
    /// When the database was last asked, not when it answered: a process may fall asleep between the two, and its lane be taken.
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
        let terms_seen_at = Instant::now();
        let source = Source { connection: &connection, event, plans: &lanes.plans };
        let (place, lane, recent) = within(LOAD_MAX, async {
            let (place, lane) = source.take(lanes.lease.owner(), &lanes.clock).await?;
            let recent = source.recent(&lane).await?;
            Ok::<_, LoadError>((place, lane, recent))
        })
        .await?;
        lanes.connections.put_back(connection);
        let layout = lane.house().layout.clone();
        let board = lanes.board(event, || Board::new(layout.clone(), place.version(), lane.seats()));
        board.reset(&layout, place.version(), lane.seats());
        tracing::debug!(event.id = %event, lane.epoch = place.epoch, lane.seq = place.seq, "lane loaded");
        let lanes = Arc::clone(lanes);
        Ok(Self { lanes, event, place, desk: Desk::new(lane, recent), board, terms_seen_at, void: false, lost: false })
    }

    /// Takes the lane again and reads it anew, with what the open keys came to. If another process had it meanwhile it is lost: that
    /// one may have answered the same commands otherwise, and under keys that are unknown here.
    pub(super) async fn reload(&mut self, queue: &[Queued]) -> Result<(), LoadError> {
        self.void = true;
        let keys = self.desk.open_keys(queue.iter().map(|queued| &queued.command));
        let connection = self.lanes.connections.get().await?;
        let asked_at = Instant::now();
        let source = Source { connection: &connection, event: self.event, plans: &self.lanes.plans };
        let (place, lane, known) = within(LOAD_MAX, async {
            let (place, lane) = source.take(self.lanes.lease.owner(), &self.lanes.clock).await?;
            if !place.follows(&self.place) {
                return Err(LoadError::Elsewhere { left: Duration::ZERO });
            }
            let known = source.by_keys(&lane, &keys).await?;
            Ok::<_, LoadError>((place, lane, known))
        })
        .await?;
        self.lanes.connections.put_back(connection);
        self.desk.renew(lane, known);
        (self.place, self.terms_seen_at, self.void) = (place, asked_at, false);
        let lane = &self.desk.lane;
        self.board.reset(&lane.house().layout, self.place.version(), lane.seats());
        Ok(())
    }

    /// Since when it is ours without a break.
    pub(super) fn epoch(&self) -> i64 {
        self.place.epoch
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
        self.check_terms(queue).await?;
        self.bring_in_orders(queue).await?;
        turn_away_late(queue);
        let decided = {
            let mut moment = Moment { now: self.lanes.clock.now(), mint: &mut Uuid::now_v7 };
            self.desk.decide(queue.iter().map(|queued| &queued.command), &mut moment)
        };
        let mut entry = None;
        if !decided.facts.is_empty() {
            if let Err(error) = self.commit(&decided.facts, queue.len()).await {
                self.void = true;
                self.desk.undone(decided);
                return Err(error);
            }
            entry = Some(self.place.receipt());
            self.desk.committed(&decided, self.place.receipt());
        }
        for (queued, answer) in queue.drain(..).zip(decided.answers) {
            let answer = answer.map(|Told { done, receipt }| Answer { done, receipt: receipt.or(entry) });
            queued.answer(answer.map_err(Refused::Refusal));
        }
        self.desk.lane.forget_ended_orders();
        Ok(())
    }

    async fn commit(&mut self, facts: &[Fact], commands: usize) -> Result<(), BatchError> {
        let started = Instant::now();
        let connections = &self.lanes.connections;
        let connection = connections.get().await?;
        let asked_at = Instant::now();
        match within(ANSWER_MAX, write(&connection, (self.event, &self.place), &self.desk.lane, facts)).await {
            Ok((place, reading)) => {
                connections.put_back(connection);
                self.lanes.clock.set(reading);
                self.place = place;
                self.terms_seen_at = asked_at;
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
        let changes = seats.into_iter().map(|seat| (seat, self.desk.lane.seats()[seat as usize] as u8)).collect();
        self.board.advance(self.place.version(), changes);
        metrics::counter!("booking_batches_total").increment(1);
        metrics::histogram!("booking_batch_commands").record(u32::try_from(commands).unwrap_or(u32::MAX));
        metrics::histogram!("booking_batch_seconds").record(started.elapsed());
        Ok(())
    }

    /// Looks, now and then and whenever it is woken, whether the lane is still ours and its terms the same: a refusal asks no fence.
    async fn check_terms(&mut self, queue: &[Queued]) -> Result<(), BatchError> {
        if self.void {
            return Err(BatchError::Moved);
        }
        let is_woken = queue.iter().any(|queued| matches!(queued.command, Command::Wake));
        if !is_woken && self.terms_seen_at.elapsed() < TERMS_AGE_MAX {
            return Ok(());
        }
        let connection = self.lanes.connections.get().await?;
        let asked_at = Instant::now();
        let source = Source { connection: &connection, event: self.event, plans: &self.lanes.plans };
        let seen = within(ANSWER_MAX, source.look()).await?;
        self.lanes.connections.put_back(connection);
        if seen != (self.place.epoch, self.place.seq, self.place.terms) {
            return Err(BatchError::Moved);
        }
        self.terms_seen_at = asked_at;
        Ok(())
    }

    /// Reads what the queue speaks of and the lane does not know: orders reported on, named by their hold, or by their key alone;
    /// and tickets, whose holders no lane knows. What would give back one that is gone is refused here: the schema would refuse the
    /// whole batch for it.
    async fn bring_in_orders(&mut self, queue: &mut Vec<Queued>) -> Result<(), BatchError> {
        let Desk { lane, recall, .. } = &self.desk;
        let missing = Missing::of(queue, lane, recall);
        if missing.is_nothing() {
            return Ok(());
        }
        let Missing { orders, holds, keys, given } = missing;
        let connection = self.lanes.connections.get().await?;
        let source = Source { connection: &connection, event: self.event, plans: &self.lanes.plans };
        let (found, known, gone) = within(ANSWER_MAX, async {
            let found = source.orders(lane, orders, holds).await?;
            Ok::<_, LoadError>((found, source.by_keys(lane, &keys).await?, source.gone(&given).await?))
        })
        .await?;
        self.lanes.connections.put_back(connection);
        self.desk.recall.restore(known);
        for order in found {
            self.desk.lane.adopt(order);
        }
        refuse_gone(queue, &gone);
        Ok(())
    }
}

/// What a batch's commands speak of and its lane does not know.
#[derive(Default)]
struct Missing {
    orders: Vec<Uuid>,
    holds: Vec<Uuid>,
    keys: Vec<(UserId, String)>,
    /// Orders with tickets to be given back, and who would give them.
    given: Vec<(OrderId, UserId)>,
}

impl Missing {
    fn of(queue: &[Queued], lane: &Lane, recall: &Recall) -> Self {
        let mut missing = Self::default();
        for Queued { command, .. } in queue {
            match command {
                Command::Settle { order, .. } | Command::Refund { order, .. } | Command::Exchange { order, .. }
                    if lane.order(*order).is_none() =>
                {
                    missing.orders.push(order.0);
                }
                Command::Buy { hold, buyer, key } => {
                    let unknown = |hold: &HoldId| lane.hold(*hold).is_none() && lane.order_of(*hold).is_none();
                    missing.holds.extend(hold.filter(unknown).map(|hold| hold.0));
                    if recall.has_forgotten() && recall.answer(*buyer, key, Asked::Buy).is_none() {
                        missing.keys.push((*buyer, key.clone()));
                    }
                }
                _ => {}
            }
            if let Command::Exchange { order, buyer, .. } | Command::Refund { order, by: RefundBy::Buyer(buyer) } =
                command
            {
                missing.given.push((*order, *buyer));
            }
        }
        missing
    }

    fn is_nothing(&self) -> bool {
        self.orders.is_empty() && self.holds.is_empty() && self.keys.is_empty() && self.given.is_empty()
    }
}

/// Refuses what would give back tickets that are gone.
fn refuse_gone(queue: &mut Vec<Queued>, gone: &[GoneTicket]) {
    for queued in std::mem::take(queue) {
        let is_given = |ticket: &&GoneTicket| match &queued.command {
            Command::Refund { order, by: RefundBy::Buyer(_) } => ticket.order == *order,
            Command::Exchange { order, give, .. } => ticket.order == *order && give.contains(&ticket.seat),
            _ => false,
        };
        let tickets: Vec<_> = gone.iter().filter(is_given).map(|ticket| ticket.ticket).collect();
        if tickets.is_empty() {
            queue.push(queued);
        } else {
            queued.answer(Err(Refused::Refusal(Refusal::TicketsGone(tickets))));
        }
    }
}

/// Tells those whose turn comes too late what they were told already, or are about to be.
fn turn_away_late(queue: &mut Vec<Queued>) {
    for late in queue.extract_if(.., |queued| queued.is_late()) {
        metrics::counter!("booking_late_total").increment(1);
        late.answer(Err(Refused::Busy));
    }
}
