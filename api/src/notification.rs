//! What saved searches have found, as their owner reads it: the newest first, unread until it was seen.

mod table;

use crate::app::App;
use crate::extract::Json;
use crate::problem::{Problem, ProblemBody};
use crate::session::Session;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use serde::{Deserialize, Serialize};
pub use table::{Notification, newest, sweep};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of notifications.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(unread)).routes(routes!(read))
}

/// The newest of what one's searches have found.
#[derive(Serialize, ToSchema)]
struct Notifications {
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
    Ok(axum::Json(Notifications { notifications, unread }))
}

/// How much of it is unread
#[utoipa::path(get, path = "/notification/unread", tag = "saved searches",
    responses((status = 200, body = Unread), (status = 401, body = ProblemBody)))]
async fn unread(State(app): State<App>, session: Session) -> Result<axum::Json<Unread>, Problem> {
    let mut db = app.pool.acquire().await?;
    Ok(axum::Json(Unread { unread: table::unread(&mut db, session.user_id).await? }))
}

/// Mark as read
#[utoipa::path(post, path = "/notification/read", tag = "saved searches",
    responses((status = 204), (status = 401, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn read(State(app): State<App>, session: Session, Json(seen): Json<Seen>) -> Result<StatusCode, Problem> {
    let mut db = app.pool.acquire().await?;
    table::mark_read(&mut db, session.user_id, seen.until).await?;
    Ok(StatusCode::NO_CONTENT)
}
