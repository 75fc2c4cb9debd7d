//! Rows as columns: what a statement's arrays are made of, and how the lane's words are spelt in the tables.

use super::changes::{ClaimChange, NewHold};
use crate::lane::house::House;
use crate::lane::{Basis, total};
use crate::reservation::HoldState;
use jiff::Timestamp;
use model::{HoldId, SeatNo};
use std::collections::BTreeMap;
use std::fmt::Display;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

type Parameters = Vec<Box<dyn ToSql + Sync + Send>>;

/// New rows of `hold`.
#[derive(Default)]
pub(super) struct HoldRows {
    ids: Vec<Uuid>,
    users: Vec<Uuid>,
    keys: Vec<String>,
    requests: Vec<Vec<u8>>,
    /// Arrays of arrays are not ragged in Postgres: each is its text.
    seats: Vec<String>,
    prices: Vec<String>,
    totals: Vec<i64>,
    states: Vec<&'static str>,
    first_expires: Vec<Timestamp>,
    extended: Vec<Option<Timestamp>>,
    codes: Vec<Option<String>>,
    /// JSON.
    extras: Vec<Option<String>>,
}

impl HoldRows {
    pub(super) fn of(holds: &BTreeMap<HoldId, NewHold>) -> Result<Self, serde_json::Error> {
        let mut rows = Self::default();
        for (hold, new) in holds {
            rows.ids.push(hold.0);
            rows.users.push(new.buyer.0);
            rows.keys.push(new.key.clone());
            rows.requests.push(new.request.0.to_vec());
            rows.seats.push(array_text(&new.seats));
            rows.prices.push(array_text(&new.prices));
            rows.totals.push(total(&new.prices, &new.extras));
            rows.states.push(new.change.state.unwrap_or(HoldState::Held).as_str());
            rows.first_expires.push(new.first_expires_at);
            rows.extended.push(new.change.extended_to);
            rows.codes.push(new.code.clone());
            let extras = (!new.extras.is_empty()).then(|| serde_json::to_string(&new.extras));
            rows.extras.push(extras.transpose()?);
        }
        Ok(rows)
    }

    pub(super) fn parameters(self, seq: i64, basis: &Basis) -> Parameters {
        vec![
            Box::new(seq),
            Box::new(self.ids),
            Box::new(self.users),
            Box::new(self.keys),
            Box::new(self.requests),
            Box::new(self.seats),
            Box::new(self.prices),
            Box::new(self.totals),
            Box::new(self.states),
            Box::new(self.first_expires),
            Box::new(self.extended),
            Box::new(basis.layout.clone()),
            Box::new(basis.currency.to_string()),
            Box::new(self.codes),
            Box::new(self.extras),
        ]
    }
}

/// What happens to rows of `claim`.
#[derive(Default)]
pub(super) struct ClaimRows {
    pub(super) deleted: (Vec<i32>, Vec<Uuid>),
    pub(super) inserted: NewClaimRows,
    pub(super) sold: (Vec<i32>, Vec<Uuid>, Vec<Uuid>),
    pub(super) freed: (Vec<i32>, Vec<Uuid>),
}

/// New rows of `claim`.
#[derive(Default)]
pub(super) struct NewClaimRows {
    seats: Vec<i32>,
    holds: Vec<Uuid>,
    orders: Vec<Option<Uuid>>,
    tiers: Vec<i16>,
    prices: Vec<i64>,
}

impl NewClaimRows {
    pub(super) fn len(&self) -> usize {
        self.seats.len()
    }

    pub(super) fn parameters(self, capacity: i32, seq: i64) -> Parameters {
        vec![
            Box::new(capacity),
            Box::new(seq),
            Box::new(self.seats),
            Box::new(self.holds),
            Box::new(self.orders),
            Box::new(self.tiers),
            Box::new(self.prices),
        ]
    }
}

impl ClaimRows {
    pub(super) fn of(claims: &BTreeMap<SeatNo, ClaimChange>, house: &House) -> Self {
        let mut rows = Self::default();
        for (seat, change) in claims {
            let seat_no = seat_number(*seat);
            if let Some(hold) = change.deleted {
                rows.deleted.0.push(seat_no);
                rows.deleted.1.push(hold.0);
            }
            if let Some((hold, order)) = change.sold {
                rows.sold.0.push(seat_no);
                rows.sold.1.push(hold.0);
                rows.sold.2.push(order.0);
            }
            if let Some(order) = change.freed {
                rows.freed.0.push(seat_no);
                rows.freed.1.push(order.0);
            }
            if let Some(new) = &change.inserted {
                let tier = house.tiers.get(*seat as usize).copied().unwrap_or_default();
                rows.inserted.seats.push(seat_no);
                rows.inserted.holds.push(new.hold.0);
                rows.inserted.orders.push(new.order.map(|order| order.0));
                rows.inserted.tiers.push(i16::try_from(tier).unwrap_or(i16::MAX));
                rows.inserted.prices.push(new.price);
            }
        }
        rows
    }
}

/// A seat's number as Postgres has it; plans are far smaller than its integers.
pub(super) fn seat_number(seat: SeatNo) -> i32 {
    i32::try_from(seat).unwrap_or(i32::MAX)
}

pub(super) fn array_text<T: Display>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    format!("{{{}}}", items.join(","))
}
