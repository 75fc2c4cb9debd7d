//! Best available: the seats a fair box office would hand out. Pure; plan order is quality, the middle of a row before its ends.
//!
//! Side by side before apart, no single seat left between neighbours where another place avoids it, accessible seats last
//! unless asked for. A row of general admission has places, not neighbours: its first free ones serve.

use super::bits::Bits;
use super::house::{House, HouseRow};
use model::SeatNo;
use std::ops::Range;

/// What there is to choose from.
#[derive(Debug)]
pub(crate) struct Stock<'a> {
    /// The plan.
    pub(crate) house: &'a House,
    /// Seats that are for sale and nobody's.
    pub(crate) free: &'a Bits,
    /// Free seats of each row.
    pub(crate) row_free: &'a [u32],
}

/// What is wanted of it.
#[derive(Debug)]
pub(crate) struct Want {
    /// How many; 1 or more.
    pub(crate) quantity: usize,
    /// Seats of an acceptable tier.
    pub(crate) tiers: Bits,
    /// Only this section.
    pub(crate) section: Option<usize>,
    /// Only accessible seats.
    pub(crate) accessible_only: bool,
    /// Side by side or not at all.
    pub(crate) adjacent_only: bool,
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
pub(crate) fn best_available(stock: &Stock<'_>, want: &Want, hint: &mut Hint) -> Option<Vec<SeatNo>> {
    let mut eligible = stock.free.clone();
    eligible.intersect(&want.tiers);
    let mut stages = Vec::with_capacity(2);
    if want.accessible_only {
        eligible.intersect(&stock.house.accessible);
    } else {
        let mut ordinary = eligible.clone();
        ordinary.subtract(&stock.house.accessible);
        stages.push(ordinary);
    }
    stages.push(eligible);
    let mut later = Hint::default();
    stages.iter().enumerate().find_map(|(stage, eligible)| {
        if eligible.count() < want.quantity {
            return None;
        }
        let hint = if stage == 0 { &mut *hint } else { &mut later };
        let together =
            place(stock, (eligible, want.section), want.quantity, hint).map(|seats| numbers(eligible, &seats));
        if together.is_some() || want.adjacent_only { together } else { apart(stock, eligible, want) }
    })
}

/// Where one group goes: these very seats, or in general admission the first `quantity` free places among them.
struct Place {
    seats: Range<usize>,
    quantity: usize,
}

fn numbers(eligible: &Bits, place: &Place) -> Vec<SeatNo> {
    eligible
        .members(place.seats.start, place.seats.end)
        .take(place.quantity)
        .filter_map(|seat| SeatNo::try_from(seat).ok())
        .collect()
}

/// The first row with a place that strands nobody, else the first row with a place.
fn place(
    stock: &Stock<'_>,
    (eligible, section): (&Bits, Option<usize>),
    quantity: usize,
    hint: &mut Hint,
) -> Option<Place> {
    let rows = stock.house.rows.iter().zip(stock.row_free).enumerate();
    let rows = rows.filter(|(_, (row, row_free))| {
        (**row_free as usize) >= quantity && section.is_none_or(|section| section == row.section)
    });
    for (number, (row, _)) in rows.clone().skip_while(|(number, _)| *number < hint.fair_from) {
        if let Some((place, false)) = place_in_row(stock.free, eligible, quantity, row) {
            hint.fair_from = number;
            return Some(place);
        }
    }
    hint.fair_from = stock.house.rows.len();
    for (number, (row, _)) in rows.skip_while(|(number, _)| *number < hint.any_from) {
        if let Some((place, _)) = place_in_row(stock.free, eligible, quantity, row) {
            hint.any_from = number;
            return Some(place);
        }
    }
    hint.any_from = stock.house.rows.len();
    None
}

/// The place nearest the middle of the row, and whether it strands a single seat.
fn place_in_row(free: &Bits, eligible: &Bits, quantity: usize, row: &HouseRow) -> Option<(Place, bool)> {
    let Range { start, end } = row.seats;
    if row.general_admission {
        let enough = eligible.members(start, end).take(quantity).count() == quantity;
        return enough.then_some((Place { seats: start..end, quantity }, false));
    }
    let mut best: Option<(bool, usize, usize)> = None;
    let mut from = start;
    while let Some(run) = eligible.next_in(from, end) {
        let run_end = eligible.next_out(run, end).unwrap_or(end);
        from = run_end;
        for first in run..(run_end + 1).saturating_sub(quantity) {
            let off_centre = (2 * first + quantity).abs_diff(start + end);
            let strands = strands(free, first..first + quantity, row);
            if best.is_none_or(|best| (strands, off_centre, first) < best) {
                best = Some((strands, off_centre, first));
            }
        }
    }
    best.map(|(strands, _, first)| (Place { seats: first..first + quantity, quantity }, strands))
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
fn apart(stock: &Stock<'_>, eligible: &Bits, want: &Want) -> Option<Vec<SeatNo>> {
    let mut free = stock.free.clone();
    let mut row_free = stock.row_free.to_vec();
    let mut eligible = eligible.clone();
    let widest = stock.house.rows.iter().map(|row| row.seats.len()).max()?;
    let mut group = want.quantity.saturating_sub(1).min(widest);
    let mut seats = Vec::with_capacity(want.quantity);
    while seats.len() < want.quantity {
        group = group.min(want.quantity - seats.len());
        if group == 0 {
            return None;
        }
        let left = Stock { house: stock.house, free: &free, row_free: &row_free };
        let Some(found) = place(&left, (&eligible, want.section), group, &mut Hint::default()) else {
            group -= 1;
            continue;
        };
        for seat in numbers(&eligible, &found) {
            free.remove(seat as usize);
            eligible.remove(seat as usize);
            row_free[stock.house.row_of(seat)] -= 1;
            seats.push(seat);
        }
    }
    seats.sort_unstable();
    Some(seats)
}
