//! A fixed set of seat numbers as words of 64 bits. Bits beyond the length are never set.

/// The set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// The empty subset of `0..len`.
    pub(crate) fn new(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)] }
    }

    /// Whether `at` is in the set.
    pub(crate) fn contains(&self, at: usize) -> bool {
        self.words[at / 64] >> (at % 64) & 1 == 1
    }

    /// Puts `at` in.
    pub(crate) fn insert(&mut self, at: usize) {
        self.words[at / 64] |= 1 << (at % 64);
    }

    /// Takes `at` out.
    pub(crate) fn remove(&mut self, at: usize) {
        self.words[at / 64] &= !(1 << (at % 64));
    }

    /// Keeps what `other` has too.
    pub(crate) fn intersect(&mut self, other: &Self) {
        for (word, with) in self.words.iter_mut().zip(&other.words) {
            *word &= with;
        }
    }

    /// Takes out what `other` has.
    pub(crate) fn subtract(&mut self, other: &Self) {
        for (word, without) in self.words.iter_mut().zip(&other.words) {
            *word &= !without;
        }
    }

    /// Adds what `other` has.
    pub(crate) fn unite(&mut self, other: &Self) {
        for (word, with) in self.words.iter_mut().zip(&other.words) {
            *word |= with;
        }
    }

    /// How many are in.
    pub(crate) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The first member in `from..end`.
    pub(crate) fn next_in(&self, from: usize, end: usize) -> Option<usize> {
        self.next(from, end, 0)
    }

    /// The first number in `from..end` that is not a member.
    pub(crate) fn next_out(&self, from: usize, end: usize) -> Option<usize> {
        self.next(from, end, u64::MAX)
    }

    /// The members in `from..end`.
    pub(crate) fn members(&self, from: usize, end: usize) -> impl Iterator<Item = usize> {
        let mut at = from;
        std::iter::from_fn(move || {
            let found = self.next_in(at, end)?;
            at = found + 1;
            Some(found)
        })
    }

    fn next(&self, from: usize, end: usize, flip: u64) -> Option<usize> {
        if from >= end {
            return None;
        }
        let mut index = from / 64;
        let mut word = (self.words[index] ^ flip) & (u64::MAX << (from % 64));
        while word == 0 {
            index += 1;
            if index * 64 >= end {
                return None;
            }
            word = self.words[index] ^ flip;
        }
        let found = index * 64 + word.trailing_zeros() as usize;
        (found < end).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_a_list_finds(members in proptest::collection::vec(any::<bool>(), 1..300), from in 0_usize..300, end in 0_usize..300) {
            let end = end.min(members.len());
            let mut bits = Bits::new(members.len());
            for at in (0..members.len()).filter(|at| members[*at]) {
                bits.insert(at);
            }
            prop_assert_eq!(bits.count(), members.iter().filter(|is| **is).count());
            prop_assert_eq!(bits.next_in(from, end), (from..end).find(|at| members[*at]));
            prop_assert_eq!(bits.next_out(from, end), (from..end).find(|at| !members[*at]));
        }
    }
}
