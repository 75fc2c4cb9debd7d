//! What the binary says on its terminal: the one place that prints. Logs go to standard error through `tracing`.

use crate::config;
use std::io::{IsTerminal as _, Write as _};

/// A line on standard output, for people and for scripts that wait for it.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A closed pipe is the reader's choice: nothing is left to tell it.
    if writeln!(out, "{line}").is_ok() {
        out.flush().ok();
    }
}

/// A sentence on standard error.
pub fn complain(sentence: &str) {
    writeln!(std::io::stderr().lock(), "frontrow: {sentence}").ok();
}

/// Starts the log: `RUST_LOG` filters, `FRONTROW_LOG=json` makes each line an object.
pub fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,tantivy=warn,sqlx=warn"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = if config::log_is_json() { log.json().try_init() } else { log.try_init() };
    if let Err(error) = started {
        complain(&format!("the log was already started: {error}"));
    }
}
