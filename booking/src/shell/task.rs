//! One lane's task: drain the queue, decide in arrival order, write one transaction, answer.
//!
//! Answers leave after the commit, refusals included, for they rest on the same state; a batch that decides nothing new needs no
//! SQL. After any trouble the state is read anew and the same commands are decided again: what was committed without our
//! knowing is then found by its key.

use super::loaded::{LoadError, Place, Source};
use super::recall::Recall;
use super::write::{WriteError, write};
use super::{Answer, Ending, Lanes, Queued, Refused};
use crate::failure::Failure;
use crate::lane::fact::Fact;
use crate::lane::{Command, Done, Lane, Moment, Refusal};
use crate::seats::board::Board;
use model::{EventId, SeatNo, UserId};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Receiver;
use uuid::Uuid;

/// How old the terms may be that a refusal rests on; what sells is fenced by them anyway.
const TERMS_AGE_MAX: Duration = Duration::from_millis(200);
/// Tries before a batch's commands are answered with the failure.
const TRIES_MAX: u32 = 3;
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// A loaded lane.
struct LoadedLane {
    lanes: Arc<Lanes>,
    event: EventId,
    place: Place,
    lane: Lane,
    recall: Recall,
    board: Arc<Board>,
    terms_seen_at: Instant,
    /// The state has decisions in it that were not committed.
    void: bool,
}

/// Runs a lane until it is idle or the server stops:
/// 1. loads; 2. serves; 3. closes the queue; 4. answers what is in it; 5. leaves the list (by dropping `ending`).
pub(super) async fn run(lanes: Arc<Lanes>, event: EventId, mut commands: Receiver<Queued>, ending: Ending) {
    let mut queue = Vec::new();
    match LoadedLane::load(&lanes, event).await {
        Ok(mut lane) => {
            lane.serve_until_idle(&mut commands, &mut queue).await;
            commands.close();
            while commands.recv_many(&mut queue, lanes.settings.batch_max).await > 0 {
                if lanes.stop.is_cancelled() {
                    refuse(&mut queue, &Refused::Busy);
                } else {
                    lane.serve(&mut queue).await;
                }
            }
        }
        Err(error) => {
            let refused = match error {
                LoadError::NoSuchEvent => Refused::NoSuchEvent,
                LoadError::Failed(failure) => Refused::Failed(failure),
            };
            commands.close();
            while commands.recv_many(&mut queue, lanes.settings.batch_max).await > 0 {
                refuse(&mut queue, &refused);
            }
        }
    }
    drop(ending);
}

fn refuse(queue: &mut Vec<Queued>, refused: &Refused) {
    for queued in queue.drain(..) {
        // Whoever asked may have gone.
        queued.reply.send(Err(refused.clone())).ok();
    }
}

/// Why a batch came to nothing.
#[derive(Debug, thiserror::Error)]
enum BatchError {
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("the lane is another's, or its terms have changed")]
    Moved,
}

impl From<Failure> for BatchError {
    fn from(failure: Failure) -> Self {
        Self::Load(LoadError::Failed(failure))
    }
}

impl LoadedLane {
    async fn load(lanes: &Arc<Lanes>, event: EventId) -> Result<Self, LoadError> {
        let connection = lanes.connections.get().await?;
        let source = Source { connection: &connection, event, plans: &lanes.plans };
        let (place, lane) = source.take(&lanes.owner, &lanes.clock).await?;
        let mut recall = Recall::default();
        let mut recent = source.recent().await?;
        recent.reverse();
        recall.restore(recent);
        lanes.connections.put_back(connection);
        let layout = lane.house().layout.clone();
        let board = lanes.board(event, || Board::new(layout.clone(), place.version(), lane.seats()));
        board.reset(&layout, place.version(), lane.seats());
        tracing::debug!(event.id = %event, lane.epoch = place.epoch, lane.seq = place.seq, "lane loaded");
        let (lanes, terms_seen_at) = (Arc::clone(lanes), Instant::now());
        Ok(Self { lanes, event, place, lane, recall, board, terms_seen_at, void: false })
    }

    async fn reload(&mut self, queue: &[Queued]) -> Result<(), LoadError> {
        self.void = true;
        let connection = self.lanes.connections.get().await?;
        let source = Source { connection: &connection, event: self.event, plans: &self.lanes.plans };
        (self.place, self.lane) = source.take(&self.lanes.owner, &self.lanes.clock).await?;
        let keys = queue.iter().filter_map(|queued| reserve_key(&queued.command));
        let keys = keys.map(|(buyer, key)| (buyer, key.to_owned())).collect();
        self.recall.restore(source.by_keys(keys).await?);
        self.lanes.connections.put_back(connection);
        (self.terms_seen_at, self.void) = (Instant::now(), false);
        self.board.reset(&self.lane.house().layout, self.place.version(), self.lane.seats());
        Ok(())
    }

    async fn serve_until_idle(&mut self, commands: &mut Receiver<Queued>, queue: &mut Vec<Queued>) {
        let stop = self.lanes.stop.clone();
        loop {
            let next_expiry = self.lane.first_expiry().map(|(expires_at, _)| self.lanes.clock.until(expires_at));
            let pause = next_expiry.unwrap_or(Duration::from_secs(self.lanes.settings.idle_s));
            let slept = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                count = commands.recv_many(queue, self.lanes.settings.batch_max) => {
                    if count == 0 { return; }
                    false
                }
                () = tokio::time::sleep(pause) => true,
            };
            if slept && next_expiry.is_none() {
                return;
            }
            self.serve(queue).await;
        }
    }

    /// Carries the queue's commands out and answers them.
    async fn serve(&mut self, queue: &mut Vec<Queued>) {
        let Err(error) = self.batch(queue).await else { return };
        tracing::info!(event.id = %self.event, error = &error as &dyn std::error::Error, "a batch is decided again");
        if !self.recover(queue).await {
            return;
        }
        // Whatever one command's trouble is, it is now its own.
        for queued in std::mem::take(queue) {
            self.serve_alone(queued).await;
        }
        self.serve_time().await;
    }

    async fn serve_alone(&mut self, queued: Queued) {
        let mut one = vec![queued];
        for tried in 1..=TRIES_MAX {
            let Err(error) = self.batch(&mut one).await else { return };
            tracing::warn!(event.id = %self.event, tried, error = &error as &dyn std::error::Error, "a command failed");
            let failure = Failure::new(error);
            if !self.recover(&mut one).await {
                return;
            }
            if tried == TRIES_MAX {
                refuse(&mut one, &Refused::Failed(failure));
            }
        }
    }

    /// Expiries that were undone with a failed batch are due still.
    async fn serve_time(&mut self) {
        if let Err(error) = self.batch(&mut Vec::new()).await {
            tracing::warn!(event.id = %self.event, error = &error as &dyn std::error::Error, "expiry failed");
            self.recover(&mut Vec::new()).await;
        }
    }

    /// Reads the state anew; answers the queue with the failure when that cannot be done.
    async fn recover(&mut self, queue: &mut Vec<Queued>) -> bool {
        let mut tried = 0;
        loop {
            let Err(error) = self.reload(queue).await else { return true };
            tried += 1;
            if tried == TRIES_MAX || self.lanes.stop.is_cancelled() {
                tracing::error!(event.id = %self.event, error = &error as &dyn std::error::Error, "a lane is lost");
                refuse(queue, &Refused::Failed(Failure::new(error)));
                return false;
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    /// Decides the queue's commands, writes what they came to, answers. On an error nothing was answered and the state is void.
    async fn batch(&mut self, queue: &mut Vec<Queued>) -> Result<(), BatchError> {
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
        let (house, currency) = (self.lane.house(), self.lane.terms().currency);
        for (queued, answer) in queue.drain(..).zip(answers) {
            let answer = answer.map(|done| Answer { done, house: Arc::clone(house), currency });
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
            let Command::Reserve { buyer, key, request, .. } = command else {
                return self.lane.decide(command, &mut moment, facts);
            };
            if let Some(first) = self.recall.answer(*buyer, key, *request) {
                return first.map(Done::Held);
            }
            let done = self.lane.decide(command, &mut moment, facts);
            let answer = match &done {
                Ok(Done::Held(hold)) => Ok(hold.clone()),
                Ok(_) => return done,
                Err(refusal) => Err(refusal.clone()),
            };
            self.recall.remember(*buyer, key, *request, answer);
            remembered.push((*buyer, key.clone()));
            done
        });
        decided.collect()
    }

    async fn commit(&mut self, facts: &[Fact], commands: usize) -> Result<(), BatchError> {
        let started = Instant::now();
        let connections = &self.lanes.connections;
        let connection = connections.get().await?;
        match write(&connection, (self.event, &self.place), &self.lane, facts).await {
            Ok((place, reading)) => {
                connections.put_back(connection);
                self.lanes.clock.set(reading);
                self.place = place;
                self.terms_seen_at = Instant::now();
            }
            Err(error) => {
                // A broken connection is dropped, and the server undoes what it had begun.
                if !matches!(error, WriteError::Unknown(_)) && connection.roll_back().await {
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
        let seen = source.look().await?;
        self.lanes.connections.put_back(connection);
        if seen != (self.place.epoch, self.place.seq, self.place.terms) {
            return Err(BatchError::Moved);
        }
        self.terms_seen_at = Instant::now();
        Ok(())
    }

    /// Reads the orders the queue speaks of and the lane does not know.
    async fn bring_in_orders(&mut self, queue: &[Queued]) -> Result<(), BatchError> {
        let (mut orders, mut holds) = (Vec::new(), Vec::new());
        for Queued { command, .. } in queue {
            match command {
                Command::Settle { order, .. } if self.lane.order(*order).is_none() => orders.push(order.0),
                Command::Buy { hold: Some(hold), .. }
                    if self.lane.hold(*hold).is_none() && self.lane.order_of(*hold).is_none() =>
                {
                    holds.push(hold.0);
                }
                _ => {}
            }
        }
        if orders.is_empty() && holds.is_empty() {
            return Ok(());
        }
        let connection = self.lanes.connections.get().await?;
        let source = Source { connection: &connection, event: self.event, plans: &self.lanes.plans };
        let found = source.orders(orders, holds).await?;
        self.lanes.connections.put_back(connection);
        for order in found {
            self.lane.adopt(order);
        }
        Ok(())
    }
}

fn reserve_key(command: &Command) -> Option<(UserId, &str)> {
    match command {
        Command::Reserve { buyer, key, .. } => Some((*buyer, key)),
        _ => None,
    }
}
