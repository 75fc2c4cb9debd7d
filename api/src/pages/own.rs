//! Pages of one's own: signing in, the account, orders, tickets. Never cached; without a session they lead to signing in.

use super::render::{self, Page, shown};
use crate::app::App;
use crate::catalog;
use crate::extract::Id;
use crate::problem::Problem;
use crate::session::Session;
use axum::extract::{OriginalUri, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use booking::Ticket;
use minijinja::context;
use model::{EventId, OrderId};
use reqwest::Url;
use search::document::EventDocument;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where to go on after signing in. Only shown to the page's script, which takes no other site's address.
#[derive(Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

/// `GET /signin`.
pub(super) async fn signin(State(app): State<App>, Query(next): Query<Next>) -> Result<Page, Problem> {
    entrance(&app, &next, false)
}

/// `GET /register`.
pub(super) async fn register(State(app): State<App>, Query(next): Query<Next>) -> Result<Page, Problem> {
    entrance(&app, &next, true)
}

fn entrance(app: &App, Next { next }: &Next, registering: bool) -> Result<Page, Problem> {
    let path = if registering { "/register" } else { "/signin" };
    render::page(app, "signin.html", context! { path, registering, next => next.as_str() })
}

/// To the sign-in page, and from there back.
pub(super) fn to_signin(here: &OriginalUri) -> Response {
    let back = here.path_and_query().map_or("/", |path| path.as_str());
    let url = Url::parse_with_params("http://page/signin", [("next", back)]);
    let query = url.ok().and_then(|url| url.query().map(str::to_owned)).unwrap_or_default();
    Redirect::to(&format!("/signin?{query}")).into_response()
}

/// `GET /account`.
pub(super) async fn account(
    State(app): State<App>,
    session: Option<Session>,
    here: OriginalUri,
) -> Result<Response, Problem> {
    let Some(session) = session else { return Ok(to_signin(&here)) };
    let doors = catalog::coming(&mut *app.pool.acquire().await?, session.user_id).await?;
    let values = context! { path => "/account", account => shown(&session.account), doors => shown(doors) };
    Ok(render::page(&app, "account.html", values)?.into_response())
}

/// `GET /orders/{order_id}`.
pub(super) async fn order(
    State(app): State<App>,
    session: Option<Session>,
    here: OriginalUri,
    Id(order_id): Id<OrderId>,
) -> Result<Response, Problem> {
    let Some(session) = session else { return Ok(to_signin(&here)) };
    let order = app.booking()?.order(order_id).await?.filter(|order| order.user_id == session.user_id);
    let order = order.ok_or_else(|| Problem::not_found("no-such-order", "There is no such order"))?;
    let event = event(&app, order.event_id).await?;
    let can_refund = order.refundable_until.is_some_and(|until| until > jiff::Timestamp::now());
    let values = context! {
        can_refund,
        attempt => order.attempts.last().map(shown),
        event => shown(&event),
        order => shown(&order),
    };
    Ok(render::page(&app, "order.html", values)?.into_response())
}

/// The tickets of one event.
#[derive(Serialize)]
struct Group {
    event: EventDocument,
    tickets: Vec<Ticket>,
}

/// `GET /tickets`: by event, the next evening first.
pub(super) async fn tickets(
    State(app): State<App>,
    session: Option<Session>,
    here: OriginalUri,
) -> Result<Response, Problem> {
    let Some(session) = session else { return Ok(to_signin(&here)) };
    let mut by_event: BTreeMap<EventId, Vec<Ticket>> = BTreeMap::new();
    for ticket in app.booking()?.tickets(session.user_id, None).await? {
        by_event.entry(ticket.event_id).or_default().push(ticket);
    }
    let mut groups = Vec::with_capacity(by_event.len());
    for (event_id, tickets) in by_event {
        groups.push(Group { event: event(&app, event_id).await?, tickets });
    }
    groups.sort_by_key(|group| group.event.starts_at);
    let values = context! { path => "/tickets", groups => shown(groups) };
    Ok(render::page(&app, "tickets.html", values)?.into_response())
}

async fn event(app: &App, event_id: EventId) -> Result<EventDocument, Problem> {
    let mut db = app.pool.acquire().await?;
    let event = catalog::read_event(&mut db, event_id).await?;
    event.ok_or_else(|| Problem::not_found("no-such-event", "There is no such event"))
}
