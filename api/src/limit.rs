//! Rate limits: what one address reads and writes, what one account writes, how often a password is guessed.
//!
//! Invariant: a refusal asks no database and reads no body, and memory is bounded: who is not remembered starts afresh. Counted in
//! this process alone; a limit that is generous to people stays generous however many processes there are.

mod address;
mod meter;
mod rate;

pub use address::{Network, Proxies};
pub use rate::Rates;

use crate::app::App;
use crate::problem::Problem;
use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use meter::{Bucket, Meter, Window};
use model::UserId;
use moka::sync::Cache;
use parking_lot::Mutex;
use rate::Rate;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Addresses, accounts and guesses remembered, each.
const KEYS_MAX: u64 = 100_000;

/// What is not counted: files that caches keep for ever, probes, and machines that prove who they are before anything is done.
const EXEMPT: [&str; 7] =
    ["/assets/", "/favicon.ico", "/healthz", "/readyz", "/metrics", "/payment/webhook/", "/sandbox/v1/"];

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STANDING: HeaderName = HeaderName::from_static("ratelimit");

/// The limits of this process.
pub struct Limits {
    search: Limit<Network, Window>,
    address: Limit<Network, Bucket>,
    /// Writes of one account.
    pub account: Limit<UserId, Bucket>,
    /// Passwords tried for one email (its hash) from one address: nobody can lock another person out.
    pub sign_in: Limit<([u8; 32], Network), Bucket>,
    proxies: Proxies,
}

impl Limits {
    /// Limits of these rates for clients behind these proxies.
    #[must_use]
    pub fn new(rates: &Rates, proxies: Proxies) -> Self {
        Self {
            search: Limit::new("search", rates.search),
            address: Limit::new("address", rates.address),
            account: Limit::new("account", rates.account),
            sign_in: Limit::new("sign-in", rates.sign_in),
            proxies,
        }
    }
}

/// One limit: a meter for each key.
pub struct Limit<K, M> {
    name: &'static str,
    rate: Option<Rate>,
    meters: Cache<K, Arc<Mutex<M>>>,
}

/// Something that was counted.
pub struct Counted<M>(Option<(Arc<Mutex<M>>, Rate)>);

impl<K: Clone + Eq + Hash + Send + Sync + 'static, M: Meter> Limit<K, M> {
    fn new(name: &'static str, rate: Option<Rate>) -> Self {
        // After so long without a request every meter is as good as new.
        let idle = rate.map_or(Duration::ZERO, |rate| rate.period * 2);
        Self { name, rate, meters: Cache::builder().max_capacity(KEYS_MAX).time_to_idle(idle).build() }
    }

    /// Counts one request.
    ///
    /// # Errors
    /// 429 `rate-limited` when it is one too many.
    pub fn take(&self, key: K) -> Result<Counted<M>, Problem> {
        let Some(rate) = self.rate else { return Ok(Counted(None)) };
        let now = Instant::now();
        let meter = self.meters.get_with(key, || Arc::new(Mutex::new(M::new(rate, now))));
        let taken = meter.lock().take(rate, now);
        match taken {
            Ok(()) => Ok(Counted(Some((meter, rate)))),
            Err(wait) => Err(self.refusal(rate, wait)),
        }
    }

    fn refusal(&self, rate: Rate, wait: Duration) -> Problem {
        metrics::counter!("rate_limited_total", "limit" => self.name).increment(1);
        let wait_s = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1);
        let (name, count, period_s) = (self.name, rate.count, rate.period.as_secs());
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", "Too many requests")
            .detail(format!("at most {count} in {period_s} seconds; try again in {wait_s}"))
            .retry_after(wait_s)
            // As draft-ietf-httpapi-ratelimit-headers has them.
            .header(POLICY, &format!("\"{name}\";q={count};w={period_s}"))
            .header(STANDING, &format!("\"{name}\";r=0;t={wait_s}"))
    }
}

impl Counted<Bucket> {
    /// It does not count after all.
    pub fn give_back(self) {
        if let Self(Some((bucket, rate))) = self {
            bucket.lock().give_back(rate);
        }
    }
}

/// Middleware: counts the request for its address. Reads in a sliding window; writes in a token bucket, which lets a burst through.
pub async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    if !EXEMPT.iter().any(|path| request.uri().path().starts_with(path)) {
        let network = app.limits.proxies.network(request.extensions(), request.headers());
        let refused = if request.method().is_safe() {
            app.limits.search.take(network).err()
        } else {
            app.limits.address.take(network).err()
        };
        if let Some(problem) = refused {
            return problem.into_response();
        }
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_when_to_come_again() {
        let limit: Limit<u8, Bucket> = Limit::new("account", Some(Rate { count: 2, period: Duration::from_mins(1) }));
        limit.take(1).ok().unwrap();
        limit.take(1).ok().unwrap();
        let response = limit.take(1).err().unwrap().into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("retry-after"), "30");
        assert_eq!(header("ratelimit-policy"), "\"account\";q=2;w=60");
        assert_eq!(header("ratelimit"), "\"account\";r=0;t=30");
        limit.take(2).ok().unwrap();
    }

    #[test]
    fn guessing_runs_dry_and_knowing_does_not() {
        let limit: Limit<u8, Bucket> = Limit::new("sign-in", Some(Rate { count: 2, period: Duration::from_mins(1) }));
        for _ in 0..50 {
            limit.take(1).ok().unwrap().give_back();
        }
        limit.take(1).ok().unwrap();
        limit.take(1).ok().unwrap();
        assert!(limit.take(1).is_err());
    }

    #[test]
    fn a_limit_that_is_off_refuses_nobody() {
        let limit: Limit<u8, Window> = Limit::new("search", None);
        assert!((0..10_000).all(|_| limit.take(1).is_ok()));
    }
}
