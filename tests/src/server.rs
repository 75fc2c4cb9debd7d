//! The real binaries on a test's database: `frontrow serve` and `indexer run`, each with its own directory and a free port.

use crate::{Client, Database, Process, binary, until};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const START_LIMIT: Duration = Duration::from_secs(90);

/// A running site.
pub struct Server {
    /// Where it answers: `http://127.0.0.1:PORT`.
    pub base: String,
    /// The program.
    pub process: Process,
    data: Option<TempDir>,
}

impl Server {
    /// Everything in one process, on a data directory that goes with it.
    pub async fn start(database: &Database) -> Self {
        let data = TempDir::with_prefix("frontrow-data-").unwrap();
        let mut server = Self::start_on(database, data.path(), |_| {}).await;
        server.data = Some(data);
        server
    }

    /// Starts on a given data directory, without rate limits; `adjust` may add arguments and environment to the command.
    pub async fn start_on(database: &Database, data: &Path, adjust: impl FnOnce(&mut Command)) -> Self {
        let mut command = serve(database, data, "127.0.0.1:0");
        adjust(&mut command);
        let mut process = Process::spawn(&mut command);
        let base = process.line("ready ", START_LIMIT).await;
        Self { base, process, data: None }
    }

    /// The same, but waits only until it listens: there may be no index that it could become ready with.
    pub async fn listening_on(database: &Database, data: &Path, adjust: impl FnOnce(&mut Command)) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = serve(database, data, &free.to_string());
        adjust(&mut command);
        let server = Self { base: format!("http://{free}"), process: Process::spawn(&mut command), data: None };
        let address = format!("{}/healthz", server.base);
        until("it listens", async || reqwest::get(&address).await.ok().filter(|answer| answer.status().is_success()))
            .await;
        server
    }

    /// The program `frontrow` with these arguments, without a developer's own settings.
    #[must_use]
    pub fn frontrow(args: &[&str]) -> Command {
        let mut command = Command::new(binary("frontrow"));
        command.args(args);
        clean_environment(&mut command);
        command
    }

    /// The data directory, where this server made it.
    #[must_use]
    pub fn data(&self) -> Option<&Path> {
        self.data.as_ref().map(TempDir::path)
    }

    /// A visitor who is nobody yet.
    #[must_use]
    pub fn visitor(&self) -> Client {
        Client::new(&self.base)
    }

    /// A new person, registered and logged in.
    pub async fn buyer(&self) -> Client {
        Client::registered(&self.base).await
    }
}

/// A running `indexer run`.
pub struct Indexer {
    /// The program.
    pub process: Process,
}

impl Indexer {
    /// Streams `database` into the store of `data`, as `frontrow serve --data` lays it out.
    #[must_use]
    pub fn start(database: &Database, data: &Path) -> Self {
        Self { process: Process::spawn(&mut Self::command(database, data, &["run"])) }
    }

    /// The `indexer` program with these arguments, on a test's database and data directory.
    #[must_use]
    pub fn command(database: &Database, data: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(binary("indexer"));
        command.args(args).args(["--database-url", &database.url, "--data"]).arg(data);
        clean_environment(&mut command);
        command
    }

    /// Where the index store is under a data directory.
    #[must_use]
    pub fn store(data: &Path) -> PathBuf {
        data.join("store")
    }
}

fn serve(database: &Database, data: &Path, addr: &str) -> Command {
    let mut command = Command::new(binary("frontrow"));
    command.args(["serve", "--role", "all", "--addr", addr, "--database-url", &database.url, "--data"]).arg(data);
    clean_environment(&mut command);
    // All visitors of a test come from one address, as fast as they can.
    command.env("FRONTROW_LIMITS", "off");
    command
}

/// A developer's own settings have no part in a test.
fn clean_environment(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FRONTROW_") {
            command.env_remove(&name);
        }
    }
    command.env_remove("DATABASE_URL");
}
