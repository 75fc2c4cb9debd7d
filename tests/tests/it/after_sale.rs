//! After the sale, over HTTP: money back, tickets passed on, the door.

mod door;
mod exchange;
mod print;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::catalog::{self, Listing};
use tests::{Client, Database, Server, until};

/// A site with one event, its organizer, and a buyer who paid for seats 3 and 4.
struct Evening {
    database: Database,
    server: Server,
    listing: Listing,
    organizer: Client,
    buyer: Client,
    order: String,
}

impl Evening {
    async fn sold() -> Self {
        let database = Database::migrated().await;
        let listing = catalog::on_sale(&database, "An evening", 20).await;
        let server = Server::start(&database).await;
        let organizer = Client::session_of(listing.organizer, &server.base, &database).await;
        let buyer = server.buyer().await;
        let order = buy(&buyer, &listing, &[3, 4]).await;
        Self { database, server, listing, organizer, buyer, order }
    }

    fn refund(&self) -> String {
        format!("/order/{}/refund", self.order)
    }

    /// A digest of everything a call after the sale may change.
    async fn books(&self) -> String {
        let sql = "select md5(string_agg(t, '|' order by t)) from (select o::text t from orders o union all select c::text from claim c
            union all select k::text from ticket k union all select p::text from payment p union all select x::text from outbox x) rows";
        self.database.connect().await.query_one(sql, &[]).await.unwrap().get(0)
    }
}

/// Buys seats and waits until the money is taken; gives the order.
async fn buy(buyer: &Client, listing: &Listing, seats: &[u32]) -> String {
    let body = json!({"event_id": listing.event, "seats": seats});
    drop(buyer.post_new("/ticket/reserve", &body).await.expect(201));
    let bought = buyer.post_new(&format!("/ticket/buy/{}", listing.event), &json!({})).await.expect(200);
    let portal = bought["portal_url"].as_str().unwrap();
    let form = buyer.request(Method::POST, portal).header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(form.body("card=4242424242424242").send().await.unwrap().status().as_u16(), 303);
    let order = bought["order_id"].as_str().unwrap().to_owned();
    order_in(buyer, &order, "captured").await;
    order
}

async fn order_in(client: &Client, order: &str, state: &str) -> Value {
    until(&format!("the order is {state}"), || async {
        let order = client.get(&format!("/order/{order}")).await.expect(200);
        (order["state"] == state).then_some(order)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organizer_gives_an_order_back_and_its_seats_are_sold_again() {
    let evening = Evening::sold().await;
    let stranger = evening.server.buyer().await;
    let books = evening.books().await;
    stranger.post(&evening.refund(), &json!({})).await.problem(404, "no-such-order").as_object().unwrap();
    evening.buyer.post(&evening.refund(), &json!({})).await.problem(409, "not-refundable").as_object().unwrap();
    evening.server.visitor().post(&evening.refund(), &json!({})).await.problem(401, "no-session").as_object().unwrap();
    let nothing = format!("/order/{}/refund", uuid::Uuid::now_v7());
    evening.organizer.post(&nothing, &json!({})).await.problem(404, "no-such-order").as_object().unwrap();
    assert_eq!(evening.books().await, books, "a refusal changes nothing");

    let refund = evening.organizer.post(&evening.refund(), &json!({})).await.expect(202);
    assert_eq!((&refund["order_id"], &refund["total"]), (&json!(evening.order), &json!(10_000)));
    let order = order_in(&evening.buyer, &evening.order, "refunded").await;
    assert!(order["tickets"].as_array().unwrap().iter().all(|ticket| ticket["state"] == "void"), "{order}");
    let again = evening.organizer.post(&evening.refund(), &json!({})).await.expect(202);
    assert_eq!(again["state"], "refunded");
    assert_eq!(evening.database.number("select count(*) from sandbox.payment where state = 'refunded'").await, 1);
    buy(&stranger, &evening.listing, &[4]).await;
    let search = format!("/event?event_id={}", evening.listing.event);
    until("search shows the seat that is left", || async {
        (stranger.get(&search).await.expect(200)["hits"][0]["seats_left"] == 19).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_gives_an_order_back_while_the_event_allows_it() {
    let evening = Evening::sold().await;
    let event = format!("/event/{}", evening.listing.event);
    let until_2100 = json!({"refundable_until": "2100-01-01T00:00:00Z"});
    drop(evening.organizer.put(&event, &until_2100).await.expect(200));
    let order = evening.buyer.get(&format!("/order/{}", evening.order)).await.expect(200);
    assert_eq!(order["refundable_until"], "2100-01-01T00:00:00Z");
    let page = evening.buyer.get(&format!("/orders/{}", evening.order)).await;
    assert!(page.text.contains("id=\"refund\""), "{}", page.text);
    // A refusal may rest on terms a fraction of a second old.
    until("the change is felt", || async {
        let answer = evening.buyer.post(&evening.refund(), &json!({})).await;
        (answer.status == StatusCode::ACCEPTED).then_some(())
    })
    .await;
    order_in(&evening.buyer, &evening.order, "refunded").await;
    let page = evening.buyer.get(&format!("/orders/{}", evening.order)).await;
    assert!(page.text.contains("Your money is back"), "{}", page.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_an_event_gives_everyone_their_money_back() {
    let evening = Evening::sold().await;
    let other = evening.server.buyer().await;
    let second = buy(&other, &evening.listing, &[0]).await;
    let event = format!("/event/{}", evening.listing.event);
    assert_eq!(evening.organizer.delete(&event).await.expect(200)["status"], "cancelled");
    order_in(&evening.buyer, &evening.order, "refunded").await;
    order_in(&other, &second, "refunded").await;
    assert_eq!(evening.database.number("select sum(refunded)::bigint from payment").await, 15_000);
    assert_eq!(evening.database.number("select count(*) from ticket where state <> 'void'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_passed_on_and_lets_its_new_holder_in_once() {
    let evening = Evening::sold().await;
    let friend = evening.server.buyer().await;
    let email = friend.get("/user").await.expect(200)["email"].as_str().unwrap().to_uppercase();
    let tickets = evening.buyer.get("/ticket").await.expect(200)["tickets"].clone();
    let (ticket, kept) = (&tickets[0], &tickets[1]);
    let transfer = format!("/ticket/{}/transfer", ticket["ticket_id"].as_str().unwrap());
    let own = evening.buyer.get("/user").await.expect(200)["email"].clone();
    let books = evening.books().await;
    friend.post(&transfer, &json!({"email": email})).await.problem(404, "no-such-ticket").as_object().unwrap();
    for wrong in [json!("nobody@example.test"), json!("no email"), own] {
        let refused = evening.buyer.post(&transfer, &json!({"email": wrong})).await.problem(422, "invalid");
        assert_eq!(refused["errors"][0]["field"], "email");
    }
    assert_eq!(evening.books().await, books, "a refusal changes nothing");
    let passed_on = evening.buyer.post(&transfer, &json!({"email": email})).await.expect(200);
    assert_eq!((&passed_on["generation"], passed_on.get("code")), (&json!(2), None));
    let theirs = friend.get("/ticket").await.expect(200)["tickets"][0].clone();
    assert_eq!(theirs["ticket_id"], ticket["ticket_id"]);
    assert_eq!(evening.buyer.get("/ticket").await.expect(200)["tickets"], json!([kept]));
    let order = evening.buyer.get(&format!("/order/{}", evening.order)).await.expect(200);
    assert_eq!(order["tickets"][0].get("code"), None);
    let page = evening.buyer.get(&format!("/orders/{}", evening.order)).await;
    assert!(page.text.contains("Passed on"), "{}", page.text);

    let door = async |who: &Client, code: &Value| who.post("/checkin", &json!({"code": code})).await;
    let books = evening.books().await;
    let dead = door(&evening.organizer, &ticket["code"]).await.problem(410, "dead-code");
    assert_eq!(dead["reason"], "passed-on");
    door(&evening.buyer, &theirs["code"]).await.problem(403, "forbidden").as_object().unwrap();
    let forged = theirs["code"].as_str().unwrap().replacen('A', "B", 1);
    door(&evening.organizer, &json!(forged)).await.problem(422, "bad-code").as_object().unwrap();
    door(&evening.organizer, &json!("")).await.problem(422, "bad-code").as_object().unwrap();
    let other = json!({"code": theirs["code"], "event_id": uuid::Uuid::now_v7()});
    evening.organizer.post("/checkin", &other).await.problem(409, "other-event").as_object().unwrap();
    let foreign = catalog::on_sale(&evening.database, "Another organizer's", 10).await;
    let foreign = Client::session_of(foreign.organizer, &evening.server.base, &evening.database).await;
    door(&foreign, &theirs["code"]).await.problem(403, "forbidden").as_object().unwrap();
    assert_eq!(evening.books().await, books, "a refusal changes nothing");
    let admitted = door(&evening.organizer, &theirs["code"]).await.expect(200);
    assert_eq!((&admitted["label"], &admitted["holder"]), (&theirs["label"], &json!("A Buyer")));
    let twice = door(&evening.organizer, &theirs["code"]).await.problem(409, "already-used");
    assert_eq!(twice["at"], admitted["at"]);
    friend.post(&transfer, &json!({"email": "x@example.test"})).await.problem(422, "invalid").as_object().unwrap();
    drop(evening.organizer.post(&evening.refund(), &json!({})).await.expect(202));
    let void = door(&evening.organizer, &kept["code"]).await.problem(410, "dead-code");
    assert_eq!(void["reason"], "void");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_without_a_network_checks_codes_with_the_published_key() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let evening = Evening::sold().await;
    let key = evening.server.visitor().get("/checkin/key").await.expect(200);
    let key = URL_SAFE_NO_PAD.decode(key["public_key"].as_str().unwrap()).unwrap();
    let ticket = evening.buyer.get("/ticket").await.expect(200)["tickets"][0].clone();
    let code = URL_SAFE_NO_PAD.decode(ticket["code"].as_str().unwrap()).unwrap();
    let (signed, signature) = code.split_at(37);
    let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key);
    key.verify(signed, signature).unwrap();
    let event: uuid::Uuid = ticket["event_id"].as_str().unwrap().parse().unwrap();
    assert_eq!((signed[0], &signed[1..17], &signed[33..]), (1, event.as_bytes().as_slice(), &[0, 0, 0, 1][..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organizer_reads_what_was_sold_and_what_went_back() {
    let evening = Evening::sold().await;
    let path = format!("/event/{}/sales", evening.listing.event);
    evening.buyer.get(&path).await.problem(403, "forbidden").as_object().unwrap();
    let nothing = format!("/event/{}/sales", uuid::Uuid::now_v7());
    evening.organizer.get(&nothing).await.problem(404, "no-such-event").as_object().unwrap();
    buy(&evening.buyer, &evening.listing, &[7]).await;
    drop(evening.organizer.post(&evening.refund(), &json!({})).await.expect(202));
    let sales = evening.organizer.get(&path).await.expect(200);
    let sold = json!({"seats": 3, "gross": 15_000, "seats_back": 2, "refunds": 10_000, "net": 5_000, "checked_in": 0});
    assert_eq!((&sales["total"], &sales["currency"]), (&sold, &json!("USD")));
    assert_eq!(sales["by_tier"][0]["net"], 5_000);
    let csv = evening.organizer.get(&format!("{path}.csv")).await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    let day = sales["by_day"][0]["day"].as_str().unwrap();
    let lines: Vec<&str> = csv.text.lines().collect();
    assert_eq!(lines[1], format!("{day},0,3,15000,2,10000,5000,0,USD"));
}
