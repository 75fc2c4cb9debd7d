//! Postgres over TLS: whoever asks for it gets it on every connection, and a certificate that is not right is refused in a sentence.

use crate::bad_database::{ALL, SERVE, refusal};
use serde_json::json;
use std::process::Command;
use tempfile::TempDir;
use tests::{Database, Process, Server, binary, catalog, until};

/// `shop` at `host` by the port of this database, with these parameters.
fn url(database: &Database, host: &str, parameters: &str) -> String {
    let config: tokio_postgres::Config = database.url.parse().unwrap();
    format!("postgres://shop@{host}:{}/{}?{parameters}", config.get_ports()[0], database.name)
}

#[tokio::test]
async fn the_whole_path_runs_over_checked_tls() {
    let (database, authority) = Database::behind_tls().await;
    let parameters = format!("sslmode=verify-full&sslrootcert={}", authority.display());
    let shop = Database { name: database.name.clone(), url: url(&database, "localhost", &parameters) };
    let mut migrate = Command::new(binary("frontrow"));
    migrate.arg("migrate").env("DATABASE_URL", &shop.url);
    let mut migrate = Process::spawn(&mut migrate);
    assert!(migrate.end().await.success(), "{}", migrate.output());
    let listing = catalog::on_sale(&database, "An evening behind a lock", 10).await;
    let server = Server::start(&shop).await;
    let buyer = server.buyer().await;
    until("it is found", async || {
        let found = buyer.get("/event?q=lock").await.expect(200);
        (found["total"] == 1).then_some(())
    })
    .await;
    let held = buyer.post_new("/ticket/reserve", &json!({ "event_id": listing.event, "seats": [3] })).await.expect(201);
    assert_eq!(held["seats"][0]["seat_no"], 3);
    // Only over TLS is `shop` let in at all; the stream is among its connections.
    let streams = "select count(*) from pg_stat_ssl join pg_stat_activity using (pid)
        where ssl and usename = 'shop' and backend_type = 'walsender'";
    assert_eq!(database.number(streams).await, 1);
}

#[tokio::test]
async fn a_certificate_that_is_not_right_is_refused_with_the_reason() {
    let (database, authority) = Database::behind_tls().await;
    let (_, stranger) = Database::behind_tls().await;
    let wrong_authority = url(&database, "localhost", &format!("sslmode=verify-ca&sslrootcert={}", stranger.display()));
    let wrong_name = url(&database, "127.0.0.1", &format!("sslmode=verify-full&sslrootcert={}", authority.display()));
    for url in [wrong_authority, wrong_name] {
        for program in ALL {
            let data = TempDir::new().unwrap();
            let sentence = refusal(program, &url, data.path()).await;
            assert!(sentence.contains("certificate"), "{program:?}: {sentence}");
        }
    }
    // The authority alone is right by any name, and anyone will do where nothing is checked: what is missing then are the tables.
    for parameters in [format!("sslmode=verify-ca&sslrootcert={}", authority.display()), "sslmode=require".to_owned()] {
        let data = TempDir::new().unwrap();
        let sentence = refusal(&SERVE, &url(&database, "127.0.0.1", &parameters), data.path()).await;
        assert!(sentence.contains("frontrow migrate"), "{sentence}");
    }
}
