//! The `indexer` command: run, reindex, status, verify. Parses, calls the library, prints.

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use indexer::{Observer, Progress, Settings, Status};
use indicatif::{ProgressBar, ProgressStyle};
use search::store::Store;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Keeps the published search index equal to Postgres.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    place: Place,
}

#[derive(Subcommand)]
enum Command {
    /// Copy if there is no usable index, then stream until stopped.
    Run,
    /// Build a new generation from a snapshot while the old one is read, then let it be read; no indexer may be running.
    Reindex,
    /// Show the slot and the published index.
    Status {
        /// One JSON object instead of lines.
        #[arg(long)]
        json: bool,
    },
    /// Compare every document with Postgres; differences are printed and make the exit code 1.
    Verify,
}

#[derive(Args)]
struct Place {
    /// Where Postgres is.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, global = true)]
    database_url: Option<String>,
    /// The data directory: the store is in DIR/store, the working directory in DIR/indexer.
    #[arg(long, env = "FRONTROW_DATA", default_value = "data", value_name = "DIR", global = true)]
    data: PathBuf,
    /// The store's URL, when it is elsewhere.
    #[arg(long, env = "FRONTROW_STORE", value_name = "URL", global = true)]
    store: Option<String>,
    /// Redis, by which other processes hear of publications at once.
    #[arg(long, env = "FRONTROW_REDIS", value_name = "URL", hide_env_values = true, global = true)]
    redis: Option<String>,
    /// The replication slot's name [default: frontrow_<database>].
    #[arg(long, env = "FRONTROW_SLOT", value_name = "NAME", global = true)]
    slot: Option<String>,
}

impl Place {
    fn settings(self) -> anyhow::Result<Settings> {
        let database_url = self.database_url.context("DATABASE_URL is not set; it names the database to index")?;
        let data = std::path::absolute(&self.data).context("use the data directory")?;
        let store = self.store.unwrap_or_else(|| format!("file://{}", data.join("store").display()));
        let mut store = Store::open(&store)?;
        if let Some(redis) = self.redis.filter(|url| !url.is_empty()) {
            store = store.with_redis(&redis)?;
        }
        Ok(Settings { database_url, store, work_dir: data.join("indexer"), slot: self.slot })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| "info,tantivy=warn,pgwire_replication=off".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    match command(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            let said = writeln!(std::io::stderr(), "indexer: {}", indexer::sentence(error.as_ref()));
            said.map_or(ExitCode::FAILURE, |()| ExitCode::FAILURE)
        }
    }
}

async fn command(cli: Cli) -> anyhow::Result<ExitCode> {
    let settings = cli.place.settings()?;
    let mut out = std::io::stdout().lock();
    match cli.command {
        Command::Run => {
            drop(out);
            let stop = CancellationToken::new();
            tokio::spawn(stop_on_signal(stop.clone()));
            indexer::run(settings, observer(), stop).await?;
        }
        Command::Reindex => {
            drop(out);
            let stop = CancellationToken::new();
            tokio::spawn(stop_on_signal(stop.clone()));
            indexer::reindex(settings, observer(), stop).await?;
        }
        Command::Status { json: true } => {
            writeln!(out, "{}", serde_json::to_string(&indexer::status(&settings).await?)?)?;
        }
        Command::Status { json: false } => print_status(&mut out, &indexer::status(&settings).await?)?,
        Command::Verify => {
            let report = indexer::verify(&settings).await?;
            for found in &report.differences {
                let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "nothing".into());
                writeln!(out, "{} {}", found.kind, found.id)?;
                writeln!(out, "  postgres: {}", side(&found.postgres))?;
                writeln!(out, "  index:    {}", side(&found.index))?;
            }
            let (generation, seq, lsn) = (report.generation, report.seq, report.lsn);
            let (documents, availability) = (report.documents, report.availability);
            let place = format!("generation {generation}, publication {seq}, {lsn}");
            if !report.differences.is_empty() {
                bail!(
                    "{} of {documents} documents and {availability} availabilities differ at {place}",
                    report.differences.len()
                );
            }
            writeln!(out, "equal: {documents} documents and {availability} availabilities at {place}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn stop_on_signal(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    stop.cancel();
}

/// A bar while copying, on a terminal; log lines for the rest.
fn observer() -> Observer {
    let bar = if std::io::stderr().is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("copying {bar:40} {human_pos}/{human_len} events, {per_sec}, {eta}")
    {
        bar.set_style(style);
    }
    Arc::new(move |progress| match progress {
        Progress::Copying { events, events_estimate } => {
            bar.set_length((*events_estimate).max(*events));
            bar.set_position(*events);
        }
        Progress::Published { generation, seq, lsn, documents } => {
            if !bar.is_finished() {
                bar.finish_and_clear();
                tracing::info!(generation, seq, wal.lsn = %lsn, documents, "published");
            }
        }
        Progress::Availability { .. } => {}
    })
}

fn print_status(out: &mut impl std::io::Write, status: &Status) -> std::io::Result<()> {
    writeln!(out, "slot        {} ({})", status.slot, status.slot_state)?;
    if let (Some(lag_bytes), Some(confirmed)) = (status.lag_bytes, status.confirmed) {
        writeln!(out, "lag         {lag_bytes} bytes after {confirmed}")?;
    }
    let Some(index) = &status.index else { return writeln!(out, "index       none") };
    writeln!(out, "generation  {} (epoch {})", index.generation, index.epoch)?;
    writeln!(out, "publication {} at {}", index.seq, index.lsn)?;
    writeln!(out, "documents   {} in {} segments, {} bytes", index.documents, index.segments, index.bytes)
}
