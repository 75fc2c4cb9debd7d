//! The object store that carries packs, manifests and availability from the indexer to the replicas.
//!
//! One type over `object_store`: a directory or an S3-compatible bucket, alike in every promise. What is put `Durable` survives the
//! machine once the call returns; what is put `Visible` may be lost with it, never torn. A compare-and-set has one winner. News of one
//! travels in the process and, when told so, by Redis; it may be lost, so whoever waits for it also polls.

mod bucket;
mod disk;
mod notice;

use bucket::Bucket;
use bytes::Bytes;
use disk::Disk;
use futures::TryStreamExt;
use jiff::Timestamp;
pub use notice::NoticeError;
use notice::Notices;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
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
    /// When it was last written, by the store's clock.
    pub modified: Timestamp,
}

/// The store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no kind of store there is.
    #[error("a store is named by a URL such as file:///var/lib/frontrow/store or s3://BUCKET/PREFIX, not {url:?}")]
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
    place: Place,
    notices: Arc<Notices>,
}

#[derive(Clone, Debug)]
enum Place {
    Disk(Arc<Disk>),
    Bucket(Arc<Bucket>),
}

impl Store {
    /// Opens the store a URL names: a directory, made when it is not there, or a bucket, whose endpoint and credentials come from the
    /// environment as `object_store` documents for Amazon S3 (`AWS_ENDPOINT`, `AWS_ACCESS_KEY_ID`, …).
    ///
    /// # Errors
    /// When the URL is neither `file:///…` nor `s3://…`, or what it names cannot be used.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        let unknown = || StoreError::Url { url: url.to_owned() };
        let place = if let Some(path) = url.strip_prefix("file://").filter(|path| path.starts_with('/')) {
            Place::Disk(Arc::new(Disk::open(path.into()).map_err(failed("open", url))?))
        } else {
            let (bucket, prefix) =
                url.strip_prefix("s3://").map(|rest| rest.split_once('/').unwrap_or((rest, ""))).ok_or_else(unknown)?;
            if bucket.is_empty() {
                return Err(unknown());
            }
            Place::Bucket(Arc::new(Bucket::open(bucket, prefix).map_err(failed("open", url))?))
        };
        Ok(Self { place, notices: Arc::new(Notices::new(url)) })
    }

    /// Also tells of changes, and hears of other processes', over Redis. A Redis that is away costs the poll interval, nothing else.
    ///
    /// # Errors
    /// When the URL is none of Redis's.
    pub fn with_redis(self, redis_url: &str) -> Result<Self, NoticeError> {
        self.notices.travel_by(redis_url)?;
        Ok(self)
    }

    /// Ticks after each compare-and-set made through this handle or a clone, and after those heard of: a reader need not only poll.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.notices.changes()
    }

    /// How often a reader that hears nothing does well to ask.
    #[must_use]
    pub fn poll_interval(&self) -> Duration {
        match &self.place {
            Place::Disk(_) => Duration::from_millis(25),
            // Each question is paid for.
            Place::Bucket(_) => Duration::from_millis(500),
        }
    }

    fn objects(&self, durability: Durability) -> &dyn ObjectStore {
        match &self.place {
            Place::Disk(disk) => disk.objects(durability),
            Place::Bucket(bucket) => bucket.objects(),
        }
    }

    /// The object's bytes, or none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn get(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        match self.objects(Durability::Visible).get(&Path::from(path)).await {
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
        match self.objects(Durability::Visible).get_range(&Path::from(path), range).await {
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
        let put = self.objects(durability).put(&Path::from(path), PutPayload::from_bytes(bytes)).await;
        put.map(|_| ()).map_err(failed("write", path))
    }

    /// Makes objects that were put `Visible` durable, in one go: their files, then their directories. A bucket's are from the start.
    ///
    /// # Errors
    /// When one of them is missing or cannot be synced.
    pub async fn make_durable(&self, paths: Vec<String>) -> Result<(), StoreError> {
        let Place::Disk(disk) = &self.place else { return Ok(()) };
        let disk = Arc::clone(disk);
        let synced = tokio::task::spawn_blocking(move || disk.sync(&paths)).await;
        synced.map_err(failed("sync", "objects"))?.map_err(failed("sync", "objects"))
    }

    /// Every object whose name starts with the folder `prefix`, in name order.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Object>, StoreError> {
        let listed = self.objects(Durability::Visible).list(Some(&Path::from(prefix)));
        let mut objects: Vec<Object> = listed
            .map_ok(|meta| Object {
                path: meta.location.to_string(),
                len_bytes: meta.size,
                modified: Timestamp::from_millisecond(meta.last_modified.timestamp_millis()).unwrap_or_default(),
            })
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
        match self.objects(Durability::Visible).delete(&Path::from(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("delete", path)(error)),
        }
    }

    /// The object with the tag a later [`Store::compare_and_set`] expects.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn get_tagged(&self, path: &str) -> Result<Option<(Bytes, Tag)>, StoreError> {
        match &self.place {
            Place::Disk(_) => Ok(self.get(path).await?.map(|bytes| (bytes.clone(), Tag(bytes)))),
            Place::Bucket(bucket) => {
                let found = bucket.get_tagged(path).await.map_err(failed("read", path))?;
                Ok(found.map(|(bytes, tag)| (bytes, Tag(tag))))
            }
        }
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
        let expected = expected.map(|tag| tag.0.clone());
        let tag = match &self.place {
            Place::Disk(disk) => {
                let (disk, name, new) = (Arc::clone(disk), path.to_owned(), bytes.clone());
                let swap = move || disk.swap(&name, expected.as_deref(), &new, durability);
                let swapped = tokio::task::spawn_blocking(swap).await.map_err(failed("write", path))?;
                swapped.map_err(failed("write", path))?.then_some(bytes)
            }
            Place::Bucket(bucket) => {
                bucket.swap(path, expected.as_ref(), bytes).await.map_err(failed("write", path))?
            }
        };
        let tag = tag.ok_or(CasError::Changed)?;
        self.notices.tell();
        Ok(Tag(tag))
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

    #[test]
    fn a_url_names_a_directory_or_a_bucket() {
        for wrong in ["file://relative", "/var/store", "s3://", "s3:///prefix", "gs://bucket", ""] {
            assert!(matches!(Store::open(wrong), Err(StoreError::Url { .. })), "{wrong}");
        }
        assert!(matches!(Store::open("s3://bucket").unwrap().place, Place::Bucket(_)));
        assert!(matches!(Store::open("s3://bucket/a/b").unwrap().place, Place::Bucket(_)));
    }
}
