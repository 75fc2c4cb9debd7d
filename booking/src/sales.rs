//! What an event has sold: seats and money by day and tier, as its tickets tell it.

use crate::failure::Failure;
use jiff::civil::Date;
use model::charge::{Line, LineKind};
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
    /// What orders came to beside their tickets' prices, by day: discounts (below zero), fees, taxes.
    pub charges: Vec<DayCharge>,
    /// What was paid for all of it: tickets and charges.
    pub paid: Paid,
}

/// What was paid; amounts in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Paid {
    /// All of it.
    pub gross: i64,
    /// What of it went back, or is on its way.
    pub refunds: i64,
    /// Gross less refunds.
    pub net: i64,
}

/// A day's discounts, fees or taxes of one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DayCharge {
    /// In the venue's zone.
    #[schema(value_type = String, format = Date)]
    pub day: Date,
    /// What it is.
    pub kind: LineKind,
    /// Its name on the bill.
    pub label: String,
    /// Of a tax: what of it the other lines include; no part of what was paid beside them.
    pub included: i64,
    /// What was paid.
    #[serde(flatten)]
    pub paid: Paid,
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

/// A sold order's line as the report sees it.
#[derive(Clone, Debug)]
pub(crate) struct SoldLine {
    pub(crate) day: Date,
    pub(crate) line: Line,
    pub(crate) is_back: bool,
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

impl Paid {
    fn add(&mut self, amount: i64, is_back: bool) {
        self.gross += amount;
        self.refunds += if is_back { amount } else { 0 };
        self.net = self.gross - self.refunds;
    }
}

impl Sales {
    /// Adds the tickets and the other lines of their orders up.
    pub(crate) fn of(
        event_id: EventId,
        currency: Currency,
        tickets: impl Iterator<Item = SoldTicket>,
        lines: impl Iterator<Item = SoldLine>,
    ) -> Self {
        let (mut total, mut tiers, mut days) = (Sold::default(), BTreeMap::new(), BTreeMap::new());
        for ticket in tickets {
            total.add(&ticket);
            tiers.entry(ticket.tier).or_insert_with(Sold::default).add(&ticket);
            days.entry((ticket.day, ticket.tier)).or_insert_with(Sold::default).add(&ticket);
        }
        let mut named = BTreeMap::new();
        let mut paid = Paid { gross: total.gross, refunds: total.refunds, net: total.net };
        for SoldLine { day, line, is_back } in lines {
            paid.add(line.amount, is_back);
            let (of_day, included): &mut (Paid, i64) = named.entry((day, line.kind, line.label)).or_default();
            of_day.add(line.amount, is_back);
            *included += line.included.filter(|_| !is_back).unwrap_or_default();
        }
        let charges = named.into_iter();
        let charges =
            charges.map(|((day, kind, label), (paid, included))| DayCharge { day, kind, label, included, paid });
        let charges = charges.collect();
        let by_tier = tiers.into_iter().map(|(tier, sold)| TierSales { tier, sold }).collect();
        let by_day = days.into_iter().map(|((day, tier), sold)| DaySales { day, tier, sold }).collect();
        Self { event_id, currency, total, by_tier, by_day, charges, paid }
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
        let line = |kind, amount, included| {
            let (label, quantity) = ("Of the order".to_owned(), 1);
            Line { kind, label, quantity, unit: amount, amount, included }
        };
        let line = |day, kind, amount, is_back, included| SoldLine {
            day: date(2026, 5, day),
            line: line(kind, amount, included),
            is_back,
        };
        let lines = [
            line(1, LineKind::Fee, 20, false, None),
            line(1, LineKind::Fee, 30, true, None),
            line(2, LineKind::Discount, -100, false, None),
            line(2, LineKind::Tax, 0, false, Some(7)),
        ];
        let sales = Sales::of(EventId::new(), "EUR".parse().unwrap(), tickets.into_iter(), lines.into_iter());
        assert_eq!(sales.paid, Paid { gross: 1_550, refunds: 530, net: 1_020 });
        let charges: Vec<_> =
            sales.charges.iter().map(|of| (of.day.day(), of.kind, of.paid.net, of.included)).collect();
        assert_eq!(charges, [(1, LineKind::Fee, 20, 0), (2, LineKind::Discount, -100, 0), (2, LineKind::Tax, 0, 7)]);
        let total = Sold { seats: 4, gross: 1_600, seats_back: 1, refunds: 500, net: 1_100, checked_in: 1 };
        assert_eq!(sales.total, total);
        let stalls = Sold { seats: 2, gross: 1_000, seats_back: 1, refunds: 500, net: 500, checked_in: 0 };
        assert_eq!(sales.by_tier[0], TierSales { tier: 0, sold: stalls });
        let days: Vec<_> = sales.by_day.iter().map(|day| (day.day.day(), day.tier, day.sold.seats)).collect();
        assert_eq!(days, [(1, 0, 2), (1, 1, 1), (2, 1, 1)]);
    }
}
