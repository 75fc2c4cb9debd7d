//! A row's runs of free seats as one word: bit n says that some run is n seats long, bit 63 that one is 63 or longer.
//!
//! So one look at a word says whether a row may have a place for a group, and whether one that strands nobody. It says yes too
//! often (tiers and accessible seats cut runs shorter), never no.

use crate::lane::bits::Bits;
use crate::lane::house::HouseRow;
use std::ops::Range;

const LONGEST: usize = 63;
/// Words looked at together.
const STRIDE: usize = 16;

/// The word of a row. General admission has places, not neighbours: any number of its free ones is a run.
pub(crate) fn of(free: &Bits, row: &HouseRow) -> u64 {
    let Range { start, end } = row.seats;
    if row.general_admission {
        return u64::MAX >> (LONGEST - free.count_in(start, end).min(LONGEST)) & !1;
    }
    let (mut word, mut from) = (0, start);
    while let Some(run) = free.next_in(from, end) {
        from = free.next_out(run, end).unwrap_or(end);
        word |= 1 << (from - run).min(LONGEST);
    }
    word
}

/// What a row's word shares with this when it may have a place for so many side by side.
pub(crate) fn any(quantity: usize) -> u64 {
    u64::MAX << quantity.min(LONGEST)
}

/// The same for a place that strands nobody: the whole of a run, or at least two seats left of it.
pub(crate) fn fair(quantity: usize) -> u64 {
    // Of a run that is longer than can be told, one is never known to be left.
    if quantity + 1 < LONGEST { any(quantity) & !(1 << (quantity + 1)) } else { any(quantity) }
}

/// The first of the rows whose word shares a bit with `wanted`.
pub(crate) fn first(runs: &[u64], rows: Range<usize>, wanted: u64) -> Option<usize> {
    let mut from = rows.start;
    for words in runs.get(rows)?.chunks(STRIDE) {
        if words.iter().fold(0, |all, word| all | word) & wanted != 0 {
            return words.iter().position(|word| word & wanted != 0).map(|at| from + at);
        }
        from += words.len();
    }
    None
}
