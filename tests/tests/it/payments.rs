//! Payments over HTTP where the provider does the unexpected: its books and its signed messages are ours to write, as a foreign
//! provider's would be its own.

use crate::whole_path::{BAD_CARD, GOOD_CARD, order_in, pay};
use reqwest::{Method, StatusCode};
use ring::hmac;
use serde_json::{Value, json};
use std::fmt::Write as _;
use tests::catalog;
use tests::{Client, Database, Server, until};

/// A site with one event and a buyer who holds two of its seats.
pub(crate) struct Shop {
    pub(crate) database: Database,
    pub(crate) server: Server,
    pub(crate) event: model::EventId,
    pub(crate) buyer: Client,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let database = Database::migrated().await;
        let event = catalog::on_sale(&database, "An evening", 20).await.event;
        let server = Server::start(&database).await;
        let buyer = server.buyer().await;
        let body = json!({"event_id": event, "seats": [3, 4]});
        drop(buyer.post_new("/ticket/reserve", &body).await.expect(201));
        Self { database, server, event, buyer }
    }

    pub(crate) async fn buy(&self) -> Value {
        self.buyer.post_new(&format!("/ticket/buy/{}", self.event), &json!({})).await.expect(200)
    }

    /// Two attempts: the first declined, the second paid. Gives the order and the provider's name for the first.
    async fn paid_at_the_second_attempt(&self) -> (String, String) {
        let first = self.buy().await;
        let order = first["order_id"].as_str().unwrap().to_owned();
        assert_eq!(pay(&self.buyer, first["portal_url"].as_str().unwrap(), BAD_CARD).await, StatusCode::SEE_OTHER);
        self.attempt(&order, 0, "declined").await;
        let second = self.buy().await;
        assert_eq!(pay(&self.buyer, second["portal_url"].as_str().unwrap(), GOOD_CARD).await, StatusCode::SEE_OTHER);
        let paid = order_in(&self.buyer, &order, "captured").await;
        (order, paid["attempts"][0]["provider_ref"].as_str().unwrap().to_owned())
    }

    pub(crate) async fn attempt(&self, order: &str, which: usize, state: &str) -> Value {
        until(&format!("attempt {which} is {state}"), || async {
            let order = self.buyer.get(&format!("/order/{order}")).await.expect(200);
            (order["attempts"][which]["state"] == state).then_some(order)
        })
        .await
    }

    /// A message of the sandbox provider at an instant, as it would sign it.
    pub(crate) async fn message(&self, id: &str, (reference, state): (&str, &str), at_s: i64) -> StatusCode {
        let body = json!({"id": id, "ref": reference, "state": state}).to_string();
        let secret = std::fs::read_to_string(self.server.data().unwrap().join("secret")).unwrap();
        let key = hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), b"sandbox webhook").as_ref());
        let request = self.server.visitor().request(Method::POST, "/payment/webhook/sandbox");
        let request = request.header("sandbox-signature", signed(&key, at_s, &body));
        request.header("content-type", "application/json").body(body).send().await.unwrap().status()
    }

    async fn books(&self, sql: &str) {
        self.database.connect().await.batch_execute(sql).await.unwrap();
    }
}

/// A signature header's value, as payment providers commonly sign.
pub(crate) fn signed(key: &str, at_s: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    format!("t={at_s},v1={}", hex(hmac::sign(&key, format!("{at_s}.{body}").as_bytes()).as_ref()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

pub(crate) fn now_s() -> i64 {
    jiff::Timestamp::now().as_second()
}

#[tokio::test(flavor = "multi_thread")]
async fn money_taken_for_another_attempt_goes_back_and_no_void_is_tried_for_ever() {
    let shop = Shop::open().await;
    let (order, reference) = shop.paid_at_the_second_attempt().await;
    // The first attempt's portal was still open somewhere; the provider took the money at once, and says so only when asked.
    shop.books(&format!("update sandbox.payment set state = 'captured' where ref = '{reference}'")).await;
    assert_eq!(shop.message("late", (&reference, "authorized"), now_s()).await, StatusCode::OK);
    let paid = shop.attempt(&order, 0, "returned").await;
    assert_eq!((&paid["state"], &paid["attempts"][0]["refunded"]), (&json!("captured"), &json!(10_000)));
    let back = format!("select count(*) from sandbox.payment where ref = '{reference}' and state = 'refunded'");
    assert_eq!(shop.database.number(&back).await, 1);
    until("the outbox is empty", || async {
        let open = "select count(*) from outbox where sent_at is null";
        (shop.database.number(open).await == 0).then_some(())
    })
    .await;
    assert_eq!(shop.database.number("select count(*) from ticket where state = 'valid'").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_refuses_for_good_is_given_up_with_its_reason_and_seen() {
    let shop = Shop::open().await;
    let (order, reference) = shop.paid_at_the_second_attempt().await;
    shop.books(&format!("delete from sandbox.payment where ref = '{reference}'")).await;
    assert_eq!(shop.message("late", (&reference, "authorized"), now_s()).await, StatusCode::OK);
    shop.attempt(&order, 0, "voiding").await;
    until("the void is given up", || async {
        let dead = "select count(*) from outbox where topic = 'void' and dead_at is not null and failure like '%404%'";
        (shop.database.number(dead).await == 1).then_some(())
    })
    .await;
    until("the figures show it", || async {
        let figures = shop.server.visitor().get("/metrics").await.text;
        figures.lines().any(|line| line == "payment_outbox_dead 1").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_forged_stale_twice_or_out_of_order_change_nothing_they_should_not() {
    let shop = Shop::open().await;
    let bought = shop.buy().await;
    let order = bought["order_id"].as_str().unwrap();
    let open = shop.buyer.get(&format!("/order/{order}")).await.expect(200);
    let reference = open["attempts"][0]["provider_ref"].as_str().unwrap();
    assert_eq!(shop.message("stale", (reference, "authorized"), now_s() - 301).await, StatusCode::BAD_REQUEST);
    let forged = shop.server.visitor().request(Method::POST, "/payment/webhook/sandbox");
    let body = json!({"id": "forged", "ref": reference, "state": "authorized"}).to_string();
    let forged = forged.header("sandbox-signature", signed("another key", now_s(), &body)).body(body);
    assert_eq!(forged.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    assert_eq!(shop.database.number("select count(*) from webhook_inbox").await, 0);
    // The capture is told before the authorisation, and each twice.
    shop.books("update sandbox.payment set state = 'captured'").await;
    for (id, state) in [("b", "captured"), ("b", "captured"), ("a", "authorized"), ("a", "authorized")] {
        assert_eq!(shop.message(id, (reference, state), now_s()).await, StatusCode::OK);
    }
    let paid = order_in(&shop.buyer, order, "captured").await;
    assert_eq!((paid["tickets"].as_array().unwrap().len(), paid["attempts"].as_array().unwrap().len()), (2, 1));
    until("every message is dealt with, once", || async {
        let done = "select count(*) from webhook_inbox where done_at is not null and provider_event_id in ('a', 'b')";
        (shop.database.number(done).await == 2).then_some(())
    })
    .await;
}
