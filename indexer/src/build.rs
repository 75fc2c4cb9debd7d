//! Builds a new generation from a snapshot of Postgres, over nothing or over an earlier publication, while the old one goes on being read.
//!
//! A crash on the way leaves a slot, a working directory that the next attempt goes on from, and objects that are garbage.

use crate::fill::{Pace, Plan, fill, mark};
use crate::index::{IndexError, Payload, Purpose, WorkingIndex};
use crate::points::generations;
use crate::projection::Projection;
use crate::publish::Publisher;
use crate::restore::restore;
use crate::resume::{Resumed, directory, next_epoch, served};
use crate::source::copy::Snapshot;
use crate::source::preflight::Facts;
use crate::source::session::Session;
use crate::start::{Context, Started, blocking};
use crate::{Progress, RunError};
use search::manifest::Manifest;
use std::sync::Arc;

/// The working index until it is a generation's.
const FILLING: &str = "filling";

/// What a new generation begins as.
pub(crate) enum Base {
    /// Everything is written anew.
    Nothing,
    /// An earlier publication, of which only what differs is written anew.
    Publication {
        /// Its generation.
        generation: u32,
        /// Its manifest.
        manifest: Box<Manifest>,
    },
}

/// Makes the slot, copies under its snapshot and publishes the new generation, which nobody reads yet. The session has yet to start.
pub(crate) async fn build(context: &Context, facts: &Facts, (base, pace): (Base, Pace)) -> Result<Started, RunError> {
    let dir = context.work_dir.join(FILLING);
    let mut session = Session::open(&context.source).await?;
    let snapshot = session.create_slot().await?;
    let rows = Snapshot::open(&context.source, &snapshot.name).await?;
    let payload = Payload {
        lsn: snapshot.lsn,
        fan_outs: Vec::new(),
        system_id: facts.system_id.clone(),
        publication: facts.publication.clone(),
        slot: context.followed_by.clone(),
    };
    let began_as = match base {
        Base::Nothing => "nothing".to_owned(),
        Base::Publication { generation, manifest } => {
            let began_as = format!("generation {generation} publication {}", manifest.seq);
            restore(&context.store, generation, &manifest, &dir).await?;
            mark(&dir, &payload, &began_as)?;
            began_as
        }
    };
    tracing::info!(wal.lsn = %snapshot.lsn, began_as, "copying");
    let (observer, stop) = (Arc::clone(&context.observer), context.stop.clone());
    let report = move |events, events_estimate| {
        observer(&Progress::Copying { events, events_estimate });
        if stop.is_cancelled() { Err(RunError::Stopped) } else { Ok(()) }
    };
    let plan = Plan { dir: dir.clone(), payload: payload.clone(), began_as, pace, report };
    let (index, availability) = blocking(move || fill(rows, plan)).await??;
    // Numbered only now: whoever builds beside us counts on.
    let last = generations(&context.store).await?.last().copied().max(served(&context.store).await?);
    let generation = last.map_or(1, |last| last + 1);
    drop(index);
    let own = directory(&context.work_dir, generation);
    let index = blocking(move || -> Result<WorkingIndex, IndexError> {
        // Of a generation of this number that the store has lost.
        if own.exists() {
            std::fs::remove_dir_all(&own)?;
        }
        std::fs::rename(&dir, &own)?;
        WorkingIndex::open(&own, Purpose::Stream)
    })
    .await??;
    let mut publisher = Publisher::begin(context.store.clone(), generation, next_epoch(&context.store).await?);
    publisher.publish(&index, &payload).await?;
    publisher.begin_availability(&availability).await?;
    let settled = publisher.settle().run().await?;
    publisher.settled(settled);
    let head = publisher.head();
    let (seq, lsn, documents) = (head.seq, head.lsn, index.documents());
    (context.observer)(&Progress::Published { generation, seq, lsn, documents });
    Ok(Started::new(context, session, Resumed { publisher, projection: Projection::new(index, &payload)?, payload }))
}
