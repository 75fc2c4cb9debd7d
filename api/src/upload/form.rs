//! The multipart form of an upload: one file named `image`, and perhaps an `event_id`.

use crate::extract;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use bytes::Bytes;
use model::EventId;
use serde_json::json;

/// The largest file: 10 MiB.
const FILE_BYTES_MAX: usize = 10 << 20;
/// What the form may have around it.
const FORM_BYTES_MAX: usize = FILE_BYTES_MAX + (64 << 10);

/// What was sent.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) image: Bytes,
    pub(super) event: Option<EventId>,
}

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = extract::body(Request::new(body), FORM_BYTES_MAX).await?;
        let request = Request::from_parts(parts, Body::from(bytes));
        let form = Multipart::from_request(request, state).await;
        let mut form = form.map_err(|rejection| match rejection.into_response().status() {
            StatusCode::BAD_REQUEST => not_a_form(),
            _ => bad_form("the form has no boundary"),
        })?;
        let (mut image, mut event) = (None, None);
        while let Some(field) = form.next_field().await.map_err(|error| bad_form(&error.body_text()))? {
            let name = field.name().unwrap_or_default().to_owned();
            let bytes = field.bytes().await.map_err(|error| bad_form(&error.body_text()))?;
            match name.as_str() {
                "image" if image.is_none() => image = Some(bytes),
                "event_id" if event.is_none() => event = Some(event_id(&bytes)?),
                "image" | "event_id" => return Err(Problem::invalid(&name, "stands twice")),
                _ => return Err(Problem::invalid(&name, "is no field of this form")),
            }
        }
        let image = image.ok_or_else(|| Problem::invalid("image", "is needed: a file"))?;
        if image.len() > FILE_BYTES_MAX {
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The file is too large")
                .with("limit_bytes", json!(FILE_BYTES_MAX)));
        }
        Ok(Self { image, event })
    }
}

fn event_id(bytes: &Bytes) -> Result<EventId, Problem> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    text.trim().parse().map_err(|_| Problem::invalid("event_id", "is the UUID of an event"))
}

fn not_a_form() -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-a-form", "The body must be a multipart form")
        .detail("send content-type: multipart/form-data with a file named image")
}

fn bad_form(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad-form", "The form could not be read").detail(detail)
}
