//! The `indexer` command: run, reindex, rollback, status, verify, gc. Parses, calls the library, prints.

mod table;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use indexer::{Mode, Observer, Pace, Progress, Report, Settings, Target};
use indicatif::{ProgressBar, ProgressStyle};
use search::store::Store;
use std::io::{IsTerminal as _, Write as _};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
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
    /// Build a new generation beside the running indexer and hand it over. Killed, it goes on where it was when it is called again.
    Reindex {
        /// Events written a second at most.
        #[arg(long, value_name = "N")]
        events_per_s: Option<NonZeroU32>,
    },
    /// Make a new generation out of an earlier publication and what differs from it in Postgres now, then hand it over.
    Rollback {
        /// The publication's number [default: the last one that `status` lists].
        #[arg(long, value_name = "SEQ")]
        to: Option<u64>,
        /// Its generation [default: the one that is read].
        #[arg(long, value_name = "N")]
        generation: Option<u32>,
    },
    /// Show the slot, the published index, what can be rolled back to and who reads.
    Status {
        /// One JSON object instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Compare every document with Postgres; differences are printed and make the exit code 1.
    Verify,
    /// Delete from the store what nobody needs any more.
    Gc {
        /// Age until which publications are kept to roll back to [default: 3600].
        #[arg(long, value_name = "SECONDS")]
        keep_s: Option<u64>,
        /// Only list it.
        #[arg(long)]
        dry_run: bool,
    },
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
    let stop = CancellationToken::new();
    match cli.command {
        Command::Run => {
            tokio::spawn(stop_on_signal(stop.clone()));
            indexer::run(settings, observer(), stop).await?;
        }
        Command::Reindex { events_per_s } => {
            tokio::spawn(stop_on_signal(stop.clone()));
            let generation = indexer::reindex(settings, Pace { events_per_s }, observer(), stop).await?;
            writeln!(std::io::stdout(), "generation {generation} is read")?;
        }
        Command::Rollback { to, generation } => {
            tokio::spawn(stop_on_signal(stop.clone()));
            let target = Target { generation, seq: to };
            let generation = indexer::rollback(settings, target, observer(), stop).await?;
            writeln!(std::io::stdout(), "generation {generation} is read")?;
        }
        Command::Status { json: true } => {
            writeln!(std::io::stdout(), "{}", serde_json::to_string(&indexer::status(&settings).await?)?)?;
        }
        Command::Status { json: false } => {
            write!(std::io::stdout(), "{}", table::of(&indexer::status(&settings).await?))?;
        }
        Command::Verify => print_report(&mut std::io::stdout().lock(), &indexer::verify(&settings).await?)?,
        Command::Gc { keep_s, dry_run } => {
            let mode = if dry_run { Mode::DryRun } else { Mode::Delete };
            let garbage = indexer::gc(&settings, keep_s.map(Duration::from_secs), mode).await?;
            let mut out = std::io::stdout().lock();
            for path in &garbage.paths {
                writeln!(out, "{path}")?;
            }
            let did = if dry_run { "would delete" } else { "deleted" };
            writeln!(out, "{did} {} objects of {} bytes", garbage.paths.len(), garbage.bytes)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_report(out: &mut impl std::io::Write, report: &Report) -> anyhow::Result<()> {
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
        let differing = report.differences.len();
        bail!("{differing} of {documents} documents and {availability} availabilities differ at {place}");
    }
    writeln!(out, "equal: {documents} documents and {availability} availabilities at {place}")?;
    Ok(())
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
        Progress::CatchingUp { lag_bytes } => {
            bar.finish_and_clear();
            tracing::info!(lag_bytes, "catching up");
        }
        Progress::Published { generation, seq, lsn, documents } => {
            if !bar.is_finished() {
                bar.finish_and_clear();
                tracing::info!(generation, seq, wal.lsn = %lsn, documents, "published");
            }
        }
        Progress::Streaming | Progress::Waiting { .. } | Progress::Availability { .. } => {}
    })
}
