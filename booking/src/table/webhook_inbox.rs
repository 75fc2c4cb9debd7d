//! `webhook_inbox`: what providers told us, by their own message ids.

use crate::order::InboxEntry;
use sqlx::PgConnection;

/// Stores a message; false when it was there.
pub(crate) async fn store(connection: &mut PgConnection, entry: &InboxEntry) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "insert into webhook_inbox (provider, provider_event_id, body) values ($1, $2, $3) on conflict do nothing",
        entry.provider,
        entry.provider_event_id,
        entry.body
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Leases messages for 2 s, so that one we cannot deal with yet comes again, oldest first. After a day it does no more.
pub(crate) async fn lease(connection: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<InboxEntry>> {
    let mut rows = sqlx::query!(
        "with due as (
            select provider, provider_event_id from webhook_inbox where done_at is null and not_before <= clock_timestamp()
                and received_at > clock_timestamp() - interval '24 hours'
            order by not_before limit $1 for update skip locked)
        update webhook_inbox i set not_before = clock_timestamp() + interval '2 seconds' from due
        where i.provider = due.provider and i.provider_event_id = due.provider_event_id
        returning i.provider, i.provider_event_id, i.body, i.received_at",
        limit
    )
    .fetch_all(connection)
    .await?;
    rows.sort_by_key(|row| row.received_at.to_jiff());
    let entry = rows.into_iter().map(|row| InboxEntry {
        provider: row.provider,
        provider_event_id: row.provider_event_id,
        body: row.body,
    });
    Ok(entry.collect())
}

/// The message was dealt with.
pub(crate) async fn done(connection: &mut PgConnection, provider: &str, provider_event_id: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update webhook_inbox set done_at = clock_timestamp()
        where provider = $1 and provider_event_id = $2 and done_at is null",
        provider,
        provider_event_id
    )
    .execute(connection)
    .await
    .map(|_| ())
}
