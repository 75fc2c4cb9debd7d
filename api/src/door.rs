//! The door: who holds a good code goes in, once. And what a door without a network checks codes with.

use crate::account;
use crate::app::App;
use crate::catalog;
use crate::extract::Json;
use crate::problem::{Problem, ProblemBody};
use crate::session::Organizer;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use garde::Validate;
use jiff::Timestamp;
use model::{EventId, SeatNo, TicketId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The door's routes.
#[must_use]
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(check_in)).routes(routes!(key))
}

/// What somebody shows at the door.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct CheckIn {
    /// The ticket's code.
    #[garde(length(max = 1000))]
    code: String,
    /// Which event this is the door of; when given, a ticket of another event is refused.
    #[garde(skip)]
    event_id: Option<EventId>,
}

/// Somebody goes in.
#[derive(Debug, Serialize, ToSchema)]
struct Admission {
    ticket_id: TicketId,
    event_id: EventId,
    /// The holder's name.
    holder: String,
    seat_no: SeatNo,
    /// What is printed on the seat.
    label: String,
    section: String,
    /// The row's label; empty for general admission.
    row: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// Let the holder of a ticket's code in, once
///
/// For the event's organizer and admins.
#[utoipa::path(post, path = "/checkin", tag = "booking", responses(
    (status = 200, body = Admission), (status = 401, body = ProblemBody),
    (status = 403, description = "`forbidden`: the event is another organizer's", body = ProblemBody),
    (status = 409, description = "`already-used` {at}; `other-event` {event_id}", body = ProblemBody),
    (status = 410, description = "`dead-code` {reason}: `passed-on`, the holder has a newer code, or `void`, given back",
        body = ProblemBody),
    (status = 422, description = "`bad-code`: nobody here issued it", body = ProblemBody)))]
async fn check_in(
    State(app): State<App>,
    door: Organizer,
    Json(body): Json<CheckIn>,
) -> Result<axum::Json<Admission>, Problem> {
    let booking = app.booking()?;
    let code = booking.read_code(body.code.trim()).ok_or_else(bad_code)?;
    if !catalog::manages(&app, &door.0, code.event).await? {
        return Err(Problem::forbidden("this ticket is for another organizer's event"));
    }
    if body.event_id.is_some_and(|event_id| event_id != code.event) {
        return Err(Problem::new(StatusCode::CONFLICT, "other-event", "This ticket is for another event")
            .with("event_id", json!(code.event)));
    }
    let (ticket, at) = booking.check_in(code).await?;
    let holder = account::name(&mut *app.pool.acquire().await?, ticket.holder).await?;
    Ok(axum::Json(Admission {
        ticket_id: ticket.ticket_id,
        event_id: ticket.event_id,
        holder: holder.unwrap_or_default(),
        seat_no: ticket.seat_no,
        label: ticket.label,
        section: ticket.section,
        row: ticket.row,
        at,
    }))
}

/// 422: no code of ours.
#[must_use]
pub fn bad_code() -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-code", "This is not the code of a ticket")
}

/// What a door without a network needs.
#[derive(Debug, Serialize, ToSchema)]
struct DoorKey {
    /// Always `Ed25519` (RFC 8032).
    algorithm: &'static str,
    /// Unpadded base64url.
    public_key: String,
    /// What a code is.
    code: &'static str,
}

/// The public key that ticket codes are signed for
#[utoipa::path(get, path = "/checkin/key", tag = "booking", responses((status = 200, body = DoorKey)))]
async fn key(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    let key = DoorKey {
        algorithm: "Ed25519",
        public_key: URL_SAFE_NO_PAD.encode(app.booking()?.ticket_public_key()),
        code: "unpadded base64url of 101 bytes: 0x01, the event's UUID, the ticket's UUID, the generation as a big-endian u32; then the \
            signature of those 37 bytes. Of two codes of one ticket the one of the higher generation is good.",
    };
    Ok(([(header::CACHE_CONTROL, "public, max-age=3600")], axum::Json(key)))
}
