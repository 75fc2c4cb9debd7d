//! A machine whose clock jumps by hours and years, forwards and backwards: what was published stays, and the index goes on equalling
//! Postgres.

use crate::indexer_cases::Case;
use crate::indexer_chaos::never_backwards;
use crate::indexer_replicas::{Reader, assert_alike};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tests::{Indexer, Process, WallClock};

const HOUR_S: i64 = 3_600;
const STEPS_S: [i64; 5] = [HOUR_S, -48 * HOUR_S, 400 * 24 * HOUR_S, -400 * 24 * HOUR_S, 0];
const TRANSACTIONS: u32 = 25;

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_takes_nothing_away_and_stops_nothing() {
    let mut case = Case::new().await;
    let clock = WallClock::new();
    let command = |case: &Case, args: &[&str]| {
        let mut command = Indexer::command(&case.database, case.data.path(), args);
        clock.rule(&mut command);
        Process::spawn(&mut command)
    };
    case.indexer.process.kill().await;
    case.indexer.process = command(&case, &["run"]);
    let readers = [Reader::start(&case.database, case.data.path()).await];
    let done = Arc::new(AtomicBool::new(false));
    let watch = tokio::spawn(never_backwards(readers[0].server.base.clone(), Arc::clone(&done)));
    let generation = case.generation().await;
    for step_s in STEPS_S {
        for n in 0..TRANSACTIONS {
            if n == TRANSACTIONS / 2 {
                clock.step_s(step_s);
            }
            case.writes.step().await;
        }
        let mut gc = command(&case, &["gc"]);
        assert!(gc.end().await.success(), "{step_s}: {}", gc.output());
        let report = case.assert_equal().await;
        assert_alike(&readers, report.lsn).await;
    }
    done.store(true, Ordering::Relaxed);
    assert!(watch.await.unwrap() > 0);
    assert_eq!(case.generation().await, generation, "nothing was built anew");
    assert!(case.indexer.process.poll().is_none(), "{}", case.indexer.process.output());
}
