//! A working index from a snapshot of Postgres, over nothing or over a base: what an earlier attempt or publication left.
//!
//! Every document is projected anew; one that the base holds byte for byte is left as it is, the others are written, and what Postgres does
//! not have is removed. So a copy that was killed is taken up where it was, and a rollback writes only what differs: the result is the
//! snapshot either way.

use crate::RunError;
use crate::index::{IndexError, Payload, Purpose, WorkingIndex};
use crate::source::copy::{Projected, Snapshot};
use search::availability::Change;
use search::document::Kind;
use search::schema;
use serde::Serialize;
use std::collections::HashSet;
use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tantivy::TantivyDocument;
use uuid::Uuid;

/// How many events pass between two reports.
const REPORT_EVERY: u64 = 1_000;
/// What was written so long ago is committed, so that a killed copy has it.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);
/// A paced copy rests after so many events at least.
const PACE_BATCH: u32 = 50;

/// How fast a copy may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Events written a second at most; none means as fast as it goes.
    pub events_per_s: Option<NonZeroU32>,
}

/// What a filling is told.
pub(crate) struct Plan<R> {
    /// Where the index is made; what lies there already is the base.
    pub(crate) dir: PathBuf,
    /// What the index will be, and of which cluster and program the base must be.
    pub(crate) payload: Payload,
    /// What the base began as: an attempt goes on only from one that began alike.
    pub(crate) began_as: String,
    pub(crate) pace: Pace,
    /// Called with the events read, and an estimate of how many there are; an error ends the filling.
    pub(crate) report: R,
}

/// Fills and commits under the plan's payload. Blocking.
pub(crate) fn fill<R: Fn(u64, u64) -> Result<(), RunError>>(
    rows: Snapshot,
    plan: Plan<R>,
) -> Result<(WorkingIndex, Vec<Change>), RunError> {
    let Plan { dir, payload, began_as, pace, report } = plan;
    let mut filling = Filling::open(&dir, &origin(&payload, &began_as))?;
    let (mut events, events_estimate) = (0, rows.events_estimate);
    let mut rate = Rate { pace, begun: Instant::now(), written: 0 };
    let mut availability = Vec::new();
    rows.read::<RunError>(|projected| {
        match projected {
            Projected::Availability(change) => availability.push(change),
            Projected::Venue(venue) => {
                filling.put((Kind::Venue, venue.venue_id.0), &venue, || venue.to_document())?;
            }
            Projected::Artist(artist) => {
                filling.put((Kind::Artist, artist.artist_id.0), &artist, || artist.to_document())?;
            }
            Projected::Synonym(synonym) => {
                filling.put((Kind::Synonym, synonym.synonym_id), &synonym, || synonym.to_document())?;
            }
            Projected::SavedSearch(search) => {
                filling.put((Kind::SavedSearch, search.search_id.0), &search, || search.to_document())?;
            }
            Projected::Event(event) => {
                events += 1;
                if events % REPORT_EVERY == 1 {
                    report(events, events_estimate)?;
                }
                if filling.put((Kind::Event, event.event_id.0), &*event, || event.to_document())? {
                    rate.wrote_one(|| report(events, events_estimate))?;
                }
            }
        }
        Ok(())
    })?;
    report(events, events)?;
    Ok((filling.finish(&dir, &payload)?, availability))
}

/// The file beside the directory that says of which cluster and program its content is.
fn origin_path(dir: &Path) -> PathBuf {
    dir.with_extension("origin")
}

fn origin(payload: &Payload, began_as: &str) -> String {
    let (format, schema) = (schema::FORMAT, schema::hash());
    format!("{format} {schema} {} {} {began_as}\n", payload.system_id, payload.publication)
}

/// Says that what lies in the directory is of this program and the payload's cluster.
pub(crate) fn mark(dir: &Path, payload: &Payload, began_as: &str) -> Result<(), IndexError> {
    Ok(fs::write(origin_path(dir), origin(payload, began_as))?)
}

struct Filling {
    index: WorkingIndex,
    /// The documents of the base that Postgres has too; none when there is no base.
    seen: Option<HashSet<(u8, Uuid)>>,
    committed_at: Instant,
}

impl Filling {
    fn open(dir: &Path, origin: &str) -> Result<Self, IndexError> {
        let same = fs::read_to_string(origin_path(dir)).is_ok_and(|found| found == origin);
        let base = if same { WorkingIndex::recover(dir, Purpose::Copy) } else { None };
        let seen = base.is_some().then(HashSet::new);
        let index = if let Some(index) = base {
            tracing::info!(documents = index.documents(), "going on from what is there already");
            index
        } else {
            if dir.exists() {
                fs::remove_dir_all(dir)?;
            }
            fs::create_dir_all(dir)?;
            fs::write(origin_path(dir), origin)?;
            WorkingIndex::create(dir, Purpose::Copy)?
        };
        Ok(Self { index, seen, committed_at: Instant::now() })
    }

    /// True when it was written, false when the base held it.
    fn put(
        &mut self,
        (kind, id): (Kind, Uuid),
        source: &impl Serialize,
        document: impl FnOnce() -> Result<TantivyDocument, search::document::SourceError>,
    ) -> Result<bool, IndexError> {
        let Some(seen) = &mut self.seen else {
            self.index.add(document()?)?;
            self.checkpoint()?;
            return Ok(true);
        };
        seen.insert((kind as u8, id));
        let expected = serde_json::to_string(source).map_err(IndexError::Source)?;
        match self.index.stored(kind, id)? {
            Some(found) if found == expected => return Ok(false),
            Some(_) => self.index.put(kind, id, document()?)?,
            None => self.index.add(document()?)?,
        }
        self.checkpoint()?;
        Ok(true)
    }

    fn checkpoint(&mut self) -> Result<(), IndexError> {
        if self.committed_at.elapsed() >= CHECKPOINT_EVERY {
            self.index.commit(None)?;
            self.committed_at = Instant::now();
        }
        Ok(())
    }

    /// Removes what Postgres does not have, commits, and gives the copy's writer, with its memory, away for the stream's.
    fn finish(mut self, dir: &Path, payload: &Payload) -> Result<WorkingIndex, IndexError> {
        if let Some(seen) = &self.seen {
            for kind in Kind::ALL {
                let ids = self.index.sources(kind)?.map(|(id, _)| id);
                for id in ids.filter(|id| !seen.contains(&(kind as u8, *id))).collect::<Vec<_>>() {
                    self.index.delete(kind, id);
                }
            }
        }
        self.index.commit(Some(payload))?;
        drop(self.index);
        WorkingIndex::open(dir, Purpose::Stream)
    }
}

struct Rate {
    pace: Pace,
    begun: Instant,
    written: u32,
}

impl Rate {
    /// Rests when the copy is ahead of its pace, a while at a time: `alive` ends it.
    fn wrote_one(&mut self, alive: impl Fn() -> Result<(), RunError>) -> Result<(), RunError> {
        let Some(events_per_s) = self.pace.events_per_s else { return Ok(()) };
        self.written = self.written.saturating_add(1);
        if !self.written.is_multiple_of(PACE_BATCH.min(events_per_s.get())) {
            return Ok(());
        }
        let due = Duration::from_secs_f64(f64::from(self.written) / f64::from(events_per_s.get()));
        while let Some(rest) = due.checked_sub(self.begun.elapsed()).filter(|rest| !rest.is_zero()) {
            std::thread::sleep(rest.min(Duration::from_millis(200)));
            alive()?;
        }
        Ok(())
    }
}
