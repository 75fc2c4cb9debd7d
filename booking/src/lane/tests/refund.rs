//! Orders undone: what goes back when, on whose word, and what a provider's word does to them.

use super::{Bench, at, buyer, rows};
use crate::lane::fact::Fact;
use crate::lane::{Command, Done, Refusal};
use crate::order::{OrderState, RefundBy, Report};
use model::{OrderId, PaymentId};

impl Bench {
    /// Seats 0 and 1 sold to buyer 1; the money is still on its way in.
    fn sold() -> (Self, OrderId, PaymentId) {
        let mut bench = Self::new(&rows(&[4]));
        bench.seats(buyer(1), &[0, 1]).unwrap();
        let checkout = bench.run(&Command::Buy { buyer: buyer(1), hold: None, key: "k".into() }).unwrap();
        let Done::Checkout { order, payment } = checkout else { panic!("{checkout:?}") };
        bench.settle((order, payment), Report::Authorized);
        (bench, order, payment)
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
    let checkout = bench.run(&Command::Buy { buyer: buyer(1), hold: None, key: "k".into() }).unwrap();
    let Done::Checkout { order, .. } = checkout else { panic!("{checkout:?}") };
    let decided = bench.facts.len();
    assert_eq!(bench.refund(order, RefundBy::Seller), Err(Refusal::NotPaid));
    assert_eq!(bench.refund(OrderId::new(), RefundBy::Seller), Err(Refusal::UnknownOrder));
    assert_eq!(bench.facts.len(), decided);
}
