//! Generations: made beside a running indexer without a failed search, taken up after `kill -9`, rolled back to, collected.

use crate::indexer_cases::Case;
use model::Lsn;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tests::{Server, until};

/// Searches as fast as it answers until told to stop: every answer is 200, and no position goes back. Gives the number of answers.
async fn search_on(base: String, done: Arc<AtomicBool>) -> u64 {
    let client = reqwest::Client::new();
    let (mut answers, mut last) = (0, Lsn::default());
    while !done.load(Ordering::Relaxed) {
        let answer =
            client.get(format!("{base}/event?limit=1&include_past=true&price_min={answers}")).send().await.unwrap();
        assert_eq!(answer.status(), reqwest::StatusCode::OK);
        let body: serde_json::Value = answer.json().await.unwrap();
        let as_of: Lsn = body["as_of"].as_str().unwrap().parse().unwrap();
        assert!(as_of >= last, "{as_of} after {last}");
        last = as_of;
        answers += 1;
    }
    answers
}

async fn replica(case: &Case, data: &Path) -> Server {
    let store = format!("file://{}", case.data.path().join("store").display());
    let server = Server::start_on(&case.database, data, |command| {
        command.args(["--role", "search"]).env("FRONTROW_STORE", store);
    });
    server.await
}

/// Nobody reindexes, and Postgres keeps no log for anyone who did.
async fn assert_one_slot(case: &Case) {
    let slots = "select count(*) from pg_replication_slots where database = current_database()";
    assert_eq!(case.database.number(slots).await, 1);
    assert_eq!(case.status().await.reindexing, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reindex_beside_a_running_indexer_fails_no_search_and_loses_no_write() {
    let mut case = Case::new().await;
    let data = tempfile::tempdir().unwrap();
    let server = replica(&case, data.path()).await;
    let done = Arc::new(AtomicBool::new(false));
    let searches = tokio::spawn(search_on(server.base.clone(), Arc::clone(&done)));
    for generation in [2, 3] {
        let mut reindex = case.command(&["reindex", "--events-per-s", "200"]);
        while reindex.poll().is_none() {
            case.writes.step().await;
        }
        assert!(reindex.poll().unwrap().success(), "{}", reindex.output());
        // Not the last line: a merge that nobody needs any more may end after it.
        let said = format!("generation {generation} is read\n");
        assert!(reindex.output().contains(&said), "{}", reindex.output());
        case.sql("update event set popularity = popularity + 1").await;
        case.assert_equal().await;
        assert_eq!(case.generation().await, generation);
        assert!(case.indexer.process.poll().is_none(), "the same indexer goes on");
        assert_one_slot(&case).await;
    }
    let lsn = case.status().await.index.unwrap().lsn;
    until("the replica shows the new generation", || async {
        let replicas = case.status().await.replicas;
        replicas.iter().any(|replica| replica.presence.generation == 3 && replica.presence.lsn >= lsn).then_some(())
    })
    .await;
    done.store(true, Ordering::Relaxed);
    let answers = searches.await.unwrap();
    assert!(answers > 100, "{answers}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reindex_killed_at_any_moment_is_taken_up() {
    let mut case = Case::new().await;
    case.writes.many_events(600).await;
    for round in 0..6 {
        let mut reindex = case.command(&["reindex", "--events-per-s", "300"]);
        for _ in 0..(8 * (round + 1)) {
            case.writes.step().await;
        }
        reindex.kill().await;
        if case.generation().await > 1 {
            break;
        }
    }
    let before = case.generation().await;
    let mut reindex = case.command(&["reindex"]);
    assert!(reindex.end().await.success(), "{}", reindex.output());
    case.assert_equal().await;
    assert!(case.generation().await > before);
    assert!(case.indexer.process.poll().is_none());
    assert_one_slot(&case).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reindex_without_an_indexer_leaves_what_the_next_run_goes_on_from() {
    let mut case = Case::new().await;
    case.indexer.process.kill().await;
    case.sql("update event set title = 'Copied'").await;
    let mut reindex = case.command(&["reindex"]);
    assert!(reindex.end().await.success(), "{}", reindex.output());
    assert_eq!(case.generation().await, 2);
    assert_one_slot(&case).await;
    case.sql("update event set popularity = 5").await;
    case.indexer = tests::Indexer::start(&case.database, case.data.path());
    case.assert_equal().await;
    assert_eq!(case.generation().await, 2);
    // And with no slot either: the maker's becomes the indexer's.
    case.indexer.process.kill().await;
    let drop = "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database() and not active";
    let slots = "select count(*) from pg_replication_slots where database = current_database()";
    until("the slot is free", || async {
        case.sql(drop).await;
        (case.database.number(slots).await == 0).then_some(())
    })
    .await;
    let mut reindex = case.command(&["reindex"]);
    assert!(reindex.end().await.success(), "{}", reindex.output());
    case.sql("update event set popularity = 6").await;
    case.indexer = tests::Indexer::start(&case.database, case.data.path());
    case.assert_equal().await;
    assert_eq!(case.generation().await, 3);
    assert_one_slot(&case).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_reindex_at_a_time_is_refused() {
    let case = Case::new().await;
    case.writes.many_events(300).await;
    let mut first = case.command(&["reindex", "--events-per-s", "20"]);
    first.line("", Duration::from_secs(30)).await;
    let said = "in use by another indexer; stop that one first";
    until("a refusal", || async {
        let mut second = case.command(&["reindex"]);
        let refused = !second.end().await.success();
        assert!(refused && second.output().contains(said), "{}", second.output());
        Some(())
    })
    .await;
    first.interrupt();
    assert!(!first.end().await.success());
    assert!(first.output().contains("the next reindex goes on from here"), "{}", first.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_begins_with_old_files_and_ends_equal() {
    let mut case = Case::new().await;
    let old = case.status().await.index.unwrap().seq;
    case.sql("update event set title = 'After the point'; delete from event_tier where tier = 1").await;
    case.writes.many_events(5).await;
    case.assert_equal().await;
    let mut rollback = case.command(&["rollback", "--to", &old.to_string()]);
    assert!(rollback.end().await.success(), "{}", rollback.output());
    let said = format!("generation 1 publication {old}");
    assert!(rollback.output().contains(&said), "{}", rollback.output());
    assert!(case.indexer.process.poll().is_none());
    case.sql("update event set popularity = 9").await;
    case.assert_equal().await;
    assert_eq!(case.generation().await, 2);
    assert_one_slot(&case).await;

    let mut back = case.command(&["rollback", "--generation", "1"]);
    assert!(back.end().await.success(), "{}", back.output());
    case.assert_equal().await;
    assert_eq!(case.generation().await, 3);

    let mut nowhere = case.command(&["rollback", "--to", "999999"]);
    assert!(!nowhere.end().await.success());
    let said = "indexer: there is no such publication to roll back to; kept are (generation/publication): 3/";
    assert!(nowhere.output().contains(said), "{}", nowhere.output());
    assert_eq!(case.generation().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_collected_and_nothing_that_is_live() {
    let mut case = Case::new().await;
    let store = case.data.path().join("store");
    let stale = |path: &str| {
        let path = store.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "left behind").unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_hours(5)).unwrap();
    };
    let orphans =
        ["g1/pack/00000000-0000-0000-0000-000000000000", "r/00000000-0000-0000-0000-000000000000", "g7/pack/x"];
    for path in orphans {
        stale(path);
    }
    let would = collect(&case, &["gc", "--dry-run"]).await;
    assert!(orphans.iter().all(|path| would.contains(path)), "{would}");
    assert!(would.contains("would delete 3 objects of 33 bytes"), "{would}");
    assert!(orphans.iter().all(|path| store.join(path).exists()));
    let did = collect(&case, &["gc"]).await;
    assert!(did.contains("deleted 3 objects of 33 bytes"), "{did}");
    assert!(orphans.iter().all(|path| !store.join(path).exists()));

    // Everything made to look hours old: what HEAD's manifest names stays, and an indexer without its directory comes back from it.
    case.sql("update event set title = 'The last'").await;
    case.assert_equal().await;
    case.indexer.process.kill().await;
    age_all(&store.join("g1"));
    collect(&case, &["gc", "--keep-s", "0"]).await;
    let manifests = std::fs::read_dir(store.join("g1/m")).unwrap().count();
    assert_eq!(manifests, 1, "HEAD's alone");
    std::fs::remove_dir_all(case.data.path().join("indexer")).unwrap();
    case.indexer = tests::Indexer::start(&case.database, case.data.path());
    case.assert_equal().await;
    assert_eq!(case.generation().await, 1);
}

async fn collect(case: &Case, args: &[&str]) -> String {
    let mut process = case.command(args);
    assert!(process.end().await.success(), "{}", process.output());
    process.output()
}

fn age_all(dir: &Path) {
    for entry in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            age_all(&entry);
        } else {
            let file = std::fs::File::options().write(true).open(&entry).unwrap();
            file.set_modified(std::time::SystemTime::now() - Duration::from_hours(5)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn status_says_who_writes_and_who_reads() {
    let case = Case::new().await;
    let data = tempfile::tempdir().unwrap();
    let server = replica(&case, data.path()).await;
    let pid = server.process.id();
    let status = until("the replica is seen", || async {
        let status = case.status().await;
        status.replicas.iter().any(|replica| replica.presence.pid == pid && replica.presence.ready).then_some(status)
    })
    .await;
    let index = status.index.unwrap();
    assert_eq!((status.slot_state, index.generation), ("streaming", 1));
    assert!(status.lag_ms.is_some() && status.lag_bytes.is_some() && index.segments > 0 && index.documents > 0);
    let mut json = case.command(&["status", "--json"]);
    assert!(json.end().await.success());
    let value: serde_json::Value = serde_json::from_str(json.output().trim()).unwrap();
    assert_eq!(value["replicas"][0]["pid"], pid);
    let mut table = case.command(&["status"]);
    assert!(table.end().await.success());
    for part in ["slot         frontrow_", " (streaming)\n", "documents    ", "replica ", &format!(" {pid} ")] {
        assert!(table.output().contains(part), "{part:?} in {}", table.output());
    }
    drop(server);
}
