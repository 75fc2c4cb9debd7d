//! A directory as an object store.
//!
//! `LocalFileSystem` has no compare-and-set, so the disk makes its own: a file lock, which the kernel drops with its process, around
//! compare and rename. What is durable has its file and its directories synced.

use super::Durability;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(super) struct Disk {
    root: PathBuf,
    visible: LocalFileSystem,
    durable: LocalFileSystem,
}

impl Disk {
    /// Opens a directory, making it when it is not there.
    pub(super) fn open(root: PathBuf) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        fs::create_dir_all(&root)?;
        let visible = LocalFileSystem::new_with_prefix(&root)?;
        let durable = visible.clone().with_fsync(true);
        Ok(Self { root, visible, durable })
    }

    pub(super) fn objects(&self, durability: Durability) -> &dyn ObjectStore {
        match durability {
            Durability::Visible => &self.visible,
            Durability::Durable => &self.durable,
        }
    }

    /// Under the store's lock: compare, write beside, rename. True when it was written.
    pub(super) fn swap(
        &self,
        name: &str,
        expected: Option<&[u8]>,
        new: &[u8],
        durability: Durability,
    ) -> io::Result<bool> {
        let lock = File::options().create(true).truncate(false).write(true).open(self.root.join(".lock"))?;
        lock.lock()?;
        let target = self.root.join(name);
        let present = match fs::read(&target) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if present.as_deref() != expected {
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

    /// The files first, then the folders they are in.
    pub(super) fn sync(&self, paths: &[String]) -> io::Result<()> {
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
    fn sync_folders(&self, target: &Path) -> io::Result<()> {
        for folder in target.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.root)) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}
