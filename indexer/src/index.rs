//! The working index: what is published next, and the only state the projection asks.
//!
//! It answers for the last commit: rows are found by the documents' ids, an event's parents by the `parents` terms, so source rows, reverse
//! maps and log position share one atomic commit. A commit without a position is private: it is never published.

mod directory;

pub(crate) use directory::UnsyncedDirectory;
use model::{ArtistId, Lsn, VenueId};
use search::document::{ArtistRow, EventDocument, Kind, SavedSearchRow, SynonymRow, VenueRow, id_term, parent_term};
use search::schema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::path::Path;
use tantivy::Directory as _;
use tantivy::directory::META_LOCK;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy, NoMergePolicy, UserOperation};
use tantivy::schema::{IndexRecordOption, Value};
use tantivy::{
    DocAddress, DocSet, Index, IndexMeta, IndexReader, IndexWriter, ReloadPolicy, Searcher, SegmentReader, TERMINATED,
    TantivyDocument, Term,
};
use uuid::Uuid;

/// Operations handed to the writer's threads at once: waking one for each document costs more than some documents do.
const OPERATIONS_TOGETHER: usize = 64;

/// What a published commit says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Payload {
    /// Every row's change before this is applied.
    pub(crate) lsn: Lsn,
    /// What of it has still to reach some events, oldest first. With none the index equals Postgres exactly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) fan_outs: Vec<FanOut>,
    /// The cluster it was read from.
    pub(crate) system_id: String,
    /// The hash of the publication it was read through.
    pub(crate) publication: String,
    /// The slot of the indexer that is to follow it.
    pub(crate) slot: String,
}

impl Payload {
    /// Everything before this is in every document: the position that readers are told. Some may be newer.
    pub(crate) fn whole(&self) -> Lsn {
        self.fan_outs.first().map_or(self.lsn, |oldest| oldest.since)
    }
}

/// What events are joined with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Parent {
    Venue(VenueId),
    Artist(ArtistId),
}

/// A parent's change on its way to the events that name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FanOut {
    pub(crate) parent: Parent,
    /// A position before the change.
    pub(crate) since: Lsn,
}

/// What a writer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Everything at once: two threads, no merges meanwhile.
    Copy,
    /// Small commits, one segment each, merged behind them.
    Stream,
}

/// The working index failed; it is restored from the store by the next start.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Tantivy failed.
    #[error("write the working index")]
    Tantivy(#[from] tantivy::TantivyError),
    /// A file could not be read or written.
    #[error("write the working directory")]
    Io(#[from] std::io::Error),
    /// A stored document is not what this program stores.
    #[error("a stored document cannot be read")]
    Source(#[source] serde_json::Error),
    /// A document could not be made.
    #[error(transparent)]
    Document(#[from] search::document::SourceError),
    /// New events could not be looked at.
    #[error(transparent)]
    Arrivals(#[from] search::ArrivalsError),
    /// A saved search could not be run.
    #[error("run a saved search")]
    Search(#[from] search::SearchError),
}

/// An index, its one writer and a view of its last commit.
pub(crate) struct WorkingIndex {
    directory: UnsyncedDirectory,
    writer: IndexWriter,
    /// What the writer has yet to be handed, in order.
    operations: Vec<UserOperation>,
    reader: IndexReader,
    searcher: Searcher,
}

impl WorkingIndex {
    /// A new, empty index in an empty directory.
    pub(crate) fn create(dir: &Path, purpose: Purpose) -> Result<Self, IndexError> {
        let directory = UnsyncedDirectory::open(dir).map_err(tantivy::TantivyError::from)?;
        Self::with(&Index::create(directory.clone(), schema::schema(), schema::settings())?, directory, purpose)
    }

    /// An index that was restored.
    pub(crate) fn open(dir: &Path, purpose: Purpose) -> Result<Self, IndexError> {
        let directory = UnsyncedDirectory::open(dir).map_err(tantivy::TantivyError::from)?;
        Self::with(&Index::open(directory.clone())?, directory, purpose)
    }

    /// An index whose writer was killed: as it was at its last commit, or none when not every byte of that is there.
    pub(crate) fn recover(dir: &Path, purpose: Purpose) -> Option<Self> {
        let directory = UnsyncedDirectory::open(dir).ok()?;
        let index = Index::open(directory.clone()).ok()?;
        directory.keep_only(&index.load_metas().ok()?.list_segment_files()).ok()?;
        // Opened again: what is managed is no longer what it was.
        let index = Index::open(directory.clone()).ok()?;
        if !index.validate_checksum().ok()?.is_empty() {
            return None;
        }
        Self::with(&index, directory, purpose).ok()
    }

    fn with(index: &Index, directory: UnsyncedDirectory, purpose: Purpose) -> Result<Self, IndexError> {
        schema::register(index);
        let (threads, memory_bytes) = match purpose {
            Purpose::Copy => (2, 256 << 20),
            Purpose::Stream => (1, 64 << 20),
        };
        let options = IndexWriterOptions::builder()
            .num_worker_threads(threads)
            .memory_budget_per_thread(memory_bytes)
            .num_merge_threads(1)
            .build();
        let writer: IndexWriter = index.writer_with_options(options)?;
        match purpose {
            Purpose::Copy => writer.set_merge_policy(Box::new(NoMergePolicy)),
            Purpose::Stream => writer.set_merge_policy(Box::new(merge_policy())),
        }
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let searcher = reader.searcher();
        Ok(Self { directory, writer, operations: Vec::new(), reader, searcher })
    }

    /// Replaces or adds a document.
    pub(crate) fn put(&mut self, kind: Kind, id: Uuid, document: TantivyDocument) -> Result<(), IndexError> {
        self.operations.push(UserOperation::Delete(id_term(kind, id)));
        self.add(document)
    }

    /// Adds a document that is known to be new.
    pub(crate) fn add(&mut self, document: TantivyDocument) -> Result<(), IndexError> {
        self.operations.push(UserOperation::Add(document));
        if self.operations.len() >= OPERATIONS_TOGETHER { self.hand_over() } else { Ok(()) }
    }

    pub(crate) fn delete(&mut self, kind: Kind, id: Uuid) {
        self.operations.push(UserOperation::Delete(id_term(kind, id)));
    }

    /// Removes every document of a kind.
    pub(crate) fn delete_all(&mut self, kind: Kind) {
        self.operations.push(UserOperation::Delete(Term::from_field_u64(schema::fields().kind, kind as u64)));
    }

    fn hand_over(&mut self) -> Result<(), IndexError> {
        self.writer.run(self.operations.drain(..))?;
        Ok(())
    }

    /// Makes everything since the last commit visible to the look-ups, under `payload` or privately.
    pub(crate) fn commit(&mut self, payload: Option<&Payload>) -> Result<(), IndexError> {
        self.hand_over()?;
        let mut prepared = self.writer.prepare_commit()?;
        if let Some(payload) = payload {
            prepared.set_payload(&serde_json::to_string(payload).map_err(IndexError::Source)?);
        }
        prepared.commit()?;
        self.reader.reload()?;
        self.searcher = self.reader.searcher();
        Ok(())
    }

    /// The last commit's meta. While it lives, its files are not deleted.
    pub(crate) fn meta(&self) -> Result<IndexMeta, IndexError> {
        // Its segments are pinned once it is read: between its bytes and the pins no merge may collect them.
        let _lock = self.directory.acquire_lock(&META_LOCK).map_err(tantivy::TantivyError::from)?;
        Ok(self.writer.index().load_metas()?)
    }

    /// Where its files are.
    pub(crate) fn directory(&self) -> UnsyncedDirectory {
        self.directory.clone()
    }

    /// Documents of all kinds in the last commit.
    pub(crate) fn documents(&self) -> u64 {
        self.searcher.num_docs()
    }

    pub(crate) fn segments(&self) -> usize {
        self.searcher.segment_readers().len()
    }

    pub(crate) fn event(&self, id: Uuid) -> Result<Option<EventDocument>, IndexError> {
        self.find(Kind::Event, id)?.map(|address| self.event_at(address)).transpose()
    }

    pub(crate) fn venue(&self, id: Uuid) -> Result<Option<VenueRow>, IndexError> {
        let Some(address) = self.find(Kind::Venue, id)? else { return Ok(None) };
        let source = self.source(address)?;
        let mut venue: VenueRow = parse(&source)?;
        parse::<ExactPlace<'_>>(&source)?.put_into(&mut venue);
        Ok(Some(venue))
    }

    pub(crate) fn artist(&self, id: Uuid) -> Result<Option<ArtistRow>, IndexError> {
        self.find(Kind::Artist, id)?.map(|address| parse(&self.source(address)?)).transpose()
    }

    pub(crate) fn synonym(&self, id: Uuid) -> Result<Option<SynonymRow>, IndexError> {
        self.find(Kind::Synonym, id)?.map(|address| parse(&self.source(address)?)).transpose()
    }

    /// The event stored at an address that [`WorkingIndex::children`] or [`WorkingIndex::all`] gave since the last commit.
    pub(crate) fn event_at(&self, address: DocAddress) -> Result<EventDocument, IndexError> {
        event_of(&self.source(address)?)
    }

    /// Finds the events of a venue or artist, in storage order: where each is stored, and its slot.
    pub(crate) fn children(&self, parent: Parent, mut found: impl FnMut(DocAddress, u32)) -> Result<(), IndexError> {
        let term = match parent {
            Parent::Venue(id) => parent_term(Kind::Venue, id.0),
            Parent::Artist(id) => parent_term(Kind::Artist, id.0),
        };
        for (segment, reader) in (0..).zip(self.searcher.segment_readers()) {
            let slots = reader.fast_fields().u64("slot")?.first_or_default_col(0);
            collect_in(reader, &term, |doc| {
                let slot = u32::try_from(slots.get_val(doc)).unwrap_or_default();
                found(DocAddress::new(segment, doc), slot);
            })?;
        }
        Ok(())
    }

    /// Where every document of a kind is stored.
    pub(crate) fn all(&self, kind: Kind) -> Result<Vec<DocAddress>, IndexError> {
        let mut found = Vec::new();
        self.collect(&Term::from_field_u64(schema::fields().kind, kind as u64), &mut found)?;
        Ok(found)
    }

    fn find(&self, kind: Kind, id: Uuid) -> Result<Option<DocAddress>, IndexError> {
        let mut found = Vec::new();
        self.collect(&id_term(kind, id), &mut found)?;
        Ok(found.pop())
    }

    fn collect(&self, term: &Term, found: &mut Vec<DocAddress>) -> Result<(), IndexError> {
        for (segment, reader) in (0..).zip(self.searcher.segment_readers()) {
            collect_in(reader, term, |doc| found.push(DocAddress::new(segment, doc)))?;
        }
        Ok(())
    }

    /// A document's stored source.
    pub(crate) fn stored(&self, kind: Kind, id: Uuid) -> Result<Option<String>, IndexError> {
        self.find(kind, id)?.map(|address| self.source(address)).transpose()
    }

    /// Every document of a kind: its id and stored source.
    pub(crate) fn sources(&self, kind: Kind) -> Result<impl Iterator<Item = (Uuid, String)>, IndexError> {
        #[derive(Deserialize)]
        struct Id {
            #[serde(
                alias = "event_id",
                alias = "venue_id",
                alias = "artist_id",
                alias = "synonym_id",
                alias = "search_id"
            )]
            id: Uuid,
        }
        let addresses = self.all(kind)?;
        Ok(addresses.into_iter().filter_map(|address| {
            let source = self.source(address).ok()?;
            Some((parse::<Id>(&source).ok()?.id, source))
        }))
    }

    /// Every synonym.
    pub(crate) fn synonyms(&self) -> Result<Vec<SynonymRow>, IndexError> {
        self.all(Kind::Synonym)?.into_iter().map(|address| parse(&self.source(address)?)).collect()
    }

    /// Every saved search.
    pub(crate) fn saved_searches(&self) -> Result<Vec<SavedSearchRow>, IndexError> {
        self.all(Kind::SavedSearch)?.into_iter().map(|address| parse(&self.source(address)?)).collect()
    }

    fn source(&self, address: DocAddress) -> Result<String, IndexError> {
        let document: TantivyDocument = self.searcher.doc(address)?;
        let source = document.get_first(schema::fields().source).and_then(|value| value.as_str());
        Ok(source.unwrap_or_default().to_owned())
    }
}

fn collect_in(reader: &SegmentReader, term: &Term, mut found: impl FnMut(u32)) -> Result<(), IndexError> {
    let Some(mut postings) = reader.inverted_index(term.field())?.read_postings(term, IndexRecordOption::Basic)? else {
        return Ok(());
    };
    while postings.doc() != TERMINATED {
        if !reader.is_deleted(postings.doc()) {
            found(postings.doc());
        }
        postings.advance();
    }
    Ok(())
}

/// An event out of its stored source.
pub(crate) fn event_of(source: &str) -> Result<EventDocument, IndexError> {
    #[derive(Deserialize)]
    struct Venue<'a> {
        #[serde(borrow)]
        venue: ExactPlace<'a>,
    }
    let mut event: EventDocument = parse(source)?;
    parse::<Venue<'_>>(source)?.venue.put_into(&mut event.venue);
    Ok(event)
}

/// Coordinates read by the standard library, which rounds correctly: `serde_json`'s fast path may be one unit in the last place off, and
/// a document that is read and written again must not drift.
#[derive(Deserialize)]
struct ExactPlace<'a> {
    #[serde(borrow)]
    lat: Option<&'a RawValue>,
    #[serde(borrow)]
    lon: Option<&'a RawValue>,
}

impl ExactPlace<'_> {
    fn put_into(&self, venue: &mut VenueRow) {
        let exact = |raw: Option<&RawValue>| raw.and_then(|raw| raw.get().parse().ok());
        (venue.lat, venue.lon) = (exact(self.lat), exact(self.lon));
    }
}

fn parse<'a, T: Deserialize<'a>>(source: &'a str) -> Result<T, IndexError> {
    serde_json::from_str(source).map_err(IndexError::Source)
}

/// Levels four times as large as the one below, at most five segments waiting in each, a fifth of deleted documents tolerated: some thirty
/// segments for a million documents. The default policy ignores deletes.
fn merge_policy() -> LogMergePolicy {
    let mut policy = LogMergePolicy::default();
    policy.set_min_num_segments(6);
    policy.set_min_layer_size(2_000);
    policy.set_level_log_size(2.0);
    policy.set_del_docs_ratio_before_merge(0.2);
    policy
}

/// The payload of a published meta.
pub(crate) fn payload_of<T: DeserializeOwned>(index_meta: &RawValue) -> Option<T> {
    #[derive(Deserialize)]
    struct Meta {
        payload: Option<String>,
    }
    let meta: Meta = serde_json::from_str(index_meta.get()).ok()?;
    serde_json::from_str(&meta.payload?).ok()
}
