//! The time of day as a program is told it, which a test may move: by libfaketime, which stands between a program and its system.
//!
//! Time that only passes is left as it is, as it is when somebody sets a machine's clock.

use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// A clock of its own for one program.
pub struct WallClock {
    dir: TempDir,
    library: String,
}

impl WallClock {
    /// A clock that is right.
    #[must_use]
    pub fn new() -> Self {
        let found = Command::new("faketime").args(["-f", "+0", "printenv", "LD_PRELOAD"]).output().unwrap();
        let library = String::from_utf8(found.stdout).unwrap().trim().to_owned();
        let clock = Self { dir: TempDir::with_prefix("frontrow-clock-").unwrap(), library };
        clock.step_s(0);
        clock
    }

    /// Has the program go by it.
    pub fn rule(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", self.file())
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }

    /// From now on it is so many seconds fast, or slow.
    pub fn step_s(&self, seconds: i64) {
        // Renamed, so that nobody reads half of it.
        let new = self.dir.path().join("new");
        std::fs::write(&new, format!("{seconds:+}s")).unwrap();
        std::fs::rename(new, self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("clock")
    }
}

impl Default for WallClock {
    fn default() -> Self {
        Self::new()
    }
}
