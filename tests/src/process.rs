//! A program under test: in a process group of its own, its output kept, ended with its group when the handle goes.

use crate::cluster;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A running program and the file that its output goes to.
pub struct Process {
    child: Child,
    output: PathBuf,
    registered: PathBuf,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` with standard output and error in one file.
    pub fn spawn(command: &mut Command) -> Self {
        let (file, output) =
            tempfile::Builder::new().prefix("output-").tempfile_in(&cluster::shared().dir).unwrap().keep().unwrap();
        let errors: File = file.try_clone().unwrap();
        let child = command.stdin(Stdio::null()).stdout(file).stderr(errors).process_group(0).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let registered = cluster::shared().dir.join("processes").join(child.id().to_string());
        fs::write(&registered, "").unwrap();
        Self { child, output, registered, status: None }
    }

    /// The process id, which is the group's too.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    /// Waits for a whole line that begins with `prefix` and gives the rest of it.
    pub async fn line(&mut self, prefix: &str, limit: Duration) -> String {
        let start = std::time::Instant::now();
        loop {
            let output = self.output();
            let whole = output.rsplit_once('\n').map_or("", |(whole, _)| whole);
            if let Some(rest) = whole.lines().find_map(|line| line.strip_prefix(prefix)) {
                return rest.trim().to_owned();
            }
            let status = self.poll();
            assert!(status.is_none(), "ended with {status:?} before it printed {prefix:?}:\n{output}");
            assert!(start.elapsed() < limit, "no line {prefix:?} within {limit:?}:\n{output}");
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    /// How it ended, if it has.
    pub fn poll(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().unwrap();
        }
        self.status
    }

    /// Waits for its end.
    pub async fn end(&mut self) -> ExitStatus {
        let start = std::time::Instant::now();
        loop {
            if let Some(status) = self.poll() {
                return status;
            }
            assert!(start.elapsed() < crate::DEADLINE, "still running:\n{}", self.output());
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    /// Ctrl-C: the interrupt signal to the whole group, as a terminal sends it.
    pub fn interrupt(&self) {
        self.signal("INT");
    }

    /// `kill -9` of the whole group, and the wait for its end.
    pub async fn kill(&mut self) {
        self.signal("KILL");
        self.end().await;
    }

    /// Stops it where it stands, until [`Process::resume`].
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let group = format!("-{}", self.child.id());
        // The shell's own: a small machine has no program of that name.
        let kill = ["-c", r#"kill -s "$1" -- "$2""#, "kill", signal, &group];
        Command::new("sh").args(kill).stderr(Stdio::null()).status().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The test has failed: what its programs said is what one wants to read next.
            std::io::Write::write_all(&mut std::io::stderr(), self.output().as_bytes()).ok();
        }
        if self.poll().is_none() {
            self.signal("KILL");
            self.child.wait().ok();
        }
        fs::remove_file(&self.registered).ok();
    }
}

/// The repository's root.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A binary of the workspace in this build's profile. `./test` builds them first; so must whoever runs cargo by hand.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let path = exe.parent().unwrap().parent().unwrap().join(name);
    assert!(path.exists(), "{} is not built: cargo build --bins", path.display());
    path
}
