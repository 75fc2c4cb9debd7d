//! What an event has sold: seats and money by day and tier, as its tickets tell it.

use crate::failure::Failure;
use jiff::civil::Date;
use model::{Currency, EventId, TierNo};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An event's sales. A seat counts on the day it was sold, in the venue's zone; one that was given back counts there too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Sales {
    /// Of which event.
    pub event_id: EventId,
    /// Of every amount.
    pub currency: Currency,
    /// Everything together.
    pub total: Sold,
    /// By tier, in the plan's order.
    pub by_tier: Vec<TierSales>,
    /// By day and tier, the oldest day first.
    pub by_day: Vec<DaySales>,
}

/// Seats and money; amounts in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Sold {
    /// Seats sold, those given back since among them.
    pub seats: u32,
    /// What they cost.
    pub gross: i64,
    /// Seats given back since.
    pub seats_back: u32,
    /// What went back for them, or is on its way.
    pub refunds: i64,
    /// Gross less refunds.
    pub net: i64,
    /// Whose holders are in.
    pub checked_in: u32,
}

/// A tier's sales.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TierSales {
    /// The tier's number in the plan.
    pub tier: TierNo,
    /// What it sold.
    #[serde(flatten)]
    pub sold: Sold,
}

/// A day's sales of a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DaySales {
    /// In the venue's zone.
    #[schema(value_type = String, format = Date)]
    pub day: Date,
    /// The tier's number in the plan.
    pub tier: TierNo,
    /// What was sold.
    #[serde(flatten)]
    pub sold: Sold,
}

/// Why there is no report.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SalesError {
    /// There is no such event.
    #[error("there is no such event")]
    NoSuchEvent,
    /// The database failed us.
    #[error("read an event's sales")]
    Failed(#[from] Failure),
}

/// A ticket as the report sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SoldTicket {
    pub(crate) day: Date,
    pub(crate) tier: TierNo,
    pub(crate) price: i64,
    pub(crate) is_void: bool,
    pub(crate) is_used: bool,
}

impl Sold {
    fn add(&mut self, ticket: &SoldTicket) {
        self.seats += 1;
        self.gross += ticket.price;
        if ticket.is_void {
            self.seats_back += 1;
            self.refunds += ticket.price;
        } else {
            self.checked_in += u32::from(ticket.is_used);
        }
        self.net = self.gross - self.refunds;
    }
}

impl Sales {
    /// Adds the tickets up.
    pub(crate) fn of(event_id: EventId, currency: Currency, tickets: impl Iterator<Item = SoldTicket>) -> Self {
        let (mut total, mut tiers, mut days) = (Sold::default(), BTreeMap::new(), BTreeMap::new());
        for ticket in tickets {
            total.add(&ticket);
            tiers.entry(ticket.tier).or_insert_with(Sold::default).add(&ticket);
            days.entry((ticket.day, ticket.tier)).or_insert_with(Sold::default).add(&ticket);
        }
        let by_tier = tiers.into_iter().map(|(tier, sold)| TierSales { tier, sold }).collect();
        let by_day = days.into_iter().map(|((day, tier), sold)| DaySales { day, tier, sold }).collect();
        Self { event_id, currency, total, by_tier, by_day }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn every_seat_counts_once_in_each_list() {
        let ticket =
            |day, tier, price, is_void, is_used| SoldTicket { day: date(2026, 5, day), tier, price, is_void, is_used };
        let tickets = [
            ticket(2, 1, 300, false, true),
            ticket(1, 0, 500, false, false),
            ticket(1, 0, 500, true, true),
            ticket(1, 1, 300, false, false),
        ];
        let sales = Sales::of(EventId::new(), "EUR".parse().unwrap(), tickets.into_iter());
        let total = Sold { seats: 4, gross: 1_600, seats_back: 1, refunds: 500, net: 1_100, checked_in: 1 };
        assert_eq!(sales.total, total);
        let stalls = Sold { seats: 2, gross: 1_000, seats_back: 1, refunds: 500, net: 500, checked_in: 0 };
        assert_eq!(sales.by_tier[0], TierSales { tier: 0, sold: stalls });
        let days: Vec<_> = sales.by_day.iter().map(|day| (day.day.day(), day.tier, day.sold.seats)).collect();
        assert_eq!(days, [(1, 0, 2), (1, 1, 1), (2, 1, 1)]);
    }
}
