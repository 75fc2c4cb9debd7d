//! Databases that cannot serve: each is one sentence that says what to do, an exit code, and nothing half-made.

use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use tests::{Database, Process, binary};

pub(crate) const SERVE: [&str; 3] = ["frontrow", "serve", "--addr=127.0.0.1:0"];
const MIGRATE: [&str; 2] = ["frontrow", "migrate"];
const DEMO: [&str; 3] = ["frontrow", "demo", "--events=10"];
const INDEX: [&str; 2] = ["indexer", "run"];
pub(crate) const ALL: [&[&str]; 4] = [&SERVE, &MIGRATE, &DEMO, &INDEX];

/// Starts a program that must refuse; gives its one sentence.
pub(crate) async fn refusal(program: &[&str], url: &str, data: &Path) -> String {
    let [name, arguments @ ..] = program else { panic!("no program") };
    let mut command = Command::new(binary(name));
    command.args(arguments).env("DATABASE_URL", url).env("FRONTROW_DATA", data).env("RUST_LOG", "off");
    let program = program.join(" ");
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
    for program in ALL {
        let data = TempDir::new().unwrap();
        let sentence = refusal(program, &database.url, data.path()).await;
        assert!(sentence.contains("wal_level") && sentence.contains("logical"), "{program:?}: {sentence}");
    }
    assert_eq!(database.number("select count(*) from pg_replication_slots").await, 0);
    assert_eq!(database.number(TABLES).await, 0);
}

/// How many tables anyone made.
const TABLES: &str = "select count(*) from pg_tables where schemaname not in ('pg_catalog', 'information_schema')";

#[tokio::test]
async fn a_user_who_may_not_replicate_is_refused_with_the_statement_to_run() {
    let database = Database::empty().await;
    let name = format!("plain_{}", database.name);
    let client = database.connect().await;
    let sql = format!("create role {name} login; alter database {} owner to {name}", database.name);
    client.batch_execute(&sql).await.unwrap();
    let url = database.url.replace("postgres@", &format!("{name}@"));
    for program in ALL {
        let data = TempDir::new().unwrap();
        let sentence = refusal(program, &url, data.path()).await;
        assert!(sentence.contains(&format!("alter role \"{name}\" replication")), "{program:?}: {sentence}");
    }
    assert_eq!(database.number(TABLES).await, 0);
}

#[tokio::test]
async fn an_unreachable_postgres_is_refused_with_its_address() {
    for program in ALL {
        let data = TempDir::new().unwrap();
        let sentence = refusal(program, "postgres://nobody@127.0.0.1:1/nowhere", data.path()).await;
        assert!(sentence.contains("127.0.0.1:1"), "{program:?}: {sentence}");
    }
}

#[tokio::test]
async fn a_database_without_our_tables_is_refused_with_the_command_to_type() {
    let database = Database::empty().await;
    let data = TempDir::new().unwrap();
    let sentence = refusal(&SERVE, &database.url, data.path()).await;
    assert!(sentence.contains("frontrow migrate"), "{sentence}");
    assert_eq!(
        database.number("select count(*) from pg_replication_slots where database = current_database()").await,
        0
    );
}
