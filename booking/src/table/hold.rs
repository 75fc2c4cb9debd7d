//! `hold`: seats kept for buyers.

use super::receipt;
use crate::failure::Failure;
use crate::reservation::Receipt;
use jiff::Timestamp;
use model::{EventId, HoldId, UserId};
use serde_json::Value;
use sqlx::PgConnection;

/// A live hold with what describes its seats.
#[derive(Debug)]
pub(crate) struct HoldRow {
    pub(crate) hold: HoldId,
    pub(crate) seat_nos: Vec<i32>,
    pub(crate) prices: Vec<i64>,
    pub(crate) extras: Option<Value>,
    pub(crate) total: i64,
    pub(crate) expires_at: Timestamp,
    pub(crate) layout_hash: String,
    pub(crate) currency: String,
    pub(crate) receipt: Receipt,
}

/// A buyer's holds of an event that are live by the database's clock, oldest first.
pub(crate) async fn live(
    connection: &mut PgConnection,
    buyer: UserId,
    event: EventId,
) -> Result<Vec<HoldRow>, Failure> {
    let rows = sqlx::query!(
        "select h.hold_id, h.seat_nos, h.prices, h.extras, h.total, h.expires_at, h.layout_hash, h.currency, g.seq, g.hash
        from hold h join lane_log g using (event_id, seq)
        where h.event_id = $1 and h.user_id = $2 and h.state = 'held' and h.expires_at > clock_timestamp()
        order by h.hold_id",
        event.0,
        buyer.0
    )
    .fetch_all(connection)
    .await?;
    let row = rows.into_iter().map(|row| {
        Ok(HoldRow {
            hold: HoldId(row.hold_id),
            seat_nos: row.seat_nos,
            prices: row.prices,
            extras: row.extras,
            total: row.total,
            expires_at: row.expires_at.to_jiff(),
            layout_hash: row.layout_hash,
            currency: row.currency,
            receipt: receipt(row.seq, row.hash)?,
        })
    });
    row.collect()
}

/// Events with holds whose time is over.
pub(crate) async fn overdue_events(connection: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<EventId>> {
    let events = sqlx::query_scalar!(
        "select distinct event_id from hold where state = 'held' and expires_at <= clock_timestamp() limit $1",
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(events.into_iter().map(EventId).collect())
}

/// The database's clock.
pub(crate) async fn clock(connection: &mut PgConnection) -> sqlx::Result<Timestamp> {
    let now = sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(connection).await?;
    Ok(now.to_jiff())
}
