//! Accounts over HTTP, and who may call what: every operation of the API's description stands in one list here.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tests::{Client, Database, Server};
use uuid::Uuid;

const PASSWORD: &str = "correct horse battery staple";

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Anyone,
    SignedIn,
    Organizer,
    Admin,
}

const OPERATIONS: [(&str, &str, Who); 74] = [
    ("POST", "/user", Who::Anyone),
    ("GET", "/user", Who::SignedIn),
    ("PUT", "/user", Who::SignedIn),
    ("POST", "/login", Who::Anyone),
    ("POST", "/logout", Who::SignedIn),
    ("GET", "/event", Who::Anyone),
    ("GET", "/event/suggest", Who::Anyone),
    ("GET", "/event/{event_id}", Who::Anyone),
    ("GET", "/event/{event_id}/seats", Who::Anyone),
    ("GET", "/event/{event_id}/seats/stream", Who::Anyone),
    ("GET", "/layout/{hash}", Who::Anyone),
    ("POST", "/event", Who::Organizer),
    ("PUT", "/event", Who::Organizer),
    ("PUT", "/event/{event_id}", Who::Organizer),
    ("DELETE", "/event/{event_id}", Who::Organizer),
    ("POST", "/venue", Who::Organizer),
    ("PUT", "/venue/{venue_id}", Who::Organizer),
    ("POST", "/artist", Who::Organizer),
    ("PUT", "/artist/{artist_id}", Who::Organizer),
    ("POST", "/layout", Who::Organizer),
    ("GET", "/event/{event_id}/terms", Who::Organizer),
    ("PUT", "/event/{event_id}/code/{code}", Who::Organizer),
    ("DELETE", "/event/{event_id}/code/{code}", Who::Organizer),
    ("POST", "/event/{event_id}/code", Who::Organizer),
    ("POST", "/group", Who::Organizer),
    ("GET", "/group", Who::Organizer),
    ("DELETE", "/group/{group_id}", Who::Organizer),
    ("GET", "/group/{group_id}/member", Who::Organizer),
    ("POST", "/group/{group_id}/member", Who::Organizer),
    ("DELETE", "/group/{group_id}/member/{user_id}", Who::Organizer),
    ("GET", "/synonym", Who::Admin),
    ("PUT", "/synonym", Who::Admin),
    ("DELETE", "/synonym/{term}", Who::Admin),
    ("POST", "/event/{event_id}/waiting", Who::SignedIn),
    ("GET", "/event/{event_id}/waiting", Who::SignedIn),
    ("DELETE", "/event/{event_id}/waiting", Who::SignedIn),
    ("POST", "/ticket/reserve", Who::SignedIn),
    ("GET", "/ticket/reserve/{event_id}", Who::SignedIn),
    ("DELETE", "/ticket/reserve/{event_id}", Who::SignedIn),
    ("POST", "/ticket/reserve/{event_id}/extend", Who::SignedIn),
    ("POST", "/ticket/buy/{event_id}", Who::SignedIn),
    ("GET", "/order/{order_id}", Who::SignedIn),
    ("POST", "/order/{order_id}/refund", Who::SignedIn),
    ("POST", "/order/{order_id}/exchange", Who::SignedIn),
    ("POST", "/ticket/{ticket_id}/transfer", Who::SignedIn),
    ("POST", "/checkin", Who::SignedIn),
    ("GET", "/checkin/key", Who::Anyone),
    ("GET", "/event/{event_id}/door", Who::SignedIn),
    ("POST", "/upload", Who::SignedIn),
    ("PUT", "/upload/{image_id}", Who::SignedIn),
    ("DELETE", "/upload/{image_id}", Who::SignedIn),
    ("GET", "/image/{content}/{file}", Who::Anyone),
    ("GET", "/event/{event_id}/sales", Who::SignedIn),
    ("GET", "/event/{event_id}/sales.csv", Who::SignedIn),
    ("GET", "/ticket", Who::SignedIn),
    ("GET", "/ticket/{event_id}", Who::SignedIn),
    ("GET", "/ticket/{ticket_id}/qr.svg", Who::SignedIn),
    ("GET", "/ticket/{ticket_id}/event.ics", Who::SignedIn),
    ("GET", "/ticket/{ticket_id}/ticket.pdf", Who::SignedIn),
    ("POST", "/saved-search", Who::SignedIn),
    ("GET", "/saved-search", Who::SignedIn),
    ("PUT", "/saved-search/{search_id}", Who::SignedIn),
    ("DELETE", "/saved-search/{search_id}", Who::SignedIn),
    ("GET", "/notification", Who::SignedIn),
    ("GET", "/notification/unread", Who::SignedIn),
    ("POST", "/notification/read", Who::SignedIn),
    ("POST", "/payment/webhook/{provider}", Who::Anyone),
    ("GET", "/healthz", Who::Anyone),
    ("GET", "/readyz", Who::Anyone),
    ("GET", "/metrics", Who::Anyone),
    ("GET", "/sandbox/v1/payments", Who::SignedIn),
    ("POST", "/sandbox/v1/payments", Who::SignedIn),
    ("GET", "/sandbox/v1/payments/{ref}", Who::SignedIn),
    ("POST", "/sandbox/v1/payments/{ref}/{act}", Who::SignedIn),
];

fn path(template: &str) -> String {
    let hash = "0".repeat(64);
    let filled = template.split('/').map(|part| match part {
        "{hash}" => hash.clone(),
        "{provider}" => "sandbox".to_owned(),
        part if part.starts_with('{') => Uuid::now_v7().to_string(),
        part => part.to_owned(),
    });
    filled.collect::<Vec<_>>().join("/")
}

async fn call(client: &Client, method: &str, template: &str) -> StatusCode {
    let method: Method = method.parse().unwrap();
    let request = client.request(method, &path(template)).header("idempotency-key", "k");
    request.json(&json!({})).send().await.unwrap().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_asks_for_who_may_call_it() {
    let database = Database::migrated().await;
    let server = Server::start(&database).await;
    let (nobody, attendee) = (server.visitor(), server.buyer().await);
    let api = nobody.get("/openapi.json").await.expect(200);
    let mut listed: BTreeMap<(String, String), Who> =
        OPERATIONS.iter().map(|(method, path, who)| (((*method).to_owned(), (*path).to_owned()), *who)).collect();
    for (path, methods) in api["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let operation = (method.to_uppercase(), path.clone());
            let who = listed.remove(&operation).unwrap_or_else(|| panic!("{operation:?}: who may call it?"));
            let described = methods[method].get("security").is_some();
            assert_eq!(described, who != Who::Anyone, "{operation:?} as described");
        }
    }
    assert!(listed.keys().all(|(_, path)| path.starts_with("/sandbox/")), "described no more: {listed:?}");
    for (method, path, who) in OPERATIONS {
        let status = call(&nobody, method, path).await;
        assert!(!status.is_server_error(), "{method} {path}: {status}");
        let refused = matches!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(refused, who != Who::Anyone && path != "/login", "{method} {path} by nobody: {status}");
        if matches!(who, Who::Organizer | Who::Admin) {
            assert_eq!(call(&attendee, method, path).await, StatusCode::FORBIDDEN, "{method} {path} by an attendee");
        }
    }
    assert_eq!(database.number("select count(*) from venue").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_changed_and_left() {
    let database = Database::migrated().await;
    let server = Server::start(&database).await;
    let visitor = server.visitor();
    let user = json!({"email": "Ann@Example.test", "password": PASSWORD, "name": " Ann "});
    let made = visitor.post("/user", &user).await.expect(201);
    assert_eq!(
        (&made["email"], &made["name"], &made["role"]),
        (&json!("ann@example.test"), &json!("Ann"), &json!("attendee"))
    );
    visitor.post("/user", &user).await.problem(409, "email-taken").as_object().unwrap();
    let (one, other) =
        (visitor.logged_in("ann@example.test", PASSWORD).await, visitor.logged_in("ANN@example.test", PASSWORD).await);

    let wrong = json!({"password": "another good password", "current_password": "not it"});
    one.put("/user", &wrong).await.problem(403, "wrong-password").as_object().unwrap();
    let right = json!({"password": "another good password", "current_password": PASSWORD, "name": "Anna"});
    assert_eq!(one.put("/user", &right).await.expect(200)["name"], "Anna");
    other.get("/user").await.problem(401, "no-session").as_object().unwrap();
    assert_eq!(one.get("/user").await.expect(200)["name"], "Anna");
    drop(one.post("/logout", &json!(null)).await.expect(204));
    one.get("/user").await.problem(401, "no-session").as_object().unwrap();
    assert_eq!(database.number("select count(*) from session").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_email_and_a_wrong_password_are_one_answer() {
    let database = Database::migrated().await;
    let server = Server::start(&database).await;
    let visitor = server.visitor();
    let user = json!({"email": "ann@example.test", "password": PASSWORD, "name": "Ann"});
    visitor.post("/user", &user).await.expect(201).as_object().unwrap();
    let wrong = json!({"email": "ann@example.test", "password": "not the password"});
    let unknown = json!({"email": "bob@example.test", "password": "not the password"});
    let wrong = visitor.post("/login", &wrong).await.problem(401, "bad-credentials");
    let unknown = visitor.post("/login", &unknown).await.problem(401, "bad-credentials");
    assert_eq!(wrong, unknown);
    assert_eq!(database.number("select count(*) from session").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_from_another_site_changes_nothing() {
    let database = Database::migrated().await;
    let server = Server::start(&database).await;
    let visitor = server.visitor();
    let user = json!({"email": "ann@example.test", "password": PASSWORD, "name": "Ann"});
    visitor.post("/user", &user).await.expect(201).as_object().unwrap();
    let credentials = json!({"email": "ann@example.test", "password": PASSWORD});
    let session = visitor.post("/login", &credentials).await;
    let cookie = session.headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("session=") && cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    let rename = |site: &'static str| {
        let request = visitor.request(Method::PUT, "/user").header("sec-fetch-site", site);
        let body: Value = json!({"name": "Mallory"});
        async move { request.json(&body).send().await.unwrap().status() }
    };
    assert_eq!(rename("cross-site").await, StatusCode::FORBIDDEN);
    assert_eq!(database.number("select count(*) from account where name = 'Mallory'").await, 0);
    assert_eq!(rename("same-origin").await, StatusCode::OK);
}
