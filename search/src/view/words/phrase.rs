//! Phrases: terms at successive positions of one part of an event.
//!
//! Parts lie apart in the index, so a phrase is never put together from two of them.

use super::found::{FoundSlot, REMEMBERED_EVENTS_MIN};
use crate::bits::Bits;
use crate::columns::{Sought, Standing};
use crate::request::{Clause, Slot};
use crate::schema::fields;
use crate::view::{SearchError, Segment, View};
use std::sync::Arc;
use tantivy::postings::Postings as _;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet as _, TERMINATED};

/// A document's number in the list of candidates, and a position in it.
type At = (u32, u32);

/// Per segment the events in which a phrase stands.
pub(super) fn events(view: &View, clause: &Clause, slots: &[FoundSlot]) -> Result<Vec<Arc<Standing>>, SearchError> {
    let sought = Sought::Phrase(clause.slots.clone());
    let each = view.segments.iter().enumerate().map(|(number, segment)| {
        if let Some(found) = segment.columns.standings.recall(&sought) {
            return Ok(found);
        }
        let mut candidates = Bits::all(segment.columns.len());
        slots.iter().filter_map(|found| found.standings.get(number)).for_each(|found| found.keep(&mut candidates));
        let candidates = candidates.list();
        let ranks = verified(segment, clause, &candidates)?;
        let standing = Standing::listed(segment.columns.len(), ranks, std::iter::empty());
        let dear = candidates.len() >= REMEMBERED_EVENTS_MIN;
        Ok(if dear { segment.columns.standings.remember(sought.clone(), standing) } else { Arc::new(standing) })
    });
    each.collect()
}

/// The candidates, all of which have every word, in which the words follow each other.
fn verified(segment: &Segment, clause: &Clause, candidates: &[u32]) -> Result<Vec<u32>, SearchError> {
    let docs = candidates.iter().filter_map(|rank| segment.columns.doc.get(*rank as usize)).copied();
    let mut docs: Vec<DocId> = docs.collect();
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
    let ranks = ends.iter().filter_map(|(n, _)| segment.columns.rank_of(*docs.get(*n as usize)?));
    let mut ranks: Vec<u32> = ranks.map(|rank| u32::try_from(rank).unwrap_or(u32::MAX)).collect();
    ranks.sort_unstable();
    ranks.dedup();
    Ok(ranks)
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
