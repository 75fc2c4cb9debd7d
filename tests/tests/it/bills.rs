//! What an order comes to, line by line: fees, taxes, codes; the same total for buyer, provider, report and log; kept when terms change.

use crate::browser::walk;
use booking::audit;
use reqwest::Method;
use serde_json::{Value, json};
use tests::catalog::{self, Listing};
use tests::{Answer, Client, Database, Server, until};

struct Evening {
    database: Database,
    server: Server,
    listing: Listing,
    organizer: Client,
    buyer: Client,
}

impl Evening {
    async fn new() -> Self {
        let database = Database::migrated().await;
        let listing = catalog::on_sale(&database, "An evening", 30).await;
        let server = Server::start(&database).await;
        let organizer = Client::session_of(listing.organizer, &server.base, &database).await;
        let buyer = server.buyer().await;
        Self { database, server, listing, organizer, buyer }
    }

    async fn change(&self, change: &Value) -> Answer {
        self.organizer.put(&self.path(), change).await
    }

    fn path(&self) -> String {
        format!("/event/{}", self.listing.event)
    }

    async fn reserve(&self, seats: &[u32], code: Option<&str>) -> Answer {
        let body = json!({"event_id": self.listing.event, "seats": seats, "code": code});
        self.buyer.post_new("/ticket/reserve", &body).await
    }
}

fn sum(lines: &Value) -> i64 {
    lines.as_array().unwrap().iter().map(|line| line["amount"].as_i64().unwrap()).sum()
}

fn charges() -> Value {
    json!([
        {"label": "Service fee", "how": "fee_per_ticket", "amount": 450},
        {"label": "Delivery", "how": "fee_per_order", "amount": 200},
        {"label": "Sales tax", "how": "tax_added", "basis_points": 888},
        {"label": "City levy", "how": "tax_included", "basis_points": 100},
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_add_up_to_what_is_paid_and_stay_when_terms_change() {
    let evening = Evening::new().await;
    let event = evening.change(&json!({"charges": charges()})).await.expect(200);
    // 5,000 + 450 + 200, and 8.88 % of that: 501.72.
    assert_eq!((&event["tiers"][0]["price"], &event["tiers"][0]["all_in"]), (&json!(5_000), &json!(6_152)));
    let held = evening.reserve(&[0, 1], None).await.expect(201);
    let line = |kind, label, quantity, unit: i64| json!({"kind": kind, "label": label, "quantity": quantity, "unit": unit, "amount": unit * quantity});
    let mut levy = line("tax", "City levy", 1, 0);
    levy["included"] = json!(110);
    // 8.88 % of 11,100 is 985.68.
    let lines = json!([
        line("ticket", "Standard", 2, 5_000),
        line("fee", "Service fee", 2, 450),
        line("fee", "Delivery", 1, 200),
        line("tax", "Sales tax", 1, 986),
        levy,
    ]);
    assert_eq!((&held["lines"], &held["total"], &held["seats"][0]["price"]), (&lines, &json!(12_086), &json!(5_000)));
    let changed = json!({"charges": [{"label": "Service fee", "how": "fee_per_ticket", "amount": 99_000}],
        "tiers": [{"tier": 0, "name": "Standard", "price": 9_000}]});
    evening.change(&changed).await.expect(200).as_object().unwrap();

    let bought =
        evening.buyer.post_new(&format!("/ticket/buy/{}", evening.listing.event), &json!({})).await.expect(200);
    assert_eq!(bought["total"], 12_086);
    let portal = evening.buyer.get(bought["portal_url"].as_str().unwrap()).await;
    assert!(portal.text.contains("120.86"), "{}", portal.text);
    let order_path = format!("/order/{}", bought["order_id"].as_str().unwrap());
    let order = evening.buyer.get(&order_path).await.expect(200);
    assert_eq!(
        (&order["lines"], &order["total"], &order["attempts"][0]["amount"]),
        (&lines, &json!(12_086), &json!(12_086))
    );
    let page = evening.buyer.get(&format!("/orders/{}", bought["order_id"].as_str().unwrap())).await;
    assert!(page.text.contains("Service fee × 2") && page.text.contains("City levy (included)"), "{}", page.text);

    let portal = bought["portal_url"].as_str().unwrap();
    let form = evening.buyer.request(Method::POST, portal).header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(form.body("card=4242424242424242").send().await.unwrap().status().as_u16(), 303);
    until("it is paid", async || {
        let order = evening.buyer.get(&order_path).await.expect(200);
        (order["state"] == "captured").then_some(())
    })
    .await;
    assert_eq!(evening.database.number("select amount from sandbox.payment where state = 'captured'").await, 12_086);
    let sales = evening.organizer.get(&format!("{}/sales", evening.path())).await.expect(200);
    assert_eq!((&sales["total"]["gross"], &sales["paid"]["gross"]), (&json!(10_000), &json!(12_086)));
    let csv = evening.organizer.get(&format!("{}/sales.csv", evening.path())).await.text;
    let gross: i64 = csv.lines().skip(1).map(|line| line.rsplit(',').nth(5).unwrap().parse::<i64>().unwrap()).sum();
    assert_eq!(gross, 12_086, "{csv}");
    assert!(csv.contains("\"fee: Service fee\",0,900,0,0,900,0,USD"), "{csv}");
    drop(evening.organizer.post(&format!("{order_path}/refund"), &json!({})).await.expect(202));
    until("the money is back", async || {
        let order = evening.buyer.get(&order_path).await.expect(200);
        (order["state"] == "refunded" && order["attempts"][0]["refunded"] == 12_086).then_some(())
    })
    .await;
    let sales = evening.organizer.get(&format!("{}/sales", evening.path())).await.expect(200);
    assert_eq!(sales["paid"], json!({"gross": 12_086, "refunds": 12_086, "net": 0}));
    audit(&evening.database.pool().await, evening.listing.event).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_takes_off_what_it_says_as_often_as_it_may() {
    let evening = Evening::new().await;
    let share = json!({"charges": [{"label": "Fee", "how": "fee_share", "basis_points": 1_000}]});
    drop(evening.change(&share).await.expect(200));
    let code = |code: &str| format!("{}/code/{code}", evening.path());
    let third = json!({"off_basis_points": 3_333, "uses_max": 1, "tier": 0});
    drop(evening.organizer.put(&code("third"), &third).await.expect(200));
    drop(evening.organizer.put(&code("gift"), &json!({"off_amount": 90_000})).await.expect(200));
    drop(evening.organizer.put(&code("balcony"), &json!({"off_amount": 1, "tier": 7})).await.expect(200));
    let both = json!({"off_amount": 1, "off_basis_points": 1});
    drop(evening.organizer.put(&code("both"), &both).await.problem(422, "invalid"));

    // The lane, awake since the charges changed, hears of codes a moment after they are written; of the last one after the others.
    until("the lane knows the codes", async || {
        let refused = evening.reserve(&[2], Some("balcony")).await;
        (refused.json["reason"] == "other-tier").then_some(())
    })
    .await;
    let held = evening.reserve(&[0, 1], Some("third")).await.expect(201);
    let lines = held["lines"].as_array().unwrap();
    // 33.33 % of 50.00 is 16.67; a tenth of the 33.33 left is 3.33.
    assert_eq!(
        (&lines[1]["kind"], &lines[1]["label"], &lines[1]["unit"]),
        (&json!("discount"), &json!("THIRD"), &json!(-1_667))
    );
    assert_eq!((&lines[2]["unit"], &held["total"]), (&json!(333), &json!(7_332)));
    assert_eq!(sum(&held["lines"]), 7_332);
    assert_eq!(evening.reserve(&[2], Some("third")).await.problem(409, "code-refused")["reason"], "used-up");
    let refused = evening.reserve(&[2], Some("balcony")).await.problem(409, "code-refused");
    assert_eq!((&refused["reason"], &refused["tier"]), (&json!("other-tier"), &json!(7)));
    assert_eq!(evening.reserve(&[2], Some("nothing")).await.problem(409, "code-refused")["reason"], "unknown");
    drop(evening.buyer.delete(&format!("/ticket/reserve/{}", evening.listing.event)).await);
    assert_eq!(evening.reserve(&[2], Some("THIRD")).await.expect(201)["total"], 3_666);

    // Nothing to pay: no fee either, and the tickets are there at once.
    let other = evening.server.buyer().await;
    let ask = json!({"event_id": evening.listing.event, "seats": [5, 6], "code": "gift"});
    let gift = other.post_new("/ticket/reserve", &ask).await.expect(201);
    assert_eq!((&gift["total"], sum(&gift["lines"])), (&json!(0), 0));
    let bought = other.post_new(&format!("/ticket/buy/{}", evening.listing.event), &json!({})).await.expect(200);
    assert_eq!(bought["state"], "captured");
    audit(&evening.database.pool().await, evening.listing.event).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn search_and_pages_show_the_price_with_everything_in() {
    let evening = Evening::new().await;
    drop(evening.change(&json!({"charges": charges()})).await.expect(200));
    let shown = async || {
        let found = evening.buyer.get("/event?q=evening").await.expect(200);
        (found["hits"][0]["price_min"] == 6_152 && found["hits"][0]["price_max"] == 6_152).then_some(())
    };
    until("search shows it", shown).await;
    drop(evening.reserve(&[0], None).await.expect(201));
    assert_eq!(evening.database.number("select price_min from availability").await, 6_152);
    until("search shows it when a seat is taken, too", shown).await;
    let page = evening.buyer.get(&format!("/events/{}", evening.listing.event)).await.text;
    assert!(page.contains("$61.52") && page.contains("with all fees and taxes"), "{page}");
    let terms = evening.organizer.get(&format!("{}/terms", evening.path())).await.expect(200);
    assert_eq!(terms["charges"], charges());
    for wrong in [
        json!([{"label": "x", "how": "fee_share", "amount": 5}]),
        json!([{"label": "x", "how": "fee_per_ticket", "basis_points": 5}]),
        json!([{"label": "x", "how": "tip", "amount": 5}]),
        json!([{"label": "x", "how": "tax_added", "basis_points": 10_001}]),
        json!([{"label": "", "how": "tax_added", "basis_points": 1}]),
        json!([{"label": "x", "how": "fee_per_ticket", "amount": -1}]),
    ] {
        drop(evening.change(&json!({"charges": wrong})).await.problem(422, "invalid"));
    }
    let none = evening.change(&json!({"charges": []})).await.expect(200);
    assert_eq!(none["tiers"][0].get("all_in"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fan_with_a_code_sees_the_bill_and_changes_a_seat_in_a_browser() {
    let evening = Evening::new().await;
    let later = "update event set sale_opens_at = now() + interval '1 day'";
    evening.database.connect().await.execute(later, &[]).await.unwrap();
    let window = json!({"name": "Friends", "opens_at": "2020-01-01T00:00:00Z", "closes_at": "2100-01-01T00:00:00Z"});
    let fee = json!([{"label": "Service fee", "how": "fee_per_ticket", "amount": 450}]);
    drop(evening.change(&json!({"presales": [window], "charges": fee})).await.expect(200));
    drop(evening.organizer.put(&format!("{}/code/friend", evening.path()), &json!({"presale": 0})).await.expect(200));
    until("it is on presale", async || {
        (evening.buyer.get(&evening.path()).await.expect(200)["on_sale"] == "presale").then_some(())
    })
    .await;
    let concert = format!("/events/{}", evening.listing.event);
    let scene = json!({"concert": concert, "token": evening.buyer.token(), "code": "FRIEND"});
    walk("e2e/terms.mjs", &evening.server.base, &scene).await;
    assert_eq!(evening.database.number("select count(*) from ticket where state = 'valid' and seat_no <> 0").await, 1);
    assert_eq!(evening.database.number("select uses::bigint from sale_code").await, 1);
    audit(&evening.database.pool().await, evening.listing.event).await.unwrap();
}
