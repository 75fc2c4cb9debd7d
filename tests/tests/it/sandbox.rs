//! The sandbox portal's test cards: whatever trouble they bring, an order is paid once and has its tickets.

use crate::payments::Shop;
use crate::whole_path::{order_in, pay};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tests::until;

impl Shop {
    /// Pays with a card and waits for the tickets.
    async fn paid_with(card: &str) -> Self {
        let shop = Self::open().await;
        let bought = shop.buy().await;
        assert_eq!(pay(&shop.buyer, bought["portal_url"].as_str().unwrap(), card).await, StatusCode::SEE_OTHER);
        let paid = order_in(&shop.buyer, bought["order_id"].as_str().unwrap(), "captured").await;
        assert_eq!((paid["tickets"].as_array().unwrap().len(), &paid["attempts"][0]["refunded"]), (2, &json!(0)));
        assert_eq!(shop.database.number("select count(*) from sandbox.payment where state = 'captured'").await, 1);
        shop
    }

    /// Waits until as many rows answer to a statement.
    async fn counts(&self, sql: &str, count: i64) {
        until(sql, || async { (self.database.number(sql).await == count).then_some(()) }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_late_twice_out_of_order_or_never_change_no_outcome() {
    let (late, twice, astray, never) = tokio::join!(
        Shop::paid_with("4000 0000 0000 0101"),
        Shop::paid_with("4000 0000 0000 0119"),
        Shop::paid_with("4000 0000 0000 0127"),
        Shop::paid_with("4000 0000 0000 0135"),
    );
    late.counts("select count(*) from webhook_inbox where done_at is not null", 2).await;
    twice.counts("select count(*) from webhook_inbox where done_at is not null", 2).await;
    let overtaken = "select count(*) from webhook_inbox a, webhook_inbox c where a.body->>'state' = 'authorized'
        and c.body->>'state' = 'captured' and c.received_at < a.received_at and a.done_at is not null";
    astray.counts(overtaken, 1).await;
    assert_eq!(never.database.number("select count(*) from webhook_inbox").await, 0);
    for shop in [late, twice, astray, never] {
        assert_eq!(shop.database.number("select count(*) from ticket where state = 'valid'").await, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_or_loses_an_answer_is_asked_until_it_is_known() {
    let (down, lost) = tokio::join!(Shop::paid_with("4000 0000 0000 0143"), Shop::paid_with("4000 0000 0000 0150"));
    assert_eq!(down.database.number("select troubled::bigint from sandbox.payment").await, 3);
    down.counts("select count(*) from outbox where sent_at is not null and attempts > 1 and failure like '%503%'", 1)
        .await;
    assert_eq!(lost.database.number("select troubled::bigint from sandbox.payment").await, 1);
    lost.counts("select count(*) from outbox where sent_at is not null and failure like '%504%'", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_asks_for_proof_gets_it_or_declines() {
    let shop = Shop::open().await;
    let bought = shop.buy().await;
    let (order, portal) = (bought["order_id"].as_str().unwrap(), bought["portal_url"].as_str().unwrap());
    assert_eq!(pay(&shop.buyer, portal, "4000 0000 0000 3220").await, StatusCode::SEE_OTHER);
    let page = shop.buyer.get(portal).await.text;
    assert!(page.contains("data-outcome=\"prove\"") && !page.contains("name=\"card\""), "{page}");
    // No other card gets past the question.
    assert_eq!(pay(&shop.buyer, portal, "4242 4242 4242 4242").await, StatusCode::OK);
    let proof = async |portal: &str, proof: &str| {
        let request = shop.buyer.request(Method::POST, portal).body(format!("proof={proof}"));
        request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap().status()
    };
    assert_eq!(proof(portal, "refused").await, StatusCode::SEE_OTHER);
    let declined = shop.attempt(order, 0, "declined").await;
    assert_eq!(declined["attempts"][0]["reason"], "authentication_failed");
    let again = shop.buy().await;
    let portal = again["portal_url"].as_str().unwrap();
    assert_eq!(proof(portal, "given").await, StatusCode::OK, "nobody asked yet");
    assert_eq!(pay(&shop.buyer, portal, "4000 0000 0000 3220").await, StatusCode::SEE_OTHER);
    assert_eq!(proof(portal, "given").await, StatusCode::SEE_OTHER);
    order_in(&shop.buyer, order, "captured").await;
}
