//! Orders undone: what goes back when, on whose word, and what a provider's word does to them.

use super::{Bench, at, buyer, rows};
use crate::lane::fact::Fact;
use crate::lane::{Command, Done, Refusal};
use crate::order::{OrderState, RefundBy, Report};
use model::{OrderId, PaymentId};

/// What buyer 1 holds goes to be paid, and the provider says so.
pub(super) fn settled(bench: &mut Bench, key: &str, report: Report) -> (OrderId, PaymentId) {
    let checkout = bench.checkout(key);
    bench.settle(checkout, report);
    checkout
}

impl Bench {
    /// Seats 0 and 1 sold to buyer 1; the money is still on its way in.
    fn sold() -> (Self, OrderId, PaymentId) {
        let mut bench = Self::new(&rows(&[4]));
        bench.seats(buyer(1), &[0, 1]).unwrap();
        let (order, payment) = bench.checkout("k");
        bench.settle((order, payment), Report::Authorized);
        (bench, order, payment)
    }

    /// Buyer 1 goes to pay what they hold.
    fn checkout(&mut self, key: &str) -> (OrderId, PaymentId) {
        let checkout = self.run(&Command::Buy { buyer: buyer(1), hold: None, key: key.into() }).unwrap();
        let Done::Checkout { order, payment } = checkout else { panic!("{checkout:?}") };
        (order, payment)
    }

    fn settle(&mut self, (order, payment): (OrderId, PaymentId), report: Report) {
        self.run(&Command::Settle { order, payment, report }).unwrap();
    }

    fn refund(&mut self, order: OrderId, by: RefundBy) -> Result<Done, Refusal> {
        self.run(&Command::Refund { order, by })
    }

    fn state(&self, order: OrderId) -> OrderState {
        self.lane.order(order).unwrap().state
    }

    fn asked_back(&self) -> usize {
        self.facts.iter().filter(|fact| matches!(fact, Fact::AskedBack { .. })).count()
    }
}

#[test]
fn a_refund_frees_the_seats_at_once_and_asks_for_the_money_once() {
    let (mut bench, order, payment) = Bench::sold();
    bench.settle((order, payment), Report::Captured);
    assert_eq!(bench.refund(order, RefundBy::Seller), Ok(Done::Noted));
    assert_eq!((bench.state(order), bench.asked_back(), bench.lane.seats_of(buyer(1))), (OrderState::Refunding, 1, 0));
    assert_eq!(bench.refund(order, RefundBy::Seller), Ok(Done::Noted));
    assert_eq!(bench.seats(buyer(2), &[0, 1]), Ok(vec![0, 1]));
    bench.settle((order, payment), Report::Refunded);
    bench.settle((order, payment), Report::Refunded);
    bench.settle((order, payment), Report::Captured);
    assert_eq!((bench.state(order), bench.asked_back()), (OrderState::Refunded, 1));
    assert_eq!(bench.refund(order, RefundBy::Seller), Ok(Done::Noted));
    assert_eq!(bench.seats(buyer(3), &[0]), Err(Refusal::SeatsTaken(vec![0])), "the next buyer keeps them");
}

#[test]
fn money_still_on_its_way_in_is_asked_back_when_it_is_here() {
    let (mut bench, order, payment) = Bench::sold();
    bench.refund(order, RefundBy::Seller).unwrap();
    assert_eq!((bench.state(order), bench.asked_back()), (OrderState::Refunding, 0));
    bench.settle((order, payment), Report::Captured);
    assert_eq!((bench.state(order), bench.asked_back()), (OrderState::Refunding, 1));
    bench.settle((order, payment), Report::Refunded);
    assert_eq!(bench.state(order), OrderState::Refunded);
}

#[test]
fn what_the_provider_gave_back_undoes_its_order() {
    for captured_first in [false, true] {
        let (mut bench, order, payment) = Bench::sold();
        if captured_first {
            bench.settle((order, payment), Report::Captured);
        }
        bench.settle((order, payment), Report::Refunded);
        assert_eq!((bench.state(order), bench.asked_back()), (OrderState::Refunded, 0));
        assert_eq!(bench.seats(buyer(2), &[0, 1]), Ok(vec![0, 1]));
    }
}

#[test]
fn a_buyer_may_until_the_event_says_and_a_seller_always() {
    let (mut bench, order, _) = Bench::sold();
    bench.now = at(5_000);
    let refused = Err(Refusal::NotRefundable { until: Some(at(5_000)) });
    assert_eq!(bench.refund(order, RefundBy::Buyer(buyer(1))), refused);
    assert_eq!(bench.state(order), OrderState::Confirmed);
    bench.now = at(4_999);
    assert_eq!(bench.refund(order, RefundBy::Buyer(buyer(1))), Ok(Done::Noted));
    let (mut late, order, _) = Bench::sold();
    late.now = at(9_000);
    assert_eq!(late.refund(order, RefundBy::Seller), Ok(Done::Noted));
}

#[test]
fn what_was_not_paid_is_not_given_back() {
    let mut bench = Bench::new(&rows(&[4]));
    bench.seats(buyer(1), &[0]).unwrap();
    let (order, _) = bench.checkout("k");
    let decided = bench.facts.len();
    assert_eq!(bench.refund(order, RefundBy::Seller), Err(Refusal::NotPaid));
    assert_eq!(bench.refund(OrderId::new(), RefundBy::Seller), Err(Refusal::UnknownOrder));
    assert_eq!(bench.facts.len(), decided);
}

/// Two attempts of one order: the first declined, the second open.
fn declined_then_open(bench: &mut Bench) -> (OrderId, PaymentId, PaymentId) {
    bench.seats(buyer(1), &[0, 1]).unwrap();
    let (order, first) = bench.checkout("a");
    bench.settle((order, first), Report::Declined { reason: "no".into() });
    (order, first, bench.checkout("b").1)
}

#[test]
fn money_taken_unasked_buys_the_seats_or_goes_back() {
    let mut bench = Bench::new(&rows(&[4]));
    let (order, first, second) = declined_then_open(&mut bench);
    bench.settle((order, second), Report::Captured);
    assert_eq!(bench.state(order), OrderState::Confirmed, "it was the first to pay");
    bench.settle((order, second), Report::Captured);
    bench.settle((order, first), Report::Captured);
    bench.settle((order, first), Report::Captured);
    assert_eq!(bench.facts.last(), Some(&Fact::Returning { order, payment: first }));
    bench.settle((order, first), Report::Refunded);
    bench.settle((order, first), Report::Captured);
    assert_eq!(bench.facts.last(), Some(&Fact::Returned { order, payment: first }));
    assert_eq!(bench.state(order), OrderState::Captured, "what paid for the seats stays");

    let mut late = Bench::new(&rows(&[4]));
    let (order, first, second) = declined_then_open(&mut late);
    late.pass(200);
    late.seats(buyer(2), &[1]).unwrap();
    late.settle((order, first), Report::Captured);
    assert_eq!(
        (late.facts.last(), late.state(order)),
        (Some(&Fact::Returning { order, payment: first }), OrderState::Expired)
    );
    late.release(buyer(2)).unwrap();
    late.settle((order, second), Report::Captured);
    assert_eq!(late.state(order), OrderState::Confirmed, "free again, and the other attempt pays");
}

#[test]
fn money_taken_while_it_was_to_be_let_go_goes_back() {
    for voided_first in [false, true] {
        let mut bench = Bench::new(&rows(&[4]));
        let (order, first, second) = declined_then_open(&mut bench);
        bench.settle((order, second), Report::Authorized);
        bench.settle((order, first), Report::Authorized);
        assert_eq!(bench.facts.last(), Some(&Fact::Surplus { order, payment: first }));
        if voided_first {
            bench.settle((order, first), Report::Voided);
        }
        bench.settle((order, first), Report::Captured);
        assert_eq!(bench.facts.last(), Some(&Fact::Returning { order, payment: first }));
    }
}

#[test]
fn a_sold_order_whose_money_was_let_go_is_undone() {
    for refunded_first in [false, true] {
        let (mut bench, order, payment) = Bench::sold();
        if refunded_first {
            bench.refund(order, RefundBy::Seller).unwrap();
        }
        bench.settle((order, payment), Report::Voided);
        bench.settle((order, payment), Report::Captured);
        assert!(bench.facts.contains(&Fact::Uncollected { order, payment }));
        assert_eq!(bench.seats(buyer(2), &[0, 1]), Ok(vec![0, 1]));
        // A provider that says both has the money: it is not kept.
        assert!(bench.facts.contains(&Fact::Returning { order, payment }));
        assert_eq!((bench.state(order), bench.asked_back()), (OrderState::Refunded, 0));
    }
}
