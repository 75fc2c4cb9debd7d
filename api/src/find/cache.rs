//! Answers kept for a second, and the bound on how many are computed at once.
//!
//! An answer is kept under its query and the version of index and availability it was computed from; many asking the same at once
//! wait for one computation. `took_ms` and `as_of` are not under the `ETag`: an answer with the same hits is the same answer.

use super::degraded::DegradedError;
use crate::problem::Problem;
use crate::shared_body::SharedBody;
use moka::future::Cache;
use search::{SearchError, View};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Memory for answers.
const KEPT_BYTES_MAX: u64 = 64 << 20;
/// What depends on the time of day may be this old.
const KEPT_FOR: Duration = Duration::from_secs(1);
/// What is asked for at greater length is answered but not kept.
const KEY_BYTES_MAX: usize = 1024;

type Key = (String, (u32, u64, u64));

/// Answers of this process. Cheap to clone.
#[derive(Clone)]
pub struct Answers {
    kept: Cache<Key, Arc<SharedBody>>,
    /// Searches computed at once: more than there are cores only wait for each other.
    permits: Arc<Semaphore>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ComputeError {
    #[error("search")]
    Search(#[from] SearchError),
    #[error("write an answer as JSON")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Degraded(#[from] DegradedError),
    #[error("search: stopping")]
    Stopping,
    /// No fault: there is nothing of that name.
    #[error("search: nothing there")]
    Nothing,
}

impl Default for Answers {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let weight =
            |key: &Key, answer: &Arc<SharedBody>| u32::try_from(key.0.len() + answer.json().len()).unwrap_or(u32::MAX);
        let kept = Cache::builder().weigher(weight).max_capacity(KEPT_BYTES_MAX).time_to_live(KEPT_FOR).build();
        Self { kept, permits: Arc::new(Semaphore::new(cores * 2)) }
    }
}

impl Answers {
    /// The answer under `key` from this view, when it is kept.
    pub(super) async fn kept(&self, key: &str, view: &View) -> Option<Arc<SharedBody>> {
        self.kept.get(&(key.to_owned(), view.version())).await
    }

    /// The answer under `key` from this view, computed unless it is kept; none when `work` finds none, which is not kept.
    ///
    /// # Errors
    /// When the index's files are damaged.
    pub(super) async fn get(
        &self,
        key: String,
        view: Arc<View>,
        work: impl FnOnce() -> Result<Option<SharedBody>, ComputeError> + Send + 'static,
    ) -> Result<Option<Arc<SharedBody>>, Problem> {
        let computed = async move { self.run(work).await?.map(Arc::new).ok_or(ComputeError::Nothing) };
        self.once((key, view.version()), computed).await
    }

    /// The same from Postgres, of no version: kept for as long.
    pub(super) async fn get_degraded(
        &self,
        key: String,
        computed: impl Future<Output = Result<Option<SharedBody>, ComputeError>> + Send,
    ) -> Result<Option<Arc<SharedBody>>, Problem> {
        // The cache keeps several copies of what it awaits.
        let computed = Box::pin(async { computed.await?.map(Arc::new).ok_or(ComputeError::Nothing) });
        self.once((format!("degraded {key}"), (0, 0, 0)), computed).await
    }

    async fn once(
        &self,
        key: Key,
        computed: impl Future<Output = Result<Arc<SharedBody>, ComputeError>> + Send,
    ) -> Result<Option<Arc<SharedBody>>, Problem> {
        let answer = if key.0.len() > KEY_BYTES_MAX {
            computed.await.map_err(Arc::new)
        } else {
            self.kept.try_get_with(key, computed).await
        };
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if matches!(*error, ComputeError::Nothing) => Ok(None),
            Err(error) => Err(problem(&error)),
        }
    }

    /// The body of one version of something, written unless it is kept.
    pub(crate) async fn of_version(
        &self,
        key: String,
        version: u64,
        write: impl FnOnce() -> SharedBody + Send,
    ) -> Arc<SharedBody> {
        self.kept.get_with((key, (0, version, 0)), async { Arc::new(write()) }).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ComputeError> + Send + 'static,
    ) -> Result<T, ComputeError> {
        let _permit = self.permits.acquire().await.map_err(|_| ComputeError::Stopping)?;
        tokio::task::spawn_blocking(work).await.map_err(|_| ComputeError::Stopping)?
    }
}

fn problem(error: &ComputeError) -> Problem {
    match error {
        ComputeError::Degraded(error) => Problem::from(error),
        ComputeError::Stopping => Problem::busy("this server is stopping", 1),
        error @ (ComputeError::Search(_) | ComputeError::Json(_) | ComputeError::Nothing) => Problem::internal(error),
    }
}

/// Writes an answer; `etag_prefix` leads its tag.
pub(super) fn written(answer: &impl Serialize, etag_prefix: &str) -> Result<SharedBody, serde_json::Error> {
    let body = serde_json::to_vec(answer)?;
    let hash = Sha256::digest(without_time(&body));
    let digits = crate::hex::encode(hash.get(..8).unwrap_or_default());
    Ok(SharedBody::new(body, &format!("W/\"{etag_prefix}{digits}\"")))
}

/// The body before its last `as_of`, which only `took_ms` and the like follow.
fn without_time(body: &[u8]) -> &[u8] {
    const MARK: &[u8] = b",\"as_of\":";
    let end = body.windows(MARK.len()).rposition(|window| window == MARK).unwrap_or(body.len());
    body.get(..end).unwrap_or(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_leaves_out_position_and_time() {
        let tag = |as_of: &str, took_ms: f64, total: u32| {
            let body = format!("{{\"hits\":[],\"total\":{total},\"as_of\":\"{as_of}\",\"took_ms\":{took_ms}}}");
            let body: Box<serde_json::value::RawValue> = serde_json::from_str(&body).unwrap();
            written(&body, "3.").unwrap().etag().clone()
        };
        assert_eq!(tag("0/1", 1.0, 7), tag("0/2", 2.0, 7));
        assert_ne!(tag("0/1", 1.0, 7), tag("0/1", 1.0, 8));
        assert!(tag("0/1", 1.0, 7).to_str().unwrap().starts_with("W/\"3."));
    }
}
