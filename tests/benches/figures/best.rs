//! Best available in memory, at 20,000 and 80,000 seats: what one decision takes, beside its bound, in houses from empty to nearly
//! sold out. Every ask is new, so that nothing is remembered from the one before.

use booking::{Ask, BestAvailable, Rehearsal};
use model::{Row, Seat, SeatNo, SeatPlan, Section, UserId};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::HashMap;
use std::time::{Duration, Instant};

const SEATS_PER_ROW: u32 = 40;
const ASKS: u32 = 20_000;
/// Groups that are asked for: as many times as people come in them.
const QUANTITIES: [u32; 10] = [1, 2, 2, 2, 2, 3, 4, 4, 6, 8];

/// Whether a seat is sold before a house is measured.
type IsSold = fn(SeatNo, &mut SmallRng) -> bool;

const HOUSES: [(&str, IsSold); 5] = [
    ("empty", |_, _| false),
    ("half sold", |_, random| random.random_bool(0.5)),
    ("every third seat sold", |seat, _| seat % 3 == 0),
    ("every second seat sold", |seat, _| seat % 2 == 0),
    ("one seat in a hundred left", |_, random| random.random_bool(0.99)),
];

pub(crate) fn run() -> anyhow::Result<()> {
    for (seats, bound_us) in [(20_000, 5.0), (80_000, 20.0)] {
        for (house, is_sold) in HOUSES {
            let mut took = measure(seats, is_sold)?;
            took.sort_unstable();
            let us = |share| super::quantile_ms(&took, share) * 1e3;
            super::print(&format!("best of {seats} seats, {house}"), (us(0.5), "us"), (bound_us, "bound, us:"));
            super::print("  its p99", (us(0.99), "us"), (bound_us, "bound, us:"));
        }
    }
    Ok(())
}

/// Times of decisions, each on the same house.
fn measure(seats: u32, is_sold: IsSold) -> anyhow::Result<Vec<Duration>> {
    let mut random = SmallRng::seed_from_u64(1);
    let prices = HashMap::from([(0, 5_000), (1, 3_000)]);
    let mut rehearsal = Rehearsal::new(&plan(seats)?, "USD".parse()?, prices);
    for seat in (0..seats).filter(|seat| is_sold(*seat, &mut SmallRng::seed_from_u64(u64::from(*seat)))) {
        rehearsal.reserve(UserId::new(), Ask::Seats(vec![seat]))?;
    }
    let buyer = UserId::new();
    let mut took = Vec::new();
    for n in 0..ASKS {
        let quantity = QUANTITIES[random.random_range(0..QUANTITIES.len())];
        // No two alike, as far as what is remembered goes; a fifth of them for the cheaper tier, half side by side or not at all.
        let (tier, price_max) = ((n % 5 == 0).then_some(1), Some(1_000_000 + i64::from(n)));
        let adjacent = (n % 2 == 0).then_some(true);
        let ask = BestAvailable { quantity, tier, price_max, adjacent, ..BestAvailable::default() };
        let started = Instant::now();
        let answer = rehearsal.reserve(buyer, Ask::Best(ask));
        took.push(started.elapsed());
        if answer.is_ok() {
            rehearsal.release(buyer);
        }
    }
    Ok(took)
}

/// Rows of forty, the back half cheaper, two accessible seats at the end of every tenth row.
fn plan(seats: u32) -> anyhow::Result<SeatPlan> {
    let seat = |seat_no: u32| Seat {
        seat_no,
        label: (seat_no % SEATS_PER_ROW + 1).to_string(),
        x: 0.0,
        y: 0.0,
        tier: u16::from(seat_no >= seats / 2),
        accessible: seat_no / SEATS_PER_ROW % 10 == 9 && seat_no % SEATS_PER_ROW < 2,
    };
    let row = |first: u32| Row { label: first.to_string(), seats: (first..first + SEATS_PER_ROW).map(seat).collect() };
    let rows = (0..seats).step_by(SEATS_PER_ROW as usize).map(row).collect();
    let sections = vec![Section { name: "Stalls".into(), general_admission: false, rows }];
    let tiers = vec!["Front".into(), "Back".into()];
    let plan = SeatPlan { name: "Stadium".into(), width: 1.0, height: 1.0, stage: [0.0; 4], tiers, sections };
    Ok(plan.checked()?)
}
