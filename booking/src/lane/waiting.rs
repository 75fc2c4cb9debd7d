//! The line for seats that come back: who waits for what, and offers, which are holds made for the first in line.
//!
//! Invariant: a seat that comes back is offered by the very command that freed it, before the next one is decided, so nobody takes it
//! from those who wait. It goes to the first in line whose whole wish what is free meets; who is passed over keeps their place.

use super::fact::Fact;
use super::{Closed, Done, Hold, Lane, Moment, Refusal, Terms};
use crate::digest::Digest;
use crate::reservation::{Ask, BestAvailable};
use jiff::{SignedDuration, Timestamp};
use model::{HoldId, UserId};
use std::collections::{BTreeMap, HashMap};

/// People in one event's line.
pub(crate) const LINE_MAX: usize = 10_000;

/// What became of a place in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlaceState {
    /// Somebody waits there.
    Waiting,
    /// They went.
    Left,
    /// Seats are kept for them.
    Offered(HoldId),
}

impl PlaceState {
    /// The name in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Left => "left",
            Self::Offered(_) => "offered",
        }
    }

    /// The offer's hold.
    pub(crate) fn hold(self) -> Option<HoldId> {
        match self {
            Self::Offered(hold) => Some(hold),
            Self::Waiting | Self::Left => None,
        }
    }
}

/// The line of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    places: BTreeMap<i64, (UserId, BestAvailable)>,
    /// The last place of everybody who ever had one.
    of: HashMap<UserId, i64>,
    /// The last place ever given.
    last: i64,
}

impl Waiting {
    /// A line read from the tables: who waits, and the last place of everybody who ever had one.
    pub(crate) fn new(
        places: impl IntoIterator<Item = (i64, UserId, BestAvailable)>,
        of: HashMap<UserId, i64>,
    ) -> Self {
        let last = of.values().copied().max().unwrap_or_default();
        let places = places.into_iter().map(|(place, buyer, want)| (place, (buyer, want)));
        Self { places: places.collect(), of, last }
    }

    /// The last place that a buyer ever had; 0 when there was none.
    pub(super) fn last_of(&self, buyer: UserId) -> i64 {
        self.of.get(&buyer).copied().unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Who waits for what, the first in line first.
    pub(super) fn places(&self) -> impl Iterator<Item = (i64, UserId, &BestAvailable)> {
        self.places.iter().map(|(place, (buyer, want))| (*place, *buyer, want))
    }

    pub(super) fn join(&mut self, place: i64, buyer: UserId, want: BestAvailable) {
        self.of.insert(buyer, place);
        self.places.insert(place, (buyer, want));
        self.last = self.last.max(place);
    }

    pub(super) fn leave(&mut self, place: i64) {
        self.places.remove(&place);
    }
}

impl Lane {
    /// Takes in the line read from the tables.
    pub(crate) fn restore_line(&mut self, line: Waiting) {
        self.line = line;
    }

    /// Who waits.
    #[cfg(test)]
    pub(crate) fn line(&self) -> &Waiting {
        &self.line
    }

    /// Lets a buyer in at the end of the line, who had no place after this one.
    pub(super) fn join(
        &mut self,
        (buyer, after): (UserId, i64),
        want: &BestAvailable,
        moment: &mut Moment<'_>,
        facts: &mut Vec<Fact>,
    ) -> Result<Done, Refusal> {
        let last = self.line.last_of(buyer);
        if let Some((_, wanted)) = self.line.places.get(&last) {
            return if wanted == want { Ok(Done::Noted) } else { Err(Refusal::InLine) };
        }
        if last > after {
            return Ok(Done::Noted);
        }
        match self.reserve(buyer, (&Ask::Best(want.clone()), None), moment) {
            Ok(_) => return Err(Refusal::SeatsLeft),
            Err(Refusal::NotEnoughSeats) => {}
            Err(refusal) => return Err(refusal),
        }
        if self.line.places.len() >= LINE_MAX {
            return Err(Refusal::LineFull);
        }
        let place = self.line.last + 1;
        self.enact(Fact::Joined { place, buyer, want: want.clone() }, facts);
        Ok(Done::Noted)
    }

    /// Lets a buyer out of their place.
    pub(super) fn leave(&mut self, buyer: UserId, place: i64, facts: &mut Vec<Fact>) -> Done {
        if self.line.places.get(&place).is_some_and(|(waits, _)| *waits == buyer) {
            self.enact(Fact::Left { place, buyer }, facts);
        }
        Done::Noted
    }

    /// Offers what came back to those who wait, first come first served.
    pub(crate) fn offer(&mut self, moment: &mut Moment<'_>, facts: &mut Vec<Fact>) {
        if !std::mem::take(&mut self.returned) || self.line.is_empty() {
            return;
        }
        let waiting = self.line.places().map(|(place, buyer, want)| (place, buyer, Ask::Best(want.clone())));
        for (place, buyer, ask) in waiting.collect::<Vec<_>>() {
            if self.seats_left() == 0 {
                break;
            }
            let found = match self.reserve(buyer, (&ask, None), moment) {
                Ok(found) => found,
                Err(refusal) => {
                    // The sale is still to open to them, and then theirs is the first turn.
                    self.returned |= matches!(refusal, Refusal::NotOnSale { closed: Closed::Soon, .. });
                    continue;
                }
            };
            let Hold { id: hold, seats, prices, code, extras, .. } = found;
            self.enact(Fact::Offered { place, buyer, hold }, facts);
            // No client can have used the hold's id as a key before there was one.
            let (key, request, expires_at) = (hold.to_string(), Digest([0; 32]), self.offer_expiry_from(moment.now));
            self.enact(Fact::Held { hold, buyer, key, request, seats, prices, code, extras, expires_at }, facts);
        }
    }

    /// When an offer made now ends: with the sale, at the latest.
    fn offer_expiry_from(&self, now: Timestamp) -> Timestamp {
        let Terms { offer_ttl_s, closes_at, .. } = self.terms();
        now.saturating_add(SignedDuration::from_secs(*offer_ttl_s)).unwrap_or(Timestamp::MAX).min(*closes_at)
    }
}
