//! What providers tell us: checked, stored, answered; dealt with by the worker.
//!
//! Invariant: 200 means stored durably. A message is dealt with once, however often it is delivered.

use super::message::Message;
use crate::app::App;
use crate::extract::{self, Name};
use crate::problem::{Problem, ProblemBody};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use booking::InboxEntry;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The webhooks' routes.
#[must_use]
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(receive))
}

/// A provider's report; 200 once stored, or of nothing of ours
#[utoipa::path(post, path = "/payment/webhook/{provider}", tag = "payment", params(("provider" = String, Path)),
    responses((status = 200), (status = 400, description = "`bad-signature`, `bad-message`", body = ProblemBody),
        (status = 404, body = ProblemBody)))]
async fn receive(State(app): State<App>, Name(provider): Name, request: Request) -> Result<StatusCode, Problem> {
    let Some(known) = app.providers.named(&provider) else {
        return Err(Problem::not_found("no-such-provider", "There is no such payment provider"));
    };
    let signature = request.headers().get(known.signature_header()).and_then(|value| value.to_str().ok());
    let signature = signature.map(str::to_owned);
    let body = extract::body(request, extract::BODY_BYTES_MAX).await?;
    if !signature.is_some_and(|signature| known.is_genuine(&signature, &body)) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad-signature", "The signature is not the provider's"));
    }
    let read = known.read(&body).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "bad-message", "The message cannot be read").detail(error.to_string())
    })?;
    if let Some(message) = read {
        app.booking()?.inbox_store(&entry(provider, &message)?).await?;
        app.payments_due.notify_one();
    }
    Ok(StatusCode::OK)
}

fn entry(provider: String, message: &Message) -> Result<InboxEntry, Problem> {
    let body = serde_json::to_value(message).map_err(|error| Problem::internal(&error))?;
    Ok(InboxEntry { provider, provider_event_id: message.id().to_owned(), body })
}
