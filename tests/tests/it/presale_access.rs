//! Presales end to end: groups, codes, limits under races, refusals from memory, and what search and pages say of it.

use booking::{Ask, BadCode, ReserveError, ReserveRequest, audit};
use futures::future::join_all;
use serde_json::{Value, json};
use tests::catalog::Listing;
use tests::{Client, Database, Server, until};

use crate::booking_core::Core;

/// An event whose sale opens in an hour.
async fn not_yet_on_sale(database: &Database, seats: u32) -> Listing {
    let listing = Listing::new("An evening", seats);
    listing.insert(database).await;
    let later = "update event set sale_opens_at = now() + interval '1 hour'";
    database.connect().await.execute(later, &[]).await.unwrap();
    listing
}

fn hours(hours: i64) -> String {
    (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours)).to_string()
}

fn seats(listing: &Listing, seats: &[u32], code: Option<&str>) -> Value {
    match code {
        Some(code) => json!({"event_id": listing.event, "seats": seats, "code": code}),
        None => json!({"event_id": listing.event, "seats": seats}),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_presale_is_for_members_and_for_whoever_has_its_code() {
    let database = Database::migrated().await;
    let listing = not_yet_on_sale(&database, 30).await;
    let server = Server::start(&database).await;
    let organizer = Client::session_of(listing.organizer, &server.base, &database).await;
    let (fan, member, stranger) = (server.buyer().await, server.buyer().await, server.buyer().await);
    let path = format!("/event/{}", listing.event);

    let email = member.get("/user").await.expect(200)["email"].clone();
    let group = organizer.post("/group", &json!({"name": "Subscribers"})).await.expect(201);
    drop(organizer.post("/group", &json!({"name": "Subscribers"})).await.problem(409, "group-exists"));
    let members = format!("/group/{}/member", group["group_id"].as_str().unwrap());
    let joined = organizer.post(&members, &json!({"emails": [email, "nobody@example.test"]})).await.expect(200);
    assert_eq!(joined, json!({"added": 1, "unknown": ["nobody@example.test"]}));
    let window = |closes: i64| json!({"name": "Subscribers", "opens_at": hours(-1), "closes_at": hours(closes), "groups": [group["group_id"]]});
    let event = organizer.put(&path, &json!({"presales": [window(2)]})).await.expect(200);
    assert_eq!(event["presales"][0]["name"], "Subscribers");
    let allowed = json!({"presale": 0, "uses_max": 2, "seats_max": 3});
    let code = organizer.put(&format!("{path}/code/early-bird"), &allowed).await.expect(200);
    assert_eq!((&code["code"], &code["uses"]), (&json!("EARLY-BIRD"), &json!(0)));

    let shown = until("it is on presale", async || {
        let shown = fan.get(&path).await.expect(200);
        (shown["on_sale"] == "presale").then_some(shown)
    });
    assert_eq!(shown.await["presales"].as_array().unwrap().len(), 1);
    let page = fan.get(&format!("/events/{}", listing.event)).await;
    assert!(page.text.contains("\"presale\":true") && page.text.contains("id=\"booth\""), "the seats can be chosen");
    let refused = stranger.post_new("/ticket/reserve", &seats(&listing, &[0], None)).await.problem(409, "not-on-sale");
    assert_eq!((&refused["closed"], &refused["opens_at"]), (&json!("soon"), &event["sale_opens_at"]));
    drop(stranger.post_new("/ticket/reserve", &seats(&listing, &[0], Some("WRONG"))).await.problem(409, "not-on-sale"));
    let held = member.post_new("/ticket/reserve", &seats(&listing, &[0], None)).await.expect(201);
    assert_eq!(held["total"], 5_000);
    drop(fan.post_new("/ticket/reserve", &seats(&listing, &[1, 2], Some(" early-Bird "))).await.expect(201));
    let refused = stranger.post_new("/ticket/reserve", &seats(&listing, &[3, 4], Some("EARLY-BIRD"))).await;
    let refused = refused.problem(409, "code-refused");
    assert_eq!((&refused["reason"], &refused["left"]), (&json!("too-many-seats"), &json!(1)));
    let less = json!({"presale": 0, "uses_max": 2, "seats_max": 1});
    drop(organizer.put(&format!("{path}/code/EARLY-BIRD"), &less).await.problem(409, "code-used"));
    drop(organizer.delete(&format!("{path}/code/EARLY-BIRD")).await.expect(204));
    let refused = stranger.post_new("/ticket/reserve", &seats(&listing, &[3], Some("EARLY-BIRD"))).await;
    assert_eq!(refused.problem(409, "code-refused")["reason"], "over");

    // A window keeps its codes and groups for as long as it is there, under whatever name.
    let renamed =
        json!({"presales": [{"position": 0, "name": "Friends", "opens_at": hours(-1), "closes_at": hours(2)}]});
    drop(organizer.put(&path, &renamed).await.expect(200));
    let terms = organizer.get(&format!("{path}/terms")).await.expect(200);
    assert_eq!(terms["presales"][0]["groups"], json!([group["group_id"]]));
    assert_eq!((&terms["codes"][0]["presale"], &terms["codes"][0]["seats"]), (&json!(0), &json!(2)));
    let who = organizer.get(&members).await.expect(200);
    let gone = format!("{members}/{}", who["members"][0]["user_id"].as_str().unwrap());
    drop(organizer.delete(&gone).await.expect(204));
    drop(member.post_new("/ticket/reserve", &seats(&listing, &[5], None)).await.problem(409, "not-on-sale"));
    let strangers = Client::session_of(not_yet_on_sale(&database, 5).await.organizer, &server.base, &database).await;
    drop(strangers.get(&format!("{path}/terms")).await.problem(403, "forbidden"));
    drop(strangers.get(&members).await.problem(404, "no-such-group"));
}

/// A core with a presale that is open now, and the code.
async fn presale(seats: u32, terms: &str) -> Core {
    let core = Core::of(Listing::new("An evening", seats)).await;
    let sql = format!(
        "update event set sale_opens_at = now() + interval '1 hour';
         insert into event_presale select event_id, 0, 'Friends', now() - interval '1 hour', now() + interval '1 hour' from event;
         insert into sale_code (event_id, code, presale, uses_max, seats_max) select event_id, {terms} from event"
    );
    core.database.connect().await.batch_execute(&sql).await.unwrap();
    core
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_used_exactly_as_often_as_it_may_be_in_a_storm_of_retries() {
    let core = presale(400, "'FIVE', 0, 5, 8").await;
    let (other, early) = (core.another().await, core.buyer().await);
    // The lane is the first process's from here on.
    let request = ReserveRequest { event: core.event(), ask: Ask::Seats(vec![399]), code: None };
    let refused = core.booking.reserve(early, request, "early").await;
    assert!(matches!(refused, Err(ReserveError::NotOnSale { .. })), "{refused:?}");
    let buyers = join_all((0..20).map(|_| core.buyer())).await;
    let asks = buyers.iter().enumerate().flat_map(|(n, buyer)| (0..3).map(move |again| (n, *buyer, again)));
    let asks = asks.map(|(n, buyer, again)| {
        let first = u32::try_from(n).unwrap() * 4;
        let ask = Ask::Seats(vec![first, first + 1]);
        let request = ReserveRequest { event: core.event(), ask, code: Some("FIVE".into()) };
        // The same key by another process, too: one of the two serves the event, the other says that it is busy.
        let booking = if again == 2 { &other.booking } else { &core.booking };
        async move { (n, booking.reserve(buyer, request, "k").await) }
    });
    let answers = join_all(asks).await;
    let mut held: Vec<usize> = answers.iter().filter(|(_, answer)| answer.is_ok()).map(|(n, _)| *n).collect();
    held.dedup();
    assert_eq!(held.len(), 4, "four purchases of two seats are eight");
    for (_, answer) in answers.iter().filter(|(n, _)| !held.contains(n)) {
        let full = matches!(answer, Err(ReserveError::Code(BadCode::UsedUp | BadCode::TooManySeats { .. })));
        assert!(full || matches!(answer, Err(ReserveError::Busy | ReserveError::InProgress)), "{answer:?}");
    }
    assert_eq!(core.number("select uses::bigint from sale_code").await, 4);
    assert_eq!(core.number("select seats::bigint from sale_code").await, 8);
    core.booking.release(buyers[held[0]], core.event()).await.unwrap();
    assert_eq!(core.number("select seats::bigint from sale_code").await, 6);
    core.audit().await;
    audit(&core.database.pool().await, core.event()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_buy_yet_is_refused_without_a_look_into_a_table() {
    let core = presale(30, "'ONE', 0, 1, null").await;
    let (one, other) = (core.buyer().await, core.buyer().await);
    let request = |code: Option<&str>| ReserveRequest {
        event: core.event(),
        ask: Ask::Seats(vec![7]),
        code: code.map(str::to_owned),
    };
    core.booking.reserve(one, request(Some("ONE")), "k").await.unwrap();
    let mut locked = core.database.connect().await;
    let locked = locked.transaction().await.unwrap();
    locked
        .batch_execute(
            "lock table event, event_presale, sale_code, group_member, hold, claim, account in access exclusive mode",
        )
        .await
        .unwrap();
    for n in 0..100 {
        let refused = core.booking.reserve(other, request(None), &format!("a{n}")).await;
        assert!(matches!(refused, Err(ReserveError::NotOnSale { .. })), "{refused:?}");
        let refused = core.booking.reserve(other, request(Some("ONE")), &format!("b{n}")).await;
        assert!(matches!(refused, Err(ReserveError::Code(BadCode::UsedUp))), "{refused:?}");
    }
    locked.rollback().await.unwrap();
}
