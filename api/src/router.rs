//! The routes and what wraps them all: limits, compression, panics, and what `edge` adds.

use crate::app::App;
use crate::openapi::{self, DescribeError};
use crate::problem::Problem;
use crate::{
    account, buy, catalog, door, edge, find, limit, notification, ops, order, pages, payment, report, reserve, sandbox,
    saved_search, seats, ticket, upload, waiting,
};
use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::{CompressionLayer, CompressionLevel};
use utoipa_axum::router::OpenApiRouter;

/// Everything this process answers.
///
/// # Errors
/// When the API's description cannot be written.
pub fn router(app: App) -> Result<Router, DescribeError> {
    let (described, description) = described().split_for_parts();
    let routes = Router::new()
        .merge(described)
        .merge(openapi::router(description)?)
        .merge(sandbox::router())
        .merge(pages::router())
        .fallback(no_such_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(app.clone(), limit::guard))
        .layer(from_fn_with_state(app.clone(), pages::dress))
        .layer(CatchPanicLayer::custom(edge::panicked))
        .layer(from_fn_with_state(app.clone(), edge::wrap))
        .layer(CompressionLayer::new().quality(CompressionLevel::Precise(4)))
        .with_state(app);
    Ok(routes)
}

/// The routes that stand in the API's description.
fn described() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(find::router())
        .merge(account::router())
        .merge(catalog::router())
        .merge(seats::router())
        .merge(reserve::router())
        .merge(buy::router())
        .merge(order::router())
        .merge(ticket::router())
        .merge(door::router())
        .merge(waiting::router())
        .merge(upload::router())
        .merge(report::router())
        .merge(saved_search::router())
        .merge(notification::router())
        .merge(payment::router())
        .merge(ops::router())
}

async fn no_such_path() -> Problem {
    Problem::not_found("no-such-path", "There is nothing at this path")
}

async fn wrong_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", "This path does not take that method")
}
