//! Seats left and lowest prices on their way to every replica: an append-only log of small objects beside the index.
//!
//! `g<gen>/a/<epoch>/log/<seq>` holds the changes of one batch, `g<gen>/a/<epoch>/snapshot/<seq>` everything up to that number,
//! `g<gen>/a/HEAD` (compare-and-set) names the last of both. A writer begins with a snapshot of its own, so whatever HEAD needs is of
//! one epoch and no older writer can overwrite it. A change is applied only if its version is newer, so reading one twice, or after a
//! newer one, changes nothing. A generation has a log of its own, so one that is being built disturbs none that is read.

use crate::manifest::ReadError;
use crate::store::{CasError, Durability, Store, StoreError, Tag};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use uuid::Uuid;

const RECORD_BYTES: usize = 24;
/// A snapshot is due after so many batches; what lies behind the snapshot before the last is deleted.
const SNAPSHOT_EVERY_BATCHES: u64 = 512;
const NO_PRICE: i64 = -1;

/// An event's availability after a batch of its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The event's cell.
    pub slot: u32,
    /// The lane's seq: of two changes of one slot the higher is the truth.
    pub version: u64,
    /// Seats neither held nor sold.
    pub seats_left: u32,
    /// The lowest price among them in minor units; none when none is left.
    pub price_min: Option<i64>,
}

/// The log's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogHead {
    /// Whose log it is: epochs begin again in a store that was emptied, this does not.
    pub(crate) writer: Uuid,
    pub(crate) epoch: u64,
    pub(crate) seq: u64,
    pub(crate) snapshot: u64,
}

/// The availability log could not be written.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// A writer of a higher epoch has taken over: this one must stop.
    #[error("another indexer writes the availability log")]
    Fenced,
    /// The store failed; append the same changes again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log in the store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The writing end of the log, for the one indexer there is.
#[derive(Debug)]
pub struct Log {
    store: Store,
    generation: u32,
    head: LogHead,
    tag: Tag,
    newest: HashMap<u32, Change>,
}

impl Log {
    /// Begins the log of a new generation with what its snapshot says.
    ///
    /// # Errors
    /// [`AppendError::Fenced`] when the generation has a log already.
    pub async fn create(store: Store, generation: u32, epoch: u64, changes: &[Change]) -> Result<Self, AppendError> {
        let newest = changes.iter().map(|change| (change.slot, *change)).collect();
        Self::begin((store, generation), epoch, None, newest).await
    }

    /// Takes the log over for a writer's epoch, reading what it holds.
    ///
    /// # Errors
    /// [`AppendError::Fenced`] when a writer of this or a higher epoch was there; [`AppendError::Read`] when there is no log to go on from.
    pub async fn open(store: Store, generation: u32, epoch: u64) -> Result<Self, AppendError> {
        let missing = || ReadError::Missing { path: log_path(generation) };
        let (head, tag) = read_head(&store, generation).await?.ok_or_else(missing)?;
        if head.epoch >= epoch {
            return Err(AppendError::Fenced);
        }
        let newest = newest(read_after(&store, generation, 0, &head).await?);
        Self::begin((store, generation), epoch, Some((head.seq, tag)), newest).await
    }

    async fn begin(
        (store, generation): (Store, u32),
        epoch: u64,
        before: Option<(u64, Tag)>,
        newest: HashMap<u32, Change>,
    ) -> Result<Self, AppendError> {
        let seq = before.as_ref().map_or(0, |(seq, _)| *seq) + 1;
        let head = LogHead { writer: Uuid::now_v7(), epoch, seq, snapshot: seq };
        store.put(&head.snapshot_path(generation), encode(newest.values()), Durability::Durable).await?;
        let tag = before.as_ref().map(|(_, tag)| tag);
        let tag = publish(&store, generation, head, (tag, Durability::Durable)).await?;
        let log = Self { store, generation, head, tag, newest };
        log.collect(head.snapshot).await?;
        Ok(log)
    }

    /// Appends changes; readers see them once this returns. An error leaves the log as it was: append them again.
    ///
    /// # Errors
    /// [`AppendError::Fenced`] when another writer took over.
    pub async fn append(&mut self, changes: &[Change], durability: Durability) -> Result<(), AppendError> {
        if changes.is_empty() {
            return Ok(());
        }
        let seq = self.head.seq + 1;
        let mut head = LogHead { seq, ..self.head };
        self.store.put(&head.batch_path(self.generation, seq), encode(changes.iter()), durability).await?;
        for change in changes {
            keep_newer(&mut self.newest, *change);
        }
        if seq - self.head.snapshot >= SNAPSHOT_EVERY_BATCHES {
            head.snapshot = seq;
            self.store
                .put(&head.snapshot_path(self.generation), encode(self.newest.values()), Durability::Durable)
                .await?;
        }
        self.tag = publish(&self.store, self.generation, head, (Some(&self.tag), durability)).await?;
        let collected = (head.snapshot != self.head.snapshot).then_some(self.head.snapshot);
        self.head = head;
        if let Some(before) = collected {
            self.collect(before).await?;
        }
        Ok(())
    }

    /// The names of what [`Log::append`] wrote since `seq`, oldest first, and of the HEAD: what to make durable.
    #[must_use]
    pub fn paths_since(&self, seq: u64) -> Vec<String> {
        let oldest = seq.max(self.head.snapshot) + 1;
        let batches = (oldest..=self.head.seq).map(|seq| self.head.batch_path(self.generation, seq));
        batches.chain([log_path(self.generation)]).collect()
    }

    /// The last batch's number.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.head.seq
    }

    /// Deletes what lies behind the snapshot `before`; a reader that is still there begins again from the last snapshot.
    async fn collect(&self, before: u64) -> Result<(), StoreError> {
        let (all, head) = (format!("g{}/a", self.generation), log_path(self.generation));
        let own = format!("{all}/{}/", self.head.epoch);
        let superfluous = |path: &str| match path.strip_prefix(&own).and_then(|rest| rest.split_once('/')) {
            Some((_, seq)) => seq.parse().is_ok_and(|seq: u64| seq < before),
            None => path != head,
        };
        for object in self.store.list(&all).await? {
            if superfluous(&object.path) {
                self.store.delete(&object.path).await?;
            }
        }
        Ok(())
    }
}

impl LogHead {
    fn batch_path(&self, generation: u32, seq: u64) -> String {
        format!("g{generation}/a/{}/log/{seq:016}", self.epoch)
    }

    fn snapshot_path(&self, generation: u32) -> String {
        format!("g{generation}/a/{}/snapshot/{:016}", self.epoch, self.snapshot)
    }
}

/// The name of the log's HEAD.
fn log_path(generation: u32) -> String {
    format!("g{generation}/a/HEAD")
}

/// What a generation's log says by now: the newest change of each slot, by slot.
///
/// # Errors
/// When the log cannot be read.
pub async fn cells(store: &Store, generation: u32) -> Result<Vec<Change>, ReadError> {
    let mut tried = None;
    loop {
        let Some((head, _)) = read_head(store, generation).await? else { return Ok(Vec::new()) };
        match read_after(store, generation, 0, &head).await {
            // Its writer has just replaced what was being read.
            Err(ReadError::Missing { .. }) if tried != Some(head) => tried = Some(head),
            read => {
                let mut cells: Vec<Change> = newest(read?).into_values().collect();
                cells.sort_unstable_by_key(|change| change.slot);
                return Ok(cells);
            }
        }
    }
}

/// The log's HEAD with its tag.
pub(crate) async fn read_head(store: &Store, generation: u32) -> Result<Option<(LogHead, Tag)>, ReadError> {
    let path = log_path(generation);
    let Some((bytes, tag)) = store.get_tagged(&path).await? else { return Ok(None) };
    match serde_json::from_slice(&bytes) {
        Ok(head) => Ok(Some((head, tag))),
        Err(error) => Err(damaged(&path, error)),
    }
}

/// Every change a reader that has applied `applied` lacks up to `head`: the batches, or the snapshot and the batches after it.
pub(crate) async fn read_after(
    store: &Store,
    generation: u32,
    applied: u64,
    head: &LogHead,
) -> Result<Vec<Change>, ReadError> {
    let mut changes = Vec::new();
    let mut next = applied + 1;
    if applied < head.snapshot {
        changes = read(store, head.snapshot_path(generation)).await?;
        next = head.snapshot + 1;
    }
    for seq in next..=head.seq {
        changes.extend(read(store, head.batch_path(generation, seq)).await?);
    }
    Ok(changes)
}

async fn read(store: &Store, path: String) -> Result<Vec<Change>, ReadError> {
    match store.get(&path).await? {
        Some(bytes) => decode(&path, bytes),
        None => Err(ReadError::Missing { path }),
    }
}

async fn publish(
    store: &Store,
    generation: u32,
    head: LogHead,
    (expected, durability): (Option<&Tag>, Durability),
) -> Result<Tag, AppendError> {
    let path = log_path(generation);
    let json = serde_json::to_vec(&head).map_err(|source| StoreError::Object {
        action: "write",
        path: path.clone(),
        source: source.into(),
    })?;
    store.compare_and_set(&path, expected, json.into(), durability).await.map_err(|error| match error {
        CasError::Changed => AppendError::Fenced,
        CasError::Store(error) => AppendError::Store(error),
    })
}

fn newest(changes: Vec<Change>) -> HashMap<u32, Change> {
    let mut newest = HashMap::new();
    for change in changes {
        keep_newer(&mut newest, change);
    }
    newest
}

fn keep_newer(newest: &mut HashMap<u32, Change>, change: Change) {
    let kept = newest.entry(change.slot).or_insert(change);
    if kept.version < change.version {
        *kept = change;
    }
}

/// Little-endian records of slot, version, seats left and price, then the CRC-32 of them all.
fn encode<'a>(changes: impl ExactSizeIterator<Item = &'a Change>) -> Bytes {
    let mut bytes = BytesMut::with_capacity(changes.len() * RECORD_BYTES + 4);
    for change in changes {
        bytes.put_u32_le(change.slot);
        bytes.put_u64_le(change.version);
        bytes.put_u32_le(change.seats_left);
        bytes.put_i64_le(change.price_min.unwrap_or(NO_PRICE));
    }
    let crc32 = crc32fast::hash(&bytes);
    bytes.put_u32_le(crc32);
    bytes.freeze()
}

fn decode(path: &str, mut bytes: Bytes) -> Result<Vec<Change>, ReadError> {
    let records = bytes.len().checked_sub(4).filter(|len| len % RECORD_BYTES == 0);
    let mut body = bytes.split_to(records.ok_or_else(|| damaged(path, "not a whole number of records"))?);
    if bytes.get_u32_le() != crc32fast::hash(&body) {
        return Err(damaged(path, "its checksum is another"));
    }
    let mut changes = Vec::with_capacity(body.len() / RECORD_BYTES);
    while body.has_remaining() {
        let (slot, version) = (body.get_u32_le(), body.get_u64_le());
        let (seats_left, price) = (body.get_u32_le(), body.get_i64_le());
        changes.push(Change { slot, version, seats_left, price_min: (price >= 0).then_some(price) });
    }
    Ok(changes)
}

fn damaged(path: &str, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ReadError {
    ReadError::Damaged { path: path.to_owned(), source: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn change(slot: u32, version: u64, seats_left: u32) -> Change {
        Change { slot, version, seats_left, price_min: (seats_left > 0).then_some(1_000) }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("file://{}", dir.path().display())).unwrap();
        (dir, store)
    }

    #[tokio::test]
    async fn a_reader_from_anywhere_ends_with_the_same_cells() {
        let (_dir, store) = store();
        let mut log = Log::create(store.clone(), 1, 1, &[]).await.unwrap();
        for n in 1..=2 * SNAPSHOT_EVERY_BATCHES + 3 {
            log.append(&[change((n % 7) as u32, n, (n % 5) as u32)], Durability::Visible).await.unwrap();
        }
        let (head, _) = read_head(&store, 1).await.unwrap().unwrap();
        assert_eq!((head.seq, head.snapshot), (2 * SNAPSHOT_EVERY_BATCHES + 4, 2 * SNAPSHOT_EVERY_BATCHES + 1));
        for applied in [0, 5, head.snapshot, head.seq - 1] {
            let cells = newest(read_after(&store, 1, applied, &head).await.unwrap());
            assert!(cells.iter().all(|(slot, change)| log.newest[slot] == *change));
        }
        assert_eq!(store.get(&head.batch_path(1, 2)).await.unwrap(), None, "superfluous batches are gone");
    }

    #[tokio::test]
    async fn a_stale_writer_is_fenced() {
        let (_dir, store) = store();
        let mut old = Log::create(store.clone(), 1, 1, &[]).await.unwrap();
        let mut new = Log::open(store.clone(), 1, 2).await.unwrap();
        assert!(matches!(old.append(&[change(1, 1, 1)], Durability::Visible).await, Err(AppendError::Fenced)));
        new.append(&[change(1, 2, 3)], Durability::Visible).await.unwrap();
        assert!(matches!(Log::open(store.clone(), 1, 2).await, Err(AppendError::Fenced)));
        assert_eq!(new.paths_since(0), ["g1/a/2/log/0000000000000003", "g1/a/HEAD"]);
        let reopened = Log::open(store, 1, 3).await.unwrap();
        assert_eq!(reopened.newest[&1], change(1, 2, 3));
    }

    #[tokio::test]
    async fn a_generations_log_is_its_own() {
        let (_dir, store) = store();
        let mut blue = Log::create(store.clone(), 1, 1, &[change(1, 9, 1), change(2, 9, 1)]).await.unwrap();
        Log::create(store.clone(), 2, 2, &[change(2, 3, 4)]).await.unwrap();
        assert_eq!(cells(&store, 2).await.unwrap(), [change(2, 3, 4)]);
        blue.append(&[change(1, 10, 0)], Durability::Visible).await.unwrap();
        assert_eq!(cells(&store, 1).await.unwrap(), [change(1, 10, 0), change(2, 9, 1)]);
        assert!(matches!(Log::create(store.clone(), 2, 3, &[]).await, Err(AppendError::Fenced)));
        assert!(matches!(Log::open(store, 3, 3).await, Err(AppendError::Read(ReadError::Missing { .. }))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _read_or_refused = decode("a/log/1", bytes.into());
        }

        #[test]
        fn records_and_back(cells in proptest::collection::vec((any::<u32>(), any::<u64>(), 0_u32..9, 0_i64..99), 0..20)) {
            let changes: Vec<Change> = cells.into_iter()
                .map(|(slot, version, seats_left, price)| Change { slot, version, seats_left, price_min: (price > 9).then_some(price) })
                .collect();
            prop_assert_eq!(decode("a/log/1", encode(changes.iter())).unwrap(), changes);
        }
    }
}
