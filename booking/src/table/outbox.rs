//! `outbox`: what providers have still to be told.

use crate::order::{EffectTopic, OutboxWeight};
use model::PaymentId;
use sqlx::PgConnection;
use uuid::Uuid;

/// A due effect.
#[derive(Debug)]
pub(crate) struct OutboxRow {
    pub(crate) outbox_id: i64,
    pub(crate) topic: String,
    pub(crate) dedup: String,
    pub(crate) payment_id: Uuid,
    pub(crate) attempts: i32,
}

/// Leases what is due for 30 s and counts the attempt.
pub(crate) async fn lease(connection: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<OutboxRow>> {
    sqlx::query_as!(
        OutboxRow,
        "with due as (
            select outbox_id from outbox where sent_at is null and dead_at is null and not_before <= clock_timestamp()
            order by not_before limit $1 for update skip locked)
        update outbox o set not_before = clock_timestamp() + interval '30 seconds', attempts = o.attempts + 1
        from due where o.outbox_id = due.outbox_id
        returning o.outbox_id, o.topic, o.dedup, o.payment_id, o.attempts",
        limit
    )
    .fetch_all(connection)
    .await
}

/// It was done.
pub(crate) async fn sent(connection: &mut PgConnection, id: i64) -> sqlx::Result<()> {
    sqlx::query!(
        "update outbox set sent_at = clock_timestamp(), dead_at = null where outbox_id = $1 and sent_at is null",
        id
    )
    .execute(connection)
    .await
    .map(|_| ())
}

/// It was not, and this is why: again after 1, 2, 4 … 256 s.
pub(crate) async fn failed(connection: &mut PgConnection, id: i64, failure: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update outbox set failure = $2,
            not_before = clock_timestamp() + make_interval(secs => 2 ^ least(greatest(attempts - 1, 0), 8))
        where outbox_id = $1 and sent_at is null",
        id,
        failure
    )
    .execute(connection)
    .await
    .map(|_| ())
}

/// It never will be, and this is why.
pub(crate) async fn dead(connection: &mut PgConnection, id: i64, failure: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update outbox set failure = $2, dead_at = clock_timestamp() where outbox_id = $1 and sent_at is null and dead_at is null",
        id,
        failure
    )
    .execute(connection)
    .await
    .map(|_| ())
}

/// How much waits, how much is dead, and for how many seconds the oldest has waited.
pub(crate) async fn weight(connection: &mut PgConnection) -> sqlx::Result<OutboxWeight> {
    sqlx::query_as!(
        OutboxWeight,
        r#"select count(*) filter (where dead_at is null) as "waiting!", count(*) filter (where dead_at is not null) as "dead!",
            coalesce(extract(epoch from clock_timestamp() - min(created_at) filter (where dead_at is null)), 0)::bigint as "oldest_s!"
        from outbox where sent_at is null"#
    )
    .fetch_one(connection)
    .await
}

/// It is asked for again at once, under the same key, whatever came of it; false when no lane ever decided it.
pub(crate) async fn revive(
    connection: &mut PgConnection,
    payment: PaymentId,
    topic: EffectTopic,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update outbox set not_before = clock_timestamp(), sent_at = null, dead_at = null where payment_id = $1 and topic = $2",
        payment.0,
        topic.as_str()
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
