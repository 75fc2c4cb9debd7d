//! The routes and what wraps them all: limits, request ids, compression, security headers.

use crate::app::App;
use crate::extract::BODY_BYTES_MAX;
use crate::pages;
use crate::problem::Problem;
use crate::{account, buy, catalog, find, order, payment, reserve, sandbox, seats, ticket};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;

/// Everything this process answers.
pub fn router(app: App) -> Router {
    let (described, _openapi) = OpenApiRouter::new()
        .merge(account::router())
        .merge(catalog::router())
        .merge(find::router())
        .merge(reserve::router())
        .merge(buy::router())
        .merge(order::router())
        .merge(ticket::router())
        .merge(seats::router())
        .merge(payment::router())
        .split_for_parts();
    Router::new()
        .merge(described)
        .merge(sandbox::router())
        .merge(pages::router())
        .fallback(no_such_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(axum::middleware::from_fn_with_state(app.clone(), pages::dress))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(app)
}

async fn no_such_path() -> Problem {
    Problem::not_found("no-such-path", "There is nothing at this path")
}

async fn wrong_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", "This path does not take that method")
}
