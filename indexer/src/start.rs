//! Finds out where an indexer stands and brings it to where it can stream: resume the published index, or build a new generation.
//!
//! A generation that a reindex has just handed over may still be a moment behind the slot: it is waited for while its maker streams, and
//! its maker's slot is taken when the maker is dead. What cannot be gone on from is rebuilt, while the old generation goes on being read.

use crate::build::{Base, build};
use crate::fill::Pace;
use crate::index::Payload;
use crate::projection::Projection;
use crate::publish::{PublishError, Publisher};
use crate::resume::{Outlook, Resumed, outlook, remove_other_directories, resume, served, usable};
use crate::source::preflight::{self, Facts};
use crate::source::session::{self, Session};
use crate::source::{Source, slot};
use crate::tell::Teller;
use crate::{Observer, RunError};
use model::Lsn;
use search::manifest::Alias;
use search::store::Store;
use std::path::PathBuf;
use std::time::Duration;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

const POLL: Duration = Duration::from_millis(50);

/// What every start needs.
pub(crate) struct Context {
    pub(crate) source: Source,
    pub(crate) store: Store,
    pub(crate) work_dir: PathBuf,
    /// The slot of the indexer that follows what is built here.
    pub(crate) followed_by: String,
    pub(crate) observer: Observer,
    pub(crate) stop: CancellationToken,
}

/// An indexer that holds the slot and an index to apply its stream to.
pub(crate) struct Started {
    pub(crate) session: Session,
    pub(crate) projection: Projection,
    pub(crate) teller: Teller,
    pub(crate) publisher: Publisher,
    /// What the index at hand is.
    pub(crate) payload: Payload,
}

impl Started {
    /// A stream and what it is applied to.
    pub(crate) fn new(context: &Context, session: Session, resumed: Resumed) -> Self {
        let Resumed { publisher, projection, payload } = resumed;
        Self { session, projection, teller: Teller::new(context.source.clone()), publisher, payload }
    }
}

/// Checks everything, then resumes or builds.
pub(crate) async fn start(context: &Context) -> Result<Started, RunError> {
    let connection = context.source.connect().await.map_err(preflight::PreflightError::from)?;
    let client = &connection.client;
    let facts = preflight::check(&context.source, client).await?;
    let alias = usable(Alias::read(&context.store).await)?.flatten();
    if let Some(held) = hold(context, client).await?
        && let Some(started) = go_on(context, (client, &facts), held).await?
    {
        remove_other_directories(&context.work_dir, started.publisher.generation());
        return Ok(started);
    }
    slot::drop(client, &context.source.slot).await?;
    let mut started = build(context, &facts, (Base::Nothing, Pace::default())).await?;
    started.publisher.expose(alias.as_ref().map(|(_, tag)| tag)).await?;
    started.session.start().await?;
    Ok(started)
}

/// Lets go of a slot whose log cannot be read on: the next start builds.
pub(crate) async fn without_slot(context: &Context) -> Result<(), RunError> {
    let connection = context.source.connect().await?;
    Ok(slot::drop(&connection.client, &context.source.slot).await?)
}

/// Streams from the slot, if it is there and of use, and says how far it is confirmed. From here on no other indexer of this database
/// publishes what is read.
async fn hold(context: &Context, client: &Client) -> Result<Option<(Session, Lsn)>, RunError> {
    let slot = &context.source.slot;
    if slot::find(client, slot).await?.is_none_or(|slot| slot.lost) {
        return Ok(None);
    }
    let session = session::resume(&context.source).await?;
    // Looked at only now: who held it before may have confirmed until the end.
    let found = slot::find(client, slot).await?;
    Ok(found.map(|slot| (session, slot.confirmed)))
}

async fn go_on(
    context: &Context,
    (client, facts): (&Client, &Facts),
    (mut session, mut confirmed): (Session, Lsn),
) -> Result<Option<Started>, RunError> {
    let store = &context.store;
    let Some(generation) = served(store).await? else {
        session.close().await;
        return Ok(None);
    };
    let makers = context.source.makers_slot();
    while let Outlook::Behind(lsn) = outlook(store, generation, facts, confirmed).await? {
        let maker = slot::find(client, &makers).await?.filter(|slot| !slot.lost && slot.confirmed <= lsn);
        let Some(maker) = maker else { break };
        if maker.active_pid.is_none() {
            tracing::warn!(generation, "whoever made this generation is dead; taking its slot");
            session.close().await;
            slot::succeed(client, &makers, &context.source.slot).await?;
            session = session::resume(&context.source).await?;
            confirmed = maker.confirmed;
        }
        tokio::time::sleep(POLL).await;
    }
    match resume(context, facts, generation, confirmed).await {
        Ok(Some(resumed)) => Ok(Some(Started::new(context, session, resumed))),
        Ok(None) => {
            session.close().await;
            Ok(None)
        }
        Err(error) => {
            session.close().await;
            Err(error)
        }
    }
}

/// Runs what blocks off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, RunError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| RunError::Publish(PublishError::Thread(error)))
}
