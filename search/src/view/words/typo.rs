//! Indexed words a few typing errors away from a typed one.

use crate::request::Slot;
use crate::schema::fields;
use crate::view::{SearchError, View};
use std::collections::BTreeMap;
use tantivy::Term;
use tantivy::query::FuzzyTermQuery;

/// Indexed words one typed word may stand for through typing errors: the nearest, then the most frequent.
const WORDS_MAX: usize = 50;
/// How much a word counts one typing error away, and two.
const WEIGHTS: [f32; 2] = [0.3, 0.1];

/// Indexed words with their weight, the nearest first.
pub(crate) type Typos = Vec<(String, f32)>;

/// How many typing errors a word is allowed.
fn errors(word: &str) -> u8 {
    match word.chars().count() {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    }
}

/// The indexed words within the allowed distance, nearest and most frequent first.
pub(crate) fn near(view: &View, slot: &Slot) -> Result<Typos, SearchError> {
    let field = fields().text;
    let errors = errors(&slot.term);
    if errors == 0 {
        return Ok(Typos::new());
    }
    let term = Term::from_field_text(field, &slot.term);
    let query = if slot.prefix {
        FuzzyTermQuery::new_prefix(term, errors, true)
    } else {
        FuzzyTermQuery::new(term, errors, true)
    };
    let automaton = query.automaton()?;
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    for segment in &view.segments {
        let index = segment.reader.inverted_index(field)?;
        let mut stream = index.terms().search(&automaton).into_stream()?;
        while stream.advance() {
            if let Ok(word) = std::str::from_utf8(stream.key()) {
                *found.entry(word.to_owned()).or_default() += u64::from(stream.value().doc_freq);
            }
        }
    }
    let mut near: Vec<(usize, u64, String)> = found
        .into_iter()
        .map(|(word, events)| (distance(&slot.term, &word, slot.prefix), events, word))
        .filter(|(distance, ..)| *distance > 0)
        .collect();
    near.sort_by(|a, b| (a.0, std::cmp::Reverse(a.1), &a.2).cmp(&(b.0, std::cmp::Reverse(b.1), &b.2)));
    near.truncate(WORDS_MAX);
    let weight = |distance: usize| WEIGHTS.get(distance - 1).or(WEIGHTS.last()).copied().unwrap_or(0.0);
    Ok(near.into_iter().map(|(distance, _, word)| (word, weight(distance))).collect())
}

/// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours; to the nearest beginning of
/// `word` when `prefix`.
pub(crate) fn distance(typed: &str, word: &str, prefix: bool) -> usize {
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
