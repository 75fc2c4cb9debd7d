//! The table `saved_search_mail`, and the matches as what mails tell of: one function per statement.

use super::letter::NAMED_MAX;
use jiff::Timestamp;
use model::{EventId, SearchId};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// What matched longer ago than this when mail is turned on is not told any more.
const FRESH_HOURS: i32 = 24;
/// A search's next mail waits so long after the one before: what it finds meanwhile is told together.
const APART_MINUTES: i32 = 10;
/// After so many tries a mail is given up: half a day.
const TRIES_MAX: i32 = 15;
/// Names the lock under which matches are put into mails, so that two processes do not share one out.
const GATHERING: i64 = 0x6d61_696c;

/// A mail to be sent now.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) mail_id: Uuid,
    pub(super) search_id: SearchId,
    pub(super) search_name: String,
    pub(super) mails: bool,
    pub(super) email: String,
    pub(super) person_name: String,
}

/// An event that a mail tells of.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) event_id: EventId,
    pub(super) title: String,
    pub(super) starts_at: Timestamp,
    pub(super) venue: String,
    pub(super) city: String,
    pub(super) timezone: String,
}

/// Puts every match that is in no mail into one, a mail for each search.
pub(super) async fn gather(pool: &PgPool, limit: i64) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let alone = sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock($1) as "alone!""#, GATHERING);
    if alone.fetch_one(&mut *transaction).await? {
        let gathered = sqlx::query!(
            "with due as (
                select search_id, gen_random_uuid() as mail_id from saved_search_match m join saved_search s using (search_id)
                where m.mail_id is null and m.matched_at > now() - make_interval(hours => $1) and s.mails
                    and not exists (select from saved_search_mail l where l.search_id = m.search_id
                        and l.created_at > now() - make_interval(mins => $2))
                group by search_id order by min(m.matched_at) limit $3),
            mail as (
                insert into saved_search_mail (mail_id, search_id) select mail_id, search_id from due
                returning mail_id, search_id)
            update saved_search_match m set mail_id = mail.mail_id from mail
            where m.search_id = mail.search_id and m.mail_id is null",
            FRESH_HOURS,
            APART_MINUTES,
            limit
        );
        gathered.execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

/// Leases mails that are due for a minute and counts the try.
pub(super) async fn lease(db: &mut PgConnection, limit: i64) -> Result<Vec<Due>, sqlx::Error> {
    let rows = sqlx::query!(
        "with due as (
            select mail_id from saved_search_mail
            where sent_at is null and not_before <= clock_timestamp() and attempts < $1
            order by not_before limit $2 for update skip locked)
        update saved_search_mail l
        set attempts = l.attempts + 1, not_before = clock_timestamp() + interval '1 minute'
        from due, saved_search s, account a
        where l.mail_id = due.mail_id and s.search_id = l.search_id and a.user_id = s.user_id
        returning l.mail_id, l.search_id, s.name as search_name, s.mails, a.email, a.name as person_name",
        TRIES_MAX,
        limit
    );
    let due = rows.fetch_all(db).await?.into_iter().map(|row| Due {
        mail_id: row.mail_id,
        search_id: SearchId(row.search_id),
        search_name: row.search_name,
        mails: row.mails,
        email: row.email,
        person_name: row.person_name,
    });
    Ok(due.collect())
}

/// What a mail tells of: the first events, and how many there are.
pub(super) async fn found(db: &mut PgConnection, mail: Uuid) -> Result<(Vec<Found>, usize), sqlx::Error> {
    let rows = sqlx::query!(
        r#"select e.event_id, e.title, e.starts_at, v.name as venue, v.city, v.timezone, count(*) over () as "total!"
         from saved_search_mail l join saved_search_match m using (search_id, mail_id)
         join event e using (event_id) join venue v using (venue_id)
         where l.mail_id = $1 order by e.starts_at, e.event_id limit $2"#,
        mail,
        i64::try_from(NAMED_MAX).unwrap_or(i64::MAX)
    );
    let rows = rows.fetch_all(db).await?;
    let total = rows.first().map_or(0, |row| row.total);
    let events = rows.into_iter().map(|row| Found {
        event_id: EventId(row.event_id),
        title: row.title,
        starts_at: row.starts_at.to_jiff(),
        venue: row.venue,
        city: row.city,
        timezone: row.timezone,
    });
    Ok((events.collect(), usize::try_from(total).unwrap_or_default()))
}

/// The server took it, or there is nothing to send any more.
pub(super) async fn done(db: &mut PgConnection, mail: Uuid) -> Result<(), sqlx::Error> {
    let done = sqlx::query!("update saved_search_mail set sent_at = clock_timestamp() where mail_id = $1", mail);
    done.execute(db).await.map(|_| ())
}

/// The server did not take it: again after 2, 4, 8 s … some hours.
pub(super) async fn failed(db: &mut PgConnection, mail: Uuid) -> Result<(), sqlx::Error> {
    let failed = sqlx::query!(
        "update saved_search_mail set not_before = clock_timestamp() + make_interval(secs => 2 ^ attempts)
         where mail_id = $1",
        mail
    );
    failed.execute(db).await.map(|_| ())
}

/// The server will never take it.
pub(super) async fn give_up(db: &mut PgConnection, mail: Uuid) -> Result<(), sqlx::Error> {
    let given_up = sqlx::query!("update saved_search_mail set attempts = $2 where mail_id = $1", mail, TRIES_MAX);
    given_up.execute(db).await.map(|_| ())
}
