//! How well an event matches.
//!
//! What it owes its match to comes first: a title that is exactly what was typed, then everything as it was typed, then with
//! typing errors, then by a synonym. Among equals decides BM25 (Robertson and Zaragoza 2009) over weighted frequencies, where all
//! indexed words one typed word stands for count as one word. It is raised by up to a tenth for popularity p, as p / (p + 100),
//! and by up to a tenth for the days d until the event, as 30 / (30 + d): neither ever lifts an event over a better kind of match.
//! What an admin pinned comes before all.

use super::found::Found;
use super::{Words, keep, leap};
use crate::bits::Bits;
use crate::columns::{Scoring, Standing, name_hash};
use crate::fold;
use crate::view::filter::Matches;
use crate::view::{Segment, View};
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
/// A word that so many times as many events have as there are hits is leapt through from hit to hit.
const LEAP_SHARE: usize = 16;
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
    pub(in crate::view) fn score(&self, view: &View, matches: &[Matches], day: i32) -> Vec<Vec<Relevance>> {
        let norms = norms(view);
        let title_hash = name_hash(&self.name);
        let each = view.segments.iter().zip(matches).enumerate().map(|(number, (segment, found))| {
            let ranks = found.hits.list();
            let counted = self.counted(view, number, &ranks);
            let scoring = segment.scoring(day);
            let kinds = self.kinds(number, found);
            let relevance = |(nth, rank): (usize, &u32)| {
                let rank = *rank as usize;
                let Scoring { name_hash, raise, length_id, boost } = scoring.get(rank).copied().unwrap_or_default();
                let norm = norms.get(usize::from(length_id)).copied().unwrap_or(K1);
                let score = counted.iter().fold(0.0, |sum, (weight, frequencies)| {
                    let frequency = frequencies.get(nth).copied().unwrap_or(0.0);
                    sum + weight * frequency / (frequency + norm)
                });
                let is_title = name_hash == title_hash && fold::name(segment.columns.title(rank)) == self.name;
                let kind = if is_title { Kind::Title } else { kinds.of(rank) };
                Relevance::new(boost, kind, score * raise)
            };
            ranks.iter().enumerate().map(relevance).collect()
        });
        each.collect()
    }

    /// For everything looked for its weight and how often it stands in each hit of a segment.
    fn counted(&self, view: &View, number: usize, hits: &[u32]) -> Vec<(f32, Vec<f32>)> {
        let typed = self.groups.iter().flat_map(|group| group.clauses.iter().map(|clause| (clause, 1.0)));
        let meant = self.groups.iter().flat_map(|group| group.meanings.iter().flatten().map(|c| (c, SYNONYM_WEIGHT)));
        let slots = typed.chain(meant).flat_map(|(clause, weight)| clause.slots.iter().map(move |slot| (slot, weight)));
        let counted = slots.filter_map(|(slot, weight)| {
            let standing = slot.standings.get(number)?;
            Some((weight * idf(slot.events, view.events) * (K1 + 1.0), standing.among(hits)))
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
    fn of(&self, rank: usize) -> Kind {
        match &self.typed {
            None => Kind::Typed,
            Some((typed, _)) if typed.contains(rank) => Kind::Typed,
            Some((_, meant)) if meant.contains(rank) => Kind::Typo,
            Some(_) => Kind::Synonym,
        }
    }
}

/// What is added to a frequency in BM25's denominator, by the number of an event's length.
type Norms = [f32; 256];

#[expect(clippy::cast_precision_loss, reason = "a score needs no more than a float holds")]
fn norms(view: &View) -> Norms {
    let length_mean = (view.tokens as f32 / (view.events.max(1)) as f32).max(1.0);
    std::array::from_fn(|id| {
        let length = FieldNormReader::id_to_fieldnorm(u8::try_from(id).unwrap_or(u8::MAX));
        K1 * (1.0 - B + B * length as f32 / length_mean)
    })
}

impl Standing {
    /// How often it stands in each of some events.
    fn among(&self, hits: &[u32]) -> Vec<f32> {
        let Self { ranks, frequencies } = self;
        if hits == ranks {
            return frequencies.clone();
        }
        let mut found = vec![0.0; hits.len()];
        if hits.len() * LEAP_SHARE < ranks.len() {
            let mut rest = ranks.as_slice();
            for (rank, found) in hits.iter().zip(&mut found) {
                rest = leap(rest, *rank);
                if rest.first() == Some(rank) {
                    *found = frequencies.get(ranks.len() - rest.len()).copied().unwrap_or(0.0);
                }
            }
            return found;
        }
        let mut hits = hits.iter().zip(&mut found).peekable();
        for (rank, frequency) in ranks.iter().zip(frequencies) {
            while hits.next_if(|(hit, _)| *hit < rank).is_some() {}
            if let Some((_, found)) = hits.next_if(|(hit, _)| *hit == rank) {
                *found = *frequency;
            }
        }
        found
    }
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
