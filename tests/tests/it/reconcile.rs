//! `frontrow reconcile`: each disagreement made, reported, and put right by those who decide such things.

use crate::payments::{Shop, now_s};
use crate::whole_path::{BAD_CARD, GOOD_CARD, order_in, pay};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::path::Path;
use tests::{Client, Database, Server, until};
use uuid::Uuid;

/// Runs the command beside a running site; gives whether it was content, and what it found.
pub(crate) fn reconcile(
    (database, server, data): (&Database, &Server, &Path),
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> (bool, Value) {
    let mut command = Server::frontrow(&["reconcile", "--json", "--grace-s", "0", "--database-url", &database.url]);
    command.args(["--addr", server.base.trim_start_matches("http://"), "--data"]).arg(data).args(arguments);
    let output = command.envs(environment.iter().copied()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let found = serde_json::from_str(&text);
    (output.status.success(), found.unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr))))
}

impl Shop {
    fn reconciled(&self, arguments: &[&str]) -> (bool, Value) {
        reconcile((&self.database, &self.server, self.server.data().unwrap()), arguments, &[])
    }

    /// One disagreement of this kind, which a walk alone leaves as it is; then it is put right, and all agree.
    fn finds_and_repairs(&self, kind: &str) -> Value {
        let (content, found) = self.reconciled(&[]);
        assert_eq!((content, &found["findings"][0]["kind"]), (false, &json!(kind)), "{found}");
        assert_eq!(
            (found["findings"].as_array().unwrap().len(), &found["findings"][0]["repaired"]),
            (1, &json!(false))
        );
        let (content, repaired) = self.reconciled(&["--repair"]);
        assert_eq!((content, &repaired["findings"][0]["kind"]), (true, &json!(kind)), "{repaired}");
        assert_eq!(repaired["findings"][0]["repaired"], true, "{repaired}");
        let (content, nothing) = self.reconciled(&[]);
        assert_eq!((content, &nothing["findings"]), (true, &json!([])));
        found["findings"][0].clone()
    }

    async fn there(&self, state: &str) {
        let sql = format!("update sandbox.payment set state = '{state}', reason = null");
        self.database.connect().await.batch_execute(&sql).await.unwrap();
    }

    async fn state_there(&self, state: &str) -> bool {
        let sql = format!("select count(*) from sandbox.payment where state <> '{state}'");
        self.database.number(&sql).await == 0
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_one_side_knows_is_found_and_put_right() {
    let shop = Shop::open().await;
    let bought = shop.buy().await;
    let (order, portal) = (bought["order_id"].as_str().unwrap(), bought["portal_url"].as_str().unwrap());
    assert_eq!(pay(&shop.buyer, portal, BAD_CARD).await, StatusCode::SEE_OTHER);
    shop.attempt(order, 0, "declined").await;
    let (content, nothing) = shop.reconciled(&[]);
    assert_eq!((content, &nothing["payments"], &nothing["named_there"]), (true, &json!(1), &json!(1)));

    // A decline that was none, and whose message never came.
    shop.there("captured").await;
    let found = shop.finds_and_repairs("captured-there-not-here");
    assert_eq!(
        (&found["here"], &found["there"], &found["order_id"]),
        (&json!("declined"), &json!("captured"), &json!(order))
    );
    order_in(&shop.buyer, order, "captured").await;

    // A capture that we believe and that never happened.
    shop.there("authorized").await;
    assert_eq!(shop.finds_and_repairs("capture-missing")["here"], "captured");
    assert!(shop.state_there("captured").await);

    // Another amount is a person's to look at.
    let client = shop.database.connect().await;
    client.batch_execute("update sandbox.payment set amount = amount - 1").await.unwrap();
    let (content, found) = shop.reconciled(&["--repair"]);
    assert_eq!((content, &found["findings"][0]["kind"]), (false, &json!("other-amount")), "{found}");
    client.batch_execute("update sandbox.payment set amount = amount + 1").await.unwrap();

    // Money back that never went.
    let organizer = client.query_one("select organizer_id from event", &[]).await.unwrap().get(0);
    let organizer = Client::session_of(model::UserId(organizer), &shop.server.base, &shop.database).await;
    drop(organizer.post(&format!("/order/{order}/refund"), &json!({})).await.expect(202));
    order_in(&shop.buyer, order, "refunded").await;
    shop.there("captured").await;
    shop.finds_and_repairs("refund-missing");
    assert!(shop.state_there("refunded").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_outbox_gave_up_is_asked_for_again() {
    let shop = Shop::open().await;
    let order = shop.buy().await["order_id"].as_str().unwrap().to_owned();
    let open = shop.buyer.get(&format!("/order/{order}")).await.expect(200);
    // Told that the money is reserved, we sell the seats; the provider's books do not have it, and the capture is refused.
    let told = (open["attempts"][0]["provider_ref"].as_str().unwrap(), "authorized");
    assert_eq!(shop.message("early", told, now_s()).await, StatusCode::OK);
    until("the capture is given up", || async {
        let dead = "select count(*) from outbox where dead_at is not null and failure like '%409%'";
        (shop.database.number(dead).await == 1).then_some(())
    })
    .await;
    let (content, found) = shop.reconciled(&["--repair"]);
    let finding = &found["findings"][0];
    assert_eq!(
        (content, &finding["kind"], &finding["given_up"]),
        (false, &json!("captured-here-not-there"), &json!(true))
    );
    shop.there("authorized").await;
    let found = shop.finds_and_repairs("capture-missing");
    assert!(found["failure"].as_str().unwrap().contains("409"), "{found}");
    order_in(&shop.buyer, &order, "captured").await;
    assert_eq!(shop.database.number("select count(*) from outbox where sent_at is null").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn seats_sold_for_money_that_is_not_there_go_back_on_sale() {
    let shop = Shop::open().await;
    let bought = shop.buy().await;
    let order = bought["order_id"].as_str().unwrap();
    assert_eq!(pay(&shop.buyer, bought["portal_url"].as_str().unwrap(), GOOD_CARD).await, StatusCode::SEE_OTHER);
    order_in(&shop.buyer, order, "captured").await;
    shop.there("voided").await;
    shop.finds_and_repairs("captured-here-not-there");
    assert_eq!(shop.buyer.get(&format!("/order/{order}")).await.expect(200)["state"], "refunded");
    assert_eq!(shop.database.number("select count(*) from claim").await, 0);
    // A payment that its provider has forgotten altogether is nobody's to mend.
    let other = shop.server.buyer().await;
    let body = json!({"event_id": shop.event, "seats": [7]});
    drop(other.post_new("/ticket/reserve", &body).await.expect(201));
    let bought = other.post_new(&format!("/ticket/buy/{}", shop.event), &json!({})).await.expect(200);
    assert_eq!(pay(&other, bought["portal_url"].as_str().unwrap(), GOOD_CARD).await, StatusCode::SEE_OTHER);
    order_in(&other, bought["order_id"].as_str().unwrap(), "captured").await;
    let client = shop.database.connect().await;
    client.batch_execute("delete from sandbox.payment where state = 'captured'").await.unwrap();
    let (content, found) = shop.reconciled(&["--repair"]);
    assert_eq!((content, &found["findings"][0]["kind"]), (false, &json!("captured-here-not-there")), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn money_there_of_no_payment_here_goes_back() {
    let shop = Shop::open().await;
    let client = shop.database.connect().await;
    for state in ["authorized", "captured"] {
        let sql = format!(
            "insert into sandbox.payment (ref, idempotency_key, amount, currency, description, return_url, webhook_url, state)
            values ('pay_{state}', '{}', 500, 'USD', 'Lost', 'http://x', 'http://x', '{state}')",
            Uuid::now_v7()
        );
        client.batch_execute(&sql).await.unwrap();
    }
    let (content, found) = shop.reconciled(&[]);
    let kinds: Vec<_> = found["findings"].as_array().unwrap().iter().map(|finding| &finding["kind"]).collect();
    assert_eq!((content, kinds), (false, vec![&json!("nobodys-money"); 2]));
    let (content, repaired) = shop.reconciled(&["--repair"]);
    assert!(content, "{repaired}");
    let let_go = "select count(*) from sandbox.payment where (ref, state) in (('pay_authorized', 'voided'), ('pay_captured', 'refunded'))";
    assert_eq!(shop.database.number(let_go).await, 2);
    assert_eq!(shop.reconciled(&[]).1["findings"], json!([]));
}
