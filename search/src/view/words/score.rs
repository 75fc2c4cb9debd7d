//! How well an event matches.
//!
//! What it owes its match to comes first: a title that is exactly what was typed, then everything as it was typed, then with
//! typing errors, then by a synonym. Among equals decides BM25 (Robertson and Zaragoza 2009) over weighted frequencies, where all
//! indexed words one typed word stands for count as one word. It is raised by up to a tenth for popularity p, as p / (p + 100),
//! and by up to a tenth for the days d until the event, as 30 / (30 + d): neither ever lifts an event over a better kind of match.
//! What an admin pinned comes before all.

use super::found::{Found, REMEMBERED_POSTINGS_MIN};
use super::{Words, all_of};
use crate::bits::Bits;
use crate::columns::{Counts, name_key};
use crate::fold;
use crate::request::Slot;
use crate::schema::fields;
use crate::view::filter::Matches;
use crate::view::{SearchError, Segment, View};
use std::sync::Arc;
use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::{Postings as _, TermInfo};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet as _, InvertedIndexReader};

/// BM25's customary parameters.
const K1: f32 = 1.2;
const B: f32 = 0.75;
/// How much a synonym's words count.
const SYNONYM_WEIGHT: f32 = 0.5;
/// The most that popularity and nearness in time add, each.
const RAISE_MAX: f32 = 0.1;
const POPULARITY_HALF: f32 = 100.0;
const DAYS_HALF: f32 = 30.0;
const DAY_US: i64 = 86_400_000_000;
/// Up to so many hits are leapt to in the postings of a word that has this many times as many.
const FEW_MAX: usize = 4_096;
const SEEK_POSTINGS: u64 = 16;
/// The score whose fraction is a half.
const SHOWN_HALF: f32 = 10.0;

/// How well an event matches; greater is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::view) struct Relevance {
    /// From 0: how much it is pinned, the kind of match (2 bits), the bits of the score, which is not negative.
    key: i64,
}

/// What an event owes its match to.
#[derive(Clone, Copy)]
enum Kind {
    Synonym = 0,
    Typo = 1,
    Typed = 2,
    Title = 3,
}

impl Relevance {
    fn new(boost: u8, kind: Kind, score: f32) -> Self {
        // Bits of floats that are not negative sort as the floats do.
        let (kind, score) = (kind as i64, i64::from(score.max(0.0).to_bits()));
        Self { key: i64::from(boost) << 34 | kind << 32 | score }
    }

    /// By a share that places in several orders give, instead of by kind and score; what is pinned stays so.
    pub(in crate::view) fn placed(self, share: f32) -> Self {
        Self::new(self.boost(), Kind::Title, share * SHOWN_HALF)
    }

    /// The same, but after everything that is [`Relevance::placed`].
    pub(in crate::view) fn unplaced(self) -> Self {
        self.min(Self::new(self.boost(), Kind::Typed, f32::MAX))
    }

    fn boost(self) -> u8 {
        u8::try_from(self.key >> 34).unwrap_or(u8::MAX)
    }

    /// As an order's number: smaller comes first.
    pub(in crate::view) fn key(self) -> i64 {
        -self.key
    }

    /// As hits show it: the whole part is the kind of match and what is pinned, the fraction how well it matches.
    #[expect(clippy::cast_precision_loss, reason = "boost and kind are small")]
    pub(in crate::view) fn shown(self) -> f32 {
        let score = f32::from_bits(u32::try_from(self.key & i64::from(u32::MAX)).unwrap_or(0));
        (self.key >> 32) as f32 + score / (score + SHOWN_HALF)
    }
}

impl Words {
    /// The relevance of each hit on a day (days since 1970), per segment in the order of its ranks.
    pub(in crate::view) fn score(
        &self,
        view: &View,
        matches: &[Matches],
        day: i32,
    ) -> Result<Vec<Vec<Relevance>>, SearchError> {
        let each = view.segments.iter().zip(matches).enumerate();
        each.map(|(number, (segment, found))| {
            let sums = self.sums(view, number, found)?;
            let (mut typed, mut meant) = (found.hits.clone(), found.hits.clone());
            for group in &self.groups {
                all_of(&group.clauses, number, &mut typed, |found| &found.typed);
                all_of(&group.clauses, number, &mut meant, |found| &found.sets);
            }
            let title_key = name_key(&self.name);
            let mut relevances = Vec::with_capacity(sums.len());
            let mut sums = sums.into_iter();
            found.hits.for_each(|rank| {
                let columns = &segment.columns;
                let has_key = columns.name_key.get(rank) == Some(&title_key);
                let kind = if has_key && fold::name(columns.title(rank)) == self.name {
                    Kind::Title
                } else if typed.contains(rank) {
                    Kind::Typed
                } else if meant.contains(rank) {
                    Kind::Typo
                } else {
                    Kind::Synonym
                };
                let score = sums.next().unwrap_or(0.0) * segment.raise(rank, day);
                relevances.push(Relevance::new(segment.boost(rank), kind, score));
            });
            Ok(relevances)
        })
        .collect()
    }

    /// The sum of BM25 over everything looked for, of each hit of a segment.
    #[expect(clippy::cast_precision_loss, reason = "a score needs no more than a float holds")]
    fn sums(&self, view: &View, number: usize, found: &Matches) -> Result<Vec<f32>, SearchError> {
        let Some(segment) = view.segments.get(number) else { return Ok(Vec::new()) };
        let length_mean = (view.tokens as f32 / (view.events.max(1)) as f32).max(1.0);
        let mut scorer = Scorer::new(segment, &found.hits)?;
        let mut sums = vec![0.0; scorer.frequencies.len()];
        let typed = self.groups.iter().flat_map(|group| group.clauses.iter().map(|clause| (clause, 1.0)));
        let meant = self.groups.iter().flat_map(|group| group.meanings.iter().flatten().map(|c| (c, SYNONYM_WEIGHT)));
        for (clause, weight) in typed.chain(meant) {
            for (slot, standing) in clause.clause.slots.iter().zip(&clause.slots) {
                let weight = weight * idf(standing.events, view.events) * (K1 + 1.0);
                scorer.count(slot, clause, standing.sets.get(number))?;
                for (sum, (frequency, length)) in sums.iter_mut().zip(&scorer.frequencies) {
                    let norm = K1 * (1.0 - B + B * *length as f32 / length_mean);
                    *sum += weight * frequency / (frequency + norm);
                }
            }
        }
        Ok(sums)
    }
}

/// Counts words in the hits of a segment.
struct Scorer<'a> {
    segment: &'a Segment,
    hits: &'a Bits,
    ranks: Vec<u32>,
    /// The documents of the hits in order, each with its hit's place, where there are few.
    few: Vec<(DocId, usize)>,
    index: Arc<InvertedIndexReader>,
    lengths: FieldNormReader,
    /// For each hit how often the word counted last stands in it, by weight, and how many words it has.
    frequencies: Counts,
}

impl<'a> Scorer<'a> {
    fn new(segment: &'a Segment, hits: &'a Bits) -> Result<Self, SearchError> {
        let frequencies = vec![(0.0, 0); hits.count()];
        let mut few = Vec::new();
        if frequencies.len() <= FEW_MAX {
            hits.for_each(|rank| few.extend(segment.columns.doc.get(rank).map(|doc| (*doc, few.len()))));
            few.sort_unstable();
        }
        let index = segment.reader.inverted_index(fields().text)?;
        let lengths = segment.reader.get_fieldnorms_reader(fields().text)?;
        Ok(Self { segment, hits, ranks: hits.ranks(), few, index, lengths, frequencies })
    }

    /// Counts a term, which stands in `set`, and what its clause may have meant by it.
    fn count(&mut self, slot: &Slot, clause: &Found, set: Option<&Arc<Bits>>) -> Result<(), SearchError> {
        self.frequencies.fill((0.0, 0));
        if self.frequencies.is_empty() {
            return Ok(());
        }
        let remembered = self.segment.columns.counts.recall(slot);
        if let Some((set, counts)) = set.zip(remembered).filter(|_| clause.typos.is_empty()) {
            self.copy(set, &counts);
            return Ok(());
        }
        let mut terms = slot.terms(&self.index)?;
        for (typo, weight) in &clause.typos {
            terms.extend(self.index.terms().get(typo)?.map(|info| (info, *weight)));
        }
        let postings: u64 = terms.iter().map(|(info, _)| u64::from(info.doc_freq)).sum();
        let few = self.few.len() as u64;
        if few > 0 && few * SEEK_POSTINGS < postings {
            return terms.iter().try_for_each(|(info, weight)| self.seek(info, *weight));
        }
        match set {
            Some(set) if clause.typos.is_empty() && postings >= REMEMBERED_POSTINGS_MIN => {
                let mut counts = vec![(0.0, 0); set.count()];
                self.scan(&terms, (set, &set.ranks()), &mut counts)?;
                let counts = self.segment.columns.counts.remember(slot.clone(), counts);
                self.copy(set, &counts);
            }
            _ => {
                let mut counts = std::mem::take(&mut self.frequencies);
                let scanned = self.scan(&terms, (self.hits, &self.ranks), &mut counts);
                self.frequencies = counts;
                scanned?;
            }
        }
        Ok(())
    }

    /// Takes the hits' counts out of those of a whole set.
    fn copy(&mut self, set: &Bits, counts: &Counts) {
        if set == self.hits {
            self.frequencies.copy_from_slice(counts);
            return;
        }
        let mut counts = counts.iter();
        set.for_each(|rank| {
            let count = counts.next();
            let place = self.hits.rank(&self.ranks, rank);
            if let Some((sum, count)) = place.and_then(|place| self.frequencies.get_mut(place)).zip(count) {
                *sum = *count;
            }
        });
    }

    /// Reads all of the terms' postings, adding to the counts of a set's members.
    #[expect(clippy::cast_precision_loss, reason = "a score needs no more than a float holds")]
    fn scan(
        &self,
        terms: &[(TermInfo, f32)],
        (set, ranks): (&Bits, &[u32]),
        counts: &mut Counts,
    ) -> Result<(), SearchError> {
        for (info, weight) in terms {
            let mut postings = self.index.read_block_postings_from_terminfo(info, IndexRecordOption::WithFreqs)?;
            while postings.block_len() > 0 {
                for (doc, frequency) in postings.docs().iter().zip(postings.freqs()) {
                    let rank = self.segment.columns.rank_of(*doc);
                    let place = rank.and_then(|rank| set.rank(ranks, rank));
                    if let Some(sum) = place.and_then(|place| counts.get_mut(place)) {
                        sum.0 += weight * *frequency as f32;
                        sum.1 = self.lengths.fieldnorm(*doc);
                    }
                }
                postings.advance();
            }
        }
        Ok(())
    }

    /// Leaps through a term's postings from hit to hit.
    #[expect(clippy::cast_precision_loss, reason = "a score needs no more than a float holds")]
    fn seek(&mut self, info: &TermInfo, weight: f32) -> Result<(), SearchError> {
        let mut postings = self.index.read_postings_from_terminfo(info, IndexRecordOption::WithFreqs)?;
        for (doc, place) in &self.few {
            if postings.doc() < *doc {
                postings.seek(*doc);
            }
            if postings.doc() == *doc
                && let Some(sum) = self.frequencies.get_mut(*place)
            {
                sum.0 += weight * postings.term_freq() as f32;
                sum.1 = self.lengths.fieldnorm(*doc);
            }
        }
        Ok(())
    }
}

impl Segment {
    /// How much an event is pinned.
    fn boost(&self, rank: usize) -> u8 {
        if self.columns.pinned.contains(rank) { self.columns.boosts.get(&rank).copied().unwrap_or(0) } else { 0 }
    }

    /// By what popularity and nearness in time raise an event's score.
    #[expect(clippy::cast_precision_loss, reason = "a score needs no more than a float holds")]
    fn raise(&self, rank: usize, day: i32) -> f32 {
        let popularity = self.columns.popularity.get(rank).copied().unwrap_or(0) as f32;
        let start = self.columns.starts_at.get(rank).filter(|_| !self.columns.unannounced.contains(rank));
        let days = start.map(|start| start.div_euclid(DAY_US) - i64::from(day)).filter(|days| *days >= 0);
        let soon = days.map_or(0.0, |days| DAYS_HALF / (DAYS_HALF + days as f32));
        1.0 + RAISE_MAX * (popularity / (popularity + POPULARITY_HALF) + soon)
    }
}

/// Inverse document frequency of a word that so many events have.
#[expect(clippy::cast_precision_loss, reason = "a score needs no more than a float holds")]
fn idf(with: usize, events: u64) -> f32 {
    let with = with as f32;
    let without = (events as f32 - with).max(0.0);
    (1.0 + (without + 0.5) / (with + 0.5)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_match_comes_before_any_score() {
        let order = [
            Relevance::new(0, Kind::Synonym, 900.0),
            Relevance::new(0, Kind::Typo, 0.0),
            Relevance::new(0, Kind::Typo, 900.0),
            Relevance::new(0, Kind::Typed, 0.5),
            Relevance::new(0, Kind::Title, 0.1),
            Relevance::new(1, Kind::Synonym, 0.0),
            Relevance::new(100, Kind::Synonym, 0.0),
        ];
        assert!(order.is_sorted() && order.windows(2).all(|pair| pair[0].shown() < pair[1].shown()));
        assert!(order.windows(2).all(|pair| pair[0].key() > pair[1].key()));
        assert!((Relevance::new(0, Kind::Typed, 10.0).shown() - 2.5).abs() < 1e-6);
    }
}
