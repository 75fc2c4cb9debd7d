//! Reserving seats: named ones or the best there are, extending, letting go, looking at one's holds.

use crate::app::App;
use crate::extract::{Id, IdempotencyKey, Json};
use crate::problem::{Problem, ProblemBody};
use crate::session::Buyer;
use axum::extract::State;
use axum::http::StatusCode;
use booking::{Ask, BestAvailable, Reservation, ReserveRequest};
use garde::Validate;
use jiff::Timestamp;
use model::{EventId, SeatNo};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of reservations.
#[must_use]
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(reserve)).routes(routes!(holds, release)).routes(routes!(extend))
}

/// Seats to reserve: either `seats` or `best_available`.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReserveBody {
    #[garde(skip)]
    event_id: EventId,
    /// Exactly these seats, all or none.
    #[garde(length(min = 1, max = 1000))]
    seats: Option<Vec<SeatNo>>,
    /// The best seats under these conditions.
    #[garde(skip)]
    best_available: Option<BestAvailable>,
    /// What opens a presale; capital or small letters.
    #[garde(length(max = 100))]
    code: Option<String>,
}

impl TryFrom<ReserveBody> for ReserveRequest {
    type Error = Problem;

    fn try_from(body: ReserveBody) -> Result<Self, Problem> {
        let ask = match (body.seats, body.best_available) {
            (Some(seats), None) => Ask::Seats(seats),
            (None, Some(best)) => Ask::Best(best),
            (Some(_), Some(_)) => return Err(Problem::invalid("best_available", "not together with seats")),
            (None, None) => return Err(Problem::invalid("seats", "either seats or best_available is needed")),
        };
        let code = body.code.map(|code| code.trim().to_uppercase()).filter(|code| !code.is_empty());
        Ok(Self { event: body.event_id, ask, code })
    }
}

/// One's holds of an event.
#[derive(Debug, Serialize, ToSchema)]
struct Holds {
    /// Live holds, oldest first.
    reservations: Vec<Reservation>,
    /// When the first of them ends.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

impl From<Vec<Reservation>> for Holds {
    fn from(reservations: Vec<Reservation>) -> Self {
        let expires_at = reservations.iter().map(|reservation| reservation.expires_at).min();
        Self { reservations, expires_at }
    }
}

/// Reserve seats; the same `Idempotency-Key` answers the same
#[utoipa::path(post, path = "/ticket/reserve", tag = "booking", params(("Idempotency-Key" = String, Header, description = "Counts per account and event: a repeat gets the first answer for 24 h, another request under it 422 `key-reused`")), responses(
    (status = 201, body = Reservation), (status = 401, body = ProblemBody), (status = 404, body = ProblemBody),
    (status = 409, description = "`seats-taken` {seats}, `not-enough-seats`, `limit-reached` {limit}, `not-on-sale` {opens_at, closed}, `code-refused` {reason}, `in-progress`",
        body = ProblemBody),
    (status = 422, description = "`invalid`, `key-reused`", body = ProblemBody),
    (status = 503, description = "`busy`", body = ProblemBody)))]
async fn reserve(
    State(app): State<App>,
    buyer: Buyer,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<ReserveBody>,
) -> Result<(StatusCode, axum::Json<Reservation>), Problem> {
    let reservation = app.booking()?.reserve(buyer.id, body.try_into()?, &key).await?;
    Ok((StatusCode::CREATED, axum::Json(reservation)))
}

/// Give one's holds of an event their time again, once
#[utoipa::path(post, path = "/ticket/reserve/{event_id}/extend", tag = "booking", params(("event_id" = EventId, Path)),
    responses((status = 200, body = Holds), (status = 401, body = ProblemBody),
        (status = 410, description = "`hold-expired`", body = ProblemBody), (status = 503, body = ProblemBody)))]
async fn extend(State(app): State<App>, buyer: Buyer, Id(event_id): Id<EventId>) -> Result<axum::Json<Holds>, Problem> {
    let reservations = app.booking()?.extend(buyer.id, event_id).await?;
    Ok(axum::Json(reservations.into()))
}

/// Let one's holds of an event go
#[utoipa::path(delete, path = "/ticket/reserve/{event_id}", tag = "booking", params(("event_id" = EventId, Path)),
    responses((status = 204), (status = 401, body = ProblemBody), (status = 503, body = ProblemBody)))]
async fn release(State(app): State<App>, buyer: Buyer, Id(event_id): Id<EventId>) -> Result<StatusCode, Problem> {
    app.booking()?.release(buyer.id, event_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// One's live holds of an event
#[utoipa::path(get, path = "/ticket/reserve/{event_id}", tag = "booking", params(("event_id" = EventId, Path)),
    responses((status = 200, body = Holds), (status = 401, body = ProblemBody)))]
async fn holds(State(app): State<App>, buyer: Buyer, Id(event_id): Id<EventId>) -> Result<axum::Json<Holds>, Problem> {
    let reservations = app.booking()?.holds(buyer.id, event_id).await?;
    Ok(axum::Json(reservations.into()))
}
