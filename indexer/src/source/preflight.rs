//! May this Postgres be a source? One sentence for each way it may not, and what to do about it.

use super::{PUBLICATION, Source, SourceError};
use crate::index::Payload;
use crate::row::Table;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::time::Duration;
use tokio_postgres::Client;

/// From one look at the publication to the next while streaming.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Why Postgres cannot be a source as it stands.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// Not reachable, or a question failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Older than 15.
    #[error("Postgres 15 or newer is needed, and {place} runs {version}; upgrade it or point DATABASE_URL elsewhere")]
    Version {
        /// Host and port.
        place: String,
        /// What it says it is.
        version: String,
    },
    /// Its log carries no rows.
    #[error(
        "Postgres at {place} runs with wal_level={wal_level}; set wal_level = logical in postgresql.conf and restart it"
    )]
    WalLevel {
        /// Host and port.
        place: String,
        /// The setting.
        wal_level: String,
    },
    /// The user may not replicate.
    #[error("the database user {user} may not replicate; as a superuser run: alter role \"{user}\" replication")]
    Role {
        /// Who we are.
        user: String,
    },
    /// No publication.
    #[error("the publication {PUBLICATION} is missing from the database {database}; run: frontrow migrate")]
    Publication {
        /// The database.
        database: String,
    },
    /// A table is not in it.
    #[error("the publication {PUBLICATION} lacks the table {table}; run: frontrow migrate")]
    Table {
        /// The table.
        table: &'static str,
    },
    /// Nobody could be told of new events.
    #[error(
        "the database user {user} may not tell of new events; run: grant insert on saved_search_match to \"{user}\""
    )]
    Tell {
        /// Who we are.
        user: String,
    },
    /// It is no longer what the index was made through, so the log may hold less than it should.
    #[error("the publication {PUBLICATION} or the cluster's timeline has changed")]
    Changed,
    /// It drops some kinds of change or some rows.
    #[error("the publication {PUBLICATION} leaves out {what}; drop it and run: frontrow migrate")]
    Partial {
        /// What it leaves out.
        what: String,
    },
}

/// What the checks found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The cluster's identifier and timeline: an index of another cluster is of no use here, and one of a primary that failed may hold what
    /// the standby that was promoted never received.
    pub(crate) system_id: String,
    /// SHA-256 of the publication's tables and columns and of when each was put in: what was out for a while has missed changes.
    pub(crate) publication: String,
}

/// Asks everything that must hold before anything is made.
pub(crate) async fn check(source: &Source, client: &Client) -> Result<Facts, PreflightError> {
    let about = "select current_setting('server_version_num')::int, current_setting('server_version'),
        current_setting('wal_level'), current_user::text, current_database()::text,
        (select rolsuper or rolreplication or exists (
            select from pg_roles hosted where hosted.rolname = 'rds_replication' and pg_has_role(hosted.oid, 'member')
        ) from pg_roles where rolname = current_user)";
    let row = client.query_one(about, &[]).await.map_err(SourceError::from)?;
    if row.get::<_, i32>(0) < 150_000 {
        return Err(PreflightError::Version { place: source.endpoint.place(), version: row.get(1) });
    }
    if row.get::<_, &str>(2) != "logical" {
        return Err(PreflightError::WalLevel { place: source.endpoint.place(), wal_level: row.get(2) });
    }
    if row.get::<_, Option<bool>>(5) != Some(true) {
        return Err(PreflightError::Role { user: row.get(3) });
    }
    let publication = publication_hash(client, row.get(4)).await?;
    let sql = "select has_table_privilege('public.saved_search_match', 'insert')";
    if !client.query_one(sql, &[]).await.map_err(SourceError::from)?.get::<_, bool>(0) {
        return Err(PreflightError::Tell { user: row.get(3) });
    }
    let sql = "select system_identifier || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) from pg_control_system()";
    let system_id = client.query_one(sql, &[]).await.map_err(SourceError::from)?.get(0);
    Ok(Facts { system_id, publication })
}

/// Waits until the publication is no longer what the payload was made through, looking now and then; says what is wrong with it.
pub(crate) async fn until_changed(source: &Source, payload: &Payload) -> PreflightError {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let looked = async { check(source, &source.connect().await?.client).await };
        match looked.await {
            Ok(facts) if facts.system_id == payload.system_id && facts.publication == payload.publication => {}
            Ok(_) => return PreflightError::Changed,
            // The stream itself will notice.
            Err(PreflightError::Source(error)) => tracing::debug!(%error, "the publication was not looked at"),
            Err(error) => return error,
        }
    }
}

async fn publication_hash(client: &Client, database: String) -> Result<String, PreflightError> {
    let sql = "select pubinsert and pubupdate and pubdelete and pubtruncate from pg_publication where pubname = $1";
    match client.query_opt(sql, &[&PUBLICATION]).await.map_err(SourceError::from)? {
        None => return Err(PreflightError::Publication { database }),
        Some(row) if !row.get::<_, bool>(0) => {
            return Err(PreflightError::Partial { what: "some kinds of change".into() });
        }
        Some(_) => {}
    }
    let sql = "select tablename::text, rowfilter is not null, array_to_string(attnames, ','), coalesce(member.oid, publication.oid)::bigint
        from pg_publication_tables
        join pg_publication publication using (pubname)
        left join pg_publication_rel member
            on member.prpubid = publication.oid and member.prrelid = format('%I.%I', schemaname, tablename)::regclass
        where pubname = $1 and schemaname = 'public' order by tablename";
    let tables = client.query(sql, &[&PUBLICATION]).await.map_err(SourceError::from)?;
    let mut hash = Sha256::new();
    for row in &tables {
        if row.get::<_, bool>(1) {
            return Err(PreflightError::Partial { what: format!("rows of {}", row.get::<_, &str>(0)) });
        }
        hash.update(row.get::<_, &str>(0));
        hash.update([0]);
        hash.update(row.get::<_, &str>(2));
        hash.update([0]);
        hash.update(row.get::<_, i64>(3).to_be_bytes());
    }
    for table in Table::ALL {
        if !tables.iter().any(|row| row.get::<_, &str>(0) == table.name()) {
            return Err(PreflightError::Table { table: table.name() });
        }
    }
    Ok(hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        if write!(hex, "{byte:02x}").is_err() {
            tracing::error!("a string refused to grow");
        }
        hex
    }))
}
