//! Search over HTTP: events, one event, suggestions. Answers come from the replica alone, or from Postgres while there is none; the
//! same bytes for everyone.
//!
//! Invariant: an answer names the log position it is of (`as_of`); `min_lsn` waits for one, so that people read their own writes.
//! A refresh storm costs one computation: answers are kept for a second by (query, index, availability), with single flight.

mod breaker;
mod cache;
mod degraded;
mod parameters;

pub use cache::Answers;
pub use degraded::Degraded;
pub(crate) use degraded::is_possible;

use crate::app::App;
use crate::extract::Id;
use crate::problem::{Problem, ProblemBody};
use crate::shared_body::SharedBody;
use crate::{catalog, database};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use cache::written;
use jiff::Timestamp;
use model::{EventId, Lsn};
use parameters::Parameters;
use search::answer::{Answer, EventAnswer, Suggestions};
use search::{BadParameter, Replica, Request, View};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::SemaphorePermit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// A CDN may keep an answer for a second, and show it a little longer while it asks again.
const CACHE: &str = "public, max-age=0, s-maxage=1, stale-while-revalidate=5";
/// Leads the tag of a degraded answer: the whole one is another, though its hits be the same.
const DEGRADED: &str = "degraded.";
/// How long `min_lsn` is waited for.
const WAIT_MAX: Duration = Duration::from_secs(3);
/// How long a look-up of an unknown event may wait for its turn.
const MISS_WAIT_MAX: Duration = Duration::from_secs(1);
/// Suggestions of each kind.
const SUGGESTIONS: usize = 6;
/// The longest text suggestions are looked up for.
const SUGGEST_CHARS_MAX: usize = 200;

/// The routes of search.
#[must_use]
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(search)).routes(routes!(suggest)).routes(routes!(event))
}

/// Search events
///
/// Parameters of one name repeat and mean *or*; different names mean *and*. An unknown parameter or a bad value is refused by name.
///
/// While there is no index, answers are by date from Postgres, at most 50 hits a page, `degraded` and without facets; what asks for
/// more than `event_id`, `venue_id`, `country`, `status`, `from`, `to`, `include_past`, `limit` and `cursor` is 503 `busy`.
/// Cursors of either kind of answer go on in the other.
#[utoipa::path(get, path = "/event", tag = "search", params(Parameters),
    responses((status = 200, body = Answer), (status = 304),
        (status = 400, description = "`bad-parameter` {parameter, accepted}", body = ProblemBody),
        (status = 503, body = ProblemBody)))]
async fn search(State(app): State<App>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Problem> {
    let query = query.unwrap_or_default();
    let key = format!("search {query}");
    // An answer that is kept is of a query that was read before, and of a view that is as far as it asks for.
    if let Some(view) = app.replica.current()
        && let Some(answer) = app.answers.kept(&key, &view).await
    {
        return Ok(answer.respond(&headers, CACHE));
    }
    let request = Request::parse(&query)?;
    let answer = if let Some(view) = view(&app, min_lsn(&query)).await? {
        let of = Arc::clone(&view);
        app.answers.get(key, of, move || Ok(Some(written(&view.search(&request, Timestamp::now())?, "")?))).await?
    } else {
        let answer = async {
            let answer = app.degraded.search(&app.pool, &request, Timestamp::now()).await?;
            Ok(Some(written(&answer, DEGRADED)?))
        };
        app.answers.get_degraded(key, answer).await?
    };
    let answer = answer.ok_or_else(catalog::no_such_event)?;
    Ok(answer.respond(&headers, CACHE))
}

/// Suggest what somebody who types may mean
#[utoipa::path(get, path = "/event/suggest", tag = "search", params(("q" = String, Query)),
    responses((status = 200, body = Suggestions), (status = 304), (status = 400, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
async fn suggest(State(app): State<App>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Problem> {
    let query = query.unwrap_or_default();
    // The parameter means what it means in a search, so it is read by the same rules.
    let only_q = query.split('&').all(|pair| pair.is_empty() || pair == "q" || pair.starts_with("q="));
    let request = Request::parse(&query)?;
    if !only_q || request.q.chars().count() > SUGGEST_CHARS_MAX {
        let accepted = format!("q, up to {SUGGEST_CHARS_MAX} characters");
        return Err(BadParameter { name: "q".to_owned(), accepted }.into());
    }
    let view = view(&app, None).await?.ok_or_else(|| Problem::busy("the search index is being built", 2))?;
    let key = format!("suggest {}", request.q);
    let answer = app.answers.get(key, Arc::clone(&view), move || {
        let suggestions = view.suggest(&request.q, SUGGESTIONS, Timestamp::now())?;
        Ok(Some(written(&suggestions, "")?))
    });
    let answer = answer.await?.ok_or_else(catalog::no_such_event)?;
    Ok(answer.respond(&headers, CACHE))
}

/// One event with its tiers, its sale and live counts
#[utoipa::path(get, path = "/event/{event_id}", tag = "search", params(
    ("event_id" = EventId, Path), ("min_lsn" = Option<String>, Query, description = "Log position to be reached first.")),
    responses((status = 200, body = EventAnswer), (status = 304), (status = 400, body = ProblemBody),
        (status = 404, description = "`no-such-event`", body = ProblemBody), (status = 503, body = ProblemBody)))]
async fn event(
    State(app): State<App>,
    Id(event_id): Id<EventId>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let min_lsn = min_lsn_alone(&query.unwrap_or_default())?;
    let answer = match look_up(&app, event_id, min_lsn).await? {
        Some(answer) => answer,
        // The index may be a moment behind: an event that Postgres has is waited for, and only one it has not is none.
        None => match committed_at(&app, event_id).await? {
            Some(lsn) => look_up(&app, event_id, Some(lsn)).await?.ok_or_else(catalog::no_such_event)?,
            None => return Err(catalog::no_such_event()),
        },
    };
    Ok(answer.respond(&headers, CACHE))
}

async fn look_up(app: &App, event_id: EventId, min_lsn: Option<Lsn>) -> Result<Option<Arc<SharedBody>>, Problem> {
    let key = format!("event {event_id}");
    let Some(view) = view(app, min_lsn).await? else {
        let answer = async {
            let event = app.degraded.event(&app.pool, event_id, Timestamp::now()).await?;
            Ok(event.map(|event| written(&event, DEGRADED)).transpose()?)
        };
        return app.answers.get_degraded(key, answer).await;
    };
    let answer = app.answers.get(key, Arc::clone(&view), move || {
        let event = view.event(event_id, Timestamp::now())?;
        Ok(event.map(|event| written(&event, &format!("{}.", event.event.version))).transpose()?)
    });
    answer.await
}

/// A log position that an index which has the event has reached; none when there is no such event.
async fn committed_at(app: &App, event_id: EventId) -> Result<Option<Lsn>, Problem> {
    let _turn = miss(app).await?;
    let row = sqlx::query_scalar!(
        r#"select pg_current_wal_insert_lsn()::text as "lsn!" from event where event_id = $1"#,
        event_id.0
    );
    let lsn = row.fetch_optional(&app.pool).await?;
    lsn.map(|lsn| lsn.parse().map_err(|error: model::ParseLsnError| Problem::internal(&error))).transpose()
}

/// A turn to ask Postgres for what the index does not have.
async fn miss(app: &App) -> Result<SemaphorePermit<'_>, Problem> {
    let permit = tokio::time::timeout(MISS_WAIT_MAX, app.misses.acquire()).await;
    let busy = || Problem::busy("too many ask for what the index does not have yet", 1);
    permit.map_err(|_| busy())?.map_err(|_| busy())
}

/// The newest view, at or after `min_lsn`; none while there is no index, and then Postgres is that far.
///
/// # Errors
/// 400 when Postgres's own log does not go that far, so that waiting is idle; 503 when the index does not get that far in time.
async fn view(app: &App, min_lsn: Option<Lsn>) -> Result<Option<Arc<View>>, Problem> {
    let replica: &Replica = &app.replica;
    let shown = *replica.shown().borrow();
    if let Some(lsn) = min_lsn.filter(|lsn| *lsn > shown) {
        refuse_future(app, lsn).await?;
        if replica.current().is_some()
            && let Err(late) = replica.wait_for(lsn, WAIT_MAX).await
        {
            return Err(Problem::busy("the index is not that far yet", 1).with("as_of", json!(late.shown)));
        }
    }
    Ok(replica.current())
}

/// Refuses a log position that Postgres has not written yet.
async fn refuse_future(app: &App, lsn: Lsn) -> Result<(), Problem> {
    let _turn = miss(app).await?;
    let end = database::log_end(&mut *app.pool.acquire().await?).await?;
    if lsn <= end {
        return Ok(());
    }
    let accepted = format!("a log position up to {end}, where the log ends now");
    Err(BadParameter { name: "min_lsn".to_owned(), accepted }.into())
}

/// The only parameter of a look-up.
fn min_lsn_alone(query: &str) -> Result<Option<Lsn>, BadParameter> {
    let other = query.split('&').find(|pair| !pair.is_empty() && *pair != "min_lsn" && !pair.starts_with("min_lsn="));
    if let Some(other) = other {
        let name = other.split('=').next().unwrap_or_default().chars().take(64).collect();
        return Err(BadParameter { name, accepted: "nothing: the only parameter here is min_lsn".to_owned() });
    }
    Request::parse(query)?;
    Ok(min_lsn(query))
}

/// `min_lsn` from a query string whose syntax was checked; its text has no character that would be escaped but the slash.
fn min_lsn(query: &str) -> Option<Lsn> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("min_lsn="))?;
    value.replace("%2F", "/").replace("%2f", "/").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_position_is_read_with_its_slash_escaped_or_not() {
        assert_eq!(min_lsn("q=a&min_lsn=1%2FA0"), Some(Lsn(0x1_0000_00A0)));
        assert_eq!(min_lsn("min_lsn=1/A0"), Some(Lsn(0x1_0000_00A0)));
        assert_eq!(min_lsn("q=min_lsn"), None);
    }

    #[test]
    fn a_look_up_takes_min_lsn_and_nothing_else() {
        assert_eq!(min_lsn_alone(""), Ok(None));
        assert_eq!(min_lsn_alone("min_lsn=1/A0"), Ok(Some(Lsn(0x1_0000_00A0))));
        for (query, named) in [
            ("q=a", "q"),
            ("min_lsn=1/A0&utm=x", "utm"),
            ("min_lsn=x", "min_lsn"),
            ("min_lsn=1/1&min_lsn=1/2", "min_lsn"),
        ] {
            assert_eq!(min_lsn_alone(query).unwrap_err().name, named, "{query}");
        }
    }
}
