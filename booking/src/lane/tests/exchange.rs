//! Seats of a paid order changed for others: which, when, and all of it or nothing.

use super::*;
use crate::lane::tests::refund::settled;
use crate::seats::SeatState;
use model::OrderId;

/// Seats 0 and 1 sold to buyer 1 and paid; four of tier 0 in the first row, two of tier 1 in the second.
fn paid() -> (Bench, OrderId) {
    let plan = plan(&[(false, vec![vec![(0, false); 4], vec![(1, false); 2]])]);
    let mut bench = Bench::new(&plan);
    bench.seats(buyer(1), &[0, 1]).unwrap();
    let (order, payment) = settled(&mut bench, "k", Report::Authorized);
    bench.run(&Command::Settle { order, payment, report: Report::Captured }).unwrap();
    (bench, order)
}

fn exchange(bench: &mut Bench, order: OrderId, give: &[SeatNo], take: &[SeatNo]) -> Result<Done, Refusal> {
    let (give, take) = (give.to_vec(), take.to_vec());
    bench.run(&Command::Exchange { order, buyer: buyer(1), give, take })
}

#[test]
fn seats_go_one_for_one_and_again_is_no_more() {
    let (mut bench, order) = paid();
    assert_eq!(
        exchange(&mut bench, order, &[0, 1], &[1, 3]),
        Err(Refusal::SeatsTaken(vec![1])),
        "its own are not free"
    );
    assert_eq!(exchange(&mut bench, order, &[1], &[3]), Ok(Done::Noted));
    let Some(Fact::Exchanged { gave, took, seats, tickets, .. }) = bench.facts.last() else { panic!() };
    assert_eq!((gave, took, seats, tickets.len()), (&vec![1], &vec![3], &vec![0, 3], 1));
    let decided = bench.facts.len();
    assert_eq!(exchange(&mut bench, order, &[1], &[3]), Ok(Done::Noted));
    assert_eq!(bench.facts.len(), decided);
    assert_eq!((bench.lane.seats()[1], bench.lane.seats()[3]), (SeatState::Free, SeatState::Sold));
    assert_eq!(bench.lane.seats_of(buyer(1)), 2);
    bench.seats(buyer(2), &[1]).unwrap();
    bench.run(&Command::Refund { order, by: crate::order::RefundBy::Seller }).unwrap();
    assert_eq!(bench.seats(buyer(3), &[0, 3]), Ok(vec![0, 3]), "what goes back is what it has now");
}

#[test]
fn nothing_changes_but_at_the_price_that_was_paid() {
    let (mut bench, order) = paid();
    bench.seats(buyer(2), &[2]).unwrap();
    let before = bench.lane.clone();
    let bad = |field, must| Err(Refusal::bad_ask(field, must));
    assert_eq!(exchange(&mut bench, order, &[0], &[4]), Err(Refusal::OtherPrice), "tier 1 costs less");
    assert_eq!(exchange(&mut bench, order, &[0, 1], &[3, 2]), Err(Refusal::SeatsTaken(vec![2])), "all or nothing");
    assert_eq!(exchange(&mut bench, order, &[0], &[9]), Err(Refusal::BadSeat(vec![9])));
    assert_eq!(exchange(&mut bench, order, &[2], &[3]), bad("give", "names seats of the order, each once"));
    assert_eq!(exchange(&mut bench, order, &[0, 0], &[3, 4]), bad("give", "names seats of the order, each once"));
    assert_eq!(exchange(&mut bench, order, &[0], &[3, 4]), bad("take", "names as many seats as give, each once"));
    let strangers = Command::Exchange { order, buyer: buyer(2), give: vec![0], take: vec![3] };
    assert_eq!(bench.run(&strangers), Err(Refusal::UnknownOrder));
    assert_eq!(bench.lane, before);
    let unpaid = {
        bench.seats(buyer(3), &[3]).unwrap();
        let buy = Command::Buy { buyer: buyer(3), hold: None, key: "k".into() };
        let Ok(Done::Checkout { order, .. }) = bench.run(&buy) else { panic!() };
        Command::Exchange { order, buyer: buyer(3), give: vec![3], take: vec![4] }
    };
    assert_eq!(bench.run(&unpaid), Err(Refusal::NotPaid));
    bench.now = at(10_000);
    let closed = Refusal::NotOnSale { opens_at: at(0), closed: Closed::Over };
    assert_eq!(exchange(&mut bench, order, &[0], &[3]), Err(closed));
}

#[test]
fn each_seat_goes_at_its_own_price_and_a_discounted_one_within_its_tier() {
    // Tiers 0 and 1, of two prices and then of one.
    let plan = plan(&[(false, vec![vec![(0, false); 3], vec![(1, false); 3]])]);
    for (prices, code, taken) in [
        (HashMap::from([(0, 50), (1, 30)]), None, Ok((4, 2))),
        (HashMap::from([(0, 50), (1, 50)]), None, Ok((2, 4))),
        (HashMap::from([(0, 50), (1, 50)]), Some(CODE), Ok((4, 2))),
    ] {
        let lane = Lane::new(house(&plan), Terms { prices: prices.clone(), ..terms() });
        let mut bench = Bench { lane, ..Bench::new(&plan) };
        let (ask, code) = (Ask::Seats(vec![0, 3]), code.map(str::to_owned));
        let request = Digest([0; 32]);
        bench.run(&Command::Reserve { buyer: buyer(1), ask, code, key: "k".into(), request }).unwrap();
        let (order, payment) = settled(&mut bench, "k", Report::Authorized);
        bench.run(&Command::Settle { order, payment, report: Report::Captured }).unwrap();
        // Named the other way round: who gives seat 3 first.
        let done = exchange(&mut bench, order, &[3, 0], &[2, 4]).map(|_| {
            let seats = &bench.lane.order(order).unwrap().hold.seats;
            (seats[1], seats[0])
        });
        assert_eq!(done, taken, "{prices:?}");
    }
}

#[test]
fn a_discounted_seat_goes_for_none_of_another_tier() {
    let plan = plan(&[(false, vec![vec![(0, false); 3], vec![(1, false); 3]])]);
    let lane = Lane::new(house(&plan), Terms { prices: HashMap::from([(0, 50), (1, 50)]), ..terms() });
    let mut bench = Bench { lane, ..Bench::new(&plan) };
    let (code, request) = (Some(CODE.to_owned()), Digest([0; 32]));
    let ask = Ask::Seats(vec![0]);
    bench.run(&Command::Reserve { buyer: buyer(1), ask, code, key: "k".into(), request }).unwrap();
    let (order, payment) = settled(&mut bench, "k", Report::Authorized);
    bench.run(&Command::Settle { order, payment, report: Report::Captured }).unwrap();
    assert_eq!(exchange(&mut bench, order, &[0], &[3]), Err(Refusal::OtherPrice));
    assert_eq!(exchange(&mut bench, order, &[0], &[1]), Ok(Done::Noted));
}
