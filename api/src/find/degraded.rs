//! Answers while there is no index: events by id and lists by date, from Postgres, marked `degraded`.
//!
//! Invariant: what it cannot answer exactly it refuses. A few ask at once, each for a bounded time, and a database that does not
//! answer is left alone: booking needs it more. With the first view of an index none of this is asked any more.

use super::breaker::Breaker;
use crate::database;
use crate::problem::Problem;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{EventId, Lsn};
use search::Request;
use search::answer::{Answer, EventAnswer, Hit, Live};
use search::document::{EventDocument, Status};
use search::request::{BadParameter, Cursor, Filters, Mode, Sort};
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// Asked of Postgres at once.
const AT_ONCE: usize = 4;
/// How long one waits for a turn, and for the answer.
const TURN_WAIT_MAX: Duration = Duration::from_millis(500);
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);
/// Hits on a page, whatever is asked for.
const HITS_MAX: usize = 50;
/// Before every event: the year 1.
const FIRST_S: i64 = -62_135_596_800;

/// The way to Postgres when there is no index.
pub struct Degraded {
    turns: Semaphore,
    breaker: Breaker,
}

impl Default for Degraded {
    fn default() -> Self {
        Self { turns: Semaphore::new(AT_ONCE), breaker: Breaker::default() }
    }
}

/// Why there is no answer from Postgres either.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DegradedError {
    #[error("search without an index: not possible")]
    NotPossible,
    #[error("search without an index: the cursor is none")]
    Cursor,
    #[error("search without an index: too many ask")]
    Busy,
    #[error("search without an index")]
    Database(#[from] sqlx::Error),
}

impl From<&DegradedError> for Problem {
    fn from(error: &DegradedError) -> Self {
        match error {
            DegradedError::NotPossible => Self::busy(
                "the search index is being built: until it is there, lists are by date and take event_id, venue_id, country, \
                 status, from, to, include_past, limit and cursor alone",
                2,
            ),
            DegradedError::Cursor => {
                BadParameter { name: "cursor".to_owned(), accepted: "a `next` of an earlier answer".to_owned() }.into()
            }
            DegradedError::Busy => Self::busy("the search index is being built, and many ask meanwhile", 1),
            DegradedError::Database(_) => Self::busy("the search index is being built, and the database is busy", 1),
        }
    }
}

impl Degraded {
    /// A page by date.
    ///
    /// # Errors
    /// When the request needs an index, too many ask, or Postgres does not answer.
    pub(crate) async fn search(
        &self,
        pool: &PgPool,
        request: &Request,
        now: Timestamp,
    ) -> Result<Answer, DegradedError> {
        if !is_possible(request) {
            return Err(DegradedError::NotPossible);
        }
        let began = Instant::now();
        let limit = request.limit.min(HITS_MAX);
        let page = Page::of(request, limit + 1, now)?;
        let (as_of, mut rows) = self.ask(pool, &page).await?;
        let more = rows.len() > limit;
        let total = rows.len() as u64;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more).map(|row| (row.key, row.event.event_id));
        let next = last.map(|(key, event_id)| Cursor::by_date(request, key.as_microsecond(), event_id, now).encode());
        Ok(Answer {
            hits: rows.into_iter().map(|row| Hit::from(row.answer(as_of, now))).collect(),
            total,
            facets: BTreeMap::new(),
            next,
            did_you_mean: None,
            mode: Mode::Lexical,
            as_of,
            took_ms: (began.elapsed().as_secs_f64() * 1e6).round() / 1e3,
            degraded: true,
        })
    }

    /// One event; none when there is none.
    ///
    /// # Errors
    /// When too many ask, or Postgres does not answer.
    pub(crate) async fn event(
        &self,
        pool: &PgPool,
        event_id: EventId,
        now: Timestamp,
    ) -> Result<Option<EventAnswer>, DegradedError> {
        let statuses = vec![Status::Scheduled, Status::Postponed, Status::Cancelled];
        let filters = Filters { event_ids: vec![event_id], statuses, include_past: true, ..Filters::default() };
        let page = Page::of(&Request { filters, ..Request::default() }, 1, now)?;
        let (as_of, mut rows) = self.ask(pool, &page).await?;
        Ok(rows.pop().map(|row| row.answer(as_of, now)))
    }

    /// Asks in turn, unless the last ones had no answer.
    async fn ask(&self, pool: &PgPool, page: &Page) -> Result<(Lsn, Vec<Row>), DegradedError> {
        let turn = tokio::time::timeout(TURN_WAIT_MAX, self.turns.acquire()).await;
        let _turn = turn.map_err(|_| DegradedError::Busy)?.map_err(|_| DegradedError::Busy)?;
        if !self.breaker.admits(Instant::now()) {
            return Err(DegradedError::Busy);
        }
        let asked = tokio::time::timeout(ANSWER_WAIT_MAX, read(pool, page)).await;
        let asked = asked.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        match &asked {
            Ok(_) => self.breaker.succeeded(),
            Err(error) => {
                self.breaker.failed(Instant::now());
                tracing::warn!(%error, "search without an index");
            }
        }
        Ok(asked?)
    }
}

/// Whether Postgres alone answers it exactly. Facets are left out, and nothing is highlighted without words.
pub(crate) fn is_possible(request: &Request) -> bool {
    let asked = &request.filters;
    let possible = Filters {
        event_ids: asked.event_ids.clone(),
        venue_ids: asked.venue_ids.clone(),
        countries: asked.countries.clone(),
        statuses: asked.statuses.clone(),
        from: asked.from,
        to: asked.to,
        include_past: asked.include_past,
        ..Filters::default()
    };
    request.q.is_empty() && *asked == possible && request.sort() == Sort::Date
}

/// What the statement takes; a list that filters nothing is none.
struct Page {
    events: Option<Vec<Uuid>>,
    venues: Option<Vec<Uuid>>,
    countries: Option<Vec<String>>,
    statuses: Vec<String>,
    after: (Timestamp, Uuid),
    from: Timestamp,
    to: Option<Timestamp>,
    /// Whether dates filter nothing, so that events without one are there too.
    any_date: bool,
    include_past: bool,
    now: Timestamp,
    rows_max: i64,
}

impl Page {
    fn of(request: &Request, rows_max: usize, now: Timestamp) -> Result<Self, DegradedError> {
        let filters = &request.filters;
        let first = Timestamp::from_second(FIRST_S).unwrap_or(Timestamp::UNIX_EPOCH);
        let after = match request.cursor.as_ref().map(Cursor::place) {
            Some((key, event_id)) => {
                (Timestamp::from_microsecond(key).map_err(|_| DegradedError::Cursor)?.max(first), event_id.0)
            }
            None => (first, Uuid::nil()),
        };
        let statuses: &[Status] =
            if filters.statuses.is_empty() { &[Status::Scheduled, Status::Postponed] } else { &filters.statuses };
        let listed = |ids: Vec<Uuid>| Some(ids).filter(|ids| !ids.is_empty());
        Ok(Self {
            events: listed(filters.event_ids.iter().map(|id| id.0).collect()),
            venues: listed(filters.venue_ids.iter().map(|id| id.0).collect()),
            countries: Some(filters.countries.clone()).filter(|countries| !countries.is_empty()),
            statuses: statuses.iter().map(|status| status.as_str().to_owned()).collect(),
            after,
            from: filters.from.map_or(first, |from| from.max(first)),
            to: filters.to.map(|to| to.max(first)),
            any_date: filters.from.is_none() && filters.to.is_none(),
            include_past: filters.include_past,
            now,
            rows_max: i64::try_from(rows_max).unwrap_or(i64::MAX),
        })
    }
}

/// An event in its place.
struct Row {
    key: Timestamp,
    event: EventDocument,
    live: Option<Live>,
}

impl Row {
    fn answer(self, as_of: Lsn, now: Timestamp) -> EventAnswer {
        let live = self.live.unwrap_or_else(|| Live::untouched(&self.event));
        EventAnswer { degraded: true, ..EventAnswer::of(self.event, live, as_of, now) }
    }
}

/// The position is read before the page is: the page has at least everything that was committed there.
async fn read(pool: &PgPool, page: &Page) -> Result<(Lsn, Vec<Row>), sqlx::Error> {
    let mut db = pool.begin().await?;
    // A plan for these very filters; and who gave up waiting leaves no statement behind that runs on.
    sqlx::query!(
        "select set_config('plan_cache_mode', 'force_custom_plan', true) as plan,
            set_config('statement_timeout', '2s', true) as statement"
    )
    .fetch_one(&mut *db)
    .await?;
    let as_of = database::log_end(&mut db).await?;
    let rows = rows(&mut db, page).await?;
    db.commit().await?;
    Ok((as_of, rows))
}

/// Events in the index's order: by start, but one whose date is to be announced at the end of the day it is expected on.
async fn rows(db: &mut PgConnection, page: &Page) -> Result<Vec<Row>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"with matching as not materialized (
            select e.event_id, e.starts_at, e.ends_at, e.date_tba, v.timezone
            from event e join venue v using (venue_id)
            where ($1::uuid[] is null or e.event_id = any ($1)) and ($2::uuid[] is null or e.venue_id = any ($2))
                and ($3::text[] is null or v.country = any ($3)) and e.status = any ($4::text[])
        ), dated as (
            select event_id, starts_at as key from matching
            where not date_tba and (starts_at, event_id) > ($5::timestamptz, $6::uuid) and starts_at >= $7::timestamptz
                and ($8::timestamptz is null or starts_at < $8) and ($10 or starts_at > $11::timestamptz or ends_at > $11)
                and starts_at > case when $10 then '-infinity' else $11 - interval '1 day'
                    - (select coalesce(max(case when isfinite(starts_at) and isfinite(ends_at) then ends_at - starts_at end),
                        interval '0') from event) end
            order by starts_at, event_id limit $12
        ), expected as (
            select event_id, key from matching, lateral (select (date_trunc('day', starts_at at time zone timezone)
                + interval '1 day' - interval '1 microsecond') at time zone timezone as key) day
            where date_tba and $9 and (key, event_id) > ($5, $6) and ($10 or key > $11 or ends_at > $11)
            order by key, event_id limit $12
        ), page as (
            select * from dated union all select * from expected order by key, event_id limit $12
        )
        select page.key as "key!", a.seats_left as "seats_left?", a.price_min as "price_min?",
            to_jsonb(e) || jsonb_build_object('venue', to_jsonb(v),
                'artists', coalesce((select jsonb_agg(to_jsonb(artist) || to_jsonb(bill) order by position)
                    from event_artist bill join artist using (artist_id) where bill.event_id = e.event_id), '[]'),
                'tiers', coalesce((select jsonb_agg(to_jsonb(tier_row) order by tier)
                    from event_tier tier_row where tier_row.event_id = e.event_id), '[]'),
                'presales', coalesce((select jsonb_agg(to_jsonb(presale) order by position)
                    from event_presale presale where presale.event_id = e.event_id), '[]')) as "event!: Json<EventDocument>"
        from page join event e using (event_id) join venue v using (venue_id) left join availability a using (event_id)
        order by page.key, event_id"#,
        page.events.as_deref(),
        page.venues.as_deref(),
        page.countries.as_deref(),
        &page.statuses,
        page.after.0.to_sqlx() as _,
        page.after.1,
        page.from.to_sqlx() as _,
        page.to.map(jiff_sqlx::ToSqlx::to_sqlx) as _,
        page.any_date,
        page.include_past,
        page.now.to_sqlx() as _,
        page.rows_max
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows
        .map(|row| Row {
            key: row.key.to_jiff(),
            event: row.event.0,
            live: row.seats_left.map(|seats| Live { seats_left: seats.unsigned_abs(), price_min: row.price_min }),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_postgres_answers_exactly_is_possible() {
        let id = Uuid::nil();
        let possible = [
            String::new(),
            "sort=date&limit=5&facets=genre&highlight=true".to_owned(),
            format!("event_id={id}&venue_id={id}&country=us&status=cancelled&include_past=true"),
            "from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z".to_owned(),
        ];
        for query in possible {
            assert!(is_possible(&Request::parse(&query).unwrap()), "{query}");
        }
        for query in [
            "q=mahler",
            "q=-mahler",
            "sort=-date",
            "sort=popularity",
            "genre=Jazz",
            "city=Paris",
            "lat=1&lon=2",
            "when=today",
            "local_from=2026-01-01",
            "price_max=5",
            "availability=few",
            "min_seats=1",
            "on_sale=now",
        ] {
            assert!(!is_possible(&Request::parse(query).unwrap()), "{query}");
        }
    }
}
