//! Phrases: terms at successive positions of one part of an event.
//!
//! Parts lie apart in the index, so a phrase is never put together from two of them.

use super::found::FoundSlot;
use crate::bits::Bits;
use crate::columns::SetKey;
use crate::request::{Clause, Slot};
use crate::schema::fields;
use crate::view::{SearchError, Segment, View};
use std::sync::Arc;
use tantivy::postings::Postings as _;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet as _, TERMINATED};

/// A phrase whose words so many events have is remembered with its events.
const REMEMBERED_EVENTS_MIN: usize = 256;

/// A document's number in the list of candidates, and a position in it.
type At = (u32, u32);

/// Per segment the events in which a phrase stands.
pub(super) fn events(view: &View, clause: &Clause, slots: &[FoundSlot]) -> Result<Vec<Arc<Bits>>, SearchError> {
    let each = view.segments.iter().enumerate().map(|(number, segment)| {
        let mut candidates = Bits::all(segment.columns.len());
        for set in slots.iter().filter_map(|found| found.sets.get(number)) {
            candidates.and(set);
        }
        let count = candidates.count();
        if count < REMEMBERED_EVENTS_MIN {
            return Ok(Arc::new(verified(segment, clause, &candidates)?));
        }
        let key = SetKey::Phrase(clause.slots.clone());
        match segment.columns.sets.recall(&key) {
            Some(found) => Ok(found),
            None => Ok(segment.columns.sets.remember(key, verified(segment, clause, &candidates)?)),
        }
    });
    each.collect()
}

/// The candidates, all of which have every word, in which the words follow each other.
fn verified(segment: &Segment, clause: &Clause, candidates: &Bits) -> Result<Bits, SearchError> {
    let mut docs: Vec<DocId> = Vec::new();
    candidates.for_each(|rank| docs.extend(segment.columns.doc.get(rank)));
    docs.sort_unstable();
    // Where the words so far stand one after the other: the place of the last of them.
    let mut ends: Vec<At> = Vec::new();
    for (n, slot) in clause.slots.iter().enumerate() {
        let places = places(segment, slot, &docs)?;
        ends = if n == 0 { places } else { following(&ends, &places) };
        if ends.is_empty() {
            break;
        }
    }
    let mut set = Bits::none(segment.columns.len());
    for rank in ends.iter().filter_map(|(n, _)| segment.columns.rank_of(*docs.get(*n as usize)?)) {
        set.insert(rank);
    }
    Ok(set)
}

/// Where a slot's terms stand in the documents, in order.
fn places(segment: &Segment, slot: &Slot, docs: &[DocId]) -> Result<Vec<At>, SearchError> {
    let index = segment.reader.inverted_index(fields().text)?;
    let mut places = Vec::new();
    let mut positions = Vec::new();
    for (info, _) in slot.terms(&index)? {
        let mut postings = index.read_postings_from_terminfo(&info, IndexRecordOption::WithFreqsAndPositions)?;
        for (n, doc) in (0..).zip(docs) {
            if postings.doc() < *doc {
                postings.seek(*doc);
            }
            if postings.doc() == TERMINATED {
                break;
            }
            if postings.doc() == *doc {
                postings.positions(&mut positions);
                // A word stands at its position as often as it weighs.
                positions.dedup();
                places.extend(positions.iter().map(|position| (n, *position)));
            }
        }
    }
    places.sort_unstable();
    Ok(places)
}

/// Those of `places` that come right after one of `ends`; both are in order.
fn following(ends: &[At], places: &[At]) -> Vec<At> {
    let mut ends = ends.iter().map(|(doc, position)| (*doc, position + 1)).peekable();
    let follows = |place: &&At| {
        while ends.next_if(|end| end < *place).is_some() {}
        ends.peek() == Some(*place)
    };
    places.iter().filter(follows).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_is_in_the_same_document_one_further() {
        let ends = [(0, 3), (0, 9), (2, 1)];
        let places = [(0, 4), (0, 5), (1, 2), (2, 2), (2, 10)];
        assert_eq!(following(&ends, &places), [(0, 4), (2, 2)]);
        assert_eq!(following(&[], &places), []);
    }
}
