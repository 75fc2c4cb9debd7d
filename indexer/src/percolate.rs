//! Percolation: which saved searches does a commit's new event match?
//!
//! The searches are the index's own, so they are those of the log position. A search hears of events that the log brings after it, each
//! once: matches are found again when a commit is made again, and writing them twice writes them once. The initial copy brings nothing new.

use crate::index::{IndexError, WorkingIndex};
use jiff::Timestamp;
use model::{EventId, SearchId};
use search::document::{EventDocument, SavedSearchRow};
use search::{Arrivals, Request};
use std::collections::HashMap;

/// Events looked at together: memory is bounded however many a transaction brings.
const EVENTS_AT_ONCE: usize = 1_000;

/// A search has found an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) search: SearchId,
    pub(crate) event: EventId,
}

/// The saved searches, and the events that are new since the last commit.
#[derive(Default)]
pub(crate) struct Percolator {
    searches: HashMap<SearchId, Stored>,
    /// Each with how many there were before it.
    arrivals: HashMap<EventId, u64>,
    arrived: u64,
}

struct Stored {
    row: SavedSearchRow,
    request: Request,
    /// How many events had arrived when it was saved.
    since: u64,
}

impl Percolator {
    /// Over the searches that there are.
    pub(crate) fn new(rows: Vec<SavedSearchRow>) -> Self {
        let mut percolator = Self::default();
        for row in rows {
            percolator.keep(row);
        }
        percolator
    }

    /// Keeps a search, or what became of it.
    pub(crate) fn keep(&mut self, row: SavedSearchRow) {
        let since = self.searches.get(&row.search_id).map_or(self.arrived, |known| known.since);
        match Request::parse(&row.query) {
            Ok(request) => {
                self.searches.insert(row.search_id, Stored { row, request, since });
            }
            Err(error) => {
                tracing::warn!(search.id = %row.search_id, %error, "a saved search is not understood and finds nothing");
                self.searches.remove(&row.search_id);
            }
        }
    }

    pub(crate) fn forget(&mut self, search: SearchId) {
        self.searches.remove(&search);
    }

    pub(crate) fn forget_all(&mut self) {
        self.searches.clear();
    }

    /// The search as it was kept.
    pub(crate) fn row(&self, search: SearchId) -> Option<SavedSearchRow> {
        self.searches.get(&search).map(|stored| stored.row.clone())
    }

    /// An event is new.
    pub(crate) fn arrived(&mut self, event: EventId) {
        self.arrivals.insert(event, self.arrived);
        self.arrived += 1;
    }

    /// An event is gone, or goes by another id.
    pub(crate) fn left(&mut self, event: EventId, now: Option<EventId>) {
        if let Some(place) = self.arrivals.remove(&event)
            && let Some(now) = now
        {
            self.arrivals.insert(now, place);
        }
    }

    /// The matches of what arrived, as the index's last commit has it.
    pub(crate) fn matches(&mut self, index: &WorkingIndex, now: Timestamp) -> Result<Vec<Match>, IndexError> {
        let arrivals = std::mem::take(&mut self.arrivals);
        let mut found = Vec::new();
        if self.searches.is_empty() {
            return Ok(found);
        }
        let events: Vec<EventId> = arrivals.keys().copied().collect();
        let synonyms = index.synonyms()?;
        for chunk in events.chunks(EVENTS_AT_ONCE) {
            let mut documents: Vec<EventDocument> = Vec::with_capacity(chunk.len());
            for event in chunk {
                documents.extend(index.event(event.0)?);
            }
            let new = Arrivals::new(&documents, &synonyms)?;
            for (search, stored) in &self.searches {
                let events = new.matching(&stored.request, now)?;
                let heard =
                    events.into_iter().filter(|event| arrivals.get(event).is_some_and(|at| *at >= stored.since));
                found.extend(heard.map(|event| Match { search: *search, event }));
            }
        }
        Ok(found)
    }
}
