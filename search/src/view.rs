//! One moment of the index, ready to answer: segments with their columns, the names, the live cells.
//!
//! A view never changes except for availability, which is always the newest. It holds its files open, so it answers on while
//! newer views are made, and while indexer, store and Postgres are gone. It does no I/O but reads of its own mapped files.

mod card;
mod facet;
mod filter;
mod highlight;
mod meaning;
mod order;
mod suggest;
#[cfg(test)]
mod tests;
mod time;
mod words;

use crate::answer::{Answer, EventAnswer, Suggestions};
use crate::bits::Bits;
use crate::columns::Columns;
use crate::document::{EventDocument, Kind, id_term};
use crate::manifest::Head;
use crate::names::Names;
use crate::overlay::{Cells, Overlay};
use crate::request::{Mode, Request, Sort, day_of};
use crate::schema::{fields, register};
use crate::vectors::Table;
use filter::Plan;
use jiff::Timestamp;
use meaning::{Asked, Meaning};
use model::EventId;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tantivy::index::SegmentId;
use tantivy::schema::{IndexRecordOption, TantivyDocument, Value as _};
use tantivy::store::StoreReader;
use tantivy::{BitSet, DocId, DocSet as _, Index, ReloadPolicy, SegmentReader, TERMINATED, Term};

/// Blocks of stored documents a view keeps unpacked per segment: about 16 kB each.
const STORE_BLOCKS_CACHED: usize = 64;

/// A moment of the index.
pub struct View {
    pub(crate) generation: u32,
    pub(crate) head: Head,
    segments: Vec<Segment>,
    shared: Shared,
    /// Words in all events, for the average length BM25 compares with.
    tokens: u64,
    /// Events, deleted ones included, as the words are counted.
    events: u64,
}

/// What views of one generation share.
#[derive(Clone, Default)]
pub(crate) struct Shared {
    pub(crate) names: Arc<RwLock<Names>>,
    pub(crate) overlay: Arc<Overlay>,
    columns: Arc<Mutex<HashMap<SegmentId, Arc<Columns>>>>,
    popularity: suggest::Popularity,
    table: Option<Arc<Table>>,
}

impl Shared {
    /// For a new generation over the same availability, with what this process knows of meanings.
    pub(crate) fn new(overlay: &Arc<Overlay>, table: Option<Arc<Table>>) -> Self {
        Self { overlay: Arc::clone(overlay), table, ..Self::default() }
    }
}

struct Segment {
    reader: SegmentReader,
    store: StoreReader,
    columns: Arc<Columns>,
    alive: Bits,
}

/// Where an event is: its segment's number and its rank there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    segment: usize,
    rank: usize,
}

/// The index's files could not be read: they were damaged after they were checked.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// Tantivy says why.
    #[error("read the index")]
    Index(#[from] tantivy::TantivyError),
    /// The system says why.
    #[error("read the index's files")]
    Files(#[from] std::io::Error),
    /// A stored document is not what was stored.
    #[error("read a document of the index")]
    Source(#[from] serde_json::Error),
}

impl View {
    /// Opens the index in a directory whose files were checked. Reads every column once, which also warms the files.
    pub(crate) fn open(dir: &Path, generation: u32, head: Head, shared: &Shared) -> Result<Self, SearchError> {
        let index = Index::open_in_dir(dir)?;
        Self::of(&index, generation, head, shared)
    }

    /// The present commit of an index.
    pub(crate) fn of(index: &Index, generation: u32, head: Head, shared: &Shared) -> Result<Self, SearchError> {
        register(index);
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let mut known = shared.columns.lock();
        let mut segments = Vec::new();
        let (mut tokens, mut events) = (0, 0);
        for reader in reader.searcher().segment_readers() {
            let columns = match known.get(&reader.segment_id()) {
                Some(columns) => Arc::clone(columns),
                None => Arc::new(Columns::build(reader, &shared.names)?),
            };
            tokens += reader.inverted_index(fields().text)?.total_num_tokens();
            events += columns.len() as u64;
            segments.push(Segment::of(reader.clone(), columns)?);
        }
        // What no present segment needs is dropped with the last view that does.
        *known = segments.iter().map(|s| (s.reader.segment_id(), Arc::clone(&s.columns))).collect();
        drop(known);
        let view = Self { generation, head, segments, shared: shared.clone(), tokens, events };
        shared.popularity.follow(&view);
        Ok(view)
    }

    /// How far Postgres's log is in this view.
    #[must_use]
    pub fn lsn(&self) -> model::Lsn {
        self.head.lsn
    }

    /// What an answer may be cached under: generation, log position and availability epoch. Answers with one version are one, also over
    /// a store that was emptied and filled again, whose manifests are numbered anew.
    #[must_use]
    pub fn version(&self) -> (u32, u64, u64) {
        (self.generation, self.head.lsn.0, self.shared.overlay.epoch())
    }

    /// How many events there are.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.segments.iter().map(|segment| segment.alive.count() as u64).sum()
    }

    /// The page of hits a request asks for, at an instant.
    ///
    /// # Errors
    /// Only when the index's files were damaged after they were checked.
    pub fn search(&self, request: &Request, now: Timestamp) -> Result<Answer, SearchError> {
        let began = Instant::now();
        let cells = self.shared.overlay.cells();
        let words = words::Words::look_up(self, &request.text)?;
        let names = self.shared.names.read();
        let plan = Plan::new(request, &names, now);
        let mut matches = self.matches(&words, &plan, request, &cells)?;
        let asked = Asked { request, words: &words, plan: &plan, cells: &cells };
        let meaning = Meaning::join(self, &asked, &mut matches)?;
        let total = matches.iter().map(|found| found.hits.count() as u64).sum();
        let facets = facet::Counter { view: self, names: &names, plan: &plan, cells: &cells }.count(request, &matches);
        let day = request.cursor.as_ref().map_or_else(|| day_of(now), |cursor| cursor.day);
        // Meaning needs all hits in order.
        let page = order::page(request);
        let mut scores = match request.sort() {
            Sort::Relevance => words.score(self, &matches, day, meaning.is_none().then_some(page)),
            _ => Vec::new(),
        };
        if let Some(meaning) = &meaning {
            meaning.fuse(self, &mut scores);
        }
        let meaning = meaning.as_ref();
        let mode = if meaning.is_some() { Mode::Hybrid } else { Mode::Lexical };
        let ranking = order::Ranking { view: self, request, mode, day, scores: &scores, plan: &plan, cells: &cells };
        let (page, next) = ranking.page(&matches);
        let cards =
            card::Cards { view: self, names: &names, plan: &plan, cells: &cells, request, words: &words, meaning };
        let hits = page.iter().map(|ranked| cards.hit(ranked)).collect::<Result<_, _>>()?;
        Ok(Answer {
            hits,
            total,
            facets,
            next: next.map(|cursor| cursor.encode()),
            did_you_mean: words.did_you_mean(),
            mode,
            as_of: self.head.lsn,
            took_ms: (began.elapsed().as_secs_f64() * 1e6).round() / 1e3,
            degraded: false,
        })
    }

    /// Every event that a request's words and filters let through. What the words rule out costs no more than looking them up.
    pub(crate) fn all(&self, request: &Request, now: Timestamp) -> Result<Vec<EventId>, SearchError> {
        let words = words::Words::look_up(self, &request.text)?;
        let ruled_out = self.segments.iter().enumerate().all(|(number, segment)| {
            let mut left = segment.alive.clone();
            words.restrict(number, &mut left);
            left.count() == 0
        });
        if ruled_out {
            return Ok(Vec::new());
        }
        let names = self.shared.names.read();
        let matches = self.matches(&words, &Plan::new(request, &names, now), request, &self.shared.overlay.cells())?;
        let mut events = Vec::new();
        for (segment, found) in self.segments.iter().zip(&matches) {
            found.hits.for_each(|rank| events.extend(segment.columns.id.get(rank).copied().map(EventId)));
        }
        Ok(events)
    }

    fn matches(
        &self,
        words: &words::Words,
        plan: &Plan,
        request: &Request,
        cells: &Cells,
    ) -> Result<Vec<filter::Matches>, SearchError> {
        let each = self.segments.iter().enumerate().map(|(number, segment)| {
            let mut base = segment.alive.clone();
            words.restrict(number, &mut base);
            plan.apply(segment, base, &request.facets, cells)
        });
        each.collect()
    }

    /// The whole event with what is live about it at an instant; none when there is none.
    ///
    /// # Errors
    /// Only when the index's files were damaged after they were checked.
    pub fn event(&self, event: EventId, now: Timestamp) -> Result<Option<EventAnswer>, SearchError> {
        let Some(place) = self.find(event)? else { return Ok(None) };
        let document = self.document(place)?;
        let cells = self.shared.overlay.cells();
        Ok(card::event_answer(self, place, document, &cells, now))
    }

    /// What someone who has typed `q` may mean: at most `limit` of each kind.
    ///
    /// # Errors
    /// Only when the index's files were damaged after they were checked.
    pub fn suggest(&self, q: &str, limit: usize, now: Timestamp) -> Result<Suggestions, SearchError> {
        suggest::suggest(self, q, limit, now)
    }

    fn find(&self, event: EventId) -> Result<Option<Place>, SearchError> {
        let term = id_term(Kind::Event, event.0);
        for (number, segment) in self.segments.iter().enumerate() {
            if let Some(rank) = segment.find(&term)? {
                return Ok(Some(Place { segment: number, rank }));
            }
        }
        Ok(None)
    }

    /// The event as it was indexed.
    fn document(&self, place: Place) -> Result<EventDocument, SearchError> {
        let missing = || SearchError::Files(std::io::ErrorKind::NotFound.into());
        let segment = self.segments.get(place.segment).ok_or_else(missing)?;
        let doc = segment.columns.doc.get(place.rank).ok_or_else(missing)?;
        let stored: TantivyDocument = segment.store.get(*doc)?;
        let source = stored.get_first(fields().source).and_then(|value| value.as_str()).ok_or_else(missing)?;
        Ok(serde_json::from_str(source)?)
    }
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let segments = self.segments.len();
        f.debug_struct("View").field("head", &self.head).field("segments", &segments).finish_non_exhaustive()
    }
}

impl Segment {
    fn of(reader: SegmentReader, columns: Arc<Columns>) -> Result<Self, SearchError> {
        let mut alive = Bits::all(columns.len());
        if let Some(living) = reader.alive_bitset() {
            // As a set that is read 64 documents at a time: few of many are deleted.
            let mut docs = BitSet::with_max_value_and_full(reader.max_doc());
            docs.intersect_update(living.bitset());
            for bucket in 0..reader.max_doc().div_ceil(64) {
                let living = docs.tinyset(bucket);
                if living.len() < 64 {
                    let gone = (0..64).filter(|n| !living.contains(*n)).map(|n| bucket * 64 + n);
                    gone.filter_map(|doc| columns.rank_of(doc)).for_each(|rank| alive.remove(rank));
                }
            }
        }
        let store = reader.get_store_reader(STORE_BLOCKS_CACHED)?;
        Ok(Self { reader, store, columns, alive })
    }

    /// The rank of the living document a unique term stands for.
    fn find(&self, term: &Term) -> Result<Option<usize>, SearchError> {
        let index = self.reader.inverted_index(term.field())?;
        let Some(mut postings) = index.read_postings(term, IndexRecordOption::Basic)? else { return Ok(None) };
        let mut doc: DocId = postings.doc();
        while doc != TERMINATED {
            if let Some(rank) = self.columns.rank_of(doc).filter(|rank| self.alive.contains(*rank)) {
                return Ok(Some(rank));
            }
            doc = postings.advance();
        }
        Ok(None)
    }
}
