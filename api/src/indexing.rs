//! The process's own indexer: started, watched, started again after a growing pause.
//!
//! Invariant: an indexer that another one has fenced stays out, so that two never take the store from each other in turn. Whatever
//! happens here, searches go on answering from what is published; this only says so (`/readyz`, `indexer_up`).

use indexer::{Progress, PublishError, RunError, Settings, sentence};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

/// Pauses between two starts, each twice the one before; an indexer that ran for a while begins with the first again.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_mins(1);
const STEADY: Duration = Duration::from_mins(1);

/// What became of the indexer of this process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Indexing {
    /// None runs here.
    Elsewhere,
    /// It runs.
    Running,
    /// It ended, and will be started again.
    Restarting {
        /// How often it ended since it last ran.
        ended: u32,
        /// The last time's reason; for the log alone.
        #[serde(skip)]
        why: String,
    },
    /// Another indexer took over the index; this one stays out until the process is started anew.
    Fenced,
}

impl Indexing {
    /// Why there is no indexer where there should be one.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        match self {
            Self::Elsewhere | Self::Running => None,
            Self::Restarting { why, .. } => Some(why),
            Self::Fenced => Some("another indexer took over the index"),
        }
    }
}

/// Runs the indexer until `stop`; `state` says how it fares.
pub async fn run(settings: Settings, state: watch::Sender<Indexing>, stop: CancellationToken) {
    let told = state.clone();
    let observer: indexer::Observer = Arc::new(move |progress| {
        tracing::debug!(?progress, "indexer");
        match progress {
            Progress::Streaming => set(&told, Indexing::Running),
            Progress::Waiting { why } => broken_off(&told, why.clone()),
            Progress::Copying { .. }
            | Progress::CatchingUp { .. }
            | Progress::Published { .. }
            | Progress::Availability { .. } => {}
        }
    });
    set(&state, Indexing::Running);
    let mut ended = 0;
    loop {
        let began = Instant::now();
        let attempt = tokio::spawn(indexer::run(settings.clone(), Arc::clone(&observer), stop.clone()));
        let outcome = attempt.await;
        if stop.is_cancelled() {
            return;
        }
        let why = match outcome {
            Ok(Err(RunError::Publish(PublishError::Fenced | PublishError::Superseded { .. }))) => {
                tracing::error!("another indexer took over the index; this process's own stays out");
                set(&state, Indexing::Fenced);
                return;
            }
            Ok(Err(error)) => sentence(&error),
            Ok(Ok(())) => "it ended without being told to".to_owned(),
            Err(cut) => sentence(&cut),
        };
        ended = if began.elapsed() < STEADY { ended + 1 } else { 1 };
        let pause = PAUSE_MAX.min(PAUSE_MIN * 2_u32.saturating_pow(ended - 1));
        tracing::error!(
            error = why,
            pause_ms = pause.as_millis(),
            "the indexer ended; searches answer from what is published"
        );
        broken_off(&state, why);
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

/// It has ended, or waits for what it needs.
fn broken_off(state: &watch::Sender<Indexing>, why: String) {
    metrics::counter!("indexer_ends_total").increment(1);
    let ended = match &*state.borrow() {
        Indexing::Restarting { ended, .. } => ended.saturating_add(1),
        Indexing::Elsewhere | Indexing::Running | Indexing::Fenced => 1,
    };
    set(state, Indexing::Restarting { ended, why });
}

fn set(state: &watch::Sender<Indexing>, to: Indexing) {
    metrics::gauge!("indexer_up").set(if to == Indexing::Running { 1.0 } else { 0.0 });
    state.send_replace(to);
}
