//! `payment`: attempts to pay. States change in the lane; what the provider calls the attempt is noted here.

use super::Unreadable;
use crate::books::PaymentLine;
use crate::failure::Failure;
use crate::order::{OrderState, PaymentAttempt, PaymentState};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{EventId, OrderId, PaymentId};
use sqlx::PgConnection;
use uuid::Uuid;

/// A row as the statements below select it.
#[derive(Debug)]
pub(crate) struct PaymentRow {
    pub(crate) event_id: Uuid,
    pub(crate) payment_id: Uuid,
    pub(crate) order_id: Uuid,
    pub(crate) provider: Option<String>,
    pub(crate) provider_ref: Option<String>,
    pub(crate) portal_url: Option<String>,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) refunded: i64,
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    pub(crate) created_at: jiff_sqlx::Timestamp,
}

impl TryFrom<PaymentRow> for PaymentAttempt {
    type Error = Failure;

    fn try_from(row: PaymentRow) -> Result<Self, Failure> {
        let state = match row.state.as_str() {
            "created" => PaymentState::Created,
            "authorized" => PaymentState::Authorized,
            "declined" => PaymentState::Declined { reason: row.reason.unwrap_or_default() },
            "capturing" => PaymentState::Capturing,
            "captured" => PaymentState::Captured,
            "voiding" => PaymentState::Voiding,
            "voided" => PaymentState::Voided,
            "returning" => PaymentState::Returning,
            "returned" => PaymentState::Returned,
            _ => return Err(Failure::new(Unreadable("payment.state"))),
        };
        Ok(Self {
            payment_id: PaymentId(row.payment_id),
            order_id: OrderId(row.order_id),
            event_id: EventId(row.event_id),
            provider: row.provider,
            provider_ref: row.provider_ref,
            portal_url: row.portal_url,
            amount: row.amount,
            currency: row.currency.parse().map_err(Failure::new)?,
            refunded: row.refunded,
            state,
            created_at: row.created_at.to_jiff(),
        })
    }
}

/// An order's attempts, oldest first.
pub(crate) async fn of_order(
    connection: &mut PgConnection,
    event: EventId,
    order: OrderId,
) -> Result<Vec<PaymentAttempt>, Failure> {
    let rows = sqlx::query_as!(
        PaymentRow,
        "select p.event_id, p.payment_id, p.order_id, p.provider, p.provider_ref, p.portal_url, p.amount, o.currency, p.refunded, p.state,
            p.reason, p.created_at
        from payment p join orders o using (event_id, order_id)
        where p.event_id = $1 and p.order_id = $2 order by p.payment_id",
        event.0,
        order.0
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(PaymentAttempt::try_from).collect()
}

/// One attempt.
pub(crate) async fn by_id(
    connection: &mut PgConnection,
    payment: PaymentId,
) -> Result<Option<PaymentAttempt>, Failure> {
    let row = sqlx::query_as!(
        PaymentRow,
        "select p.event_id, p.payment_id, p.order_id, p.provider, p.provider_ref, p.portal_url, p.amount, o.currency, p.refunded, p.state,
            p.reason, p.created_at
        from payment p join orders o using (event_id, order_id) where p.payment_id = $1",
        payment.0
    )
    .fetch_optional(connection)
    .await?;
    row.map(PaymentAttempt::try_from).transpose()
}

/// The attempt a provider calls so.
pub(crate) async fn by_provider_ref(
    connection: &mut PgConnection,
    provider: &str,
    provider_ref: &str,
) -> Result<Option<PaymentAttempt>, Failure> {
    let row = sqlx::query_as!(
        PaymentRow,
        "select p.event_id, p.payment_id, p.order_id, p.provider, p.provider_ref, p.portal_url, p.amount, o.currency, p.refunded, p.state,
            p.reason, p.created_at
        from payment p join orders o using (event_id, order_id) where p.provider = $1 and p.provider_ref = $2",
        provider,
        provider_ref
    )
    .fetch_optional(connection)
    .await?;
    row.map(PaymentAttempt::try_from).transpose()
}

/// Notes where the attempt is open, unless that is noted; gives what is noted then.
pub(crate) async fn opened(
    connection: &mut PgConnection,
    payment: PaymentId,
    provider: &str,
    provider_ref: &str,
    portal_url: &str,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        r#"update payment set provider = coalesce(provider, $2), provider_ref = coalesce(provider_ref, $3),
            portal_url = coalesce(portal_url, $4), updated_at = clock_timestamp()
        where payment_id = $1 returning portal_url as "portal_url!""#,
        payment.0,
        provider,
        provider_ref,
        portal_url
    )
    .fetch_optional(connection)
    .await
}

/// Attempts open at a provider for `pause_s` seconds without a word, and not asked about for as long; marks them asked about.
/// A day after they were made they are given up.
pub(crate) async fn to_poll(
    connection: &mut PgConnection,
    pause_s: f64,
    limit: i64,
) -> Result<Vec<PaymentAttempt>, Failure> {
    let rows = sqlx::query_as!(
        PaymentRow,
        "with due as (
            select event_id, payment_id from payment
            where state in ('created', 'authorized', 'capturing', 'voiding', 'returning') and provider_ref is not null
                and updated_at < clock_timestamp() - make_interval(secs => $1)
                and (polled_at is null or polled_at < clock_timestamp() - make_interval(secs => $1))
                and created_at > clock_timestamp() - interval '24 hours'
            order by polled_at nulls first, created_at limit $2 for update skip locked)
        update payment p set polled_at = clock_timestamp() from due, orders o
        where p.event_id = due.event_id and p.payment_id = due.payment_id
            and o.event_id = p.event_id and o.order_id = p.order_id
        returning p.event_id, p.payment_id, p.order_id, p.provider, p.provider_ref, p.portal_url, p.amount, o.currency, p.refunded, p.state,
            p.reason, p.created_at",
        pause_s,
        limit
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(PaymentAttempt::try_from).collect()
}

/// Payments opened at a provider and made at or after `from`, by id, after one.
pub(crate) async fn lines(
    connection: &mut PgConnection,
    from: Timestamp,
    after: Option<PaymentId>,
    limit: i64,
) -> Result<Vec<PaymentLine>, Failure> {
    let ids = sqlx::query_scalar!(
        "select payment_id from payment where provider is not null and created_at >= $1 and ($2::uuid is null or payment_id > $2)
        order by payment_id limit $3",
        from.to_sqlx() as jiff_sqlx::Timestamp,
        after.map(|payment| payment.0),
        limit
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut lines = Vec::with_capacity(ids.len());
    for id in ids {
        lines.extend(line(connection, PaymentId(id)).await?);
    }
    Ok(lines)
}

/// One payment with what its provider has still to be told.
pub(crate) async fn line(connection: &mut PgConnection, payment: PaymentId) -> Result<Option<PaymentLine>, Failure> {
    let Some(attempt) = by_id(connection, payment).await? else { return Ok(None) };
    let row = sqlx::query!(
        r#"select o.state as order_state, coalesce(x.dead_at is not null, false) as "given_up!", x.failure,
            extract(epoch from clock_timestamp() - greatest(p.updated_at, o.updated_at))::bigint as "quiet_s!"
        from payment p join orders o using (event_id, order_id)
            left join lateral (select failure, dead_at from outbox x where x.payment_id = p.payment_id and sent_at is null
                order by outbox_id desc limit 1) x on true
        where p.payment_id = $1"#,
        payment.0
    )
    .fetch_one(connection)
    .await?;
    let order_state = OrderState::parse(&row.order_state).ok_or_else(|| Failure::new(Unreadable("orders.state")))?;
    let (quiet_s, failure, given_up) = (row.quiet_s, row.failure, row.given_up);
    Ok(Some(PaymentLine { payment: attempt, order_state, quiet_s, failure, given_up }))
}
