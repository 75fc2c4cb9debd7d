//! The table's file: a mark, the SHA-256 of all that follows, the length of a header, the header as JSON, scales, rows.
//!
//! It is read whole and checked before anything of it is used: a file that was cut short or changed by a bit is refused.

use super::pieces::Pieces;
use super::{DIMENSIONS, Table};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::io;
use std::path::Path;

const MARK: &[u8; 8] = b"FRVECTR1";
const HASH_BYTES: usize = 32;

/// Where a table comes from and what it may be used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// What it is called.
    pub name: String,
    /// Where it is from.
    pub source: String,
    /// The whole text of its licence.
    pub licence: String,
}

/// A file that cannot serve as a table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The system says why.
    #[error("use the table of word vectors")]
    Io(#[from] io::Error),
    /// It is something else, or of another version of this program.
    #[error("it is no table of word vectors; make one with: frontrow vectors fetch")]
    Other,
    /// It is not as it was written.
    #[error("the table of word vectors is damaged; make it anew with: frontrow vectors fetch")]
    Damaged,
    /// Its header cannot be written; cannot happen.
    #[error("write the header of the table of word vectors")]
    Header(#[from] serde_json::Error),
}

#[derive(Serialize, Deserialize)]
struct Header {
    origin: Origin,
    dimensions: usize,
    pieces: Vec<String>,
}

impl Table {
    /// Reads a table's file.
    ///
    /// # Errors
    /// When it cannot be read, is none, or is not as it was written.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        let bytes = std::fs::read(path)?;
        let rest = bytes.strip_prefix(MARK).ok_or(TableError::Other)?;
        let (hash, body) = rest.split_first_chunk::<HASH_BYTES>().ok_or(TableError::Damaged)?;
        if Sha256::digest(body).as_slice() != hash {
            return Err(TableError::Damaged);
        }
        let (length, rest) = body.split_first_chunk::<8>().ok_or(TableError::Damaged)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| TableError::Damaged)?;
        let (header, numbers) = rest.split_at_checked(length).ok_or(TableError::Damaged)?;
        let Header { origin, dimensions, pieces } = serde_json::from_slice(header).map_err(|_| TableError::Damaged)?;
        let (scales, rows) = numbers.split_at_checked(pieces.len() * 4).ok_or(TableError::Damaged)?;
        if dimensions != DIMENSIONS || rows.len() != pieces.len() * DIMENSIONS {
            return Err(TableError::Damaged);
        }
        let scales = scales.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let rows = rows.as_chunks::<DIMENSIONS>().0.iter().map(|row| row.map(u8::cast_signed)).collect();
        Ok(Self { origin, pieces: Pieces::new(pieces), rows, scales })
    }

    /// Writes the table's file, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), TableError> {
        let pieces = self.pieces.texts().to_vec();
        let header = serde_json::to_vec(&Header { origin: self.origin.clone(), dimensions: DIMENSIONS, pieces })?;
        let mut body = (header.len() as u64).to_le_bytes().to_vec();
        body.extend(header);
        body.extend(self.scales.iter().flat_map(|scale| scale.to_le_bytes()));
        body.extend(self.rows.iter().flatten().map(|number| number.cast_unsigned()));
        let mut bytes = MARK.to_vec();
        bytes.extend(Sha256::digest(&body));
        bytes.extend(body);
        let unfinished = path.with_extension("unfinished");
        std::fs::write(&unfinished, bytes)?;
        Ok(std::fs::rename(unfinished, path)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Embedder;
    use super::super::tests::table;
    use super::*;

    #[test]
    fn a_table_is_read_as_it_was_written_and_refused_when_it_is_not() {
        let (dir, table) = (tempfile::tempdir().unwrap(), table(&[&["sea"], &["waltz"]]));
        let path = dir.path().join("vectors");
        table.write(&path).unwrap();
        let read = Table::open(&path).unwrap();
        assert_eq!(read.origin(), table.origin());
        let vector = |table| Embedder::new(table).vector([("sea waltz", 1.0)]);
        assert!(vector(&read).is_some());
        assert_eq!(vector(&read), vector(&table));

        let bytes = std::fs::read(&path).unwrap();
        for cut in [8, 30, 44, 200, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            assert!(matches!(Table::open(&path), Err(TableError::Damaged)), "cut at {cut}");
        }
        for flipped in [8, 41, 60, bytes.len() - 1] {
            let mut bytes = bytes.clone();
            bytes[flipped] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            let refused = Table::open(&path).unwrap_err().to_string();
            assert_eq!(refused, "the table of word vectors is damaged; make it anew with: frontrow vectors fetch");
        }
        std::fs::write(&path, b"PK\x03\x04 a wheel").unwrap();
        assert!(matches!(Table::open(&path), Err(TableError::Other)));
        assert!(matches!(Table::open(&dir.path().join("none")), Err(TableError::Io(_))));
    }
}
