//! `orders`: purchases.

use super::{Unreadable, receipt};
use crate::failure::Failure;
use crate::order::OrderState;
use crate::reservation::Receipt;
use jiff::Timestamp;
use model::{Currency, EventId, HoldId, OrderId, UserId};
use serde_json::Value;
use sqlx::PgConnection;

/// An order with what describes its seats.
#[derive(Debug)]
pub(crate) struct OrderRow {
    pub(crate) event: EventId,
    pub(crate) hold: HoldId,
    pub(crate) user: UserId,
    pub(crate) state: OrderState,
    pub(crate) total: i64,
    pub(crate) currency: Currency,
    pub(crate) expires_at: Timestamp,
    pub(crate) refundable_until: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
    pub(crate) seat_nos: Vec<i32>,
    pub(crate) prices: Vec<i64>,
    pub(crate) extras: Option<Value>,
    pub(crate) layout_hash: String,
    pub(crate) receipt: Receipt,
}

/// One order.
pub(crate) async fn by_id(connection: &mut PgConnection, order: OrderId) -> Result<Option<OrderRow>, Failure> {
    let row = sqlx::query!(
        "select o.event_id, o.hold_id, o.user_id, o.state, o.total, o.currency, o.expires_at, o.created_at,
            h.seat_nos, h.prices, h.extras, h.layout_hash, e.refundable_until, g.seq, g.hash
        from orders o join hold h using (event_id, hold_id) join lane_log g using (event_id, seq) join event e using (event_id)
        where o.order_id = $1",
        order.0
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(OrderRow {
        event: EventId(row.event_id),
        hold: HoldId(row.hold_id),
        user: UserId(row.user_id),
        state: OrderState::parse(&row.state).ok_or_else(|| Failure::new(Unreadable("orders.state")))?,
        total: row.total,
        currency: row.currency.parse().map_err(Failure::new)?,
        expires_at: row.expires_at.to_jiff(),
        refundable_until: row.refundable_until.map(jiff_sqlx::Timestamp::to_jiff),
        created_at: row.created_at.to_jiff(),
        seat_nos: row.seat_nos,
        prices: row.prices,
        extras: row.extras,
        layout_hash: row.layout_hash,
        receipt: receipt(row.seq, row.hash)?,
    }))
}

/// Paid orders of cancelled events.
pub(crate) async fn of_cancelled(connection: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<(EventId, OrderId)>> {
    let rows = sqlx::query!(
        "select o.event_id, o.order_id from event e join orders o using (event_id)
        where e.status = 'cancelled' and o.state in ('confirmed', 'captured') limit $1",
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (EventId(row.event_id), OrderId(row.order_id))).collect())
}

/// A sold order as a report sees it, if it came to more or less than its tickets' prices.
#[derive(Debug)]
pub(crate) struct ExtrasRow {
    pub(crate) day: jiff_sqlx::Date,
    pub(crate) extras: Value,
    pub(crate) is_back: bool,
}

/// What an event's sold orders came to beside their tickets' prices: when in its venue's zone, and whether it went back.
pub(crate) async fn sold_extras(connection: &mut PgConnection, event: EventId) -> sqlx::Result<Vec<ExtrasRow>> {
    sqlx::query_as!(
        ExtrasRow,
        r#"select (t.created_at at time zone v.timezone)::date as "day!: jiff_sqlx::Date", h.extras as "extras!",
            o.state in ('refunding', 'refunded') as "is_back!"
        from orders o join hold h using (event_id, hold_id) join event e using (event_id) join venue v using (venue_id),
            lateral (select min(created_at) as created_at from ticket t where t.event_id = o.event_id and t.order_id = o.order_id) t
        where o.event_id = $1 and h.extras is not null and t.created_at is not null"#,
        event.0
    )
    .fetch_all(connection)
    .await
}
