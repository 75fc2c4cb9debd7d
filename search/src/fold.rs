//! Words as people mean them: case, accents and ligatures folded away, the same for what is indexed and what is asked.
//!
//! A word is a run of letters and digits with their combining marks; everything else separates. Compatibility decomposition
//! (Unicode's NFKD) takes marks off letters; the few letters that do not decompose are spelled out here. Scripts written
//! without spaces (Han, Kana, Hangul, Thai and their neighbours) are dense: a run of their letters is one word, which is
//! indexed as its pairs of neighbours, so that any part of it is found; their marks make other letters and stay.

use std::ops::Range;
use std::sync::LazyLock;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, compose, is_combining_mark};

/// The longest word kept, in bytes after folding; longer ones are cut, on both sides alike.
pub const WORD_BYTES_MAX: usize = 64;

/// The words of a text with their place in it, in order.
pub fn words(text: &str) -> impl Iterator<Item = (Range<usize>, String)> + '_ {
    let mut words = Words::new(text);
    std::iter::from_fn(move || {
        let mut word = Word::default();
        words.next_into(&mut word).then_some((word.place, word.text))
    })
}

/// What is indexed of a text, with its place in it: words, and of dense ones the pairs of neighbouring letters and at last the
/// last letter alone. The n-th of them stands at position n.
pub(crate) fn terms(text: &str) -> impl Iterator<Item = (Range<usize>, String)> + '_ {
    let mut terms = Terms::new(text);
    std::iter::from_fn(move || {
        let mut term = String::new();
        terms.next_into(&mut term).map(|place| (place, term))
    })
}

/// One word.
#[derive(Clone, Debug, Default)]
pub(crate) struct Word {
    /// Folded.
    pub(crate) text: String,
    /// Where it stands, in bytes.
    pub(crate) place: Range<usize>,
    /// Of a dense word each letter: where it begins in the folded text, and its place.
    letters: Vec<(usize, Range<usize>)>,
}

/// The words of a text, one at a time into the caller's buffer.
#[derive(Debug)]
pub(crate) struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Replaces `word` by the next one; false when there is none.
    pub(crate) fn next_into(&mut self, word: &mut Word) -> bool {
        while let Some(first) = self.next_letter() {
            word.text.clear();
            word.letters.clear();
            let start = self.at;
            if is_dense(first) {
                while let Some(c) = self.rest().chars().next().filter(|c| belongs(*c) && is_dense(*c)) {
                    word.add_letters(c, self.at);
                    self.at += c.len_utf8();
                }
            } else {
                self.fold_into(&mut word.text);
            }
            word.place = start..self.at;
            if !word.text.is_empty() {
                return true;
            }
        }
        false
    }

    /// Goes on to the next letter or digit.
    fn next_letter(&mut self) -> Option<char> {
        loop {
            // What separates is mostly a space.
            let plain = self.text.as_bytes().iter().skip(self.at);
            self.at += plain.take_while(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric()).count();
            let first = self.rest().chars().next()?;
            // Dashes, quotation marks and bullets need no table either.
            let is_letter = LATIN.get(first as usize).map_or_else(
                || !('\u{2010}'..='\u{2027}').contains(&first) && first.is_alphanumeric(),
                Option::is_some,
            );
            if is_letter {
                return Some(first);
            }
            self.at += first.len_utf8();
        }
    }

    /// Takes a word that is not dense, folded and no longer than a word may be.
    fn fold_into(&mut self, word: &mut String) {
        loop {
            // Nearly all letters anywhere are these, and need no table.
            let plain = self.rest().bytes().take_while(u8::is_ascii_alphanumeric).count();
            word.push_str(self.rest().get(..plain).unwrap_or_default());
            self.at += plain;
            let Some(c) = self.rest().chars().next() else { break };
            if let Some(folded) = LATIN.get(c as usize) {
                let Some(folded) = folded else { break };
                word.push_str(folded);
            } else if belongs(c) && !is_dense(c) {
                fold_char(c, word);
            } else {
                break;
            }
            self.at += c.len_utf8();
        }
        word.make_ascii_lowercase();
        word.truncate(word.floor_char_boundary(WORD_BYTES_MAX));
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

impl Word {
    /// Letters of a dense word; a mark that makes another letter of the one before does so.
    fn add_letters(&mut self, c: char, at: usize) {
        let place = at..at + c.len_utf8();
        for part in std::iter::once(c).nfkc().flat_map(char::to_lowercase).filter(|part| belongs(*part)) {
            let before = self.text.chars().next_back();
            if let (Some(whole), Some((start, letter))) =
                (before.and_then(|b| compose(b, part)), self.letters.last_mut())
            {
                self.text.truncate(*start);
                self.text.push(whole);
                letter.end = place.end;
            } else {
                self.letters.push((self.text.len(), place.clone()));
                self.text.push(part);
            }
        }
    }

    /// Whether its script is dense.
    pub(crate) fn is_dense(&self) -> bool {
        !self.letters.is_empty()
    }

    /// The pairs of neighbours of a dense word, and its last letter.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = &str> {
        (0..self.letters.len()).filter_map(|n| self.pair(n)).map(|(_, pair)| pair)
    }

    /// The pair of neighbours that begins with the n-th letter of a dense word, the letter alone when it is the last.
    fn pair(&self, n: usize) -> Option<(Range<usize>, &str)> {
        let (start, place) = self.letters.get(n)?;
        let end = self.letters.get(n + 2).map_or(self.text.len(), |(start, _)| *start);
        let last = self.letters.get(n + 1).map_or(place.end, |(_, place)| place.end);
        Some((place.start..last, self.text.get(*start..end)?))
    }
}

/// The terms of a text, one at a time into the caller's buffer.
#[derive(Debug)]
pub(crate) struct Terms<'a> {
    words: Words<'a>,
    word: Word,
    /// The next letter of a dense word that is under way.
    letter: usize,
}

impl<'a> Terms<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { words: Words::new(text), word: Word::default(), letter: 0 }
    }

    /// Begins another text.
    pub(crate) fn go_on_with(&mut self, text: &'a str) {
        self.words = Words::new(text);
        self.word.letters.clear();
        self.letter = 0;
    }

    /// Replaces `term` by the next one and says where it stands.
    pub(crate) fn next_into(&mut self, term: &mut String) -> Option<Range<usize>> {
        if self.letter >= self.word.letters.len() {
            if !self.words.next_into(&mut self.word) {
                return None;
            }
            self.letter = 0;
            if self.word.letters.is_empty() {
                std::mem::swap(term, &mut self.word.text);
                return Some(self.word.place.clone());
            }
        }
        let (place, pair) = self.word.pair(self.letter)?;
        term.clear();
        term.push_str(pair);
        self.letter += 1;
        Some(place)
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

/// Whether a folded word stands in a folded name: as a word, or a dense one within one.
pub(crate) fn stands_in(word: &str, name: &str) -> bool {
    let dense = word.chars().next().is_some_and(is_dense);
    name.split(' ').any(|other| other == word || (dense && other.contains(word)))
}

/// Whether a letter is of a script that is written without spaces between words.
pub(crate) fn is_dense(c: char) -> bool {
    // What only compatibility makes a letter of such a script, as the number ㊀, is one too.
    c >= DENSE_MIN
        && (of_dense_script(c) || (c >= '\u{2000}' && std::iter::once(c).nfkc().next().is_some_and(of_dense_script)))
}

/// The first letter of a dense script.
const DENSE_MIN: char = '\u{e00}';

fn of_dense_script(c: char) -> bool {
    matches!(c,
        DENSE_MIN..='\u{eff}' // Thai, Lao
        | '\u{1000}'..='\u{109f}' // Myanmar
        | '\u{1100}'..='\u{11ff}' | '\u{a960}'..='\u{a97f}' | '\u{ac00}'..='\u{d7ff}' // Hangul
        | '\u{1780}'..='\u{17ff}' // Khmer
        | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{303c}' // ideographic marks and numbers
        | '\u{3040}'..='\u{31ff}' // Kana, Bopomofo, Hangul letters
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' // Han
        | '\u{1b000}'..='\u{1b16f}') // old Kana
}

fn belongs(c: char) -> bool {
    c.is_alphanumeric() || (!c.is_ascii() && is_combining_mark(c))
}

/// Marks on letters; the vowel signs of Indic scripts and the like are letters themselves.
fn is_mark(c: char) -> bool {
    matches!(canonical_combining_class(c), 1..=35 | 200..)
}

/// The first letters of Unicode, which nearly all others in Latin texts are, folded once for all; `None` for what separates.
static LATIN: LazyLock<Vec<Option<String>>> = LazyLock::new(|| {
    let fold = |c: char| {
        let mut folded = String::new();
        fold_char(c, &mut folded);
        belongs(c).then_some(folded)
    };
    ('\0'..'\u{250}').map(fold).collect()
});

fn fold_char(c: char, word: &mut String) {
    let parts = c.nfkd().flat_map(char::to_lowercase).nfkd();
    for part in parts.filter(|part| part.is_alphanumeric() && !is_mark(*part)) {
        match part {
            'ß' => word.push_str("ss"),
            'æ' => word.push_str("ae"),
            'œ' => word.push_str("oe"),
            'þ' => word.push_str("th"),
            'ø' => word.push('o'),
            'đ' | 'ð' => word.push('d'),
            'ł' => word.push('l'),
            'ı' => word.push('i'),
            'ς' => word.push('σ'),
            // Arabic as its readers type it: final forms without dots, Persian letters, no lengthening.
            'ة' => word.push('ه'),
            'ى' | 'ی' => word.push('ي'),
            'ک' => word.push('ك'),
            'ـ' => {}
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

    #[test]
    fn other_alphabets_fold_as_their_readers_type_them() {
        assert_eq!(name("Щедрин Родион, Чайковский ё"), name("щедрин родион, чаиковскии е"));
        assert_eq!(name("Μίκης Θεοδωράκης ᾳ"), name("μικησ θεοδωρακησ α"));
        assert_eq!(name("אוֹפֵּרָה"), name("אופרה"));
        assert_eq!(name("أُمّ كُلْثُوم فيروزى حفلة"), name("ام كلثوم فيروزي حفله"));
        assert_eq!(name("हिन्दी"), "हिनदी");
    }

    #[test]
    fn dense_scripts_are_indexed_by_pairs_of_neighbours() {
        let found = |text: &str| {
            terms(text).map(|(place, term)| format!("{term} {}", text.get(place).unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(found("東京都"), ["東京 東京", "京都 京都", "都 都"]);
        assert_eq!(found("NHK交響"), ["nhk NHK", "交響 交響", "響 響"]);
        assert_eq!(found("第9"), ["第 第", "9 9"]);
        // Half-width and decomposed letters are the same letters.
        assert_eq!(name("ﾊﾞｯﾊ"), "バッハ");
        assert_eq!(name("ハ\u{3099}ッハ"), "バッハ");
        assert_ne!(name("パリ"), name("バリ"));
        assert_eq!(name("\u{1109}\u{1165}\u{110b}\u{116e}\u{11af}"), "서울");
        assert_eq!(name("グスタフ・マーラー"), "グスタフ マーラー");
        assert_eq!(found("กรุง").len(), 4);
        assert!(stands_in("交響", "東京交響楽団 x") && stands_in("x", "東京交響楽団 x") && !stands_in("京東", "東京"));
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
            for (place, term) in terms(&text) {
                prop_assert!(text.get(place).is_some_and(|part| !part.is_empty()) && !term.is_empty());
            }
        }
    }
}
