//! The command line. Flags win over the environment, which `config` reads.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Frontrow: search for events, and tickets sold exactly once.
#[derive(Debug, Parser)]
#[command(name = "frontrow", version, args_override_self = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer HTTP; prints `ready http://HOST:PORT` once everything answers
    Serve(ServeArgs),
    /// Bring the database's tables to this version
    Migrate(DatabaseArgs),
    /// Load the demo: the New York Philharmonic's concerts as coming events, seat plans and three logins
    Demo(DemoArgs),
    /// Compare this installation's payments with its providers' books, and the other way round
    Reconcile(ReconcileArgs),
    /// Check one event: its log's hash chain, every decision in it, and the tables against what they come to
    Audit(AuditArgs),
    /// Word vectors, by which searches also find what was meant
    #[command(subcommand)]
    Vectors(Vectors),
}

/// What can be done about word vectors.
#[derive(Debug, Subcommand)]
pub enum Vectors {
    /// Bring the table of the Python package `wordllama` (MIT) to where `serve` looks for it, checked by its SHA-256
    Fetch(FetchArgs),
}

/// Which database.
#[derive(Clone, Debug, Default, Args)]
pub struct DatabaseArgs {
    /// Postgres to use [env: `DATABASE_URL`]
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
}

/// What `serve` takes.
#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// Which parts run in this process
    #[arg(long, value_enum, default_value_t = Role::All)]
    pub role: Role,
    /// Where to listen; port 0 picks a free one [env: `FRONTROW_ADDR`; default: 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT")]
    pub addr: Option<String>,
    /// Directory for the index, the replica and this installation's secret [env: `FRONTROW_DATA`; default: data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// What `demo` takes.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// How many events: the archive's 17835 concerts, then variations of them
    #[arg(long, value_name = "N", default_value_t = 17_835, value_parser = clap::value_parser!(u32).range(1..=5_000_000))]
    pub events: u32,
    /// Directory that gets `logins.json` [env: `FRONTROW_DATA`; default: data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// What `audit` takes.
#[derive(Clone, Debug, Args)]
pub struct AuditArgs {
    /// The event's id
    #[arg(value_name = "EVENT")]
    pub event: model::EventId,
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// What `reconcile` takes.
#[derive(Clone, Debug, Args)]
pub struct ReconcileArgs {
    /// Have what disagrees put right: lanes look, the outbox asks again, money that nobody here knows goes back
    #[arg(long)]
    pub repair: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// How many days back payments are compared
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub days: u32,
    /// Seconds within which a change is still on its way
    #[arg(long, value_name = "S", default_value_t = 60)]
    pub grace_s: u32,
    /// Where this installation listens: its sandbox portal is asked there [env: `FRONTROW_ADDR`; default: 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT")]
    pub addr: Option<String>,
    /// Directory of this installation's secret [env: `FRONTROW_DATA`; default: data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// What `vectors fetch` takes.
#[derive(Clone, Debug, Args)]
pub struct FetchArgs {
    /// Take the table out of this wheel, and ask no network
    #[arg(long, value_name = "FILE")]
    pub wheel: Option<PathBuf>,
    /// Directory that gets `vectors` [env: `FRONTROW_DATA`; default: data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// The parts of the platform one process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Indexer, replica, booking and HTTP
    All,
    /// Replica, booking and HTTP; `indexer run` runs beside it
    Gateway,
    /// A replica and HTTP: search alone
    Search,
}
