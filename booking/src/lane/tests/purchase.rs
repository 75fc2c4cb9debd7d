//! From hold to ticket, step by step: what is to be paid, which hold it is for, and what each word of a provider comes to.

use super::*;
use crate::reservation::HoldState;
use model::{HoldId, OrderId, PaymentId};

fn buy(bench: &mut Bench, who: u128, hold: Option<HoldId>, key: &str) -> Result<(OrderId, PaymentId), Refusal> {
    match bench.run(&Command::Buy { buyer: buyer(who), hold, key: key.into() })? {
        Done::Checkout { order, payment } => Ok((order, payment)),
        other => panic!("{other:?}"),
    }
}

/// The facts that a report comes to.
fn told(bench: &mut Bench, (order, payment): (OrderId, PaymentId), report: Report) -> Vec<Fact> {
    let from = bench.facts.len();
    bench.run(&Command::Settle { order, payment, report }).unwrap();
    bench.facts[from..].to_vec()
}

fn cancel(bench: &mut Bench) {
    bench.lane.terms_mut().cancelled = true;
}

#[test]
fn what_is_to_be_paid_is_all_of_the_bill() {
    let mut bench = Bench::new(&rows(&[4]));
    bench.seats(buyer(1), &[0, 1]).unwrap();
    buy(&mut bench, 1, None, "b").unwrap();
    // Twice 50, a fee of 5 each, and a tenth of all that as tax.
    assert!(matches!(bench.facts[1], Fact::Ordered { total: 121, .. }), "{:?}", bench.facts[1]);
    assert!(matches!(bench.facts[2], Fact::Attempted { amount: 121, .. }));
}

#[test]
fn the_hold_that_is_named_is_bought_else_the_newest() {
    let mut bench = Bench::new(&rows(&[4]));
    bench.seats(buyer(1), &[0]).unwrap();
    bench.seats(buyer(1), &[1]).unwrap();
    let holds = bench.lane.holds_of(buyer(1));
    let (first, _) = buy(&mut bench, 1, Some(holds[0]), "b").unwrap();
    assert_eq!(bench.lane.order(first).unwrap().hold.id, holds[0]);
    let (newest, _) = buy(&mut bench, 1, None, "c").unwrap();
    assert_eq!(bench.lane.order(newest).unwrap().hold.id, holds[1]);
    assert_eq!(buy(&mut bench, 2, Some(holds[0]), "b"), Err(Refusal::NoHold), "it is another's");
}

#[test]
fn what_is_bought_already_answers_its_order_and_to_its_buyer_alone() {
    let mut bench = Bench::new(&rows(&[4]));
    bench.seats(buyer(1), &[0]).unwrap();
    let hold = bench.lane.holds_of(buyer(1))[0];
    let bought = buy(&mut bench, 1, Some(hold), "b").unwrap();
    told(&mut bench, bought, Report::Authorized);
    let decided = bench.facts.len();
    assert_eq!(buy(&mut bench, 1, Some(hold), "c"), Ok(bought));
    assert_eq!(buy(&mut bench, 2, Some(hold), "c"), Err(Refusal::NoHold));
    assert_eq!(bench.facts.len(), decided);
}

#[test]
fn what_ends_one_hold_leaves_the_buyers_others() {
    let mut bench = Bench::new(&rows(&[4]));
    bench.seats(buyer(1), &[0]).unwrap();
    bench.seats(buyer(1), &[1]).unwrap();
    bench.seats(buyer(1), &[2]).unwrap();
    let holds = bench.lane.holds_of(buyer(1));
    bench.run(&Command::Release { buyer: buyer(1), holds: vec![holds[0]] }).unwrap();
    assert_eq!(bench.lane.holds_of(buyer(1)), holds[1..]);
    let bought = buy(&mut bench, 1, Some(holds[1]), "b").unwrap();
    told(&mut bench, bought, Report::Authorized);
    assert_eq!(bench.lane.holds_of(buyer(1)), holds[2..]);
}

#[test]
fn an_order_knows_that_its_hold_was_extended() {
    let mut bench = Bench::new(&rows(&[4]));
    bench.seats(buyer(1), &[0]).unwrap();
    let (order, _) = buy(&mut bench, 1, None, "b").unwrap();
    bench.pass(10);
    bench.run(&Command::Extend { buyer: buyer(1) }).unwrap();
    let hold = &bench.lane.order(order).unwrap().hold;
    assert_eq!((hold.extended, hold.expires_at), (true, at(111)));
}

#[test]
fn an_attempt_that_was_let_go_is_followed_by_another() {
    let mut bench = Bench::new(&rows(&[4]));
    bench.seats(buyer(1), &[0]).unwrap();
    let first = buy(&mut bench, 1, None, "b").unwrap();
    let (order, payment) = first;
    assert_eq!(told(&mut bench, first, Report::Voided), [Fact::Dropped { order, payment }]);
    assert_eq!(told(&mut bench, first, Report::Voided), []);
    let second = buy(&mut bench, 1, None, "c").unwrap();
    assert_eq!(second.0, order);
    assert_ne!(second.1, payment);
    // Money that comes by the first after all goes back; the order waits for the second.
    assert_eq!(told(&mut bench, first, Report::Captured), [Fact::Returning { order, payment }]);
    assert_eq!(bench.lane.holds_of(buyer(1)).len(), 1);
    assert_eq!(told(&mut bench, first, Report::Refunded), [Fact::Returned { order, payment }]);
    assert_eq!(told(&mut bench, first, Report::Refunded), []);
    told(&mut bench, second, Report::Authorized);
    assert_eq!(bench.lane.order(order).unwrap().state, OrderState::Confirmed);
}

#[test]
fn a_second_payment_of_one_order_is_let_go_once() {
    let mut bench = Bench::new(&rows(&[4]));
    bench.seats(buyer(1), &[0]).unwrap();
    let first = buy(&mut bench, 1, None, "b").unwrap();
    told(&mut bench, first, Report::Declined { reason: "no".into() });
    let second = buy(&mut bench, 1, None, "c").unwrap();
    told(&mut bench, second, Report::Authorized);
    let (order, payment) = first;
    assert_eq!(told(&mut bench, first, Report::Authorized), [Fact::Surplus { order, payment }]);
    assert_eq!(told(&mut bench, first, Report::Authorized), []);
}

#[test]
fn a_cancelled_event_sells_to_nobody_and_keeps_nobodys_seats() {
    for (report, money) in [(Report::Authorized, "voided"), (Report::Captured, "returning")] {
        let mut bench = Bench::new(&rows(&[4]));
        bench.seats(buyer(1), &[0]).unwrap();
        let hold = bench.lane.holds_of(buyer(1))[0];
        let bought = buy(&mut bench, 1, None, "b").unwrap();
        cancel(&mut bench);
        let facts = told(&mut bench, bought, report);
        let words: Vec<_> = facts.iter().map(|fact| serde_json::to_value(fact).unwrap()["fact"].clone()).collect();
        assert!(words.contains(&"released".into()) && words.last() == Some(&money.into()), "{words:?}");
        assert_eq!(bench.lane.order_of(hold).unwrap().hold.state, HoldState::Released);
        assert_eq!(bench.lane.seats_left(), 4);
    }
}

#[test]
fn an_order_of_nothing_is_paid_and_given_back_without_a_provider() {
    let free = Terms { prices: HashMap::from([(0, 0)]), charges: Vec::new(), ..terms() };
    let mut bench = Bench { lane: Lane::new(house(&rows(&[4])), free), ..Bench::new(&rows(&[4])) };
    bench.seats(buyer(1), &[0]).unwrap();
    let (order, payment) = buy(&mut bench, 1, None, "b").unwrap();
    assert_eq!(bench.lane.order(order).unwrap().state, OrderState::Captured);
    bench.run(&Command::Refund { order, by: crate::order::RefundBy::Seller }).unwrap();
    assert_eq!(bench.facts.last(), Some(&Fact::Refunded { order, payment }));
}

#[test]
fn money_that_comes_in_after_the_refund_is_asked_back_once() {
    let mut bench = Bench::new(&rows(&[4]));
    bench.seats(buyer(1), &[0]).unwrap();
    let bought = buy(&mut bench, 1, None, "b").unwrap();
    let (order, payment) = bought;
    told(&mut bench, bought, Report::Authorized);
    bench.run(&Command::Refund { order, by: crate::order::RefundBy::Seller }).unwrap();
    let came = [Fact::Taken { order, payment }, Fact::AskedBack { order, payment }];
    assert_eq!(told(&mut bench, bought, Report::Captured), came);
    assert_eq!(told(&mut bench, bought, Report::Captured), []);
}
