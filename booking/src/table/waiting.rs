//! `waiting`: people in line for seats that come back. Who waits and who is offered what the lanes decide; here it is read, and
//! noted whom a mail has told.

use crate::failure::Failure;
use crate::waiting::{OfferMail, Standing, Wait};
use jiff::Timestamp;
use model::{EventId, HoldId, UserId};
use sqlx::PgConnection;

/// After so many tries a mail is given up.
const TRIES_MAX: i32 = 10;

/// Where somebody stands in an event's line: waiting, or with an offer that is still theirs to take.
pub(crate) async fn of_buyer(
    connection: &mut PgConnection,
    event: EventId,
    buyer: UserId,
) -> Result<Option<Wait>, Failure> {
    let row = sqlx::query!(
        r#"select w.joined_at, w.want, w.hold_id, h.expires_at as "expires_at?",
            (select count(*) from waiting b where b.event_id = w.event_id and b.state = 'waiting' and b.place < w.place) as "ahead!"
        from waiting w left join hold h on h.event_id = w.event_id and h.hold_id = w.hold_id
        where w.event_id = $1 and w.user_id = $2
            and (w.state = 'waiting' or (w.state = 'offered' and h.state = 'held' and h.expires_at > clock_timestamp()))
        order by w.place desc limit 1"#,
        event.0,
        buyer.0
    );
    let Some(row) = row.fetch_optional(connection).await? else { return Ok(None) };
    let standing = match (row.hold_id, row.expires_at) {
        (Some(hold), Some(at)) => Standing::Offered { reserve_id: HoldId(hold), expires_at: at.to_jiff() },
        _ => Standing::Waiting { ahead: row.ahead },
    };
    let want = serde_json::from_value(row.want).map_err(Failure::new)?;
    Ok(Some(Wait { event_id: event, since: row.joined_at.to_jiff(), want, standing }))
}

/// The last place that somebody ever had in an event's line; 0 when there was none.
pub(crate) async fn last_place(connection: &mut PgConnection, event: EventId, buyer: UserId) -> sqlx::Result<i64> {
    let last = sqlx::query_scalar!(
        r#"select coalesce(max(place), 0) as "last!" from waiting where event_id = $1 and user_id = $2"#,
        event.0,
        buyer.0
    );
    last.fetch_one(connection).await
}

/// Offers that are somebody's to take now.
pub(crate) async fn offers_of(connection: &mut PgConnection, buyer: UserId) -> sqlx::Result<Vec<(EventId, Timestamp)>> {
    let rows = sqlx::query!(
        "select w.event_id, h.expires_at from waiting w join hold h using (event_id, hold_id)
        where w.user_id = $1 and w.state = 'offered' and h.state = 'held' and h.expires_at > clock_timestamp()
        order by h.expires_at limit 100",
        buyer.0
    );
    Ok(rows
        .fetch_all(connection)
        .await?
        .into_iter()
        .map(|row| (EventId(row.event_id), row.expires_at.to_jiff()))
        .collect())
}

/// Leases live offers that no mail has told of for a minute, and counts the try.
pub(crate) async fn lease_mail(connection: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<OfferMail>> {
    let rows = sqlx::query!(
        "with due as (
            select w.event_id, w.place from waiting w join hold h using (event_id, hold_id)
            where w.state = 'offered' and w.mailed_at is null and w.mail_not_before <= clock_timestamp() and w.mail_attempts < $1
                and h.state = 'held' and h.expires_at > clock_timestamp()
            order by w.mail_not_before limit $2 for update of w skip locked)
        update waiting w set mail_attempts = w.mail_attempts + 1, mail_not_before = clock_timestamp() + interval '1 minute'
        from due, hold h where w.event_id = due.event_id and w.place = due.place and h.event_id = w.event_id and h.hold_id = w.hold_id
        returning w.event_id, w.place, w.user_id, h.hold_id, h.expires_at, cardinality(h.seat_nos) as \"seats!\"",
        TRIES_MAX,
        limit
    );
    let mail = rows.fetch_all(connection).await?.into_iter().map(|row| OfferMail {
        event: EventId(row.event_id),
        place: row.place,
        buyer: UserId(row.user_id),
        hold: HoldId(row.hold_id),
        seats: row.seats.unsigned_abs(),
        expires_at: row.expires_at.to_jiff(),
    });
    Ok(mail.collect())
}

/// The mail of an offer went out, or never will.
pub(crate) async fn mailed(connection: &mut PgConnection, event: EventId, place: i64) -> sqlx::Result<()> {
    let done = sqlx::query!(
        "update waiting set mailed_at = clock_timestamp() where event_id = $1 and place = $2",
        event.0,
        place
    );
    done.execute(connection).await.map(|_| ())
}
