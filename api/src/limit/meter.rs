//! Two ways to count: a token bucket lets a burst through and then a steady rate, a sliding window so many in any period.
//!
//! Both are a few words of memory and take the time as an argument.

use super::rate::Rate;
use std::time::{Duration, Instant};

/// Counts requests of one key.
pub trait Meter: Send + Sync + 'static {
    /// Nothing was counted yet.
    fn new(rate: Rate, now: Instant) -> Self;

    /// Counts one more, or says how long until that is possible.
    fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration>;
}

/// A token bucket: full it holds `rate.count`, and it fills up in `rate.period`.
pub struct Bucket {
    left: f64,
    at: Instant,
}

impl Meter for Bucket {
    fn new(rate: Rate, now: Instant) -> Self {
        Self { left: f64::from(rate.count), at: now }
    }

    fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        let per_second = f64::from(rate.count) / rate.period.as_secs_f64();
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + elapsed * per_second).min(f64::from(rate.count));
        self.at = now;
        if self.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.left) / per_second));
        }
        self.left -= 1.0;
        Ok(())
    }
}

impl Bucket {
    pub(super) fn give_back(&mut self, rate: Rate) {
        self.left = (self.left + 1.0).min(f64::from(rate.count));
    }
}

/// A sliding window of two counters: this period's, and the last one's in the share that the window still covers.
pub(super) struct Window {
    began: Instant,
    before: u32,
    count: u32,
}

impl Meter for Window {
    fn new(_: Rate, now: Instant) -> Self {
        Self { began: now, before: 0, count: 0 }
    }

    fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        let elapsed = now.saturating_duration_since(self.began);
        if elapsed >= rate.period * 2 {
            *self = Self::new(rate, now);
        } else if elapsed >= rate.period {
            *self = Self { began: self.began + rate.period, before: self.count, count: 0 };
        }
        let passed = now.saturating_duration_since(self.began).as_secs_f64();
        let (period, free) = (rate.period.as_secs_f64(), f64::from(rate.count) - 1.0);
        let (before, count) = (f64::from(self.before), f64::from(self.count));
        if before * (1.0 - passed / period) + count <= free {
            self.count += 1;
            return Ok(());
        }
        // The instant at which the share of an older count has shrunk enough: of the last period's, or of this one's in the next.
        let shrunk = |older: f64, rest: f64| period * (1.0 - (free - rest).max(0.0) / older);
        let at = if count <= free { shrunk(before, count) } else { period + shrunk(count, 0.0) };
        Err(Duration::from_secs_f64((at - passed).max(0.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RATE: Rate = Rate { count: 10, period: Duration::from_secs(5) };

    #[test]
    fn a_bucket_lets_a_burst_through_and_then_a_steady_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(RATE, start);
        assert!((0..10).all(|_| bucket.take(RATE, start).is_ok()));
        assert_eq!(bucket.take(RATE, start), Err(Duration::from_millis(500)));
        assert_eq!(bucket.take(RATE, start + Duration::from_millis(500)), Ok(()));
        assert!(bucket.take(RATE, start + Duration::from_millis(500)).is_err());
    }

    #[test]
    fn a_window_forgets_gradually() {
        let start = Instant::now();
        let mut window = Window::new(RATE, start);
        assert!((0..10).all(|_| window.take(RATE, start).is_ok()));
        let wait = window.take(RATE, start).unwrap_err();
        assert_eq!(wait, Duration::from_millis(5_500));
        let mut let_through =
            |at_ms| (0..20).filter(|_| window.take(RATE, start + Duration::from_millis(at_ms)).is_ok()).count();
        assert_eq!([let_through(5_400), let_through(5_501), let_through(7_501)], [0, 1, 4]);
        assert_eq!(let_through(60_000), 10);
    }

    proptest! {
        /// Whoever waits as long as they were told is let through, and nobody gets more than twice the count in any period.
        #[test]
        fn a_wait_that_was_told_is_enough(steps in prop::collection::vec(0_u64..3_000, 1..200)) {
            let start = Instant::now();
            let (mut bucket, mut window) = (Bucket::new(RATE, start), Window::new(RATE, start));
            let mut now = start;
            for step in steps {
                now += Duration::from_millis(step);
                let nearly = Duration::from_micros(1);
                if let Err(wait) = bucket.take(RATE, now) {
                    now += wait + nearly;
                    prop_assert_eq!(bucket.take(RATE, now), Ok(()));
                }
                if let Err(wait) = window.take(RATE, now) {
                    now += wait + nearly;
                    prop_assert_eq!(window.take(RATE, now), Ok(()));
                }
            }
        }
    }
}
