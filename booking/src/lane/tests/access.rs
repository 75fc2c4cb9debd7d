//! Who may buy early, and what codes are good for.

use super::*;
use crate::lane::access::Presale;
use crate::reservation::BadCode;
use model::HoldId;

/// On sale from second 100; a presale from 10 to 50 for buyer 1 and for the code `EARLY`, one from 20 for nobody without `LATE`.
fn bench() -> Bench {
    let presale = |position, (opens, closes), members: &[u128]| Presale {
        position,
        opens_at: at(opens),
        closes_at: at(closes),
        members: members.iter().map(|who| buyer(*who)).collect(),
    };
    let opens = |presale| Code { presale: Some(presale), ..Code::default() };
    let codes = [
        ("EARLY", Code { uses_max: Some(2), ..opens(0) }),
        ("LATE", Code { seats_max: Some(3), ..opens(1) }),
        ("TIMED", Code { valid_from: Some(at(110)), valid_until: Some(at(120)), ..Code::default() }),
    ];
    let access = Access {
        presales: vec![presale(0, (10, 50), &[1]), presale(1, (20, 100), &[])],
        codes: codes.into_iter().map(|(code, terms)| (code.to_owned(), terms)).collect(),
    };
    let lane = Lane::new(house(&rows(&[20])), Terms { opens_at: at(100), access, ..terms() });
    Bench { lane, ..Bench::new(&rows(&[20])) }
}

fn with_code(bench: &mut Bench, who: u128, seats: &[SeatNo], code: &str) -> Result<HoldId, Refusal> {
    let ask = Ask::Seats(seats.to_vec());
    let (code, request) = (Some(code.to_owned()), Digest([0; 32]));
    match bench.run(&Command::Reserve { buyer: buyer(who), ask, code, key: "k".into(), request })? {
        Done::Held(hold) => Ok(hold.id),
        other => panic!("{other:?}"),
    }
}

fn not_yet(opens: i64) -> Refusal {
    Refusal::NotOnSale { opens_at: at(opens), closed: Closed::Soon }
}

#[test]
fn before_the_sale_only_members_and_codes_of_an_open_presale_may_buy() {
    let mut bench = bench();
    bench.now = at(5);
    assert_eq!(bench.seats(buyer(1), &[0]), Err(not_yet(10)), "a member is told of the presale");
    assert_eq!(bench.seats(buyer(2), &[0]), Err(not_yet(100)));
    assert_eq!(with_code(&mut bench, 2, &[0], "LATE"), Err(not_yet(20)));
    bench.now = at(10);
    bench.seats(buyer(1), &[0]).unwrap();
    with_code(&mut bench, 2, &[1], "EARLY").unwrap();
    assert_eq!(bench.seats(buyer(2), &[2]), Err(not_yet(100)), "the code counts for the request it came with");
    assert_eq!(with_code(&mut bench, 3, &[2], "WRONG"), Err(not_yet(100)));
    assert_eq!(with_code(&mut bench, 3, &[2], "LATE"), Err(not_yet(20)));
    bench.now = at(50);
    assert_eq!(bench.seats(buyer(1), &[3]), Err(not_yet(100)), "the presale is over, the sale not open");
    assert_eq!(with_code(&mut bench, 3, &[3], "EARLY"), Err(not_yet(100)));
    with_code(&mut bench, 3, &[3], "LATE").unwrap();
    bench.now = at(100);
    bench.seats(buyer(4), &[4]).unwrap();
}

#[test]
fn a_code_is_good_for_so_many_purchases_and_seats_and_for_its_time() {
    let mut bench = bench();
    bench.now = at(100);
    let refused = |why| Err(Refusal::Code(why));
    assert_eq!(with_code(&mut bench, 1, &[0], "WRONG"), refused(BadCode::Unknown));
    assert_eq!(with_code(&mut bench, 1, &[0], "TIMED"), refused(BadCode::NotYet));
    with_code(&mut bench, 1, &[0], "EARLY").unwrap();
    with_code(&mut bench, 2, &[1], "EARLY").unwrap();
    assert_eq!(with_code(&mut bench, 3, &[2], "EARLY"), refused(BadCode::UsedUp));
    with_code(&mut bench, 4, &[2, 3], "LATE").unwrap();
    assert_eq!(with_code(&mut bench, 3, &[4, 5], "LATE"), refused(BadCode::TooManySeats { left: 1 }));
    with_code(&mut bench, 3, &[4], "LATE").unwrap();
    assert_eq!(with_code(&mut bench, 3, &[5], "LATE"), refused(BadCode::UsedUp));
    bench.release(buyer(1)).unwrap();
    with_code(&mut bench, 3, &[5], "EARLY").unwrap();
    bench.now = at(110);
    with_code(&mut bench, 5, &[6], "TIMED").unwrap();
    bench.now = at(120);
    assert_eq!(with_code(&mut bench, 5, &[7], "TIMED"), refused(BadCode::Over));
}

#[test]
fn a_late_payment_gets_no_more_of_a_code_than_is_left() {
    let mut bench = bench();
    bench.now = at(100);
    let code_of = |bench: &mut Bench, who: u128, seat| with_code(bench, who, &[seat], "EARLY").unwrap();
    let hold = code_of(&mut bench, 1, 0);
    let buy = Command::Buy { buyer: buyer(1), hold: Some(hold), key: "b".into() };
    let Ok(Done::Checkout { order, payment }) = bench.run(&buy) else { panic!() };
    bench.pass(200);
    code_of(&mut bench, 2, 1);
    code_of(&mut bench, 3, 2);
    bench.run(&Command::Settle { order, payment, report: Report::Authorized }).unwrap();
    assert!(bench.facts.contains(&Fact::Voided { order, payment }), "its seat is free, its code is not");
}

#[test]
fn what_comes_back_between_presale_and_sale_is_theirs_who_wait_when_the_sale_opens() {
    let mut bench = Bench { lane: Lane::new(house(&rows(&[2])), bench().lane.terms().clone()), ..bench() };
    bench.now = at(10);
    with_code(&mut bench, 2, &[0, 1], "EARLY").unwrap();
    let want = BestAvailable { quantity: 2, ..BestAvailable::default() };
    assert_eq!(bench.run(&Command::Join { buyer: buyer(1), want, after: 0 }), Ok(Done::Noted));
    bench.now = at(60);
    bench.release(buyer(2)).unwrap();
    assert_eq!(bench.seats(buyer(3), &[0]), Err(not_yet(100)));
    bench.now = at(100);
    assert_eq!(bench.seats(buyer(3), &[0]), Err(Refusal::SeatsTaken(vec![0])));
    assert!(bench.lane.line().is_empty(), "they were offered");
}

#[test]
fn a_code_takes_its_share_off_its_tier_where_there_are_no_charges_too() {
    let plan = plan(&[(false, vec![vec![(0, false); 2], vec![(1, false); 2]])]);
    let half = Code { discount: Some(Discount::Share { basis_points: 5_000 }), tier: Some(1), ..Code::default() };
    let only = Code { tier: Some(1), ..Code::default() };
    let codes = HashMap::from([("HALF".to_owned(), half), ("ONLY".to_owned(), only)]);
    let access = Access { presales: Vec::new(), codes };
    let lane = Lane::new(house(&plan), Terms { charges: Vec::new(), access, ..terms() });
    let mut bench = Bench { lane, ..Bench::new(&plan) };
    for code in ["HALF", "ONLY"] {
        assert_eq!(with_code(&mut bench, 1, &[0], code), Err(Refusal::Code(BadCode::OtherTier { tier: 1 })));
    }
    let hold = with_code(&mut bench, 1, &[1, 2], "HALF").unwrap();
    assert_eq!(bench.lane.hold(hold).unwrap().total(), 50 + 15);
    let hold = with_code(&mut bench, 2, &[3], "ONLY").unwrap();
    assert_eq!(bench.lane.hold(hold).unwrap().total(), 30);
}
