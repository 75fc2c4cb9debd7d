//! What wraps every answer: a request id, a time limit, security headers, a line in the log and in the figures.

use crate::app::App;
use crate::problem::Problem;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use std::any::Any;
use std::time::{Duration, Instant};
use tracing::Instrument as _;
use uuid::Uuid;

/// The longest an answer may take to begin; a stream may then go on.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Names a request and its answer.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What an answer that is no page may do in a browser: nothing, but a picture may style itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// What a page may do unless it says less itself: use what comes from here.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: https:; \
    font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Middleware around everything.
pub async fn wrap(State(app): State<App>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = Uuid::now_v7().to_string();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", request.id = id, http.method = %method, http.route = route);
    let answer = async {
        match tokio::time::timeout(ANSWER_MAX, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Problem::busy("the answer took too long", 1).into_response(),
        }
    };
    let mut response = answer.instrument(span.clone()).await;
    secure(&app, &mut response, &id);
    let (status, took) = (response.status().as_u16(), began.elapsed());
    let labels = [("method", method_label(&method).to_owned()), ("route", route), ("status", status.to_string())];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_duration_seconds", &labels).record(took.as_secs_f64());
    span.in_scope(|| tracing::debug!(http.status = status, latency_ms = took.as_secs_f64() * 1e3, "answered"));
    response
}

/// A label of a bounded set: a method may be any word that somebody invents.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        _ => "other",
    }
}

fn secure(app: &App, response: &mut Response, id: &str) {
    let headers = response.headers_mut();
    let always = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "strict-origin-when-cross-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in always {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let powers = HeaderValue::from_static("camera=(), microphone=(), geolocation=(self), payment=()");
    headers.entry(HeaderName::from_static("permissions-policy")).or_insert(powers);
    if app.is_secure() {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    let html = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let policy = HeaderValue::from_static(if html { PAGE_POLICY } else { POLICY });
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
}

/// A handler that panicked answers 500 like any other fault of ours.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "what the layer hands over")]
pub fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    tracing::error!(message, "a handler panicked");
    Problem::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side")
        .into_response()
}
