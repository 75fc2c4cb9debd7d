//! Where a word stands in a segment: in which events, how often in each, and which of them it says most about.

use super::Remembered;
use crate::bits::Bits;
use crate::request::Slot;
use parking_lot::Mutex;
use std::borrow::Cow;
use std::sync::Arc;
use tantivy::fieldnorm::FieldNormReader;
use tantivy::schema::Field;

/// Bytes per event of a segment for where words stand in it.
const STANDING_BYTES_PER_EVENT: usize = 96;
/// Bytes per event of a segment for words near others.
const NEAR_BYTES_PER_EVENT: usize = 16;
/// What one occurrence of weight 1 counts. Weights are whole multiples of its inverse.
pub(crate) const UNITS: u32 = 8;
/// What more than one in so many events has is kept as a set, which is then the smaller.
const MARKED_SHARE: usize = 16;
/// How many of the events a word says most about are kept in order.
pub(crate) const BEST_MAX: usize = 256;

/// What of a field a remembered [`Standing`] is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sought {
    /// A term, or those that begin so.
    Word(Field, Slot),
    /// Words of the text that follow each other.
    Phrase(Vec<Slot>),
    /// A word of the text, or one of those a typing error or two away, with their weights in units.
    Near(Slot, Vec<(String, u32)>),
}

impl Sought {
    /// Memory it takes, in bytes.
    fn bytes(&self) -> usize {
        let words = match self {
            Self::Word(_, slot) => slot.term.len(),
            Self::Phrase(slots) => slots.iter().map(|slot| size_of::<Slot>() + slot.term.len()).sum(),
            Self::Near(slot, words) => {
                slot.term.len() + words.iter().map(|word| size_of_val(word) + word.0.len()).sum::<usize>()
            }
        };
        size_of::<Self>() + words
    }
}

/// An indexed word a few typing errors away from another.
#[derive(Debug)]
pub(crate) struct Near {
    pub(crate) word: String,
    pub(crate) distance: usize,
    /// How many documents of the segment have it.
    pub(crate) events: u32,
}

impl Near {
    /// Memory it takes, in bytes.
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.word.len()
    }
}

/// Remembers where words stand in a segment of so many events.
pub(super) fn standings(events: usize) -> Remembered<Sought, Standing> {
    Remembered::new(STANDING_BYTES_PER_EVENT * events, |sought, found| sought.bytes() + found.bytes())
}

/// Remembers words near others.
pub(super) fn near_words(events: usize) -> Remembered<Slot, Vec<Near>> {
    Remembered::new(NEAR_BYTES_PER_EVENT * events, |slot, near| {
        size_of::<Slot>() + slot.term.len() + near.iter().map(Near::bytes).sum::<usize>()
    })
}

/// Where a word stands, or one of several.
#[derive(Debug)]
pub(crate) struct Standing {
    events: Events,
    len: usize,
    /// How often it stands in each of the events in order, in units, as Tantivy shortens lengths: exact up to 40 units, within an
    /// eighth above. Words that follow each other are not counted.
    counts: Vec<u8>,
    best: Mutex<Option<Arc<Best>>>,
}

#[derive(Debug)]
enum Events {
    Listed(Vec<u32>),
    /// With how many there are before each 64 ranks.
    Marked(Bits, Vec<u32>),
}

/// What scores within a word are made with: the day (days since 1970) and the mean length of an event's text in words.
pub(crate) type Basis = (i32, u32);

/// The events a word says most about.
#[derive(Debug)]
pub(crate) struct Best {
    pub(crate) basis: Basis,
    /// Ranks with what the word says about each, most first.
    pub(crate) events: Vec<(u32, f32)>,
}

impl Standing {
    /// In these events of a segment of `len`, in order; in each so many units.
    pub(crate) fn listed(len: usize, ranks: Vec<u32>, units: impl Iterator<Item = u32>) -> Self {
        if ranks.len() * MARKED_SHARE <= len {
            return Self::new(ranks.len(), Events::Listed(ranks), units);
        }
        let mut set = Bits::none(len);
        for rank in ranks {
            set.insert(rank as usize);
        }
        Self::marked(set, units)
    }

    /// In the events of this set.
    pub(crate) fn marked(set: Bits, units: impl Iterator<Item = u32>) -> Self {
        let len = set.count();
        if len * MARKED_SHARE <= set.len() {
            return Self::new(len, Events::Listed(set.list()), units);
        }
        let before = set.ranks();
        Self::new(len, Events::Marked(set, before), units)
    }

    fn new(len: usize, events: Events, units: impl Iterator<Item = u32>) -> Self {
        let counts = units.map(FieldNormReader::fieldnorm_to_id).collect();
        Self { events, len, counts, best: Mutex::default() }
    }

    /// In how many events.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Memory it takes, in bytes, with what may be kept in order.
    fn bytes(&self) -> usize {
        let events = match &self.events {
            Events::Listed(ranks) => size_of_val(ranks.as_slice()),
            Events::Marked(set, before) => set.len() / 8 + size_of_val(before.as_slice()),
        };
        let best = if self.len > BEST_MAX { BEST_MAX * size_of::<(u32, f32)>() } else { 0 };
        size_of::<Self>() + events + self.counts.len() + best
    }

    /// The ranks of the events, in order.
    pub(crate) fn ranks(&self) -> Cow<'_, [u32]> {
        match &self.events {
            Events::Listed(ranks) => Cow::from(ranks),
            Events::Marked(set, _) => Cow::from(set.list()),
        }
    }

    /// In how many of `among`, or that in `enough` of them.
    pub(crate) fn count_up_to(&self, enough: usize, among: &Bits) -> usize {
        match &self.events {
            Events::Listed(ranks) => ranks.iter().filter(|rank| among.contains(**rank as usize)).take(enough).count(),
            Events::Marked(set, _) => set.iter_from(0).filter(|rank| among.contains(*rank)).take(enough).count(),
        }
    }

    /// Keeps the events in which it stands.
    pub(crate) fn keep(&self, events: &mut Bits) {
        match &self.events {
            Events::Listed(ranks) => events.and_list(ranks),
            Events::Marked(set, _) => events.and(set),
        }
    }

    /// Takes away the events in which it stands.
    pub(crate) fn take_from(&self, events: &mut Bits) {
        match &self.events {
            Events::Listed(ranks) => ranks.iter().for_each(|rank| events.remove(*rank as usize)),
            Events::Marked(set, _) => events.and_not(set),
        }
    }

    /// How often it stands in each of some events, which are in order, in occurrences of weight 1.
    pub(crate) fn frequencies(&self, of: &[u32]) -> Vec<f32> {
        let at = |place: usize| self.counts.get(place).map_or(0.0, |count| frequency(*count));
        match &self.events {
            Events::Listed(ranks) if ranks == of => self.counts.iter().map(|count| frequency(*count)).collect(),
            Events::Listed(ranks) => {
                let mut rest = ranks.as_slice();
                let mut each = |rank: &u32| {
                    rest = leap(rest, *rank);
                    if rest.first() == Some(rank) { at(ranks.len() - rest.len()) } else { 0.0 }
                };
                of.iter().map(&mut each).collect()
            }
            Events::Marked(set, before) => {
                of.iter().map(|rank| set.rank(before, *rank as usize).map_or(0.0, at)).collect()
            }
        }
    }

    /// The best on a basis, made unless they are kept.
    pub(crate) fn best(&self, basis: Basis, make: impl FnOnce() -> Vec<(u32, f32)>) -> Arc<Best> {
        let kept = self.best.lock().clone();
        kept.filter(|best| best.basis == basis).unwrap_or_else(|| {
            let best = Arc::new(Best { basis, events: make() });
            *self.best.lock() = Some(Arc::clone(&best));
            best
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a score needs no more than a float holds")]
fn frequency(count: u8) -> f32 {
    FieldNormReader::id_to_fieldnorm(count) as f32 / UNITS as f32
}

/// The rest of an ordered list from the first number that is not below `to`: steps that double, so that near is quickly reached.
fn leap(list: &[u32], to: u32) -> &[u32] {
    let mut step = 1;
    while list.get(step).is_some_and(|number| *number < to) {
        step *= 2;
    }
    let (from, until) = (step / 2, (step + 1).min(list.len()));
    let window = list.get(from..until).unwrap_or_default();
    list.get(from + window.partition_point(|number| *number < to)..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    proptest! {
        #[test]
        fn listed_or_marked_it_stands_in_the_same_events(
            counted in proptest::collection::btree_map(0_u32..300, 1_u32..41, 0..60),
            others in proptest::collection::btree_set(0_u32..300, 0..200),
            len in prop_oneof![Just(300_usize), Just(9_000)],
        ) {
            let ranks: Vec<u32> = counted.keys().copied().collect();
            let standing = Standing::listed(len, ranks.clone(), counted.values().copied());
            let mut set = Bits::none(len);
            for rank in &ranks {
                set.insert(*rank as usize);
            }
            let same = Standing::marked(set.clone(), counted.values().copied());
            let other = || {
                let mut bits = Bits::none(len);
                for rank in &others {
                    bits.insert(*rank as usize);
                }
                bits
            };
            let asked: Vec<u32> = others.iter().copied().collect();
            let expected = |of: &BTreeMap<u32, u32>| -> Vec<f32> {
                asked.iter().map(|rank| of.get(rank).map_or(0.0, |units| f32::from(u16::try_from(*units).unwrap()) / 8.0)).collect()
            };
            let common: BTreeSet<u32> = ranks.iter().copied().filter(|rank| others.contains(rank)).collect();
            for standing in [standing, same] {
                prop_assert_eq!(standing.len(), ranks.len());
                prop_assert_eq!(&*standing.ranks(), &ranks);
                prop_assert_eq!(standing.count_up_to(5, &other()), common.len().min(5));
                prop_assert_eq!(standing.frequencies(&asked), expected(&counted));
                prop_assert_eq!(standing.frequencies(&ranks).len(), ranks.len());
                let (mut kept, mut left) = (other(), other());
                standing.keep(&mut kept);
                standing.take_from(&mut left);
                prop_assert_eq!(kept.list(), common.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(left.count() + common.len(), others.len());
            }
        }
    }
}
