//! What saved searches have found, as their owner reads it: the newest first, unread until it was seen. And seats that are kept for
//! who waited: before all else, for as long as they are.

mod table;

use crate::app::App;
use crate::catalog;
use crate::extract::Json;
use crate::problem::{Problem, ProblemBody};
use crate::session::Session;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use jiff::Timestamp;
use model::{EventId, UserId};
use serde::{Deserialize, Serialize};
pub use table::{Notification, newest, sweep};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of notifications.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(unread)).routes(routes!(read))
}

/// Seats that came back are kept for one's taking.
#[derive(Serialize, ToSchema)]
pub struct Offer {
    /// Which event.
    event_id: EventId,
    /// The event's title.
    title: String,
    /// The venue's zone.
    timezone: String,
    /// When they go to the next in line.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// The newest of what one's searches have found, and seats one waited for.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the contract's word for what searches have found")]
struct Notifications {
    /// Those that are over first, first; each counts as unread while it lasts.
    offers: Vec<Offer>,
    /// At most a hundred.
    notifications: Vec<Notification>,
    unread: i64,
}

/// How much there is to read.
#[derive(Serialize, ToSchema)]
struct Unread {
    /// At most a hundred.
    unread: i64,
}

/// What `POST /notification/read` takes.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Seen {
    /// The newest `notification_id` that was seen: it and all before it are read.
    #[garde(skip)]
    until: i64,
}

/// What one's saved searches have found
#[utoipa::path(get, path = "/notification", tag = "saved searches",
    responses((status = 200, body = Notifications), (status = 401, body = ProblemBody)))]
async fn list(State(app): State<App>, session: Session) -> Result<axum::Json<Notifications>, Problem> {
    let mut db = app.pool.acquire().await?;
    let notifications = newest(&mut db, session.user_id).await?;
    let unread = table::unread(&mut db, session.user_id).await?;
    drop(db);
    let offers = offers(&app, session.user_id).await?;
    let unread = unread + i64::try_from(offers.len()).unwrap_or(i64::MAX);
    Ok(axum::Json(Notifications { offers, notifications, unread }))
}

/// A person's offers.
///
/// # Errors
/// When the database fails.
pub async fn offers(app: &App, user: UserId) -> Result<Vec<Offer>, Problem> {
    let Some(booking) = &app.booking else { return Ok(Vec::new()) };
    let mut offers = Vec::new();
    for (event_id, expires_at) in booking.offers(user).await? {
        let event = catalog::read_event(&mut *app.pool.acquire().await?, event_id).await?;
        offers.extend(event.map(|event| Offer {
            event_id,
            title: event.title,
            timezone: event.venue.timezone,
            expires_at,
        }));
    }
    Ok(offers)
}

/// How much of it is unread
#[utoipa::path(get, path = "/notification/unread", tag = "saved searches",
    responses((status = 200, body = Unread), (status = 401, body = ProblemBody)))]
async fn unread(State(app): State<App>, session: Session) -> Result<axum::Json<Unread>, Problem> {
    let unread = table::unread(&mut *app.pool.acquire().await?, session.user_id).await?;
    let offers = match &app.booking {
        Some(booking) => booking.offers(session.user_id).await?.len(),
        None => 0,
    };
    Ok(axum::Json(Unread { unread: unread + i64::try_from(offers).unwrap_or(i64::MAX) }))
}

/// Mark as read
#[utoipa::path(post, path = "/notification/read", tag = "saved searches",
    responses((status = 204), (status = 401, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn read(State(app): State<App>, session: Session, Json(seen): Json<Seen>) -> Result<StatusCode, Problem> {
    let mut db = app.pool.acquire().await?;
    table::mark_read(&mut db, session.user_id, seen.until).await?;
    Ok(StatusCode::NO_CONTENT)
}
