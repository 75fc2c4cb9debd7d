//! Indexed words a few typing errors away from a typed one.

use crate::columns::{Near, UNITS};
use crate::request::Slot;
use crate::schema::fields;
use crate::view::{SearchError, View};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tantivy::Term;
use tantivy::query::FuzzyTermQuery;

/// Indexed words one typed word may stand for through typing errors: the nearest, then the most frequent.
const WORDS_MAX: usize = 50;
/// How much a word counts one typing error away, and two, in units.
const WEIGHTS: [u32; 2] = [UNITS / 4, UNITS / 8];

/// Indexed words with their weight in units, the nearest first.
pub(crate) type Typos = Vec<(String, u32)>;

/// How many typing errors a word is allowed.
fn errors(word: &str) -> u8 {
    match word.chars().count() {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    }
}

/// The indexed words within the allowed distance, nearest and most frequent first: one error anywhere, two where the first letter
/// is right. So the second automaton, which leaves hardly a word out, walks the words of one letter only.
pub(crate) fn near(view: &View, slot: &Slot) -> Result<Typos, SearchError> {
    let errors = errors(&slot.term);
    let Some(first) = slot.term.chars().next().filter(|_| errors > 0) else { return Ok(Typos::new()) };
    let automaton = |errors| {
        let term = Term::from_field_text(fields().text, &slot.term);
        let query = if slot.prefix { FuzzyTermQuery::new_prefix } else { FuzzyTermQuery::new };
        query(term, errors, true).automaton()
    };
    let after = char::from_u32(u32::from(first) + 1).unwrap_or(char::MAX);
    let mut automata = None;
    let mut each: Vec<Arc<Vec<Near>>> = Vec::with_capacity(view.segments.len());
    for segment in &view.segments {
        if let Some(found) = segment.columns.near.recall(slot) {
            each.push(found);
            continue;
        }
        let (one, two) = match &automata {
            Some(made) => made,
            None => &*automata.insert((automaton(1)?, if errors == 2 { Some(automaton(2)?) } else { None })),
        };
        let index = segment.reader.inverted_index(fields().text)?;
        let mut found = BTreeMap::new();
        let mut stream = index.terms().search(one).into_stream()?;
        while stream.advance() {
            found.insert(stream.key().to_vec(), stream.value().doc_freq);
        }
        if let Some(two) = two {
            let mut stream = index.terms().search(two).ge(first.to_string()).lt(after.to_string()).into_stream()?;
            while stream.advance() {
                found.insert(stream.key().to_vec(), stream.value().doc_freq);
            }
        }
        let near = found.into_iter().filter_map(|(word, events)| {
            let word = String::from_utf8(word).ok()?;
            let distance = distance(&slot.term, &word, slot.prefix);
            (distance > 0).then_some(Near { word, distance, events })
        });
        each.push(segment.columns.near.remember(slot.clone(), near.collect()));
    }
    let mut by_word: HashMap<&str, (usize, u64)> = HashMap::new();
    for near in each.iter().flat_map(|found| found.iter()) {
        by_word.entry(&near.word).or_insert((near.distance, 0)).1 += u64::from(near.events);
    }
    let mut near: Vec<(usize, Reverse<u64>, &str)> =
        by_word.into_iter().map(|(word, (distance, events))| (distance, Reverse(events), word)).collect();
    near.sort_unstable();
    near.truncate(WORDS_MAX);
    let weight = |distance: usize| WEIGHTS.get(distance - 1).or(WEIGHTS.last()).copied().unwrap_or(0);
    Ok(near.into_iter().map(|(distance, _, word)| (word.to_owned(), weight(distance))).collect())
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
