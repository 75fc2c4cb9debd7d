//! The object store that carries packs, manifests and availability from the indexer to the replicas.
//!
//! One type over `object_store`: a directory today. `LocalFileSystem` has no compare-and-set, so the disk store makes its own:
//! a file lock, which the kernel drops with its process, around compare and rename. What is put `Durable` has its file and its
//! directories synced before the call returns; what is put `Visible` may be lost with the machine, never torn.

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use std::fs::{self, File};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

/// Whether a write must survive the machine before the call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Readers see it, whole or not at all; a power cut may undo it.
    Visible,
    /// It also survives a power cut.
    Durable,
}

/// What an object was when it was read: the expectation of a compare-and-set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(Bytes);

/// An object's name and size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Name within the store.
    pub path: String,
    /// Length in bytes.
    pub len_bytes: u64,
}

/// The store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no kind of store there is.
    #[error("a store is named by a URL such as file:///var/lib/frontrow/store, not {url:?}")]
    Url {
        /// What was given.
        url: String,
    },
    /// An operation on one object failed.
    #[error("{action} {path} in the index store")]
    Object {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: String,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A compare-and-set that did not happen.
#[derive(Debug, thiserror::Error)]
pub enum CasError {
    /// The object is no longer what the caller read.
    #[error("the object was changed by someone else")]
    Changed,
    /// The store failed; the object may or may not have changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A handle on the store; clones share it and its change notice.
#[derive(Clone, Debug)]
pub struct Store {
    disk: Arc<Disk>,
    changes: Arc<watch::Sender<u64>>,
}

#[derive(Debug)]
struct Disk {
    root: PathBuf,
    visible: LocalFileSystem,
    durable: LocalFileSystem,
}

impl Store {
    /// Opens the store a URL names, making its directory when it is not there.
    ///
    /// # Errors
    /// When the URL is not `file:///…` or the directory cannot be made.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        let root = url.strip_prefix("file://").filter(|path| path.starts_with('/'));
        let root = PathBuf::from(root.ok_or_else(|| StoreError::Url { url: url.to_owned() })?);
        fs::create_dir_all(&root).map_err(failed("make the directory", url))?;
        let visible = LocalFileSystem::new_with_prefix(&root).map_err(failed("open", url))?;
        let durable = visible.clone().with_fsync(true);
        let disk = Disk { root, visible, durable };
        Ok(Self { disk: Arc::new(disk), changes: Arc::new(watch::Sender::new(0)) })
    }

    /// Ticks after each compare-and-set made through this handle or a clone: a reader in the same process need not poll.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The object's bytes, or none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn get(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        match self.disk.visible.get(&Path::from(path)).await {
            Ok(found) => found.bytes().await.map(Some).map_err(failed("read", path)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("read", path)(error)),
        }
    }

    /// A part of the object's bytes, or none when there is no object; shorter than asked only when the object is.
    ///
    /// # Errors
    /// When the store fails or the part begins beyond the object's end.
    pub async fn get_range(&self, path: &str, range: Range<u64>) -> Result<Option<Bytes>, StoreError> {
        if range.is_empty() {
            return Ok(Some(Bytes::new()));
        }
        match self.disk.visible.get_range(&Path::from(path), range).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("read a part of", path)(error)),
        }
    }

    /// Writes the object whole, replacing what was there.
    ///
    /// # Errors
    /// When the store fails; readers then see the old object or the new one, never a mixture.
    pub async fn put(&self, path: &str, bytes: Bytes, durability: Durability) -> Result<(), StoreError> {
        self.disk
            .with(durability)
            .put(&Path::from(path), PutPayload::from_bytes(bytes))
            .await
            .map_err(failed("write", path))?;
        Ok(())
    }

    /// Makes objects that were put `Visible` durable, in one go: their files, then their directories.
    ///
    /// # Errors
    /// When one of them is missing or cannot be synced.
    pub async fn make_durable(&self, paths: Vec<String>) -> Result<(), StoreError> {
        let disk = Arc::clone(&self.disk);
        let synced = tokio::task::spawn_blocking(move || disk.sync(&paths)).await;
        synced.map_err(failed("sync", "objects"))?.map_err(failed("sync", "objects"))
    }

    /// Every object whose name starts with the folder `prefix`, in name order.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Object>, StoreError> {
        let listed = self.disk.visible.list(Some(&Path::from(prefix)));
        let mut objects: Vec<Object> = listed
            .map_ok(|meta| Object { path: meta.location.to_string(), len_bytes: meta.size })
            .try_collect()
            .await
            .map_err(failed("list", prefix))?;
        objects.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(objects)
    }

    /// Removes the object; removing what is not there is no error.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete(&self, path: &str) -> Result<(), StoreError> {
        match self.disk.visible.delete(&Path::from(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("delete", path)(error)),
        }
    }

    /// The object with the tag a later [`Store::compare_and_set`] expects.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn get_tagged(&self, path: &str) -> Result<Option<(Bytes, Tag)>, StoreError> {
        Ok(self.get(path).await?.map(|bytes| (bytes.clone(), Tag(bytes))))
    }

    /// Writes the object if it still is what `expected` says; `None` expects that there is none.
    ///
    /// # Errors
    /// [`CasError::Changed`] when it is something else now.
    pub async fn compare_and_set(
        &self,
        path: &str,
        expected: Option<&Tag>,
        bytes: Bytes,
        durability: Durability,
    ) -> Result<Tag, CasError> {
        let (disk, name) = (Arc::clone(&self.disk), path.to_owned());
        let (expected, new) = (expected.cloned(), bytes.clone());
        let swap = move || disk.swap(&name, expected.as_ref(), &new, durability);
        let swapped = tokio::task::spawn_blocking(swap).await.map_err(failed("write", path))?;
        if !swapped.map_err(failed("write", path))? {
            return Err(CasError::Changed);
        }
        self.changes.send_modify(|tick| *tick += 1);
        Ok(Tag(bytes))
    }
}

impl Disk {
    fn with(&self, durability: Durability) -> &LocalFileSystem {
        match durability {
            Durability::Visible => &self.visible,
            Durability::Durable => &self.durable,
        }
    }

    /// Under the store's lock: compare, write beside, rename. True when it was written.
    fn swap(&self, name: &str, expected: Option<&Tag>, new: &[u8], durability: Durability) -> std::io::Result<bool> {
        let lock = File::options().create(true).truncate(false).write(true).open(self.root.join(".lock"))?;
        lock.lock()?;
        let target = self.root.join(name);
        let present = match fs::read(&target) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if present.as_deref() != expected.map(|tag| tag.0.as_ref()) {
            return Ok(false);
        }
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        // The lock allows one writer, so one name beside the target is enough, and a crash leaves at most one such file.
        let beside = target.with_file_name(".swap");
        fs::write(&beside, new)?;
        if durability == Durability::Durable {
            File::open(&beside)?.sync_all()?;
        }
        fs::rename(&beside, &target)?;
        if durability == Durability::Durable {
            self.sync_folders(&target)?;
        }
        Ok(true)
    }

    fn sync(&self, paths: &[String]) -> std::io::Result<()> {
        let targets: Vec<PathBuf> = paths.iter().map(|path| self.root.join(path)).collect();
        for target in &targets {
            File::open(target)?.sync_all()?;
        }
        let mut last = None;
        for target in &targets {
            if last != target.parent() {
                self.sync_folders(target)?;
                last = target.parent();
            }
        }
        Ok(())
    }

    /// From the file's folder up to the root: a new folder lives in its parent.
    fn sync_folders(&self, target: &std::path::Path) -> std::io::Result<()> {
        for folder in target.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.root)) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

fn failed<E>(action: &'static str, path: &str) -> impl FnOnce(E) -> StoreError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let path = path.to_owned();
    move |source| StoreError::Object { action, path, source: source.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("file://{}", dir.path().display())).unwrap();
        (dir, store)
    }

    #[tokio::test]
    async fn what_is_put_is_read_listed_and_deleted() {
        let (_dir, store) = store();
        store.put("g1/pack/b", Bytes::from_static(b"hello"), Durability::Visible).await.unwrap();
        store.put("g1/pack/a", Bytes::from_static(b"!"), Durability::Durable).await.unwrap();
        store.make_durable(vec!["g1/pack/b".into()]).await.unwrap();
        assert_eq!(store.get_range("g1/pack/b", 1..3).await.unwrap().unwrap(), "el");
        let names: Vec<_> = store.list("g1/pack").await.unwrap().into_iter().map(|o| (o.path, o.len_bytes)).collect();
        assert_eq!(names, [("g1/pack/a".into(), 1), ("g1/pack/b".into(), 5)]);
        store.delete("g1/pack/b").await.unwrap();
        store.delete("g1/pack/b").await.unwrap();
        assert_eq!(store.get("g1/pack/b").await.unwrap(), None);
    }

    #[tokio::test]
    async fn compare_and_set_refuses_who_did_not_see_the_last_write() {
        let (_dir, store) = store();
        let changes = store.changes();
        let first = store.compare_and_set("g1/HEAD", None, "1".into(), Durability::Durable).await.unwrap();
        let again = store.compare_and_set("g1/HEAD", None, "x".into(), Durability::Visible).await;
        assert!(matches!(again, Err(CasError::Changed)));
        store.compare_and_set("g1/HEAD", Some(&first), "2".into(), Durability::Visible).await.unwrap();
        let late = store.compare_and_set("g1/HEAD", Some(&first), "3".into(), Durability::Visible).await;
        assert!(matches!(late, Err(CasError::Changed)));
        assert_eq!(store.get("g1/HEAD").await.unwrap().unwrap(), "2");
        assert_eq!(*changes.borrow(), 2);
    }

    #[tokio::test]
    async fn of_many_writers_from_one_reading_exactly_one_wins() {
        let (_dir, store) = store();
        let tries = (0..16).map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                store.compare_and_set("HEAD", None, n.to_string().into(), Durability::Visible).await.is_ok()
            })
        });
        let won = futures::future::join_all(tries).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
        assert_eq!(won, 1);
    }

    #[test]
    fn only_file_urls_are_stores() {
        assert!(matches!(Store::open("s3://bucket"), Err(StoreError::Url { .. })));
        assert!(matches!(Store::open("file://relative"), Err(StoreError::Url { .. })));
    }
}
