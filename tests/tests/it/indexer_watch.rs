//! The indexer inside `frontrow serve`: one that ends is started again, one that another has fenced stays out.

use serde_json::json;
use std::fs;
use std::process::Command;
use tempfile::TempDir;
use tests::{Database, Process, Server, binary, catalog, until};

async fn indexer_of(server: &Server) -> String {
    let ready = server.visitor().get("/readyz").await.expect(200);
    ready["indexer"]["state"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_indexer_that_ends_is_started_again_and_said_to_be_down_meanwhile() {
    let database = Database::migrated().await;
    let listing = catalog::on_sale(&database, "Before", 10).await;
    let server = Server::start(&database).await;
    let visitor = server.visitor();
    assert_eq!(indexer_of(&server).await, "running");
    // Not something that passes by reconnecting: the store is gone, as an unmounted disk is.
    let (store, away) = (server.data().unwrap().join("store"), server.data().unwrap().join("away"));
    fs::rename(&store, &away).unwrap();
    fs::write(&store, "").unwrap();
    let client = database.connect().await;
    client.batch_execute("update event set title = 'After'").await.unwrap();
    until("it is down", || async { (indexer_of(&server).await == "restarting").then_some(()) }).await;
    let figures = visitor.get("/metrics").await.text;
    assert!(figures.contains("indexer_up 0") && figures.contains("indexer_ends_total"), "{figures}");
    assert_eq!(visitor.get(&format!("/event/{}", listing.event)).await.expect(200)["title"], "Before");

    fs::remove_file(&store).unwrap();
    fs::rename(&away, &store).unwrap();
    until("it runs again", || async {
        let event = visitor.get(&format!("/event/{}", listing.event)).await.expect(200);
        (event["title"] == "After").then_some(())
    })
    .await;
    assert_eq!(indexer_of(&server).await, "running");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_indexer_that_was_fenced_stays_out() {
    let database = Database::migrated().await;
    let listing = catalog::on_sale(&database, "An evening", 10).await;
    let server = Server::start(&database).await;
    let (work, slot) = (TempDir::new().unwrap(), format!("{}_other", database.name));
    let store = format!("file://{}", server.data().unwrap().join("store").display());
    let mut command = Command::new(binary("indexer"));
    command.args(["run", "--database-url", &database.url, "--slot", &slot, "--store", &store, "--data"]);
    let other = Process::spawn(command.arg(work.path()));
    until("the other one publishes", || async { other.output().contains("published").then_some(()) }).await;
    let buyer = server.buyer().await;
    until("the server's own is out", || async {
        // Something to publish, so that it notices.
        let held = buyer.post_new("/ticket/reserve", &json!({"event_id": listing.event, "seats": [0]})).await;
        drop(buyer.delete(&format!("/ticket/reserve/{}", listing.event)).await.expect(204));
        assert!(held.status.is_success(), "{}", held.text);
        (indexer_of(&server).await == "fenced").then_some(())
    })
    .await;
    assert!(buyer.get("/metrics").await.text.contains("indexer_up 0"));
    database.connect().await.batch_execute("update event set title = 'By the other'").await.unwrap();
    until("the other one's work is shown", || async {
        let event = buyer.get(&format!("/event/{}", listing.event)).await.expect(200);
        (event["title"] == "By the other").then_some(())
    })
    .await;
    assert_eq!(indexer_of(&server).await, "fenced", "{}", other.output());
}
