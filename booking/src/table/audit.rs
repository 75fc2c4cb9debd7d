//! All rows of one event, for those who compare them with its log.

use super::digest;
use crate::digest::Digest;
use crate::failure::Failure;
use jiff::Timestamp;
use model::EventId;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// Where the lane says it stands; `None` when nobody has booked the event.
pub(crate) async fn lane(connection: &mut PgConnection, event: EventId) -> Result<Option<(i64, Digest)>, Failure> {
    let row =
        sqlx::query!("select seq, head from lane where event_id = $1", event.0).fetch_optional(connection).await?;
    row.map(|row| Ok((row.seq, digest(row.head)?))).transpose()
}

/// An entry of the log.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) seq: i64,
    pub(crate) at: Timestamp,
    pub(crate) payload: Vec<u8>,
    pub(crate) prev_hash: Digest,
    pub(crate) hash: Digest,
}

/// The next entries of the log after `seq`, at most `limit`.
pub(crate) async fn entries(
    connection: &mut PgConnection,
    event: EventId,
    (after, limit): (i64, i64),
) -> Result<Vec<Entry>, Failure> {
    let rows = sqlx::query!(
        "select seq, at, payload, prev_hash, hash from lane_log where event_id = $1 and seq > $2 order by seq limit $3",
        event.0,
        after,
        limit
    );
    let entry = rows.fetch_all(connection).await?.into_iter().map(|row| {
        let (prev_hash, hash) = (digest(row.prev_hash)?, digest(row.hash)?);
        Ok(Entry { seq: row.seq, at: row.at.to_jiff(), payload: row.payload, prev_hash, hash })
    });
    entry.collect()
}

/// A row of `hold`.
#[derive(Debug)]
pub(crate) struct HoldRow {
    pub(crate) hold_id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) seq: i64,
    pub(crate) idem_key: String,
    pub(crate) request_hash: Vec<u8>,
    pub(crate) seat_nos: Vec<i32>,
    pub(crate) first_seat_nos: Option<Vec<i32>>,
    pub(crate) prices: Vec<i64>,
    pub(crate) code: Option<String>,
    pub(crate) extras: Option<Value>,
    pub(crate) total: i64,
    pub(crate) state: String,
    pub(crate) first_expires_at: jiff_sqlx::Timestamp,
    pub(crate) expires_at: jiff_sqlx::Timestamp,
    pub(crate) extended: bool,
}

/// Every hold.
pub(crate) async fn holds(connection: &mut PgConnection, event: EventId) -> sqlx::Result<Vec<HoldRow>> {
    sqlx::query_as!(
        HoldRow,
        "select hold_id, user_id, seq, idem_key, request_hash, seat_nos, first_seat_nos, prices, code, extras, total, state, first_expires_at, expires_at,
            extended
        from hold where event_id = $1",
        event.0
    )
    .fetch_all(connection)
    .await
}

/// A row of `claim`.
#[derive(Debug)]
pub(crate) struct ClaimRow {
    pub(crate) seat_no: i32,
    pub(crate) kind: i16,
    pub(crate) hold_id: Uuid,
    pub(crate) order_id: Option<Uuid>,
    pub(crate) seq: i64,
    pub(crate) price: i64,
}

/// Every claim.
pub(crate) async fn claims(connection: &mut PgConnection, event: EventId) -> sqlx::Result<Vec<ClaimRow>> {
    sqlx::query_as!(
        ClaimRow,
        "select seat_no, kind, hold_id, order_id, seq, price from claim where event_id = $1",
        event.0
    )
    .fetch_all(connection)
    .await
}

/// A row of `orders`.
#[derive(Debug)]
pub(crate) struct OrderRow {
    pub(crate) order_id: Uuid,
    pub(crate) hold_id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) total: i64,
    pub(crate) state: String,
}

/// Every order.
pub(crate) async fn orders(connection: &mut PgConnection, event: EventId) -> sqlx::Result<Vec<OrderRow>> {
    sqlx::query_as!(
        OrderRow,
        "select order_id, hold_id, user_id, total, state from orders where event_id = $1",
        event.0
    )
    .fetch_all(connection)
    .await
}

/// A row of `payment`.
#[derive(Debug)]
pub(crate) struct PaymentRow {
    pub(crate) payment_id: Uuid,
    pub(crate) order_id: Uuid,
    pub(crate) idem_key: String,
    pub(crate) amount: i64,
    pub(crate) state: String,
}

/// Every attempt to pay.
pub(crate) async fn payments(connection: &mut PgConnection, event: EventId) -> sqlx::Result<Vec<PaymentRow>> {
    sqlx::query_as!(
        PaymentRow,
        "select payment_id, order_id, idem_key, amount, state from payment where event_id = $1",
        event.0
    )
    .fetch_all(connection)
    .await
}

/// A row of `ticket`.
#[derive(Debug)]
pub(crate) struct TicketRow {
    pub(crate) ticket_id: Uuid,
    pub(crate) seat_no: i32,
    pub(crate) order_id: Uuid,
    pub(crate) state: String,
}

/// Every ticket.
pub(crate) async fn tickets(connection: &mut PgConnection, event: EventId) -> sqlx::Result<Vec<TicketRow>> {
    sqlx::query_as!(TicketRow, "select ticket_id, seat_no, order_id, state from ticket where event_id = $1", event.0)
        .fetch_all(connection)
        .await
}

/// Every buyer's number of seats that is not zero.
pub(crate) async fn quotas(connection: &mut PgConnection, event: EventId) -> sqlx::Result<Vec<(Uuid, i32)>> {
    let rows = sqlx::query!("select user_id, seats from buyer_quota where event_id = $1 and seats <> 0", event.0);
    Ok(rows.fetch_all(connection).await?.into_iter().map(|row| (row.user_id, row.seats)).collect())
}

/// What of each code is taken, if anything is: uses, seats.
pub(crate) async fn codes(connection: &mut PgConnection, event: EventId) -> sqlx::Result<Vec<(String, i32, i32)>> {
    let rows = sqlx::query!(
        "select code, uses, seats from sale_code where event_id = $1 and (uses, seats) <> (0, 0)",
        event.0
    );
    Ok(rows.fetch_all(connection).await?.into_iter().map(|row| (row.code, row.uses, row.seats)).collect())
}

/// A row of `waiting`.
#[derive(Debug)]
pub(crate) struct PlaceRow {
    pub(crate) place: i64,
    pub(crate) user_id: Uuid,
    pub(crate) seq: i64,
    pub(crate) want: serde_json::Value,
    pub(crate) state: String,
    pub(crate) hold_id: Option<Uuid>,
}

/// Every place in line, left or not.
pub(crate) async fn places(connection: &mut PgConnection, event: EventId) -> sqlx::Result<Vec<PlaceRow>> {
    sqlx::query_as!(
        PlaceRow,
        "select place, user_id, seq, want, state, hold_id from waiting where event_id = $1",
        event.0
    )
    .fetch_all(connection)
    .await
}

/// What search shows of the event: seats altogether, seats left, the lowest price.
pub(crate) async fn availability(
    connection: &mut PgConnection,
    event: EventId,
) -> sqlx::Result<Option<(i32, i32, Option<i64>)>> {
    let row = sqlx::query!("select seats_total, seats_left, price_min from availability where event_id = $1", event.0);
    let row = row.fetch_optional(connection).await?;
    Ok(row.map(|row| (row.seats_total, row.seats_left, row.price_min)))
}
