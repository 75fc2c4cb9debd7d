//! The page of an event's door, and what makes it open where there is no network.

use super::assets;
use super::own::to_signin;
use super::render::{self, shown};
use crate::app::App;
use crate::catalog;
use crate::extract::Id;
use crate::problem::Problem;
use crate::session::Session;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse as _, Response};
use minijinja::context;
use model::EventId;

/// `GET /door/{event_id}`: for the event's organizer and admins.
pub(super) async fn door(
    State(app): State<App>,
    session: Option<Session>,
    here: OriginalUri,
    Id(event_id): Id<EventId>,
) -> Result<Response, Problem> {
    let Some(session) = session else { return Ok(to_signin(&here)) };
    let event = catalog::read_event(&mut *app.pool.acquire().await?, event_id).await?;
    let event = event.ok_or_else(catalog::no_such_event)?;
    if !catalog::manages(&app, &session.account, event_id).await? {
        return Err(Problem::forbidden("this event belongs to another organizer"));
    }
    let page = render::page(&app, "door.html", context! { event => shown(&event) })?;
    let camera =
        (HeaderName::from_static("permissions-policy"), "camera=(self), microphone=(), geolocation=(), payment=()");
    Ok(([camera], page).into_response())
}

/// `GET /door/worker.js`: beside the page, for a worker serves no more than what is under its own address.
pub(super) async fn worker() -> Result<Response, Problem> {
    let policy = (header::CONTENT_SECURITY_POLICY, "default-src 'none'; connect-src 'self'");
    Ok(([policy], assets::fresh("src/door/worker.ts")?).into_response())
}
