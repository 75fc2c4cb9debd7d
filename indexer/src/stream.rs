//! Applies the stream: batch → pending → commit on a tick → tell → publish → settle → confirm.
//!
//! Invariants: a commit happens only between transactions; the slot is confirmed only up to a settled publication. Commits and publications
//! are one after another; settling (the disk's syncs) goes on beside them.

use crate::index::Payload;
use crate::projection::{ApplyError, Projection};
use crate::publish::{PublishError, Publisher, Settled};
use crate::source::session::{Session, SessionError};
use crate::start::{Started, blocking};
use crate::tell::Teller;
use crate::wal::decode;
use crate::{Observer, Progress, RunError};
use futures::FutureExt;
use jiff::Timestamp;
use model::Lsn;
use pgwire_replication::ReplicationEvent;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::task::coop::unconstrained;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// From one commit to the next, when there is something to commit.
const TICK: Duration = Duration::from_millis(25);
/// The same while merges lag behind: fewer, larger segments.
const TICK_CROWDED: Duration = Duration::from_millis(500);
const SEGMENTS_CROWDED: usize = 48;
/// From one batch of availability to the next: of an event's changes within it only the last is written.
const APPEND: Duration = Duration::from_millis(20);
/// How often at most the disk is synced for what was published.
const SETTLE: Duration = Duration::from_millis(200);
/// An index whose documents did not change still says how far it is: after so long, or so many bytes of log.
const ADVANCE: Duration = Duration::from_secs(1);
const ADVANCE_BYTES: u64 = 1 << 20;
/// Later than anything is due.
const FAR: Duration = Duration::from_hours(1);
/// Events applied in one go.
const BATCH_MAX: usize = 8192;

/// How far the stream is applied.
struct Cursor {
    /// Transactions whose commit lies before this are in the index already.
    applied: Lsn,
    /// Whether all of those have gone by.
    caught_up: bool,
    /// Everything before this is applied, when no transaction is open.
    position: Lsn,
    in_transaction: bool,
    skipping: bool,
}

struct Stream {
    session: Session,
    /// `None` only while a blocking thread has it.
    projection: Option<Projection>,
    teller: Teller,
    publisher: Publisher,
    payload: Payload,
    cursor: Cursor,
    /// Whether who waits for an event that was in the index already has been told.
    may_confirm: bool,
    committed_at: Instant,
    /// How long the last commit was under way, to the end of its publication.
    commit_took: Duration,
    appended_at: Instant,
    /// The same of the last batch of availability.
    append_took: Duration,
    settled_at: Instant,
    settlement: Option<JoinHandle<Result<Settled, PublishError>>>,
    observer: Observer,
}

/// Streams until `stop` is cancelled or something fails; what is published stays either way.
///
/// At the end: 1. stop reading; 2. settle what is published; 3. confirm it; 4. close the session.
pub(crate) async fn stream(started: Started, observer: Observer, stop: &CancellationToken) -> Result<(), RunError> {
    let now = Instant::now();
    let lsn = started.payload.lsn;
    let mut stream = Stream {
        session: started.session,
        projection: Some(started.projection),
        teller: started.teller,
        publisher: started.publisher,
        payload: started.payload,
        cursor: Cursor { applied: lsn, caught_up: false, position: lsn, in_transaction: false, skipping: false },
        may_confirm: false,
        committed_at: now,
        commit_took: Duration::ZERO,
        appended_at: now,
        append_took: Duration::ZERO,
        settled_at: now,
        settlement: None,
        observer,
    };
    let ended = stream.run(stop).await;
    if ended.is_ok() {
        stream.settle().await?;
        stream.session.close().await;
    }
    ended
}

impl Stream {
    async fn run(&mut self, stop: &CancellationToken) -> Result<(), RunError> {
        loop {
            let due = self.due();
            let mut is_more_likely = false;
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                settled = finish(&mut self.settlement) => self.settled(settled?),
                event = self.session.next() => {
                    let batch = self.drain(event?)?;
                    self.apply(batch).await?;
                    is_more_likely = true;
                }
                () = tokio::time::sleep_until(due) => {}
            }
            if !self.cursor.in_transaction {
                // What is there already is worth as long as the store took last time: a slow one gets fewer and larger writes.
                let patience = |took| if is_more_likely { took } else { Duration::ZERO };
                if Instant::now() >= self.append_due() + patience(self.append_took) {
                    self.append().await?;
                }
                if Instant::now() >= self.commit_due() + patience(self.commit_took) {
                    self.commit().await?;
                }
            }
            if self.settlement.is_none() && self.publisher.is_unsettled() && self.settled_at.elapsed() >= SETTLE {
                self.settlement = Some(tokio::spawn(self.publisher.settle().run()));
            }
        }
    }

    /// When something is to be done although nothing arrives.
    fn due(&self) -> Instant {
        let far = Instant::now() + FAR;
        let commit = if self.cursor.in_transaction { far } else { self.commit_due().min(self.append_due()) };
        let settle = self.settlement.is_none() && self.publisher.is_unsettled();
        commit.min(if settle { self.settled_at + SETTLE } else { far })
    }

    /// When the next batch of availability is due, with no transaction open.
    fn append_due(&self) -> Instant {
        let waiting = self.projection.as_ref().is_some_and(Projection::has_availability);
        if waiting { self.appended_at + APPEND } else { Instant::now() + FAR }
    }

    /// When the next commit is due, with no transaction open.
    fn commit_due(&self) -> Instant {
        let Some(projection) = &self.projection else { return Instant::now() };
        if projection.is_dirty() {
            let crowded = projection.index().segments() >= SEGMENTS_CROWDED;
            return self.committed_at + if crowded { TICK_CROWDED } else { TICK };
        }
        let behind = self.cursor.position.0.saturating_sub(self.payload.lsn.0);
        match behind {
            0 => Instant::now() + FAR,
            ADVANCE_BYTES.. => self.committed_at + TICK,
            _ => self.committed_at + ADVANCE,
        }
    }

    /// What has arrived by now, beginning with `event`.
    fn drain(&mut self, event: ReplicationEvent) -> Result<Vec<ReplicationEvent>, SessionError> {
        let mut batch = vec![event];
        while batch.len() < BATCH_MAX
            // Else a task's fair share of the runtime ends it after a hundred.
            && let Some(event) = unconstrained(self.session.next()).now_or_never()
        {
            batch.push(event?);
        }
        Ok(batch)
    }

    async fn apply(&mut self, batch: Vec<ReplicationEvent>) -> Result<(), RunError> {
        let Some(mut projection) = self.projection.take() else { return Ok(()) };
        let mut cursor = Cursor { ..self.cursor };
        let applied = blocking(move || {
            let done = batch.into_iter().try_for_each(|event| cursor.apply(&mut projection, event));
            done.map(|()| (projection, cursor))
        });
        let (projection, cursor) = applied.await??;
        (self.projection, self.cursor) = (Some(projection), cursor);
        Ok(())
    }

    async fn append(&mut self) -> Result<(), RunError> {
        let changes = self.projection.as_mut().map(Projection::take_availability).unwrap_or_default();
        self.appended_at = Instant::now();
        if !changes.is_empty() {
            self.publisher.append(&changes).await?;
            self.append_took = self.appended_at.elapsed();
            (self.observer)(&Progress::Availability { lsn: self.cursor.position });
        }
        Ok(())
    }

    /// Availability goes first: whoever reads the publication finds at least that of its position.
    async fn commit(&mut self) -> Result<(), RunError> {
        self.append().await?;
        let Some(mut projection) = self.projection.take() else { return Ok(()) };
        self.committed_at = Instant::now();
        self.payload.lsn = self.cursor.position;
        let mut payload = self.payload.clone();
        let now = Timestamp::now();
        let committed =
            blocking(move || projection.commit(&mut payload, now).map(|found| (projection, payload, found)));
        let (projection, payload, found) = committed.await??;
        self.payload = payload;
        // Before anybody goes on from this commit: who is not told yet would never be.
        self.teller.tell(&found).await?;
        self.publisher.publish(projection.index(), &self.payload).await?;
        self.commit_took = self.committed_at.elapsed();
        self.may_confirm = self.cursor.caught_up;
        let (generation, head) = (self.publisher.generation(), self.publisher.head());
        let documents = projection.index().documents();
        self.projection = Some(projection);
        tracing::debug!(generation, head.seq, wal.lsn = %head.lsn, documents, "published");
        (self.observer)(&Progress::Published { generation, seq: head.seq, lsn: head.lsn, documents });
        Ok(())
    }

    fn settled(&mut self, settled: Settled) {
        self.publisher.settled(settled);
        if self.may_confirm {
            self.session.confirm(settled.lsn);
        }
        (self.settlement, self.settled_at) = (None, Instant::now());
    }

    /// Makes everything visible durable and confirms it.
    async fn settle(&mut self) -> Result<(), RunError> {
        if self.settlement.is_some() {
            let settled = finish(&mut self.settlement).await?;
            self.settled(settled);
        }
        let settled = self.publisher.settle().run().await?;
        self.settled(settled);
        Ok(())
    }
}

/// The settlement's end; never, when there is none.
async fn finish(settlement: &mut Option<JoinHandle<Result<Settled, PublishError>>>) -> Result<Settled, RunError> {
    let Some(running) = settlement else { return std::future::pending().await };
    let ended = running.await.map_err(PublishError::Thread)?;
    Ok(ended?)
}

impl Cursor {
    fn apply(&mut self, projection: &mut Projection, event: ReplicationEvent) -> Result<(), ApplyError> {
        match event {
            ReplicationEvent::Begin { final_lsn, .. } => {
                self.in_transaction = true;
                self.skipping = final_lsn.as_u64() < self.applied.0;
            }
            ReplicationEvent::Commit { end_lsn, .. } => {
                self.in_transaction = false;
                self.caught_up |= !self.skipping;
                self.advance(end_lsn.as_u64());
            }
            // The server has sent every commit before this position.
            ReplicationEvent::KeepAlive { wal_end, .. } if !self.in_transaction => {
                self.caught_up |= wal_end.as_u64() >= self.applied.0;
                self.advance(wal_end.as_u64());
            }
            ReplicationEvent::XLogData { data, .. } => {
                let message = decode(data)?;
                if self.skipping {
                    projection.pass_over(message)?;
                } else {
                    projection.apply(message)?;
                }
            }
            ReplicationEvent::KeepAlive { .. }
            | ReplicationEvent::Message { .. }
            | ReplicationEvent::StoppedAt { .. } => {}
        }
        Ok(())
    }

    fn advance(&mut self, lsn: u64) {
        self.position = self.position.max(Lsn(lsn));
    }
}
