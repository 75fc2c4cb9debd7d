//! The table `saved_search_match` as its reader sees it: one function per statement.

use jiff::Timestamp;
use model::{EventId, SearchId, UserId};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

/// Notifications shown, and unread ones counted.
const SHOWN_MAX: i64 = 100;
/// How long they are kept.
const KEPT_DAYS: i32 = 90;

/// A saved search has found a new event.
#[derive(Debug, Serialize, ToSchema)]
pub struct Notification {
    /// Greater is newer.
    pub notification_id: i64,
    /// Which search.
    pub search_id: SearchId,
    /// What its owner calls it.
    pub search_name: String,
    /// Which event.
    pub event_id: EventId,
    /// The event's title.
    pub title: String,
    /// When it begins.
    pub starts_at: Timestamp,
    /// The venue's name.
    pub venue: String,
    /// The venue's city.
    pub city: String,
    /// The venue's zone.
    pub timezone: String,
    /// When it was found.
    pub found_at: Timestamp,
    /// Whether its owner has seen it.
    pub read: bool,
}

/// A person's newest notifications.
///
/// # Errors
/// When the database fails.
pub async fn newest(db: &mut PgConnection, user: UserId) -> Result<Vec<Notification>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select m.match_id, m.search_id, s.name as search_name, m.event_id, e.title, e.starts_at, v.name as venue, v.city,
            v.timezone, m.matched_at, m.read_at is not null as "read!"
         from saved_search s join saved_search_match m using (search_id) join event e using (event_id)
         join venue v using (venue_id)
         where s.user_id = $1 order by m.match_id desc limit $2"#,
        user.0,
        SHOWN_MAX
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    let notification = rows.map(|row| Notification {
        notification_id: row.match_id,
        search_id: SearchId(row.search_id),
        search_name: row.search_name,
        event_id: EventId(row.event_id),
        title: row.title,
        starts_at: row.starts_at.to_jiff(),
        venue: row.venue,
        city: row.city,
        timezone: row.timezone,
        found_at: row.matched_at.to_jiff(),
        read: row.read,
    });
    Ok(notification.collect())
}

/// How many of a person's notifications are unread, counted up to as many as are shown.
pub(super) async fn unread(db: &mut PgConnection, user: UserId) -> Result<i64, sqlx::Error> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from (
            select from saved_search s join saved_search_match m using (search_id)
            where s.user_id = $1 and m.read_at is null limit $2) unread"#,
        user.0,
        SHOWN_MAX
    );
    count.fetch_one(db).await
}

/// Marks a person's notifications up to one as read.
pub(super) async fn mark_read(db: &mut PgConnection, user: UserId, until: i64) -> Result<(), sqlx::Error> {
    let marked = sqlx::query!(
        "update saved_search_match m set read_at = now() from saved_search s
         where s.search_id = m.search_id and s.user_id = $1 and m.match_id <= $2 and m.read_at is null",
        user.0,
        until
    );
    marked.execute(db).await?;
    Ok(())
}

/// Removes what nobody looks at any more, a batch at a time; says how much.
///
/// # Errors
/// When the database fails.
pub async fn sweep(db: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let swept = sqlx::query!(
        "delete from saved_search_match
         where match_id in (select match_id from saved_search_match order by match_id limit 1000)
            and matched_at < now() - make_interval(days => $1)",
        KEPT_DAYS
    );
    Ok(swept.execute(db).await?.rows_affected())
}
