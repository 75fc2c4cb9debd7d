//! How many events are coming up at each venue, by each artist, in each city.
//!
//! The figures follow the index and the clock by what changed: an event that came, went, was cancelled or began. A view does
//! that when it is made, so that hardly anything is left to count when somebody types.

use crate::bits::Bits;
use crate::columns::{Columns, SetKey};
use crate::document::Status;
use crate::names::Named;
use crate::view::{Segment, View};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tantivy::index::SegmentId;

/// How old the figures may be for the clock's sake.
const AGE_MAX: SignedDuration = SignedDuration::from_secs(1);

/// The figures, shared by all views of a generation.
#[derive(Clone, Default)]
pub(in crate::view) struct Popularity(Arc<Mutex<Tally>>);

/// Events ahead by number of venue, artist and city.
#[derive(Clone, Default)]
pub(super) struct Counts {
    venues: Vec<u32>,
    artists: Vec<u32>,
    cities: Vec<u32>,
}

#[derive(Default)]
struct Tally {
    /// The view that was counted last, and when.
    counted: Option<(u64, Timestamp)>,
    /// The events that are counted.
    segments: HashMap<SegmentId, (Arc<Columns>, Bits)>,
    counts: Arc<Counts>,
}

impl Popularity {
    /// The figures of a view at an instant, or of a newer one; up to a second old.
    pub(super) fn at(&self, view: &View, now: Timestamp) -> Arc<Counts> {
        let mut tally = self.0.lock();
        let fresh = tally.counted.is_some_and(|(seq, at)| {
            seq > view.head.seq || (seq == view.head.seq && at <= now && now.duration_since(at) < AGE_MAX)
        });
        if !fresh {
            tally.count(&view.segments, now);
            tally.counted = Some((view.head.seq, now));
        }
        Arc::clone(&tally.counts)
    }

    /// Counts a view that was just made.
    pub(in crate::view) fn follow(&self, view: &View) {
        drop(self.at(view, Timestamp::now()));
    }
}

impl Tally {
    fn count(&mut self, segments: &[Segment], now: Timestamp) {
        let counts = Arc::make_mut(&mut self.counts);
        let mut before = std::mem::take(&mut self.segments);
        for segment in segments {
            let id = segment.reader.segment_id();
            let ahead = segment.ahead(now);
            let mut new = ahead.clone();
            if let Some((columns, counted)) = before.remove(&id) {
                new.and_not(&counted);
                let mut gone = counted;
                gone.and_not(&ahead);
                counts.add(&columns, &gone, u32::wrapping_sub);
            }
            counts.add(&segment.columns, &new, u32::wrapping_add);
            self.segments.insert(id, (Arc::clone(&segment.columns), ahead));
        }
        for (columns, counted) in before.values() {
            counts.add(columns, counted, u32::wrapping_sub);
        }
    }
}

impl Counts {
    pub(super) fn of(&self, named: Named, number: u32) -> u64 {
        let counts = match named {
            Named::Venue => &self.venues,
            Named::Artist => &self.artists,
            Named::City => &self.cities,
        };
        counts.get(number as usize).copied().unwrap_or(0).into()
    }

    fn add(&mut self, columns: &Columns, events: &Bits, by: fn(u32, u32) -> u32) {
        let one = |counts: &mut Vec<u32>, number: u32| {
            let place = number as usize;
            if number != crate::names::NONE && counts.len() <= place {
                counts.resize(place + 1, 0);
            }
            if let Some(count) = counts.get_mut(place) {
                *count = by(*count, 1);
            }
        };
        events.for_each(|rank| {
            columns.venue.get(rank).into_iter().for_each(|venue| one(&mut self.venues, *venue));
            columns.city.get(rank).into_iter().for_each(|city| one(&mut self.cities, *city));
            columns.artists.of(rank).iter().for_each(|artist| one(&mut self.artists, *artist));
        });
    }
}

impl Segment {
    /// The events that are alive, not cancelled and not begun.
    pub(super) fn ahead(&self, now: Timestamp) -> Bits {
        let columns = &self.columns;
        let first = columns.starts_at.partition_point(|start| *start <= now.as_microsecond());
        let mut ahead = Bits::range(columns.len(), first, columns.len());
        ahead.and(&self.alive);
        ahead.and(&columns.set(SetKey::Status(vec![Status::Scheduled as u8, Status::Postponed as u8])));
        ahead
    }
}
