//! Accessible seats with companions beside them: one group side by side, as few accessible seats as serve.

use super::{Eligible, Stock, Want, off_centre, runs, strands};
use model::SeatNo;
use std::ops::Range;

/// What makes one place better than another: accessible seats taken, somebody stranded, the row, how far off its middle.
type Rank = (usize, bool, usize, usize);

/// The best seats for a group of which all but `companions` sit on accessible ones: where the fewest accessible seats go to
/// companions, then where nobody is stranded, then by row, then nearest the middle.
pub(super) fn place(
    stock: Stock<'_>,
    want: &Want<'_>,
    eligible: &Eligible<'_>,
    companions: usize,
) -> Option<Vec<SeatNo>> {
    let (quantity, least) = (want.quantity, want.quantity.checked_sub(companions)?);
    let accessible = &stock.house.accessible;
    let rows = stock.house.accessible_rows.iter().copied().filter(|row| want.rows.contains(row));
    let mut best: Option<(Rank, Range<usize>)> = None;
    for number in rows.filter(|row| stock.runs[*row] & runs::any(quantity) != 0) {
        let row = &stock.house.rows[number];
        for first in row.seats.start..(row.seats.end + 1).saturating_sub(quantity) {
            let seats = first..first + quantity;
            let sitting = accessible.count_in(seats.start, seats.end);
            if sitting < least || eligible.first_other(seats.start, seats.end).is_some() {
                continue;
            }
            let rank = (sitting, strands(stock.free, seats.clone(), row), number, off_centre(seats.clone(), row));
            if best.as_ref().is_none_or(|(best, _)| rank < *best) {
                best = Some((rank, seats));
            }
        }
    }
    eligible.take(&best?.1, quantity)
}
