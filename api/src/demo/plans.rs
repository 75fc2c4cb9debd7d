//! The demo's five houses, generated: a chamber room of 500, a theatre of 1,200, a concert hall of 2,700, an arena of 20,000 and a stadium
//! of 80,000. The same seats in the same places every time, so that a plan's hash never changes.

mod builder;
mod houses;

use model::{LayoutHash, PlanError};

/// A house, as the rows of `layout` want it, and what its tiers are worth.
#[derive(Debug)]
pub(super) struct House {
    pub(super) name: String,
    pub(super) capacity: i32,
    pub(super) hash: LayoutHash,
    pub(super) plan: Vec<u8>,
    /// Name of each tier and its price as a percentage of the best seats'.
    pub(super) tiers: Vec<(String, u32)>,
}

/// Which house a concert is in; the positions in [`houses`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Room,
    Theatre,
    Hall,
    Arena,
    Stadium,
}

/// All houses, by [`Size`].
pub(super) fn all() -> Result<Vec<House>, PlanError> {
    let plans = [houses::room(), houses::theatre(), houses::hall(), houses::arena(), houses::stadium()];
    plans
        .into_iter()
        .map(|(plan, worth)| {
            let plan = plan.checked()?;
            let (hash, bytes) = plan.canonical()?;
            let capacity = i32::try_from(plan.capacity()).map_err(|_| PlanError::Capacity(plan.capacity()))?;
            let tiers = plan.tiers.into_iter().zip(worth).collect();
            Ok(House { name: plan.name, capacity, hash, plan: bytes, tiers })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::SeatPlan;

    #[test]
    fn the_houses_have_their_sizes_and_never_change() {
        let once = all().unwrap();
        let again = all().unwrap();
        let capacities: Vec<i32> = once.iter().map(|house| house.capacity).collect();
        assert_eq!(capacities, [500, 1_200, 2_700, 20_000, 80_000]);
        for (one, other) in once.iter().zip(&again) {
            assert_eq!(one.hash, other.hash);
            let plan = SeatPlan::parse(&one.plan).unwrap();
            assert_eq!(plan.tiers.len(), one.tiers.len(), "{}: each tier has a price", one.name);
        }
    }

    #[test]
    fn every_house_has_accessible_seats_inside_its_walls() {
        for house in all().unwrap() {
            let plan = SeatPlan::parse(&house.plan).unwrap();
            let accessible = plan.seats().filter(|(_, _, seat)| seat.accessible).count();
            assert!(accessible * 250 >= plan.capacity(), "{}: {accessible} accessible seats", house.name);
            for (section, row, seat) in plan.seats() {
                let inside = (0.0..=plan.width).contains(&seat.x) && (0.0..=plan.height).contains(&seat.y);
                assert!(
                    inside,
                    "{}: {} {} {} at {}, {}",
                    house.name, section.name, row.label, seat.label, seat.x, seat.y
                );
            }
        }
    }

    #[test]
    fn no_two_seats_stand_in_one_place() {
        for house in all().unwrap() {
            let plan = SeatPlan::parse(&house.plan).unwrap();
            let mut cells = std::collections::HashMap::new();
            for (section, row, seat) in plan.seats() {
                let cell = ((seat.x * 4.0).round().to_bits(), (seat.y * 4.0).round().to_bits());
                let path = format!("{} {} {}", section.name, row.label, seat.label);
                if let Some(other) = cells.insert(cell, path.clone()) {
                    panic!("{}: {path} stands on {other}", house.name);
                }
            }
        }
    }
}
