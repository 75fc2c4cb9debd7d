//! The database as it must be: reachable, new enough, with logical WAL where the indexer runs, and with our tables.
//!
//! Each fault is one sentence that says what to do; nothing is changed but by `migrate`.

use model::Lsn;
use sqlx::migrate::{Migrate as _, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgConnection, PgPool};
use std::str::FromStr as _;
use std::time::Duration;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// The oldest Postgres we run on, as `server_version_num` has it.
const VERSION_MIN: i32 = 150_000;
const CONNECTIONS_MAX: u32 = 24;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Not a URL.
    #[error("DATABASE_URL is not a Postgres URL; it looks like postgres://USER@HOST:PORT/NAME")]
    Url(#[source] sqlx::Error),
    /// Nobody answers there.
    #[error("cannot reach Postgres at {place}: start it, or name another with DATABASE_URL")]
    Unreachable {
        /// Host, port and database.
        place: String,
        /// Why.
        source: sqlx::Error,
    },
    /// Too old.
    #[error("Postgres {found} is too old: Frontrow needs version 15 or newer")]
    TooOld {
        /// The server's version.
        found: String,
    },
    /// No logical decoding.
    #[error(
        "Postgres runs with wal_level={found}, but the search index is fed from logical WAL: \
         run \"alter system set wal_level = logical\" and restart Postgres"
    )]
    NoLogicalWal {
        /// What it is set to.
        found: String,
    },
    /// The user may not read the log.
    #[error("the database user {user} may not replicate; as a superuser run: alter role \"{user}\" replication")]
    MayNotReplicate {
        /// Who we are.
        user: String,
    },
    /// The tables are missing or of another version.
    #[error("the database's tables are not of this version: run \"frontrow migrate\"")]
    Tables(#[source] Option<Box<sqlx::Error>>),
    /// The migration failed; what was applied stays applied.
    #[error("migrate the database")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The database failed otherwise.
    #[error("ask Postgres about itself")]
    Query(#[from] sqlx::Error),
}

/// Connects; the first connection is made before this returns.
///
/// # Errors
/// When the URL is none or nobody answers.
pub async fn connect(url: &str) -> Result<PgPool, DatabaseError> {
    let options = PgConnectOptions::from_str(url).map_err(DatabaseError::Url)?;
    let place = format!("{}:{}/{}", options.get_host(), options.get_port(), options.get_database().unwrap_or_default());
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(Duration::from_secs(5))
        .connect_with(options.application_name("frontrow"));
    pool.await.map_err(|source| DatabaseError::Unreachable { place, source })
}

/// Checks the server (as a source too, where the indexer runs) and the tables.
///
/// # Errors
/// Names what is wrong.
pub async fn check(pool: &PgPool, is_source: bool) -> Result<(), DatabaseError> {
    if is_source {
        check_source(pool).await?;
    } else {
        check_version(pool).await?;
    }
    let mut db = pool.acquire().await?;
    let applied = db.list_applied_migrations("_sqlx_migrations").await;
    let applied = applied.map_err(|_| DatabaseError::Tables(None))?;
    let current = MIGRATIONS
        .iter()
        .all(|ours| applied.iter().any(|theirs| theirs.version == ours.version && theirs.checksum == ours.checksum));
    if current { Ok(()) } else { Err(DatabaseError::Tables(None)) }
}

/// New enough, with logical WAL, and ours to replicate from: what cannot be served later is not begun.
async fn check_source(pool: &PgPool) -> Result<(), DatabaseError> {
    check_version(pool).await?;
    let found = setting(pool, "wal_level").await?;
    if found != "logical" {
        return Err(DatabaseError::NoLogicalWal { found });
    }
    // Where no user has the attribute, a hosted Postgres grants the role in its place.
    let role = sqlx::query!(
        r#"select current_user::text as "user!", rolsuper or rolreplication or exists (
            select from pg_roles hosted where hosted.rolname = 'rds_replication' and pg_has_role(hosted.oid, 'member')
        ) as "replicates!" from pg_roles where rolname = current_user"#
    );
    let role = role.fetch_one(pool).await?;
    if role.replicates { Ok(()) } else { Err(DatabaseError::MayNotReplicate { user: role.user }) }
}

async fn check_version(pool: &PgPool) -> Result<(), DatabaseError> {
    let number = setting(pool, "server_version_num").await?;
    if number.parse::<i32>().is_ok_and(|number| number >= VERSION_MIN) {
        return Ok(());
    }
    Err(DatabaseError::TooOld { found: setting(pool, "server_version").await? })
}

async fn setting(pool: &PgPool, name: &str) -> Result<String, sqlx::Error> {
    sqlx::query_scalar!(r#"select current_setting($1) as "setting!""#, name).fetch_one(pool).await
}

/// How far the write-ahead log is now: at or after everything that was committed before the question.
///
/// # Errors
/// When the database fails.
pub async fn log_end(db: &mut PgConnection) -> Result<Lsn, sqlx::Error> {
    let lsn = sqlx::query_scalar!(r#"select pg_current_wal_insert_lsn()::text as "lsn!""#).fetch_one(db).await?;
    lsn.parse().map_err(|error: model::ParseLsnError| sqlx::Error::Decode(error.into()))
}

/// Brings the tables to this version. Safe to run by several at once and again.
///
/// # Errors
/// When the server could not be served from, and then nothing was changed; or when a statement fails.
pub async fn migrate(pool: &PgPool) -> Result<(), DatabaseError> {
    check_source(pool).await?;
    MIGRATIONS.run(pool).await?;
    Ok(())
}
