//! The whole path over HTTP: an account, a search, a seat map, a hold, a declined and a good payment, tickets, fewer seats in search.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::catalog::{self, Listing};
use tests::{Client, Database, Server, until};

pub(crate) const GOOD_CARD: &str = "4242 4242 4242 4242";
pub(crate) const BAD_CARD: &str = "4000 0000 0000 0002";
const SILENT_CARD: &str = "4000 0000 0000 0044";

pub(crate) async fn pay(client: &Client, portal: &str, card: &str) -> StatusCode {
    let form = format!("card={}", card.replace(' ', "+"));
    let request = client.request(Method::POST, portal).header("content-type", "application/x-www-form-urlencoded");
    request.body(form).send().await.unwrap().status()
}

pub(crate) async fn order_in(client: &Client, order: &str, state: &str) -> Value {
    until(&format!("the order is {state}"), || async {
        let order = client.get(&format!("/order/{order}")).await.expect(200);
        (order["state"] == state).then_some(order)
    })
    .await
}

async fn seats_left(client: &Client, query: &str) -> Option<i64> {
    client.get(query).await.expect(200)["hits"][0]["seats_left"].as_i64()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_finds_a_concert_pays_at_the_second_attempt_and_holds_tickets() {
    let database = Database::migrated().await;
    let listing = catalog::on_sale(&database, "Brahms in the evening", 50).await;
    let event = listing.event;
    let server = Server::start(&database).await;
    let buyer = server.buyer().await;

    let query = format!("/event?q=brahms&min_lsn={}", database.lsn().await);
    let found = buyer.get(&query).await.expect(200);
    assert_eq!((&found["total"], &found["hits"][0]["event_id"]), (&json!(1), &json!(event)));
    assert_eq!(found["hits"][0]["seats_left"], 50);
    let whole = buyer.get(&format!("/event/{event}")).await.expect(200);
    let plan = buyer.get(&format!("/layout/{}", text(&whole["layout_hash"]))).await.expect(200);
    assert_eq!(plan["sections"][0]["rows"][0]["seats"][3]["seat_no"], 3);

    let body = json!({"event_id": event, "seats": [3, 4]});
    let hold = buyer.post_once("/ticket/reserve", &body, "hold").await.expect(201);
    assert_eq!((&hold["total"], &hold["seats"][1]["label"]), (&json!(10_000), &json!("5")));
    assert_eq!(buyer.post_once("/ticket/reserve", &body, "hold").await.expect(201), hold);
    let other = server.buyer().await;
    let taken = other.post_new("/ticket/reserve", &body).await.problem(409, "seats-taken");
    assert_eq!(taken["seats"], json!([3, 4]));

    let buy = format!("/ticket/buy/{event}");
    let first = buyer.post_once(&buy, &json!({}), "first").await.expect(200);
    assert_eq!(buyer.post_once(&buy, &json!({}), "first").await.expect(200), first);
    assert_eq!(pay(&buyer, text(&first["portal_url"]), SILENT_CARD).await, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(pay(&buyer, text(&first["portal_url"]), BAD_CARD).await, StatusCode::SEE_OTHER);
    let order = text(&first["order_id"]);
    until("the attempt is declined", || async {
        let order = buyer.get(&format!("/order/{order}")).await.expect(200);
        (order["attempts"][0]["state"] == "declined").then_some(())
    })
    .await;
    let second = buyer.post_once(&buy, &json!({}), "second").await.expect(200);
    assert_eq!(second["order_id"], first["order_id"]);
    assert_eq!(pay(&buyer, text(&second["portal_url"]), "4111 1111 1111 1111").await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_ne!(second["portal_url"], first["portal_url"]);
    assert_eq!(pay(&buyer, text(&second["portal_url"]), GOOD_CARD).await, StatusCode::SEE_OTHER);
    let paid = order_in(&buyer, order, "captured").await;
    assert_eq!(paid["tickets"].as_array().unwrap().len(), 2);

    let tickets = buyer.get(&format!("/ticket/{event}")).await.expect(200);
    let ticket = text(&tickets["tickets"][0]["ticket_id"]);
    let picture = buyer.get(&format!("/ticket/{ticket}/qr.svg")).await;
    assert!(picture.text.contains("<svg"), "{}", picture.text);
    let calendar = buyer.get(&format!("/ticket/{ticket}/event.ics")).await;
    assert!(calendar.text.contains("SUMMARY:Brahms in the evening\r\n"), "{}", calendar.text);
    assert_eq!(other.get(&format!("/ticket/{ticket}/qr.svg")).await.status, StatusCode::NOT_FOUND);

    until("search shows fewer seats", || async {
        (seats_left(&buyer, "/event?q=brahms").await == Some(48)).then_some(())
    })
    .await;
    let tickets = database.number("select count(*) from ticket where state = 'valid'").await;
    let captured = database.number("select count(*) from sandbox.payment where state = 'captured'").await;
    assert_eq!((tickets, captured), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_expires_frees_its_seats() {
    let database = Database::migrated().await;
    let listing = Listing { hold_ttl_s: 1, ..Listing::new("A short hold", 10) };
    listing.insert(&database).await;
    let server = Server::start(&database).await;
    let (one, other) = (server.buyer().await, server.buyer().await);
    let body = json!({"event_id": listing.event, "seats": [0]});
    drop(one.post_new("/ticket/reserve", &body).await.expect(201));
    until("the seat is free again", || async {
        let answer = other.post_new("/ticket/reserve", &body).await;
        (answer.status == StatusCode::CREATED).then_some(())
    })
    .await;
    let gone = one.post_new(&format!("/ticket/buy/{}", listing.event), &json!({})).await;
    gone.problem(410, "hold-expired").as_object().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn letting_go_frees_the_seats_and_the_stream_tells_it() {
    let database = Database::migrated().await;
    let listing = catalog::on_sale(&database, "A change of mind", 10).await;
    let server = Server::start(&database).await;
    let (buyer, event) = (server.buyer().await, listing.event);
    let path = format!("/event/{event}/seats/stream");
    let mut stream = server.visitor().request(Method::GET, &path).send().await.unwrap();
    let first = String::from_utf8(stream.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(first.starts_with("event: snapshot"), "{first}");

    let best = json!({"event_id": event, "best_available": {"quantity": 3, "adjacent": true}});
    let hold = buyer.post_new("/ticket/reserve", &best).await.expect(201);
    assert_eq!(hold["seats"].as_array().unwrap().len(), 3);
    let delta = String::from_utf8(stream.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(delta.starts_with("event: delta"), "{delta}");
    let version = buyer.get(&format!("/event/{event}/seats")).await.expect(200)["version"].clone();
    drop(buyer.delete(&format!("/ticket/reserve/{event}")).await.expect(204));
    drop(buyer.delete(&format!("/ticket/reserve/{event}")).await.expect(204));
    let since = buyer.get(&format!("/event/{event}/seats?since={version}")).await.expect(200);
    assert_eq!(since["changes"].as_array().unwrap().len(), 3);
    assert!(since["changes"].as_array().unwrap().iter().all(|change| change[1] == 0), "{since}");
    assert_eq!(database.number("select count(*) from claim").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organizer_writes_the_catalog_and_reads_it_in_search() {
    let database = Database::migrated().await;
    let server = Server::start(&database).await;
    let organizer = server.buyer().await;
    database.connect().await.execute("update account set role = 'organizer'", &[]).await.unwrap();
    let id = until("the role is seen", || async {
        let answer = organizer.post("/artist", &json!({"name": "Clara Wieck"})).await;
        (answer.status == StatusCode::CREATED).then(|| answer.json["artist_id"].clone())
    })
    .await;
    let venue = json!({"name": "Gewandhaus", "city": "Leipzig", "country": "DE", "timezone": "Europe/Berlin"});
    let venue = organizer.post("/venue", &venue).await.expect(201);
    let mut plan = catalog::plan(20);
    plan.tiers.push("Not for sale".to_owned());
    plan.sections[0].rows[1].seats.iter_mut().for_each(|seat| seat.tier = 1);
    let plan = serde_json::to_value(plan).unwrap();
    let layout = organizer.post("/layout", &plan).await.expect(201);
    let event = json!({
        "title": "Piano Trio in G minor", "venue_id": venue["venue_id"], "starts_at": "2030-05-01T18:00:00Z",
        "layout_hash": layout["layout_hash"], "currency": "EUR", "tiers": [{"tier": 0, "name": "All", "price": 2_500}],
        "artists": [{"artist_id": id, "role": "composer"}],
    });
    let made = organizer.post("/event", &event).await;
    let (etag, lsn) = (made.headers["etag"].clone(), made.headers["frontrow-lsn"].to_str().unwrap().to_owned());
    let made = made.expect(201);
    let path = format!("/event/{}", text(&made["event_id"]));
    let found = organizer.get(&format!("/event?artist=Clara%20Wieck&min_lsn={lsn}")).await.expect(200);
    assert_eq!(found["hits"][0]["event_id"], made["event_id"]);
    shows(&organizer, &path, (10, 2_500)).await;

    let change = json!({"title": "Piano Trio, Op. 17"});
    let request = organizer.request(Method::PUT, &path).header("if-match", &etag).json(&change);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    let request = organizer.request(Method::PUT, &path).header("if-match", &etag).json(&change);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::PRECONDITION_FAILED);
    server.buyer().await.put(&path, &change).await.problem(403, "forbidden").as_object().unwrap();

    let body = json!({"event_id": made["event_id"], "seats": [0]});
    drop(organizer.post_new("/ticket/reserve", &body).await.expect(201));
    shows(&organizer, &path, (9, 2_500)).await;
    let dearer =
        json!({"tiers": [{"tier": 0, "name": "All", "price": 3_000}, {"tier": 1, "name": "Rear", "price": 2_800}]});
    drop(organizer.put(&path, &dearer).await.expect(200));
    shows(&organizer, &path, (19, 2_800)).await;
    organizer.put(&path, &json!({"currency": "CHF"})).await.problem(409, "has-sales").as_object().unwrap();
    let cancelled = organizer.delete(&path).await.expect(200);
    assert_eq!(cancelled["status"], "cancelled");
    let closed = json!({"event_id": made["event_id"], "seats": [1]});
    organizer.post_new("/ticket/reserve", &closed).await.problem(409, "not-on-sale").as_object().unwrap();
}

/// Waits until search shows an event with so many seats left, from such a price.
async fn shows(visitor: &Client, path: &str, (seats_left, price_min): (u64, u64)) {
    let search = path.replace("/event/", "/event?event_id=");
    until("search shows what is for sale", || async {
        let hit = visitor.get(&search).await.expect(200)["hits"][0].clone();
        (hit["seats_left"] == seats_left && hit["price_min"] == price_min).then_some(())
    })
    .await;
}
