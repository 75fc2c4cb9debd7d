//! What words mean, as numbers: a table of static embeddings in a file, and the vector of a text made of it.
//!
//! A text's vector is the weighted mean of its pieces', of length one, in eight bits a dimension; the product of two is their cosine.
//! There is no runtime and no model: the table is read whole and looked up. It is optional, and carries the licence it came with.
//! Vectors never leave the process that made them, so processes may have different tables, or none.

mod file;
mod pieces;

pub use file::{Origin, TableError};

use crate::fold;
use pieces::Pieces;
use std::collections::HashMap;

/// Numbers of a vector.
pub const DIMENSIONS: usize = 256;
/// Eight bits hold a component of a vector of length one up to a third, which hardly any reaches; a greater one is cut.
const STEPS_PER_ONE: f32 = 360.0;
/// The product of a vector with itself, but for rounding.
const PRODUCT_ONE: f32 = STEPS_PER_ONE * STEPS_PER_ONE;
/// Words of a text that count; the rest of a long one says little more.
const TEXT_WORDS_MAX: usize = 500;
/// Words whose pieces an [`Embedder`] remembers.
const REMEMBERED_MAX: usize = 32_768;

/// A text as numbers; all of them nothing when nothing in it is known.
pub(crate) type Vector = [i8; DIMENSIONS];

/// A table of embeddings: a row of numbers for each piece of a word.
#[derive(Debug)]
pub struct Table {
    origin: Origin,
    pieces: Pieces,
    rows: Vec<Vector>,
    /// What a row's numbers are to be multiplied by.
    scales: Vec<f32>,
}

/// Makes vectors of many texts: remembers the pieces of words.
#[derive(Debug)]
pub(crate) struct Embedder<'a> {
    table: &'a Table,
    words: HashMap<String, Vec<u32>>,
}

impl Table {
    /// Makes a table of pieces, the earlier the sooner joined, and a row of numbers for each.
    ///
    /// # Errors
    /// When there are not as many rows as pieces.
    pub fn new(origin: Origin, pieces: Vec<String>, rows: &[[f32; DIMENSIONS]]) -> Result<Self, TableError> {
        if rows.len() != pieces.len() {
            return Err(TableError::Damaged);
        }
        let scale = |row: &[f32; DIMENSIONS]| {
            row.iter().fold(0.0_f32, |most, number| most.max(number.abs())) / f32::from(i8::MAX)
        };
        let scales: Vec<f32> = rows.iter().map(scale).collect();
        let each = rows.iter().zip(&scales);
        let rows = each.map(|(row, scale)| row.map(|n| if *scale > 0.0 { rounded(n / scale) } else { 0 })).collect();
        Ok(Self { origin, pieces: Pieces::new(pieces), rows, scales })
    }

    /// Where it comes from, and what it may be used for.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    fn add(&self, piece: u32, weight: f32, sum: &mut [f32; DIMENSIONS]) {
        let Some((row, scale)) = self.rows.get(piece as usize).zip(self.scales.get(piece as usize)) else { return };
        let factor = scale * weight;
        for (total, number) in sum.iter_mut().zip(row) {
            *total += f32::from(*number) * factor;
        }
    }
}

impl<'a> Embedder<'a> {
    pub(crate) fn new(table: &'a Table) -> Self {
        Self { table, words: HashMap::new() }
    }

    /// The vector of texts, each with its weight; none when no piece of them is known.
    pub(crate) fn vector<T: AsRef<str>>(&mut self, texts: impl IntoIterator<Item = (T, f32)>) -> Option<Vector> {
        let mut sum = [0.0_f32; DIMENSIONS];
        for (text, weight) in texts {
            for (_, word) in fold::words(text.as_ref()).take(TEXT_WORDS_MAX) {
                if self.words.len() >= REMEMBERED_MAX {
                    self.words.clear();
                }
                let table = self.table;
                let pieces = self.words.entry(word).or_insert_with_key(|word| table.pieces.of(word));
                for piece in pieces.iter() {
                    table.add(*piece, weight, &mut sum);
                }
            }
        }
        let length = sum.iter().map(|number| number * number).sum::<f32>().sqrt();
        (length > 0.0).then(|| sum.map(|number| rounded(number / length * STEPS_PER_ONE)))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "cut to the range first")]
fn rounded(number: f32) -> i8 {
    number.round().clamp(f32::from(-i8::MAX), f32::from(i8::MAX)) as i8
}

/// A vector to compare many with, its numbers as wide as a processor multiplies them.
pub(crate) struct Wide([i16; DIMENSIONS]);

impl Wide {
    pub(crate) fn new(vector: &Vector) -> Self {
        Self(vector.map(i16::from))
    }

    /// The product with another vector: their cosine times [`least_product`] of one. Without a branch, for whole registers at a time.
    pub(crate) fn product(&self, other: &Vector) -> i32 {
        self.0.iter().zip(other).map(|(a, b)| i32::from(*a) * i32::from(i16::from(*b))).sum()
    }
}

/// The product of two vectors whose cosine is this.
#[expect(clippy::cast_possible_truncation, reason = "a cosine is at most one")]
pub(crate) fn least_product(cosine: f32) -> i32 {
    (cosine * PRODUCT_ONE) as i32
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A table in which each word of a group points the same way, and groups do not.
    pub(crate) fn table(groups: &[&[&str]]) -> Table {
        let origin = Origin { name: "test".into(), source: "here".into(), licence: "CC0-1.0".into() };
        let mut rows: HashMap<String, [f32; DIMENSIONS]> = HashMap::new();
        for (group, words) in groups.iter().enumerate() {
            for word in *words {
                // Every beginning is a piece, so that the whole word is one.
                let spaced: Vec<char> = format!("\u{2581}{word}").chars().collect();
                for end in 1..=spaced.len() {
                    rows.entry(spaced[..end].iter().collect()).or_insert([0.0; DIMENSIONS]);
                }
                for letter in word.chars() {
                    rows.entry(letter.to_string()).or_insert([0.0; DIMENSIONS]);
                }
                let row = std::array::from_fn(|n| if n / 16 == group { 1.0 } else { 0.0 });
                rows.insert(spaced.iter().collect(), row);
            }
        }
        let mut pieces: Vec<String> = rows.keys().cloned().collect();
        pieces.sort_unstable_by_key(|piece| (piece.chars().count(), piece.clone()));
        let rows: Vec<_> = pieces.iter().map(|piece| rows[piece]).collect();
        Table::new(origin, pieces, &rows).unwrap()
    }

    fn cosine(table: &Table, one: &str, other: &str) -> f32 {
        let mut embedder = Embedder::new(table);
        let mut vector = |text| embedder.vector([(text, 1.0)]).unwrap();
        #[expect(clippy::cast_precision_loss, reason = "far below what a float holds")]
        let product = Wide::new(&vector(one)).product(&vector(other)) as f32;
        product / PRODUCT_ONE
    }

    #[test]
    fn words_of_one_meaning_are_near_and_others_far() {
        let table = table(&[&["sea", "ocean"], &["waltz", "dance"]]);
        assert!(cosine(&table, "Sea", "ocean") > 0.95);
        assert!(cosine(&table, "sea", "waltz").abs() < 0.01);
        assert!((cosine(&table, "sea dance", "waltz") - 0.5_f32.sqrt()).abs() < 0.02);
        let mut embedder = Embedder::new(&table);
        assert_eq!(embedder.vector([("unknown", 1.0)]), None);
        assert_eq!(embedder.vector([("", 1.0)]), None);
        let weighted = embedder.vector([("sea", 3.0), ("waltz", 1.0)]);
        let sea = embedder.vector([("sea", 1.0)]).unwrap();
        assert!(Wide::new(&sea).product(&weighted.unwrap()) > least_product(0.9));
    }

    #[test]
    fn rows_and_pieces_go_together() {
        let origin = Origin { name: "test".into(), source: "here".into(), licence: "CC0-1.0".into() };
        let made = Table::new(origin, vec!["a".into(), "b".into()], &[[1.0; DIMENSIONS]]);
        assert!(matches!(made, Err(TableError::Damaged)));
    }
}
