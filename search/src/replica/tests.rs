//! A replica against a published index: cold, wiped, damaged, behind, and over a change of generation.

use super::*;
use crate::availability::{Change, Log};
use crate::fixture::{Publisher, event, now};
use crate::manifest::pack_path;
use crate::request::Request;
use crate::store::Durability;
use std::fs::File;
use tokio::task::JoinHandle;

struct Rig {
    dir: tempfile::TempDir,
    store: Store,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

const PATIENCE: Duration = Duration::from_secs(20);

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("file://{}", dir.path().join("store").display())).unwrap();
        Self { dir, store, stop: CancellationToken::new(), task: None }
    }

    fn work_dir(&self) -> PathBuf {
        self.dir.path().join("replica")
    }

    fn start(&mut self) -> Replica {
        let options =
            Options { poll_interval: Duration::from_millis(5), lag_max: Duration::from_millis(1), table: None };
        let replica = Replica::open(self.store.clone(), self.work_dir(), options).unwrap();
        self.stop = CancellationToken::new();
        let (running, stop) = (replica.clone(), self.stop.clone());
        self.task = Some(tokio::spawn(async move { running.run(stop).await }));
        replica
    }

    async fn stop(&mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            task.await.unwrap();
        }
    }
}

fn total(replica: &Replica) -> u64 {
    let request = Request::parse("include_past=true&status=scheduled&status=postponed&status=cancelled").unwrap();
    replica.current().unwrap().search(&request, now()).unwrap().total
}

#[tokio::test]
async fn a_commit_becomes_visible_and_old_files_go() {
    let mut rig = Rig::new();
    let replica = rig.start();
    assert!(replica.current().is_none() && !replica.ready());
    let mut publisher = Publisher::new(rig.store.clone(), 1);
    publisher.write(&(0..40).map(event).collect::<Vec<_>>(), &[]);
    let first = publisher.publish(10).await;
    publisher.point_alias().await;
    replica.wait_for(Lsn(10), PATIENCE).await.unwrap();
    assert_eq!((total(&replica), replica.ready()), (40, true));

    // Merged: every old file is superfluous once nobody reads the old view.
    publisher.write(&(0..41).map(event).collect::<Vec<_>>(), &[]);
    publisher.merge();
    publisher.publish(20).await;
    replica.wait_for(Lsn(20), PATIENCE).await.unwrap();
    assert_eq!(total(&replica), 41);
    let late = replica.wait_for(Lsn(21), Duration::from_millis(1)).await;
    assert_eq!(late, Err(NotYet { wanted: Lsn(21), shown: Lsn(20) }));
    publisher.write(&[event(41)], &[]);
    publisher.publish(30).await;
    replica.wait_for(Lsn(30), PATIENCE).await.unwrap();
    assert!(first.files.iter().all(|file| !rig.work_dir().join("g1").join(&file.name).exists()));
    rig.stop().await;
}

#[tokio::test]
async fn a_cold_wiped_or_damaged_directory_is_made_whole() {
    let mut rig = Rig::new();
    let mut publisher = Publisher::new(rig.store.clone(), 1);
    publisher.write(&(0..30).map(event).collect::<Vec<_>>(), &[]);
    let manifest = publisher.publish(10).await;
    publisher.point_alias().await;
    for damage in ["none", "wipe", "truncate", "flip"] {
        let index = rig.work_dir().join("g1");
        let file = index.join(&manifest.files[0].name);
        match damage {
            "wipe" => std::fs::remove_dir_all(&index).unwrap(),
            "truncate" => File::options().write(true).open(&file).unwrap().set_len(3).unwrap(),
            "flip" => {
                let mut bytes = std::fs::read(&file).unwrap();
                bytes[0] ^= 1;
                std::fs::write(&file, bytes).unwrap();
            }
            _ => {}
        }
        let replica = rig.start();
        replica.wait_for(Lsn(10), PATIENCE).await.unwrap();
        assert_eq!(total(&replica), 30, "{damage}");
        let bytes = std::fs::read(&file).unwrap();
        assert_eq!(crc32fast::hash(&bytes), manifest.files[0].crc32, "{damage}");
        rig.stop().await;
    }
}

#[tokio::test]
async fn a_damaged_pack_is_refused_until_it_is_whole() {
    let mut rig = Rig::new();
    let replica = rig.start();
    let mut publisher = Publisher::new(rig.store.clone(), 1);
    publisher.write(&(0..10).map(event).collect::<Vec<_>>(), &[]);
    publisher.publish(10).await;
    publisher.point_alias().await;
    replica.wait_for(Lsn(10), PATIENCE).await.unwrap();

    publisher.write(&(10..20).map(event).collect::<Vec<_>>(), &[]);
    let spoil = |manifest: &Manifest| pack_path(1, manifest.files.iter().map(|file| file.pack).max().unwrap());
    rig.stop().await;
    let manifest = publisher.publish(20).await;
    let pack = spoil(&manifest);
    let good = rig.store.get(&pack).await.unwrap().unwrap();
    let mut bad = good.to_vec();
    for byte in &mut bad {
        *byte ^= 0x55;
    }
    rig.store.put(&pack, bad.into(), Durability::Visible).await.unwrap();

    // The running replica's handle goes on with its last view, not ready; a good pack heals it.
    let (running, stop) = (replica.clone(), CancellationToken::new());
    let task = tokio::spawn({
        let stop = stop.clone();
        async move { running.run(stop).await }
    });
    while replica.ready() {
        tokio::task::yield_now().await;
    }
    assert_eq!((total(&replica), *replica.shown().borrow()), (10, Lsn(10)));
    rig.store.put(&pack, good, Durability::Visible).await.unwrap();
    replica.wait_for(Lsn(20), PATIENCE).await.unwrap();
    assert_eq!(total(&replica), 20);
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn a_generation_is_followed_once_it_has_caught_up() {
    let mut rig = Rig::new();
    let replica = rig.start();
    let mut blue = Publisher::new(rig.store.clone(), 1);
    blue.write(&(0..5).map(event).collect::<Vec<_>>(), &[]);
    blue.publish(50).await;
    blue.point_alias().await;
    replica.wait_for(Lsn(50), PATIENCE).await.unwrap();
    let mut green = Publisher::new(rig.store.clone(), 2);
    green.write(&(0..7).map(event).collect::<Vec<_>>(), &[]);
    green.publish(40).await;
    green.point_alias().await;
    green.write(&[event(7)], &[]);
    green.publish(60).await;
    let mut shown = replica.shown();
    shown.wait_for(|lsn| *lsn > Lsn(50)).await.unwrap();
    assert_eq!((*replica.shown().borrow(), total(&replica)), (Lsn(60), 8));
    assert!(!rig.work_dir().join("g1").exists());
    rig.stop().await;
}

#[test]
fn nothing_older_is_ever_shown() {
    let head = |seq, lsn| Head { epoch: 1, seq, lsn: Lsn(lsn) };
    assert!(is_newer(None, (1, head(1, 5))));
    assert!(is_newer(Some((1, head(1, 5))), (1, head(2, 5))));
    assert!(!is_newer(Some((1, head(2, 5))), (1, head(2, 5))));
    assert!(!is_newer(Some((1, head(2, 5))), (1, head(3, 4))));
    assert!(is_newer(Some((1, head(2, 5))), (1, head(1, 6))), "of a store that was emptied and filled again");
    assert!(!is_newer(Some((1, head(2, 5))), (2, head(9, 4))));
    assert!(is_newer(Some((1, head(2, 5))), (2, head(1, 5))));
}

#[tokio::test]
async fn availability_arrives_without_a_new_index() {
    let mut rig = Rig::new();
    let replica = rig.start();
    let mut publisher = Publisher::new(rig.store.clone(), 1);
    publisher.write(&(0..9).map(event).collect::<Vec<_>>(), &[]);
    publisher.publish(10).await;
    publisher.point_alias().await;
    replica.wait_for(Lsn(10), PATIENCE).await.unwrap();
    let view = replica.current().unwrap();
    let mut log = Log::create(rig.store.clone(), 1, 1, &[]).await.unwrap();
    log.append(&[Change { slot: 4, version: 1, seats_left: 0, price_min: None }], Durability::Visible).await.unwrap();
    let sold_out = || view.event(event(4).event_id, now()).unwrap().unwrap().seats_left == 0;
    while !sold_out() {
        tokio::task::yield_now().await;
    }
    rig.stop().await;
}
