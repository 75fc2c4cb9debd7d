//! The measures of the five houses. Beside each plan stands what its tiers cost, in percent of the best.

use super::builder::{Block, Builder, Oval};
use model::{SeatPlan, TierNo};

type Priced = (SeatPlan, Vec<u32>);

fn block(section: &str, rows: u16, seats: u16, tier: TierNo) -> Block<'_> {
    Block { section, rows, seats, tier, accessible: false }
}

/// 500 seats: twenty straight rows of 25 in two blocks.
pub(super) fn room() -> Priced {
    let mut house = Builder::new("Chamber Room", (18.0, 27.0), [4.0, 1.0, 10.0, 4.0], &["Front", "Middle", "Rear"]);
    for (rows, first, tier) in [(6, 0, 0), (8, 6, 1), (6, 14, 2)] {
        let depth = 7.0 + f64::from(first) * 0.95;
        let left = Block { accessible: true, ..block("Left", rows, 12, tier) };
        house.straight(&left, first, (1.8, depth), (0.55, 0.95));
        house.straight(&Block { section: "Right", seats: 13, ..left }, first, (9.6, depth), (0.55, 0.95));
    }
    (house.finish(), vec![100, 75, 50])
}

/// 1,200 seats: orchestra, mezzanine and balcony of a theatre.
pub(super) fn theatre() -> Priced {
    let tiers = ["Premium Orchestra", "Orchestra", "Mezzanine", "Balcony"];
    let mut house = Builder::new("Theatre", (30.0, 54.0), [6.0, 1.0, 18.0, 7.0], &tiers);
    let centre = (15.0, -8.0);
    for (rows, first, tier) in [(8, 0, 0), (12, 8, 1)] {
        let radius = 20.0 + f64::from(first) * 0.95;
        for (section, seats, at) in
            [("Orchestra Centre", 15, 0.0), ("Orchestra Left", 10, -7.9), ("Orchestra Right", 10, 7.9)]
        {
            let rows = Block { accessible: true, ..block(section, rows, seats, tier) };
            house.arc(&rows, first, centre, (radius, at));
        }
    }
    house.arc(&Block { accessible: true, ..block("Mezzanine", 10, 30, 2) }, 0, centre, (41.5, 0.0));
    house.arc(&block("Balcony", 8, 25, 3), 0, centre, (53.0, 0.0));
    (house.finish(), vec![100, 80, 60, 35])
}

/// 2,700 seats: a concert hall's orchestra and three tiers with boxes at their sides.
pub(super) fn hall() -> Priced {
    let tiers = ["Prime Orchestra", "Orchestra", "First Tier", "Second Tier", "Third Tier"];
    let mut house = Builder::new("Concert Hall", (54.0, 64.0), [16.0, 1.0, 22.0, 9.0], &tiers);
    let centre = (27.0, -16.0);
    for (rows, first, tier) in [(12, 0, 0), (18, 12, 1)] {
        let radius = 29.0 + f64::from(first) * 0.95;
        for (section, seats, at) in
            [("Orchestra Centre", 22, 0.0), ("Orchestra Left", 14, -11.1), ("Orchestra Right", 14, 11.1)]
        {
            let rows = Block { accessible: true, ..block(section, rows, seats, tier) };
            house.arc(&rows, first, centre, (radius, at));
        }
    }
    for (level, name) in (0_u16..).zip(["First Tier", "Second Tier", "Third Tier"]) {
        let (tier, up) = (2 + level, f64::from(level));
        let middle = format!("{name} Centre");
        let middle = Block { accessible: true, ..block(&middle, 4, 60, tier) };
        house.arc(&middle, 0, centre, (60.0 + up * 6.5, 0.0));
        for (side, x) in [("Left", 8.2 - up * 2.6), ("Right", 45.05 + up * 2.6)] {
            let boxes = format!("{name} Boxes {side}");
            // Boxes stand along the walls: forty rows of two, seen from above.
            house.straight(&block(&boxes, 40, 2, tier), 0, (x, 13.0 - up), (0.75, 0.75));
        }
    }
    (house.finish(), vec![100, 75, 65, 50, 30])
}

/// 20,000 places: an arena with a standing floor, a club ring and two bowls.
pub(super) fn arena() -> Priced {
    let tiers = ["Floor", "Club", "Lower Bowl", "Upper Bowl"];
    let mut house = Builder::new("Arena", (190.0, 162.0), [77.0, 8.0, 36.0, 34.0], &tiers);
    let centre = (95.0, 81.0);
    house.standing(&block("Floor", 40, 50, 0), (65.6, 50.0), 1.2);
    let ring = |half| Oval { centre, half };
    house.ring(ring((56.0, 42.0)), 24, &block("", 18, 20, 2), |n| format!("{}", 101 + n));
    house.ring(ring((71.6, 57.6)), 20, &block("", 1, 20, 1), |n| format!("Club {}", 1 + n));
    house.ring(ring((74.0, 60.0)), 28, &block("", 16, 20, 3), |n| format!("{}", 201 + n));
    (house.finish(), vec![90, 100, 65, 40])
}

/// 80,000 places: a stadium with a standing field, a club ring and three levels.
pub(super) fn stadium() -> Priced {
    let tiers = ["Field", "Club", "100 Level", "200 Level", "300 Level"];
    let mut house = Builder::new("Stadium", (346.0, 296.0), [148.0, 20.0, 50.0, 60.0], &tiers);
    let centre = (173.0, 148.0);
    house.standing(&block("Field", 100, 200, 0), (98.4, 110.0), 0.75);
    let ring = |half| Oval { centre, half };
    house.ring(ring((97.0, 72.0)), 40, &block("", 25, 20, 2), |n| format!("{}", 101 + n));
    house.ring(ring((119.0, 94.0)), 40, &block("", 1, 20, 1), |n| format!("Club {}", 1 + n));
    house.ring(ring((123.0, 98.0)), 44, &block("", 20, 20, 3), |n| format!("{}", 201 + n));
    house.ring(ring((143.0, 118.0)), 48, &block("", 25, 18, 4), |n| format!("{}", 301 + n));
    (house.finish(), vec![85, 100, 70, 50, 30])
}
