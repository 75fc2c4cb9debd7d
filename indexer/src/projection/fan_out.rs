//! Changes of venues and artists on their way to the events that name them: a bounded number of events with each commit, so that an
//! orchestra's new name holds up nobody else's change.
//!
//! First come, first served, and a parent that changes again goes to the end once more, so that each change arrives. Invariant: an event
//! that is in no list carries its venue and its artists as they are.

use crate::index::{FanOut, IndexError, Parent, WorkingIndex};
use model::Lsn;
use std::collections::{HashSet, VecDeque};
use tantivy::DocAddress;

/// Events looked at in one commit.
const EVENTS_MAX: usize = 512;
/// Parents that may wait; beyond it a commit takes as long as it takes.
const WAITING_MAX: usize = 256;

/// What has still to reach its events.
pub(super) struct FanOuts {
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    fan_out: FanOut,
    /// The slots of the events it has still to reach.
    slots: HashSet<u32>,
}

/// What one commit brings up to date.
pub(super) struct Batch {
    pub(super) parents: Vec<Parent>,
    /// Where their events are stored, each once, in storage order.
    pub(super) events: Vec<DocAddress>,
}

impl FanOuts {
    /// Those that a commit left, each from its beginning.
    pub(super) fn resume(left: &[FanOut], index: &WorkingIndex) -> Result<Self, IndexError> {
        let mut fan_outs = Self { waiting: VecDeque::new() };
        for FanOut { parent, since } in left {
            fan_outs.begin(*parent, *since, index)?;
        }
        Ok(fan_outs)
    }

    /// A parent changed after `since`; the events it has in the index's last commit are to be told.
    pub(super) fn begin(&mut self, parent: Parent, since: Lsn, index: &WorkingIndex) -> Result<(), IndexError> {
        let mut slots = HashSet::new();
        index.children(parent, |_, slot| {
            slots.insert(slot);
        })?;
        // The first may be under way with what the parent was.
        if let Some(later) = self.waiting.iter_mut().skip(1).find(|waiting| waiting.fan_out.parent == parent) {
            later.slots.extend(slots);
        } else if !slots.is_empty() {
            self.waiting.push_back(Waiting { fan_out: FanOut { parent, since }, slots });
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn list(&self) -> Vec<FanOut> {
        self.waiting.iter().map(|waiting| waiting.fan_out).collect()
    }

    /// The next batch, which counts as told.
    pub(super) fn take(&mut self, index: &WorkingIndex) -> Result<Batch, IndexError> {
        let mut room = if self.waiting.len() > WAITING_MAX { usize::MAX } else { EVENTS_MAX };
        let mut batch = Batch { parents: Vec::new(), events: Vec::new() };
        while room > 0
            && let Some(mut first) = self.waiting.pop_front()
        {
            let mut taken = Vec::new();
            index.children(first.fan_out.parent, |address, slot| {
                if taken.len() < room && first.slots.remove(&slot) {
                    taken.push(address);
                }
            })?;
            room -= taken.len();
            batch.events.append(&mut taken);
            batch.parents.push(first.fan_out.parent);
            // With room left, whatever slots remain are of events that are gone.
            if room == 0 && !first.slots.is_empty() {
                self.waiting.push_front(first);
            }
        }
        batch.events.sort_unstable();
        batch.events.dedup();
        Ok(batch)
    }
}
