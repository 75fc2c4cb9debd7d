//! The index's store: what it promises of a directory and of a bucket alike, its notices, and the whole path over a bucket.

use crate::indexer_writes::Writes;
use model::Lsn;
use search::replica::{Options, Replica};
use search::store::{CasError, Durability, Store};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use tests::{Bucket, DEADLINE, Database, Indexer, Process, Redis, Server, Wire, until};
use tokio_util::sync::CancellationToken;

/// Names the store that the promises are tried on; a directory when it is not set.
const PLACE: &str = "STORE_OF_THE_PROMISES";

/// A store of one test's own. The directory goes with the first.
fn a_store() -> (TempDir, Store) {
    let dir = TempDir::with_prefix("store-").unwrap();
    let url = std::env::var(PLACE).map_or_else(
        |_| format!("file://{}", dir.path().display()),
        |bucket| format!("{bucket}/{}", dir.path().file_name().unwrap().display()),
    );
    let store = Store::open(&url).unwrap();
    (dir, store)
}

mod promise {
    use super::*;

    #[tokio::test]
    async fn what_is_put_is_read_listed_and_deleted() {
        let (_dir, store) = a_store();
        store.put("g1/pack/b", "hello".into(), Durability::Visible).await.unwrap();
        store.put("g1/pack/a", "!".into(), Durability::Durable).await.unwrap();
        store.make_durable(vec!["g1/pack/b".into()]).await.unwrap();
        assert_eq!(store.get_range("g1/pack/b", 1..3).await.unwrap().unwrap(), "el");
        assert_eq!(store.get_range("g1/pack/c", 1..3).await.unwrap(), None);
        let names: Vec<_> = store.list("g1/pack").await.unwrap().into_iter().map(|o| (o.path, o.len_bytes)).collect();
        assert_eq!(names, [("g1/pack/a".into(), 1), ("g1/pack/b".into(), 5)]);
        store.delete("g1/pack/b").await.unwrap();
        store.delete("g1/pack/b").await.unwrap();
        assert_eq!(store.get("g1/pack/b").await.unwrap(), None);
    }

    #[tokio::test]
    async fn compare_and_set_refuses_who_did_not_see_the_last_write() {
        let (_dir, store) = a_store();
        let changes = store.changes();
        let first = store.compare_and_set("g1/HEAD", None, "1".into(), Durability::Durable).await.unwrap();
        let again = store.compare_and_set("g1/HEAD", None, "x".into(), Durability::Visible).await;
        assert!(matches!(again, Err(CasError::Changed)), "{again:?}");
        store.compare_and_set("g1/HEAD", Some(&first), "2".into(), Durability::Visible).await.unwrap();
        let late = store.compare_and_set("g1/HEAD", Some(&first), "3".into(), Durability::Visible).await;
        assert!(matches!(late, Err(CasError::Changed)), "{late:?}");
        let (bytes, tag) = store.get_tagged("g1/HEAD").await.unwrap().unwrap();
        assert_eq!(bytes, "2");
        store.compare_and_set("g1/HEAD", Some(&tag), "4".into(), Durability::Durable).await.unwrap();
        assert_eq!(*changes.borrow(), 3);
    }

    #[tokio::test]
    async fn of_many_writers_from_one_reading_exactly_one_wins_though_all_write_the_same() {
        let (_dir, store) = a_store();
        let tries = (0..16).map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                match store.compare_and_set("HEAD", None, "1".into(), Durability::Visible).await {
                    Ok(_) => 1,
                    Err(CasError::Changed) => 0,
                    Err(CasError::Store(error)) => panic!("{error:?}"),
                }
            })
        });
        let won: u32 = futures::future::join_all(tries).await.into_iter().map(Result::unwrap).sum();
        assert_eq!(won, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_the_same_promises() {
    let bucket = Bucket::start().await;
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("store::promise::").envs(bucket.environment()).env(PLACE, &bucket.url);
    let mut promises = Process::spawn(&mut command);
    assert!(promises.end().await.success(), "{}", promises.output());
    assert!(promises.output().contains("3 passed"), "{}", promises.output());
}

/// A replica that polls so often.
fn follower(store: &Store, dir: &Path, poll_interval: Duration) -> Replica {
    let options = Options { poll_interval, ..Options::of(store) };
    let replica = Replica::open(store.clone(), dir, options).unwrap();
    let running = replica.clone();
    tokio::spawn(async move { running.run(CancellationToken::new()).await });
    replica
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publication_is_heard_of_over_redis_and_without_it_found_by_polling() {
    let (database, data, mut redis) = (Database::migrated().await, TempDir::new().unwrap(), Redis::start().await);
    let mut writes = Writes::new(&database, 2).await;
    writes.seed().await;
    let url = format!("file://{}", Indexer::store(data.path()).display());
    let hearing = Store::open(&url).unwrap().with_redis(&redis.url).unwrap();
    let listener = follower(&hearing, &data.path().join("listener"), Duration::from_hours(1));
    let poller = follower(&hearing, &data.path().join("poller"), hearing.poll_interval());
    let mut command = Indexer::command(&database, data.path(), &["run"]);
    let indexer = Process::spawn(command.env("FRONTROW_REDIS", &redis.url));

    is_told(&writes, &listener).await;
    redis.process.kill().await;
    writes.sql("update event set title = 'Nobody says so'").await;
    poller.wait_for(database.lsn().await, DEADLINE).await.unwrap();
    redis.restart().await;
    is_told(&writes, &listener).await;
    drop(indexer);
}

/// Writes now and then until a notice makes the replica show it: one that was sent before it listened may be lost.
async fn is_told(writes: &Writes, replica: &Replica) {
    let next = Lsn(replica.shown().borrow().0 + 1);
    until("a replica that hardly polls shows a newer view", || async {
        writes.sql("update event set popularity = popularity + 1").await;
        replica.wait_for(next, Duration::from_millis(200)).await.ok()
    })
    .await;
}

/// Every event there is.
const ALL: &str = "/event?include_past=true&status=scheduled&status=postponed&status=cancelled";

/// What is in Postgres now is found.
async fn assert_all_found(database: &Database, server: &Server) {
    let (lsn, count) = (database.lsn().await, database.number("select count(*) from event").await);
    let (visitor, path) = (server.visitor(), format!("{ALL}&min_lsn={lsn}"));
    let found = until("an answer at the position", || async {
        let answer = visitor.get(&path).await;
        (answer.status == 200).then_some(answer.json)
    })
    .await;
    assert_eq!(found["total"], count);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_bucket_an_indexer_killed_between_writes_leaves_search_equal() {
    let (database, bucket, data) = (Database::migrated().await, Bucket::start().await, TempDir::new().unwrap());
    let mut writes = Writes::new(&database, 3).await;
    writes.seed().await;
    let start = |args: &[&str]| {
        let mut command = Indexer::command(&database, data.path(), args);
        Process::spawn(command.envs(bucket.environment()).env("FRONTROW_STORE", &bucket.url))
    };
    let mut indexer = start(&["run"]);
    let server = Server::start_on(&database, &data.path().join("search"), |command| {
        command.args(["--role", "search"]).envs(bucket.environment()).env("FRONTROW_STORE", &bucket.url);
    })
    .await;
    assert_all_found(&database, &server).await;
    for _ in 0..20 {
        writes.step().await;
    }
    indexer.kill().await;
    writes.many_events(7).await;
    assert_eq!(server.visitor().get(ALL).await.status, 200, "search goes on without an indexer");
    indexer = start(&["run"]);
    assert_all_found(&database, &server).await;
    let mut verified = start(&["verify"]);
    assert!(verified.end().await.success(), "{}\n{}", verified.output(), indexer.output());
    assert!(!Indexer::store(data.path()).exists(), "nothing is on the disk");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_bucket_delays_what_is_found_and_loses_nothing_even_of_a_reindex() {
    let (database, bucket, data) = (Database::migrated().await, Bucket::start().await, TempDir::new().unwrap());
    let wire = Wire::to(bucket.port).await;
    let mut writes = Writes::new(&database, 4).await;
    writes.seed().await;
    let start = |args: &[&str]| {
        let mut command = Indexer::command(&database, data.path(), args);
        command.envs(bucket.environment()).env("AWS_ENDPOINT", format!("http://127.0.0.1:{}", wire.port));
        Process::spawn(command.env("FRONTROW_STORE", &bucket.url))
    };
    let indexer = start(&["run"]);
    let server = Server::start_on(&database, &data.path().join("search"), |command| {
        command.args(["--role", "search"]).envs(bucket.environment()).env("FRONTROW_STORE", &bucket.url);
    })
    .await;
    wire.delay(Duration::from_millis(300));
    for _ in 0..20 {
        writes.step().await;
    }
    assert_eq!(server.visitor().get(ALL).await.status, 200, "search does not wait for the indexer's store");
    assert_all_found(&database, &server).await;
    let mut reindex = start(&["reindex"]);
    for _ in 0..20 {
        writes.step().await;
    }
    assert!(reindex.end().await.success(), "{}", reindex.output());
    assert!(reindex.output().contains("generation 2 is read\n"), "{}\n{}", reindex.output(), indexer.output());
    assert_all_found(&database, &server).await;
    wire.delay(Duration::ZERO);
    let mut verified = start(&["verify"]);
    assert!(verified.end().await.success(), "{}\n{}", verified.output(), indexer.output());
}
