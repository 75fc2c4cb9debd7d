//! Words as people mean them: case, accents and ligatures folded away, the same for what is indexed and what is asked.
//!
//! A word is a run of letters and digits with their combining marks; everything else separates. Compatibility decomposition
//! (Unicode's NFKD) takes marks off letters; the few letters that do not decompose are spelled out here.

use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The longest word kept, in bytes after folding; longer ones are cut, on both sides alike.
pub const WORD_BYTES_MAX: usize = 64;

/// The words of a text with their place in it, in order.
pub fn words(text: &str) -> impl Iterator<Item = (Range<usize>, String)> + '_ {
    let mut words = Words::new(text);
    std::iter::from_fn(move || {
        let mut word = String::new();
        words.next_into(&mut word).map(|place| (place, word))
    })
}

/// The words of a text, one at a time into the caller's buffer.
#[derive(Debug)]
pub(crate) struct Words<'a> {
    chars: Peekable<CharIndices<'a>>,
}

impl<'a> Words<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { chars: text.char_indices().peekable() }
    }

    /// Replaces `word` by the next one and says where it stands.
    pub(crate) fn next_into(&mut self, word: &mut String) -> Option<Range<usize>> {
        while let Some((start, first)) = self.chars.next() {
            if !first.is_alphanumeric() {
                continue;
            }
            word.clear();
            fold_char(first, word);
            let mut end = start + first.len_utf8();
            while let Some((at, c)) = self.chars.next_if(|(_, c)| c.is_alphanumeric() || is_combining_mark(*c)) {
                fold_char(c, word);
                end = at + c.len_utf8();
            }
            if !word.is_empty() {
                word.truncate(word.floor_char_boundary(WORD_BYTES_MAX));
                return Some(start..end);
            }
        }
        None
    }
}

/// A whole name folded: its words with one space between them. Two spellings of one name fold to the same text.
#[must_use]
pub fn name(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for (_, word) in words(text) {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(&word);
    }
    folded
}

fn fold_char(c: char, word: &mut String) {
    if c.is_ascii() {
        word.push(c.to_ascii_lowercase());
        return;
    }
    for part in c.nfkd().flat_map(char::to_lowercase).nfkd().filter(|part| part.is_alphanumeric()) {
        match part {
            'ß' => word.push_str("ss"),
            'æ' => word.push_str("ae"),
            'œ' => word.push_str("oe"),
            'ø' => word.push('o'),
            'đ' | 'ð' => word.push('d'),
            'ł' => word.push('l'),
            'ı' => word.push('i'),
            'þ' => word.push_str("th"),
            other => word.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn accents_case_and_ligatures_fold_however_they_are_encoded() {
        assert_eq!(name("Antonín DVOŘÁK"), "antonin dvorak");
        assert_eq!(name("Dvor\u{30c}a\u{301}k"), "dvorak");
        assert_eq!(name("Straße Łódź Œuvre Søren"), "strasse lodz oeuvre soren");
        assert_eq!(name("ﬁnale № 5"), "finale 5");
        assert_eq!(name("İstanbul"), "istanbul");
    }

    #[test]
    fn a_word_knows_its_place() {
        let found: Vec<_> = words("  l'Été, Op.67 ").collect();
        let expected = [(2..3, "l"), (4..9, "ete"), (11..13, "op"), (14..16, "67")];
        assert_eq!(found, expected.map(|(place, word)| (place, word.to_owned())));
    }

    proptest! {
        #[test]
        fn folding_again_changes_nothing(text: String) {
            prop_assert_eq!(name(&name(&text)), name(&text));
        }

        #[test]
        fn places_are_within_the_text(text: String) {
            for (place, word) in words(&text) {
                prop_assert!(text.get(place).is_some_and(|part| !part.is_empty()) && !word.is_empty());
            }
        }
    }
}
