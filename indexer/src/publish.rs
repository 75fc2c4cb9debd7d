//! Publishes commits of the working index by the protocol of `search::manifest`, and knows which of them survive the machine.
//!
//! Order within one publication: packs → manifest → HEAD (compare-and-set with our epoch). It is visible at once; [`Publisher::settle`]
//! makes what is visible durable, and only what that returns may confirm the slot.

mod pack;
mod retention;

use crate::index::{IndexError, Payload, WorkingIndex};
use model::Lsn;
use pack::Packed;
use retention::Retention;
use search::availability::{AppendError, Change, Log};
use search::manifest::{Alias, Head, Manifest, ManifestFile, ReadError, head_path, manifest_path, pack_path};
use search::schema;
use search::store::{CasError, Durability, Store, StoreError, Tag};
use serde_json::value::RawValue;
use std::collections::HashMap;

/// A commit did not reach the store.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Another indexer has a higher epoch: this one must stop.
    #[error("another indexer took over the store; this one stops")]
    Fenced,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is in the store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The working index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The meta could not be written as JSON.
    #[error("write a manifest")]
    Meta(#[source] serde_json::Error),
    /// The thread that read the new files died.
    #[error("read the files of a commit")]
    Thread(#[from] tokio::task::JoinError),
}

impl From<CasError> for PublishError {
    fn from(error: CasError) -> Self {
        match error {
            CasError::Changed => Self::Fenced,
            CasError::Store(error) => Self::Store(error),
        }
    }
}

impl From<AppendError> for PublishError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Fenced => Self::Fenced,
            AppendError::Store(error) => Self::Store(error),
            AppendError::Read(error) => Self::Read(error),
        }
    }
}

/// The one writer of a generation.
pub(crate) struct Publisher {
    store: Store,
    generation: u32,
    head: Head,
    tag: Option<Tag>,
    /// The files of the last manifest: a file of this name is in the store already.
    files: HashMap<String, ManifestFile>,
    availability: Option<Log>,
    availability_durable: u64,
    /// Objects written since the last settlement.
    unsettled: Vec<String>,
    retention: Retention,
}

/// What a settlement will make durable.
pub(crate) struct Settlement {
    store: Store,
    paths: Vec<String>,
    superfluous: Vec<String>,
    availability: u64,
    lsn: Lsn,
}

/// A settlement that is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settled {
    availability: u64,
    /// Everything up to here survives the machine.
    pub(crate) lsn: Lsn,
}

impl Publisher {
    /// A writer of a generation that holds nothing yet.
    pub(crate) fn begin(store: Store, generation: u32, epoch: u64) -> Self {
        let head = Head { epoch, seq: 0, lsn: Lsn::default() };
        Self {
            store,
            generation,
            head,
            tag: None,
            files: HashMap::new(),
            availability: None,
            availability_durable: 0,
            unsettled: Vec::new(),
            retention: Retention::default(),
        }
    }

    /// A writer that goes on from `manifest`, which `tag`'s HEAD named. The first publication takes the epoch.
    pub(crate) fn take_over(
        store: Store,
        generation: u32,
        epoch: u64,
        (head, tag): (Head, Tag),
        last: Manifest,
    ) -> Self {
        let mut publisher = Self::begin(store, generation, epoch);
        // Above whatever HEAD named, even if that manifest was damaged and an older one is gone on from: numbers never go back.
        publisher.head = Head { epoch, seq: head.seq, lsn: last.lsn };
        publisher.tag = Some(tag);
        publisher.files = last.files.into_iter().map(|file| (file.name.clone(), file)).collect();
        publisher
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// The last publication.
    pub(crate) fn head(&self) -> Head {
        self.head
    }

    /// Publishes the index's last commit, made with `payload`. An error leaves the store at the publication before.
    pub(crate) async fn publish(&mut self, index: &WorkingIndex, payload: &Payload) -> Result<(), PublishError> {
        // One loaded meta pins its files and is what is written: a merge that ends meanwhile changes nothing here.
        let meta = index.meta()?;
        let (directory, known) = (index.directory(), self.files.clone());
        let pinned = meta.clone();
        let Packed { packs, files } =
            tokio::task::spawn_blocking(move || pack::build(&directory, &pinned, known)).await??;
        let json = serde_json::to_string(&meta).map_err(PublishError::Meta)?;
        let seq = self.head.seq + 1;
        let manifest = Manifest {
            format: schema::FORMAT,
            schema: schema::hash().to_owned(),
            seq,
            prev: (self.head.seq > 0).then_some(self.head.seq),
            epoch: self.head.epoch,
            lsn: payload.lsn,
            index_meta: RawValue::from_string(json).map_err(PublishError::Meta)?,
            files,
        };
        for (pack, bytes) in packs {
            let path = pack_path(self.generation, pack);
            self.store.put(&path, bytes, Durability::Visible).await?;
            self.unsettled.push(path);
        }
        manifest.put(&self.store, self.generation, Durability::Visible).await?;
        self.unsettled.push(manifest_path(self.generation, seq, self.head.epoch));
        let head = Head { epoch: self.head.epoch, seq, lsn: payload.lsn };
        let tag = head.publish(&self.store, self.generation, self.tag.as_ref(), Durability::Visible).await?;
        (self.head, self.tag) = (head, Some(tag));
        self.retention.published(self.generation, &manifest);
        self.files = manifest.files.into_iter().map(|file| (file.name.clone(), file)).collect();
        Ok(())
    }

    /// Opens the availability log under our epoch. HEAD must carry the epoch by now, so that the next start goes above it.
    pub(crate) async fn open_availability(&mut self) -> Result<(), PublishError> {
        let log = Log::open(self.store.clone(), self.head.epoch).await?;
        self.availability_durable = log.seq();
        self.availability = Some(log);
        Ok(())
    }

    /// Begins the availability log anew with a snapshot's: what an earlier generation's log said may be of another database.
    pub(crate) async fn restart_availability(&mut self, cells: &[Change]) -> Result<(), PublishError> {
        let log = Log::restart(self.store.clone(), self.head.epoch, cells).await?;
        self.availability_durable = log.seq();
        self.availability = Some(log);
        Ok(())
    }

    /// Appends to the availability log: visible when this returns.
    pub(crate) async fn append(&mut self, changes: &[Change]) -> Result<(), PublishError> {
        if let Some(log) = &mut self.availability {
            log.append(changes, Durability::Visible).await?;
        }
        Ok(())
    }

    /// Makes this the generation that is read.
    pub(crate) async fn expose(&self, expected: Option<&Tag>) -> Result<(), PublishError> {
        Alias { generation: self.generation }.publish(&self.store, expected).await?;
        Ok(())
    }

    /// Whether something is visible that would not survive the machine.
    pub(crate) fn is_unsettled(&self) -> bool {
        let appended = self.availability.as_ref().is_some_and(|log| log.seq() > self.availability_durable);
        appended || !self.unsettled.is_empty()
    }

    /// What to make durable now. Run it, then hand the outcome to [`Publisher::settled`]; publishing may go on meanwhile.
    pub(crate) fn settle(&mut self) -> Settlement {
        let mut paths = std::mem::take(&mut self.unsettled);
        if !paths.is_empty() {
            paths.push(head_path(self.generation));
        }
        let mut availability = self.availability_durable;
        if let Some(log) = self.availability.as_ref().filter(|log| log.seq() > availability) {
            paths.extend(log.paths_since(availability));
            availability = log.seq();
        }
        let superfluous = self.retention.superfluous();
        Settlement { store: self.store.clone(), paths, superfluous, availability, lsn: self.head.lsn }
    }

    /// Takes note of a settlement's end.
    pub(crate) fn settled(&mut self, settled: Settled) {
        self.availability_durable = self.availability_durable.max(settled.availability);
    }

    /// Deletes what no reader needs: objects of this generation that HEAD's manifest does not name, and the other generations.
    pub(crate) async fn collect_garbage(&self) -> Result<(), PublishError> {
        let manifest = manifest_path(self.generation, self.head.seq, self.head.epoch);
        let packs = self.files.values().map(|file| pack_path(self.generation, file.pack));
        let named: std::collections::HashSet<String> = packs.chain([manifest, head_path(self.generation)]).collect();
        for generation in generations(&self.store).await? {
            for object in self.store.list(&format!("g{generation}")).await? {
                if !named.contains(&object.path) {
                    self.store.delete(&object.path).await?;
                }
            }
        }
        Ok(())
    }
}

impl Settlement {
    /// Syncs, then deletes what slow readers no longer need.
    pub(crate) async fn run(self) -> Result<Settled, StoreError> {
        self.store.make_durable(self.paths).await?;
        for path in self.superfluous {
            self.store.delete(&path).await?;
        }
        Ok(Settled { availability: self.availability, lsn: self.lsn })
    }
}

/// The generations that have left something in the store, in order.
pub(crate) async fn generations(store: &Store) -> Result<Vec<u32>, StoreError> {
    let number = |path: &str| path.split_once('/')?.0.strip_prefix('g')?.parse().ok();
    let mut found: Vec<u32> = store.list("").await?.iter().filter_map(|object| number(&object.path)).collect();
    found.dedup();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
