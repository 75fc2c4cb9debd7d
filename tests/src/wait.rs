//! Waiting for a level: a condition is asked again until it holds or the deadline passes. Tests wait for nothing else.

use std::future::Future;
use std::time::{Duration, Instant};

/// How long a level may take before its test fails: generous, for a machine that runs everything at once.
pub const DEADLINE: Duration = Duration::from_mins(1);

const PAUSE: Duration = Duration::from_millis(15);

/// Asks until there is an answer, for at most [`DEADLINE`]; `what` names the level in the failure.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, ask: impl FnMut() -> F) -> T {
    until_within(DEADLINE, what, ask).await
}

/// Asks until there is an answer or `limit` has passed.
pub async fn until_within<T, F: Future<Output = Option<T>>>(
    limit: Duration,
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(start.elapsed() < limit, "not reached within {limit:?}: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
