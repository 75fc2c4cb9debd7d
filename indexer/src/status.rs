//! Where an indexer stands, as Postgres and the store tell it; asks nothing of the indexer itself.

use crate::run::RunError;
use crate::settings::Settings;
use crate::source::preflight::PreflightError;
use crate::source::{Source, slot};
use model::Lsn;
use search::manifest::{Alias, Head, Manifest};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The slot and the published index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The replication slot's name.
    pub slot: String,
    /// `streaming`, `waiting`, `lost` or `missing`.
    pub slot_state: &'static str,
    /// Bytes of log that Postgres keeps for it; none without a slot.
    pub lag_bytes: Option<i64>,
    /// What the slot has confirmed.
    pub confirmed: Option<Lsn>,
    /// What is published; none in an empty store.
    pub index: Option<IndexStatus>,
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
    Ok(Status {
        slot: source.slot,
        slot_state,
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
