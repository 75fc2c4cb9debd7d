//! One clause looked up: the events it stands in, as it was typed and with typing errors.

use super::phrase;
use super::typo::{self, Typos};
use crate::bits::Bits;
use crate::columns::{Sought, Standing, UNITS};
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
/// How much a word counts that only begins as the one typed, in units.
const PREFIX_WEIGHT: u32 = UNITS / 2;

/// A clause with where it stands, per segment.
pub(super) struct Found {
    pub(super) clause: Clause,
    /// Of each of its slots.
    pub(super) slots: Vec<FoundSlot>,
    /// Indexed words a typing error or two away, with their weight in units.
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
        let events = standings.iter().map(|standing| standing.len()).sum();
        Self { standings, events }
    }
}

impl Found {
    pub(super) fn look_up(view: &View, clause: &Clause) -> Result<Self, SearchError> {
        let mut slots = Vec::with_capacity(clause.slots.len());
        for slot in &clause.slots {
            let standings = view.segments.iter().map(|segment| segment.standing(fields().text, slot));
            slots.push(FoundSlot::new(standings.collect::<Result<_, _>>()?));
        }
        let typed = match slots.as_slice() {
            [only] => only.standings.clone(),
            _ => phrase::events(view, clause, &slots)?,
        };
        let mut events = 0;
        for (segment, standing) in view.segments.iter().zip(&typed) {
            events += standing.count_up_to(TYPO_BELOW_EVENTS - events, &segment.alive);
        }
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
        // In an order that does not change with how many events have each.
        let mut typos = self.typos.clone();
        typos.sort_unstable();
        let sought = Sought::Near(slot.clone(), typos);
        let meant = view.segments.iter().map(|segment| {
            segment.remembered(fields().text, &sought, |index| {
                let mut terms = slot.terms(index)?;
                for (typo, weight) in &self.typos {
                    terms.extend(index.terms().get(typo)?.map(|info| (info, *weight)));
                }
                Ok(terms)
            })
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
    /// Where a term stands in a field, or one that begins so.
    pub(in crate::view) fn standing(&self, field: Field, slot: &Slot) -> Result<Arc<Standing>, SearchError> {
        self.remembered(field, &Sought::Word(field, slot.clone()), |index| slot.terms(index))
    }

    /// Where any of some terms of a field stands, under what is sought by them.
    fn remembered(
        &self,
        field: Field,
        sought: &Sought,
        terms: impl FnOnce(&InvertedIndexReader) -> Result<Vec<(TermInfo, u32)>, SearchError>,
    ) -> Result<Arc<Standing>, SearchError> {
        if let Some(found) = self.columns.standings.recall(sought) {
            return Ok(found);
        }
        let index = self.reader.inverted_index(field)?;
        let terms = terms(&index)?;
        let standing = self.read(&index, &terms)?;
        let dear = terms.len() >= REMEMBERED_TERMS_MIN || standing.len() >= REMEMBERED_EVENTS_MIN;
        Ok(if dear { self.columns.standings.remember(sought.clone(), standing) } else { Arc::new(standing) })
    }

    /// Where any of these terms stands, each counted by its weight in units.
    pub(in crate::view) fn read(
        &self,
        index: &InvertedIndexReader,
        terms: &[(TermInfo, u32)],
    ) -> Result<Standing, SearchError> {
        let postings: usize = terms.iter().map(|(info, _)| info.doc_freq as usize).sum();
        let mut found: Vec<(u32, u32)> = Vec::with_capacity(postings);
        for (info, weight) in terms {
            let mut postings = index.read_block_postings_from_terminfo(info, IndexRecordOption::WithFreqs)?;
            while postings.block_len() > 0 {
                for (n, doc) in postings.docs().iter().enumerate() {
                    if let Some(rank) = self.columns.rank_of(*doc) {
                        // Of titles it is not kept how often.
                        let frequency = postings.freqs().get(n).copied().unwrap_or(1);
                        found.push((u32::try_from(rank).unwrap_or(u32::MAX), weight * frequency));
                    }
                }
                postings.advance();
            }
        }
        let len = self.columns.len();
        if found.len() < SORTED_MAX {
            found.sort_unstable();
            found.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                kept.1 += if same { next.1 } else { 0 };
                same
            });
            let (ranks, units): (_, Vec<u32>) = found.into_iter().unzip();
            return Ok(Standing::listed(len, ranks, units.into_iter()));
        }
        let mut set = Bits::none(len);
        for (rank, _) in &found {
            set.insert(*rank as usize);
        }
        let before = set.ranks();
        let mut units = vec![0; set.count()];
        for (rank, count) in found {
            if let Some(sum) = set.rank(&before, rank as usize).and_then(|place| units.get_mut(place)) {
                *sum += count;
            }
        }
        Ok(Standing::marked(set, units.into_iter()))
    }
}

impl Slot {
    /// The indexed words of a segment that stand for the term as it was typed, with their weight in units.
    pub(super) fn terms(&self, index: &InvertedIndexReader) -> Result<Vec<(TermInfo, u32)>, SearchError> {
        let mut terms = Vec::new();
        if self.prefix {
            let mut stream = index.terms().range().ge(&self.term).into_stream()?;
            while stream.advance() && stream.key().starts_with(self.term.as_bytes()) {
                let weight = if stream.key().len() == self.term.len() { UNITS } else { PREFIX_WEIGHT };
                terms.push((stream.value().clone(), weight));
            }
        } else if let Some(info) = index.terms().get(&self.term)? {
            terms.push((info, UNITS));
        }
        Ok(terms)
    }
}
