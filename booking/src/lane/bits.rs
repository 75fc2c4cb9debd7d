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

    /// How many are in `from..end`.
    pub(crate) fn count_in(&self, from: usize, end: usize) -> usize {
        let mut count = 0;
        for index in from / 64..end.div_ceil(64) {
            let mut word = self.words[index];
            if index == from / 64 {
                word &= u64::MAX << (from % 64);
            }
            if index == end / 64 {
                word &= !(u64::MAX << (end % 64));
            }
            count += word.count_ones() as usize;
        }
        count
    }

    /// Which of `64 * index ..` are in, as bits.
    pub(crate) fn word(&self, index: usize) -> u64 {
        self.words[index]
    }

    /// The first member in `from..end`.
    pub(crate) fn next_in(&self, from: usize, end: usize) -> Option<usize> {
        next(|index| self.words[index], from, end)
    }

    /// The first number in `from..end` that is not a member.
    pub(crate) fn next_out(&self, from: usize, end: usize) -> Option<usize> {
        next(|index| !self.words[index], from, end)
    }
}

/// The first number in `from..end` whose bit is set in the words.
pub(crate) fn next(word: impl Fn(usize) -> u64, from: usize, end: usize) -> Option<usize> {
    if from >= end {
        return None;
    }
    let mut index = from / 64;
    let mut bits = word(index) & (u64::MAX << (from % 64));
    while bits == 0 {
        index += 1;
        if index * 64 >= end {
            return None;
        }
        bits = word(index);
    }
    let found = index * 64 + bits.trailing_zeros() as usize;
    (found < end).then_some(found)
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
            if from <= end {
                prop_assert_eq!(bits.count_in(from, end), members[from..end].iter().filter(|is| **is).count());
            }
            prop_assert_eq!(bits.next_in(from, end), (from..end).find(|at| members[*at]));
            prop_assert_eq!(bits.next_out(from, end), (from..end).find(|at| !members[*at]));
        }
    }
}
