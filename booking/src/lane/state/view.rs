//! What a lane's state says, and when two are the same. Changes nothing but what is remembered of searches.

use super::{Buyer, Lane};
use crate::lane::access::Used;
use crate::lane::best::{Hint, Stock};
use crate::lane::house::House;
use crate::lane::{Basis, Hold, LaneOrder, Terms};
use crate::reservation::BestAvailable;
use crate::seats::SeatState;
use jiff::Timestamp;
use model::{HoldId, OrderId, SeatNo, UserId};
use std::collections::BTreeMap;
#[cfg(test)]
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

impl Lane {
    pub(crate) fn house(&self) -> &Arc<House> {
        &self.house
    }

    pub(crate) fn terms(&self) -> &Terms {
        &self.terms
    }

    #[cfg(test)]
    pub(in crate::lane) fn terms_mut(&mut self) -> &mut Terms {
        &mut self.terms
    }

    /// The plan and currency the event sells under now.
    pub(crate) fn basis(&self) -> &Arc<Basis> {
        &self.basis
    }

    /// Every seat's state, by number.
    pub(crate) fn seats(&self) -> &[SeatState] {
        &self.seats
    }

    pub(crate) fn hold(&self, hold: HoldId) -> Option<&Hold> {
        self.holds.get(&hold)
    }

    pub(crate) fn order(&self, order: OrderId) -> Option<&LaneOrder> {
        self.orders.get(&order)
    }

    pub(crate) fn order_of(&self, hold: HoldId) -> Option<&LaneOrder> {
        self.orders.get(self.order_of.get(&hold)?)
    }

    pub(crate) fn first_expiry(&self) -> Option<(Timestamp, HoldId)> {
        self.expiries.first().copied()
    }

    /// How many seats a buyer has, held and sold.
    pub(crate) fn seats_of(&self, buyer: UserId) -> u32 {
        self.buyers.get(&buyer).map_or(0, |buyer| buyer.seats)
    }

    /// What of a code is taken.
    pub(crate) fn used(&self, code: &str) -> Used {
        self.used.get(code).copied().unwrap_or_default()
    }

    /// A buyer's live holds, oldest first.
    pub(crate) fn holds_of(&self, buyer: UserId) -> Vec<HoldId> {
        self.buyers.get(&buyer).map(|buyer| buyer.holds.clone()).unwrap_or_default()
    }

    pub(in crate::lane) fn is_live(&self, hold: HoldId, now: Timestamp) -> bool {
        self.holds.get(&hold).is_some_and(|hold| hold.expires_at > now)
    }

    /// What a seat costs; `None` off the plan and off sale.
    pub(in crate::lane) fn price(&self, seat: SeatNo) -> Option<i64> {
        self.terms.prices.get(self.house.tiers.get(seat as usize)?).copied()
    }

    pub(in crate::lane) fn is_free(&self, seat: SeatNo) -> bool {
        self.seats.get(seat as usize) == Some(&SeatState::Free)
    }

    pub(in crate::lane) fn stock(&self) -> Stock<'_> {
        Stock { house: &self.house, free: &self.free, runs: &self.runs }
    }

    /// Free seats.
    pub(crate) fn seats_left(&self) -> usize {
        self.tier_free.iter().map(|free| *free as usize).sum()
    }

    /// Seats that are or were for sale.
    pub(crate) fn seats_total(&self) -> usize {
        self.seats.iter().filter(|seat| **seat != SeatState::Closed).count()
    }

    /// The lowest price among the free seats, everything in.
    pub(crate) fn price_min(&self) -> Option<i64> {
        let left = |tier: u16| self.tier_free.get(usize::from(tier)).is_some_and(|free| *free > 0);
        self.all_in.iter().filter(|(tier, _)| left(**tier)).map(|(_, price)| *price).min()
    }

    pub(in crate::lane) fn is_hopeless(&self, ask: &BestAvailable) -> bool {
        self.hopeless.contains(ask)
    }

    /// Remembers that an ask came to nothing.
    pub(in crate::lane) fn give_up(&mut self, ask: &BestAvailable, max: usize) {
        if self.hopeless.len() < max {
            self.hopeless.insert(ask.clone());
        }
    }

    pub(in crate::lane) fn hint(&self, ask: &BestAvailable) -> Hint {
        self.hints.get(ask).copied().unwrap_or_default()
    }

    /// Remembers where the search for an ask stopped.
    pub(in crate::lane) fn keep_hint(&mut self, ask: &BestAvailable, hint: Hint, max: usize) {
        if let Some(kept) = self.hints.get_mut(ask) {
            *kept = hint;
        } else if self.hints.len() < max {
            self.hints.insert(ask.clone(), hint);
        }
    }

    /// The same state with nothing remembered of past searches.
    #[cfg(test)]
    pub(in crate::lane) fn without_memory(&self) -> Self {
        Self { hopeless: HashSet::new(), hints: HashMap::new(), ..self.clone() }
    }
}

impl PartialEq for Lane {
    /// What matters of the state: what is remembered of past searches does not.
    fn eq(&self, other: &Self) -> bool {
        let buyers = |lane: &Self| -> Vec<(UserId, Buyer)> {
            let mut buyers: Vec<_> = lane
                .buyers
                .iter()
                .filter(|(_, buyer)| **buyer != Buyer::default())
                .map(|(id, buyer)| (*id, buyer.clone()))
                .collect();
            buyers.sort_by_key(|(id, _)| *id);
            buyers
        };
        let used = |lane: &Self| -> BTreeMap<String, Used> {
            let taken = lane.used.iter().filter(|(_, used)| **used != Used::default());
            taken.map(|(code, used)| (code.clone(), *used)).collect()
        };
        self.seats == other.seats
            && self.free == other.free
            && self.runs == other.runs
            && self.tier_free == other.tier_free
            && self.holds == other.holds
            && self.expiries == other.expiries
            && self.orders == other.orders
            && self.line == other.line
            && buyers(self) == buyers(other)
            && used(self) == used(other)
    }
}
