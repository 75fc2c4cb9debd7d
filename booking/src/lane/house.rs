//! A seat plan made ready for the lane: rows as ranges of seat numbers, tiers and accessible seats as bit sets.
//!
//! Immutable and shared by every lane of one layout. Relies on the plan's dense numbering: a row is a range.

use super::bits::Bits;
use crate::reservation::ReservedSeat;
use model::charge::{self, Line};
use model::{LayoutHash, SeatNo, SeatPlan, TierNo};
use std::collections::HashMap;
use std::ops::Range;

/// A plan ready to sell from.
#[derive(Debug)]
pub(crate) struct House {
    /// The plan's name.
    pub(crate) layout: LayoutHash,
    /// Rows in plan order: the best first.
    pub(crate) rows: Vec<HouseRow>,
    /// The tier of each seat.
    pub(crate) tiers: Vec<TierNo>,
    /// The seats of each tier.
    pub(crate) of_tier: Vec<Bits>,
    /// The accessible seats.
    pub(crate) accessible: Bits,
    /// The row of each seat.
    row_of: Vec<u32>,
    /// The rows of each section.
    sections: HashMap<String, Range<usize>>,
    /// Rows with an accessible seat.
    pub(crate) accessible_rows: Vec<usize>,
    /// Seats of the longest row.
    pub(crate) widest: usize,
    labels: Vec<Box<str>>,
    tier_names: Vec<Box<str>>,
}

/// One row, or one section of general admission.
#[derive(Debug)]
pub(crate) struct HouseRow {
    /// Its seats.
    pub(crate) seats: Range<usize>,
    /// Places rather than seats: nobody is anybody's neighbour.
    pub(crate) general_admission: bool,
    section_name: Box<str>,
    label: Box<str>,
}

impl House {
    /// Prepares a checked plan.
    pub(crate) fn new(layout: LayoutHash, plan: &SeatPlan) -> Self {
        let capacity = plan.capacity();
        let mut house = Self {
            layout,
            rows: Vec::new(),
            tiers: Vec::with_capacity(capacity),
            of_tier: vec![Bits::new(capacity); plan.tiers.len()],
            accessible: Bits::new(capacity),
            row_of: Vec::with_capacity(capacity),
            sections: HashMap::new(),
            accessible_rows: Vec::new(),
            widest: 0,
            labels: Vec::with_capacity(capacity),
            tier_names: plan.tiers.iter().map(|name| name.as_str().into()).collect(),
        };
        for section in &plan.sections {
            house.sections.insert(section.name.clone(), house.rows.len()..house.rows.len() + section.rows.len());
            for row in &section.rows {
                let first = house.tiers.len();
                let number = u32::try_from(house.rows.len()).unwrap_or(u32::MAX);
                for seat in &row.seats {
                    let at = house.tiers.len();
                    house.of_tier[usize::from(seat.tier)].insert(at);
                    if seat.accessible {
                        house.accessible.insert(at);
                    }
                    house.tiers.push(seat.tier);
                    house.row_of.push(number);
                    house.labels.push(seat.label.as_str().into());
                }
                if row.seats.iter().any(|seat| seat.accessible) {
                    house.accessible_rows.push(house.rows.len());
                }
                house.widest = house.widest.max(row.seats.len());
                house.rows.push(HouseRow {
                    seats: first..house.tiers.len(),
                    general_admission: section.general_admission,
                    section_name: section.name.as_str().into(),
                    label: row.label.as_str().into(),
                });
            }
        }
        house
    }

    /// How many seats there are.
    pub(crate) fn capacity(&self) -> usize {
        self.tiers.len()
    }

    /// The row of a seat on the plan.
    pub(crate) fn row_of(&self, seat: SeatNo) -> usize {
        self.row_of[seat as usize] as usize
    }

    /// The rows of a section.
    pub(crate) fn section(&self, name: &str) -> Option<Range<usize>> {
        self.sections.get(name).cloned()
    }

    /// What seats come to, line by line: the tickets', then the others.
    pub(crate) fn lines(&self, seats: impl Iterator<Item = (SeatNo, i64)>, extras: Vec<Line>) -> Vec<Line> {
        let tier = |seat: SeatNo| self.tiers.get(seat as usize).copied().unwrap_or_default();
        let tickets: Vec<(TierNo, i64)> = seats.map(|(seat, price)| (tier(seat), price)).collect();
        let name = |tier: TierNo| self.tier_names.get(usize::from(tier)).map(ToString::to_string).unwrap_or_default();
        charge::ticket_lines(&tickets, name).into_iter().chain(extras).collect()
    }

    /// What a buyer reads of a seat; an empty label for a number off the plan.
    pub(crate) fn describe(&self, seat_no: SeatNo, price: i64) -> ReservedSeat {
        let at = seat_no as usize;
        let row = self.row_of.get(at).and_then(|row| self.rows.get(*row as usize));
        ReservedSeat {
            seat_no,
            label: self.labels.get(at).map(ToString::to_string).unwrap_or_default(),
            section: row.map(|row| row.section_name.to_string()).unwrap_or_default(),
            row: row.map(|row| row.label.to_string()).unwrap_or_default(),
            tier: self.tiers.get(at).copied().unwrap_or_default(),
            price,
        }
    }
}
