//! A lane and its tables: read from them it is what it was, and its words are theirs.

use super::*;
use crate::lane::{Attempt, AttemptState, LaneOrder, PlaceState};
use crate::order::PaymentState;
use crate::seats::SeatState;
use model::{HoldId, OrderId};

#[test]
fn what_is_read_from_the_tables_is_what_was_decided() {
    let mut bench = Bench::new(&rows(&[6]));
    let coded = Command::Reserve {
        buyer: buyer(1),
        ask: Ask::Seats(vec![0, 1]),
        code: Some(CODE.into()),
        key: "k".into(),
        request: Digest([0; 32]),
    };
    bench.run(&coded).unwrap();
    bench.seats(buyer(2), &[4]).unwrap();
    let bought = Command::Buy { buyer: buyer(2), hold: None, key: "b".into() };
    let Ok(Done::Checkout { order, payment }) = bench.run(&bought) else { panic!() };
    bench.run(&Command::Settle { order, payment, report: Report::Authorized }).unwrap();
    let mut read = Lane::new(house(&rows(&[6])), terms());
    for hold in bench.lane.holds_of(buyer(1)) {
        read.restore_hold(bench.lane.hold(hold).unwrap().clone());
    }
    read.restore_sold(4);
    read.adopt(bench.lane.order(order).unwrap().clone());
    let mut without_quotas = read.clone();
    without_quotas.restore_code(CODE.into(), bench.lane.used(CODE));
    assert_ne!(without_quotas, bench.lane);
    for who in [1, 2] {
        read.restore_quota(buyer(who), bench.lane.seats_of(buyer(who)));
    }
    assert_ne!(read, bench.lane, "without what of the code is taken");
    read.restore_code(CODE.into(), bench.lane.used(CODE));
    assert_eq!(read, bench.lane);
    assert_eq!((read.seats()[4], read.seats_of(buyer(1)), read.used(CODE).seats), (SeatState::Sold, 2, 2));
}

#[test]
fn orders_without_a_live_hold_are_forgotten_when_there_are_too_many() {
    let mut bench = Bench::new(&rows(&[4]));
    bench.seats(buyer(1), &[0]).unwrap();
    let live = bench.lane.holds_of(buyer(1))[0];
    let bought = Command::Buy { buyer: buyer(1), hold: None, key: "b".into() };
    let Ok(Done::Checkout { order, .. }) = bench.run(&bought) else { panic!() };
    let hold = bench.lane.hold(live).unwrap().clone();
    let mut ended = (0_u128..).map(|n| {
        let hold = crate::lane::Hold { id: HoldId(Uuid::from_u128(1 << 80 | n)), ..hold.clone() };
        let order = OrderId(Uuid::from_u128(1 << 81 | n));
        LaneOrder { order, hold, state: OrderState::Expired, attempts: Vec::<Attempt>::new() }
    });
    // 4,096, and one for each live hold.
    for order in ended.by_ref().take(4_096) {
        bench.lane.adopt(order);
    }
    let first = OrderId(Uuid::from_u128(1 << 81));
    bench.lane.forget_ended_orders();
    assert!(bench.lane.order(first).is_some());
    bench.lane.adopt(ended.next().unwrap());
    bench.lane.forget_ended_orders();
    assert!(bench.lane.order(first).is_none() && bench.lane.order_of(HoldId(Uuid::from_u128(1 << 80))).is_none());
    assert_eq!(bench.lane.order_of(live).map(|known| known.order), Some(order));
}

#[test]
fn an_attempt_has_the_words_of_its_payment() {
    let declined = PaymentState::Declined { reason: "no".into() };
    for (state, known) in [
        (AttemptState::Created, PaymentState::Created),
        (AttemptState::Authorized, PaymentState::Authorized),
        (AttemptState::Declined, declined),
        (AttemptState::Capturing, PaymentState::Capturing),
        (AttemptState::Captured, PaymentState::Captured),
        (AttemptState::Voiding, PaymentState::Voiding),
        (AttemptState::Voided, PaymentState::Voided),
        (AttemptState::Returning, PaymentState::Returning),
        (AttemptState::Returned, PaymentState::Returned),
    ] {
        assert_eq!(state.as_str(), known.as_str());
        assert_eq!(AttemptState::parse(known.as_str()), Some(state));
    }
    assert_eq!(AttemptState::parse("gone"), None);
}

#[test]
fn a_place_has_the_words_of_its_table() {
    let hold = HoldId::new();
    let states = [PlaceState::Waiting, PlaceState::Left, PlaceState::Offered(hold)];
    assert_eq!(states.map(PlaceState::as_str), ["waiting", "left", "offered"]);
    assert_eq!(states.map(PlaceState::hold), [None, None, Some(hold)]);
}

#[test]
fn people_wait_for_all_but_what_providers_and_time_say() {
    let (order, payment) = (OrderId::new(), model::PaymentId::new());
    let settle = Command::Settle { order, payment, report: Report::Captured };
    assert!(!settle.is_in_person() && !Command::Wake.is_in_person());
    let (buyer, by) = (buyer(1), crate::order::RefundBy::Seller);
    for command in [
        Command::Reserve {
            buyer,
            ask: Ask::Seats(Vec::new()),
            code: None,
            key: String::new(),
            request: Digest([0; 32]),
        },
        Command::Extend { buyer },
        Command::Release { buyer, holds: Vec::new() },
        Command::Buy { buyer, hold: None, key: String::new() },
        Command::Refund { order, by },
        Command::Exchange { order, buyer, give: Vec::new(), take: Vec::new() },
        Command::Join { buyer, want: BestAvailable::default(), after: 0 },
        Command::Leave { buyer, place: 1 },
    ] {
        assert!(command.is_in_person(), "{command:?}");
    }
}
