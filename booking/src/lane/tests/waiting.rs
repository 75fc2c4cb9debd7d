//! The line for seats that come back: who is let in, who is offered what, and that nobody else gets it first.

use super::{Bench, at, buyer, rows};
use crate::lane::fact::Fact;
use crate::lane::waiting::{LINE_MAX, Waiting};
use crate::lane::{Command, Done, Refusal};
use crate::order::{RefundBy, Report};
use crate::reservation::BestAvailable;
use model::UserId;

fn seats(quantity: u32) -> BestAvailable {
    BestAvailable { quantity, ..BestAvailable::default() }
}

impl Bench {
    /// Four seats, all held by buyer 1.
    fn taken() -> Self {
        let mut bench = Self::new(&rows(&[4]));
        bench.seats(buyer(1), &[0, 1, 2, 3]).unwrap();
        bench
    }

    fn join(&mut self, buyer: UserId, want: BestAvailable) -> Result<Done, Refusal> {
        self.run(&Command::Join { buyer, want, after: self.lane.line().last_of(buyer) })
    }

    fn leave(&mut self, buyer: UserId) {
        let place = self.lane.line().last_of(buyer);
        assert_eq!(self.run(&Command::Leave { buyer, place }), Ok(Done::Noted));
    }

    /// Offers made, in order: to whom, how many seats.
    fn offers(&self) -> Vec<(UserId, usize)> {
        let made = self.facts.windows(2).filter_map(|pair| match pair {
            [Fact::Offered { buyer, hold, .. }, Fact::Held { hold: held, seats, .. }] if hold == held => {
                Some((*buyer, seats.len()))
            }
            _ => None,
        });
        made.collect()
    }
}

#[test]
fn what_comes_back_goes_to_the_first_in_line_before_anybody_asks() {
    let mut bench = Bench::taken();
    for who in [2, 3] {
        assert_eq!(bench.join(buyer(who), seats(2)), Ok(Done::Noted));
    }
    bench.release(buyer(1)).unwrap();
    assert_eq!(bench.offers(), [(buyer(2), 2), (buyer(3), 2)]);
    assert_eq!(bench.best(buyer(4), 1), Err(Refusal::NotEnoughSeats));
    assert!(bench.lane.line().is_empty());
}

#[test]
fn an_offer_lives_as_long_as_the_event_says_and_then_goes_to_the_next() {
    let mut bench = Bench::taken();
    bench.join(buyer(2), seats(4)).unwrap();
    bench.join(buyer(3), seats(4)).unwrap();
    // Holds live 100 s, offers 300 s.
    bench.pass(100);
    bench.run(&Command::Wake).unwrap();
    assert_eq!(bench.offers(), [(buyer(2), 4)]);
    assert_eq!(bench.lane.first_expiry().unwrap().0, at(401));
    bench.pass(299);
    bench.run(&Command::Wake).unwrap();
    assert_eq!(bench.offers().len(), 1);
    bench.pass(1);
    assert_eq!(bench.seats(buyer(4), &[0]), Err(Refusal::SeatsTaken(vec![0])), "the next has it already");
    assert_eq!(bench.offers()[1], (buyer(3), 4));
}

#[test]
fn an_offer_is_bought_like_any_hold_and_a_refund_makes_one() {
    let mut bench = Bench::taken();
    let checkout = bench.run(&Command::Buy { buyer: buyer(1), hold: None, key: "b".into() }).unwrap();
    let Done::Checkout { order, payment } = checkout else { panic!("{checkout:?}") };
    bench.run(&Command::Settle { order, payment, report: Report::Captured }).unwrap();
    bench.join(buyer(2), seats(1)).unwrap();
    bench.run(&Command::Refund { order, by: RefundBy::Seller }).unwrap();
    assert_eq!(bench.offers(), [(buyer(2), 1)]);
    let bought = bench.run(&Command::Buy { buyer: buyer(2), hold: None, key: "b".into() });
    assert!(matches!(bought, Ok(Done::Checkout { .. })), "{bought:?}");
}

#[test]
fn who_is_passed_over_keeps_their_place() {
    let mut bench = Bench::new(&rows(&[4]));
    bench.seats(buyer(1), &[0, 1]).unwrap();
    bench.seats(buyer(2), &[2, 3]).unwrap();
    bench.join(buyer(3), seats(3)).unwrap();
    bench.join(buyer(4), seats(1)).unwrap();
    bench.release(buyer(1)).unwrap();
    assert_eq!(bench.offers(), [(buyer(4), 1)], "two are too few for the first");
    bench.release(buyer(2)).unwrap();
    assert_eq!(bench.offers()[1], (buyer(3), 3));
}

#[test]
fn one_waits_once_for_what_cannot_be_had_and_within_the_limit() {
    let mut bench = Bench::new(&rows(&[6]));
    bench.seats(buyer(1), &[0, 1, 2, 3]).unwrap();
    assert_eq!(bench.join(buyer(2), seats(2)), Err(Refusal::SeatsLeft));
    assert_eq!(bench.join(buyer(2), seats(5)), Err(Refusal::LimitReached(4)));
    assert_eq!(bench.join(buyer(1), seats(3)), Err(Refusal::LimitReached(4)));
    assert!(matches!(bench.join(buyer(2), seats(0)), Err(Refusal::BadAsk { .. })));
    assert_eq!(bench.join(buyer(2), seats(3)), Ok(Done::Noted));
    let before = bench.facts.len();
    assert_eq!(bench.join(buyer(2), seats(3)), Ok(Done::Noted), "again: the same place");
    assert_eq!(bench.join(buyer(2), seats(4)), Err(Refusal::InLine));
    assert_eq!(bench.facts.len(), before);
    bench.leave(buyer(2));
    bench.leave(buyer(2));
    assert_eq!(bench.facts[before..].len(), 1);
    bench.release(buyer(1)).unwrap();
    assert_eq!(bench.offers(), []);
}

#[test]
fn who_had_enough_meanwhile_is_passed_over() {
    let mut bench = Bench::new(&rows(&[8]));
    bench.seats(buyer(1), &[0, 1, 2, 3]).unwrap();
    bench.seats(buyer(3), &[4, 5, 6]).unwrap();
    bench.join(buyer(2), seats(4)).unwrap();
    bench.seats(buyer(2), &[7]).unwrap();
    bench.release(buyer(1)).unwrap();
    assert_eq!(bench.offers(), [], "five would be more than four");
    bench.release(buyer(2)).unwrap();
    assert_eq!(bench.offers().len(), 1, "now it is theirs");
}

#[test]
fn a_line_is_bounded() {
    let mut bench = Bench::taken();
    let people = (1..=LINE_MAX).map(|n| (i64::try_from(n).unwrap(), buyer(100 + n as u128)));
    let last = people.clone().map(|(place, buyer)| (buyer, place)).chain([(buyer(9), 20_000)]).collect();
    bench.lane.restore_line(Waiting::new(people.map(|(place, buyer)| (place, buyer, seats(1))), last));
    assert_eq!(bench.join(buyer(2), seats(1)), Err(Refusal::LineFull));
    bench.leave(buyer(101));
    bench.join(buyer(2), seats(1)).unwrap();
    assert!(matches!(bench.facts.last(), Some(Fact::Joined { place: 20_001, .. })), "a place is given once");
}

#[test]
fn who_was_served_is_not_let_in_again_by_the_same_request_nor_out_of_another_place() {
    let mut bench = Bench::taken();
    let joined = Command::Join { buyer: buyer(2), want: seats(4), after: 0 };
    bench.run(&joined).unwrap();
    bench.release(buyer(1)).unwrap();
    assert_eq!(bench.offers(), [(buyer(2), 4)]);
    // Delivered once more, while the offer lives and after its end.
    assert_eq!(bench.run(&joined), Ok(Done::Noted));
    bench.pass(300);
    bench.seats(buyer(3), &[0, 1, 2, 3]).unwrap();
    assert_eq!(bench.run(&joined), Ok(Done::Noted));
    assert!(bench.lane.line().is_empty());
    let left = Command::Leave { buyer: buyer(2), place: 1 };
    assert_eq!(bench.join(buyer(2), seats(4)), Ok(Done::Noted), "asked for anew");
    bench.run(&left).unwrap();
    bench.run(&Command::Leave { buyer: buyer(3), place: 2 }).unwrap();
    assert_eq!(bench.lane.line().places().map(|(place, who, _)| (place, who)).collect::<Vec<_>>(), [(2, buyer(2))]);
}

#[test]
fn an_offer_ends_with_the_sale() {
    let mut bench = Bench::taken();
    bench.join(buyer(2), seats(4)).unwrap();
    let closes_at = bench.lane.terms().closes_at;
    bench.now = closes_at.saturating_sub(jiff::SignedDuration::from_secs(1)).unwrap();
    bench.run(&Command::Wake).unwrap();
    assert_eq!(bench.offers(), [(buyer(2), 4)]);
    assert_eq!(bench.lane.first_expiry().unwrap().0, closes_at);
}
