//! The lane's rules, one by one and under generated commands.

mod access;
mod best;
mod exchange;
mod machine;
mod purchase;
mod refund;
mod tables;
mod waiting;

use super::access::{Access, Code};
use super::fact::Fact;
use super::house::House;
use super::{Command, Done, Lane, Moment, Refusal, Terms};
use crate::digest::Digest;
use crate::order::{OrderState, Report};
use crate::reservation::{Ask, BestAvailable, Closed};
use jiff::{SignedDuration, Timestamp};
use model::charge::{Charge, Discount, Reckoning};
use model::{Row, Seat, SeatNo, SeatPlan, Section, UserId};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// A row of seats: tier, and whether accessible.
pub(crate) type Seats = Vec<(u16, bool)>;

/// A plan of sections; each is general admission or not, with its rows.
pub(crate) fn plan(sections: &[(bool, Vec<Seats>)]) -> SeatPlan {
    let mut next = 0;
    let mut row = |label: usize, seats: &Seats| Row {
        label: label.to_string(),
        seats: seats
            .iter()
            .enumerate()
            .map(|(at, (tier, accessible))| {
                let seat_no = next;
                next += 1;
                Seat { seat_no, label: at.to_string(), x: 0.0, y: 0.0, tier: *tier, accessible: *accessible }
            })
            .collect(),
    };
    let sections = sections.iter().enumerate().map(|(at, (general_admission, rows))| Section {
        name: format!("S{at}"),
        general_admission: *general_admission,
        rows: rows.iter().enumerate().map(|(label, seats)| row(label, seats)).collect(),
    });
    let sections = sections.collect();
    let tiers = vec!["A".into(), "B".into(), "C".into()];
    SeatPlan { name: "Test".into(), width: 1.0, height: 1.0, stage: [0.0; 4], tiers, sections }.checked().unwrap()
}

/// Rows of seats of tier 0.
fn rows(lengths: &[usize]) -> SeatPlan {
    plan(&[(false, lengths.iter().map(|length| vec![(0, false); *length]).collect())])
}

pub(crate) fn house(plan: &SeatPlan) -> Arc<House> {
    Arc::new(House::new("hash".into(), plan))
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

/// A code of the test's event.
pub(crate) const CODE: &str = "SIX";

/// On sale from second 0 to 10,000, holds of 100 s, offers of 300 s, four seats a buyer, tier 0 at 50, tier 1 at 30, tier 2 closed.
/// Its code is good for six purchases and nine seats, and takes a third off. A fee of 5 a ticket, a tenth of tax.
pub(crate) fn terms() -> Terms {
    let discount = Some(Discount::Share { basis_points: 3_333 });
    Terms {
        slot: 1,
        opens_at: at(0),
        closes_at: at(10_000),
        cancelled: false,
        hold_ttl_s: 100,
        offer_ttl_s: 300,
        buyer_limit: 4,
        refundable_until: Some(at(5_000)),
        currency: "USD".parse().unwrap(),
        prices: HashMap::from([(0, 50), (1, 30)]),
        charges: vec![
            Charge { label: "Fee".into(), how: Reckoning::FeePerTicket { amount: 5 } },
            Charge { label: "Tax".into(), how: Reckoning::TaxAdded { basis_points: 1_000 } },
        ],
        access: Access {
            presales: Vec::new(),
            codes: HashMap::from([(
                CODE.to_owned(),
                Code { uses_max: Some(6), seats_max: Some(9), discount, ..Code::default() },
            )]),
        },
    }
}

/// A lane with a clock in hand.
struct Bench {
    lane: Lane,
    now: Timestamp,
    minted: u128,
    facts: Vec<Fact>,
    /// Where the facts of the last command begin, after what time did.
    decided_from: usize,
}

impl Bench {
    fn new(plan: &SeatPlan) -> Self {
        Self { lane: Lane::new(house(plan), terms()), now: at(1), minted: 0, facts: Vec::new(), decided_from: 0 }
    }

    fn run(&mut self, command: &Command) -> Result<Done, Refusal> {
        let minted = &mut self.minted;
        let mut mint = || {
            *minted += 1;
            Uuid::from_u128(*minted)
        };
        let mut moment = Moment { now: self.now, mint: &mut mint };
        self.lane.expire(&mut moment, &mut self.facts);
        self.decided_from = self.facts.len();
        self.lane.decide(command, &mut moment, &mut self.facts)
    }

    fn ask(&mut self, buyer: UserId, ask: Ask) -> Result<Vec<SeatNo>, Refusal> {
        let command = Command::Reserve { buyer, ask, code: None, key: "k".into(), request: Digest([0; 32]) };
        match self.run(&command)? {
            Done::Held(hold) => Ok(hold.seats),
            other => panic!("{other:?}"),
        }
    }

    fn seats(&mut self, buyer: UserId, seats: &[SeatNo]) -> Result<Vec<SeatNo>, Refusal> {
        self.ask(buyer, Ask::Seats(seats.to_vec()))
    }

    fn best(&mut self, buyer: UserId, quantity: u32) -> Result<Vec<SeatNo>, Refusal> {
        self.ask(buyer, Ask::Best(BestAvailable { quantity, ..BestAvailable::default() }))
    }

    fn release(&mut self, buyer: UserId) -> Result<Done, Refusal> {
        let holds = self.lane.holds_of(buyer);
        self.run(&Command::Release { buyer, holds })
    }

    fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }
}

pub(crate) fn buyer(number: u128) -> UserId {
    UserId(Uuid::from_u128(1 << 64 | number))
}

#[test]
fn a_taken_seat_refuses_the_whole_request() {
    let mut bench = Bench::new(&rows(&[4]));
    assert_eq!(bench.seats(buyer(1), &[2, 1]), Ok(vec![1, 2]));
    let before = bench.lane.clone();
    assert_eq!(bench.seats(buyer(2), &[0, 1]), Err(Refusal::SeatsTaken(vec![1])));
    assert_eq!(bench.lane, before);
}

#[test]
fn a_senseless_request_is_refused_by_field() {
    let mut bench = Bench::new(&plan(&[(false, vec![vec![(0, false), (2, false)]])]));
    assert!(matches!(bench.seats(buyer(1), &[]), Err(Refusal::BadAsk { field, .. }) if field == "seats"));
    assert!(matches!(bench.seats(buyer(1), &[0, 0]), Err(Refusal::BadAsk { field, .. }) if field == "seats"));
    assert_eq!(
        bench.seats(buyer(1), &[1, 0, 9]),
        Err(Refusal::BadSeat(vec![1, 9])),
        "a closed tier, a number off the plan"
    );
    assert!(
        matches!(bench.best(buyer(1), 0), Err(Refusal::BadAsk { field, .. }) if field == "best_available.quantity")
    );
    let nowhere = BestAvailable { quantity: 1, section: Some("nowhere".into()), ..BestAvailable::default() };
    assert!(matches!(
        bench.ask(buyer(1), Ask::Best(nowhere)),
        Err(Refusal::BadAsk { field, .. }) if field == "best_available.section"
    ));
    assert_eq!(bench.facts, []);
}

#[test]
fn no_request_names_more_seats_than_a_plan_has() {
    let mut bench = Bench::new(&rows(&[4]));
    let many: Vec<SeatNo> = (0..).take(model::SEATS_MAX + 1).collect();
    assert!(matches!(bench.seats(buyer(1), &many), Err(Refusal::BadAsk { field, .. }) if field == "seats"));
    assert!(matches!(bench.seats(buyer(1), &many[1..]), Err(Refusal::BadSeat(_))));
}

#[test]
fn a_buyer_gets_no_more_than_the_limit_over_all_holds() {
    let mut bench = Bench::new(&rows(&[8]));
    bench.best(buyer(1), 3).unwrap();
    assert_eq!(bench.best(buyer(1), 2), Err(Refusal::LimitReached(4)));
    bench.best(buyer(1), 1).unwrap();
    assert_eq!(bench.release(buyer(1)), Ok(Done::Released(2)));
    bench.best(buyer(1), 4).unwrap();
}

#[test]
fn nothing_is_sold_outside_the_window() {
    let mut bench = Bench::new(&rows(&[8]));
    bench.now = at(-1);
    let refusal = |closed| Err(Refusal::NotOnSale { opens_at: at(0), closed });
    assert_eq!(bench.best(buyer(1), 1), refusal(Closed::Soon));
    bench.now = at(10_000);
    assert_eq!(bench.best(buyer(1), 1), refusal(Closed::Over));
    bench.lane = Lane::new(house(&rows(&[8])), Terms { cancelled: true, ..terms() });
    assert_eq!(bench.best(buyer(1), 1), refusal(Closed::Cancelled));
}

#[test]
fn time_frees_a_hold_and_lets_its_order_lapse() {
    let mut bench = Bench::new(&rows(&[4]));
    bench.best(buyer(1), 2).unwrap();
    bench.run(&Command::Buy { buyer: buyer(1), hold: None, key: "k".into() }).unwrap();
    bench.pass(99);
    assert_eq!(bench.seats(buyer(2), &[1]), Err(Refusal::SeatsTaken(vec![1])));
    bench.pass(1);
    assert_eq!(bench.run(&Command::Extend { buyer: buyer(1) }), Err(Refusal::NoHold));
    assert_eq!(bench.seats(buyer(2), &[1]), Ok(vec![1]));
    assert!(matches!(bench.facts.iter().rev().nth(1), Some(Fact::Lapsed { .. })));
}

#[test]
fn an_extension_is_given_once() {
    let mut bench = Bench::new(&rows(&[4]));
    bench.best(buyer(1), 2).unwrap();
    bench.pass(50);
    bench.run(&Command::Extend { buyer: buyer(1) }).unwrap();
    bench.pass(50);
    bench.run(&Command::Extend { buyer: buyer(1) }).unwrap();
    assert_eq!(bench.lane.first_expiry().unwrap().0, at(151));
}

#[test]
fn an_extension_that_would_give_no_time_is_not_used_up() {
    let mut bench = Bench::new(&rows(&[4]));
    bench.best(buyer(1), 2).unwrap();
    let decided = bench.facts.len();
    assert_eq!(bench.run(&Command::Extend { buyer: buyer(1) }), Ok(Done::Extended));
    assert_eq!(bench.facts.len(), decided);
    bench.pass(50);
    bench.run(&Command::Extend { buyer: buyer(1) }).unwrap();
    assert_eq!(bench.lane.first_expiry().unwrap().0, at(151));
}

/// A paid order: what was decided, and where the order stands.
fn paid(bench: &mut Bench, wait_s: i64, between: impl FnOnce(&mut Bench)) -> OrderState {
    bench.seats(buyer(1), &[0, 1]).unwrap();
    let checkout = bench.run(&Command::Buy { buyer: buyer(1), hold: None, key: "k".into() }).unwrap();
    let Done::Checkout { order, payment } = checkout else { panic!("{checkout:?}") };
    bench.pass(wait_s);
    bench.run(&Command::Wake).unwrap();
    between(bench);
    let settle = Command::Settle { order, payment, report: Report::Authorized };
    bench.run(&settle).unwrap();
    let decided = bench.facts.len();
    bench.run(&settle).unwrap();
    assert_eq!(bench.facts.len(), decided, "said twice");
    bench.lane.order(order).unwrap().state
}

#[test]
fn a_payment_sells_or_is_let_go() {
    let mut bench = Bench::new(&rows(&[4]));
    assert_eq!(paid(&mut bench, 10, |_| ()), OrderState::Confirmed);
    assert_eq!(bench.seats(buyer(2), &[0]), Err(Refusal::SeatsTaken(vec![0])));
    let mut late = Bench::new(&rows(&[4]));
    assert_eq!(paid(&mut late, 200, |_| ()), OrderState::Confirmed, "late, and the seats are free");
    let mut gone = Bench::new(&rows(&[4]));
    let taken = |bench: &mut Bench| drop(bench.seats(buyer(2), &[1]).unwrap());
    assert_eq!(paid(&mut gone, 200, taken), OrderState::Voided);
    assert_eq!(gone.seats(buyer(3), &[0]), Ok(vec![0]));
    let mut full = Bench::new(&rows(&[9]));
    let others = |bench: &mut Bench| drop(bench.seats(buyer(1), &[4, 5, 6]).unwrap());
    assert_eq!(paid(&mut full, 200, others), OrderState::Voided, "the buyer's limit is reached by now");
    let mut released = Bench::new(&rows(&[4]));
    let release = |bench: &mut Bench| drop(bench.release(buyer(1)).unwrap());
    assert_eq!(paid(&mut released, 10, release), OrderState::Voided);
}
