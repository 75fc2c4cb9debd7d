//! Waiting for a sold-out event, over HTTP: the line, offers in their turn, what is told of them, and nothing lost on the way.

use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;
use tests::catalog::Listing;
use tests::{Client, Database, MailSink, Server, until};

/// A concert of four seats, all of them bought by one person.
struct SoldOut {
    database: Database,
    server: Server,
    listing: Listing,
    organizer: Client,
    order: String,
}

impl SoldOut {
    async fn open(data: &Path, smtp: Option<&str>) -> Self {
        let database = Database::migrated().await;
        let listing = tests::catalog::on_sale(&database, "Winterreise", 4).await;
        let server = serve(&database, data, smtp).await;
        let organizer = Client::session_of(listing.organizer, &server.base, &database).await;
        let owner = Client::with_session(&server.base, &database).await;
        drop(
            owner
                .post_new("/ticket/reserve", &json!({"event_id": listing.event, "seats": [0, 1, 2, 3]}))
                .await
                .expect(201),
        );
        let order = pay(&owner, &listing).await;
        Self { database, server, listing, organizer, order }
    }

    async fn fan(&self) -> Client {
        Client::with_session(&self.server.base, &self.database).await
    }

    fn line(&self) -> String {
        format!("/event/{}/waiting", self.listing.event)
    }

    /// All four seats come back.
    async fn give_back(&self) {
        drop(self.organizer.post(&format!("/order/{}/refund", self.order), &json!({})).await.expect(202));
    }

    /// Waits until it is somebody's turn.
    async fn offered(&self, fan: &Client) -> Value {
        until("it is their turn", || async {
            let place = fan.get(&self.line()).await;
            (place.json["state"] == "offered").then_some(place.json)
        })
        .await
    }
}

async fn serve(database: &Database, data: &Path, smtp: Option<&str>) -> Server {
    Server::start_on(database, data, |command| {
        if let Some(smtp) = smtp {
            command.env("FRONTROW_SMTP", smtp);
        }
    })
    .await
}

/// Pays for what somebody holds; gives the order once its money is taken.
async fn pay(buyer: &Client, listing: &Listing) -> String {
    let bought = buyer.post_new(&format!("/ticket/buy/{}", listing.event), &json!({})).await.expect(200);
    let form = buyer.request(Method::POST, bought["portal_url"].as_str().unwrap());
    let form = form.header("content-type", "application/x-www-form-urlencoded").body("card=4242424242424242");
    assert_eq!(form.send().await.unwrap().status().as_u16(), 303);
    let order = bought["order_id"].as_str().unwrap().to_owned();
    until("the money is taken", || async {
        (buyer.get(&format!("/order/{order}")).await.expect(200)["state"] == "captured").then_some(())
    })
    .await;
    order
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_is_offered_in_turn_and_nobody_else_can_have_it() {
    let data = tempfile::tempdir().unwrap();
    let concert = SoldOut::open(data.path(), None).await;
    let (first, second, third) = (concert.fan().await, concert.fan().await, concert.fan().await);
    let wish = json!({"quantity": 2});
    let joined = first.post(&concert.line(), &wish).await.expect(200);
    assert_eq!((&joined["state"], &joined["ahead"], &joined["want"]), (&json!("waiting"), &json!(0), &wish));
    assert_eq!(second.post(&concert.line(), &wish).await.expect(200)["ahead"], 1);
    assert_eq!(third.post(&concert.line(), &json!({"quantity": 1})).await.expect(200)["ahead"], 2);
    assert_eq!(first.post(&concert.line(), &wish).await.expect(200), joined, "again: the same place");
    let lines = "select count(*) from waiting";
    first.post(&concert.line(), &json!({"quantity": 3})).await.problem(409, "in-line").as_object().unwrap();
    let stranger = concert.fan().await;
    let too_many = stranger.post(&concert.line(), &json!({"quantity": 9})).await.problem(409, "limit-reached");
    assert_eq!(too_many["limit"], 8);
    let nowhere = json!({"quantity": 1, "section": "Nowhere"});
    let wrong = stranger.post(&concert.line(), &nowhere).await.problem(422, "invalid");
    assert_eq!(wrong["errors"][0]["field"], "section");
    assert_eq!(stranger.get(&concert.line()).await.status.as_u16(), 204);
    assert_eq!(concert.database.number(lines).await, 3, "a refusal lets nobody in");

    concert.give_back().await;
    let offer = concert.offered(&first).await;
    concert.offered(&second).await;
    assert_eq!(third.get(&concert.line()).await.expect(200)["ahead"], 0, "nothing was left for the third");
    let ask = json!({"event_id": concert.listing.event, "best_available": {"quantity": 1}});
    stranger.post_new("/ticket/reserve", &ask).await.problem(409, "not-enough-seats").as_object().unwrap();
    let holds = first.get(&format!("/ticket/reserve/{}", concert.listing.event)).await.expect(200);
    let held = &holds["reservations"][0];
    assert_eq!((&held["reserve_id"], &held["expires_at"]), (&offer["reserve_id"], &offer["expires_at"]));
    assert_eq!(held["seats"].as_array().unwrap().len(), 2);
    let told = first.get("/notification").await.expect(200);
    assert_eq!((&told["offers"][0]["title"], &told["unread"]), (&json!("Winterreise"), &json!(1)));
    assert!(first.get("/notifications").await.text.contains("Kept for you"));

    pay(&first, &concert.listing).await;
    assert_eq!(first.get(&concert.line()).await.status.as_u16(), 204);
    assert_eq!(first.get("/notification/unread").await.expect(200)["unread"], 0);
    // Let go, it is the third's at once.
    let reserve = format!("/ticket/reserve/{}", concert.listing.event);
    assert_eq!(second.delete(&reserve).await.status.as_u16(), 204);
    concert.offered(&third).await;
    let seats_left = stranger.post(&concert.line(), &json!({"quantity": 1})).await;
    seats_left.problem(409, "seats-left").as_object().unwrap();
    let audit =
        Server::frontrow(&["audit", &concert.listing.event.to_string(), "--database-url", &concert.database.url])
            .output()
            .unwrap();
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_is_not_taken_goes_to_the_next_and_each_is_told_by_mail() {
    let data = tempfile::tempdir().unwrap();
    let address = MailSink::free_address();
    let sink = MailSink::start(address).await;
    let concert = SoldOut::open(data.path(), Some(&format!("smtp://{address}"))).await;
    let client = concert.database.connect().await;
    // Shorter than an organizer may say, so that nobody waits for it here.
    let short = "alter table event drop constraint event_offer_ttl_s_check; update event set offer_ttl_s = 2";
    client.batch_execute(short).await.unwrap();
    let (first, second) = (concert.fan().await, concert.fan().await);
    drop(first.post(&concert.line(), &json!({"quantity": 4})).await.expect(200));
    drop(second.post(&concert.line(), &json!({"quantity": 4})).await.expect(200));
    concert.give_back().await;
    concert.offered(&first).await;
    assert_eq!(second.get(&concert.line()).await.expect(200)["state"], "waiting");
    concert.offered(&second).await;
    assert_eq!(first.get(&concert.line()).await.status.as_u16(), 204);
    let over = "select count(*) from waiting w join hold h using (event_id, hold_id) where h.state = 'expired'";
    assert!(concert.database.number(over).await >= 1);
    let mails =
        until("a mail of the offers", || std::future::ready(Some(sink.mails()).filter(|mails| !mails.is_empty())))
            .await;
    assert!(
        mails[0].contains("Seats are yours to take: Winterreise") && mails[0].contains("You waited for 4"),
        "{mails:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_outlives_a_killed_server_and_is_left_when_one_says_so() {
    let data = tempfile::tempdir().unwrap();
    let mut concert = SoldOut::open(data.path(), None).await;
    let (first, second) = (concert.fan().await, concert.fan().await);
    drop(first.post(&concert.line(), &json!({"quantity": 1})).await.expect(200));
    drop(second.post(&concert.line(), &json!({"quantity": 1})).await.expect(200));
    concert.server.process.kill().await;
    concert.server = serve(&concert.database, data.path(), None).await;
    concert.organizer = concert.organizer.at(&concert.server.base);
    let (first, second) = (first.at(&concert.server.base), second.at(&concert.server.base));
    assert_eq!(second.get(&concert.line()).await.expect(200)["ahead"], 1);
    until("the lane is the new server's", || async {
        (first.delete(&concert.line()).await.status.as_u16() == 204).then_some(())
    })
    .await;
    assert_eq!(first.delete(&concert.line()).await.status.as_u16(), 204, "again: nothing more");
    assert_eq!(second.get(&concert.line()).await.expect(200)["ahead"], 0);
    concert.give_back().await;
    concert.offered(&second).await;
    assert_eq!(first.get(&concert.line()).await.status.as_u16(), 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fan_joins_the_line_on_the_page_and_is_led_to_pay() {
    let data = tempfile::tempdir().unwrap();
    let concert = SoldOut::open(data.path(), None).await;
    let fan = concert.fan().await;
    let search = format!("/event?event_id={}", concert.listing.event);
    until("search knows that it is sold out", || async {
        (fan.get(&search).await.expect(200)["hits"][0]["seats_left"] == 0).then_some(())
    })
    .await;
    let (fan, organizer) = (fan.token().unwrap(), concert.organizer.token().unwrap());
    let scene = json!({"event": concert.listing.event, "fan": fan, "organizer": organizer, "order": concert.order});
    crate::browser::walk("e2e/line.mjs", &concert.server.base, &scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_new_terms_let_somebody_have_is_offered_at_once() {
    let data = tempfile::tempdir().unwrap();
    let database = Database::migrated().await;
    let listing = tests::catalog::on_sale(&database, "Winterreise", 4).await;
    let server = serve(&database, data.path(), None).await;
    let organizer = Client::session_of(listing.organizer, &server.base, &database).await;
    let fan = Client::with_session(&server.base, &database).await;
    let line = format!("/event/{}/waiting", listing.event);
    let wish = json!({"quantity": 2, "price_max": 4_000});
    assert_eq!(fan.post(&line, &wish).await.expect(200)["state"], "waiting", "each costs 5000");
    let terms = json!({"tiers": [{"tier": 0, "name": "Standard", "price": 4_000}]});
    organizer.put(&format!("/event/{}", listing.event), &terms).await.expect(200).as_object().unwrap();
    until("it is their turn", || async { (fan.get(&line).await.json["state"] == "offered").then_some(()) }).await;
}
