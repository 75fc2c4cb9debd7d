//! Makes a directory hold exactly the index of a manifest: fetch what it lacks, check everything, write the meta last, remove the rest.
//!
//! Whatever a killed indexer left behind (a private commit, a half-written file, an unpublished `.del`) is gone afterwards.

use search::manifest::{Manifest, ManifestFile, ReadError, pack_path};
use search::store::{Store, StoreError};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use tokio::io::AsyncWriteExt as _;

/// Tantivy's list of the files it may delete when they are of no use.
const MANAGED: &str = ".managed.json";
const META: &str = "meta.json";
/// A file is copied and checked in parts of so many bytes.
const PART_BYTES: u64 = 8 << 20;

/// A directory could not be brought to a manifest.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store does not hold what the manifest names.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The working directory failed.
    #[error("write the working directory {dir}")]
    Io {
        /// The directory.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Restores. The directory is made when missing.
pub(crate) async fn restore(
    store: &Store,
    generation: u32,
    manifest: &Manifest,
    dir: &Path,
) -> Result<(), RestoreError> {
    let io = |source| RestoreError::Io { dir: dir.to_owned(), source };
    let (owned, files) = (dir.to_owned(), manifest.files.clone());
    let missing = tokio::task::spawn_blocking(move || sweep(&owned, files)).await;
    let missing = missing.map_err(io::Error::other).and_then(|swept| swept).map_err(io)?;
    let mut by_pack: HashMap<_, Vec<ManifestFile>> = HashMap::new();
    for file in missing {
        by_pack.entry(file.pack).or_default().push(file);
    }
    for (pack, files) in by_pack {
        let path = pack_path(generation, pack);
        for file in files {
            fetch(store, &path, &file, dir).await?;
        }
    }
    let managed: Vec<&str> = manifest.files.iter().map(|file| file.name.as_str()).chain([META]).collect();
    let managed = serde_json::to_vec(&managed).map_err(io::Error::other).map_err(io)?;
    tokio::fs::write(dir.join(MANAGED), managed).await.map_err(io)?;
    tokio::fs::write(dir.join(META), manifest.index_meta.get()).await.map_err(io)
}

/// Copies one file out of its pack, a part at a time.
async fn fetch(store: &Store, path: &str, file: &ManifestFile, dir: &Path) -> Result<(), RestoreError> {
    let io = |source| RestoreError::Io { dir: dir.to_owned(), source };
    let mut target = tokio::fs::File::create(dir.join(&file.name)).await.map_err(io)?;
    let (mut crc32, mut done) = (crc32fast::Hasher::new(), 0);
    while done < file.len_bytes {
        let from = file.offset.saturating_add(done);
        let part = store.get_range(path, from..from + PART_BYTES.min(file.len_bytes - done)).await;
        let part = part?.ok_or_else(|| ReadError::Missing { path: path.to_owned() })?;
        if part.is_empty() {
            break;
        }
        crc32.update(&part);
        done += part.len() as u64;
        target.write_all(&part).await.map_err(io)?;
    }
    target.flush().await.map_err(io)?;
    if done == file.len_bytes && crc32.finalize() == file.crc32 {
        return Ok(());
    }
    let source = format!("{} in it is not what its manifest says", file.name).into();
    Err(ReadError::Damaged { path: path.to_owned(), source }.into())
}

/// Deletes what is not a file of the list with the right bytes; returns the files that are missing then.
fn sweep(dir: &Path, files: Vec<ManifestFile>) -> io::Result<Vec<ManifestFile>> {
    std::fs::create_dir_all(dir)?;
    let mut missing: HashMap<String, ManifestFile> = files.into_iter().map(|file| (file.name.clone(), file)).collect();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let intact = match missing.get(&name) {
            Some(file) if entry.metadata()?.len() == file.len_bytes => checksum(&entry.path())? == file.crc32,
            _ => false,
        };
        if intact {
            missing.remove(&name);
        } else if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(missing.into_values().collect())
}

fn checksum(path: &Path) -> io::Result<u32> {
    let mut file = std::fs::File::open(path)?;
    let (mut crc32, mut part) = (crc32fast::Hasher::new(), vec![0; 1 << 20]);
    loop {
        match io::Read::read(&mut file, &mut part)? {
            0 => return Ok(crc32.finalize()),
            length => crc32.update(part.get(..length).unwrap_or_default()),
        }
    }
}
