//! What pages ask of the search: the same view the JSON handlers ask, on a thread that may take its time; Postgres while there is none.

use super::query::Query;
use crate::app::App;
use crate::find::is_possible;
use crate::problem::Problem;
use jiff::Timestamp;
use model::EventId;
use search::answer::{Answer, EventAnswer};
use search::{Request, SearchError, View};
use std::sync::Arc;

/// Hits on a page; a multiple of 2, 3, 4 and 6 columns.
const HITS: u32 = 24;
const FACETS: &str = "availability,on_sale,genre,city,venue,artist";

/// The search's answer to a page's query, and the parameters it could not use; `None` when nothing can be listed yet. While there is
/// no index, a query that needs one gets the first page of everything by date, without a next.
pub(super) async fn search(app: &App, query: &Query) -> Result<Option<(Answer, Vec<String>)>, Problem> {
    let (request, ignored) = understood(query);
    let Some(request) = request else { return Ok(None) };
    let Some(view) = view(app) else {
        return Ok(by_date(app, request).await.map(|answer| (answer, ignored)));
    };
    let answer = aside(move || view.search(&request, Timestamp::now())).await?;
    Ok(Some((answer, ignored)))
}

/// A whole event; `Ok(None)` when there is none of this id.
///
/// # Errors
/// 503 while there is no index yet and Postgres does not answer.
pub(super) async fn event(app: &App, event: EventId) -> Result<Option<EventAnswer>, Problem> {
    let Some(view) = view(app) else {
        return app.degraded.event(&app.pool, event, Timestamp::now()).await.map_err(|error| Problem::from(&error));
    };
    aside(move || view.event(event, Timestamp::now())).await
}

async fn by_date(app: &App, request: Request) -> Option<Answer> {
    let possible = is_possible(&request);
    let request = if possible { request } else { Request { limit: request.limit, ..Request::default() } };
    let answer = app.degraded.search(&app.pool, &request, Timestamp::now()).await.ok()?;
    Some(if possible { answer } else { Answer { next: None, ..answer } })
}

fn view(app: &App) -> Option<Arc<View>> {
    app.replica.current()
}

async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SearchError> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(&error))?;
    done.map_err(|error| Problem::internal(&error))
}

/// Leaves out what the search refuses, one parameter at a time.
fn understood(query: &Query) -> (Option<Request>, Vec<String>) {
    let mut query = query.clone();
    let mut ignored = Vec::new();
    loop {
        match Request::parse(&format!("{}&limit={HITS}&facets={FACETS}", query.encoded())) {
            Ok(request) => return (Some(request), ignored),
            Err(bad) => {
                let smaller = query.without_any(&bad.name);
                if smaller == query {
                    return (None, ignored);
                }
                ignored.push(format!("{}={}", bad.name, query.first(&bad.name)));
                query = smaller;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_search_refuses_is_left_out_and_named() {
        let query = Query::of_page("q=mahler&sort=upwards&local_from=soon");
        let (request, ignored) = understood(&query);
        assert_eq!(request.unwrap().q, "mahler");
        assert_eq!(ignored, ["sort=upwards", "local_from=soon"]);
    }

    #[test]
    fn a_plain_page_is_understood() {
        let (request, ignored) = understood(&Query::of_page(""));
        assert_eq!(request.unwrap().facets.len(), 6);
        assert!(ignored.is_empty());
    }
}
