//! Databases that cannot serve: each is one sentence that says what to do, an exit code, and nothing half-made.

use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use tests::{Database, Process, binary};

/// Starts a program that must refuse; gives its one sentence.
async fn refusal(program: &str, url: &str, data: &Path) -> String {
    let mut command = Command::new(binary(program));
    match program {
        "frontrow" => command.args(["serve", "--addr", "127.0.0.1:0"]),
        _ => command.arg("run"),
    };
    command.args(["--database-url", url, "--data"]).arg(data).env_remove("DATABASE_URL").env("RUST_LOG", "off");
    let mut process = Process::spawn(&mut command);
    let status = process.end().await;
    let output = process.output();
    assert!(!status.success(), "{program} serves from {url}: {output}");
    assert_eq!(output.trim().lines().count(), 1, "{output}");
    output
}

#[tokio::test]
async fn a_postgres_without_logical_wal_is_refused_with_the_setting_to_change() {
    let database = Database::on_a_cluster_of_its_own("-c wal_level=replica").await;
    for program in ["frontrow", "indexer"] {
        let data = TempDir::new().unwrap();
        let sentence = refusal(program, &database.url, data.path()).await;
        assert!(sentence.contains("wal_level") && sentence.contains("logical"), "{program}: {sentence}");
    }
    assert_eq!(database.number("select count(*) from pg_replication_slots").await, 0);
}

#[tokio::test]
async fn an_unreachable_postgres_is_refused_with_its_address() {
    for program in ["frontrow", "indexer"] {
        let data = TempDir::new().unwrap();
        let sentence = refusal(program, "postgres://nobody@127.0.0.1:1/nowhere", data.path()).await;
        assert!(sentence.contains("127.0.0.1:1"), "{program}: {sentence}");
    }
}

#[tokio::test]
async fn a_database_without_our_tables_is_refused_with_the_command_to_type() {
    let database = Database::empty().await;
    let data = TempDir::new().unwrap();
    let sentence = refusal("frontrow", &database.url, data.path()).await;
    assert!(sentence.contains("frontrow migrate"), "{sentence}");
    assert_eq!(
        database.number("select count(*) from pg_replication_slots where database = current_database()").await,
        0
    );
}
