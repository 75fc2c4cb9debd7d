//! The database's clock, as near as it can be known without asking: its last reading plus the time since.
//!
//! Reads behind the database, never ahead: a reading is older than its arrival. The database decides again in the transaction.

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use std::time::Instant;

/// The last reading.
#[derive(Debug)]
pub(crate) struct Clock(Mutex<(Instant, Timestamp)>);

impl Clock {
    /// A clock that was read just now.
    pub(crate) fn new(reading: Timestamp) -> Self {
        Self(Mutex::new((Instant::now(), reading)))
    }

    /// Takes in a newer reading.
    pub(crate) fn set(&self, reading: Timestamp) {
        *self.0.lock() = (Instant::now(), reading);
    }

    /// Now, in the database's microseconds.
    pub(crate) fn now(&self) -> Timestamp {
        let (read_at, reading) = *self.0.lock();
        let since = SignedDuration::try_from(read_at.elapsed()).unwrap_or(SignedDuration::ZERO);
        let now = reading.saturating_add(since).unwrap_or(reading);
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    /// How long until `instant`; zero when it has come.
    pub(crate) fn until(&self, instant: Timestamp) -> std::time::Duration {
        let left = instant.duration_since(self.now());
        std::time::Duration::try_from(left).unwrap_or(std::time::Duration::ZERO)
    }
}
