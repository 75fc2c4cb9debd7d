//! Live availability: one atomic cell per event slot, read while a query runs, written as the log arrives.
//!
//! A cell holds seats left and lowest price in one word, so a reader never sees one without the other. A cell nobody has
//! written is unset: everything is left, at the document's lowest price. A change is applied only if its version is newer.

use crate::availability::Change;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const CHUNK_CELLS: usize = 1 << 12;
/// Slots are positive 32-bit integers in Postgres.
const CHUNKS_MAX: usize = 1 << 19;

const SET: u64 = 1 << 63;
const PRICED: u64 = 1 << 62;
const SEATS_BITS: u32 = 18;
const PRICE_MAX: u64 = (1 << (62 - SEATS_BITS)) - 1;

type Chunk = Arc<[AtomicU64]>;

/// An event's availability as a query sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) seats_left: u32,
    pub(crate) price_min: Option<i64>,
}

/// The cells of all events.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    chunks: ArcSwap<Vec<Option<Chunk>>>,
    versions: Mutex<HashMap<u32, u64>>,
    changed: AtomicU64,
}

/// The cells as one query reads them: values go on changing, the set of cells does not.
pub(crate) struct Cells(Arc<Vec<Option<Chunk>>>);

impl Overlay {
    /// Makes the cells what these changes say, in their order, and unset where they say nothing. Readers see it cell by cell.
    pub(crate) fn replace(&self, changes: &[Change]) {
        let mut versions = self.versions.lock();
        let known: HashSet<u32> = changes.iter().map(|change| change.slot).collect();
        for slot in versions.keys().filter(|slot| !known.contains(slot)) {
            let place = *slot as usize;
            if let Some(cell) = self.chunk(place / CHUNK_CELLS).get(place % CHUNK_CELLS) {
                cell.store(0, Ordering::Release);
            }
        }
        versions.clear();
        drop(versions);
        self.apply(changes);
        self.changed.fetch_add(1, Ordering::Release);
    }

    /// Applies what is newer and says how many changes that were.
    pub(crate) fn apply(&self, changes: &[Change]) -> usize {
        let mut versions = self.versions.lock();
        let mut applied = 0;
        for change in changes {
            let place = change.slot as usize;
            if place / CHUNK_CELLS >= CHUNKS_MAX
                || versions.get(&change.slot).is_some_and(|seen| *seen >= change.version)
            {
                continue;
            }
            let chunk = self.chunk(place / CHUNK_CELLS);
            if let Some(cell) = chunk.get(place % CHUNK_CELLS) {
                cell.store(pack(change), Ordering::Release);
                versions.insert(change.slot, change.version);
                applied += 1;
            }
        }
        if applied > 0 {
            self.changed.fetch_add(1, Ordering::Release);
        }
        applied
    }

    /// Rises with every batch that changed something: part of what an answer is cached under.
    pub(crate) fn epoch(&self) -> u64 {
        self.changed.load(Ordering::Acquire)
    }

    pub(crate) fn cells(&self) -> Cells {
        Cells(self.chunks.load_full())
    }

    /// The chunk, made when it is not there. Called under the lock of `versions` only.
    fn chunk(&self, number: usize) -> Chunk {
        if let Some(Some(chunk)) = self.chunks.load().get(number) {
            return Arc::clone(chunk);
        }
        let chunk: Chunk = (0..CHUNK_CELLS).map(|_| AtomicU64::new(0)).collect();
        let mut chunks = Vec::clone(&self.chunks.load());
        if chunks.len() <= number {
            chunks.resize(number + 1, None);
        }
        if let Some(place) = chunks.get_mut(number) {
            *place = Some(Arc::clone(&chunk));
        }
        self.chunks.store(Arc::new(chunks));
        chunk
    }
}

impl Cells {
    /// The slot's cell, none when nobody has written it.
    pub(crate) fn get(&self, slot: u32) -> Option<Cell> {
        let place = slot as usize;
        let chunk = self.0.get(place / CHUNK_CELLS)?.as_ref()?;
        unpack(chunk.get(place % CHUNK_CELLS)?.load(Ordering::Acquire))
    }
}

fn pack(change: &Change) -> u64 {
    let seats = u64::from(change.seats_left).min((1 << SEATS_BITS) - 1);
    let price = change.price_min.and_then(|price| u64::try_from(price).ok());
    SET | seats | price.map_or(0, |price| PRICED | price.min(PRICE_MAX) << SEATS_BITS)
}

fn unpack(word: u64) -> Option<Cell> {
    let seats_left = u32::try_from(word & ((1 << SEATS_BITS) - 1)).ok()?;
    let price = i64::try_from(word >> SEATS_BITS & PRICE_MAX).ok()?;
    (word & SET != 0).then_some(Cell { seats_left, price_min: (word & PRICED != 0).then_some(price) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(slot: u32, version: u64, seats_left: u32, price_min: Option<i64>) -> Change {
        Change { slot, version, seats_left, price_min }
    }

    #[test]
    fn only_what_is_newer_is_applied() {
        let overlay = Overlay::default();
        assert_eq!(overlay.apply(&[change(7, 2, 199_999, Some(100_000_000_000)), change(7, 1, 5, Some(1))]), 1);
        assert_eq!(overlay.cells().get(7), Some(Cell { seats_left: 199_999, price_min: Some(100_000_000_000) }));
        assert_eq!(overlay.cells().get(8), None);
        assert_eq!(overlay.cells().get(u32::MAX), None);
        overlay.apply(&[change(7, 3, 0, None)]);
        assert_eq!(overlay.cells().get(7), Some(Cell { seats_left: 0, price_min: None }));
        assert_eq!((overlay.apply(&[change(7, 3, 9, None)]), overlay.epoch()), (0, 2));
    }

    #[test]
    fn another_writers_snapshot_replaces_every_cell() {
        let overlay = Overlay::default();
        overlay.apply(&[change(1, 9, 1, Some(1)), change(2, 9, 2, Some(2))]);
        overlay.replace(&[change(2, 3, 8, Some(8))]);
        assert_eq!(overlay.cells().get(1), None);
        assert_eq!(overlay.cells().get(2), Some(Cell { seats_left: 8, price_min: Some(8) }));
        assert_eq!(overlay.apply(&[change(2, 4, 7, Some(8)), change(1, 1, 3, Some(1))]), 2);
    }

    #[test]
    fn a_reader_sees_cells_of_later_chunks_after_asking_again() {
        let overlay = Overlay::default();
        overlay.apply(&[change(1, 1, 1, Some(0))]);
        overlay.apply(&[change(1_000_000, 1, 2, Some(5))]);
        assert_eq!(overlay.cells().get(1_000_000), Some(Cell { seats_left: 2, price_min: Some(5) }));
        assert_eq!(overlay.cells().get(1), Some(Cell { seats_left: 1, price_min: Some(0) }));
    }
}
