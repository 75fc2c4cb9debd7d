//! Paying by Stripe: our side against `localstripe`, behind a front that has Checkout and idempotency keys as Stripe documents them.

mod checkout;
mod local;

use crate::payments::{now_s, signed};
use crate::reconcile::reconcile;
use crate::whole_path::order_in;
use checkout::Stripe;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::catalog::Listing;
use tests::{Client, Database, Server, until};

const SECRET: &str = "whsec_of_the_tests";
const GOOD: &str = "pm_card_visa";
const DECLINED: &str = "pm_card_chargeCustomerFail";

/// A site paid by Stripe with one event.
struct Shop {
    database: Database,
    stripe: Stripe,
    server: Server,
    listing: Listing,
    buyer: Client,
    data: tempfile::TempDir,
}

impl Shop {
    async fn open(listing: Listing) -> Self {
        let database = Database::migrated().await;
        listing.insert(&database).await;
        let (stripe, data) = (Stripe::start().await, tempfile::tempdir().unwrap());
        let server = Server::start_on(&database, data.path(), |command| {
            command.env("FRONTROW_STRIPE_KEY", "sk_test_site").env("FRONTROW_STRIPE_WEBHOOK_SECRET", SECRET);
            command.env("FRONTROW_STRIPE_URL", &stripe.base);
        })
        .await;
        let buyer = server.buyer().await;
        Self { database, stripe, server, listing, buyer, data }
    }

    async fn evening() -> Self {
        let shop = Self::open(Listing::new("An evening", 20)).await;
        shop.hold(&shop.buyer, &[3, 4]).await;
        shop
    }

    async fn hold(&self, buyer: &Client, seats: &[u32]) {
        let body = json!({"event_id": self.listing.event, "seats": seats});
        drop(buyer.post_new("/ticket/reserve", &body).await.expect(201));
    }

    async fn buy(&self) -> (String, String) {
        let bought = self.buyer.post_new(&format!("/ticket/buy/{}", self.listing.event), &json!({})).await.expect(200);
        (text(&bought["order_id"]), text(&bought["portal_url"]))
    }

    /// A message of Stripe's about a payment of ours, signed at an instant with a key.
    async fn message(&self, id: &str, metadata: &Value, (at_s, key): (i64, &str)) -> StatusCode {
        let object = json!({"id": "cs_x", "object": "checkout.session", "metadata": metadata});
        let body =
            json!({"id": id, "object": "event", "type": "checkout.session.completed", "data": {"object": object}});
        let body = body.to_string();
        let request = self.server.visitor().request(Method::POST, "/payment/webhook/stripe");
        let request = request.header("stripe-signature", signed(key, at_s, &body));
        request.header("content-type", "application/json").body(body).send().await.unwrap().status()
    }

    /// What Stripe's objects of an attempt carry.
    fn marks(&self, portal: &str) -> Value {
        let form = self.stripe.session(portal).1.form;
        json!({"payment_id": form["metadata[payment_id]"], "installation": form["metadata[installation]"]})
    }

    async fn intent(&self, intent: &str) -> Value {
        self.stripe.look(&format!("payment_intents/{intent}")).await
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_pays_on_stripes_page_at_the_second_try_and_is_charged_after_the_seats_are_theirs() {
    let shop = Shop::evening().await;
    shop.stripe.local.tell(&format!("{}/payment/webhook/stripe", shop.server.base), SECRET).await;
    let (order, portal) = shop.buy().await;
    let (session, asked) = shop.stripe.session(&portal);
    assert_eq!(asked.form["line_items[0][price_data][unit_amount]"], "10000");
    assert_eq!(asked.form["success_url"], format!("{}/orders/{order}", shop.server.base));
    shop.stripe.pay(&portal, DECLINED).await;
    // localstripe signs and sends this one itself.
    let declined = until("the attempt is declined", || async {
        let order = shop.buyer.get(&format!("/order/{order}")).await.expect(200);
        (order["attempts"][0]["state"] == "declined").then_some(order)
    })
    .await;
    let first = &declined["attempts"][0];
    assert_eq!((&first["provider"], &first["provider_ref"]), (&json!("stripe"), &json!(session)));
    assert_eq!(first["reason"], "card_declined");
    let (again, second) = shop.buy().await;
    assert_eq!(again, order);
    assert_ne!(second, portal);
    let intent = shop.stripe.pay(&second, GOOD).await;
    assert_eq!(shop.intent(&intent).await["status"], "requires_capture");
    assert_eq!(shop.message("evt_1", &shop.marks(&second), (now_s(), SECRET)).await, StatusCode::OK);
    let paid = order_in(&shop.buyer, &order, "captured").await;
    assert_eq!(paid["tickets"].as_array().unwrap().len(), 2);
    let intent = shop.intent(&intent).await;
    assert_eq!((&intent["status"], &intent["amount"]), (&json!("succeeded"), &json!(10_000)));
    assert_eq!((shop.stripe.done("/capture"), shop.stripe.sessions()), (1, 2));
    until("localstripe's word of the capture is dealt with", || async {
        let told = "select count(*) from webhook_inbox where done_at is not null and provider = 'stripe'";
        (shop.database.number(told).await == 3).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorisation_too_late_for_the_seats_is_cancelled_at_stripe() {
    let shop = Shop::open(Listing { hold_ttl_s: 1, ..Listing::new("A short hold", 20) }).await;
    shop.hold(&shop.buyer, &[3]).await;
    let (order, portal) = shop.buy().await;
    order_in(&shop.buyer, &order, "expired").await;
    shop.hold(&shop.server.buyer().await, &[3]).await;
    let intent = shop.stripe.pay(&portal, GOOD).await;
    assert_eq!(shop.message("evt_1", &shop.marks(&portal), (now_s(), SECRET)).await, StatusCode::OK);
    order_in(&shop.buyer, &order, "voided").await;
    until("the money is let go", || async { (shop.intent(&intent).await["status"] == "canceled").then_some(()) }).await;
    assert_eq!(shop.stripe.done("/capture"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_stripe_loses_are_found_again_and_nothing_is_done_twice() {
    let shop = Shop::evening().await;
    let buy = format!("/ticket/buy/{}", shop.listing.event);
    shop.stripe.lose("/sessions");
    shop.buyer.post_once(&buy, &json!({}), "k").await.problem(502, "provider-unavailable").as_object().unwrap();
    let bought = shop.buyer.post_once(&buy, &json!({}), "k").await.expect(200);
    assert_eq!(shop.stripe.sessions(), 1, "the same key, the same page");
    let (order, portal) = (text(&bought["order_id"]), text(&bought["portal_url"]));
    shop.stripe.lose("/capture");
    let intent = shop.stripe.pay(&portal, GOOD).await;
    // Nobody tells us: the poller finds it.
    order_in(&shop.buyer, &order, "captured").await;
    assert_eq!(shop.stripe.done("/capture"), 1);
    let organizer = Client::session_of(shop.listing.organizer, &shop.server.base, &shop.database).await;
    shop.stripe.lose("/refunds");
    drop(organizer.post(&format!("/order/{order}/refund"), &json!({})).await.expect(202));
    order_in(&shop.buyer, &order, "refunded").await;
    let refunds = shop.stripe.look(&format!("refunds?payment_intent={intent}")).await;
    assert_eq!((&refunds["total_count"], &refunds["data"][0]["amount"]), (&json!(1), &json!(10_000)));
    assert_eq!(shop.database.number("select count(*) from outbox where sent_at is null").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_stripe_are_checked_kept_once_and_may_come_in_any_order() {
    let shop = Shop::evening().await;
    let (order, portal) = shop.buy().await;
    let marks = shop.marks(&portal);
    for (at_s, key) in [(now_s(), "whsec_of_another"), (now_s() - 301, SECRET), (now_s() + 400, SECRET)] {
        assert_eq!(shop.message("evt_forged", &marks, (at_s, key)).await, StatusCode::BAD_REQUEST);
    }
    let foreign = json!({"payment_id": marks["payment_id"], "installation": "another"});
    assert_eq!(shop.message("evt_foreign", &foreign, (now_s(), SECRET)).await, StatusCode::OK);
    assert_eq!(shop.message("evt_none", &json!({}), (now_s(), SECRET)).await, StatusCode::OK);
    assert_eq!(shop.database.number("select count(*) from webhook_inbox").await, 0);
    // Told before anybody paid, twice while they do, and once more when all is done.
    assert_eq!(shop.message("evt_early", &marks, (now_s(), SECRET)).await, StatusCode::OK);
    shop.stripe.pay(&portal, GOOD).await;
    for _ in 0..2 {
        assert_eq!(shop.message("evt_paid", &marks, (now_s(), SECRET)).await, StatusCode::OK);
    }
    let paid = order_in(&shop.buyer, &order, "captured").await;
    assert_eq!(shop.message("evt_late", &marks, (now_s(), SECRET)).await, StatusCode::OK);
    until("each is dealt with once", || async {
        let done = "select count(*) from webhook_inbox where done_at is not null";
        (shop.database.number(done).await == 3).then_some(())
    })
    .await;
    assert_eq!(shop.buyer.get(&format!("/order/{order}")).await.expect(200), paid);
    assert_eq!(shop.stripe.done("/capture"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_that_go_to_pay_pay_at_one_page() {
    let shop = Shop::evening().await;
    let buy = format!("/ticket/buy/{}", shop.listing.event);
    let back = json!({"return_url": "/tickets"});
    let nothing = json!({});
    let (one, other) = tokio::join!(shop.buyer.post_new(&buy, &nothing), shop.buyer.post_new(&buy, &back));
    assert_eq!(one.expect(200)["portal_url"], other.expect(200)["portal_url"]);
    assert_eq!(shop.database.number("select count(*) from payment").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn stripes_books_are_compared_with_ours_both_ways() {
    let shop = Shop::evening().await;
    let (order, portal) = shop.buy().await;
    let intent = shop.stripe.pay(&portal, GOOD).await;
    order_in(&shop.buyer, &order, "captured").await;
    let environment = [
        ("FRONTROW_STRIPE_KEY", "sk_test_site"),
        ("FRONTROW_STRIPE_WEBHOOK_SECRET", SECRET),
        ("FRONTROW_STRIPE_URL", &shop.stripe.base),
    ];
    let reconciled =
        |arguments: &[&str]| reconcile((&shop.database, &shop.server, shop.data.path()), arguments, &environment);
    let (content, nothing) = reconciled(&[]);
    assert_eq!((content, &nothing["payments"], &nothing["named_there"]), (true, &json!(1), &json!(1)), "{nothing}");
    // Given back in Stripe's dashboard, unheard; and a payment of this installation that no table knows, beside one of another's.
    shop.stripe.call("refunds", &[("payment_intent", intent)]).await;
    let mut lost = Vec::new();
    for installation in [shop.marks(&portal)["installation"].as_str().unwrap(), "another"] {
        let intent = [
            ("amount", "700".to_owned()),
            ("currency", "usd".to_owned()),
            ("capture_method", "manual".to_owned()),
            ("confirm", "true".to_owned()),
            ("payment_method", GOOD.to_owned()),
            ("metadata[payment_id]", uuid::Uuid::now_v7().to_string()),
            ("metadata[installation]", installation.to_owned()),
        ];
        lost.push(text(&shop.stripe.call("payment_intents", &intent).await["id"]));
    }
    let (content, found) = reconciled(&["--repair"]);
    let findings = found["findings"].as_array().unwrap();
    let kinds: Vec<_> = findings.iter().map(|finding| finding["kind"].as_str().unwrap()).collect();
    assert_eq!((content, kinds), (true, vec!["refunded-there-not-here", "nobodys-money"]), "{found}");
    order_in(&shop.buyer, &order, "refunded").await;
    assert_eq!(shop.intent(&lost[0]).await["status"], "canceled");
    assert_eq!(shop.intent(&lost[1]).await["status"], "requires_capture", "another's is left alone");
    assert_eq!(reconciled(&[]).1["findings"], json!([]));
}
