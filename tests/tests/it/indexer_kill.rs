//! `kill -9` of the indexer at random moments under random writes: nothing is lost, nothing goes backwards.

use crate::indexer_writes::{Writes, settings};
use model::Lsn;
use search::manifest::{Alias, Head};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;
use tests::{Database, Indexer, until};

const KILLS: u32 = 12;
/// Transactions between two kills: few enough to hit a start, many enough to hit the middle of its work.
const STEPS_MAX: u32 = 60;

#[tokio::test(flavor = "multi_thread")]
async fn an_indexer_killed_at_any_moment_loses_nothing_and_repeats_nothing() {
    let database = Database::migrated().await;
    let data = TempDir::new().unwrap();
    let settings = settings(&database, data.path());
    let mut writes = Writes::new(&database, 20_261_123).await;
    writes.seed().await;
    let done = Arc::new(AtomicBool::new(false));
    let watch = tokio::spawn(never_backwards(settings.clone(), Arc::clone(&done)));
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
