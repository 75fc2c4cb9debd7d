//! Which seats a request gets, or why none. Reads the state, decides, changes nothing but what it remembers of searches.

use super::best::{Accessible, Want, best_available};
use super::bits::Bits;
use super::{Hold, Lane, Moment, Refusal, Terms};
use crate::reservation::{Ask, BadCode, BestAvailable, HoldState};
use jiff::Timestamp;
use model::charge::{Bill, Line};
use model::{HoldId, SEATS_MAX, SeatNo, TierNo, UserId};
use std::sync::Arc;

/// Hopeless asks remembered; a storm asks few different things.
const HOPELESS_MAX: usize = 1_024;
/// Asks whose search goes on where it stopped; every seat that changes hands touches each.
const HINTS_MAX: usize = 32;

impl Lane {
    /// The hold the request gets.
    pub(super) fn reserve(
        &mut self,
        buyer: UserId,
        (ask, code): (&Ask, Option<&str>),
        moment: &mut Moment<'_>,
    ) -> Result<Hold, Refusal> {
        self.is_on_sale(buyer, code, moment.now)?;
        if let Some(code) = code {
            self.admits(code, ask.quantity(), moment.now)?;
        }
        let mut seats = match ask {
            Ask::Seats(seats) => self.named(buyer, seats)?,
            Ask::Best(want) => self.best(buyer, want)?,
        };
        seats.sort_unstable();
        let prices: Vec<i64> = seats.iter().map(|seat| self.price(*seat).unwrap_or_default()).collect();
        let extras = self.extras(&seats, &prices, code)?;
        Ok(Hold {
            id: HoldId((moment.mint)()),
            buyer,
            seats,
            prices,
            code: code.map(str::to_owned),
            extras,
            expires_at: self.expiry_from(moment.now),
            extended: false,
            state: HoldState::Held,
            basis: Arc::clone(self.basis()),
        })
    }

    /// What these seats come to beside their prices, with the code.
    fn extras(&self, seats: &[SeatNo], prices: &[i64], code: Option<&str>) -> Result<Vec<Line>, Refusal> {
        let Terms { charges, access, .. } = self.terms();
        let known = code.and_then(|code| Some((code, access.codes.get(code)?)));
        let discount = known.and_then(|(code, known)| Some((code, known.discount?, known.tier)));
        let only = known.and_then(|(_, known)| known.tier);
        if charges.is_empty() && discount.is_none() && only.is_none() {
            return Ok(Vec::new());
        }
        let tiers = seats.iter().map(|seat| self.house().tiers.get(*seat as usize).copied().unwrap_or_default());
        let tickets: Vec<(TierNo, i64)> = tiers.zip(prices.iter().copied()).collect();
        if let Some(tier) = only.filter(|only| tickets.iter().all(|(tier, _)| tier != only)) {
            return Err(Refusal::Code(BadCode::OtherTier { tier }));
        }
        Ok(Bill { charges, discount }.extras(&tickets))
    }

    fn named(&self, buyer: UserId, seats: &[SeatNo]) -> Result<Vec<SeatNo>, Refusal> {
        if seats.is_empty() {
            return Err(Refusal::bad_ask("seats", "names at least one seat"));
        }
        if seats.len() > SEATS_MAX || has_twins(seats) {
            return Err(Refusal::bad_ask("seats", "names each seat once"));
        }
        let unknown: Vec<SeatNo> = seats.iter().copied().filter(|seat| self.price(*seat).is_none()).collect();
        if !unknown.is_empty() {
            return Err(Refusal::BadSeat(unknown));
        }
        self.within_limit(buyer, seats.len())?;
        let taken: Vec<SeatNo> = seats.iter().copied().filter(|seat| !self.is_free(*seat)).collect();
        if taken.is_empty() { Ok(seats.to_vec()) } else { Err(Refusal::SeatsTaken(taken)) }
    }

    fn best(&mut self, buyer: UserId, ask: &BestAvailable) -> Result<Vec<SeatNo>, Refusal> {
        let quantity = ask.quantity as usize;
        if quantity == 0 {
            return Err(Refusal::bad_ask("best_available.quantity", "is 1 or more"));
        }
        let companions = ask.companions.unwrap_or_default() as usize;
        if companions > 0 && (ask.accessible != Some(true) || companions >= quantity) {
            let must = "is less than quantity, and asks for accessible: true";
            return Err(Refusal::bad_ask("best_available.companions", must));
        }
        let rows = match &ask.section {
            None => 0..self.house().rows.len(),
            Some(name) => self
                .house()
                .section(name)
                .ok_or(Refusal::bad_ask("best_available.section", "names a section of the plan"))?,
        };
        self.within_limit(buyer, quantity)?;
        // Seats only ever run out until one is freed, so what was hopeless stays hopeless; `free` forgets.
        if quantity > self.seats_left() || self.is_hopeless(ask) {
            return Err(Refusal::NotEnoughSeats);
        }
        let want = Want {
            quantity,
            tiers: self.acceptable(ask),
            rows,
            accessible: (ask.accessible == Some(true)).then_some(Accessible { companions }),
            adjacent_only: ask.adjacent == Some(true),
        };
        let mut hint = self.hint(ask);
        let found = best_available(self.stock(), &want, &mut hint);
        self.keep_hint(ask, hint, HINTS_MAX);
        if let Some(seats) = found {
            return Ok(seats);
        }
        self.give_up(ask, HOPELESS_MAX);
        Err(Refusal::NotEnoughSeats)
    }

    /// The seats of the tiers that will do; `None` when all will: what is free is of a tier for sale.
    fn acceptable(&self, ask: &BestAvailable) -> Option<Vec<&Bits>> {
        let will_do = |(tier, price): (&TierNo, &i64)| {
            ask.tier.is_none_or(|wanted| wanted == *tier) && ask.price_max.is_none_or(|max| *price <= max)
        };
        let prices = &self.terms().prices;
        if prices.iter().all(will_do) {
            return None;
        }
        let tiers = prices.iter().filter(|of| will_do(*of)).map(|(tier, _)| usize::from(*tier));
        Some(tiers.filter_map(|tier| self.house().of_tier.get(tier)).collect())
    }

    /// Whether a buyer may have so many seats more.
    pub(super) fn within_limit(&self, buyer: UserId, more: usize) -> Result<(), Refusal> {
        let limit = self.terms().buyer_limit;
        if self.seats_of(buyer) as usize + more > limit as usize { Err(Refusal::LimitReached(limit)) } else { Ok(()) }
    }

    /// When a hold made now ends.
    pub(super) fn expiry_from(&self, now: Timestamp) -> Timestamp {
        now.saturating_add(jiff::SignedDuration::from_secs(self.terms().hold_ttl_s)).unwrap_or(Timestamp::MAX)
    }
}

fn has_twins(seats: &[SeatNo]) -> bool {
    let mut sorted = seats.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).any(|pair| pair[0] == pair[1])
}
