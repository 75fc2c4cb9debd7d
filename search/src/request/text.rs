//! What `q` asks for: words, phrases in quotes, and after a dash what must not stand in an event.
//!
//! Parsing is total: whatever has no letter or digit says nothing, a quote left open reaches to the end. Nothing is looked up.

use crate::fold::{Word, Words};
use std::ops::Range;

/// What opens and closes a phrase; telephones type the curved ones.
const QUOTES: [char; 5] = ['"', '“', '”', '„', '«'];
const CLOSING: [char; 5] = ['"', '“', '”', '„', '»'];

/// A text's clauses, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    pub(crate) clauses: Vec<Clause>,
}

/// A word or a phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clause {
    /// As it was typed, with its dash and quotes.
    pub(crate) source: String,
    /// Folded, for synonyms; none when it was quoted or negated: it is then meant as it is.
    pub(crate) name: Option<String>,
    /// Whether it must not stand in the event.
    pub(crate) negated: bool,
    /// Whether it may stand for words a typing error away.
    pub(crate) tolerant: bool,
    /// What must stand at successive positions; never empty.
    pub(crate) slots: Vec<Slot>,
}

/// An indexed term, or how it begins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Slot {
    pub(crate) term: String,
    pub(crate) prefix: bool,
}

impl Text {
    /// Parses.
    #[must_use]
    pub fn parse(q: &str) -> Self {
        let mut text = Self::default();
        let mut rest = q.trim_start();
        while !rest.is_empty() {
            let negative =
                rest.strip_prefix('-').filter(|after| after.starts_with(|c: char| c != '-' && !c.is_whitespace()));
            let body = negative.unwrap_or(rest);
            let (inside, after, bare) = first_piece(body);
            let source = rest.get(..rest.len() - after.len()).unwrap_or_default().trim_end();
            match (negative, bare) {
                (None, true) => text.add_words(inside),
                _ => text.add_phrase(source, inside, negative.is_some()),
            }
            let open = if bare { negative.is_none() } else { after.is_empty() && !source.ends_with(CLOSING) };
            rest = after.trim_start();
            if rest.is_empty() && open {
                text.leave_open();
            }
        }
        text
    }

    /// Whether it says what must stand in an event, not only what must not.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.clauses.iter().any(|clause| !clause.negated)
    }

    /// Whether something must stand in an event exactly as it is.
    pub(crate) fn is_quoted(&self) -> bool {
        self.clauses.iter().any(|clause| !clause.negated && clause.name.is_none())
    }

    /// The same with every word meant as it is typed.
    pub(crate) fn literal(mut self) -> Self {
        for clause in &mut self.clauses {
            clause.tolerant = false;
        }
        self
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    /// How many terms are looked up.
    pub(crate) fn terms(&self) -> usize {
        self.clauses.iter().map(|clause| clause.slots.len()).sum()
    }

    fn add_words(&mut self, text: &str) {
        let mut words = Words::new(text);
        let mut word = Word::default();
        while words.next_into(&mut word) {
            self.clauses.push(Clause {
                source: text.get(word.place.clone()).unwrap_or_default().to_owned(),
                name: Some(word.text.clone()),
                negated: false,
                tolerant: !word.is_dense(),
                slots: slots_of(&word, true),
            });
        }
    }

    fn add_phrase(&mut self, source: &str, inside: &str, negated: bool) {
        let mut words = Words::new(inside);
        let mut all: Vec<Word> = Vec::new();
        let mut word = Word::default();
        while words.next_into(&mut word) {
            all.push(word.clone());
        }
        let last = all.len().saturating_sub(1);
        let slots: Vec<Slot> = all.iter().enumerate().flat_map(|(n, word)| slots_of(word, n == last)).collect();
        if !slots.is_empty() {
            self.clauses.push(Clause { source: source.to_owned(), name: None, negated, tolerant: false, slots });
        }
    }

    /// The last word is still being typed.
    fn leave_open(&mut self) {
        let Some(clause) = self.clauses.last_mut().filter(|clause| !clause.negated) else { return };
        if let Some(slot) = clause.slots.last_mut() {
            let dense = slot.term.chars().next().is_some_and(crate::fold::is_dense);
            // A number is meant as it is: "5" is no beginning of "55". A pair of dense letters is whole.
            slot.prefix |= !dense && !slot.term.bytes().all(|b| b.is_ascii_digit());
        }
    }
}

/// The inside of the phrase or the word a text begins with, what comes after it, and whether it is a word.
fn first_piece(text: &str) -> (&str, &str, bool) {
    if let Some(opened) = text.strip_prefix(QUOTES) {
        let (inside, after) = opened.split_once(CLOSING).unwrap_or((opened, ""));
        return (inside, after, false);
    }
    let end = text.find(|c: char| c.is_whitespace() || QUOTES.contains(&c)).unwrap_or(text.len());
    let (inside, after) = text.split_at(end);
    (inside, after, true)
}

impl Clause {
    /// Where it stands among the terms of a text; a single word also as one of `others`.
    pub(crate) fn places<'a>(
        &'a self,
        terms: &'a [(Range<usize>, String)],
        others: &'a [(String, u32)],
    ) -> impl Iterator<Item = Range<usize>> + 'a {
        let is = |slot: &Slot, term: &String| {
            *term == slot.term
                || (slot.prefix && term.starts_with(&slot.term))
                || others.iter().any(|(other, _)| other == term)
        };
        terms.windows(self.slots.len().max(1)).filter_map(move |window| {
            let stands = self.slots.iter().zip(window).all(|(slot, (_, term))| is(slot, term));
            Some(window.first()?.0.start..window.last()?.0.end).filter(|_| stands)
        })
    }
}

/// Places in order, those that overlap as one.
pub(crate) fn apart(mut places: Vec<Range<usize>>) -> Vec<Range<usize>> {
    places.sort_by_key(|place| (place.start, place.end));
    places.dedup_by(|next, before| {
        let overlap = next.start < before.end;
        if overlap {
            before.end = before.end.max(next.end);
        }
        overlap
    });
    places
}

/// The terms of a word. A dense word that may go on in the event does not ask for its last letter's own term, which only an
/// ending has; a single dense letter is how any pair with it begins.
fn slots_of(word: &Word, open: bool) -> Vec<Slot> {
    if !word.is_dense() {
        return vec![Slot { term: word.text.clone(), prefix: false }];
    }
    let mut slots: Vec<Slot> = word.pairs().map(|term| Slot { term: term.to_owned(), prefix: false }).collect();
    if open {
        match slots.as_mut_slice() {
            [only] => only.prefix = true,
            _ => drop(slots.pop()),
        }
    }
    slots
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `-` before what is negated, `~` before what tolerates errors, `*` after what is open, terms of a phrase with `+` between.
    fn read(q: &str) -> Vec<String> {
        let clause = |clause: &Clause| {
            let slot = |slot: &Slot| format!("{}{}", slot.term, if slot.prefix { "*" } else { "" });
            let slots = clause.slots.iter().map(slot).collect::<Vec<_>>().join("+");
            format!("{}{}{slots}", if clause.negated { "-" } else { "" }, if clause.tolerant { "~" } else { "" })
        };
        Text::parse(q).clauses.iter().map(clause).collect()
    }

    #[test]
    fn words_phrases_and_negations_are_told_apart() {
        assert_eq!(read("Mahler Titan"), ["~mahler", "~titan*"]);
        assert_eq!(read("\"New World\" Dvořák"), ["new+world", "~dvorak*"]);
        assert_eq!(read("mahler -\"new world\" -op.67"), ["~mahler", "-new+world", "-op+67"]);
        assert_eq!(read("“Neue Welt” „x” «y»"), ["neue+welt", "x", "y"]);
        assert_eq!(read("symphony 5"), ["~symphony", "~5"]);
        assert_eq!(read("rock'n'roll well-tempered"), ["~rock", "~n", "~roll", "~well", "~tempered*"]);
        assert_eq!(read("\"new wor"), ["new+wor*"]);
        assert_eq!(read("a\"b c\"d"), ["~a", "b+c", "~d*"]);
    }

    #[test]
    fn dense_words_are_phrases_of_pairs() {
        assert_eq!(read("東京"), ["東京"]);
        assert_eq!(read("東京都 京"), ["東京+京都", "京*"]);
        assert_eq!(read("\"東京 フィル\""), ["東京+京+フィ+ィル"]);
        assert_eq!(read("第9"), ["第*", "~9"]);
    }

    #[test]
    fn what_has_no_letter_says_nothing() {
        for nothing in ["", "  ", "-", "- -", "\"\"", "-\"\"", "…!?", "\"", "-\" \"", "--"] {
            assert!(Text::parse(nothing).is_empty(), "{nothing}");
        }
        assert_eq!(read("- mahler --x"), ["~mahler", "~x*"]);
        let only = Text::parse("-mahler");
        assert!(!only.is_empty() && !only.is_positive());
    }

    proptest! {
        #[test]
        fn any_text_is_parsed(q: String) {
            let text = Text::parse(&q);
            prop_assert!(text.clauses.iter().all(|clause| !clause.slots.is_empty()));
        }

        #[test]
        fn texts_of_quotes_and_dashes_are_parsed(q in "[-\"“»a東ー ]{0,24}") {
            let text = Text::parse(&q);
            let slots = text.clauses.iter().flat_map(|clause| &clause.slots);
            prop_assert!(slots.into_iter().all(|slot| !slot.term.is_empty()));
        }
    }
}
