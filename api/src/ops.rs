//! For those who run it: alive, ready or why not, figures.

use crate::app::App;
use crate::indexing::Indexing;
use crate::problem::Problem;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How long the database may take to say it is there.
const DATABASE_MAX: Duration = Duration::from_secs(2);

/// The routes of operation.
#[must_use]
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(ready)).routes(routes!(figures))
}

/// Everything answers.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "a member of the answer is called so")]
struct Ready {
    ready: bool,
    /// How far Postgres's log is in the index.
    #[schema(value_type = String)]
    as_of: model::Lsn,
    /// How the process's own indexer fares: one that is down makes answers older, not wrong.
    indexer: Indexing,
}

/// Whether the process lives
#[utoipa::path(get, path = "/healthz", tag = "operation", responses((status = 200, body = String)))]
async fn live() -> &'static str {
    "ok\n"
}

/// Whether it can answer, or why not
#[utoipa::path(get, path = "/readyz", tag = "operation",
    responses((status = 200, body = Ready), (status = 503, body = crate::problem::ProblemBody)))]
async fn ready(State(app): State<App>) -> Result<axum::Json<Ready>, Problem> {
    let no =
        |why: &str| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", "Not ready").detail(why).retry_after(1);
    if app.stop.is_cancelled() {
        return Err(no("the process is stopping"));
    }
    if !app.replica.ready() {
        return Err(no("the search index is not there yet, or long behind"));
    }
    let asked = tokio::time::timeout(DATABASE_MAX, sqlx::query_scalar!("select 1").fetch_one(&app.pool)).await;
    if !matches!(asked, Ok(Ok(_))) {
        return Err(no("the database does not answer"));
    }
    let as_of = *app.replica.shown().borrow();
    let indexer = app.indexing.borrow().clone();
    Ok(axum::Json(Ready { ready: true, as_of, indexer }))
}

/// Figures in Prometheus's text format
#[utoipa::path(get, path = "/metrics", tag = "operation",
    responses((status = 200, content_type = "text/plain", body = String)))]
async fn figures(State(app): State<App>) -> impl IntoResponse {
    if let Some(booking) = &app.booking {
        booking.weigh_queues();
    }
    if let Some(view) = app.replica.current() {
        let gauge = |events: u64| u32::try_from(events).unwrap_or(u32::MAX);
        metrics::gauge!("search_events").set(gauge(view.events()));
        metrics::gauge!("search_events_embedded").set(gauge(view.events_embedded()));
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], app.figures.render())
}
