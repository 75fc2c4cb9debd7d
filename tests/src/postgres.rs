//! A cluster of a test's own: stopped, started again, copied to a standby that is promoted in its place.

use crate::Database;
use crate::cluster::{self, launch, launch_anywhere, succeed, tool};
use crate::database::{TEMPLATE, make_template, url};
use std::path::PathBuf;
use std::process::Stdio;

/// Tries of a start: each waits until it has come to something.
const STARTS_MAX: u32 = 20;

/// A running cluster with logical replication. It goes with the test run.
pub struct Postgres {
    port: u16,
    dir: PathBuf,
    settings: &'static str,
}

impl Postgres {
    /// Makes one with `settings` such as `-c max_wal_size=64MB`.
    pub async fn start(settings: &'static str) -> Self {
        let made = tokio::task::spawn_blocking(move || {
            let dir = cluster::directory();
            let port = cluster::start(&dir, &logical(settings));
            make_template(port);
            Self { port, dir, settings }
        });
        made.await.unwrap()
    }

    /// Its database, with every migration applied.
    #[must_use]
    pub fn database(&self) -> Database {
        Database { name: TEMPLATE.to_owned(), url: url(self.port, TEMPLATE) }
    }

    /// Any other of its databases.
    #[must_use]
    pub fn other_database(&self) -> Database {
        Database { name: "postgres".to_owned(), url: url(self.port, "postgres") }
    }

    /// As when the machine dies: no process of it gets to say goodbye.
    pub fn crash(&self) {
        succeed(self.control("stop").args(["-m", "immediate"]));
    }

    /// `kill -9` of the postmaster alone: its children find out by themselves.
    pub fn kill(&self) {
        let pid = std::fs::read_to_string(self.dir.join("data/postmaster.pid")).unwrap();
        let kill = ["-c", r#"kill -s KILL "$1""#, "kill", pid.lines().next().unwrap_or_default()];
        succeed(std::process::Command::new("sh").args(kill));
    }

    /// Starts it again after a crash: tried again while something of the old one is left.
    pub fn start_again(&self) {
        let started = (0..STARTS_MAX).any(|_| launch(&self.dir, self.port, &logical(self.settings)));
        assert!(started, "Postgres does not start again");
    }

    /// A copy that follows it.
    #[must_use]
    pub fn standby(&self) -> Self {
        self.standby_with(self.settings)
    }

    fn standby_with(&self, settings: &'static str) -> Self {
        let dir = cluster::directory();
        let mut copy = tool(&dir, "pg_basebackup");
        copy.args([
            "--host=127.0.0.1",
            "--username=postgres",
            "--checkpoint=fast",
            "--no-sync",
            "--write-recovery-conf",
        ]);
        succeed(copy.arg(format!("--port={}", self.port)).arg("--pgdata").arg(dir.join("data")));
        let port = launch_anywhere(&dir, &logical(settings));
        Self { port, dir, settings }
    }

    /// A copy that has whatever it acknowledges: from now on no commit is answered before it is there.
    #[must_use]
    pub fn synchronous_standby(&self) -> Self {
        // Only its processes die, so that what they wrote need not reach the disk.
        let standby = self.standby_with("-c fsync=off");
        for sql in ["alter system set synchronous_standby_names = '*'", "select pg_reload_conf()"] {
            let port = format!("--port={}", self.port);
            let psql = ["--quiet", "--no-psqlrc", "--host=127.0.0.1", "--username=postgres", &port, "--command", sql];
            succeed(tool(&self.dir, "psql").args(psql));
        }
        standby
    }

    /// Ends a primary for good and lets its standby, which may have crashed before, answer at its address as its successor.
    #[must_use]
    pub fn succeeded_by(self, mut standby: Self) -> Self {
        self.crash();
        // Of one that has crashed it says so, and that is as well.
        standby.control("stop").args(["-m", "immediate"]).status().unwrap();
        standby.port = self.port;
        standby.start_again();
        succeed(&mut standby.control("promote"));
        standby
    }

    fn control(&self, action: &str) -> std::process::Command {
        let mut command = tool(&self.dir, "pg_ctl");
        command.arg(action).args(["-w", "-t", "60", "-D"]).arg(self.dir.join("data"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

fn logical(settings: &str) -> String {
    format!("-c wal_level=logical {settings}")
}
