//! The serving process: its roles, and that it stops in order.

use reqwest::Method;
use serde_json::json;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tests::{Database, Process, Server, binary, catalog, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_search_process_follows_anothers_index_and_books_nothing() {
    let database = Database::migrated().await;
    let listing = catalog::on_sale(&database, "An evening", 10).await;
    let main = Server::start(&database).await;
    let (data, store) = (TempDir::new().unwrap(), main.data().unwrap().join("store"));
    let search = Server::start_on(&database, data.path(), |command| {
        command.args(["--role", "search"]).env("FRONTROW_STORE", format!("file://{}", store.display()));
    })
    .await;
    let visitor = search.visitor();
    assert_eq!(visitor.get(&format!("/event/{}", listing.event)).await.expect(200)["title"], "An evening");
    visitor.get(&format!("/event/{}/seats", listing.event)).await.problem(503, "busy").as_object().unwrap();

    let buyer = main.buyer().await;
    let held = buyer.post_new("/ticket/reserve", &json!({"event_id": listing.event, "seats": [0, 1]})).await;
    assert_eq!(held.expect(201)["state"], "held");
    until("the other process shows fewer seats", || async {
        let event = visitor.get(&format!("/event/{}", listing.event)).await.expect(200);
        (event["seats_left"] == 8).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_stream_does_not_keep_the_process_from_stopping() {
    let database = Database::migrated().await;
    let listing = catalog::on_sale(&database, "An evening", 10).await;
    let mut server = Server::start(&database).await;
    let path = format!("/event/{}/seats/stream", listing.event);
    let mut stream = server.visitor().request(Method::GET, &path).send().await.unwrap();
    assert!(stream.chunk().await.unwrap().is_some());
    let began = Instant::now();
    server.process.interrupt();
    let status = server.process.end().await;
    assert!(status.success(), "{status}: {}", server.process.output());
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    while stream.chunk().await.is_ok_and(|chunk| chunk.is_some()) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_said_so() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let (database, data) = (Database::migrated().await, TempDir::new().unwrap());
    let mut command = Command::new(binary("frontrow"));
    command.args(["serve", "--addr", &addr, "--database-url", &database.url, "--data"]).arg(data.path());
    let mut process = Process::spawn(command.env("RUST_LOG", "off"));
    let status = process.end().await;
    assert!(!status.success());
    assert!(process.output().contains(&format!("cannot listen on {addr}")), "{}", process.output());
}
