//! The line for an event's seats that come back: join it, leave it, see where one stands. An offer is a reservation like any other.

use crate::app::App;
use crate::extract::{Id, Json};
use crate::problem::{Problem, ProblemBody};
use crate::session::Buyer;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use booking::{BestAvailable, Wait};
use garde::Validate;
use model::EventId;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of waiting.
#[must_use]
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(join, place, leave))
}

/// What one waits for: as in a reservation of the best seats.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(transparent)]
struct Wish(#[garde(skip)] BestAvailable);

/// Wait for seats to come back
///
/// What comes back is offered first come, first served, before anybody else can have it: to the first in line whose whole wish it meets.
/// The offer is a reservation, alive for the event's `offer_ttl_s`; then it goes to the next. Again, for the same: the same place.
#[utoipa::path(post, path = "/event/{event_id}/waiting", tag = "booking", params(("event_id" = EventId, Path)), request_body = Wish,
    responses((status = 200, body = Wait), (status = 401, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 409, description = "`seats-left`: reserve them; `in-line`: for something else; `line-full`; `limit-reached` {limit}; \
            `not-on-sale` {opens_at}", body = ProblemBody),
        (status = 422, description = "`invalid`", body = ProblemBody), (status = 503, description = "`busy`", body = ProblemBody)))]
async fn join(
    State(app): State<App>,
    buyer: Buyer,
    Id(event_id): Id<EventId>,
    Json(Wish(want)): Json<Wish>,
) -> Result<axum::Json<Wait>, Problem> {
    Ok(axum::Json(app.booking()?.join_line(buyer.id, event_id, want).await?))
}

/// Where one stands in line
#[utoipa::path(get, path = "/event/{event_id}/waiting", tag = "booking", params(("event_id" = EventId, Path)),
    responses((status = 200, body = Wait), (status = 204, description = "One is not in it"), (status = 401, body = ProblemBody)))]
async fn place(State(app): State<App>, buyer: Buyer, Id(event_id): Id<EventId>) -> Result<Response, Problem> {
    Ok(match app.booking()?.wait(buyer.id, event_id).await? {
        Some(wait) => axum::Json(wait).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// Wait no more; an offer stays one's own until it is let go or its time is over
#[utoipa::path(delete, path = "/event/{event_id}/waiting", tag = "booking", params(("event_id" = EventId, Path)),
    responses((status = 204), (status = 401, body = ProblemBody), (status = 503, body = ProblemBody)))]
async fn leave(State(app): State<App>, buyer: Buyer, Id(event_id): Id<EventId>) -> Result<StatusCode, Problem> {
    app.booking()?.leave_line(buyer.id, event_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
