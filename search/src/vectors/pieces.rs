//! Words into the pieces that a table knows: byte-pair encoding (Sennrich, Haddow and Birch 2016) as `SentencePiece` does it, where of two
//! neighbours that make a piece together those join first whose piece comes first in the vocabulary.

use std::collections::HashMap;

/// What a word begins with.
const SPACE: char = '\u{2581}';
/// Letters of a word that are looked at.
const LETTERS_MAX: usize = 64;

/// A vocabulary.
#[derive(Debug)]
pub(super) struct Pieces {
    texts: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Pieces {
    /// In order: the earlier the sooner joined.
    pub(super) fn new(texts: Vec<String>) -> Self {
        let numbers = texts.iter().cloned().zip(0..).collect();
        Self { texts, numbers }
    }

    pub(super) fn texts(&self) -> &[String] {
        &self.texts
    }

    /// The numbers of a word's pieces; letters that are no piece are left out.
    pub(super) fn of(&self, word: &str) -> Vec<u32> {
        let text: String = std::iter::once(SPACE).chain(word.chars()).take(LETTERS_MAX).collect();
        // Where pieces begin, and the end.
        let mut cuts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let number = |from: usize, to: usize| text.get(from..to).and_then(|piece| self.numbers.get(piece)).copied();
        loop {
            let pairs = cuts.array_windows().zip(1..);
            let joined = pairs.filter_map(|([from, _, to], middle)| Some((number(*from, *to)?, middle)));
            let Some((_, middle)) = joined.min() else { break };
            cuts.remove(middle);
        }
        cuts.array_windows().filter_map(|[from, to]| number(*from, *to)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A vocabulary that the `tokenizers` package (0.23) was trained to on words such as these, in its order.
    const VOCABULARY: &str = "a b c d e f g h i l m n o p q r s t u v y z ▁ on er ▁s an ▁o ert re ch con cert ie in io ian pian ra st \
        vio ▁b ▁n ▁con ▁pian ▁vio ▁or ▁concert ▁viol at en est gh hon igh mp ms os qu ure vert ymp ▁m ▁r ▁re onat ▁symp ▁sonat \
        ▁overt chest ▁nigh ▁orchest";

    #[test]
    fn words_fall_into_the_pieces_that_the_tokenizers_package_cuts_them_into() {
        let pieces = Pieces::new(VOCABULARY.split(' ').map(str::to_owned).collect());
        let known: [(&str, &[u32]); 14] = [
            ("symphony", &[66, 53, 20]),
            ("symphonies", &[66, 53, 33, 16]),
            ("concertino", &[47, 34, 12]),
            ("overtures", &[68, 59, 16]),
            ("violin", &[48, 34]),
            ("nightingale", &[70, 17, 34, 6, 0, 9, 4]),
            ("beethoven", &[41, 4, 4, 17, 7, 12, 19, 50]),
            ("brahmsian", &[41, 38, 7, 56, 36]),
            ("rhapsodic", &[63, 7, 0, 13, 16, 12, 3, 8, 2]),
            ("xylophone", &[22, 20, 9, 12, 13, 53, 4]),
            ("sonatina", &[67, 34, 0]),
            ("orchestration", &[71, 38, 17, 8, 23]),
            ("requiem", &[64, 58, 33, 10]),
            ("k", &[22]),
        ];
        for (word, numbers) in known {
            assert_eq!(pieces.of(word), numbers, "{word}");
        }
        assert_eq!(pieces.of(""), [22]);
        assert_eq!(pieces.of(&"on".repeat(1_000)).len(), 33, "a long word is cut");
    }

    #[test]
    fn neighbours_join_in_the_vocabulary_s_order() {
        let texts = ["▁", "a", "b", "c", "bc", "ab", "▁a", "▁abc"];
        let pieces = Pieces::new(texts.map(str::to_owned).to_vec());
        // "bc" comes before "ab", and then "▁a" and "bc" are "▁abc".
        assert_eq!(pieces.of("abc"), [7]);
        assert_eq!(pieces.of("abab"), [0, 5, 5]);
        assert_eq!(pieces.of("xc"), [0, 3]);
    }
}
