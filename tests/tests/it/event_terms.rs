//! An organizer changes an event while it sells: nothing deadlocks, nothing is refused for it, and what makes no sense is said.

use futures::future::join_all;
use serde_json::{Value, json};
use tests::catalog::{self, Listing};
use tests::{Client, Database, Server, until};

async fn organizer(server: &Server, database: &Database, listing: &Listing) -> Client {
    Client::session_of(listing.organizer, &server.base, database).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_an_event_waits_for_its_lane_before_it_locks_the_event() {
    let database = Database::migrated().await;
    let listing = catalog::on_sale(&database, "An evening", 10).await;
    let server = Server::start(&database).await;
    let organizer = organizer(&server, &database, &listing).await;
    let path = format!("/event/{}", listing.event);
    let held = organizer.post_new("/ticket/reserve", &json!({"event_id": listing.event, "seats": [0]})).await;
    held.expect(201).as_object().unwrap();
    for change in [json!({"title": "Another evening"}), json!({"status": "cancelled"})] {
        // As a batch does it: the lane first, the event when it claims a seat.
        let mut batch = database.connect().await;
        let batch = batch.transaction().await.unwrap();
        batch.execute("update lane set owner = owner", &[]).await.unwrap();
        let changed = async {
            if change["status"] == "cancelled" {
                organizer.delete(&path).await
            } else {
                organizer.put(&path, &change).await
            }
        };
        let claimed = async {
            let waits =
                "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
            until("the change waits", async || (database.number(waits).await > 0).then_some(())).await;
            batch.query("select from event for key share", &[]).await.unwrap();
            batch.commit().await.unwrap();
        };
        let (changed, ()) = futures::join!(changed, claimed);
        changed.expect(200).as_object().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_amid_a_sale_cost_nobody_a_seat() {
    let database = Database::migrated().await;
    let mut listing = Listing::new("An evening", 400);
    listing.buyer_limit = 400;
    listing.insert(&database).await;
    let server = Server::start(&database).await;
    let organizer = organizer(&server, &database, &listing).await;
    let buyer = server.buyer().await;
    let path = format!("/event/{}", listing.event);
    for round in 0..20_u32 {
        let asks = (0..20).map(|n| {
            let body = json!({"event_id": listing.event, "seats": [round * 20 + n]});
            let buyer = &buyer;
            async move { buyer.post_new("/ticket/reserve", &body).await.expect(201) }
        });
        let tiers = json!([{"tier": 0, "name": "Standard", "price": 5_000 + round % 2}]);
        let change = json!({"title": format!("An evening, change {round}"), "tiers": tiers});
        let (_, changed) = futures::join!(join_all(asks), organizer.put(&path, &change));
        changed.expect(200).as_object().unwrap();
    }
    assert_eq!(database.number("select count(*) from claim").await, 400);
    assert_eq!(database.number("select seats_left::bigint from availability").await, 0);
    assert_eq!(database.number("select deadlocks from pg_stat_database where datname = current_database()").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tier_that_is_none_of_the_plan_is_refused_by_name() {
    let database = Database::migrated().await;
    let listing = catalog::on_sale(&database, "An evening", 10).await;
    let server = Server::start(&database).await;
    let organizer = organizer(&server, &database, &listing).await;
    let mut plan = catalog::plan(10);
    plan.tiers.push("Nobody sits here".into());
    let layout = organizer.post("/layout", &serde_json::to_value(&plan).unwrap()).await.expect(201);
    let path = format!("/event/{}", listing.event);
    for (tier, message) in [(1, "is the tier of no seat on the plan"), (2, "is below 2"), (40_000, "is below 2")] {
        let tiers = json!([{"tier": 0, "name": "A", "price": 1}, {"tier": tier, "name": "B", "price": 1}]);
        let body = json!({"layout_hash": layout["layout_hash"], "tiers": tiers});
        let problem = organizer.put(&path, &body).await.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], "tiers[1].tier", "{problem}");
        assert!(problem["errors"][0]["message"].as_str().unwrap().starts_with(message), "{problem}");
    }
    let tiers = json!([{"tier": 70_000, "name": "A", "price": 1}]);
    organizer.put(&path, &json!({"tiers": tiers})).await.problem(422, "invalid").as_object().unwrap();
    assert_eq!(database.number("select count(*) from event_tier where tier = 0 and price = 5000").await, 1);
    plan.tiers = (0..=model::TIERS_MAX).map(|n| n.to_string()).collect();
    let problem = organizer.post("/layout", &serde_json::to_value(&plan).unwrap()).await.problem(422, "invalid");
    assert!(problem["errors"][0]["message"].as_str().unwrap().contains("at most 256 tiers"), "{problem}");
    assert_eq!(database.number("select count(*) from layout").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_counts_per_event_and_for_one_request() {
    let database = Database::migrated().await;
    let (one, other) =
        (catalog::on_sale(&database, "One", 10).await.event, catalog::on_sale(&database, "Other", 10).await.event);
    let server = Server::start(&database).await;
    let buyer = server.buyer().await;
    let seats = |event, seats: Value| json!({"event_id": event, "seats": seats});
    let first = buyer.post_once("/ticket/reserve", &seats(one, json!([0])), "k").await.expect(201);
    assert_eq!(buyer.post_once("/ticket/reserve", &seats(one, json!([0])), "k").await.expect(201), first);
    let reused = |answer: tests::Answer| answer.problem(422, "key-reused").as_object().unwrap().len();
    reused(buyer.post_once("/ticket/reserve", &seats(one, json!([1])), "k").await);
    reused(buyer.post_once(&format!("/ticket/buy/{one}"), &json!({}), "k").await);
    buyer.post_once("/ticket/reserve", &seats(other, json!([1])), "k").await.expect(201).as_object().unwrap();
    let bought = buyer.post_once(&format!("/ticket/buy/{one}"), &json!({}), "buy").await.expect(200);
    assert_eq!(buyer.post_once(&format!("/ticket/buy/{one}"), &json!({}), "buy").await.expect(200), bought);
    reused(buyer.post_once(&format!("/ticket/buy/{one}"), &json!({"return_url": "/orders"}), "buy").await);
    reused(buyer.post_once("/ticket/reserve", &seats(one, json!([2])), "buy").await);
    buyer.post_once(&format!("/ticket/buy/{other}"), &json!({}), "buy").await.expect(200).as_object().unwrap();
    assert_eq!(database.number("select count(*) from hold").await, 2);
    assert_eq!(database.number("select count(*) from orders").await, 2);
}
