//! Seats of a paid order changed for others: over HTTP, in a race for one seat, and as the schema insists on it.

use super::{Evening, order_in};
use crate::booking_core::Core;
use booking::{ExchangeError, Report, audit};
use futures::future::join_all;
use serde_json::{Value, json};

fn seats_of(order: &Value) -> Vec<u64> {
    order["seats"].as_array().unwrap().iter().map(|seat| seat["seat_no"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn old_tickets_die_and_new_ones_let_in_when_seats_are_exchanged() {
    let evening = Evening::sold().await;
    let path = format!("/order/{}/exchange", evening.order);
    let before = order_in(&evening.buyer, &evening.order, "captured").await;
    let [first, second] = seats_of(&before)[..] else { panic!("{before}") };
    let code = |order: &Value, seat: u64| {
        let tickets = order["tickets"].as_array().unwrap().clone();
        let live = tickets.into_iter().find(|ticket| ticket["seat_no"] == seat && ticket["state"] == "valid");
        live.map(|ticket| ticket["code"].as_str().unwrap().to_owned())
    };
    let old = code(&before, first).unwrap();
    let books = evening.books().await;
    let swap = |give: &[u64], take: &[u64]| json!({"give": give, "take": take});
    let stranger = evening.server.buyer().await;
    drop(stranger.post(&path, &swap(&[first], &[15])).await.problem(404, "no-such-order"));
    drop(evening.buyer.post(&path, &swap(&[first], &[second])).await.problem(409, "seats-taken"));
    drop(evening.buyer.post(&path, &swap(&[first], &[15, 16])).await.problem(422, "invalid"));
    drop(evening.buyer.post(&path, &swap(&[first], &[99])).await.problem(422, "invalid"));
    assert_eq!(evening.books().await, books, "a refusal changes nothing");

    let after = evening.buyer.post(&path, &swap(&[first], &[15])).await.expect(200);
    assert_eq!((seats_of(&after), &after["total"]), (vec![second, 15], &before["total"]));
    assert_eq!(evening.buyer.post(&path, &swap(&[first], &[15])).await.expect(200)["seats"], after["seats"]);
    assert_eq!(code(&after, first), None);
    let new = code(&after, 15).unwrap();
    let door = &evening.organizer;
    assert_eq!(door.post("/checkin", &json!({"code": old})).await.problem(410, "dead-code")["reason"], "void");
    drop(door.post("/checkin", &json!({"code": new})).await.expect(200));
    let gone = evening.buyer.post(&path, &swap(&[15], &[16])).await.problem(409, "tickets-gone");
    assert_eq!(gone["tickets"].as_array().unwrap().len(), 1);
    let ask = json!({"event_id": evening.listing.event, "seats": [first]});
    drop(stranger.post_new("/ticket/reserve", &ask).await.expect(201));
    let dearer = json!({"tiers": [{"tier": 0, "name": "Standard", "price": 9_000}]});
    drop(evening.organizer.put(&format!("/event/{}", evening.listing.event), &dearer).await.expect(200));
    let other_price = evening.buyer.post(&path, &swap(&[second], &[17])).await;
    drop(other_price.problem(409, "other-price"));
    let sales = evening.organizer.get(&format!("/event/{}/sales", evening.listing.event)).await.expect(200);
    assert_eq!((&sales["total"]["seats"], &sales["total"]["net"]), (&json!(2), &json!(10_000)), "{sales}");
    drop(evening.organizer.post(&evening.refund(), &json!({})).await.expect(202));
    order_in(&evening.buyer, &evening.order, "refunded").await;
    audit(&evening.database.pool().await, evening.listing.event).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_one_seat_in_exchange_one_gets_it_and_the_others_keep_theirs() {
    let core = Core::new().await;
    let sold = join_all((0..8_u32).map(|n| {
        let core = &core;
        async move {
            let (buyer, key) = (core.buyer().await, format!("k{n}"));
            let held = core.seats(buyer, &[n], &key).await.unwrap();
            let bought = core.booking.buy(buyer, core.event(), Some(held.reserve_id), "pay").await.unwrap();
            core.booking.payment_opened(bought.payment.payment_id, "sandbox", &key, "http://portal").await.unwrap();
            for report in [Report::Authorized, Report::Captured] {
                core.booking.payment_reported("sandbox", &key, report).await.unwrap();
            }
            (buyer, bought.order.order_id, n)
        }
    }));
    let sold = sold.await;
    let swaps = sold.iter().map(|(buyer, order, seat)| core.booking.exchange(*order, *buyer, (vec![*seat], vec![20])));
    let answers = join_all(swaps).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let taken = |answer: &&Result<_, ExchangeError>| matches!(answer, Err(ExchangeError::SeatsTaken { seats }) if seats == &[20]);
    assert_eq!(answers.iter().filter(taken).count(), 7);
    assert_eq!(core.number("select count(*) from ticket where state = 'valid'").await, 8);
    assert_eq!(core.number("select count(*) from claim where kind = 1").await, 8);
    let core = core.restarted().await;
    let (buyer, order, _) = sold[answers.iter().position(Result::is_ok).unwrap()];
    let back = core.booking.exchange(order, buyer, (vec![20], vec![21])).await.unwrap();
    assert_eq!(back.seats[0].seat_no, 21, "also after a restart");
    core.audit().await;
    audit(&core.database.pool().await, core.event()).await.unwrap();
}
