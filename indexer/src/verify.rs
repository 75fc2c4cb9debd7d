//! Is the published index what Postgres says? Every document, compared with a fresh projection of one snapshot.
//!
//! The index is fetched out of the store as a replica would. While rows are being written the two are of different moments, so what
//! differs is looked at again with the next snapshot; only what differs every time is reported. Changes nothing.

use crate::index::{IndexError, Purpose, WorkingIndex};
use crate::restore::restore;
use crate::run::RunError;
use crate::settings::Settings;
use crate::source::copy::{CopyError, Projected, Snapshot};
use crate::source::preflight::PreflightError;
use crate::source::{Connection, Source, SourceError, beyond};
use crate::start::blocking;
use model::Lsn;
use search::availability::{Change, cells};
use search::document::Kind;
use search::manifest::{Alias, Head, Manifest, ReadError};
use search::store::Store;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

const ROUNDS: usize = 4;
const WAIT_MAX: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);
/// Differences kept; a wholly different index need not be listed whole.
const DIFFERENCES_MAX: usize = 1_000;

/// What was compared.
#[derive(Clone, Debug)]
pub struct Report {
    /// The generation that was compared.
    pub generation: u32,
    /// Its publication.
    pub seq: u64,
    /// The position it names.
    pub lsn: Lsn,
    /// Documents of all kinds in Postgres.
    pub documents: u64,
    /// Rows of availability in Postgres.
    pub availability: u64,
    /// What differed in every round, in a stable order.
    pub differences: Vec<Difference>,
}

/// One thing that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// `event`, `venue`, `artist`, `synonym`, `saved_search` or `availability`.
    pub kind: &'static str,
    /// Its id, or the slot's number.
    pub id: String,
    /// What Postgres says; none when it has no such row.
    pub postgres: Option<String>,
    /// What the index holds; none when it lacks it.
    pub index: Option<String>,
}

/// The comparison could not be made.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Something it needs failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Nothing published.
    #[error("the store holds no index; start the indexer first")]
    Empty,
    /// The index does not come as far as the snapshot.
    #[error("the index stays at {lsn}, before {wanted}; is the indexer running?")]
    Behind {
        /// Where it is.
        lsn: Lsn,
        /// Where the snapshot is.
        wanted: Lsn,
    },
}

impl From<CopyError> for VerifyError {
    fn from(error: CopyError) -> Self {
        Self::Run(error.into())
    }
}

impl From<IndexError> for VerifyError {
    fn from(error: IndexError) -> Self {
        Self::Run(error.into())
    }
}

impl From<ReadError> for VerifyError {
    fn from(error: ReadError) -> Self {
        Self::Run(error.into())
    }
}

/// Compares. Waits up to a minute for the index to reach the snapshot; needs room for a copy of the index in the temporary directory.
///
/// # Errors
/// When one side cannot be read or the index stays behind.
pub async fn verify(settings: &Settings) -> Result<Report, VerifyError> {
    let source = Source::new(&settings.database_url, settings.slot.as_deref());
    let source = source.map_err(|error| RunError::from(PreflightError::from(error)))?;
    let mut suspects: Option<HashSet<(&'static str, String)>> = None;
    for round in 1.. {
        let mut report = compare(&source, &settings.store).await?;
        if let Some(suspects) = &suspects {
            report.differences.retain(|found| suspects.contains(&(found.kind, found.id.clone())));
        }
        if report.differences.is_empty() || round == ROUNDS {
            return Ok(report);
        }
        suspects = Some(report.differences.iter().map(|found| (found.kind, found.id.clone())).collect());
    }
    Err(VerifyError::Empty)
}

async fn compare(source: &Source, store: &Store) -> Result<Report, VerifyError> {
    let connection = source.connect().await.map_err(RunError::from)?;
    let name = snapshot(&connection).await.map_err(RunError::from)?;
    let other = source.connect().await.map_err(RunError::from)?;
    let wanted = beyond(&other.client).await.map_err(RunError::from)?;
    let rows = Snapshot::open(source, &name).await?;
    let dir = tempfile::tempdir().map_err(IndexError::from)?;
    let (generation, head) = fetch(store, wanted, dir.path()).await?;
    let published = cells(store, generation).await?;
    let (documents, availability, differences) = blocking(move || {
        let index = WorkingIndex::open(dir.path(), Purpose::Stream)?;
        Comparison::new(index, published).run(rows)
    })
    .await??;
    Ok(Report { generation, seq: head.seq, lsn: head.lsn, documents, availability, differences })
}

/// A snapshot's name; it lives as long as the connection.
async fn snapshot(connection: &Connection) -> Result<String, SourceError> {
    connection.client.batch_execute("begin isolation level repeatable read").await?;
    Ok(connection.client.query_one("select pg_export_snapshot()", &[]).await?.get(0))
}

/// Waits for a publication at `wanted` or later and fetches it. A manifest whose packs are already deleted is passed over.
async fn fetch(store: &Store, wanted: Lsn, dir: &std::path::Path) -> Result<(u32, Head), VerifyError> {
    let wait_until = Instant::now() + WAIT_MAX;
    loop {
        let Some((Alias { generation }, _)) = Alias::read(store).await? else { return Err(VerifyError::Empty) };
        let Some((head, _)) = Head::read(store, generation).await? else { return Err(VerifyError::Empty) };
        if head.lsn >= wanted {
            let manifest = Manifest::read(store, generation, &head).await?;
            restore(store, generation, &manifest, dir).await.map_err(RunError::from)?;
            return Ok((generation, head));
        }
        if Instant::now() >= wait_until {
            return Err(VerifyError::Behind { lsn: head.lsn, wanted });
        }
        tokio::time::sleep(POLL).await;
    }
}

struct Comparison {
    index: WorkingIndex,
    published: HashMap<u32, Change>,
    seen: HashSet<(u8, Uuid)>,
    availability: u64,
    differences: BTreeMap<(&'static str, String), Difference>,
}

impl Comparison {
    fn new(index: WorkingIndex, published: Vec<Change>) -> Self {
        let published = published.into_iter().map(|change| (change.slot, change)).collect();
        Self { index, published, seen: HashSet::new(), availability: 0, differences: BTreeMap::new() }
    }

    fn run(mut self, rows: Snapshot) -> Result<(u64, u64, Vec<Difference>), VerifyError> {
        rows.read::<VerifyError>(|projected| match projected {
            Projected::Venue(venue) => self.document(Kind::Venue, venue.venue_id.0, &venue),
            Projected::Artist(artist) => self.document(Kind::Artist, artist.artist_id.0, &artist),
            Projected::Event(event) => self.document(Kind::Event, event.event_id.0, &*event),
            Projected::Synonym(synonym) => self.document(Kind::Synonym, synonym.synonym_id, &synonym),
            Projected::SavedSearch(search) => self.document(Kind::SavedSearch, search.search_id.0, &search),
            Projected::Availability(change) => {
                self.cell(change);
                Ok(())
            }
        })?;
        for kind in Kind::ALL {
            let unseen = self.index.sources(kind)?.filter(|(id, _)| !self.seen.contains(&(kind as u8, *id)));
            for (id, source) in unseen.take(DIFFERENCES_MAX).collect::<Vec<_>>() {
                self.differ(name(kind), id.to_string(), None, Some(source));
            }
        }
        Ok((self.seen.len() as u64, self.availability, self.differences.into_values().collect()))
    }

    fn document(&mut self, kind: Kind, id: Uuid, expected: &impl serde::Serialize) -> Result<(), VerifyError> {
        let expected = serde_json::to_string(expected).map_err(IndexError::Source)?;
        let found = self.index.stored(kind, id)?;
        self.seen.insert((kind as u8, id));
        if found.as_ref() != Some(&expected) {
            self.differ(name(kind), id.to_string(), Some(expected), found);
        }
        Ok(())
    }

    fn cell(&mut self, expected: Change) {
        self.availability += 1;
        let found = self.published.get(&expected.slot).copied();
        if found != Some(expected) {
            let found = found.map(|change| format!("{change:?}"));
            self.differ("availability", expected.slot.to_string(), Some(format!("{expected:?}")), found);
        }
    }

    fn differ(&mut self, kind: &'static str, id: String, postgres: Option<String>, index: Option<String>) {
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.insert((kind, id.clone()), Difference { kind, id, postgres, index });
        }
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Event => "event",
        Kind::Venue => "venue",
        Kind::Artist => "artist",
        Kind::Synonym => "synonym",
        Kind::SavedSearch => "saved_search",
    }
}
