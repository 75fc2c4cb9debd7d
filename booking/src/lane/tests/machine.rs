//! Generated commands: the invariants hold after each, and the facts replay to the same state.

use super::{Bench, CODE, buyer, house, plan, terms};
use crate::digest::Digest;
use crate::lane::fact::Fact;
use crate::lane::{Command, Done, Lane, Moment};
use crate::order::{OrderState, RefundBy, Report};
use crate::reservation::{Ask, BestAvailable};
use crate::seats::SeatState;
use model::{HoldId, OrderId, PaymentId, SeatNo, SeatPlan, UserId};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// A step of a story; orders and payments are named by when they were made.
#[derive(Clone, Debug)]
enum Step {
    Seats(u128, Vec<SeatNo>),
    Best(u128, u32, bool),
    Extend(u128),
    Release(u128),
    Buy(u128, u8),
    Settle(usize, Report),
    Refund(usize, RefundBy),
    Exchange(usize, SeatNo, SeatNo),
    Join(u128, u32),
    Leave(u128),
    Pass(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0_u128..5;
    let report = prop_oneof![
        4 => Just(Report::Authorized),
        1 => Just(Report::Declined { reason: "no".into() }),
        1 => Just(Report::Captured),
        1 => Just(Report::Voided),
        1 => Just(Report::Refunded),
    ];
    let refunder = prop_oneof![Just(RefundBy::Seller), Just(RefundBy::Buyer(buyer(0)))];
    prop_oneof![
        3 => (who.clone(), proptest::collection::vec(0_u32..26, 1..4)).prop_map(|(who, seats)| Step::Seats(who, seats)),
        3 => (who.clone(), 1_u32..5, any::<bool>()).prop_map(|(who, quantity, adjacent)| Step::Best(who, quantity, adjacent)),
        1 => who.clone().prop_map(Step::Extend),
        1 => who.clone().prop_map(Step::Release),
        2 => (who.clone(), 1_u32..5).prop_map(|(who, quantity)| Step::Join(who, quantity)),
        1 => who.clone().prop_map(Step::Leave),
        4 => (who, 0_u8..3).prop_map(|(who, key)| Step::Buy(who, key)),
        5 => (0_usize..8, report).prop_map(|(which, report)| Step::Settle(which, report)),
        2 => (0_usize..8, refunder).prop_map(|(which, by)| Step::Refund(which, by)),
        3 => (0_usize..8, 0_u32..21, 0_u32..21).prop_map(|(which, give, take)| Step::Exchange(which, give, take)),
        2 => (1_i64..80).prop_map(Step::Pass),
    ]
}

fn small_house() -> SeatPlan {
    let row = |tier, length| vec![(tier, false); length];
    plan(&[(false, vec![row(0, 6), row(1, 7)]), (true, vec![row(0, 8)]), (false, vec![row(2, 3)])])
}

fn command(step: &Step, checkouts: &[(OrderId, PaymentId)], lane: &Lane) -> Option<Command> {
    let reserve = |who: u128, ask| Command::Reserve {
        buyer: buyer(who),
        ask,
        code: code(who),
        key: "k".into(),
        request: Digest([7; 32]),
    };
    Some(match step {
        Step::Seats(who, seats) => reserve(*who, Ask::Seats(seats.clone())),
        Step::Best(who, quantity, adjacent) => {
            let want = BestAvailable { quantity: *quantity, adjacent: Some(*adjacent), ..BestAvailable::default() };
            reserve(*who, Ask::Best(want))
        }
        Step::Extend(who) => Command::Extend { buyer: buyer(*who) },
        Step::Release(who) => Command::Release { buyer: buyer(*who), holds: lane.holds_of(buyer(*who)) },
        Step::Buy(who, key) => Command::Buy { buyer: buyer(*who), hold: None, key: key.to_string() },
        Step::Settle(which, report) => {
            let (order, payment) = *checkouts.get(*which)?;
            Command::Settle { order, payment, report: report.clone() }
        }
        Step::Refund(which, by) => Command::Refund { order: checkouts.get(*which)?.0, by: *by },
        // Its first seat, or any.
        Step::Exchange(which, give, take) => {
            let known = lane.order(checkouts.get(*which)?.0)?;
            let give = if *give < 15 { known.hold.seats[0] } else { *give };
            Command::Exchange { order: known.order, buyer: known.hold.buyer, give: vec![give], take: vec![*take] }
        }
        Step::Join(who, quantity) => {
            let want = BestAvailable { quantity: *quantity, ..BestAvailable::default() };
            Command::Join { buyer: buyer(*who), want, after: lane.line().last_of(buyer(*who)) }
        }
        Step::Leave(who) => Command::Leave { buyer: buyer(*who), place: lane.line().last_of(buyer(*who)) },
        Step::Pass(_) => Command::Wake,
    })
}

/// Two of the five have a code, which is good for so many only.
fn code(who: u128) -> Option<String> {
    (who < 2).then(|| CODE.to_owned())
}

/// Who has which seat according to the facts alone, checked fact by fact.
#[derive(Default)]
struct Books {
    seats: HashMap<SeatNo, (HoldId, bool)>,
    holds: HashMap<HoldId, (UserId, Vec<SeatNo>)>,
    captures: HashMap<OrderId, usize>,
    bills: HashMap<HoldId, i64>,
    /// Holds with the code that live or were sold.
    coded: HashMap<HoldId, usize>,
    undone: HashSet<OrderId>,
    back: HashMap<OrderId, usize>,
    returning: HashSet<PaymentId>,
    returned: HashSet<PaymentId>,
    line: BTreeMap<i64, (UserId, BestAvailable)>,
}

impl Books {
    fn keep(&mut self, fact: &Fact) {
        match fact {
            Fact::Ordered { hold, total, .. } => {
                assert_eq!(self.bills[hold], *total, "what was priced is what is paid");
            }
            Fact::Held { hold, buyer, seats, .. } | Fact::Reclaimed { hold, buyer, seats, .. } => {
                if let Fact::Held { prices, extras, .. } = fact {
                    let price = crate::lane::total(prices, extras);
                    assert!(
                        price >= 0 && extras.iter().all(|line| line.unit * i64::from(line.quantity) == line.amount)
                    );
                    self.bills.insert(*hold, price);
                }
                for seat in seats {
                    assert_eq!(self.seats.insert(*seat, (*hold, false)), None, "seat {seat} is in two holds");
                }
                self.holds.insert(*hold, (*buyer, seats.clone()));
                if (0..2).any(|who| code(who).is_some() && *buyer == super::buyer(who)) {
                    self.coded.insert(*hold, seats.len());
                }
            }
            Fact::Released { hold, seats, .. } | Fact::Expired { hold, seats, .. } => {
                assert_eq!(self.holds[hold].1, *seats, "all or nothing");
                self.coded.remove(hold);
                for seat in seats {
                    assert_eq!(self.seats.remove(seat), Some((*hold, false)));
                }
            }
            Fact::Sold { order, hold, seats, tickets, .. } => {
                assert_eq!((self.holds[hold].1.clone(), seats.len()), (seats.clone(), tickets.len()));
                for seat in seats {
                    assert_eq!(self.seats.insert(*seat, (*hold, true)), Some((*hold, false)));
                }
                *self.captures.entry(*order).or_default() += 1;
                assert_eq!(self.captures[order], 1, "the money is asked for once");
            }
            Fact::Exchanged { hold, gave, took, seats, .. } => {
                for (gave, took) in gave.iter().zip(took) {
                    assert_eq!(self.seats.remove(gave), Some((*hold, true)), "what went was the order's");
                    assert_eq!(self.seats.insert(*took, (*hold, true)), None, "what came was nobody's");
                }
                let had = self.holds.get_mut(hold).unwrap();
                assert_eq!(had.1.len(), seats.len());
                had.1.clone_from(seats);
            }
            Fact::Undone { order, seats, .. } => {
                assert!(self.undone.insert(*order), "undone once");
                for seat in seats {
                    assert!(self.seats.remove(seat).is_some_and(|(_, sold)| sold), "what was sold comes back");
                }
            }
            Fact::Refunded { order, .. } | Fact::Uncollected { order, .. } => {
                *self.back.entry(*order).or_default() += 1;
            }
            Fact::Returning { payment, .. } => assert!(self.returning.insert(*payment), "asked back once"),
            Fact::Returned { payment, .. } => {
                assert!(self.returning.contains(payment) && self.returned.insert(*payment), "back once, and asked for");
            }
            _ => self.keep_line(fact),
        }
    }

    fn keep_line(&mut self, fact: &Fact) {
        match fact {
            Fact::Joined { place, buyer, want } => {
                assert!(self.line.last_key_value().is_none_or(|(last, _)| last < place), "behind everyone before");
                self.line.insert(*place, (*buyer, want.clone()));
            }
            Fact::Left { place, .. } => assert!(self.line.remove(place).is_some()),
            Fact::Offered { place, .. } => {
                let (_, want) = self.line.remove(place).expect("who is offered seats waits");
                let served = |(_, (who, wanted)): (&i64, &(UserId, BestAvailable))| {
                    *wanted == want && self.of_buyer(*who) + want.quantity <= 4
                };
                assert!(!self.line.range(..place).any(served), "somebody before wanted the same");
            }
            _ => {}
        }
    }

    fn of_buyer(&self, buyer: UserId) -> u32 {
        let theirs = self.seats.values().filter(|(hold, _)| self.holds[hold].0 == buyer);
        u32::try_from(theirs.count()).unwrap()
    }

    /// Nobody waits for what is there to be had.
    fn nobody_waits_in_vain(&self, bench: &Bench) {
        let places: Vec<_> =
            bench.lane.line().places().map(|(place, who, want)| (place, (who, want.clone()))).collect();
        assert_eq!(places, self.line.clone().into_iter().collect::<Vec<_>>());
        let mut mint = || Uuid::from_u128(u128::MAX);
        for (_, (who, want)) in places {
            let mut moment = Moment { now: bench.now, mint: &mut mint };
            let had = bench.lane.clone().reserve(who, (&Ask::Best(want), None), &mut moment);
            assert!(had.is_err(), "{had:?}");
        }
    }

    fn agree_with(&self, lane: &Lane) {
        let mut of_buyer: HashMap<UserId, u32> = HashMap::new();
        for (seat, state) in lane.seats().iter().enumerate() {
            let kept = self.seats.get(&SeatNo::try_from(seat).unwrap());
            match state {
                SeatState::Free | SeatState::Closed => assert_eq!(kept, None),
                SeatState::Held => assert!(!kept.unwrap().1),
                SeatState::Sold => assert!(kept.unwrap().1),
            }
            if let Some((hold, _)) = kept {
                *of_buyer.entry(self.holds[hold].0).or_default() += 1;
            }
        }
        for who in 0..5 {
            let seats = of_buyer.get(&buyer(who)).copied().unwrap_or_default();
            assert_eq!(lane.seats_of(buyer(who)), seats);
            assert!(seats <= 4, "the limit holds");
        }
        let used = lane.used(CODE);
        assert_eq!((used.uses as usize, used.seats as usize), (self.coded.len(), self.coded.values().sum()));
        assert!(used.uses <= 6 && used.seats <= 9, "a code is good for no more than it is");
        assert_eq!(lane.seats_left(), 21 - self.seats.len());
        assert_eq!(lane.seats_total(), 21);
        let priced = |tier: u16| (0..21).filter(move |seat| u16::from((6..13).contains(seat)) == tier);
        let left = |tier| priced(tier).any(|seat| !self.seats.contains_key(&seat));
        // 35 and 3.5 of tax; 55 and 5.5.
        let lowest = if left(1) { Some(39) } else { left(0).then_some(61) };
        assert_eq!(lane.price_min(), lowest);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn every_story_keeps_the_invariants_and_replays(story in proptest::collection::vec(step(), 1..60)) {
        let mut bench = Bench::new(&small_house());
        let (mut books, mut kept) = (Books::default(), 0);
        let mut checkouts = Vec::new();
        for step in &story {
            if let Step::Pass(seconds) = step {
                bench.pass(*seconds);
            }
            let Some(command) = command(step, &checkouts, &bench.lane) else { continue };
            let mut fresh = Bench { lane: bench.lane.without_memory(), facts: Vec::new(), ..bench };
            let done = bench.run(&command);
            prop_assert_eq!(&fresh.run(&command), &done, "what is remembered of searches changes no answer");
            prop_assert!(done.is_ok() || bench.facts.len() == bench.decided_from, "a refusal decides nothing");
            if let Ok(Done::Checkout { order, payment }) = done
                && !checkouts.contains(&(order, payment))
            {
                checkouts.push((order, payment));
            }
            bench.facts[kept..].iter().for_each(|fact| books.keep(fact));
            kept = bench.facts.len();
            books.agree_with(&bench.lane);
            books.nobody_waits_in_vain(&bench);
            prop_assert!(bench.lane.first_expiry().is_none_or(|(expires_at, _)| expires_at > bench.now));
        }
        let log = serde_json::to_vec(&bench.facts).unwrap();
        let mut replayed = Lane::new(house(&small_house()), terms());
        for fact in serde_json::from_slice::<Vec<Fact>>(&log).unwrap() {
            replayed.apply(&fact);
        }
        prop_assert!(replayed == bench.lane, "the log replays to the state");
        let sold: HashSet<OrderId> = books.captures.keys().copied().collect();
        for (order, _) in checkouts {
            let state = bench.lane.order(order).unwrap().state;
            let is_sold = matches!(state, OrderState::Confirmed | OrderState::Captured);
            let is_undone = matches!(state, OrderState::Refunding | OrderState::Refunded);
            prop_assert_eq!(is_sold || is_undone, sold.contains(&order), "sold and paid for go together");
            prop_assert_eq!(is_undone, books.undone.contains(&order), "or the money is on its way back");
            prop_assert_eq!(usize::from(state == OrderState::Refunded), books.back.get(&order).copied().unwrap_or_default());
        }
    }
}
