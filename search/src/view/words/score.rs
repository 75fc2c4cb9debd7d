//! How well an event matches.
//!
//! What it owes its match to comes first: a title that is exactly what was typed, then everything as it was typed, then with
//! typing errors, then by a synonym. Among equals decides BM25 (Robertson and Zaragoza 2009) over weighted frequencies, where all
//! indexed words one typed word stands for count as one word. It is raised by up to a tenth for popularity p, as p / (p + 100),
//! and by up to a tenth for the days d until the event, as 30 / (30 + d): neither ever lifts an event over a better kind of match.
//! What an admin pinned comes before all.
//!
//! A page of one word's hits needs no look at all of them: the events that each word says most about are kept in order, and all
//! that comes before any score is looked up.

use super::found::Found;
use super::{Words, keep};
use crate::bits::Bits;
use crate::columns::{BEST_MAX, Basis, Scoring, Standing, name_hash};
use crate::fold;
use crate::request::Cursor;
use crate::view::filter::Matches;
use crate::view::{Segment, View};
use std::cmp::Reverse;
use std::sync::Arc;
use tantivy::fieldnorm::FieldNormReader;

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

    /// Whether it is pinned, or the match of a better kind than `kind`.
    fn comes_before_any_score(self, kind: Kind) -> bool {
        self.key >> 32 > kind as i64
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

/// A hit with how well it matches.
#[derive(Clone, Copy, Debug)]
pub(in crate::view) struct Scored {
    pub(in crate::view) rank: u32,
    pub(in crate::view) relevance: Relevance,
}

/// Which hits are wanted in order: so many after a cursor.
#[derive(Clone, Copy)]
pub(in crate::view) struct Page<'a> {
    pub(in crate::view) wanted: usize,
    pub(in crate::view) after: Option<&'a Cursor>,
}

/// What the hits of a segment are scored with.
struct Scorer<'a> {
    words: &'a Words,
    segment: &'a Segment,
    number: usize,
    hits: &'a Bits,
    scoring: Arc<Vec<Scoring>>,
    norms: &'a Norms,
    basis: Basis,
    title_hash: u32,
    kinds: Kinds,
}

impl Words {
    /// Hits with their relevance on a day (days since 1970), per segment in no order: all of them, or at least those on the page.
    pub(in crate::view) fn score(
        &self,
        view: &View,
        matches: &[Matches],
        day: i32,
        page: Option<Page<'_>>,
    ) -> Vec<Vec<Scored>> {
        let length_mean = length_mean(view);
        let norms = norms(length_mean);
        let title_hash = name_hash(&self.name);
        let each = view.segments.iter().zip(matches).enumerate().map(|(number, (segment, found))| {
            let hits = &found.hits;
            let (scoring, kinds) = (segment.scoring(day), self.kinds(number, found));
            let (norms, basis) = (&norms, (day, length_mean));
            let scorer = Scorer { words: self, segment, number, hits, scoring, norms, basis, title_hash, kinds };
            page.and_then(|page| scorer.first(view, page)).unwrap_or_else(|| scorer.all(view, &hits.list()))
        });
        each.collect()
    }

    /// The only word looked for, when there is but one and no synonym stands for it.
    fn only(&self) -> Option<&Found> {
        let [group] = self.groups.as_slice() else { return None };
        let [only] = group.clauses.as_slice() else { return None };
        Some(only).filter(|found| group.meanings.is_empty() && found.slots.len() == 1)
    }

    /// For everything looked for its weight and how often it stands in each hit of a segment.
    fn counted(&self, view: &View, number: usize, hits: &[u32]) -> Vec<(f32, Vec<f32>)> {
        let typed = self.groups.iter().flat_map(|group| group.clauses.iter().map(|clause| (clause, 1.0)));
        let meant = self.groups.iter().flat_map(|group| group.meanings.iter().flatten().map(|c| (c, SYNONYM_WEIGHT)));
        let slots = typed.chain(meant).flat_map(|(clause, weight)| clause.slots.iter().map(move |slot| (slot, weight)));
        let counted = slots.filter_map(|(slot, weight)| {
            let standing = slot.standings.get(number)?;
            Some((weight * word_weight(slot.events, view.events), standing.frequencies(hits)))
        });
        counted.collect()
    }

    /// What the hits of a segment owe their match to, if not to their title.
    fn kinds(&self, number: usize, found: &Matches) -> Kinds {
        let is_plain = |found: &Found| found.typos.is_empty();
        if self.groups.iter().all(|group| group.meanings.is_empty() && group.clauses.iter().all(is_plain)) {
            return Kinds { typed: None };
        }
        let (mut typed, mut meant) = (found.hits.clone(), found.hits.clone());
        for group in &self.groups {
            keep(&group.clauses, number, &mut typed, |found| &found.typed);
            keep(&group.clauses, number, &mut meant, |found| &found.meant);
        }
        Kinds { typed: Some((typed, meant)) }
    }
}

/// What typed words alone and with typing errors let through; none when there is nothing but what was typed.
struct Kinds {
    typed: Option<(Bits, Bits)>,
}

impl Kinds {
    /// That of hits which owe their match to nothing better; synonyms left aside.
    fn least(&self) -> Kind {
        if self.typed.is_some() { Kind::Typo } else { Kind::Typed }
    }

    fn of(&self, rank: usize) -> Kind {
        match &self.typed {
            None => Kind::Typed,
            Some((typed, _)) if typed.contains(rank) => Kind::Typed,
            Some((_, meant)) if meant.contains(rank) => Kind::Typo,
            Some(_) => Kind::Synonym,
        }
    }
}

impl Scorer<'_> {
    /// Every one of these hits, scored.
    fn all(&self, view: &View, hits: &[u32]) -> Vec<Scored> {
        let counted = self.words.counted(view, self.number, hits);
        let scored = |(nth, rank): (usize, &u32)| {
            let scoring = self.scoring(*rank);
            let score = counted.iter().fold(0.0, |sum, (weight, frequencies)| {
                let frequency = frequencies.get(nth).copied().unwrap_or(0.0);
                sum + weight * self.says(&scoring, frequency)
            });
            self.scored(*rank, &scoring, score)
        };
        hits.iter().enumerate().map(scored).collect()
    }

    /// At least the hits of the page, when one word's best events are enough to tell.
    fn first(&self, view: &View, page: Page<'_>) -> Option<Vec<Scored>> {
        let found = self.words.only()?;
        let slot = found.slots.first()?;
        let standing = slot.standings.get(self.number)?;
        // Among so many of the word's events it is likely that the page is among the best.
        let hits = self.hits.count();
        if standing.len() <= BEST_MAX || hits * BEST_MAX < standing.len() * page.wanted * 2 {
            return None;
        }
        let mut scored = self.all(view, &self.before_any_score(found));
        let ids = &self.segment.columns.id;
        let is_after = |hit: &Scored| {
            let id = ids.get(hit.rank as usize);
            page.after.is_none_or(|after| id.is_some_and(|id| (hit.relevance.key(), *id) > (after.key, after.id)))
        };
        let mut left = page.wanted.saturating_sub(scored.iter().filter(|hit| is_after(hit)).count());
        if left == 0 {
            return Some(scored);
        }
        let best = standing.best(self.basis, || self.best(standing));
        let weight = word_weight(slot.events, view.events);
        let mut last = None;
        for (rank, says) in best.events.iter().filter(|(rank, _)| self.hits.contains(*rank as usize)) {
            let hit = self.scored(*rank, &self.scoring(*rank), weight * says);
            if hit.relevance.comes_before_any_score(self.kinds.least()) {
                continue;
            }
            // Whatever scores as the last one may come before it.
            if last.is_some_and(|last| hit.relevance < last) {
                return Some(scored);
            }
            scored.push(hit);
            if is_after(&hit) {
                left = left.saturating_sub(1);
                last = last.or((left == 0).then_some(hit.relevance));
            }
        }
        None
    }

    /// Hits that are pinned, have the title, or are of a better kind of match than the other hits of their word.
    fn before_any_score(&self, found: &Found) -> Vec<u32> {
        let columns = &self.segment.columns;
        let is_hit = |rank: &u32| self.hits.contains(*rank as usize);
        let mut ranks = columns.with_name_hash(self.title_hash).to_vec();
        ranks.extend(columns.boosts.keys().filter_map(|rank| u32::try_from(*rank).ok()).filter(is_hit));
        if let Some(typed) = found.typed.get(self.number).filter(|_| !found.typos.is_empty()) {
            ranks.extend_from_slice(&typed.ranks());
        }
        ranks.retain(is_hit);
        ranks.sort_unstable();
        ranks.dedup();
        ranks.retain(|rank| {
            let hit = self.scored(*rank, &self.scoring(*rank), 0.0);
            hit.relevance.comes_before_any_score(self.kinds.least())
        });
        ranks
    }

    /// The events a word says most about, most first.
    fn best(&self, standing: &Standing) -> Vec<(u32, f32)> {
        let ranks = standing.ranks();
        let counted = ranks.iter().zip(standing.frequencies(&ranks));
        let mut each: Vec<(Reverse<u32>, u32)> = counted
            // Bits of floats that are not negative sort as the floats do.
            .map(|(rank, frequency)| (Reverse(self.says(&self.scoring(*rank), frequency).to_bits()), *rank))
            .collect();
        if each.len() > BEST_MAX {
            each.select_nth_unstable(BEST_MAX);
            each.truncate(BEST_MAX);
        }
        each.sort_unstable();
        each.into_iter().map(|(Reverse(says), rank)| (rank, f32::from_bits(says))).collect()
    }

    fn scoring(&self, rank: u32) -> Scoring {
        self.scoring.get(rank as usize).copied().unwrap_or_default()
    }

    /// What a word that stands so often in an event says about it, whatever the word weighs.
    fn says(&self, scoring: &Scoring, frequency: f32) -> f32 {
        let norm = self.norms.get(usize::from(scoring.length_id)).copied().unwrap_or(K1);
        frequency / (frequency + norm) * scoring.raise
    }

    fn scored(&self, rank: u32, scoring: &Scoring, score: f32) -> Scored {
        let place = rank as usize;
        let is_title =
            scoring.name_hash == self.title_hash && fold::name(self.segment.columns.title(place)) == self.words.name;
        let kind = if is_title { Kind::Title } else { self.kinds.of(place) };
        Scored { rank, relevance: Relevance::new(scoring.boost, kind, score) }
    }
}

/// What is added to a frequency in BM25's denominator, by the number of an event's length.
type Norms = [f32; 256];

/// The mean length of an event's text in whole words, so that it seldom changes.
fn length_mean(view: &View) -> u32 {
    let events = view.events.max(1);
    u32::try_from((view.tokens + events / 2) / events).unwrap_or(u32::MAX).max(1)
}

#[expect(clippy::cast_precision_loss, reason = "a score needs no more than a float holds")]
fn norms(length_mean: u32) -> Norms {
    std::array::from_fn(|id| {
        let length = FieldNormReader::id_to_fieldnorm(u8::try_from(id).unwrap_or(u8::MAX));
        K1 * (1.0 - B + B * length as f32 / length_mean as f32)
    })
}

impl Segment {
    /// How much an event is pinned.
    fn boost(&self, rank: usize) -> u8 {
        if self.columns.pinned.contains(rank) { self.columns.boosts.get(&rank).copied().unwrap_or(0) } else { 0 }
    }

    /// What scores are made with on a day, remembered while it is that day.
    fn scoring(&self, day: i32) -> Arc<Vec<Scoring>> {
        let mut remembered = self.columns.scoring.lock();
        if let Some((of, scoring)) = &*remembered
            && *of == day
        {
            return Arc::clone(scoring);
        }
        let lengths = self.columns.name_hash.iter().zip(&self.columns.length_id).enumerate();
        let each = lengths.map(|(rank, (name_hash, length_id))| Scoring {
            name_hash: *name_hash,
            raise: self.raise(rank, day),
            length_id: *length_id,
            boost: self.boost(rank),
        });
        let scoring = Arc::new(each.collect());
        *remembered = Some((day, Arc::clone(&scoring)));
        scoring
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

/// What a word weighs that so many events have: its inverse document frequency times BM25's constant.
#[expect(clippy::cast_precision_loss, reason = "a score needs no more than a float holds")]
fn word_weight(with: usize, events: u64) -> f32 {
    let with = with as f32;
    let without = (events as f32 - with).max(0.0);
    (1.0 + (without + 0.5) / (with + 0.5)).ln() * (K1 + 1.0)
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
