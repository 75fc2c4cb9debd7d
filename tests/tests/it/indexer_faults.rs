//! What fails around an indexer: Postgres, its log, its publication, the store, the disk. After each, the same process or the next one goes
//! on by itself, or says in one sentence what to do; every document equals Postgres, and the old index is read meanwhile.

use crate::indexer_cases::Case;
use model::Lsn;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::{Database, Indexer, Postgres, Process, until};

/// A store that can be taken away and given back, as a disk that is unmounted: whoever has it open included.
pub(crate) struct Detachable {
    store: PathBuf,
    away: PathBuf,
}

impl Detachable {
    /// The store of a data directory.
    pub(crate) fn of(data: &Path) -> Self {
        Self { store: Indexer::store(data), away: data.join("store-away") }
    }

    /// Every read and write fails from here on: where the directory was, there is a file.
    pub(crate) fn detach(&self) {
        fs::rename(&self.store, &self.away).unwrap();
        // Whoever wrote in just this moment made a directory.
        while fs::File::create_new(&self.store).is_err() {
            fs::remove_dir_all(&self.store).ok();
        }
    }

    pub(crate) fn attach(&self) {
        fs::remove_file(&self.store).unwrap();
        while fs::rename(&self.away, &self.store).is_err() {
            fs::remove_dir_all(&self.store).ok();
        }
    }
}

async fn slot_is(database: &Database, condition: &str) {
    let sql = format!("select count(*) from pg_replication_slots where database = current_database() and {condition}");
    until(condition, || async { (database.number(&sql).await == 1).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_postgres_gave_up_makes_a_new_generation_while_the_old_one_is_read() {
    let postgres = Postgres::start("-c max_slot_wal_keep_size=16MB -c max_wal_size=32MB -c min_wal_size=32MB").await;
    let mut case = Case::on(postgres.database()).await;
    case.indexer.process.pause();
    until("the slot is lost", || async {
        case.sql("update event set popularity = popularity + 1; select pg_switch_wal(); checkpoint").await;
        (case.status().await.slot_state == "lost").then_some(())
    })
    .await;
    assert_eq!(case.generation().await, 1, "still read");
    case.indexer.process.resume();
    until("generation 2", || async { (case.generation().await == 2).then_some(()) }).await;
    case.assert_equal().await;
    assert!(case.indexer.process.poll().is_none(), "the same process: {}", case.indexer.process.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_crashed_is_followed_again() {
    let postgres = Postgres::start("").await;
    let mut case = Case::on(postgres.database()).await;
    for round in 0..2 {
        case.sql(&format!("update event set title = 'Before crash {round}'")).await;
        postgres.crash();
        postgres.start_again();
        case.writes.reconnect().await;
        case.sql("update venue set name = name || ' again'; delete from event_tier where tier = 1").await;
        case.assert_equal().await;
    }
    assert_eq!(case.generation().await, 1);
    assert!(case.indexer.process.poll().is_none(), "{}", case.indexer.process.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_standby_is_copied_anew_for_it_may_lack_what_was_indexed() {
    let primary = Postgres::start("").await;
    let mut case = Case::on(primary.database()).await;
    let standby = primary.standby();
    case.sql("update event set title = 'On both'").await;
    case.assert_equal().await;
    standby.crash();
    // The standby never hears of this.
    case.sql("update event set title = 'On the primary alone'; delete from event_artist").await;
    case.assert_equal().await;
    let _promoted = primary.succeeded_by(standby);
    case.writes.reconnect().await;
    until("generation 2", || async { (case.status_if_there().await?.index?.generation == 2).then_some(()) }).await;
    case.sql("update event set popularity = 3").await;
    case.assert_equal().await;
    assert!(case.indexer.process.poll().is_none(), "the same process: {}", case.indexer.process.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publication_that_was_made_anew_under_a_live_slot_makes_a_new_generation() {
    let mut case = Case::new().await;
    let members =
        "select string_agg(format('%I', tablename), ', ') from pg_publication_tables where pubname = 'frontrow'";
    let tables: String = case.database.connect().await.query_one(members, &[]).await.unwrap().get(0);
    case.indexer.process.pause();
    case.sql("drop publication frontrow; update event set title = 'Out of sight'").await;
    case.sql(&format!("create publication frontrow for table {tables}")).await;
    case.indexer.process.resume();
    until("generation 2", || async { (case.generation().await == 2).then_some(()) }).await;
    case.sql("update event set popularity = 8").await;
    case.assert_equal().await;
    assert!(case.indexer.process.poll().is_none(), "the same process: {}", case.indexer.process.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_out_of_the_publication_for_a_while_is_noticed() {
    let mut case = Case::new().await;
    case.sql("alter publication frontrow drop table venue; update venue set name = 'Nobody heard'").await;
    case.sql("alter publication frontrow add table venue").await;
    until("generation 2", || async { (case.generation().await == 2).then_some(()) }).await;
    case.assert_equal().await;

    case.sql("alter publication frontrow drop table venue").await;
    assert_eq!(case.indexer.process.end().await.code(), Some(1));
    let said = case.indexer.process.output();
    assert!(
        said.ends_with("indexer: the publication frontrow lacks the table venue; run: frontrow migrate\n"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn retyped_columns_are_read_on() {
    let case = Case::new().await;
    case.sql(
        "alter table artist alter column version type numeric; update artist set version = version + 1;
         alter table event alter column popularity type bigint; alter table event alter column title type varchar;
         update event set title = 'Retyped', popularity = 12",
    )
    .await;
    case.assert_equal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_database_holds_no_log_back() {
    let postgres = Postgres::start("").await;
    let case = Case::on(postgres.database()).await;
    let elsewhere = postgres.other_database().connect().await;
    // Another database writes; nothing of it is ever streamed.
    elsewhere.batch_execute("create table noise as select generate_series(1, 100000) n").await.unwrap();
    let lsn = postgres.other_database().lsn().await;
    slot_is(&case.database, &format!("confirmed_flush_lsn >= '{lsn}'")).await;
    case.assert_equal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_is_waited_for() {
    let mut case = Case::new().await;
    let store = Detachable::of(case.data.path());
    for title in ["One", "Two"] {
        store.detach();
        case.sql(&format!("update event set title = '{title}'; update artist set name = 'The ' || name")).await;
        until("it waits", || async { case.indexer.process.output().contains("starting again").then_some(()) }).await;
        store.attach();
        case.assert_equal().await;
    }
    assert_eq!(case.generation().await, 1);
    assert!(case.indexer.process.poll().is_none(), "{}", case.indexer.process.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing() {
    let mut case = Case::new().await;
    case.indexer.process.kill().await;
    case.indexer = Indexer { process: Process::spawn(&mut hears_of_full_disks(&case)) };
    case.assert_equal().await;
    // No file may grow longer: writes fail as they do on a full disk.
    let limit = |bytes: &str| {
        let pid = case.indexer.process.id().to_string();
        let done = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:")]).status().unwrap();
        assert!(done.success());
    };
    limit("524288");
    case.writes.many_events(3_000).await;
    until("it waits", || async { case.indexer.process.output().contains("starting again").then_some(()) }).await;
    limit("unlimited");
    case.assert_equal().await;
    assert_eq!(case.generation().await, 1);
    assert!(case.indexer.process.poll().is_none(), "{}", case.indexer.process.output());
}

/// An indexer to which a limit on a file's length is an error, not a signal.
fn hears_of_full_disks(case: &Case) -> Command {
    let indexer = Indexer::command(&case.database, case.data.path(), &["run"]);
    let mut command = Command::new("sh");
    command.args(["-c", r#"trap '' XFSZ; exec "$@""#, "sh"]).arg(indexer.get_program()).args(indexer.get_args());
    for (name, value) in indexer.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// Rows in one transaction; the long run takes a million.
fn rows() -> u32 {
    std::env::var("FRONTROW_TRANSACTION_ROWS").map_or(60_000, |rows| rows.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_of_any_size_needs_bounded_memory() {
    const PEAK_KB_MAX: u64 = 700 << 10;
    let case = Case::new().await;
    let rows = rows();
    case.sql(&format!(
        "insert into artist (artist_id, name) select gen_random_uuid(), md5(n::text) from generate_series(1, {rows}) n"
    ))
    .await;
    until("all of it is published", || async {
        (case.status().await.index.unwrap().documents > u64::from(rows)).then_some(())
    })
    .await;
    case.sql("update artist set name = 'The ' || name").await;
    case.assert_equal().await;
    let peak_kb = peak_kb(&case.indexer.process);
    assert!(peak_kb < PEAK_KB_MAX, "{rows} rows took {peak_kb} KiB");
    let lsn: Lsn = case.status().await.index.unwrap().lsn;
    slot_is(&case.database, &format!("confirmed_flush_lsn >= '{lsn}'")).await;
}

/// The most memory that a process ever held.
fn peak_kb(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
