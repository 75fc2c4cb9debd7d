//! `kill -9` of the indexer at random moments under random writes: nothing is lost, nothing goes backwards.

use crate::indexer_writes::{Writes, settings};
use model::Lsn;
use search::manifest::{Alias, Head};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;
use tests::{DEADLINE, Database, Indexer, Process, binary, until};

const KILLS: u32 = 12;
/// Transactions between two kills: few enough to hit a start, many enough to hit the middle of its work.
const STEPS_MAX: u32 = 120;

#[tokio::test(flavor = "multi_thread")]
async fn an_indexer_killed_at_any_moment_loses_nothing_and_repeats_nothing() {
    let database = Database::migrated().await;
    let data = TempDir::new().unwrap();
    let settings = settings(&database, data.path());
    let mut writes = Writes::new(&database, 20_261_123).await;
    writes.seed().await;
    let done = Arc::new(AtomicBool::new(false));
    let watch = tokio::spawn(never_backwards(settings.clone(), Arc::clone(&done)));
    let visitor = tokio::spawn(as_of_never_backwards(database.clone(), data.path().to_owned(), Arc::clone(&done)));
    for _ in 0..KILLS {
        let mut indexer = Indexer::start(&database, data.path());
        for _ in 0..writes.below(STEPS_MAX) {
            writes.step().await;
        }
        indexer.process.kill().await;
        for _ in 0..writes.below(5) {
            writes.step().await;
        }
    }
    let indexer = Indexer::start(&database, data.path());
    until("an index", || async { indexer::status(&settings).await.ok()?.index }).await;
    let report = indexer::verify(&settings).await.unwrap();
    assert_eq!(report.differences, [], "{}", indexer.process.output());
    assert!(report.documents > 0 && report.availability > 0);
    done.store(true, Ordering::Relaxed);
    let publications = watch.await.unwrap();
    assert!(publications > 1, "{publications} publications seen");
    let last = visitor.await.unwrap();
    assert!(last > Lsn::default(), "a search was answered");
}

/// Searches over HTTP on a server that has no indexer of its own, as fast as it answers; the last `as_of`.
async fn as_of_never_backwards(database: Database, data: PathBuf, done: Arc<AtomicBool>) -> Lsn {
    let mut command = Command::new(binary("frontrow"));
    command.args(["serve", "--role", "search", "--addr", "127.0.0.1:0", "--database-url", &database.url, "--data"]);
    let mut server = Process::spawn(command.arg(data));
    let base = server.line("ready ", DEADLINE).await;
    let client = reqwest::Client::new();
    let mut last = Lsn::default();
    while !done.load(Ordering::Relaxed) {
        let answer = client.get(format!("{base}/event?limit=1")).send().await.unwrap();
        // Before the first publication there is nothing to search.
        if answer.status() == reqwest::StatusCode::OK {
            let body: serde_json::Value = answer.json().await.unwrap();
            let as_of: Lsn = body["as_of"].as_str().unwrap().parse().unwrap();
            assert!(as_of >= last, "{as_of} after {last}");
            last = as_of;
        }
    }
    last
}

/// Watches what a reader sees; the number of publications it saw.
async fn never_backwards(settings: indexer::Settings, done: Arc<AtomicBool>) -> u32 {
    let (mut last, mut seen) = ((0, Lsn::default(), 0), 0);
    while !done.load(Ordering::Relaxed) {
        if let Some((Alias { generation }, _)) = Alias::read(&settings.store).await.unwrap()
            && let Some((Head { seq, lsn, .. }, _)) = Head::read(&settings.store, generation).await.unwrap()
        {
            let now = (generation, lsn, seq);
            assert!(now >= last, "{now:?} after {last:?}");
            seen += u32::from(now != last);
            last = now;
        }
        tokio::task::yield_now().await;
    }
    seen
}
