//! A fixed set of small numbers, one bit each: which documents of a segment satisfy something.

/// A set of numbers below its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// The empty set of numbers below `len`.
    pub(crate) fn none(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)], len }
    }

    /// All numbers below `len`.
    pub(crate) fn all(len: usize) -> Self {
        let mut bits = Self { words: vec![u64::MAX; len.div_ceil(64)], len };
        if let Some(last) = bits.words.last_mut()
            && !len.is_multiple_of(64)
        {
            *last = (1 << (len % 64)) - 1;
        }
        bits
    }

    /// The numbers from `from`, below `to`.
    pub(crate) fn range(len: usize, from: usize, to: usize) -> Self {
        let mut bits = Self::none(len);
        let to = to.min(len);
        if from >= to {
            return bits;
        }
        let (first, last) = (from / 64, (to - 1) / 64);
        if let Some(words) = bits.words.get_mut(first..=last) {
            words.fill(u64::MAX);
        }
        if let Some(word) = bits.words.get_mut(first) {
            *word &= u64::MAX << (from % 64);
        }
        if let Some(word) = bits.words.get_mut(last) {
            *word &= u64::MAX >> (63 - (to - 1) % 64);
        }
        bits
    }

    /// The numbers that satisfy a test of their item.
    pub(crate) fn of<T>(items: &[T], mut test: impl FnMut(&T) -> bool) -> Self {
        let words = items
            .chunks(64)
            .map(|chunk| chunk.iter().enumerate().fold(0, |word, (n, item)| word | u64::from(test(item)) << n));
        Self { words: words.collect(), len: items.len() }
    }

    /// Below what number its members are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn insert(&mut self, number: usize) {
        if let Some(word) = self.words.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
    }

    pub(crate) fn remove(&mut self, number: usize) {
        if let Some(word) = self.words.get_mut(number / 64) {
            *word &= !(1 << (number % 64));
        }
    }

    pub(crate) fn contains(&self, number: usize) -> bool {
        self.words.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    pub(crate) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// How many numbers are in both sets.
    pub(crate) fn count_with(&self, other: &Self) -> usize {
        self.words.iter().zip(&other.words).map(|(mine, theirs)| (mine & theirs).count_ones() as usize).sum()
    }

    pub(crate) fn and(&mut self, other: &Self) {
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine &= theirs;
        }
    }

    pub(crate) fn or(&mut self, other: &Self) {
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine |= theirs;
        }
    }

    /// Removes what is in the other set.
    pub(crate) fn and_not(&mut self, other: &Self) {
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine &= !theirs;
        }
    }

    /// Keeps what is among these numbers too.
    pub(crate) fn and_list(&mut self, numbers: &[u32]) {
        let mut words = vec![0; self.words.len()];
        for number in numbers {
            let number = *number as usize;
            if let Some((word, mine)) = words.get_mut(number / 64).zip(self.words.get(number / 64)) {
                *word |= mine & 1 << (number % 64);
            }
        }
        self.words = words;
    }

    /// Keeps the numbers that pass a test.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        self.and_below(self.len, &mut keep);
    }

    /// Keeps the numbers below `first` only where `keep` has them too; what is not below it stays.
    pub(crate) fn and_below(&mut self, first: usize, mut keep: impl FnMut(usize) -> bool) {
        for (n, word) in self.words.iter_mut().enumerate().take(first.div_ceil(64)) {
            let mut rest = *word;
            while rest != 0 {
                let number = n * 64 + rest.trailing_zeros() as usize;
                if number < first && !keep(number) {
                    *word &= !(1 << (number % 64));
                }
                rest &= rest - 1;
            }
        }
    }

    /// The numbers from `first` on, in order.
    pub(crate) fn iter_from(&self, first: usize) -> impl Iterator<Item = usize> + '_ {
        let mut at = first / 64;
        let mut rest = self.words.get(at).map_or(0, |word| word & (u64::MAX << (first % 64)));
        std::iter::from_fn(move || {
            while rest == 0 {
                at += 1;
                rest = *self.words.get(at)?;
            }
            let number = at * 64 + rest.trailing_zeros() as usize;
            rest &= rest - 1;
            Some(number)
        })
    }

    /// Calls `take` with every number, in order: the fast way through all of them.
    pub(crate) fn for_each(&self, mut take: impl FnMut(usize)) {
        for (n, word) in self.words.iter().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                take(n * 64 + rest.trailing_zeros() as usize);
                rest &= rest - 1;
            }
        }
    }

    /// How many numbers of the set are below each multiple of 64: with [`Bits::rank`] the dense number of a member.
    pub(crate) fn ranks(&self) -> Vec<u32> {
        let mut below = 0;
        let each = self.words.iter().map(|word| {
            let before = below;
            below += word.count_ones();
            before
        });
        each.collect()
    }

    /// The numbers in order.
    pub(crate) fn list(&self) -> Vec<u32> {
        let mut numbers = Vec::new();
        self.for_each(|number| numbers.push(u32::try_from(number).unwrap_or(u32::MAX)));
        numbers
    }

    /// The member's place in the order of members, given [`Bits::ranks`]; none when it is not in the set.
    pub(crate) fn rank(&self, ranks: &[u32], number: usize) -> Option<usize> {
        let word = self.words.get(number / 64)?;
        let bit = 1_u64 << (number % 64);
        let before = ranks.get(number / 64)? + (word & (bit - 1)).count_ones();
        (word & bit != 0).then_some(before as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn as_a_set_of_numbers(a in proptest::collection::btree_set(0_usize..200, 0..99), b in proptest::collection::btree_set(0_usize..200, 0..99), first in 0_usize..260) {
            let bits = |set: &BTreeSet<usize>| {
                let mut bits = Bits::none(200);
                for n in set { bits.insert(*n); }
                bits
            };
            let (left, right) = (bits(&a), bits(&b));
            let mut both = left.clone();
            both.and(&right);
            prop_assert_eq!(both.iter_from(0).collect::<Vec<_>>(), a.intersection(&b).copied().collect::<Vec<_>>());
            let (mut either, mut rest) = (left.clone(), left.clone());
            either.or(&right);
            rest.and_not(&right);
            prop_assert_eq!(either.iter_from(0).collect::<Vec<_>>(), a.union(&b).copied().collect::<Vec<_>>());
            prop_assert_eq!(rest.iter_from(0).collect::<Vec<_>>(), a.difference(&b).copied().collect::<Vec<_>>());
            prop_assert_eq!((left.count(), left.count_with(&right)), (a.len(), a.intersection(&b).count()));
            prop_assert_eq!(left.iter_from(first).collect::<Vec<_>>(), a.range(first..).copied().collect::<Vec<_>>());
            let ranks = left.ranks();
            for (place, member) in a.iter().enumerate() {
                prop_assert_eq!(left.rank(&ranks, *member), Some(place));
            }
            let mut below = left.clone();
            below.and_below(first, |n| b.contains(&n));
            let expected: Vec<_> = a.iter().copied().filter(|n| *n >= first || b.contains(n)).collect();
            prop_assert_eq!(below.iter_from(0).collect::<Vec<_>>(), expected);
            let last = a.last().copied().unwrap_or(0);
            prop_assert_eq!(Bits::range(200, first, last).iter_from(0).collect::<Vec<_>>(), (first..last.max(first)).collect::<Vec<_>>());
            let mut without = Bits::all(200);
            for n in &a { without.remove(*n); }
            prop_assert_eq!(without.count(), 200 - a.len());
            let list: Vec<u32> = b.iter().map(|n| u32::try_from(*n).unwrap()).collect();
            let mut listed = left.clone();
            listed.and_list(&list);
            prop_assert_eq!(&listed, &both);
            prop_assert_eq!(right.list(), list);
            let mut kept = left.clone();
            kept.retain(|n| b.contains(&n));
            prop_assert_eq!(&kept, &both);
            let items: Vec<usize> = (0..200).collect();
            prop_assert_eq!(Bits::of(&items, |n| a.contains(n)), left);
        }
    }
}
