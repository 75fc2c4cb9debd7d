//! Indexed words a few typing errors away from a typed one.

use crate::request::Slot;
use crate::schema::fields;
use crate::view::{SearchError, View};
use std::collections::BTreeMap;
use tantivy::Term;
use tantivy::postings::TermInfo;
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

/// The indexed words within the allowed distance, nearest and most frequent first: one error anywhere, two where the first letter
/// is right. So the second automaton, which leaves hardly a word out, walks the words of one letter only.
pub(crate) fn near(view: &View, slot: &Slot) -> Result<Typos, SearchError> {
    let field = fields().text;
    let errors = errors(&slot.term);
    let Some(first) = slot.term.chars().next().filter(|_| errors > 0) else { return Ok(Typos::new()) };
    let automaton = |errors| {
        let term = Term::from_field_text(field, &slot.term);
        let query = if slot.prefix { FuzzyTermQuery::new_prefix } else { FuzzyTermQuery::new };
        query(term, errors, true).automaton()
    };
    let one = automaton(1)?;
    let two = if errors == 2 { Some(automaton(2)?) } else { None };
    let after = char::from_u32(u32::from(first) + 1).unwrap_or(char::MAX);
    let (mut found, mut further) = (BTreeMap::new(), BTreeMap::new());
    for segment in &view.segments {
        let index = segment.reader.inverted_index(field)?;
        let mut stream = index.terms().search(&one).into_stream()?;
        while stream.advance() {
            note(&mut found, stream.key(), stream.value());
        }
        let Some(two) = &two else { continue };
        let mut stream = index.terms().search(two).ge(first.to_string()).lt(after.to_string()).into_stream()?;
        while stream.advance() {
            note(&mut further, stream.key(), stream.value());
        }
    }
    further.retain(|word, _| !found.contains_key(word));
    found.append(&mut further);
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

fn note(found: &mut BTreeMap<String, u64>, word: &[u8], info: &TermInfo) {
    if let Ok(word) = std::str::from_utf8(word) {
        *found.entry(word.to_owned()).or_default() += u64::from(info.doc_freq);
    }
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
