//! Where an indexer stands, as Postgres and the store tell it; asks nothing of the indexer itself.

use crate::points::manifests;
use crate::publish::GRACE;
use crate::run::RunError;
use crate::settings::Settings;
use crate::source::preflight::PreflightError;
use crate::source::{Source, slot};
use jiff::Timestamp;
use model::Lsn;
use search::manifest::{Alias, Head, Manifest};
use search::presence::{self, Presence, Seen};
use search::store::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The slot and the published index.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// The replication slot's name.
    pub slot: String,
    /// `streaming`, `waiting`, `lost` or `missing`.
    pub slot_state: &'static str,
    /// Bytes of log that Postgres keeps for it; none without a slot.
    pub lag_bytes: Option<i64>,
    /// How long after its commit a change is durable in the store, as Postgres measured it last; none while nobody streams.
    pub lag_ms: Option<f64>,
    /// What the slot has confirmed.
    pub confirmed: Option<Lsn>,
    /// The slot of a reindex or rollback that is under way or can be taken up: its name.
    pub reindexing: Option<String>,
    /// What is published; none in an empty store.
    pub index: Option<IndexStatus>,
    /// Publications that can be rolled back to, newest first.
    pub points: Vec<Point>,
    /// Replicas that left word in the store, the latest first.
    pub replicas: Vec<ReplicaStatus>,
}

/// A publication that can be rolled back to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Point {
    /// Its generation.
    pub generation: u32,
    /// Its number.
    pub seq: u64,
    /// When it was published.
    pub at: Timestamp,
}

/// A replica as it said it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReplicaStatus {
    /// What it said.
    #[serde(flatten)]
    pub presence: Presence,
    /// How long ago it said so.
    pub age_ms: i64,
}

/// The published index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IndexStatus {
    /// The generation that is read.
    pub generation: u32,
    /// Its last publication.
    pub seq: u64,
    /// The epoch of its writer.
    pub epoch: u64,
    /// It equals Postgres here.
    pub lsn: Lsn,
    /// Tantivy segments.
    pub segments: usize,
    /// Events, venues and artists.
    pub documents: u64,
    /// Length of all its files.
    pub bytes: u64,
}

/// Asks Postgres for the slot and the store for the index.
///
/// # Errors
/// When one of them cannot be asked.
pub async fn status(settings: &Settings) -> Result<Status, RunError> {
    let source = Source::new(&settings.database_url, settings.slot.as_deref()).map_err(PreflightError::from)?;
    let connection = source.connect().await?;
    let found = slot::find(&connection.client, &source.slot).await?;
    let slot_state = match &found {
        None => "missing",
        Some(slot) if slot.lost => "lost",
        Some(slot) if slot.active_pid.is_some() => "streaming",
        Some(_) => "waiting",
    };
    let maker = source.makers_slot();
    let reindexing = slot::find(&connection.client, &maker).await?.filter(|slot| !slot.lost).map(|_| maker);
    Ok(Status {
        slot: source.slot,
        slot_state,
        lag_ms: found.as_ref().and_then(|slot| slot.lag_ms),
        reindexing,
        points: points(settings).await?,
        replicas: replicas(settings).await?,
        lag_bytes: found.as_ref().map(|slot| slot.lag_bytes),
        confirmed: found.map(|slot| slot.confirmed),
        index: index(settings).await?,
    })
}

async fn index(settings: &Settings) -> Result<Option<IndexStatus>, RunError> {
    let Some((Alias { generation }, _)) = Alias::read(&settings.store).await? else { return Ok(None) };
    let Some((head, _)) = Head::read(&settings.store, generation).await? else { return Ok(None) };
    let manifest = Manifest::read(&settings.store, generation, &head).await?;
    let (segments, documents) = counts(&manifest.index_meta);
    let bytes = manifest.files.iter().map(|file| file.len_bytes).sum();
    let Head { epoch, seq, lsn } = head;
    Ok(Some(IndexStatus { generation, seq, epoch, lsn, segments, documents, bytes }))
}

async fn points(settings: &Settings) -> Result<Vec<Point>, StoreError> {
    let kept = manifests(&settings.store.list("").await?);
    let old_enough = Timestamp::now() - GRACE;
    let kept = kept.into_iter().skip(1).filter(|stored| stored.object.modified < old_enough);
    Ok(kept
        .map(|stored| Point { generation: stored.generation, seq: stored.head.seq, at: stored.object.modified })
        .collect())
}

async fn replicas(settings: &Settings) -> Result<Vec<ReplicaStatus>, StoreError> {
    let now = Timestamp::now().as_millisecond();
    let status = |seen: Seen| {
        let age_ms = now.saturating_sub(seen.at.as_millisecond()).max(0);
        ReplicaStatus { presence: seen.presence, age_ms }
    };
    Ok(presence::seen(&settings.store).await?.into_iter().map(status).collect())
}

fn counts(index_meta: &RawValue) -> (usize, u64) {
    #[derive(Deserialize)]
    struct Meta {
        segments: Vec<Segment>,
    }
    #[derive(Deserialize)]
    struct Segment {
        max_doc: u64,
        deletes: Option<Deletes>,
    }
    #[derive(Deserialize)]
    struct Deletes {
        num_deleted_docs: u64,
    }
    let Ok(meta) = serde_json::from_str::<Meta>(index_meta.get()) else { return (0, 0) };
    let alive = |segment: &Segment| {
        segment.max_doc.saturating_sub(segment.deletes.as_ref().map_or(0, |deletes| deletes.num_deleted_docs))
    };
    (meta.segments.len(), meta.segments.iter().map(alive).sum())
}
