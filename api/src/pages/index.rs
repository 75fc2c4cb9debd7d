//! What pages ask of the search: the same view the JSON handlers ask, on a thread that may take its time.

use super::query::Query;
use crate::app::App;
use crate::problem::Problem;
use jiff::Timestamp;
use model::EventId;
use search::answer::{Answer, EventAnswer};
use search::{Request, SearchError, View};
use std::sync::Arc;

/// Hits on a page; a multiple of 2, 3, 4 and 6 columns.
const HITS: u32 = 24;
const FACETS: &str = "availability,on_sale,genre,city,venue,artist";

/// The search's answer to a page's query, and the parameters it could not use; `None` while there is no index yet.
pub(super) async fn search(app: &App, query: &Query) -> Result<Option<(Answer, Vec<String>)>, Problem> {
    let (request, ignored) = understood(query);
    let (Some(view), Some(request)) = (view(app), request) else { return Ok(None) };
    let answer = aside(move || view.search(&request, Timestamp::now())).await?;
    Ok(Some((answer, ignored)))
}

/// A whole event; `Ok(None)` when there is none of this id.
///
/// # Errors
/// 503 while there is no index yet.
pub(super) async fn event(app: &App, event: EventId) -> Result<Option<EventAnswer>, Problem> {
    let view = view(app).ok_or_else(|| Problem::busy("the index is being prepared", 2))?;
    aside(move || view.event(event, Timestamp::now())).await
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
