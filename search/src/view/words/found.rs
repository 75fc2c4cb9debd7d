//! One clause looked up: the events it stands in, as it was typed and with typing errors.

use super::phrase;
use super::typo::{self, Typos};
use crate::bits::Bits;
use crate::columns::{SetKey, Standing};
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
/// So is a word that so many events of a segment have.
pub(super) const REMEMBERED_EVENTS_MIN: usize = 256;
/// Up to so many are put in order by sorting.
const SORTED_MAX: usize = 1_024;
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
    pub(super) typed: Vec<Arc<Standing>>,
    /// Those, and the ones in which what it may have meant stands.
    pub(super) meant: Vec<Arc<Standing>>,
}

/// Where a term stands, or what it may have meant, per segment.
pub(super) struct FoundSlot {
    pub(super) standings: Vec<Arc<Standing>>,
    /// In how many events.
    pub(super) events: usize,
}

impl FoundSlot {
    fn new(standings: Vec<Arc<Standing>>) -> Self {
        let events = standings.iter().map(|standing| standing.ranks.len()).sum();
        Self { standings, events }
    }
}

impl Found {
    pub(super) fn look_up(view: &View, clause: &Clause) -> Result<Self, SearchError> {
        let mut slots = Vec::with_capacity(clause.slots.len());
        for slot in &clause.slots {
            let standings = view.segments.iter().map(|segment| segment.standing(slot));
            slots.push(FoundSlot::new(standings.collect::<Result<_, _>>()?));
        }
        let typed = match slots.as_slice() {
            [only] => only.standings.clone(),
            _ => phrase::events(view, clause, &slots)?,
        };
        let living = view.segments.iter().zip(&typed).flat_map(|(segment, standing)| {
            standing.ranks.iter().filter(|rank| segment.alive.contains(**rank as usize))
        });
        let events = living.take(TYPO_BELOW_EVENTS).count();
        let (clause, unknown) = (clause.clone(), events == 0);
        let mut found = Self { clause, slots, typos: Typos::new(), unknown, meant: typed.clone(), typed };
        if events < TYPO_BELOW_EVENTS && found.clause.tolerant {
            found.add_typos(view)?;
        }
        Ok(found)
    }

    fn add_typos(&mut self, view: &View) -> Result<(), SearchError> {
        let [slot] = self.clause.slots.as_slice() else { return Ok(()) };
        self.typos = typo::near(view, slot)?;
        if self.typos.is_empty() {
            return Ok(());
        }
        let meant = view.segments.iter().map(|segment| {
            let index = segment.reader.inverted_index(fields().text)?;
            let mut terms = slot.terms(&index)?;
            for (typo, weight) in &self.typos {
                terms.extend(index.terms().get(typo)?.map(|info| (info, *weight)));
            }
            Ok(Arc::new(segment.read(&index, &terms)?))
        });
        self.meant = meant.collect::<Result<_, SearchError>>()?;
        self.slots = vec![FoundSlot::new(self.meant.clone())];
        Ok(())
    }

    /// The nearest word that stands somewhere, when it itself does not.
    pub(super) fn nearest(&self) -> Option<&str> {
        self.typos.first().filter(|_| self.unknown).map(|(word, _)| word.as_str())
    }
}

impl Segment {
    /// Where a term stands, or one that begins so.
    fn standing(&self, slot: &Slot) -> Result<Arc<Standing>, SearchError> {
        if let Some(found) = self.columns.standings.recall(std::slice::from_ref(slot)) {
            return Ok(found);
        }
        let index = self.reader.inverted_index(fields().text)?;
        let terms = slot.terms(&index)?;
        let standing = self.read(&index, &terms)?;
        let dear = terms.len() >= REMEMBERED_TERMS_MIN || standing.ranks.len() >= REMEMBERED_EVENTS_MIN;
        Ok(if dear { self.columns.standings.remember(vec![slot.clone()], standing) } else { Arc::new(standing) })
    }

    /// Where any of these terms stands, each counted by its weight.
    fn read(&self, index: &InvertedIndexReader, terms: &[(TermInfo, f32)]) -> Result<Standing, SearchError> {
        let postings: usize = terms.iter().map(|(info, _)| info.doc_freq as usize).sum();
        let mut found: Vec<(u32, f32)> = Vec::with_capacity(postings);
        self.each_posting(index, terms, |rank, count| found.push((rank, count)))?;
        // Where several terms stand in one event, their counts are added in the order of the terms, either way.
        if found.len() < SORTED_MAX {
            found.sort_by_key(|(rank, _)| *rank);
            found.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                kept.1 += if same { next.1 } else { 0.0 };
                same
            });
            let (ranks, frequencies) = found.into_iter().unzip();
            return Ok(Standing { ranks, frequencies });
        }
        let mut set = Bits::none(self.columns.len());
        for (rank, _) in &found {
            set.insert(*rank as usize);
        }
        let (ranks, before) = (set.list(), set.ranks());
        let mut frequencies = vec![0.0; ranks.len()];
        for (rank, count) in found {
            if let Some(sum) = set.rank(&before, rank as usize).and_then(|place| frequencies.get_mut(place)) {
                *sum += count;
            }
        }
        Ok(Standing { ranks, frequencies })
    }

    /// Every event that has one of these terms, with how often by the term's weight.
    #[expect(clippy::cast_precision_loss, reason = "a score needs no more than a float holds")]
    fn each_posting(
        &self,
        index: &InvertedIndexReader,
        terms: &[(TermInfo, f32)],
        mut take: impl FnMut(u32, f32),
    ) -> Result<(), SearchError> {
        for (info, weight) in terms {
            let mut postings = index.read_block_postings_from_terminfo(info, IndexRecordOption::WithFreqs)?;
            while postings.block_len() > 0 {
                for (doc, frequency) in postings.docs().iter().zip(postings.freqs()) {
                    if let Some(rank) = self.columns.rank_of(*doc) {
                        take(u32::try_from(rank).unwrap_or(u32::MAX), weight * *frequency as f32);
                    }
                }
                postings.advance();
            }
        }
        Ok(())
    }

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
        let dear = terms.len() >= REMEMBERED_TERMS_MIN;
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
