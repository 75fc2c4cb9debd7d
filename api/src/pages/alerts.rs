//! What one's saved searches have found, and the searches themselves; and the page that a mail's way out leads to.
//!
//! Looking at that page changes nothing, since programs look at links before people do: its button does, or the reader's own program.

use super::own::to_signin;
use super::render::{self, Page, shown};
use crate::app::App;
use crate::problem::Problem;
use crate::session::Session;
use crate::{mail, notification, saved_search};
use axum::extract::{OriginalUri, Query, State};
use axum::response::{IntoResponse as _, Response};
use minijinja::context;
use model::SearchId;
use serde::Deserialize;

/// `GET /notifications`.
pub(super) async fn notifications(
    State(app): State<App>,
    session: Option<Session>,
    here: OriginalUri,
) -> Result<Response, Problem> {
    let Some(session) = session else { return Ok(to_signin(&here)) };
    let mut db = app.pool.acquire().await?;
    let notifications = notification::newest(&mut db, session.user_id).await?;
    let searches = saved_search::of_person(&mut db, session.user_id).await?;
    drop(db);
    let offers = notification::offers(&app, session.user_id).await?;
    let values = context! {
        path => "/notifications",
        newest => notifications.first().map(|newest| newest.notification_id),
        notifications => shown(notifications),
        searches => shown(searches),
        offers => shown(offers),
        by_mail => app.config.mail.is_some(),
    };
    Ok(render::page(&app, "notifications.html", values)?.into_response())
}

/// What a mail's link carries.
#[derive(Debug, Deserialize)]
pub(super) struct WayOut {
    search: SearchId,
    key: String,
}

impl WayOut {
    fn check(&self, app: &App) -> Result<(), Problem> {
        let genuine = mail::is_key(&app.config.secret, self.search, &self.key);
        genuine.then_some(()).ok_or_else(|| Problem::not_found("no-such-search", "There is no such saved search"))
    }
}

/// `GET /unsubscribe`.
pub(super) async fn way_out(State(app): State<App>, Query(way): Query<WayOut>) -> Result<Page, Problem> {
    way.check(&app)?;
    render::page(&app, "unsubscribe.html", context! { search => way.search.to_string(), key => way.key.as_str() })
}

/// `POST /unsubscribe`, also as RFC 8058's one click, which has no session: the key is what counts.
pub(super) async fn unsubscribe(State(app): State<App>, Query(way): Query<WayOut>) -> Result<Page, Problem> {
    way.check(&app)?;
    let mut db = app.pool.acquire().await?;
    saved_search::silence(&mut db, way.search).await?;
    render::page(&app, "unsubscribe.html", context! { done => true })
}
