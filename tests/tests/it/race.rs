//! Two hundred buyers over HTTP race for fifty seats: exactly fifty tickets, none twice, and nobody pays for nothing.
//!
//! Every buyer goes the whole way: reserve (a named seat that others want too, then the best there is), buy, pay in the portal.

use futures::future::join_all;
use model::{EventId, UserId};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use tests::catalog::Listing;
use tests::{Client, Database, Server, until};

const BUYERS: usize = 200;
const SEATS: u32 = 50;

/// A buyer with a session of their own; made by SQL, since two hundred password hashes are not what races.
struct Buyer {
    client: Client,
    bearer: String,
}

impl Buyer {
    async fn post(&self, path: &str, body: &Value, key: &str) -> (StatusCode, Value) {
        let request = self.client.request(Method::POST, path).bearer_auth(&self.bearer).header("Idempotency-Key", key);
        let answer = request.json(body).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// Pays at the portal with a good card.
    async fn pay(&self, portal: &str) {
        let request = self.client.request(Method::POST, portal).bearer_auth(&self.bearer);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let paid = request.body("card=4242+4242+4242+4242").send().await.unwrap();
        assert_eq!(paid.status(), StatusCode::SEE_OTHER);
    }
}

async fn buyers(database: &Database, server: &Server) -> Vec<Buyer> {
    let client = database.connect().await;
    let account = "insert into account (user_id, email, name, password_hash) values ($1, $2, 'Buyer', '!')";
    let session = "insert into session (token_hash, user_id, expires_at) values ($1, $2, now() + interval '1 hour')";
    let mut buyers = Vec::new();
    for number in 0..BUYERS {
        let (user, bearer) = (UserId::new(), format!("racing-buyer-{number:04}"));
        client.execute(account, &[&user.0, &format!("{user}@example.test")]).await.unwrap();
        client.execute(session, &[&Sha256::digest(&bearer).to_vec(), &user.0]).await.unwrap();
        buyers.push(Buyer { client: server.visitor(), bearer });
    }
    buyers
}

/// One buyer's race; true when it ended at the portal with a payment.
async fn race(buyer: &Buyer, number: usize, event: EventId) -> bool {
    let seat = number % (SEATS as usize);
    let named = json!({"event_id": event, "seats": [seat]});
    let (mut status, mut answer) = buyer.post("/ticket/reserve", &named, "named").await;
    assert_eq!(buyer.post("/ticket/reserve", &named, "named").await, (status, answer.clone()), "a repeat");
    if status != StatusCode::CREATED {
        assert_eq!((status, &answer["type"]), (StatusCode::CONFLICT, &json!("/problem/seats-taken")));
        let best = json!({"event_id": event, "best_available": {"quantity": 1}});
        (status, answer) = buyer.post("/ticket/reserve", &best, "best").await;
    }
    if status != StatusCode::CREATED {
        assert_eq!((status, &answer["type"]), (StatusCode::CONFLICT, &json!("/problem/not-enough-seats")));
        return false;
    }
    let (status, checkout) = buyer.post(&format!("/ticket/buy/{event}"), &json!({}), "buy").await;
    assert_eq!(status, StatusCode::OK, "{checkout}");
    buyer.pay(checkout["portal_url"].as_str().unwrap()).await;
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_buyers_get_fifty_seats_once_each() {
    let database = Database::migrated().await;
    let listing = Listing::new("Everybody wants in", SEATS);
    listing.insert(&database).await;
    let server = Server::start(&database).await;
    let buyers = buyers(&database, &server).await;
    let races = buyers.iter().enumerate().map(|(number, buyer)| race(buyer, number, listing.event));
    let winners = join_all(races).await.into_iter().filter(|won| *won).count();
    assert_eq!(winners, SEATS as usize);
    until("every payment is captured", async || {
        let captured = database.number("select count(*) from sandbox.payment where state = 'captured'").await;
        (captured == i64::from(SEATS)).then_some(())
    })
    .await;
    until("every order knows it", async || {
        let captured = database.number("select count(*) from orders where state = 'captured'").await;
        (captured == i64::from(SEATS)).then_some(())
    })
    .await;
    let client = database.connect().await;
    let tickets =
        client.query("select seat_no, holder, ticket_id from ticket where state = 'valid'", &[]).await.unwrap();
    let seats: HashSet<i32> = tickets.iter().map(|row| row.get(0)).collect();
    let ids: HashSet<uuid::Uuid> = tickets.iter().map(|row| row.get(2)).collect();
    assert_eq!((tickets.len(), seats.len(), ids.len()), (50, 50, 50));
    assert_eq!(database.number("select count(*) from claim where kind = 1").await, 50);
    assert_eq!(database.number("select count(*) from orders").await, 50);
    assert_eq!(database.number("select seats_left::bigint from availability").await, 0);
    let chain =
        "select count(*) from lane l where seq = (select count(*) from lane_log g where g.event_id = l.event_id)";
    assert_eq!(database.number(chain).await, 1, "the log has no gap");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_loses_no_acknowledged_hold() {
    let database = Database::migrated().await;
    let listing = Listing::new("The lights go out", 300);
    listing.insert(&database).await;
    let data = tempfile::TempDir::with_prefix("frontrow-race-").unwrap();
    let mut server = Server::start_on(&database, data.path(), |_| {}).await;
    let buyers = buyers(&database, &server).await;
    let body = json!({"event_id": listing.event, "best_available": {"quantity": 1}});
    // Each says what it was told; the server dies when a few have been told.
    let told = std::sync::atomic::AtomicUsize::new(0);
    let reserve = async |buyer: &Buyer| {
        let request = buyer.client.request(Method::POST, "/ticket/reserve").bearer_auth(&buyer.bearer);
        let answer = request.header("Idempotency-Key", "once").json(&body).send().await.ok()?;
        let hold: Value = answer.json().await.ok()?;
        told.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Some(hold["reserve_id"].as_str()?.to_owned())
    };
    let asks = join_all(buyers.iter().map(&reserve));
    let kill = async {
        until("some holds are acknowledged", async || {
            (told.load(std::sync::atomic::Ordering::Relaxed) >= 10).then_some(())
        })
        .await;
        server.process.kill().await;
    };
    let (answers, ()) = futures::join!(asks, kill);
    let server = Server::start_on(&database, data.path(), |_| {}).await;
    let mut kept = 0;
    for (buyer, first) in buyers.iter().zip(answers) {
        let again = Buyer { client: server.visitor(), bearer: buyer.bearer.clone() };
        // The dead server's lease may have a moment left.
        let hold = until("the lane is taken over", async || {
            let (status, hold) = again.post("/ticket/reserve", &body, "once").await;
            assert!([StatusCode::CREATED, StatusCode::SERVICE_UNAVAILABLE].contains(&status), "{hold}");
            (status == StatusCode::CREATED).then_some(hold)
        })
        .await;
        if let Some(first) = first {
            assert_eq!(hold["reserve_id"], first, "an acknowledged hold was lost");
            kept += 1;
        }
    }
    assert!(kept >= 10);
    assert_eq!(database.number("select count(*) from hold").await, 200);
    assert_eq!(database.number("select count(distinct seat_no) from claim").await, 200);
}
