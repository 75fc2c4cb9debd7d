//! One indexer and many replicas: killed, wiped, paused, started cold, over a store that was emptied. All end at one position and answer alike.

use crate::indexer_cases::Case;
use model::Lsn;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tests::{Database, Indexer, Server, until};

/// Searches that every replica must answer alike.
const QUERIES: [&str; 5] = [
    "include_past=true&limit=100&sort=date",
    "q=bach&include_past=true&limit=100",
    "genre=Orchestral&include_past=true&facets=genre,city&limit=20",
    "include_past=true&sort=availability&limit=100",
    "status=cancelled&status=postponed&include_past=true&limit=100&sort=name",
];

/// A server of searches over a data directory's store, with files of its own.
pub(crate) struct Reader {
    pub(crate) server: Server,
    pub(crate) files: TempDir,
}

impl Reader {
    pub(crate) async fn start(database: &Database, data: &Path) -> Self {
        let files = TempDir::with_prefix("reader-").unwrap();
        let server = serve(database, data, files.path()).await;
        Self { server, files }
    }

    /// After its process was killed.
    pub(crate) async fn start_again(&mut self, database: &Database, data: &Path) {
        self.server = serve(database, data, self.files.path()).await;
    }

    pub(crate) async fn as_of(&self) -> Option<Lsn> {
        answer(&self.server, QUERIES[0]).await.map(|(as_of, _)| as_of)
    }
}

async fn serve(database: &Database, data: &Path, files: &Path) -> Server {
    let store = format!("file://{}", Indexer::store(data).display());
    let server = Server::start_on(database, files, |command| {
        command.args(["--role", "search"]).env("FRONTROW_STORE", store);
    });
    server.await
}

/// Position, and everything else that does not depend on the moment.
async fn answer(server: &Server, query: &str) -> Option<(Lsn, Value)> {
    let answer = reqwest::get(format!("{}/event?{query}", server.base)).await.ok()?;
    let mut body: Value = answer.json().await.ok()?;
    let as_of = body["as_of"].as_str()?.parse().ok()?;
    for moment in ["as_of", "took_ms"] {
        body.as_object_mut()?.remove(moment);
    }
    Some((as_of, body))
}

/// Waits until all are at the publication's position and says what they all answer.
pub(crate) async fn assert_alike(readers: &[Reader], lsn: Lsn) {
    until("all replicas are there", || async {
        for reader in readers {
            if reader.as_of().await? < lsn {
                return None;
            }
        }
        Some(())
    })
    .await;
    for query in QUERIES {
        // Availability may be a moment behind its log.
        until("all replicas answer alike", || async {
            let (_, first) = answer(&readers[0].server, query).await?;
            for reader in &readers[1..] {
                if answer(&reader.server, query).await?.1 != first {
                    return None;
                }
            }
            Some(())
        })
        .await;
    }
}

async fn steps(case: &mut Case, count: u32) {
    for _ in 0..count {
        case.writes.step().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_are_killed_wiped_paused_or_cold_end_alike() {
    let mut case = Case::new().await;
    let (database, data) = (case.database.clone(), case.data.path().to_owned());
    let mut readers = Vec::new();
    for _ in 0..4 {
        readers.push(Reader::start(&database, &data).await);
    }
    steps(&mut case, 40).await;
    readers[0].server.process.kill().await;
    readers[1].server.process.kill().await;
    std::fs::remove_dir_all(readers[1].files.path().join("replica")).unwrap();
    readers[2].server.process.pause();
    steps(&mut case, 120).await;
    readers[0].start_again(&database, &data).await;
    readers[1].start_again(&database, &data).await;
    readers[2].server.process.resume();
    let began = Instant::now();
    readers.push(Reader::start(&database, &data).await);
    assert!(began.elapsed() < Duration::from_secs(30), "a cold start took {:?}", began.elapsed());
    let report = case.assert_equal().await;
    assert_alike(&readers, report.lsn).await;

    // Where a running replica keeps its files, somebody cleans up: what it shows it shows on, and the next publication is whole.
    std::fs::remove_dir_all(readers[3].files.path().join("replica")).unwrap();
    steps(&mut case, 60).await;
    let report = case.assert_equal().await;
    assert_alike(&readers, report.lsn).await;

    let seqs = until("all say that they are there", || async {
        let status = case.status().await;
        let ids: Vec<u32> = readers.iter().map(|reader| reader.server.process.id()).collect();
        let there =
            status.replicas.iter().filter(|replica| ids.contains(&replica.presence.pid) && replica.presence.ready);
        let there: Vec<u64> = there.map(|replica| replica.presence.seq).collect();
        (there.len() == ids.len() && there.iter().all(|seq| Some(*seq) == status.index.as_ref().map(|at| at.seq)))
            .then_some(there)
    })
    .await;
    assert_eq!(seqs.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_emptied_and_filled_again_is_shown_under_the_same_numbers() {
    let mut case = Case::new().await;
    let (database, data) = (case.database.clone(), case.data.path().to_owned());
    steps(&mut case, 30).await;
    case.assert_equal().await;
    let readers = [Reader::start(&database, &data).await];
    assert_eq!(case.generation().await, 1);
    case.indexer.process.kill().await;
    std::fs::remove_dir_all(Indexer::store(&data)).unwrap();
    case.sql(
        "update event set title = 'After the loss'; update availability set seats_left = 7, version = version + 1",
    )
    .await;
    case.indexer = Indexer::start(&database, &data);
    until("an index", || async { case.status_if_there().await?.index }).await;
    assert_eq!(case.generation().await, 1, "numbered from the start");
    let report = case.assert_equal().await;
    assert_alike(&readers, report.lsn).await;
    let (_, shown) = answer(&readers[0].server, "q=after+the+loss&include_past=true&limit=1").await.unwrap();
    assert_eq!(shown["hits"][0]["title"], "After the loss");
}
