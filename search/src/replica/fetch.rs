//! A generation's files on this disk: fetched from packs, checked, taken up whole, `meta.json` last.
//!
//! A file has its name only once its length and checksum are right, so whatever `meta.json` names is good. What was there
//! before this process is checked again before it is trusted. Files go when neither the manifest nor a living view needs them.

use crate::manifest::{Manifest, ManifestFile, pack_path};
use crate::store::{Store, StoreError};
use crate::view::View;
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

const META: &str = "meta.json";
/// Bytes fetched at a time: bounds memory however large a file is.
const PART_BYTES: u64 = 8 << 20;
/// How often a damaged file is fetched before the round is given up.
const TRIES: usize = 3;

/// A file could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{pack} is missing from the index store")]
    Missing { pack: String },
    #[error("{name} arrived damaged {TRIES} times")]
    Damaged { name: String },
    #[error("keep the index in {path}")]
    Disk { path: String, source: std::io::Error },
    #[error("the replica's task was cut off")]
    Task(#[from] tokio::task::JoinError),
}

/// A generation's directory.
pub(super) struct Directory {
    generation: u32,
    path: PathBuf,
    /// Files that are whole, with length and checksum.
    present: BTreeMap<String, (u64, u32)>,
    /// What the last fetched manifest names.
    named: HashSet<String>,
    /// Views that may still be read from, with what they need.
    views: Vec<(Weak<View>, HashSet<String>)>,
}

impl Directory {
    /// Opens the directory of a generation, checking what is in it, and removes those of other generations.
    pub(super) async fn open(work_dir: &Path, generation: u32) -> Result<Self, FetchError> {
        let (work_dir, path) = (work_dir.to_owned(), directory_path(work_dir, generation));
        let disk = disk_error(&path);
        let look = move || -> std::io::Result<Self> {
            fs::create_dir_all(&path)?;
            for other in fs::read_dir(&work_dir)?.flatten().filter(|other| other.path() != path) {
                if other.file_name().to_string_lossy().starts_with('g') {
                    // Views of it keep their mapped files; the names may go.
                    fs::remove_dir_all(other.path())?;
                }
            }
            let mut present = BTreeMap::new();
            for entry in fs::read_dir(&path)?.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name != META && entry.file_type()?.is_file() {
                    present.insert(name, sum(&entry.path())?);
                }
            }
            Ok(Self { generation, path, present, named: HashSet::new(), views: Vec::new() })
        };
        tokio::task::spawn_blocking(look).await?.map_err(disk)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Fetches what the manifest names and is not here, then writes its `meta.json`.
    pub(super) async fn fetch(&mut self, store: &Store, manifest: &Manifest) -> Result<(), FetchError> {
        for file in &manifest.files {
            if self.present.get(&file.name) != Some(&(file.len_bytes, file.crc32)) {
                self.fetch_file(store, file).await?;
                self.present.insert(file.name.clone(), (file.len_bytes, file.crc32));
            }
        }
        let (meta, json) = (self.path.join(META), manifest.index_meta.get().to_owned());
        let beside = self.path.join(format!("{META}.new"));
        let write = move || fs::write(&beside, json).and_then(|()| fs::rename(&beside, &meta));
        tokio::task::spawn_blocking(write).await?.map_err(disk_error(&self.path))?;
        self.named = manifest.files.iter().map(|file| file.name.clone()).collect();
        Ok(())
    }

    async fn fetch_file(&self, store: &Store, file: &ManifestFile) -> Result<(), FetchError> {
        let pack = pack_path(self.generation, file.pack);
        let beside = self.path.join(format!("{}.part", file.name));
        for _ in 0..TRIES {
            let mut to = File::create(&beside).map_err(disk_error(&beside))?;
            let mut crc32 = crc32fast::Hasher::new();
            let (mut at, end) = (file.offset, file.offset.saturating_add(file.len_bytes));
            while at < end {
                let until = end.min(at + PART_BYTES);
                let part = store.get_range(&pack, at..until).await?;
                let part = part.ok_or_else(|| FetchError::Missing { pack: pack.clone() })?;
                if part.is_empty() {
                    break;
                }
                crc32.update(&part);
                at += part.len() as u64;
                to = tokio::task::spawn_blocking(move || to.write_all(&part).map(|()| to))
                    .await?
                    .map_err(disk_error(&beside))?;
            }
            if at == end && crc32.finalize() == file.crc32 {
                return fs::rename(&beside, self.path.join(&file.name)).map_err(disk_error(&beside));
            }
            tracing::warn!(file.name, "a file of the index arrived damaged");
        }
        Err(FetchError::Damaged { name: file.name.clone() })
    }

    /// Notes a view that is read from this directory.
    pub(super) fn shown(&mut self, view: &Arc<View>) {
        self.views.push((Arc::downgrade(view), self.named.clone()));
    }

    /// Removes the files nothing needs any more.
    pub(super) fn collect(&mut self) {
        self.views.retain(|(view, _)| view.strong_count() > 0);
        let needed: HashSet<&String> = self.views.iter().flat_map(|(_, files)| files).chain(&self.named).collect();
        let superfluous: Vec<String> = self.present.keys().filter(|name| !needed.contains(name)).cloned().collect();
        for name in superfluous {
            match fs::remove_file(self.path.join(&name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!(file.name = name, error = &error as &dyn std::error::Error, "an old file stays");
                }
                _ => drop(self.present.remove(&name)),
            }
        }
    }
}

/// Removes a generation's files, so that the next round fetches all of them.
pub(super) fn wipe(work_dir: &Path, generation: u32) {
    let path = directory_path(work_dir, generation);
    if let Err(error) = fs::remove_dir_all(&path) {
        tracing::warn!(error = &error as &dyn std::error::Error, "a damaged index stays");
    }
}

fn directory_path(work_dir: &Path, generation: u32) -> PathBuf {
    work_dir.join(format!("g{generation}"))
}

/// A file's length and checksum.
fn sum(path: &Path) -> std::io::Result<(u64, u32)> {
    let mut file = File::open(path)?;
    let mut crc32 = crc32fast::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    let mut len_bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((len_bytes, crc32.finalize()));
        }
        crc32.update(buffer.get(..read).unwrap_or_default());
        len_bytes += read as u64;
    }
}

fn disk_error(path: &Path) -> impl FnOnce(std::io::Error) -> FetchError + use<> {
    let path = path.display().to_string();
    move |source| FetchError::Disk { path, source }
}
