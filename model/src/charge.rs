//! What an order comes to: tickets, what a code takes off, fees and taxes, each a line; the lines' sum is the total, to the minor unit.
//!
//! Everything is integers. A line's amount is its unit times its quantity; a share (basis points) is rounded once, where the line's unit is
//! made: half up, that is away from zero, to the minor unit of the currency, whatever its digits are.

use crate::TierNo;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A share of everything, in basis points: hundredths of a percent.
pub const WHOLE_BP: u32 = 10_000;

/// What a line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// Tickets of one tier.
    Ticket,
    /// What a code takes off; its amount is below zero.
    Discount,
    /// What who sells adds.
    Fee,
    /// What the law adds, or has in the price.
    Tax,
}

/// A line of what an order comes to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = BillLine)]
pub struct Line {
    /// What it is for.
    pub kind: LineKind,
    /// The tier's, fee's or tax's name, or the code.
    pub label: String,
    /// How many.
    pub quantity: u32,
    /// Each, in minor units.
    pub unit: i64,
    /// `quantity` times `unit`: what it adds to the total. 0 for a tax that the other lines include.
    pub amount: i64,
    /// Of a tax that the other lines include: how much of them it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub included: Option<i64>,
}

impl LineKind {
    /// The name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Discount => "discount",
            Self::Fee => "fee",
            Self::Tax => "tax",
        }
    }
}

impl Line {
    fn of(kind: LineKind, label: &str, quantity: u32, unit: i64) -> Self {
        let amount = unit.saturating_mul(quantity.into());
        Self { kind, label: label.to_owned(), quantity, unit, amount, included: None }
    }
}

/// What an event adds to its tickets' prices, or says to be in them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Charge {
    /// Its name on the bill.
    pub label: String,
    /// How it is reckoned.
    #[serde(flatten)]
    pub how: Reckoning,
}

/// How a charge is reckoned. Tickets that cost nothing bear no fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Reckoning {
    /// A fee of so much a ticket, in minor units.
    FeePerTicket {
        /// Minor units.
        amount: i64,
    },
    /// A fee of so much an order, in minor units.
    FeePerOrder {
        /// Minor units.
        amount: i64,
    },
    /// A fee of a share of each ticket's price, after what a code takes off.
    FeeShare {
        /// Hundredths of a percent.
        basis_points: u32,
    },
    /// A tax on tickets and fees together, added to them.
    TaxAdded {
        /// Hundredths of a percent.
        basis_points: u32,
    },
    /// A tax that tickets and fees include already: of what they come to with all such taxes in them.
    TaxIncluded {
        /// Hundredths of a percent of what they come to without.
        basis_points: u32,
    },
}

impl Reckoning {
    /// Of its name, and the amount or share that it takes.
    #[must_use]
    pub fn parse(name: &str, amount: Option<i64>, share: Option<u32>) -> Option<Self> {
        match (name, amount, share) {
            ("fee_per_ticket", Some(amount), None) => Some(Self::FeePerTicket { amount }),
            ("fee_per_order", Some(amount), None) => Some(Self::FeePerOrder { amount }),
            ("fee_share", None, Some(basis_points)) => Some(Self::FeeShare { basis_points }),
            ("tax_added", None, Some(basis_points)) => Some(Self::TaxAdded { basis_points }),
            ("tax_included", None, Some(basis_points)) => Some(Self::TaxIncluded { basis_points }),
            _ => None,
        }
    }

    /// Its name, and the amount or share that it takes.
    #[must_use]
    pub fn parts(self) -> (&'static str, Option<i64>, Option<u32>) {
        match self {
            Self::FeePerTicket { amount } => ("fee_per_ticket", Some(amount), None),
            Self::FeePerOrder { amount } => ("fee_per_order", Some(amount), None),
            Self::FeeShare { basis_points } => ("fee_share", None, Some(basis_points)),
            Self::TaxAdded { basis_points } => ("tax_added", None, Some(basis_points)),
            Self::TaxIncluded { basis_points } => ("tax_included", None, Some(basis_points)),
        }
    }
}

/// What a code takes off the price of tickets; never more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "off", rename_all = "snake_case")]
pub enum Discount {
    /// A share of each ticket's price.
    Share {
        /// Hundredths of a percent; 10,000 at most.
        basis_points: u32,
    },
    /// So much of each ticket's price.
    Amount {
        /// Minor units.
        amount: i64,
    },
}

impl Discount {
    fn off(self, price: i64) -> i64 {
        match self {
            Self::Share { basis_points } => share(price, basis_points, WHOLE_BP).min(price),
            Self::Amount { amount } => amount.clamp(0, price),
        }
    }
}

/// What tickets come to.
#[derive(Clone, Copy, Debug)]
pub struct Bill<'a> {
    /// What the event adds.
    pub charges: &'a [Charge],
    /// The code that was given, and what it takes off: of tickets of this tier, or of all.
    pub discount: Option<(&'a str, Discount, Option<TierNo>)>,
}

impl Bill<'_> {
    /// The lines beside the tickets' own: discounts, then fees, then taxes. None when there is nothing to add.
    #[must_use]
    pub fn extras(&self, tickets: &[(TierNo, i64)]) -> Vec<Line> {
        let (mut lines, mut net) = (Vec::new(), BTreeMap::<i64, u32>::new());
        let mut off = BTreeMap::<i64, u32>::new();
        for (tier, price) in tickets {
            let taken = match self.discount {
                Some((_, discount, only)) if only.is_none_or(|only| only == *tier) => discount.off(*price),
                Some(_) | None => 0,
            };
            *off.entry(taken).or_default() += 1;
            *net.entry(price - taken).or_default() += 1;
        }
        let code = self.discount.map_or("", |(code, ..)| code);
        let taken = off.into_iter().filter(|(unit, _)| *unit > 0);
        lines.extend(taken.map(|(unit, quantity)| Line::of(LineKind::Discount, code, quantity, -unit)));
        for charge in self.charges {
            lines.extend(fees(charge, &net));
        }
        let tickets: i64 = net.iter().map(|(price, quantity)| price.saturating_mul((*quantity).into())).sum();
        let fees: i64 = lines.iter().filter(|line| line.kind == LineKind::Fee).map(|line| line.amount).sum();
        lines.extend(self.taxes(tickets.saturating_add(fees)));
        lines
    }

    /// What one ticket of a tier costs, everything in: what to show before anything is chosen.
    #[must_use]
    pub fn all_in(&self, tier: TierNo, price: i64) -> i64 {
        price + sum(&self.extras(&[(tier, price)]))
    }

    fn taxes(&self, base: i64) -> Vec<Line> {
        let inside = |charge: &Charge| match charge.how {
            Reckoning::TaxIncluded { basis_points } => basis_points,
            _ => 0,
        };
        let whole = WHOLE_BP + self.charges.iter().map(inside).sum::<u32>();
        let tax = |charge: &Charge| match charge.how {
            Reckoning::TaxAdded { basis_points } => {
                Some(Line::of(LineKind::Tax, &charge.label, 1, share(base, basis_points, WHOLE_BP)))
            }
            Reckoning::TaxIncluded { basis_points } => {
                let included = Some(share(base, basis_points, whole));
                Some(Line { included, ..Line::of(LineKind::Tax, &charge.label, 1, 0) })
            }
            _ => None,
        };
        let taxes = self.charges.iter().filter_map(tax);
        taxes.filter(|line| line.amount > 0 || line.included.is_some_and(|included| included > 0)).collect()
    }
}

/// A charge's fees on tickets of these prices.
fn fees(charge: &Charge, net: &BTreeMap<i64, u32>) -> Vec<Line> {
    let paid = net.iter().filter(|(price, _)| **price > 0);
    let count: u32 = paid.clone().map(|(_, quantity)| *quantity).sum();
    let units: BTreeMap<i64, u32> = match charge.how {
        Reckoning::FeePerTicket { amount } => BTreeMap::from([(amount, count)]),
        Reckoning::FeePerOrder { amount } => BTreeMap::from([(amount, count.min(1))]),
        Reckoning::FeeShare { basis_points } => paid.fold(BTreeMap::new(), |mut units, (price, quantity)| {
            *units.entry(share(*price, basis_points, WHOLE_BP)).or_default() += quantity;
            units
        }),
        Reckoning::TaxAdded { .. } | Reckoning::TaxIncluded { .. } => BTreeMap::new(),
    };
    let lines = units.into_iter().filter(|(unit, quantity)| *unit > 0 && *quantity > 0);
    lines.map(|(unit, quantity)| Line::of(LineKind::Fee, &charge.label, quantity, unit)).collect()
}

/// The tickets' own lines: one for each tier and price, in that order.
#[must_use]
pub fn ticket_lines(tickets: &[(TierNo, i64)], label: impl Fn(TierNo) -> String) -> Vec<Line> {
    let mut groups = BTreeMap::<(TierNo, i64), u32>::new();
    for ticket in tickets {
        *groups.entry(*ticket).or_default() += 1;
    }
    let lines = groups.into_iter();
    lines.map(|((tier, price), quantity)| Line::of(LineKind::Ticket, &label(tier), quantity, price)).collect()
}

/// What lines come to.
#[must_use]
pub fn sum(lines: &[Line]) -> i64 {
    lines.iter().map(|line| line.amount).sum()
}

/// `amount * part / whole` of an amount that is not below zero, rounded half up.
fn share(amount: i64, part: u32, whole: u32) -> i64 {
    let (doubled, whole) = (2 * i128::from(amount) * i128::from(part), i128::from(whole));
    i64::try_from((doubled + whole) / (2 * whole)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn charge(label: &str, how: Reckoning) -> Charge {
        Charge { label: label.into(), how }
    }

    fn line(kind: LineKind, label: &str, quantity: u32, unit: i64, amount: i64) -> Line {
        Line { kind, label: label.into(), quantity, unit, amount, included: None }
    }

    #[test]
    fn a_bill_has_tickets_then_discounts_then_fees_then_taxes() {
        let charges = [
            charge("Service", Reckoning::FeePerTicket { amount: 250 }),
            charge("Booking", Reckoning::FeePerOrder { amount: 100 }),
            charge("Card", Reckoning::FeeShare { basis_points: 150 }),
            charge("Sales tax", Reckoning::TaxAdded { basis_points: 888 }),
        ];
        let discount = Some(("FRIEND", Discount::Share { basis_points: 1_000 }, Some(1)));
        let bill = Bill { charges: &charges, discount };
        let tickets = [(0, 5_000), (1, 3_333), (1, 3_333)];
        let extras = bill.extras(&tickets);
        assert_eq!(
            extras,
            [
                line(LineKind::Discount, "FRIEND", 2, -333, -666),
                line(LineKind::Fee, "Service", 3, 250, 750),
                line(LineKind::Fee, "Booking", 1, 100, 100),
                line(LineKind::Fee, "Card", 2, 45, 90),
                line(LineKind::Fee, "Card", 1, 75, 75),
                // 8.88 % of 5,000 + 6,000 + 1,015.
                line(LineKind::Tax, "Sales tax", 1, 1_067, 1_067),
            ]
        );
        let own = ticket_lines(&tickets, |tier| tier.to_string());
        assert_eq!(own, [line(LineKind::Ticket, "0", 1, 5_000, 5_000), line(LineKind::Ticket, "1", 2, 3_333, 6_666)]);
        assert_eq!(sum(&own) + sum(&extras), 13_082);
    }

    #[test]
    fn what_the_price_includes_adds_nothing() {
        let charges = [charge("VAT", Reckoning::TaxIncluded { basis_points: 700 })];
        let bill = Bill { charges: &charges, discount: None };
        let extras = bill.extras(&[(0, 10_700)]);
        let vat = Line { included: Some(700), ..line(LineKind::Tax, "VAT", 1, 0, 0) };
        assert_eq!(extras, [vat]);
        assert_eq!(bill.all_in(0, 10_700), 10_700);
    }

    #[test]
    fn halves_go_up_in_yen_and_fils_alike() {
        assert_eq!(share(105, 1_000, WHOLE_BP), 11);
        assert_eq!(share(104, 1_000, WHOLE_BP), 10);
        assert_eq!(share(12_345, 5_000, WHOLE_BP), 6_173);
        assert_eq!(share(100_000_000_000_000, WHOLE_BP, WHOLE_BP), 100_000_000_000_000);
    }

    #[test]
    fn who_pays_nothing_for_tickets_pays_no_fee() {
        let charges = [
            charge("Service", Reckoning::FeePerTicket { amount: 250 }),
            charge("Booking", Reckoning::FeePerOrder { amount: 100 }),
        ];
        let free = Bill { charges: &charges, discount: Some(("GIFT", Discount::Amount { amount: 9_000 }, None)) };
        assert_eq!(sum(&free.extras(&[(0, 5_000), (0, 0)])), -5_000);
        assert_eq!(Bill { charges: &charges, discount: None }.extras(&[(0, 0)]), []);
    }

    fn reckoning() -> impl Strategy<Value = Reckoning> {
        prop_oneof![
            (0_i64..100_000).prop_map(|amount| Reckoning::FeePerTicket { amount }),
            (0_i64..100_000).prop_map(|amount| Reckoning::FeePerOrder { amount }),
            (0_u32..=WHOLE_BP).prop_map(|basis_points| Reckoning::FeeShare { basis_points }),
            (0_u32..=WHOLE_BP).prop_map(|basis_points| Reckoning::TaxAdded { basis_points }),
            (0_u32..=WHOLE_BP).prop_map(|basis_points| Reckoning::TaxIncluded { basis_points }),
        ]
    }

    fn discount() -> impl Strategy<Value = Option<(Discount, Option<TierNo>)>> {
        let off = prop_oneof![
            (0_u32..=WHOLE_BP).prop_map(|basis_points| Discount::Share { basis_points }),
            (0_i64..200_000).prop_map(|amount| Discount::Amount { amount }),
        ];
        proptest::option::of((off, proptest::option::of(0_u16..3)))
    }

    proptest! {
        #[test]
        fn no_bill_is_below_nothing_and_rounding_loses_less_than_half_a_unit_a_line(
            tickets in proptest::collection::vec((0_u16..3, 0_i64..100_000_000_000), 1..20),
            charges in proptest::collection::vec(reckoning(), 0..6),
            discount in discount(),
        ) {
            let charges: Vec<Charge> = charges.into_iter().map(|how| charge("x", how)).collect();
            let discount = discount.map(|(off, tier)| ("CODE", off, tier));
            let bill = Bill { charges: &charges, discount };
            let (own, extras) = (ticket_lines(&tickets, |_| String::new()), bill.extras(&tickets));
            for line in own.iter().chain(&extras) {
                prop_assert_eq!(line.amount, line.unit * i64::from(line.quantity));
                prop_assert_eq!(line.amount < 0, line.kind == LineKind::Discount);
            }
            prop_assert_eq!(sum(&own), tickets.iter().map(|(_, price)| price).sum::<i64>());
            let of = |kind| extras.iter().filter(|line| line.kind == kind).map(|line| line.amount).sum::<i64>();
            let net = sum(&own) + of(LineKind::Discount);
            prop_assert!(net >= 0 && sum(&own) + sum(&extras) >= net);
            prop_assert_eq!(sum(&own) + sum(&extras), net + of(LineKind::Fee) + of(LineKind::Tax));
            // The tax is that of the exact sum, to within half a unit for each line.
            let added = |charge: &Charge| match charge.how {
                Reckoning::TaxAdded { basis_points } => i128::from(basis_points),
                _ => 0,
            };
            let exact = i128::from(net + of(LineKind::Fee)) * charges.iter().map(added).sum::<i128>();
            let astray = (i128::from(of(LineKind::Tax)) * 10_000 - exact).abs();
            prop_assert!(astray <= 5_000 * i128::try_from(charges.len()).unwrap());
            let included: i64 = extras.iter().filter_map(|line| line.included).sum();
            prop_assert!(included <= net + of(LineKind::Fee) + i64::try_from(charges.len()).unwrap());
        }
    }
}
