//! A circuit breaker: after some failures in a row everybody is refused for a moment, then one may try.
//!
//! It never waits and reads no clock. A try that never ends keeps the others out for one more moment only.

use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// Failures in a row that open it.
const FAILURES_MAX: u32 = 5;
/// How long it stays open before one may try.
pub(super) const OPEN_FOR: Duration = Duration::from_secs(1);

/// Closed by default.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    refused_until: Option<Instant>,
}

impl Breaker {
    /// Whether one may ask now. Who may while it is open is the one that tries.
    pub(super) fn admits(&self, now: Instant) -> bool {
        let mut state = self.0.lock();
        match state.refused_until {
            Some(until) if now < until => false,
            Some(_) => {
                state.refused_until = Some(now + OPEN_FOR);
                true
            }
            None => true,
        }
    }

    /// An answer came: everybody may ask.
    pub(super) fn succeeded(&self) {
        *self.0.lock() = State::default();
    }

    /// No answer came.
    pub(super) fn failed(&self, now: Instant) {
        let mut state = self.0.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES_MAX {
            state.refused_until = Some(now + OPEN_FOR);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(at: Instant) -> Breaker {
        let breaker = Breaker::default();
        (0..FAILURES_MAX).for_each(|_| breaker.failed(at));
        breaker
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_not_before() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        (1..FAILURES_MAX).for_each(|_| breaker.failed(now));
        assert!(breaker.admits(now));
        breaker.succeeded();
        (1..FAILURES_MAX).for_each(|_| breaker.failed(now));
        assert!(breaker.admits(now));
        breaker.failed(now);
        assert!(!breaker.admits(now));
    }

    #[test]
    fn after_a_moment_one_may_try_and_its_success_lets_everybody_in() {
        let now = Instant::now();
        let breaker = opened(now);
        let later = now + OPEN_FOR;
        assert!(!breaker.admits(now + OPEN_FOR / 2));
        assert!(breaker.admits(later));
        assert!(!breaker.admits(later));
        breaker.succeeded();
        assert!(breaker.admits(later) && breaker.admits(later));
    }

    #[test]
    fn a_failed_or_lost_try_opens_it_for_another_moment() {
        let now = Instant::now();
        let breaker = opened(now);
        let later = now + OPEN_FOR;
        assert!(breaker.admits(later));
        breaker.failed(later);
        assert!(!breaker.admits(later + OPEN_FOR / 2));
        assert!(breaker.admits(later + OPEN_FOR));
        assert!(!breaker.admits(later + OPEN_FOR + OPEN_FOR / 2));
        assert!(breaker.admits(later + OPEN_FOR * 2));
    }
}
