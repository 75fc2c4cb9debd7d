//! One lane's task: take the lane or stand by for it, drain the queue, answer, give the lane up.
//!
//! After any trouble the state is read anew and the same commands are decided again: what was committed without our knowing is
//! then found by its key. A lane that is another process's is taken as soon as that one's lease runs out.

use super::batch::LoadedLane;
use super::loaded::LoadError;
use super::queue::{Line, Queued, Taken};
use super::{Ending, Lanes, Refused};
use crate::failure::Failure;
use model::EventId;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Tries before a batch's commands are answered with the failure.
const TRIES_MAX: u32 = 3;
/// Times a command may find that the terms have just changed; then whoever asked may ask again.
const MOVES_MAX: u32 = 64;
/// How long those who wait are kept while the state cannot be read anew.
const RECOVERY_MAX: Duration = Duration::from_secs(1);
/// The shortest and the longest pause between two tries to let time's holds go.
const EXPIRY_PAUSE_MIN: Duration = Duration::from_millis(100);
const EXPIRY_PAUSE_MAX: Duration = Duration::from_secs(5);

/// Why a lane is served no more.
enum End {
    /// Nobody asks.
    Idle,
    /// The server stops.
    Stop,
    /// Another process has it, or had it meanwhile.
    Lost,
}

/// Runs a lane until it is idle or the server stops:
/// 1. takes the lane, or stands by until it can; 2. serves; 3. closes the queue; 4. answers what only it can; 5. gives the lane up;
/// 6. leaves the list (by dropping `ending`).
pub(super) async fn run(lanes: Arc<Lanes>, event: EventId, mut commands: Box<dyn Line>, ending: Ending) {
    let mut queue = Vec::new();
    let started_at = Instant::now();
    let refused = loop {
        if !lanes.may_try(event).await {
            break Refused::Busy;
        }
        match LoadedLane::load(&lanes, event).await {
            Ok(mut lane) => {
                lanes.out_of_trouble(event);
                ending.serves(true);
                let end = lane.serve_until_end(commands.as_mut(), &mut queue).await;
                ending.serves(false);
                if matches!(end, End::Lost) {
                    commands.lose();
                    continue;
                }
                commands.close(&mut queue).await;
                if matches!(end, End::Idle) {
                    lane.serve(&mut queue).await;
                    lane.give_up().await;
                }
                break Refused::Busy;
            }
            Err(LoadError::Elsewhere { left }) => {
                if !stand_by(&lanes, left, commands.as_mut()).await {
                    break Refused::Busy;
                }
                if ending.asked_at().unwrap_or(started_at).elapsed() >= Duration::from_secs(lanes.settings.idle_s) {
                    break Refused::Busy;
                }
            }
            Err(LoadError::NoSuchEvent) => break Refused::NoSuchEvent,
            Err(LoadError::Failed(failure)) => {
                lanes.in_trouble(event, &LoadError::Failed(failure.clone()));
                break Refused::Failed(failure);
            }
        }
    };
    commands.close(&mut queue).await;
    refuse(&mut queue, &refused);
    drop(ending);
}

/// Waits while the lane's owner is alive. One that has missed its renewals may be dead: then commands wait in the queue for the
/// rest of its lease, `left`. False when the server stops, or nobody can ask any more.
async fn stand_by(lanes: &Lanes, left: Duration, commands: &mut dyn Line) -> bool {
    let patience = lanes.lease.term() / 2;
    if left <= patience {
        return lanes.stop.run_until_cancelled(tokio::time::sleep(left)).await.is_some();
    }
    tokio::select! {
        biased;
        () = lanes.stop.cancelled() => false,
        () = commands.turn_away() => false,
        () = tokio::time::sleep(left.saturating_sub(patience)) => true,
    }
}

fn refuse(queue: &mut Vec<Queued>, refused: &Refused) {
    for queued in queue.drain(..) {
        queued.answer(Err(refused.clone()));
    }
}

impl LoadedLane {
    async fn serve_until_end(&mut self, commands: &mut dyn Line, queue: &mut Vec<Queued>) -> End {
        let lanes = Arc::clone(&self.lanes);
        let mut expiry_pause = Duration::ZERO;
        loop {
            let next_expiry = self.desk.lane.first_expiry().map(|(expires_at, _)| lanes.clock.until(expires_at));
            let pause = next_expiry.unwrap_or(Duration::from_secs(lanes.settings.idle_s)).max(expiry_pause);
            tokio::select! {
                biased;
                () = lanes.stop.cancelled() => return End::Stop,
                taken = commands.take(self.epoch(), queue) => match taken {
                    Taken::Commands => self.serve(queue).await,
                    Taken::Overtaken => {
                        self.recover(queue).await;
                    }
                    Taken::Over => return End::Stop,
                },
                () = tokio::time::sleep(pause) => {
                    if next_expiry.is_none() {
                        return End::Idle;
                    }
                    expiry_pause = if self.serve_time().await {
                        Duration::ZERO
                    } else {
                        (2 * expiry_pause).clamp(EXPIRY_PAUSE_MIN, EXPIRY_PAUSE_MAX)
                    };
                }
            }
            if self.lost {
                return End::Lost;
            }
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
            if self.lost {
                break;
            }
            self.serve_alone(queued).await;
        }
    }

    async fn serve_alone(&mut self, queued: Queued) {
        let mut one = vec![queued];
        let (mut tried, mut moved) = (0, 0);
        while !one.is_empty() {
            let Err(error) = self.batch(&mut one).await else { return };
            if !self.recover(&mut one).await {
                return;
            }
            if error.is_moved() {
                moved += 1;
                if moved == MOVES_MAX {
                    refuse(&mut one, &Refused::Busy);
                }
                continue;
            }
            tried += 1;
            tracing::warn!(event.id = %self.event, tried, error = &error as &dyn std::error::Error, "a command failed");
            if tried == TRIES_MAX {
                refuse(&mut one, &Refused::Failed(Failure::new(error)));
            }
        }
    }

    /// Lets the holds go whose time is over; false when that failed.
    async fn serve_time(&mut self) -> bool {
        let Err(error) = self.batch(&mut Vec::new()).await else { return true };
        tracing::warn!(event.id = %self.event, error = &error as &dyn std::error::Error, "expiry failed");
        self.recover(&mut Vec::new()).await;
        false
    }

    /// Reads the state anew; leaves the queue unanswered when that cannot be done.
    async fn recover(&mut self, queue: &mut Vec<Queued>) -> bool {
        let (lanes, began_at) = (Arc::clone(&self.lanes), Instant::now());
        while lanes.may_try(self.event).await {
            match self.reload(queue).await {
                Ok(()) => {
                    lanes.out_of_trouble(self.event);
                    return true;
                }
                Err(LoadError::Elsewhere { .. }) => {
                    tracing::info!(event.id = %self.event, "another process has taken the lane, or had it");
                    self.lost = true;
                    break;
                }
                Err(error) => lanes.in_trouble(self.event, &error),
            }
            if began_at.elapsed() >= RECOVERY_MAX {
                break;
            }
        }
        queue.clear();
        false
    }
}
