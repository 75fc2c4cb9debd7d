//! A venue's or artist's change reaches all their events, a batch with each commit, and nobody else's change waits for that.

use crate::indexer_cases::Case;
use crate::indexer_writes::settings;
use model::Lsn;
use search::manifest::{Alias, Head, Manifest};
use serde_json::Value;
use tests::{Indexer, until};

/// Enough for several batches.
const EVENTS: u32 = 3_000;

/// A publication's position for readers, and the position up to which its indexer has applied rows.
async fn positions(case: &Case) -> Option<(Lsn, Lsn)> {
    let store = settings(&case.database, case.data.path()).store;
    let (Alias { generation }, _) = Alias::read(&store).await.ok()??;
    let (head, _) = Head::read(&store, generation).await.ok()??;
    // Its packs and itself may be gone when it was succeeded in between.
    let manifest = Manifest::read(&store, generation, &head).await.ok()?;
    let meta: Value = serde_json::from_str(manifest.index_meta.get()).unwrap();
    let payload: Value = serde_json::from_str(meta["payload"].as_str().unwrap()).unwrap();
    assert_eq!(manifest.lsn, head.lsn);
    Some((head.lsn, payload["lsn"].as_str().unwrap().parse().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_house_of_many_events_holds_up_nobody_and_reaches_them_all_whatever_is_killed() {
    let mut case = Case::new().await;
    case.sql("update event set venue_id = (select min(venue_id::text)::uuid from venue)").await;
    case.writes.many_events(EVENTS).await;
    case.sql("update event set venue_id = (select min(venue_id::text)::uuid from venue) where random() < 0.9").await;
    case.assert_equal().await;

    let before = case.database.lsn().await;
    case.sql("update venue set name = 'Renamed' where venue_id = (select min(venue_id::text)::uuid from venue)").await;
    case.sql("update event set title = 'Not held up' where slot = 7").await;
    let after = case.database.lsn().await;
    let (whole, applied) = until("the other event's change, before the house's has reached every event", || async {
        positions(&case).await.filter(|(_, applied)| *applied >= after)
    })
    .await;
    assert!(whole <= before, "{whole} of {applied} is told, and the house's change after {before} has not arrived");
    case.indexer.process.kill().await;
    let (whole, _) = until("a publication", || positions(&case)).await;
    assert!(whole <= before, "killed on the way");

    case.indexer = Indexer::start(&case.database, case.data.path());
    case.sql("update artist set name = name || ' renamed'").await;
    case.sql("update venue set name = 'Renamed again' where venue_id = (select min(venue_id::text)::uuid from venue)")
        .await;
    for _ in 0..60 {
        case.writes.step().await;
    }
    case.assert_equal().await;
    let last = case.database.lsn().await;
    until("everything", || async {
        positions(&case).await.filter(|(whole, applied)| whole == applied && *whole >= last)
    })
    .await;
}
