//! A table's rows of one event as text, to be compared row by row and named where they differ.

use super::Difference;
use crate::failure::Failure;
use crate::reservation::BestAvailable;
use crate::table::audit;
use model::EventId;
use model::charge::Line;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use std::fmt::Debug;

/// The columns of a row that follow from the log.
type Columns = Vec<(&'static str, String)>;

/// The rows of one table, by key.
#[derive(Debug)]
pub(super) struct Sheet {
    table: &'static str,
    rows: BTreeMap<String, Columns>,
}

impl Sheet {
    pub(super) fn new(table: &'static str) -> Self {
        Self { table, rows: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, key: &impl ToString, columns: Columns) {
        self.rows.insert(key.to_string(), columns);
    }

    /// Compares this sheet, which the log came to, with what was found.
    pub(super) fn compare(&self, found: &Self) -> Result<(), Difference> {
        let table = self.table;
        let mut keys: Vec<&String> = self.rows.keys().chain(found.rows.keys()).collect();
        keys.sort_unstable();
        for key in keys {
            let (expected, found) = match (self.rows.get(key), found.rows.get(key)) {
                (Some(expected), Some(found)) => (expected, found),
                (None, _) => return Err(Difference::Unfounded { table, key: key.clone() }),
                (_, None) => return Err(Difference::Missing { table, key: key.clone() }),
            };
            let other = expected.iter().zip(found).find(|(expected, found)| expected != found);
            if let Some(((column, expected), (_, found))) = other {
                let (key, expected, found) = (key.clone(), expected.clone(), found.clone());
                return Err(Difference::Other { table, key, column, expected, found });
            }
        }
        Ok(())
    }
}

/// A value as the sheets write it.
pub(super) fn text(value: impl Debug) -> String {
    format!("{value:?}")
}

/// What the tables hold, in the order of [`super::Ledger::sheets`].
pub(super) async fn read(snapshot: &mut PgConnection, event: EventId) -> Result<[Sheet; 8], Failure> {
    let holds = holds(snapshot, event).await?;
    let mut claims = Sheet::new("claim");
    for row in audit::claims(snapshot, event).await? {
        let columns = vec![
            ("kind", row.kind.to_string()),
            ("hold_id", row.hold_id.to_string()),
            ("order_id", text(row.order_id)),
            ("seq", row.seq.to_string()),
            ("price", row.price.to_string()),
        ];
        claims.add(&format!("seat {:06}", row.seat_no), columns);
    }
    let mut orders = Sheet::new("orders");
    for row in audit::orders(snapshot, event).await? {
        let columns = vec![
            ("hold_id", row.hold_id.to_string()),
            ("user_id", row.user_id.to_string()),
            ("total", row.total.to_string()),
            ("state", row.state),
        ];
        orders.add(&row.order_id, columns);
    }
    let mut payments = Sheet::new("payment");
    for row in audit::payments(snapshot, event).await? {
        let columns = vec![
            ("order_id", row.order_id.to_string()),
            ("idem_key", row.idem_key),
            ("amount", row.amount.to_string()),
            ("state", row.state),
        ];
        payments.add(&row.payment_id, columns);
    }
    let mut tickets = Sheet::new("ticket");
    for row in audit::tickets(snapshot, event).await? {
        let live = row.state != "void";
        let columns = vec![
            ("seat_no", row.seat_no.to_string()),
            ("order_id", row.order_id.to_string()),
            ("live", live.to_string()),
        ];
        tickets.add(&row.ticket_id, columns);
    }
    let mut quotas = Sheet::new("buyer_quota");
    for (user, seats) in audit::quotas(snapshot, event).await? {
        quotas.add(&user, vec![("seats", seats.to_string())]);
    }
    let mut codes = Sheet::new("sale_code");
    for (code, uses, seats) in audit::codes(snapshot, event).await? {
        codes.add(&code, vec![("uses", uses.to_string()), ("seats", seats.to_string())]);
    }
    let mut places = Sheet::new("waiting");
    for row in audit::places(snapshot, event).await? {
        let want: BestAvailable = serde_json::from_value(row.want).map_err(Failure::new)?;
        let columns = vec![
            ("user_id", row.user_id.to_string()),
            ("seq", row.seq.to_string()),
            ("want", text(&want)),
            ("state", row.state),
            ("hold_id", text(row.hold_id)),
        ];
        places.add(&format!("place {:06}", row.place), columns);
    }
    Ok([holds, claims, orders, payments, tickets, quotas, codes, places])
}

async fn holds(snapshot: &mut PgConnection, event: EventId) -> Result<Sheet, Failure> {
    let mut holds = Sheet::new("hold");
    for row in audit::holds(snapshot, event).await? {
        let extras: Vec<Line> = row.extras.map_or(Ok(Vec::new()), serde_json::from_value).map_err(Failure::new)?;
        let columns = vec![
            ("user_id", row.user_id.to_string()),
            ("seq", row.seq.to_string()),
            ("idem_key", row.idem_key),
            ("request_hash", text(row.request_hash)),
            ("seat_nos", text(row.seat_nos)),
            ("first_seat_nos", text(row.first_seat_nos)),
            ("prices", text(row.prices)),
            ("code", text(row.code)),
            ("extras", text(extras)),
            ("total", row.total.to_string()),
            ("state", row.state),
            ("first_expires_at", row.first_expires_at.to_jiff().to_string()),
            ("expires_at", row.expires_at.to_jiff().to_string()),
            ("extended", row.extended.to_string()),
        ];
        holds.add(&row.hold_id, columns);
    }
    Ok(holds)
}
