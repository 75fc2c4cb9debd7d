//! One clause looked up: the events it stands in, as it was typed and with typing errors.

use super::phrase;
use super::typo::{self, Typos};
use crate::bits::Bits;
use crate::columns::SetKey;
use crate::request::{Clause, Slot};
use crate::schema::fields;
use crate::view::{SearchError, Segment, View};
use std::sync::Arc;
use tantivy::InvertedIndexReader;
use tantivy::postings::TermInfo;
use tantivy::schema::{Field, IndexRecordOption};

/// A word fewer events than this have is tried with typing errors too.
const TYPO_BELOW_EVENTS: usize = 3;
/// A beginning of so many words is remembered with its events; one of fewer is as quickly looked up.
const REMEMBERED_TERMS_MIN: usize = 16;
/// So is a word that stands so often, and with it how often it stands in each.
pub(super) const REMEMBERED_POSTINGS_MIN: u64 = 16_384;
/// How much a word counts that only begins as the one typed.
const PREFIX_WEIGHT: f32 = 0.5;

/// A clause with where it stands, per segment.
pub(super) struct Found {
    pub(super) clause: Clause,
    /// Of each of its slots.
    pub(super) slots: Vec<FoundSlot>,
    /// Indexed words a typing error or two away, with their weight.
    pub(super) typos: Typos,
    /// Whether it stands nowhere as it was typed.
    unknown: bool,
    /// The events it stands in as it was typed.
    pub(super) typed: Vec<Arc<Bits>>,
    /// Those, and the ones in which what it may have meant stands.
    pub(super) sets: Vec<Arc<Bits>>,
}

/// Where a term stands, per segment.
pub(super) struct FoundSlot {
    pub(super) sets: Vec<Arc<Bits>>,
    /// In how many events it stands, or what it may have meant.
    pub(super) events: usize,
}

impl Found {
    pub(super) fn look_up(view: &View, clause: &Clause) -> Result<Self, SearchError> {
        let mut slots = Vec::with_capacity(clause.slots.len());
        for slot in &clause.slots {
            let sets = view.segments.iter().map(|segment| segment.events_with(fields().text, slot));
            let sets = sets.collect::<Result<Vec<_>, _>>()?;
            let events = sets.iter().map(|set| set.count()).sum();
            slots.push(FoundSlot { sets, events });
        }
        let typed: Vec<Arc<Bits>> = match slots.as_slice() {
            [only] => only.sets.clone(),
            _ => phrase::events(view, clause, &slots)?,
        };
        let living = view.segments.iter().zip(&typed).map(|(segment, set)| set.count_with(&segment.alive));
        let events: usize = living.sum();
        let (clause, unknown) = (clause.clone(), events == 0);
        let mut found = Self { clause, slots, typos: Typos::new(), unknown, sets: typed.clone(), typed };
        if events < TYPO_BELOW_EVENTS && found.clause.tolerant {
            found.add_typos(view)?;
        }
        Ok(found)
    }

    fn add_typos(&mut self, view: &View) -> Result<(), SearchError> {
        let (Some(slot), [only]) = (self.clause.slots.first(), self.slots.as_mut_slice()) else { return Ok(()) };
        self.typos = typo::near(view, slot)?;
        for (segment, set) in view.segments.iter().zip(&mut self.sets) {
            let index = segment.reader.inverted_index(fields().text)?;
            let mut with_typos = Bits::clone(set);
            for (typo, _) in &self.typos {
                if let Some(info) = index.terms().get(typo)? {
                    segment.add_events(&index, &info, &mut with_typos)?;
                }
            }
            *set = Arc::new(with_typos);
        }
        only.events = self.sets.iter().map(|set| set.count()).sum();
        Ok(())
    }

    /// The nearest word that stands somewhere, when it itself does not.
    pub(super) fn nearest(&self) -> Option<&str> {
        self.typos.first().filter(|_| self.unknown).map(|(word, _)| word.as_str())
    }
}

impl Segment {
    /// The events in whose field the term stands, or one that begins so.
    pub(in crate::view) fn events_with(&self, field: Field, slot: &Slot) -> Result<Arc<Bits>, SearchError> {
        let key = SetKey::Term(field, slot.clone());
        if let Some(found) = self.columns.sets.recall(&key) {
            return Ok(found);
        }
        let index = self.reader.inverted_index(field)?;
        let mut set = Bits::none(self.columns.len());
        let terms = slot.terms(&index)?;
        for (info, _) in &terms {
            self.add_events(&index, info, &mut set)?;
        }
        let postings: u64 = terms.iter().map(|(info, _)| u64::from(info.doc_freq)).sum();
        let dear = terms.len() >= REMEMBERED_TERMS_MIN || postings >= REMEMBERED_POSTINGS_MIN;
        Ok(if dear { self.columns.sets.remember(key, set) } else { Arc::new(set) })
    }

    pub(in crate::view) fn add_events(
        &self,
        index: &InvertedIndexReader,
        info: &TermInfo,
        set: &mut Bits,
    ) -> Result<(), SearchError> {
        let mut postings = index.read_block_postings_from_terminfo(info, IndexRecordOption::Basic)?;
        while postings.block_len() > 0 {
            for rank in postings.docs().iter().filter_map(|doc| self.columns.rank_of(*doc)) {
                set.insert(rank);
            }
            postings.advance();
        }
        Ok(())
    }
}

impl Slot {
    /// The indexed words of a segment that stand for the term as it was typed, with their weight.
    pub(super) fn terms(&self, index: &InvertedIndexReader) -> Result<Vec<(TermInfo, f32)>, SearchError> {
        let mut terms = Vec::new();
        if self.prefix {
            let mut stream = index.terms().range().ge(&self.term).into_stream()?;
            while stream.advance() && stream.key().starts_with(self.term.as_bytes()) {
                let weight = if stream.key().len() == self.term.len() { 1.0 } else { PREFIX_WEIGHT };
                terms.push((stream.value().clone(), weight));
            }
        } else if let Some(info) = index.terms().get(&self.term)? {
            terms.push((info, 1.0));
        }
        Ok(terms)
    }
}
