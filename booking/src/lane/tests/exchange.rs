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
