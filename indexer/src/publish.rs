//! Publishes commits of the working index by the protocol of `search::manifest`, and knows which of them survive the machine.
//!
//! Order within one publication: packs → manifest → HEAD (compare-and-set with our epoch). It is visible at once; [`Publisher::settle`]
//! makes what is visible durable, and only what that returns may confirm the slot.

mod pack;
mod retention;

use crate::index::{IndexError, Payload, WorkingIndex};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use model::Lsn;
use pack::Packed;
use retention::Retention;
pub(crate) use retention::{GRACE, POINT_EVERY, POINTS_KEPT};
use search::availability::{AppendError, Change, Log};
use search::manifest::{Alias, Head, Manifest, ManifestFile, ReadError, head_path, manifest_path, pack_path};
use search::schema;
use search::store::{CasError, Durability, Store, StoreError, Tag};
use serde_json::value::RawValue;
use std::collections::HashMap;

/// Packs of one publication under way to the store.
const PUTS_AT_ONCE: usize = 4;

/// A commit did not reach the store.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Another indexer has a higher epoch: this one must stop.
    #[error("another indexer took over the store; this one stops")]
    Fenced,
    /// A later generation is read now.
    #[error("the index that is read is generation {generation} now, which this indexer did not make; this one stops")]
    Superseded {
        /// The generation.
        generation: u32,
    },
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
    epoch: u64,
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

    /// A writer that goes on from `last`, under a HEAD that still is what `tag` says. From here on every other writer of the generation is
    /// fenced; the files that `last` names need not be here yet.
    pub(crate) async fn take_over(
        store: Store,
        generation: u32,
        epoch: u64,
        (head, tag): (Head, Tag),
        last: &Manifest,
    ) -> Result<Self, PublishError> {
        let mut publisher = Self::begin(store, generation, epoch);
        // Above whatever HEAD named, even if that manifest was damaged and an older one is gone on from: numbers never go back.
        publisher.head = Head { epoch, seq: head.seq, lsn: last.lsn };
        publisher.tag = Some(tag);
        publisher.point_head_at(last.lsn, last.index_meta.clone(), last.files.clone()).await?;
        Ok(publisher)
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
        // Nobody reads a generation before its first publication: its packs are written through while the next ones are read.
        let durability = if self.head.seq == 0 { Durability::Durable } else { Durability::Visible };
        let puts = packs.into_iter().map(|(pack, bytes)| {
            let (store, path) = (&self.store, pack_path(self.generation, pack));
            async move { store.put(&path, bytes, durability).await.map(|()| path) }
        });
        let paths: Vec<String> = stream::iter(puts).buffer_unordered(PUTS_AT_ONCE).try_collect().await?;
        self.unsettled.extend(paths);
        let json = serde_json::to_string(&meta).map_err(PublishError::Meta)?;
        self.point_head_at(payload.whole(), RawValue::from_string(json).map_err(PublishError::Meta)?, files).await
    }

    /// Manifest, then HEAD: the packs are there.
    async fn point_head_at(
        &mut self,
        lsn: Lsn,
        index_meta: Box<RawValue>,
        files: Vec<ManifestFile>,
    ) -> Result<(), PublishError> {
        let Head { epoch, seq, .. } = self.head;
        let manifest = Manifest {
            format: schema::FORMAT,
            schema: schema::hash().to_owned(),
            seq: seq + 1,
            prev: (seq > 0).then_some(seq),
            epoch,
            lsn,
            index_meta,
            files,
        };
        manifest.put(&self.store, self.generation, Durability::Visible).await?;
        self.unsettled.push(manifest_path(self.generation, manifest.seq, epoch));
        let head = Head { epoch, seq: manifest.seq, lsn };
        let tag = head.publish(&self.store, self.generation, self.tag.as_ref(), Durability::Visible).await?;
        (self.head, self.tag) = (head, Some(tag));
        self.retention.published(self.generation, &manifest);
        self.files = manifest.files.into_iter().map(|file| (file.name.clone(), file)).collect();
        Ok(())
    }

    /// Goes on with the generation's availability log under our epoch.
    pub(crate) async fn open_availability(&mut self) -> Result<(), PublishError> {
        self.availability_is(Log::open(self.store.clone(), self.generation, self.head.epoch).await?);
        Ok(())
    }

    /// Begins the generation's availability log with a snapshot's.
    pub(crate) async fn begin_availability(&mut self, cells: &[Change]) -> Result<(), PublishError> {
        self.availability_is(Log::create(self.store.clone(), self.generation, self.head.epoch, cells).await?);
        Ok(())
    }

    fn availability_is(&mut self, log: Log) {
        self.availability_durable = log.seq();
        self.availability = Some(log);
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
            epoch: self.head.epoch,
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
}

impl Settlement {
    /// Syncs, then deletes what slow readers no longer need. A writer whose generation is no longer read is told here.
    pub(crate) async fn run(self) -> Result<Settled, PublishError> {
        if let Some((Alias { generation }, _)) = Alias::read(&self.store).await?
            && generation > self.generation
        {
            return Err(PublishError::Superseded { generation });
        }
        if let Err(error) = self.store.make_durable(self.paths).await {
            // Who has taken the generation over tidies up behind us: what is missing then is no fault of the store's.
            let head = Head::read(&self.store, self.generation).await?;
            let is_ours = head.is_some_and(|(head, _)| head.epoch == self.epoch);
            return Err(if is_ours { error.into() } else { PublishError::Fenced });
        }
        for path in self.superfluous {
            self.store.delete(&path).await?;
        }
        Ok(Settled { availability: self.availability, lsn: self.lsn })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Purpose;
    use crate::restore::{RestoreError, restore};
    use search::document::{ArtistRow, Kind};
    use tempfile::TempDir;

    fn payload(lsn: u64) -> Payload {
        Payload {
            lsn: Lsn(lsn),
            fan_outs: Vec::new(),
            system_id: "1".into(),
            publication: "p".into(),
            slot: "s".into(),
        }
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
        let late = tag.clone();
        let mut new = Publisher::take_over(place.store.clone(), 1, 2, (head, tag), &manifest).await.unwrap();
        assert!(matches!(old.publish(&index, &payload(30)).await, Err(PublishError::Fenced)));
        let (head, _, manifest) = place.last().await;
        assert_eq!((head.epoch, head.seq, head.lsn, manifest.prev), (2, 2, Lsn(10), Some(1)));

        let late = Publisher::take_over(place.store.clone(), 1, 3, (head, late), &manifest).await;
        assert!(matches!(late, Err(PublishError::Fenced)));

        Alias { generation: 2 }.publish(&place.store, None).await.unwrap();
        let settled = new.settle().run().await;
        assert!(matches!(settled, Err(PublishError::Superseded { generation: 2 })), "{settled:?}");
    }
}
