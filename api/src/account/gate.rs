//! A small token bucket in front of `/login`: an argon2 check is dear, and guessing must be slow.
//!
//! Counted per email and address together, so that nobody can lock another person out; a right password gives its token back.

use crate::problem::Problem;
use axum::http::StatusCode;
use moka::sync::Cache;
use parking_lot::Mutex;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Attempts in a row.
const BURST: f64 = 20.0;
/// Seconds until one more attempt is allowed.
const REFILL_S: f64 = 3.0;
/// Pairs of email and address remembered.
const PAIRS_MAX: u64 = 100_000;

struct Bucket {
    left: f64,
    at: Instant,
}

/// The buckets of this process. Cheap to clone.
#[derive(Clone)]
pub struct LoginGate {
    buckets: Cache<(String, IpAddr), Arc<Mutex<Bucket>>>,
}

/// One attempt that was let through.
pub struct Attempt(Arc<Mutex<Bucket>>);

impl Default for LoginGate {
    fn default() -> Self {
        let full_again = Duration::from_secs_f64(BURST * REFILL_S);
        Self { buckets: Cache::builder().max_capacity(PAIRS_MAX).time_to_idle(full_again).build() }
    }
}

impl LoginGate {
    /// Takes a token.
    ///
    /// # Errors
    /// 429 `too-many` when there is none.
    pub fn attempt(&self, email: &str, address: IpAddr) -> Result<Attempt, Problem> {
        let full = || Arc::new(Mutex::new(Bucket { left: BURST, at: Instant::now() }));
        let shared = self.buckets.get_with((email.to_owned(), address), full);
        let mut bucket = shared.lock();
        let now = Instant::now();
        bucket.left = (bucket.left + now.duration_since(bucket.at).as_secs_f64() / REFILL_S).min(BURST);
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", "Too many attempts").retry_after(3));
        }
        bucket.left -= 1.0;
        drop(bucket);
        Ok(Attempt(shared))
    }
}

impl Attempt {
    /// The password was right: the attempt does not count.
    pub fn succeeded(self) {
        let mut bucket = self.0.lock();
        bucket.left = (bucket.left + 1.0).min(BURST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_runs_dry_and_knowing_does_not() {
        let gate = LoginGate::default();
        let here = IpAddr::from([127, 0, 0, 1]);
        for _ in 0..50 {
            gate.attempt("a@b.c", here).unwrap().succeeded();
        }
        for _ in 0..20 {
            gate.attempt("a@b.c", here).unwrap();
        }
        assert_eq!(gate.attempt("a@b.c", here).err().unwrap().status(), StatusCode::TOO_MANY_REQUESTS);
        gate.attempt("other@b.c", here).unwrap();
    }
}
