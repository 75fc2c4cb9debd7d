//! Words to sets of events and to scores.
//!
//! Every word must stand in an event; the last one may be the beginning of a word. A word that hardly any event has also stands
//! for indexed words a few typing errors away. All indexed words one typed word stands for count as one word when scored: BM25
//! (Robertson and Zaragoza 2009) over their weighted frequency, so what was typed ranks above what it may have meant.

use super::filter::Matches;
use super::{SearchError, Segment, View};
use crate::bits::Bits;
use crate::columns::SetKey;
use crate::fold;
use crate::schema::fields;
use std::collections::BTreeMap;
use std::sync::Arc;
use tantivy::InvertedIndexReader;
use tantivy::Term;
use tantivy::postings::TermInfo;
use tantivy::query::FuzzyTermQuery;
use tantivy::schema::IndexRecordOption;

/// A word fewer events than this have is tried with typing errors too.
const TYPO_BELOW_EVENTS: usize = 3;
/// Indexed words one typed word may stand for through typing errors: the nearest, then the most frequent.
const TYPO_WORDS_MAX: usize = 50;
/// A beginning of so many words is remembered with its events; one of fewer is as quickly looked up.
const REMEMBERED_TERMS_MIN: usize = 16;
/// How much a word counts that only begins as the one typed.
const PREFIX_WEIGHT: f32 = 0.5;
/// BM25's customary parameters.
const K1: f32 = 1.2;
const B: f32 = 0.75;

/// A search's words with where they stand.
pub(super) struct Words {
    words: Vec<Word>,
}

/// One typed word.
struct Word {
    text: String,
    /// Whether it may be the beginning of a word.
    prefix: bool,
    /// Indexed words a typing error or two away, with their weight.
    typos: Vec<(String, f32)>,
    /// Whether the word itself stands nowhere.
    unknown: bool,
    /// Per segment the events it stands in.
    sets: Vec<Arc<Bits>>,
}

impl Words {
    /// Looks a text's words up in every segment.
    pub(super) fn look_up(view: &View, text: &str) -> Result<Self, SearchError> {
        let mut words: Vec<Word> = Vec::new();
        for (_, text) in fold::words(text) {
            words.push(Word { text, prefix: false, typos: Vec::new(), unknown: false, sets: Vec::new() });
        }
        if let Some(last) = words.last_mut() {
            // A number is meant as it is: "5" is no beginning of "55".
            last.prefix = !last.text.bytes().all(|b| b.is_ascii_digit());
        }
        for word in &mut words {
            word.look_up(view)?;
        }
        Ok(Self { words })
    }

    /// Keeps the events of a segment in which every word stands.
    pub(super) fn restrict(&self, segment: usize, events: &mut Bits) {
        for set in self.words.iter().filter_map(|word| word.sets.get(segment)) {
            events.and(set);
        }
    }

    /// The words with those that stand nowhere replaced by the nearest that do; none when there is nothing to replace.
    pub(super) fn did_you_mean(&self) -> Option<String> {
        if !self.words.iter().any(|word| word.unknown && !word.typos.is_empty()) {
            return None;
        }
        let meant = self.words.iter().map(|word| match word.typos.first() {
            Some((nearest, _)) if word.unknown => nearest.as_str(),
            _ => word.text.as_str(),
        });
        Some(meant.collect::<Vec<_>>().join(" "))
    }

    /// Whether a folded word is one of those looked for.
    pub(super) fn mark(&self, folded: &str) -> bool {
        self.words.iter().any(|word| word.stands_for(folded))
    }

    /// Whether every word stands in a text.
    pub(super) fn all_in(&self, text: &str) -> bool {
        let folded: Vec<String> = fold::words(text).map(|(_, word)| word).collect();
        self.words.iter().all(|word| folded.iter().any(|other| word.stands_for(other)))
    }

    /// The score of each hit, per segment in the order of its ranks.
    #[expect(clippy::cast_precision_loss, reason = "a score needs no more than a float holds")]
    pub(super) fn score(&self, view: &View, matches: &[Matches]) -> Result<Vec<Vec<f32>>, SearchError> {
        let length_mean = view.tokens as f32 / (view.events.max(1)) as f32;
        let mut scores = Vec::with_capacity(matches.len());
        for (number, (segment, found)) in view.segments.iter().zip(matches).enumerate() {
            let ranks = found.hits.ranks();
            let mut sum = vec![0.0; found.hits.count()];
            for word in self.words.iter().filter(|word| word.sets.get(number).is_some()) {
                let idf = word.idf(view.events);
                for (score, (frequency, length)) in sum.iter_mut().zip(word.frequencies(segment, found, &ranks)?) {
                    let norm = K1 * (1.0 - B + B * length as f32 / length_mean.max(1.0));
                    *score += idf * frequency * (K1 + 1.0) / (frequency + norm);
                }
            }
            scores.push(sum);
        }
        Ok(scores)
    }
}

impl Word {
    fn stands_for(&self, folded: &str) -> bool {
        self.text == folded
            || (self.prefix && folded.starts_with(&self.text))
            || self.typos.iter().any(|(typo, _)| typo == folded)
    }

    fn look_up(&mut self, view: &View) -> Result<(), SearchError> {
        for segment in &view.segments {
            self.sets.push(self.exact_set(segment)?);
        }
        let living = view.segments.iter().zip(&self.sets).map(|(segment, set)| set.count_with(&segment.alive));
        let events: usize = living.sum();
        self.unknown = events == 0;
        if events < TYPO_BELOW_EVENTS && self.errors() > 0 {
            self.find_typos(view)?;
            for (segment, set) in view.segments.iter().zip(&mut self.sets) {
                let index = segment.reader.inverted_index(fields().text)?;
                let mut with_typos = Bits::clone(set);
                for (typo, _) in &self.typos {
                    if let Some(info) = index.terms().get(typo)? {
                        add_events(segment, &index, &info, &mut with_typos)?;
                    }
                }
                *set = Arc::new(with_typos);
            }
        }
        Ok(())
    }

    /// How many typing errors a word of this length is allowed.
    fn errors(&self) -> u8 {
        match self.text.chars().count() {
            0..=3 => 0,
            4..=7 => 1,
            _ => 2,
        }
    }

    /// The events of a segment that have the word, or one that begins so.
    fn exact_set(&self, segment: &Segment) -> Result<Arc<Bits>, SearchError> {
        let key = SetKey::Prefix(self.text.clone());
        if let Some(found) = segment.columns.recall(&key).filter(|_| self.prefix) {
            return Ok(found);
        }
        let index = segment.reader.inverted_index(fields().text)?;
        let mut set = Bits::none(segment.columns.len());
        let terms = self.terms(&index)?;
        for (info, _) in &terms {
            add_events(segment, &index, info, &mut set)?;
        }
        let dear = self.prefix && terms.len() >= REMEMBERED_TERMS_MIN;
        Ok(if dear { segment.columns.remember(key, set) } else { Arc::new(set) })
    }

    /// The indexed words of a segment that the word stands for as it was typed, with their weight.
    fn terms(&self, index: &InvertedIndexReader) -> Result<Vec<(TermInfo, f32)>, SearchError> {
        let mut terms = Vec::new();
        if self.prefix {
            let mut stream = index.terms().range().ge(&self.text).into_stream()?;
            while stream.advance() && stream.key().starts_with(self.text.as_bytes()) {
                let weight = if stream.key().len() == self.text.len() { 1.0 } else { PREFIX_WEIGHT };
                terms.push((stream.value().clone(), weight));
            }
        } else if let Some(info) = index.terms().get(&self.text)? {
            terms.push((info, 1.0));
        }
        Ok(terms)
    }

    /// Finds the indexed words within the allowed distance, nearest and most frequent first.
    fn find_typos(&mut self, view: &View) -> Result<(), SearchError> {
        let term = Term::from_field_text(fields().text, &self.text);
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        let query = if self.prefix {
            FuzzyTermQuery::new_prefix(term, self.errors(), true)
        } else {
            FuzzyTermQuery::new(term, self.errors(), true)
        };
        for segment in &view.segments {
            let index = segment.reader.inverted_index(fields().text)?;
            let mut stream = index.terms().search(query.automaton()?).into_stream()?;
            while stream.advance() {
                if let Ok(word) = std::str::from_utf8(stream.key()) {
                    *found.entry(word.to_owned()).or_default() += u64::from(stream.value().doc_freq);
                }
            }
        }
        let mut near: Vec<(usize, u64, String)> = found
            .into_iter()
            .map(|(word, events)| (distance(&self.text, &word, self.prefix), events, word))
            .filter(|(distance, ..)| *distance > 0)
            .collect();
        near.sort_by(|a, b| (a.0, std::cmp::Reverse(a.1), &a.2).cmp(&(b.0, std::cmp::Reverse(b.1), &b.2)));
        near.truncate(TYPO_WORDS_MAX);
        self.typos =
            near.into_iter().map(|(distance, _, word)| (word, if distance == 1 { 0.3 } else { 0.1 })).collect();
        Ok(())
    }

    /// Inverse document frequency of everything the word stands for, as one word.
    #[expect(clippy::cast_precision_loss, reason = "a score needs no more than a float holds")]
    fn idf(&self, events: u64) -> f32 {
        let with = self.sets.iter().map(|set| set.count()).sum::<usize>() as f32;
        let without = events as f32 - with;
        (1.0 + (without + 0.5) / (with + 0.5)).ln()
    }

    /// For each hit of a segment how often the word stands in it, by weight, and how many words it has.
    #[expect(clippy::cast_precision_loss, reason = "a score needs no more than a float holds")]
    fn frequencies(&self, segment: &Segment, found: &Matches, ranks: &[u32]) -> Result<Vec<(f32, u32)>, SearchError> {
        let index = segment.reader.inverted_index(fields().text)?;
        let lengths = segment.reader.get_fieldnorms_reader(fields().text)?;
        let mut terms = self.terms(&index)?;
        for (typo, weight) in &self.typos {
            terms.extend(index.terms().get(typo)?.map(|info| (info, *weight)));
        }
        let mut frequencies = vec![(0.0, 0); found.hits.count()];
        for (info, weight) in &terms {
            let mut postings = index.read_block_postings_from_terminfo(info, IndexRecordOption::WithFreqs)?;
            while postings.block_len() > 0 {
                for (doc, frequency) in postings.docs().iter().zip(postings.freqs()) {
                    let place = segment.columns.rank_of(*doc).and_then(|rank| found.hits.rank(ranks, rank));
                    if let Some(sum) = place.and_then(|place| frequencies.get_mut(place)) {
                        sum.0 += weight * *frequency as f32;
                        sum.1 = lengths.fieldnorm(*doc);
                    }
                }
                postings.advance();
            }
        }
        Ok(frequencies)
    }
}

fn add_events(
    segment: &Segment,
    index: &InvertedIndexReader,
    info: &TermInfo,
    set: &mut Bits,
) -> Result<(), SearchError> {
    let mut postings = index.read_block_postings_from_terminfo(info, IndexRecordOption::Basic)?;
    while postings.block_len() > 0 {
        for rank in postings.docs().iter().filter_map(|doc| segment.columns.rank_of(*doc)) {
            set.insert(rank);
        }
        postings.advance();
    }
    Ok(())
}

/// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours; to the nearest beginning of
/// `word` when `prefix`.
pub(super) fn distance(typed: &str, word: &str, prefix: bool) -> usize {
    let typed: Vec<char> = typed.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=typed.len()).collect();
    let mut best = if prefix { typed.len() } else { usize::MAX };
    let mut previous = None;
    for (n, c) in word.chars().enumerate() {
        let mut row = vec![n + 1];
        for (m, t) in typed.iter().enumerate() {
            let at = |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX / 2);
            let mut cost = (at(&last, m) + usize::from(*t != c)).min(at(&last, m + 1) + 1).min(at(&row, m) + 1);
            let swapped = m > 0 && typed.get(m - 1) == Some(&c) && previous == Some(*t);
            if swapped {
                cost = cost.min(at(&before, m - 1) + 1);
            }
            row.push(cost);
        }
        previous = Some(c);
        before = std::mem::replace(&mut last, row);
        if prefix {
            best = best.min(last.last().copied().unwrap_or(best));
        }
    }
    if prefix { best } else { last.last().copied().unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_swaps_once() {
        assert_eq!(distance("mahlre", "mahler", false), 1);
        assert_eq!(distance("mahlr", "mahler", false), 1);
        assert_eq!(distance("mahler", "mahler", false), 0);
        assert_eq!(distance("beethovne", "beethoven", false), 1);
        assert_eq!(distance("betoven", "beethoven", false), 2);
        assert_eq!(distance("bethov", "beethoven", true), 1);
        assert_eq!(distance("", "a", false), 1);
    }
}
