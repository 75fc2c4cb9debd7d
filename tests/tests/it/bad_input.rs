//! Malformed requests: each is a problem that says what to change, none is a 5xx, and none changes the database.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Client, Database, Server, catalog};
use uuid::Uuid;

async fn raw(client: &Client, method: Method, path: &str, body: Vec<u8>) -> (u16, Value) {
    let request = client.request(method, path).header("content-type", "application/json");
    let response = request.header("idempotency-key", "k").body(body).send().await.unwrap();
    let status = response.status().as_u16();
    assert!(status < 500, "{path}: {status}");
    assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}: {status}");
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_request_are_refused() {
    let database = Database::migrated().await;
    let listing = catalog::on_sale(&database, "An evening", 10).await;
    let server = Server::start(&database).await;
    let buyer = server.buyer().await;
    let tower = [b"[".repeat(50_000), b"]".repeat(50_000)].concat();
    let huge = format!("{{\"email\":\"{}\"}}", "a".repeat(1 << 20)).into_bytes();
    let bodies: [(&str, Vec<u8>, u16); 10] = [
        ("nothing", Vec::new(), 400),
        ("no JSON", b"{".to_vec(), 400),
        ("bad UTF-8", b"{\"email\":\"\xff\"}".to_vec(), 400),
        ("deep nesting", tower, 400),
        ("oversize", huge, 413),
        ("a list of the fields' values", br#"["a@b.co","0123456789","A"]"#.to_vec(), 422),
        ("an unknown field", br#"{"email":"a@b.co","password":"0123456789","name":"A","admin":true}"#.to_vec(), 422),
        ("another type", b"[]".to_vec(), 422),
        ("U+0000", br#"{"email":"a@b.co","password":"0123456789","name":"A\u0000"}"#.to_vec(), 400),
        ("a number beyond all", br#"{"email":1e999,"password":"0123456789","name":"A"}"#.to_vec(), 400),
    ];
    for (what, body, status) in bodies {
        assert_eq!(raw(&buyer, Method::POST, "/user", body).await.0, status, "{what}");
    }
    let event = listing.event;
    let reservations = [
        json!({"event_id": "not-an-id", "seats": [0]}),
        json!({"event_id": event}),
        json!({"event_id": event, "seats": []}),
        json!({"event_id": event, "seats": [-1]}),
        json!({"event_id": event, "seats": [0, 0]}),
        json!({"event_id": event, "seats": [4_000_000_000_u64]}),
        json!({"event_id": event, "seats": [99]}),
        json!({"event_id": event, "seats": [0], "best_available": {"quantity": 1}}),
        json!({"event_id": event, "best_available": {"quantity": 0}}),
        json!({"event_id": event, "best_available": {"quantity": 4_000_000_000_u32}}),
        json!({"event_id": Uuid::now_v7(), "seats": [0]}),
    ];
    for body in reservations {
        let (status, problem) = raw(&buyer, Method::POST, "/ticket/reserve", body.to_string().into_bytes()).await;
        assert!(matches!(status, 400 | 404 | 409 | 422), "{body}: {problem}");
    }
    let keyless = buyer.post("/ticket/reserve", &json!({"event_id": event, "seats": [0]})).await;
    keyless.problem(400, "no-idempotency-key").as_object().unwrap();
    let astray = json!({"return_url": "https://evil.test/"});
    buyer.post_new(&format!("/ticket/buy/{event}"), &astray).await.problem(422, "invalid").as_object().unwrap();
    assert_eq!(database.number("select (select count(*) from hold) + (select count(*) from orders)").await, 0);
    assert_eq!(database.number("select count(*) from account").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_and_parameters_that_are_none_are_refused() {
    let database = Database::migrated().await;
    let server = Server::start(&database).await;
    let visitor = server.visitor();
    visitor.get("/nothing/here").await.problem(404, "no-such-path").as_object().unwrap();
    visitor.get("/event/not-an-id").await.problem(400, "bad-id").as_object().unwrap();
    visitor.get("/event/%FF%FE").await.problem(400, "bad-id").as_object().unwrap();
    visitor.get(&format!("/event/{}", Uuid::now_v7())).await.problem(404, "no-such-event").as_object().unwrap();
    visitor.get(&format!("/event/{}/seats", Uuid::now_v7())).await.problem(404, "no-such-event").as_object().unwrap();
    visitor.get("/layout/%00").await.problem(404, "no-such-path").as_object().unwrap();
    visitor.get("/layout/abc").await.problem(404, "no-such-layout").as_object().unwrap();
    visitor.delete("/event").await.problem(405, "wrong-method").as_object().unwrap();
    let queries = [
        "colour=red",
        "limit=0",
        "limit=101",
        "sort=up",
        "from=yesterday",
        "price_min=-1e99",
        "min_lsn=x",
        "cursor=nonsense",
    ];
    for query in queries {
        let problem = visitor.get(&format!("/event?{query}")).await.problem(400, "bad-parameter");
        assert_eq!(problem["parameter"], query.split('=').next().unwrap());
        assert!(problem["accepted"].is_string(), "{problem}");
    }
    visitor.get("/event/suggest?city=x").await.problem(400, "bad-parameter").as_object().unwrap();
    for (query, parameter) in [("utm_source=mail", "utm_source"), ("min_lsn=x", "min_lsn"), ("q=a", "q")] {
        let path = format!("/event/{}?{query}", Uuid::now_v7());
        assert_eq!(visitor.get(&path).await.problem(400, "bad-parameter")["parameter"], parameter);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_position_that_does_not_exist_yet_is_refused_and_not_waited_for() {
    let database = Database::migrated().await;
    let listing = catalog::on_sale(&database, "An evening", 10).await;
    let server = Server::start(&database).await;
    let visitor = server.visitor();
    let lsn = database.lsn().await;
    drop(visitor.get(&format!("/event/{}?min_lsn={lsn}", listing.event)).await.expect(200));
    for path in ["/event?min_lsn=FFFFFFFF/FFFFFFFF".to_owned(), format!("/event/{}?min_lsn=FFFF/0", listing.event)] {
        let problem = visitor.get(&path).await.problem(400, "bad-parameter");
        assert_eq!(problem["parameter"], "min_lsn");
        assert!(problem["accepted"].as_str().unwrap().starts_with("a log position up to "), "{problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_not_the_providers_is_not_stored() {
    let database = Database::migrated().await;
    let server = Server::start(&database).await;
    let visitor = server.visitor();
    let message = json!({"id": "evt_1", "ref": "pay_1", "state": "authorized"});
    visitor.post("/payment/webhook/sandbox", &message).await.problem(400, "bad-signature").as_object().unwrap();
    visitor.post("/payment/webhook/nobody", &message).await.problem(404, "no-such-provider").as_object().unwrap();
    assert_eq!(database.number("select count(*) from webhook_inbox").await, 0);
}
