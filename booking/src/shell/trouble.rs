//! Lanes that cannot be read: why, and when that is tried again.
//!
//! Pauses grow up to a bound, and each event's are of its own length: a database that comes back is not met by all lanes at once.
//! A reason is said once, however often it is met. Bounded.

use model::EventId;
use std::time::{Duration, Instant};

/// The shortest and the longest of full pauses; an event's are from half to all of one.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Lanes remembered, and how long after the last failure.
const KEPT_MAX: u64 = 16_384;
const KEPT: Duration = Duration::from_mins(1);

/// The lanes.
#[derive(Debug)]
pub(super) struct Troubles(moka::sync::Cache<EventId, Trouble>);

#[derive(Clone, Debug)]
struct Trouble {
    why: String,
    pause: Duration,
    again_at: Instant,
}

impl Troubles {
    /// No lane is in trouble.
    pub(super) fn new() -> Self {
        Self(moka::sync::Cache::builder().max_capacity(KEPT_MAX).time_to_live(KEPT).build())
    }

    /// An event's lane was not read; true when the reason is another than before.
    pub(super) fn note(&self, event: EventId, why: String) -> bool {
        let before = self.0.get(&event);
        let pause = before.as_ref().map_or(PAUSE_MIN, |before| PAUSE_MAX.min(2 * before.pause));
        let is_news = before.is_none_or(|before| before.why != why);
        let own = pause / 2 + pause / 2 * u32::from(event.0.as_bytes()[15]) / u32::from(u8::MAX);
        self.0.insert(event, Trouble { why, pause, again_at: Instant::now() + own });
        is_news
    }

    /// How long before an event's lane is to be read again; zero when it may be now.
    pub(super) fn pause(&self, event: EventId) -> Duration {
        let again_at = self.0.get(&event).map(|trouble| trouble.again_at);
        again_at.map_or(Duration::ZERO, |again_at| again_at.saturating_duration_since(Instant::now()))
    }

    /// An event's lane was read; true when it was in trouble before.
    pub(super) fn over(&self, event: EventId) -> bool {
        self.0.remove(&event).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_a_reason_is_said_once() {
        let (troubles, event, other) = (Troubles::new(), EventId::new(), EventId::new());
        assert!(troubles.note(event, "away".into()));
        for full_ms in [200, 400, 800, 1_600, 2_000, 2_000] {
            assert!(!troubles.note(event, "away".into()));
            let (pause, full) = (troubles.pause(event), Duration::from_millis(full_ms));
            // What has passed since is not waited for once more.
            assert!(pause <= full && pause + Duration::from_millis(90) > full / 2, "{pause:?} of {full:?}");
        }
        assert!(troubles.note(event, "broken".into()), "another reason");
        assert_eq!(troubles.pause(other), Duration::ZERO);
        assert!(troubles.over(event) && !troubles.over(event));
        assert_eq!(troubles.pause(event), Duration::ZERO);
        assert!(troubles.note(event, "broken".into()), "it was well in between");
    }
}
