//! Everything at once: random transactions on every table while indexer, replicas, Postgres and store are killed or stalled at random. Then
//! the index equals Postgres, every replica shows it whole, and no replica ever went backwards.
//!
//! `FRONTROW_CHAOS_S` makes it as long as one likes, `FRONTROW_CHAOS_SEED` repeats its choices.

use crate::indexer_cases::Case;
use crate::indexer_faults::Detachable;
use crate::indexer_replicas::{Reader, assert_alike};
use model::Lsn;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tests::{Indexer, Postgres, until};

/// Rows of the largest transaction.
const ROWS_MAX: u32 = 5_000;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

struct Chaos {
    case: Case,
    postgres: Postgres,
    store: Detachable,
    readers: Vec<Reader>,
}

impl Chaos {
    /// Some transactions, small ones and now and then a large one.
    async fn write(&mut self) {
        let writes = &mut self.case.writes;
        for _ in 0..writes.below(40) {
            writes.step().await;
        }
        let rows = writes.below(ROWS_MAX) + 1;
        match writes.below(8) {
            0 => writes.sql(&format!("insert into artist (artist_id, name) select gen_random_uuid(), md5(n::text) from generate_series(1, {rows}) n")).await,
            1 => writes.sql(&format!("delete from artist a where artist_id in (select artist_id from artist limit {rows}) and not exists (select from event_artist e where e.artist_id = a.artist_id)")).await,
            2 => writes.many_events(rows / 25 + 1).await,
            3 => writes.sql(&format!("update event set popularity = popularity + 1 where event_id in (select event_id from event order by random() limit {rows})")).await,
            _ => {}
        }
    }

    /// One thing fails and comes back, with writes in between.
    async fn fail(&mut self) -> &'static str {
        let (database, data) = (self.case.database.clone(), self.case.data.path().to_owned());
        let at = self.case.writes.below(2) as usize;
        match self.case.writes.below(7) {
            0 | 1 => {
                self.case.indexer.process.kill().await;
                self.write().await;
                self.case.indexer = Indexer::start(&database, &data);
                "the indexer was killed"
            }
            2 => {
                self.case.indexer.process.pause();
                self.write().await;
                self.case.indexer.process.resume();
                "the indexer stood still"
            }
            3 => {
                self.readers[at].server.process.kill().await;
                self.write().await;
                self.readers[at].start_again(&database, &data).await;
                "a replica was killed"
            }
            4 => {
                self.readers[at].server.process.pause();
                self.write().await;
                self.readers[at].server.process.resume();
                "a replica stood still"
            }
            5 => {
                self.store.detach();
                self.write().await;
                self.store.attach();
                "the store was away"
            }
            _ => {
                self.postgres.crash();
                self.postgres.start_again();
                self.case.writes.reconnect().await;
                "Postgres crashed"
            }
        }
    }
}

/// Asks a replica for its position as fast as it answers; gives the number of answers.
pub(crate) async fn never_backwards(base: String, done: Arc<AtomicBool>) -> u64 {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
    let (mut last, mut answers) = (Lsn::default(), 0);
    while !done.load(Ordering::Relaxed) {
        // A replica that is killed or stands still does not answer, and a started one has another address.
        let Ok(answer) = client.get(format!("{base}/event?limit=1&include_past=true")).send().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let Ok(body) = answer.json::<Value>().await else { continue };
        if let Some(as_of) = body["as_of"].as_str().filter(|_| body["degraded"] != true) {
            let as_of: Lsn = as_of.parse().unwrap();
            assert!(as_of >= last, "{as_of} after {last}");
            (last, answers) = (as_of, answers + 1);
        }
    }
    answers
}

/// Every event that a replica has, by id and title.
async fn events_of(reader: &Reader) -> BTreeSet<(String, String)> {
    let mut events = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let all = "include_past=true&status=scheduled&status=postponed&status=cancelled&sort=name&limit=100";
        let page = reqwest::get(format!("{}/event?{all}{cursor}", reader.server.base)).await.unwrap();
        let page: Value = page.json().await.unwrap();
        let hits = page["hits"].as_array().unwrap_or_else(|| panic!("{page}"));
        let text = |hit: &Value, name: &str| hit[name].as_str().unwrap().to_owned();
        events.extend(hits.iter().map(|hit| (text(hit, "event_id"), text(hit, "title"))));
        let Some(next) = page["next"].as_str() else { return events };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_every_replica_ends_as_postgres_is_and_none_goes_backwards() {
    let (limit_s, seed) = (number("FRONTROW_CHAOS_S", 20), number("FRONTROW_CHAOS_SEED", 20_261_124));
    let postgres = Postgres::start("").await;
    let mut case = Case::on(postgres.database()).await;
    case.writes.begin_again(seed);
    let store = Detachable::of(case.data.path());
    let mut readers = Vec::new();
    for _ in 0..2 {
        readers.push(Reader::start(&case.database, case.data.path()).await);
    }
    let mut chaos = Chaos { case, postgres, store, readers };
    let done = Arc::new(AtomicBool::new(false));
    let mut watches = BTreeMap::new();
    let (began, mut failed) = (Instant::now(), Vec::new());
    while began.elapsed() < Duration::from_secs(limit_s) {
        for reader in &chaos.readers {
            let base = reader.server.base.clone();
            let watch = || tokio::spawn(never_backwards(base.clone(), Arc::clone(&done)));
            watches.entry(base.clone()).or_insert_with(watch);
        }
        chaos.write().await;
        failed.push(chaos.fail().await);
    }
    until("the indexer is back", || async { chaos.case.status_if_there().await?.index }).await;
    let report = chaos.case.assert_equal().await;
    assert_alike(&chaos.readers, report.lsn).await;
    done.store(true, Ordering::Relaxed);
    let mut answers = 0;
    for watch in watches.into_values() {
        answers += watch.await.unwrap();
    }
    assert!(answers > 0 && !failed.is_empty(), "{failed:?}");
    let rows = chaos.case.database.connect().await;
    let rows = rows.query("select event_id::text, title from event", &[]).await.unwrap();
    let expected: BTreeSet<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for reader in &chaos.readers {
        assert_eq!(events_of(reader).await, expected, "seed {seed}: {failed:?}");
    }
}
