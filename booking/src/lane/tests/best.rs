//! Best available against a search of everything, on generated houses.

use super::{Bench, Refusal, Seats, buyer, plan, rows, terms};
use crate::lane::Lane;
use crate::lane::best::{Accessible, Hint, Stock, Want, best_available, runs};
use crate::lane::bits::Bits;
use crate::reservation::{Ask, BestAvailable};
use model::SeatNo;
use proptest::prelude::*;

#[test]
fn the_middle_of_the_first_row_comes_first() {
    let mut bench = Bench::new(&rows(&[9, 9]));
    assert_eq!(bench.best(buyer(1), 3), Ok(vec![3, 4, 5]));
    assert_eq!(bench.best(buyer(2), 3), Ok(vec![0, 1, 2]));
    assert_eq!(bench.best(buyer(3), 4), Ok(vec![11, 12, 13, 14]), "not three together here");
}

#[test]
fn no_single_seat_is_stranded_while_another_place_serves() {
    let mut bench = Bench::new(&rows(&[3, 4]));
    assert_eq!(bench.best(buyer(1), 2), Ok(vec![3, 4]), "two of three would strand one");
    assert_eq!(bench.best(buyer(2), 2), Ok(vec![5, 6]));
    assert_eq!(bench.best(buyer(3), 2), Ok(vec![0, 1]), "nothing else is left");
}

#[test]
fn a_group_is_split_only_when_it_may_and_must() {
    let mut bench = Bench::new(&rows(&[2, 2]));
    let together = BestAvailable { quantity: 3, adjacent: Some(true), ..BestAvailable::default() };
    assert_eq!(bench.ask(buyer(1), Ask::Best(together)), Err(Refusal::NotEnoughSeats));
    assert_eq!(bench.best(buyer(1), 3), Ok(vec![0, 1, 2]));
}

#[test]
fn conditions_hold_and_accessible_seats_come_last() {
    let section = |tier, accessible| (false, vec![vec![(tier, accessible); 2]]);
    let house = plan(&[section(0, true), section(0, false), section(1, false), section(2, false)]);
    let mut bench = Bench::new(&house);
    let want = BestAvailable { quantity: 2, ..BestAvailable::default() };
    let mut ask = |number, want: BestAvailable| bench.ask(buyer(number), Ask::Best(want));
    assert_eq!(ask(1, BestAvailable { price_max: Some(30), ..want.clone() }), Ok(vec![4, 5]));
    assert_eq!(ask(2, BestAvailable { tier: Some(1), ..want.clone() }), Err(Refusal::NotEnoughSeats));
    assert_eq!(ask(3, want.clone()), Ok(vec![2, 3]));
    assert_eq!(ask(4, BestAvailable { section: Some("S1".into()), ..want.clone() }), Err(Refusal::NotEnoughSeats));
    assert_eq!(ask(5, BestAvailable { section: Some("S3".into()), ..want.clone() }), Err(Refusal::NotEnoughSeats));
    assert_eq!(ask(6, BestAvailable { accessible: Some(true), ..want.clone() }), Ok(vec![0, 1]));
    assert_eq!(ask(7, want), Err(Refusal::NotEnoughSeats));
}

#[test]
fn companions_sit_beside_accessible_seats() {
    let row = |accessible: [bool; 6]| accessible.map(|accessible| (0, accessible)).to_vec();
    let house = plan(&[(
        false,
        vec![
            row([false; 6]),
            row([true, true, false, false, false, false]),
            row([true, false, false, true, true, true]),
        ],
    )]);
    let mut bench = Bench::new(&house);
    let with = |quantity, companions| BestAvailable {
        quantity,
        accessible: Some(true),
        companions: Some(companions),
        ..BestAvailable::default()
    };
    let mut ask = |number, want: BestAvailable| bench.ask(buyer(number), Ask::Best(want));
    assert_eq!(ask(1, with(2, 1)), Ok(vec![14, 15]), "no accessible seat for a companion, nobody stranded, the middle");
    assert_eq!(ask(2, with(3, 1)), Ok(vec![6, 7, 8]));
    assert_eq!(ask(3, with(3, 0)), Ok(vec![12, 16, 17]), "what is left of the accessible seats");
    assert_eq!(ask(4, with(2, 1)), Err(Refusal::NotEnoughSeats));
    let must = "is less than quantity, and asks for accessible: true";
    let bad = Err(Refusal::bad_ask("best_available.companions", must));
    assert_eq!(ask(5, with(2, 2)), bad.clone());
    assert_eq!(ask(5, BestAvailable { accessible: None, ..with(2, 1) }), bad);
}

#[test]
fn what_was_hopeless_is_asked_again_once_a_seat_is_freed() {
    let mut bench = Bench::new(&rows(&[2, 1]));
    bench.seats(buyer(1), &[0]).unwrap();
    let together = Ask::Best(BestAvailable { quantity: 2, adjacent: Some(true), ..BestAvailable::default() });
    assert_eq!(bench.ask(buyer(2), together.clone()), Err(Refusal::NotEnoughSeats));
    bench.pass(100);
    assert_eq!(bench.ask(buyer(2), together), Ok(vec![0, 1]));
}

#[test]
fn general_admission_has_places_not_neighbours() {
    let mut bench = Bench::new(&plan(&[(true, vec![vec![(0, false); 5]])]));
    bench.seats(buyer(1), &[1]).unwrap();
    let together = BestAvailable { quantity: 3, adjacent: Some(true), ..BestAvailable::default() };
    assert_eq!(bench.ask(buyer(2), Ask::Best(together)), Ok(vec![0, 2, 3]));
}

/// A house of sections of rows, and which seats are free.
fn scene() -> impl Strategy<Value = (Vec<(bool, Vec<Seats>)>, Vec<bool>)> {
    let seat = (0_u16..3, proptest::bool::weighted(0.1));
    let row = proptest::collection::vec(seat, 1..12);
    let section =
        (proptest::bool::weighted(0.2), proptest::collection::vec(row, 1..4)).prop_map(|(general, mut rows)| {
            if general {
                rows.truncate(1);
            }
            (general, rows)
        });
    let sections = proptest::collection::vec(section, 1..4);
    (sections, proptest::collection::vec(proptest::bool::weighted(0.7), 200))
}

/// What the naive search sees of a seat.
#[derive(Clone, Copy)]
struct Spot {
    row: usize,
    general: bool,
    free: bool,
    eligible: bool,
}

/// Every placement of `quantity` together, best first: (strands, row, off centre, first).
fn naive(spots: &[Spot], quantity: usize) -> Option<Vec<SeatNo>> {
    let row_of = |row: usize| -> Vec<usize> { (0..spots.len()).filter(|at| spots[*at].row == row).collect() };
    let last = spots.iter().map(|spot| spot.row).max()?;
    let mut found = Vec::new();
    for row in 0..=last {
        let seats = row_of(row);
        if spots[seats[0]].general {
            let places: Vec<usize> = seats.into_iter().filter(|at| spots[*at].eligible).take(quantity).collect();
            if places.len() == quantity {
                found.push(((false, row, 0, 0), places));
            }
            continue;
        }
        for window in seats.windows(quantity).filter(|window| window.iter().all(|at| spots[*at].eligible)) {
            let free = |at: Option<usize>| at.is_some_and(|at| seats.contains(&at) && spots[at].free);
            let (first, end) = (window[0], window[quantity - 1]);
            let left = free(first.checked_sub(1)) && !free(first.checked_sub(2));
            let right = free(Some(end + 1)) && !free(Some(end + 2));
            let centre = (2 * first + quantity).abs_diff(2 * seats[0] + seats.len());
            found.push(((left || right, row, centre, first), window.to_vec()));
        }
    }
    found.sort();
    let seats = found.into_iter().next()?.1;
    Some(seats.into_iter().map(|seat| SeatNo::try_from(seat).unwrap()).collect())
}

/// Every placement of a group with companions, best first: (accessible seats taken, strands, row, off centre, first).
fn beside(spots: &[Spot], accessible: &Bits, (quantity, companions): (usize, usize)) -> Option<Vec<SeatNo>> {
    let mut found = Vec::new();
    for (first, window) in spots.windows(quantity).enumerate() {
        let row = window[0].row;
        let sitting = (first..first + quantity).filter(|seat| accessible.contains(*seat)).count();
        if window.iter().any(|spot| !spot.eligible || spot.row != row) || sitting + companions < quantity {
            continue;
        }
        let seats: Vec<usize> = (0..spots.len()).filter(|at| spots[*at].row == row).collect();
        let free = |at: Option<usize>| at.is_some_and(|at| seats.contains(&at) && spots[at].free);
        let left = free(first.checked_sub(1)) && !free(first.checked_sub(2));
        let right = free(Some(first + quantity)) && !free(Some(first + quantity + 1));
        let centre = (2 * first + quantity).abs_diff(2 * seats[0] + seats.len());
        found.push((sitting, left || right, row, centre, first));
    }
    let first = found.into_iter().min()?.4;
    Some((first..first + quantity).map(|seat| SeatNo::try_from(seat).unwrap()).collect())
}

proptest! {
    #[test]
    fn equals_a_search_of_everything(
        (sections, free) in scene(), quantity in 1_usize..6, tier in proptest::option::of(0_u16..3),
        section in proptest::option::of(0_usize..3), accessible_only: bool, adjacent_only: bool, companions in 0_usize..3,
    ) {
        let house = super::house(&plan(&sections));
        let mut spots = Vec::new();
        let mut bits = Bits::new(house.capacity());
        let of_section = |section: usize| house.section(&format!("S{section}")).unwrap_or(0..0);
        let rows = section.map_or(0..house.rows.len(), of_section);
        for (number, row) in house.rows.iter().enumerate() {
            for at in row.seats.clone() {
                let wanted = tier.is_none_or(|tier| tier == house.tiers[at]);
                let in_section = rows.contains(&number);
                let eligible = free[at] && wanted && in_section;
                let general = row.general_admission;
                spots.push(Spot { row: number, general, free: free[at], eligible });
                if free[at] { bits.insert(at); }
            }
        }
        let runs: Vec<u64> = house.rows.iter().map(|row| runs::of(&bits, row)).collect();
        let stock = Stock { house: &house, free: &bits, runs: &runs };
        let tiers = tier.map(|tier| vec![&house.of_tier[usize::from(tier)]]);
        let companions = companions.min(quantity - 1);
        let accessible = accessible_only.then_some(Accessible { companions });
        let got = best_available(stock, &Want { quantity, tiers, rows, accessible, adjacent_only }, &mut Hint::default());
        if accessible_only && companions > 0 {
            prop_assert_eq!(got, beside(&spots, &house.accessible, (quantity, companions)));
            return Ok(());
        }
        let with = |keep: &dyn Fn(usize) -> bool| -> Vec<Spot> {
            spots.iter().enumerate().map(|(at, spot)| Spot { eligible: spot.eligible && keep(at), ..*spot }).collect()
        };
        let stages = if accessible_only {
            vec![with(&|at| house.accessible.contains(at))]
        } else {
            vec![with(&|at| !house.accessible.contains(at)), with(&|_| true)]
        };
        let eligible = |stage: &[Spot]| stage.iter().filter(|spot| spot.eligible).count();
        let stage = stages.iter().find(|stage| {
            eligible(stage) >= quantity && (!adjacent_only || naive(stage, quantity).is_some())
        });
        let Some(stage) = stage else {
            prop_assert_eq!(got, None);
            return Ok(());
        };
        if let Some(together) = naive(stage, quantity) {
            prop_assert_eq!(got, Some(together));
        } else {
            let apart = got.expect("enough seats, and they may be apart");
            prop_assert_eq!(apart.len(), quantity);
            prop_assert!(apart.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(apart.iter().all(|seat| stage[*seat as usize].eligible));
        }
    }
}

#[test]
fn eighty_thousand_seats_are_searched_at_once() {
    let lane = Lane::new(super::house(&rows(&[40; 2_000])), terms());
    let mut bench = Bench { lane, now: super::at(1), minted: 0, facts: Vec::new(), decided_from: 0 };
    // Every third seat is taken: nowhere are three together.
    for number in 0..26_667 {
        let first = number * 3;
        bench.seats(buyer(u128::from(number)), &[first]).unwrap();
    }
    let together = BestAvailable { quantity: 3, adjacent: Some(true), ..BestAvailable::default() };
    let started = std::time::Instant::now();
    assert_eq!(bench.ask(buyer(1 << 40), Ask::Best(together.clone())), Err(Refusal::NotEnoughSeats));
    let searched = started.elapsed();
    assert_eq!(bench.ask(buyer(2 << 40), Ask::Best(together)), Err(Refusal::NotEnoughSeats));
    // Generous for an unoptimised build on a busy machine; the figure `best` measures it.
    assert!(searched.as_millis() < 200, "{searched:?}");
}
