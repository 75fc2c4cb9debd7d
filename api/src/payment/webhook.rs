//! What providers tell us: checked, stored, answered; dealt with by the worker.
//!
//! Invariant: 200 means stored durably. A message is dealt with once, however often it is delivered.

use super::{SANDBOX, signature};
use crate::app::App;
use crate::extract::{self, Name};
use crate::problem::{Problem, ProblemBody};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use booking::InboxEntry;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The webhooks' routes.
#[must_use]
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(receive))
}

/// A message of the sandbox provider.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    pub(crate) id: String,
    #[serde(rename = "ref")]
    pub(crate) provider_ref: String,
    pub(crate) state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// A provider's report; 200 once stored
#[utoipa::path(post, path = "/payment/webhook/{provider}", tag = "payment", params(("provider" = String, Path)),
    responses((status = 200), (status = 400, description = "`bad-signature`", body = ProblemBody),
        (status = 404, body = ProblemBody)))]
async fn receive(State(app): State<App>, Name(provider): Name, request: Request) -> Result<StatusCode, Problem> {
    if provider != SANDBOX {
        return Err(Problem::not_found("no-such-provider", "There is no such payment provider"));
    }
    let seal = request.headers().get(signature::HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = extract::body(request, extract::BODY_BYTES_MAX).await?;
    let genuine = seal.is_some_and(|seal| {
        signature::is_genuine(app.sandbox.webhook_key(), &seal, Timestamp::now().as_second(), &body)
    });
    if !genuine {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad-signature", "The signature is not the provider's"));
    }
    let message: Message = extract::parse(&body)?;
    let body = serde_json::to_value(&message).map_err(|error| Problem::internal(&error))?;
    let entry = InboxEntry { provider, provider_event_id: message.id, body };
    app.booking()?.inbox_store(&entry).await?;
    app.payments_due.notify_one();
    Ok(StatusCode::OK)
}
