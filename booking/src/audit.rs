//! The audit of one event: the hash chain computed anew, every decision checked and followed, the tables compared with the outcome.
//!
//! Reads one snapshot and changes nothing. The first difference ends it: by the log's order, then table by table in key order.
//! Shares with the lanes the words of the log alone: it follows the facts by rules of its own.

pub(crate) mod ledger;
mod sheet;

use crate::digest::Digest;
use crate::failure::Failure;
use crate::lane::fact::Fact;
use crate::restate::Restated;
use crate::table::{self, audit::Entry};
use ledger::Ledger;
use model::{EventId, SeatPlan};
use sha2::{Digest as _, Sha256};
use sheet::Sheet;
use sqlx::{Connection as _, PgConnection, PgPool};
use std::collections::HashMap;

/// Entries of the log read at a time.
const ENTRIES_AT_ONCE: i64 = 1_024;

/// An event whose log and tables agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// Entries of the log.
    pub entries: i64,
    /// Decisions in them.
    pub facts: usize,
    /// The hash of the last entry: who has it, has evidence of all before it.
    pub head: Digest,
    /// Holds ever made.
    pub holds: usize,
    /// Orders ever made.
    pub orders: usize,
    /// Tickets ever issued.
    pub tickets: usize,
    /// Seats held or sold now.
    pub claims: usize,
}

/// The first thing that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// The chain is broken.
    #[error("entry {seq} of the log: {what}")]
    Chain {
        /// The entry's number, or the one that it should have.
        seq: i64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A decision could not be taken then.
    #[error("entry {seq} of the log, decision {number}: {why}")]
    Decision {
        /// The entry's number.
        seq: i64,
        /// Which of its decisions: 1 is the first.
        number: usize,
        /// Why not.
        why: &'static str,
    },
    /// A table lacks a row.
    #[error("{table} {key}: the log has it, the table does not")]
    Missing {
        /// The table.
        table: &'static str,
        /// The row's key within the event.
        key: String,
    },
    /// A table has a row too many.
    #[error("{table} {key}: the table has it, the log does not")]
    Unfounded {
        /// The table.
        table: &'static str,
        /// The row's key within the event.
        key: String,
    },
    /// A row is not what the log comes to.
    #[error("{table} {key}: {column} is {found}, by the log {expected}")]
    Other {
        /// The table.
        table: &'static str,
        /// The row's key within the event.
        key: String,
        /// The column.
        column: &'static str,
        /// By the log.
        expected: String,
        /// In the table.
        found: String,
    },
}

/// Why an audit found no agreement.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// There is no such event.
    #[error("there is no such event")]
    NoSuchEvent,
    /// The log and the tables do not agree.
    #[error(transparent)]
    Different(#[from] Difference),
    /// The database failed us.
    #[error("audit an event")]
    Failed(#[from] Failure),
}

impl From<sqlx::Error> for AuditError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Audits an event, in one snapshot, beside whatever goes on.
///
/// # Errors
/// With the first difference; when there is no such event; when the database fails.
pub async fn audit(pool: &PgPool, event: EventId) -> Result<Audited, AuditError> {
    let mut connection = pool.acquire().await?;
    let mut snapshot = connection.begin_with("begin isolation level repeatable read read only").await?;
    let map = table::availability::map(&mut snapshot, event).await?.ok_or(AuditError::NoSuchEvent)?;
    let mut reading = Reading { event, seq: 0, head: Digest([0; 32]), facts: 0, ledger: Ledger::default() };
    loop {
        let entries = table::audit::entries(&mut snapshot, event, (reading.seq, ENTRIES_AT_ONCE)).await?;
        if entries.is_empty() {
            break;
        }
        entries.iter().try_for_each(|entry| reading.read(entry))?;
    }
    let Reading { seq, head, facts, ledger, .. } = reading;
    let place = table::audit::lane(&mut snapshot, event).await?.unwrap_or((0, Digest([0; 32])));
    if place != (seq, head) {
        return Err(Difference::Chain { seq: place.0, what: "the lane stands on it, the log ends elsewhere" }.into());
    }
    let expected = ledger.sheets();
    let (holds, orders, tickets, claims) = ledger.counts();
    for (expected, found) in expected.iter().zip(sheet::read(&mut snapshot, event).await?) {
        expected.compare(&found)?;
    }
    let plan = table::layout::plan(&mut snapshot, &map.layout_hash).await?;
    let plan = SeatPlan::parse(&plan).map_err(Failure::new)?;
    availability(&mut snapshot, event, &plan, &ledger).await?;
    snapshot.rollback().await?;
    Ok(Audited { entries: seq, facts, head, holds, orders, tickets, claims })
}

/// How far the log is read.
struct Reading {
    event: EventId,
    seq: i64,
    head: Digest,
    facts: usize,
    ledger: Ledger,
}

impl Reading {
    fn read(&mut self, entry: &Entry) -> Result<(), Difference> {
        let seq = self.seq + 1;
        let broken = |what| Err(Difference::Chain { seq, what });
        if entry.seq != seq {
            return broken("it is not there, and later ones are");
        }
        if entry.prev_hash != self.head {
            return broken("the hash before it is not that of the entry before it");
        }
        let mut hash = Sha256::new();
        hash.update(self.head.0);
        hash.update(self.event.0.as_bytes());
        hash.update(seq.to_be_bytes());
        hash.update(&entry.payload);
        if entry.hash != Digest(hash.finalize().into()) {
            return broken("its hash is not that of what it says");
        }
        let Ok(facts) = serde_json::from_slice::<Vec<Fact>>(&entry.payload) else {
            return broken("what it says cannot be read");
        };
        for (number, fact) in (1..).zip(&facts) {
            let followed = self.ledger.follow((seq, entry.at), fact);
            followed.map_err(|why| Difference::Decision { seq, number, why })?;
        }
        (self.seq, self.head, self.facts) = (seq, entry.hash, self.facts + facts.len());
        Ok(())
    }
}

/// What search shows follows from the seats that are somebody's, the plan and the prices.
async fn availability(
    snapshot: &mut PgConnection,
    event: EventId,
    plan: &SeatPlan,
    ledger: &Ledger,
) -> Result<(), AuditError> {
    let found = table::audit::availability(snapshot, event).await?;
    let prices = table::availability::prices(snapshot, event).await?;
    let prices: HashMap<_, _> = prices.into_iter().map(|(tier, price)| (i32::from(tier), price)).collect();
    let expected = Restated::of(plan, |tier| prices.get(&i32::from(tier)).copied(), |seat| ledger.is_claimed(seat));
    // An event that nobody has booked may have none yet.
    if found.is_some() || ledger.has_claims() {
        let mut sheets = [Sheet::new("availability"), Sheet::new("availability")];
        for (sheet, row) in
            sheets.iter_mut().zip([expected.map(|shown| (shown.seats_total, shown.seats_left, shown.price_min)), found])
        {
            if let Some((total, left, lowest)) = row {
                let lowest = lowest.map_or_else(|| "none".to_owned(), |price| price.to_string());
                let columns =
                    vec![("seats_total", total.to_string()), ("seats_left", left.to_string()), ("price_min", lowest)];
                sheet.add(&"of the event", columns);
            }
        }
        sheets[0].compare(&sheets[1])?;
    }
    Ok(())
}
