//! Rate limits: who asks too much is told when to come again, before anything of the request is read, and nobody else notices.

use reqwest::Method;
use serde_json::json;
use std::process::Command;
use tempfile::TempDir;
use tests::{Answer, Client, Database, Process, Server, binary, catalog};

async fn limited(limits: &str, proxies: &str) -> (Database, TempDir, Server) {
    let (database, data) = (Database::migrated().await, TempDir::new().unwrap());
    let server = Server::start_on(&database, data.path(), |command| {
        command.env("FRONTROW_LIMITS", limits);
        if !proxies.is_empty() {
            command.env("FRONTROW_TRUSTED_PROXIES", proxies);
        }
    })
    .await;
    (database, data, server)
}

#[track_caller]
fn refused(answer: Answer, limit: &str) {
    let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
    let wait: u32 = header("retry-after").parse().unwrap();
    assert!((1..=120).contains(&wait), "{wait}");
    assert!(header("ratelimit-policy").starts_with(&format!("\"{limit}\";q=")), "{:?}", answer.headers);
    assert_eq!(header("ratelimit"), format!("\"{limit}\";r=0;t={wait}"));
    assert_eq!(header("cache-control"), "no-store");
    answer.problem(429, "rate-limited").as_object().unwrap();
}

/// A search by way of a proxy that says whom it asks for.
async fn search_for(visitor: &Client, forwarded_for: &str) -> u16 {
    let request = visitor.request(Method::GET, "/event").header("x-forwarded-for", forwarded_for);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_reads_too_much_is_told_when_to_come_again() {
    let (_database, _data, server) = limited("search=5/60s", "").await;
    let visitor = server.visitor();
    for _ in 0..5 {
        drop(visitor.get("/event").await.expect(200));
    }
    refused(visitor.get("/event?q=again").await, "search");
    assert_eq!(search_for(&visitor, "203.0.113.9").await, 429, "nobody is believed who is not trusted");
    assert_eq!(visitor.get("/").await.status, 429);
    assert_eq!(visitor.get("/healthz").await.status, 200);
    let figures = visitor.get("/metrics").await.text;
    assert!(figures.contains("rate_limited_total{limit=\"search\"} 3"), "{figures}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_a_trusted_proxy_are_counted_each() {
    let (_database, _data, server) = limited("search=2/60s", "127.0.0.1, 10.0.0.0/8").await;
    let visitor = server.visitor();
    for (forwarded_for, status) in [
        ("203.0.113.9", 200),
        ("198.51.100.1, 203.0.113.9", 200),
        // What a client claims of itself stands before what the proxy saw.
        ("198.51.100.2, 203.0.113.9, 10.0.0.7", 429),
        ("203.0.113.10", 200),
    ] {
        assert_eq!(search_for(&visitor, forwarded_for).await, status, "{forwarded_for}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_writes_too_much_is_refused_before_its_body_is_read() {
    let (database, _data, server) = limited("account=3/60s,sign-in=off", "").await;
    let listing = catalog::on_sale(&database, "An evening", 10).await;
    let (eager, calm) = (server.buyer().await, server.buyer().await);
    let seat = |seat: u32| json!({"event_id": listing.event, "seats": [seat]});
    for number in 0..3 {
        drop(eager.post_new("/ticket/reserve", &seat(number)).await.expect(201));
    }
    refused(eager.post_new("/ticket/reserve", &seat(3)).await, "account");
    refused(eager.post_new("/ticket/reserve", &json!({"nonsense": true})).await, "account");
    refused(eager.delete(&format!("/ticket/reserve/{}", listing.event)).await, "account");
    assert_eq!(database.number("select count(*) from claim").await, 3);
    let holds = eager.get(&format!("/ticket/reserve/{}", listing.event)).await.expect(200);
    assert_eq!(holds["reservations"].as_array().unwrap().len(), 3, "reading goes on");
    drop(calm.post_new("/ticket/reserve", &seat(3)).await.expect(201));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_writes_too_much_is_refused_whoever_it_says_it_is() {
    let (database, _data, server) = limited("address=2/60s,sign-in=1/60s", "").await;
    let visitor = server.visitor();
    let wrong = json!({"email": "a@example.test", "password": "not the password"});
    visitor.post("/login", &wrong).await.problem(401, "bad-credentials").as_object().unwrap();
    refused(visitor.post("/login", &wrong).await, "sign-in");
    let user = json!({"email": "a@example.test", "password": "correct horse battery", "name": "A"});
    refused(visitor.post("/user", &user).await, "address");
    assert_eq!(database.number("select count(*) from account").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_none_is_said_so() {
    let (database, data) = (Database::migrated().await, TempDir::new().unwrap());
    for (name, value) in [("FRONTROW_LIMITS", "search=lots"), ("FRONTROW_TRUSTED_PROXIES", "localhost")] {
        let mut command = Command::new(binary("frontrow"));
        command.args(["serve", "--addr=127.0.0.1:0", "--database-url", &database.url, "--data"]).arg(data.path());
        let mut process = Process::spawn(command.env(name, value));
        assert!(!process.end().await.success());
        assert!(process.output().contains(&format!("{name} is \"{value}\"; accepted is")), "{}", process.output());
    }
}
