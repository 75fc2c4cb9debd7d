//! Who may buy before the sale opens to everybody, and what a code allows. Known to the lane, so that who may not is refused from memory.
//!
//! A use of a code counts while its hold lives, and for good once that is sold. Never grants more than the code's row does.

use super::{Hold, Lane, Refusal};
use crate::reservation::{BadCode, Closed};
use jiff::Timestamp;
use model::charge::Discount;
use model::{TierNo, UserId};
use std::collections::{HashMap, HashSet};

/// Presales and codes of an event, as their rows had them when the lane was loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) presales: Vec<Presale>,
    pub(crate) codes: HashMap<String, Code>,
}

/// A time before the sale in which some may buy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Presale {
    pub(crate) position: i16,
    pub(crate) opens_at: Timestamp,
    pub(crate) closes_at: Timestamp,
    /// Who needs no code.
    pub(crate) members: HashSet<UserId>,
}

/// What a code allows; `None` is no bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Code {
    /// The presale it opens.
    pub(crate) presale: Option<i16>,
    pub(crate) valid_from: Option<Timestamp>,
    pub(crate) valid_until: Option<Timestamp>,
    pub(crate) uses_max: Option<u32>,
    pub(crate) seats_max: Option<u32>,
    /// What it takes off.
    pub(crate) discount: Option<Discount>,
    /// It is for tickets of this tier.
    pub(crate) tier: Option<TierNo>,
}

/// What of a code is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) uses: u32,
    pub(crate) seats: u32,
}

impl Lane {
    /// Whether this buyer may buy now, with the code they gave.
    pub(super) fn is_on_sale(&self, buyer: UserId, code: Option<&str>, now: Timestamp) -> Result<(), Refusal> {
        let terms = self.terms();
        let refuse = |closed, opens_at| Err(Refusal::NotOnSale { opens_at, closed });
        if terms.cancelled {
            return refuse(Closed::Cancelled, terms.opens_at);
        }
        if now >= terms.closes_at {
            return refuse(Closed::Over, terms.opens_at);
        }
        let opened = code.and_then(|code| terms.access.codes.get(code)).and_then(|code| code.presale);
        let may = |presale: &&Presale| opened == Some(presale.position) || presale.members.contains(&buyer);
        let theirs = terms.access.presales.iter().filter(|presale| now < presale.closes_at).filter(may);
        let opens_at = theirs.map(|presale| presale.opens_at).fold(terms.opens_at, Timestamp::min);
        if opens_at <= now { Ok(()) } else { refuse(Closed::Soon, opens_at) }
    }

    /// Whether the code may be used now for so many seats.
    pub(super) fn admits(&self, code: &str, seats: usize, now: Timestamp) -> Result<(), Refusal> {
        let known = self.terms().access.codes.get(code).ok_or(Refusal::Code(BadCode::Unknown))?;
        if known.valid_from.is_some_and(|from| now < from) {
            return Err(Refusal::Code(BadCode::NotYet));
        }
        if known.valid_until.is_some_and(|until| now >= until) {
            return Err(Refusal::Code(BadCode::Over));
        }
        known.has_room(self.used(code), seats).map_err(Refusal::Code)
    }

    /// Whether a lapsed hold's use of its code can be had again.
    pub(super) fn can_use_again(&self, hold: &Hold) -> bool {
        hold.code.as_ref().is_none_or(|code| {
            let known = self.terms().access.codes.get(code);
            known.is_some_and(|known| known.has_room(self.used(code), hold.seats.len()).is_ok())
        })
    }
}

impl Code {
    fn has_room(&self, used: Used, seats: usize) -> Result<(), BadCode> {
        if self.uses_max.is_some_and(|max| used.uses >= max) {
            return Err(BadCode::UsedUp);
        }
        match self.seats_max.map(|max| max.saturating_sub(used.seats)) {
            Some(0) => Err(BadCode::UsedUp),
            Some(left) if seats > left as usize => Err(BadCode::TooManySeats { left }),
            Some(_) | None => Ok(()),
        }
    }
}
