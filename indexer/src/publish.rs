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
    generation: u32,
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
        Settlement {
            store: self.store.clone(),
            generation: self.generation,
            paths,
            superfluous,
            availability,
            lsn: self.head.lsn,
        }
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
    /// Syncs, then deletes what slow readers no longer need. A writer whose generation is no longer read is told here.
    pub(crate) async fn run(self) -> Result<Settled, PublishError> {
        if Alias::read(&self.store).await?.is_some_and(|(alias, _)| alias.generation > self.generation) {
            return Err(PublishError::Fenced);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Purpose;
    use crate::restore::{RestoreError, restore};
    use search::document::{ArtistRow, Kind};
    use tempfile::TempDir;

    fn payload(lsn: u64) -> Payload {
        Payload { lsn: Lsn(lsn), system_id: "1".into(), publication: "p".into() }
    }

    fn add(index: &mut WorkingIndex, name: &str) -> uuid::Uuid {
        let artist =
            ArtistRow { artist_id: model::ArtistId::new(), name: name.into(), aliases: Vec::new(), version: 1 };
        index.put(Kind::Artist, artist.artist_id.0, artist.to_document().unwrap()).unwrap();
        artist.artist_id.0
    }

    struct Place {
        dir: TempDir,
        store: Store,
    }

    impl Place {
        fn new() -> Self {
            let dir = TempDir::new().unwrap();
            let store = Store::open(&format!("file://{}", dir.path().join("store").display())).unwrap();
            for name in ["a", "b"] {
                std::fs::create_dir(dir.path().join(name)).unwrap();
            }
            Self { dir, store }
        }

        async fn last(&self) -> (Head, Tag, Manifest) {
            let (head, tag) = Head::read(&self.store, 1).await.unwrap().unwrap();
            let manifest = Manifest::read(&self.store, 1, &head).await.unwrap();
            (head, tag, manifest)
        }
    }

    #[tokio::test]
    async fn what_is_published_is_restored_whatever_lies_in_the_way() {
        let place = Place::new();
        let mut index = WorkingIndex::create(&place.dir.path().join("a"), Purpose::Stream).unwrap();
        let mut publisher = Publisher::begin(place.store.clone(), 1, 1);
        let first = add(&mut index, "Clara");
        index.commit(Some(&payload(10))).unwrap();
        publisher.publish(&index, &payload(10)).await.unwrap();
        let second = add(&mut index, "Fanny");
        index.delete(Kind::Artist, first);
        index.commit(Some(&payload(20))).unwrap();
        publisher.publish(&index, &payload(20)).await.unwrap();
        assert!(publisher.is_unsettled());
        let settled = publisher.settle().run().await.unwrap();
        assert_eq!((settled.lsn, publisher.is_unsettled()), (Lsn(20), false));
        // Unpublished, and so forgotten.
        add(&mut index, "Nobody");
        index.commit(None).unwrap();
        drop(index);

        let (_, _, manifest) = place.last().await;
        for name in ["a", "b"] {
            let dir = place.dir.path().join(name);
            std::fs::write(dir.join("half-written.store"), "x").unwrap();
            restore(&place.store, 1, &manifest, &dir).await.unwrap();
            let index = WorkingIndex::open(&dir, Purpose::Stream).unwrap();
            assert_eq!(index.documents(), 1);
            assert_eq!(index.artist(second).unwrap().unwrap().name, "Fanny");
            assert!(!dir.join("half-written.store").exists());
        }
        let pack = place.dir.path().join("store").join(pack_path(1, manifest.files[0].pack));
        let mut bytes = std::fs::read(&pack).unwrap();
        for byte in &mut bytes {
            *byte ^= 1;
        }
        std::fs::write(&pack, bytes).unwrap();
        std::fs::remove_dir_all(place.dir.path().join("b")).unwrap();
        let damaged = restore(&place.store, 1, &manifest, &place.dir.path().join("b")).await;
        assert!(matches!(damaged, Err(RestoreError::Read(_))), "{damaged:?}");
    }

    #[tokio::test]
    async fn a_writer_that_was_succeeded_is_fenced_and_changes_nothing() {
        let place = Place::new();
        let mut index = WorkingIndex::create(&place.dir.path().join("a"), Purpose::Stream).unwrap();
        index.commit(Some(&payload(10))).unwrap();
        let mut old = Publisher::begin(place.store.clone(), 1, 1);
        old.publish(&index, &payload(10)).await.unwrap();
        let (head, tag, manifest) = place.last().await;
        let mut new = Publisher::take_over(place.store.clone(), 1, 2, (head, tag), manifest);
        new.publish(&index, &payload(10)).await.unwrap();
        assert!(matches!(old.publish(&index, &payload(30)).await, Err(PublishError::Fenced)));
        let (head, _, manifest) = place.last().await;
        assert_eq!((head.epoch, head.seq, head.lsn, manifest.prev), (2, 2, Lsn(10), Some(1)));

        Alias { generation: 2 }.publish(&place.store, None).await.unwrap();
        assert!(matches!(new.settle().run().await, Err(PublishError::Fenced)));
    }
}
