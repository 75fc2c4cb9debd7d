//! Best available: the seats a fair box office would hand out. Pure; plan order is quality, the middle of a row before its ends.
//!
//! Side by side before apart, no single seat left between neighbours where another place avoids it, accessible seats last
//! unless asked for. A row of general admission has places, not neighbours: its first free ones serve. Rows without a long
//! enough run of free seats are passed over by a word each (`runs`), and only rows that are looked at are looked at by seat.

mod companion;
pub(crate) mod runs;

use super::bits::{Bits, next};
use super::house::{House, HouseRow};
use model::SeatNo;
use std::ops::Range;

/// What there is to choose from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stock<'a> {
    /// The plan.
    pub(crate) house: &'a House,
    /// Seats that are for sale and nobody's.
    pub(crate) free: &'a Bits,
    /// Of each row, its runs of free seats: [`runs::of`].
    pub(crate) runs: &'a [u64],
}

/// What is wanted of it.
#[derive(Clone, Debug)]
pub(crate) struct Want<'a> {
    /// How many; 1 or more.
    pub(crate) quantity: usize,
    /// Only seats in these sets; `None` for all.
    pub(crate) tiers: Option<Vec<&'a Bits>>,
    /// Only these rows.
    pub(crate) rows: Range<usize>,
    /// Only accessible seats, but for so many companions beside them.
    pub(crate) accessible: Option<Accessible>,
    /// Side by side or not at all.
    pub(crate) adjacent_only: bool,
}

/// Who is to sit on accessible seats.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accessible {
    /// How many of the group may sit on other seats, side by side with the rest.
    pub(crate) companions: usize,
}

/// Where a search for one want need not look again, until the rows change: what makes a burst of equal asks cheap.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hint {
    /// No row before this one has a place that strands nobody.
    pub(crate) fair_from: usize,
    /// No row before this one has a place at all.
    pub(crate) any_from: usize,
}

/// The best seats that satisfy `want`, ascending; `None` when there are not enough. `hint` is of this very want.
pub(crate) fn best_available(stock: Stock<'_>, want: &Want<'_>, hint: &mut Hint) -> Option<Vec<SeatNo>> {
    let only = |accessible| Eligible { free: stock.free, tiers: want.tiers.as_deref(), accessible };
    let accessible = &stock.house.accessible;
    let mut later = Hint::default();
    match want.accessible {
        None => {
            let ordinary = only(Some((accessible, false)));
            serve(stock, want, &ordinary, hint).or_else(|| serve(stock, want, &only(None), &mut later))
        }
        Some(Accessible { companions: 0 }) => serve(stock, want, &only(Some((accessible, true))), hint),
        Some(Accessible { companions }) => companion::place(stock, want, &only(None), companions),
    }
}

/// Seats that may be given: free, of an accepted tier, accessible or not as is asked.
#[derive(Clone, Copy, Debug)]
struct Eligible<'a> {
    free: &'a Bits,
    tiers: Option<&'a [&'a Bits]>,
    accessible: Option<(&'a Bits, bool)>,
}

impl Eligible<'_> {
    /// 64 of them.
    fn word(&self, index: usize) -> u64 {
        let mut word = self.free.word(index);
        if let Some(tiers) = self.tiers {
            word &= tiers.iter().fold(0, |any, tier| any | tier.word(index));
        }
        match self.accessible {
            Some((accessible, true)) => word & accessible.word(index),
            Some((accessible, false)) => word & !accessible.word(index),
            None => word,
        }
    }

    fn first(&self, from: usize, end: usize) -> Option<usize> {
        next(|index| self.word(index), from, end)
    }

    fn first_other(&self, from: usize, end: usize) -> Option<usize> {
        next(|index| !self.word(index), from, end)
    }

    /// The first `quantity` of them in `seats`; `None` when there are fewer.
    fn take(&self, seats: &Range<usize>, quantity: usize) -> Option<Vec<SeatNo>> {
        let mut taken = Vec::with_capacity(quantity);
        let mut from = seats.start;
        while taken.len() < quantity {
            let seat = self.first(from, seats.end)?;
            taken.push(SeatNo::try_from(seat).ok()?);
            from = seat + 1;
        }
        Some(taken)
    }

    /// Whether there are so many in these rows.
    fn enough(&self, house: &House, rows: &Range<usize>, quantity: usize) -> bool {
        let (Some(first), Some(last)) = (house.rows.get(rows.start), house.rows[rows.clone()].last()) else {
            return false;
        };
        let (start, end) = (first.seats.start, last.seats.end);
        let mut count = 0;
        for index in start / 64..end.div_ceil(64) {
            let mut word = self.word(index);
            if index == start / 64 {
                word &= u64::MAX << (start % 64);
            }
            if index == end / 64 {
                word &= !(u64::MAX << (end % 64));
            }
            count += word.count_ones() as usize;
            if count >= quantity {
                return true;
            }
        }
        false
    }
}

/// Together, else apart where that will do.
fn serve(stock: Stock<'_>, want: &Want<'_>, eligible: &Eligible<'_>, hint: &mut Hint) -> Option<Vec<SeatNo>> {
    if !eligible.enough(stock.house, &want.rows, want.quantity) {
        return None;
    }
    match place(stock, eligible, (&want.rows, want.quantity), hint) {
        Some(seats) => eligible.take(&seats, want.quantity),
        None if want.adjacent_only => None,
        None => apart(stock, eligible, want),
    }
}

/// Where a group of so many goes: the first of the rows with a place that strands nobody, else the first with a place. These very
/// seats, or in general admission the first free ones among them.
fn place(
    stock: Stock<'_>,
    eligible: &Eligible<'_>,
    (rows, quantity): (&Range<usize>, usize),
    hint: &mut Hint,
) -> Option<Range<usize>> {
    let look = |from: &mut usize, wanted: u64, fair: bool| {
        let mut row = rows.start.max(*from);
        while let Some(found) = runs::first(stock.runs, row..rows.end, wanted) {
            *from = found;
            match place_in_row(stock.free, eligible, quantity, &stock.house.rows[found]) {
                Some((seats, strands)) if !(fair && strands) => return Some(seats),
                _ => row = found + 1,
            }
        }
        *from = rows.end;
        None
    };
    let fair = look(&mut hint.fair_from, runs::fair(quantity), true);
    fair.or_else(|| look(&mut hint.any_from, runs::any(quantity), false))
}

/// The place nearest the middle of the row, and whether it strands a single seat.
fn place_in_row(free: &Bits, eligible: &Eligible<'_>, quantity: usize, row: &HouseRow) -> Option<(Range<usize>, bool)> {
    let Range { start, end } = row.seats;
    if row.general_admission {
        return eligible.take(&row.seats, quantity).map(|_| (start..end, false));
    }
    let mut best: Option<(bool, usize, usize)> = None;
    let mut from = start;
    while let Some(run) = eligible.first(from, end) {
        let run_end = eligible.first_other(run, end).unwrap_or(end);
        from = run_end;
        for first in run..(run_end + 1).saturating_sub(quantity) {
            let off_centre = off_centre(first..first + quantity, row);
            let strands = strands(free, first..first + quantity, row);
            if best.is_none_or(|best| (strands, off_centre, first) < best) {
                best = Some((strands, off_centre, first));
            }
        }
    }
    best.map(|(strands, _, first)| (first..first + quantity, strands))
}

/// Twice how far the middle of these seats is from the middle of their row.
fn off_centre(seats: Range<usize>, row: &HouseRow) -> usize {
    (seats.start + seats.end).abs_diff(row.seats.start + row.seats.end)
}

/// Whether taking `taken` leaves exactly one free seat beside it.
fn strands(free: &Bits, taken: Range<usize>, row: &HouseRow) -> bool {
    let Range { start, end } = row.seats;
    let is_free = |at: usize| at >= start && at < end && free.contains(at);
    let left =
        taken.start > start && is_free(taken.start - 1) && !(taken.start > start + 1 && is_free(taken.start - 2));
    let right = is_free(taken.end) && !is_free(taken.end + 1);
    left || right
}

/// In as few groups as the largest-first order finds.
fn apart(stock: Stock<'_>, eligible: &Eligible<'_>, want: &Want<'_>) -> Option<Vec<SeatNo>> {
    let house = stock.house;
    let mut free = stock.free.clone();
    let mut left = stock.runs.to_vec();
    let mut group = want.quantity.saturating_sub(1).min(house.widest);
    let mut seats = Vec::with_capacity(want.quantity);
    while seats.len() < want.quantity {
        group = group.min(want.quantity - seats.len());
        if group == 0 {
            return None;
        }
        let stock = Stock { house, free: &free, runs: &left };
        let eligible = Eligible { free: &free, ..*eligible };
        let found = place(stock, &eligible, (&want.rows, group), &mut Hint::default());
        let Some(found) = found.and_then(|seats| eligible.take(&seats, group)) else {
            group -= 1;
            continue;
        };
        for seat in &found {
            free.remove(*seat as usize);
        }
        if let Some(row) = found.first().map(|seat| house.row_of(*seat)) {
            left[row] = runs::of(&free, &house.rows[row]);
        }
        seats.extend(found);
    }
    seats.sort_unstable();
    Some(seats)
}
