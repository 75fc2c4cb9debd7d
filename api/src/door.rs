//! The door: who holds a good code goes in, once. And what a door without a network checks codes with.

use crate::account;
use crate::app::App;
use crate::catalog;
use crate::extract::{Id, Json};
use crate::problem::{Problem, ProblemBody};
use crate::session::Organizer;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use booking::Admission;
use garde::Validate;
use jiff::{SignedDuration, Timestamp};
use model::{EventId, SeatNo, TicketId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// How late an admission may be told.
const TOLD_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The door's routes.
#[must_use]
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(check_in)).routes(routes!(key)).routes(routes!(list))
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
    /// A door that let somebody in before it could tell: which admission it was, and when. Told again, it is the same one.
    #[garde(dive)]
    admission: Option<Earlier>,
}

/// An admission told afterwards.
#[derive(Clone, Copy, Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Earlier {
    /// Made by the door, new for every admission.
    #[garde(skip)]
    id: Uuid,
    /// By the door's clock, within a week; later than now is now.
    #[garde(custom(is_of_late))]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde passes its context so")]
fn is_of_late(at: &Timestamp, (): &()) -> garde::Result {
    if Timestamp::now().duration_since(*at) <= TOLD_WITHIN {
        return Ok(());
    }
    Err(garde::Error::new("is more than a week ago"))
}

/// Somebody goes in.
#[derive(Debug, Serialize, ToSchema)]
struct Admitted {
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
/// For the event's organizer and admins. A door without a network judges by `GET /event/{event_id}/door` and tells each admission here
/// when it can; 409 and 410 then say that somebody was let in who should not have been.
#[utoipa::path(post, path = "/checkin", tag = "booking", responses(
    (status = 200, body = Admitted), (status = 401, body = ProblemBody),
    (status = 403, description = "`forbidden`: the event is another organizer's", body = ProblemBody),
    (status = 409, description = "`already-used` {at}; `other-event` {event_id}", body = ProblemBody),
    (status = 410, description = "`dead-code` {reason}: `passed-on`, the holder has a newer code, or `void`, given back",
        body = ProblemBody),
    (status = 422, description = "`bad-code`: nobody here issued it", body = ProblemBody)))]
async fn check_in(
    State(app): State<App>,
    door: Organizer,
    Json(body): Json<CheckIn>,
) -> Result<axum::Json<Admitted>, Problem> {
    let booking = app.booking()?;
    let code = booking.read_code(body.code.trim()).ok_or_else(bad_code)?;
    if !catalog::manages(&app, &door.0, code.event).await? {
        return Err(Problem::forbidden("this ticket is for another organizer's event"));
    }
    if body.event_id.is_some_and(|event_id| event_id != code.event) {
        return Err(Problem::new(StatusCode::CONFLICT, "other-event", "This ticket is for another event")
            .with("event_id", json!(code.event)));
    }
    let earlier = body.admission.map(|Earlier { id, at }| Admission { id, at });
    let (ticket, at) = booking.check_in(code, earlier).await?;
    let holder = account::name(&mut *app.pool.acquire().await?, ticket.holder).await?;
    Ok(axum::Json(Admitted {
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

/// What an event's door may meet.
#[derive(Debug, Serialize, ToSchema)]
struct DoorList {
    event_id: EventId,
    /// What is not here was sold or passed on later, or is no ticket.
    #[schema(value_type = String, format = DateTime)]
    as_of: Timestamp,
    tickets: Vec<Expected>,
}

/// A ticket that is good, or was.
#[derive(Debug, Serialize, ToSchema)]
struct Expected {
    /// Of its code, in unpadded base64url: who has the list can check codes and make none.
    sha256: String,
    /// The holder's name.
    holder: String,
    section: String,
    /// Empty for general admission.
    row: String,
    label: String,
    /// When its holder went in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    used_at: Option<Timestamp>,
}

/// Every good ticket of an event, by seat: what a door judges by while it has no network
///
/// For the event's organizer and admins.
#[utoipa::path(get, path = "/event/{event_id}/door", tag = "booking", params(("event_id" = EventId, Path)), responses(
    (status = 200, body = DoorList), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, description = "`no-such-event`", body = ProblemBody)))]
async fn list(
    State(app): State<App>,
    door: Organizer,
    Id(event_id): Id<EventId>,
) -> Result<impl IntoResponse, Problem> {
    let owner = catalog::organizer(&app, event_id).await?.ok_or_else(catalog::no_such_event)?;
    if !door.owns(owner) {
        return Err(Problem::forbidden("this event belongs to another organizer"));
    }
    let as_of = Timestamp::now();
    let tickets = app.booking()?.tickets_at_door(event_id).await?;
    let mut holders: Vec<UserId> = tickets.iter().map(|ticket| ticket.holder).collect();
    holders.sort_unstable();
    holders.dedup();
    let names = account::names(&mut *app.pool.acquire().await?, &holders).await?;
    let tickets = tickets.into_iter().map(|ticket| Expected {
        sha256: URL_SAFE_NO_PAD.encode(Sha256::digest(ticket.code.unwrap_or_default())),
        holder: names.get(&ticket.holder).cloned().unwrap_or_default(),
        section: ticket.section,
        row: ticket.row,
        label: ticket.label,
        used_at: ticket.used_at,
    });
    let list = DoorList { event_id, as_of, tickets: tickets.collect() };
    Ok(([(header::CACHE_CONTROL, "private, no-store")], axum::Json(list)))
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
