//! Puts the files that a commit added end to end into packs, reading each once for its checksum.

use super::PublishError;
use crate::index::{IndexError, UnsyncedDirectory};
use bytes::{Bytes, BytesMut};
use search::manifest::ManifestFile;
use std::collections::HashMap;
use tantivy::{Directory, IndexMeta};
use uuid::Uuid;

/// Files are put together up to so many bytes; a larger one has a pack of its own and is never held in memory.
const TOGETHER_BYTES_MAX: usize = 16 << 20;

/// The packs to write and every file of the commit, in name order.
pub(crate) struct Packed {
    pub(crate) packs: Vec<(Uuid, Bytes)>,
    pub(crate) files: Vec<ManifestFile>,
}

/// Packs what `known` lacks of the files that `meta` names. Blocking.
pub(crate) fn build(
    directory: &UnsyncedDirectory,
    meta: &IndexMeta,
    mut known: HashMap<String, ManifestFile>,
) -> Result<Packed, PublishError> {
    let (mut packs, mut files) = (Vec::new(), Vec::new());
    let (mut pack, mut together) = (Uuid::now_v7(), BytesMut::new());
    let mut paths: Vec<_> = meta.list_segment_files().into_iter().collect();
    paths.sort_unstable();
    for path in paths {
        let name = path.to_string_lossy().into_owned();
        if let Some(file) = known.remove(&name) {
            files.push(file);
            continue;
        }
        // The list holds every component that a segment could have; these two it may be without.
        let optional = path.extension().is_some_and(|extension| extension == "del" || extension == "temp");
        if optional && !directory.exists(&path).map_err(tantivy)? {
            continue;
        }
        let handle = directory.get_file_handle(&path).map_err(tantivy)?;
        let bytes = handle.read_bytes(0..handle.len()).map_err(IndexError::Io)?;
        let crc32 = crc32fast::hash(&bytes);
        let len_bytes = bytes.len() as u64;
        if bytes.len() > TOGETHER_BYTES_MAX {
            let own = Uuid::now_v7();
            packs.push((own, Bytes::from_owner(bytes)));
            files.push(ManifestFile { name, len_bytes, crc32, pack: own, offset: 0 });
            continue;
        }
        if together.len() + bytes.len() > TOGETHER_BYTES_MAX {
            packs.push((pack, std::mem::take(&mut together).freeze()));
            pack = Uuid::now_v7();
        }
        files.push(ManifestFile { name, len_bytes, crc32, pack, offset: together.len() as u64 });
        together.extend_from_slice(&bytes);
    }
    if !together.is_empty() {
        packs.push((pack, together.freeze()));
    }
    Ok(Packed { packs, files })
}

fn tantivy(error: impl Into<tantivy::TantivyError>) -> PublishError {
    PublishError::Index(IndexError::Tantivy(error.into()))
}
