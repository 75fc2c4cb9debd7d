//! Saved searches: a query somebody keeps, to hear of new events that it would find.
//!
//! Invariant: what is kept is a query that the search understands. Matches are found by the indexer as events arrive; nothing here searches.

mod table;

use crate::app::App;
use crate::extract::{Id, Json};
use crate::line::{Line, line};
use crate::problem::{Problem, ProblemBody, violates};
use crate::session::Session;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use model::SearchId;
use reqwest::Url;
use search::Request;
use search::request::Filters;
use serde::{Deserialize, Serialize};
use serde_json::json;
pub use table::{SEARCHES_MAX, SavedSearch, of_person, silence};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What of a query says how hits are shown, not which they are.
const PRESENTATION: [&str; 7] = ["sort", "limit", "cursor", "facets", "highlight", "mode", "min_lsn"];
const QUERY_BYTES_MAX: usize = 2_000;
/// How often another save of the same person may take the place first.
const TRIES_MAX: usize = 8;

/// The routes of saved searches.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(save, list)).routes(routes!(change, remove))
}

/// What `POST /saved-search` takes.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSearch {
    #[garde(custom(line(200)))]
    name: Line,
    /// A query string of `GET /event`, such as `q=mahler&city=New+York`.
    #[garde(length(bytes, max = 10_000))]
    query: String,
}

/// What `PUT /saved-search/{search_id}` takes; what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct SearchChange {
    #[garde(inner(custom(line(200))))]
    name: Option<Line>,
    /// Whether it sends mail.
    #[garde(skip)]
    mails: Option<bool>,
}

/// A person's saved searches, the newest first.
#[derive(Serialize, ToSchema)]
struct SavedSearches {
    searches: Vec<SavedSearch>,
}

/// The part of a query that decides which events it finds.
fn asked(query: &str) -> Result<String, Problem> {
    let invalid = |message: &str| Problem::invalid("query", message);
    let mut url = Url::parse("http://query/").map_err(|error| Problem::internal(&error))?;
    url.set_query(Some(query));
    let pairs = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned()));
    let decides = |(name, value): &(String, String)| !PRESENTATION.contains(&name.as_str()) && !value.is_empty();
    let pairs: Vec<(String, String)> = pairs.filter(decides).collect();
    let kept = url.query_pairs_mut().clear().extend_pairs(pairs).finish().query().unwrap_or_default().to_owned();
    if kept.len() > QUERY_BYTES_MAX {
        return Err(invalid("is too long"));
    }
    match Request::parse(&kept) {
        Ok(request) if request.text.is_empty() && request.filters == Filters::default() => {
            Err(invalid("asks for nothing: give words or a filter"))
        }
        Ok(_) => Ok(kept),
        Err(error) => Err(invalid(&error.to_string())),
    }
}

/// Save a search: new events that it finds are told from now on
#[utoipa::path(post, path = "/saved-search", tag = "saved searches", responses(
    (status = 201, body = SavedSearch), (status = 401, body = ProblemBody),
    (status = 409, description = "`already-saved`; `limit-reached` {limit}", body = ProblemBody),
    (status = 422, description = "`invalid`", body = ProblemBody)))]
async fn save(
    State(app): State<App>,
    session: Session,
    Json(new): Json<NewSearch>,
) -> Result<(StatusCode, axum::Json<SavedSearch>), Problem> {
    let query = asked(&new.query)?;
    let mut db = app.pool.acquire().await?;
    for _ in 0..TRIES_MAX {
        match table::insert(&mut db, session.user_id, &new.name, &query).await {
            Ok(Some(search)) => return Ok((StatusCode::CREATED, axum::Json(search))),
            Ok(None) => {
                let full = Problem::new(StatusCode::CONFLICT, "limit-reached", "No more searches can be saved");
                return Err(full.with("limit", json!(SEARCHES_MAX)));
            }
            Err(error) if violates(&error, "saved_search_query") => {
                return Err(Problem::new(StatusCode::CONFLICT, "already-saved", "This search is saved already"));
            }
            Err(error) if violates(&error, "saved_search_place") => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::busy("too many searches are being saved at once", 1))
}

/// One's own saved searches
#[utoipa::path(get, path = "/saved-search", tag = "saved searches",
    responses((status = 200, body = SavedSearches), (status = 401, body = ProblemBody)))]
async fn list(State(app): State<App>, session: Session) -> Result<axum::Json<SavedSearches>, Problem> {
    let mut db = app.pool.acquire().await?;
    Ok(axum::Json(SavedSearches { searches: of_person(&mut db, session.user_id).await? }))
}

/// Rename a saved search, or let it send mail or no mail
#[utoipa::path(put, path = "/saved-search/{search_id}", tag = "saved searches", params(("search_id" = SearchId, Path)),
    responses((status = 200, body = SavedSearch), (status = 401, body = ProblemBody),
        (status = 404, description = "`no-such-search`", body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn change(
    State(app): State<App>,
    session: Session,
    Id(search_id): Id<SearchId>,
    Json(change): Json<SearchChange>,
) -> Result<axum::Json<SavedSearch>, Problem> {
    let mut db = app.pool.acquire().await?;
    let name = change.name.as_deref();
    let search = table::update(&mut db, session.user_id, search_id, (name, change.mails)).await?;
    search.map(axum::Json).ok_or_else(no_such_search)
}

/// Forget a saved search with everything it has found
#[utoipa::path(delete, path = "/saved-search/{search_id}", tag = "saved searches",
    params(("search_id" = SearchId, Path)),
    responses((status = 204), (status = 401, body = ProblemBody),
        (status = 404, description = "`no-such-search`", body = ProblemBody)))]
async fn remove(State(app): State<App>, session: Session, Id(search_id): Id<SearchId>) -> Result<StatusCode, Problem> {
    let mut db = app.pool.acquire().await?;
    if table::delete(&mut db, session.user_id, search_id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(no_such_search())
    }
}

fn no_such_search() -> Problem {
    Problem::not_found("no-such-search", "There is no such saved search")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_decides() {
        let kept = |query| asked(query).ok();
        assert_eq!(kept("q=Dvo%C5%99%C3%A1k&sort=date&city=&limit=5&cursor=x"), Some("q=Dvo%C5%99%C3%A1k".into()));
        assert_eq!(kept("genre=Opera+%26+Vocal&genre=Choral"), Some("genre=Opera+%26+Vocal&genre=Choral".into()));
        for nothing in ["", "sort=date", "q=", "q=%20", "q=!"] {
            assert_eq!(kept(nothing), None, "{nothing}");
        }
        assert_eq!(kept("colour=red"), None);
        assert_eq!(kept(&format!("q={}", "a".repeat(2_000))), None);
    }
}
