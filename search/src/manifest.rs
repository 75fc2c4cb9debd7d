//! The publication protocol: how one commit of the index travels through the store.
//!
//! `g<gen>/pack/<uuid>` holds a commit's new files end to end, `g<gen>/m/<seq>-<epoch>.json` names every file of the commit and where it
//! lies, `g<gen>/HEAD` names the last manifest (compare-and-set with the writer's epoch), `ALIAS` the generation that is read.
//! Objects are written in that order, so whatever HEAD names is complete. A pack or manifest is never changed. `g<gen>/a/` is the
//! generation's availability log, `r/` says who reads.

use crate::schema;
use crate::store::{CasError, Durability, Store, StoreError, Tag};
use bytes::Bytes;
use model::Lsn;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// The object that names the generation being read.
pub const ALIAS: &str = "ALIAS";

/// The longest manifest, HEAD or ALIAS a reader accepts, in bytes.
const OBJECT_BYTES_MAX: usize = 64 << 20;

/// Which generation is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// Generations count from 1.
    pub generation: u32,
}

/// A generation's last manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Who wrote it: a writer takes an epoch above every earlier one, and whoever sees a higher one than its own must stop.
    pub epoch: u64,
    /// The manifest's number.
    pub seq: u64,
    /// How far Postgres's log is in it.
    pub lsn: Lsn,
}

/// One file of the index and where its bytes lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its name in the index directory.
    pub name: String,
    /// Its length in bytes.
    pub len_bytes: u64,
    /// CRC-32 (ISO-HDLC) of its bytes.
    pub crc32: u32,
    /// The pack it lies in.
    pub pack: Uuid,
    /// Where it begins there, in bytes.
    pub offset: u64,
}

/// One commit of the index.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// [`schema::FORMAT`] of its writer.
    pub format: u32,
    /// [`schema::hash`] of its writer.
    pub schema: String,
    /// Numbers rise by one within a generation.
    pub seq: u64,
    /// The number before, when there is one.
    pub prev: Option<u64>,
    /// The writer's epoch.
    pub epoch: u64,
    /// How far Postgres's log is in it.
    pub lsn: Lsn,
    /// Tantivy's `meta.json`, byte for byte as the replica writes it: serialised from the same pinned meta as `files`.
    pub index_meta: Box<RawValue>,
    /// Every file the meta names.
    pub files: Vec<ManifestFile>,
}

/// What was found is not what this program can read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An object another one names is not there.
    #[error("{path} is missing from the index store")]
    Missing {
        /// Its name.
        path: String,
    },
    /// An object is not what its name says.
    #[error("{path} in the index store is damaged")]
    Damaged {
        /// Its name.
        path: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The index was written by another version of this program.
    #[error(
        "the index has format {format} and schema {schema}; this program reads format {} and schema {}: reindex",
        schema::FORMAT,
        schema::hash()
    )]
    Foreign {
        /// Its format.
        format: u32,
        /// Its schema's hash.
        schema: String,
    },
}

/// The name of a generation's HEAD.
#[must_use]
pub fn head_path(generation: u32) -> String {
    format!("g{generation}/HEAD")
}

/// The name of a manifest. The epoch is in it so that a writer that lost its place cannot overwrite its successor's.
#[must_use]
pub fn manifest_path(generation: u32, seq: u64, epoch: u64) -> String {
    format!("g{generation}/m/{seq:016}-{epoch}.json")
}

/// The name of a pack.
#[must_use]
pub fn pack_path(generation: u32, pack: Uuid) -> String {
    format!("g{generation}/pack/{pack}")
}

impl Alias {
    /// The alias with its tag, or none in a new store.
    ///
    /// # Errors
    /// When the store fails or the object is damaged.
    pub async fn read(store: &Store) -> Result<Option<(Self, Tag)>, ReadError> {
        read_tagged(store, ALIAS).await
    }

    /// Points the alias at this generation, if it still is what `expected` says.
    ///
    /// # Errors
    /// [`CasError::Changed`] when someone else pointed it elsewhere.
    pub async fn publish(self, store: &Store, expected: Option<&Tag>) -> Result<Tag, CasError> {
        store.compare_and_set(ALIAS, expected, json(ALIAS, &self)?, Durability::Durable).await
    }
}

impl Head {
    /// The generation's HEAD with its tag, or none when nothing was published.
    ///
    /// # Errors
    /// When the store fails or the object is damaged.
    pub async fn read(store: &Store, generation: u32) -> Result<Option<(Self, Tag)>, ReadError> {
        read_tagged(store, &head_path(generation)).await
    }

    /// Makes this the generation's HEAD, if it still is what the writer last read or wrote. A writer whose HEAD was changed by
    /// another lost its place and must stop.
    ///
    /// # Errors
    /// [`CasError::Changed`] when another writer was there.
    pub async fn publish(
        self,
        store: &Store,
        generation: u32,
        expected: Option<&Tag>,
        durability: Durability,
    ) -> Result<Tag, CasError> {
        let path = head_path(generation);
        store.compare_and_set(&path, expected, json(&path, &self)?, durability).await
    }
}

impl Manifest {
    /// Writes the manifest under its number; its packs must be there already.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn put(&self, store: &Store, generation: u32, durability: Durability) -> Result<(), StoreError> {
        let path = manifest_path(generation, self.seq, self.epoch);
        store.put(&path, json(&path, self)?, durability).await
    }

    /// Reads the manifest a HEAD names and checks that this program can read what it names.
    ///
    /// # Errors
    /// When it is missing, damaged or of another format or schema.
    pub async fn read(store: &Store, generation: u32, head: &Head) -> Result<Self, ReadError> {
        let path = manifest_path(generation, head.seq, head.epoch);
        let Some(bytes) = store.get(&path).await? else { return Err(ReadError::Missing { path }) };
        Self::parse(&path, &bytes)
    }

    fn parse(path: &str, bytes: &[u8]) -> Result<Self, ReadError> {
        let manifest: Self = parse(path, bytes)?;
        if manifest.format != schema::FORMAT || manifest.schema != schema::hash() {
            return Err(ReadError::Foreign { format: manifest.format, schema: manifest.schema });
        }
        // A name is a plain file name: a hostile manifest must not reach outside the work directory.
        let plain = |name: &str| {
            !name.is_empty()
                && name != "."
                && name != ".."
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-' || b == b'_')
        };
        match manifest.files.iter().find(|file| !plain(&file.name)) {
            Some(file) => Err(ReadError::Damaged {
                path: path.to_owned(),
                source: format!("{:?} is no file name", file.name).into(),
            }),
            None => Ok(manifest),
        }
    }
}

async fn read_tagged<T: DeserializeOwned>(store: &Store, path: &str) -> Result<Option<(T, Tag)>, ReadError> {
    let Some((bytes, tag)) = store.get_tagged(path).await? else { return Ok(None) };
    Ok(Some((parse(path, &bytes)?, tag)))
}

fn parse<T: DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<T, ReadError> {
    let damaged = |source| ReadError::Damaged { path: path.to_owned(), source };
    if bytes.len() > OBJECT_BYTES_MAX {
        return Err(damaged("longer than any such object".into()));
    }
    serde_json::from_slice(bytes).map_err(|error| damaged(error.into()))
}

fn json(path: &str, value: &impl Serialize) -> Result<Bytes, StoreError> {
    let written = serde_json::to_vec(value);
    written.map(Bytes::from).map_err(|source| StoreError::Object {
        action: "write",
        path: path.to_owned(),
        source: source.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn manifest() -> serde_json::Value {
        serde_json::json!({
            "format": schema::FORMAT, "schema": schema::hash(), "seq": 2, "prev": 1, "epoch": 3, "lsn": "0/10", "index_meta": {},
            "files": [{"name": "a1.idx", "len_bytes": 4, "crc32": 5, "pack": Uuid::nil(), "offset": 6}],
        })
    }

    fn parsed(manifest: &serde_json::Value) -> Result<Manifest, ReadError> {
        Manifest::parse("g1/m/2-3.json", &serde_json::to_vec(manifest).unwrap())
    }

    #[test]
    fn a_manifest_of_another_format_or_schema_is_foreign() {
        assert_eq!(parsed(&manifest()).unwrap().files[0].offset, 6);
        for (field, value) in [("format", serde_json::json!(99)), ("schema", serde_json::json!("other"))] {
            let mut other = manifest();
            other[field] = value;
            assert!(matches!(parsed(&other), Err(ReadError::Foreign { .. })));
        }
    }

    #[test]
    fn a_file_cannot_be_named_out_of_its_directory() {
        for name in ["../x", "/etc/x", "a/b", "..", ".", "", "a\\b"] {
            let mut hostile = manifest();
            hostile["files"][0]["name"] = name.into();
            assert!(matches!(parsed(&hostile), Err(ReadError::Damaged { .. })), "{name:?}");
        }
    }

    #[tokio::test]
    async fn a_writer_that_lost_its_place_moves_no_head_and_overwrites_no_manifest() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("file://{}", dir.path().display())).unwrap();
        let head = |epoch, seq| Head { epoch, seq, lsn: Lsn(seq) };
        let old = head(1, 1).publish(&store, 1, None, Durability::Durable).await.unwrap();
        head(2, 2).publish(&store, 1, Some(&old), Durability::Visible).await.unwrap();
        let late = head(1, 2).publish(&store, 1, Some(&old), Durability::Durable).await;
        assert!(matches!(late, Err(CasError::Changed)));
        assert_eq!(Head::read(&store, 1).await.unwrap().unwrap().0, head(2, 2));
        assert_ne!(manifest_path(1, 2, 1), manifest_path(1, 2, 2));
        assert!(matches!(Manifest::read(&store, 1, &head(2, 2)).await, Err(ReadError::Missing { .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_manifest_or_refused(bytes: Vec<u8>) {
            let _read_or_refused = Manifest::parse("m", &bytes);
        }

        #[test]
        fn a_manifest_with_any_byte_changed_is_read_or_refused(place: usize, byte: u8) {
            let mut bytes = serde_json::to_vec(&manifest()).unwrap();
            let place = place % bytes.len();
            bytes[place] = byte;
            let _read_or_refused = Manifest::parse("m", &bytes);
        }
    }
}
