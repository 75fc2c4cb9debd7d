//! Problems as pages: a person who followed a link reads a sentence, not JSON.
//!
//! Only for browsers' navigations; every other client gets the problem as it is.

use super::render;
use crate::app::App;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use minijinja::context;

/// Middleware: turns a problem that answers a navigation into a page of the same status.
pub async fn dress(State(app): State<App>, request: Request, next: Next) -> Response {
    let navigation = request.method() == Method::GET && is_navigation(request.headers());
    let response = next.run(request).await;
    let is_problem = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|content_type| content_type.as_bytes() == b"application/problem+json");
    if !(navigation && is_problem) {
        return response;
    }
    let status = response.status();
    let Ok(page) = render::page(
        &app,
        "refusal.html",
        context! { status => status.as_u16(), words => render::shown(words(status)) },
    ) else {
        return response;
    };
    let mut dressed = page.status(status).into_response();
    for name in [header::RETRY_AFTER, header::ALLOW] {
        if let Some(value) = response.headers().get(&name) {
            dressed.headers_mut().insert(name, value.clone());
        }
    }
    dressed
}

fn is_navigation(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    text("sec-fetch-mode").is_none_or(|mode| mode == "navigate")
        && text("accept").is_some_and(|accept| accept.starts_with("text/html"))
}

/// A heading and a sentence.
fn words(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST => (
            "This seat is empty",
            "There is nothing at this address. The concert may be over, or the link may have lost a piece.",
        ),
        StatusCode::UNAUTHORIZED => ("Who goes there?", "Sign in to see this page."),
        StatusCode::FORBIDDEN => ("Not your seat", "This page belongs to somebody else."),
        StatusCode::METHOD_NOT_ALLOWED => ("Wrong door", "This address does not take that kind of request."),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            ("The doors open in a moment", "We are busy or just starting. Nothing is lost; try again in a few seconds.")
        }
        _ => (
            "Something fell over backstage",
            "This is our fault, not yours. Nothing you had is lost; please try again.",
        ),
    }
}
