//! The pages people see: server-rendered, readable without script, enhanced by the islands of `web/`.
//!
//! Invariant: what is public is the same bytes for everyone, so that a CDN may keep it; who is signed in shows only on private
//! pages, which no cache keeps. A page never reaches a table itself: it asks what the JSON handlers ask.

mod alerts;
mod art;
mod assets;
mod concert;
mod door;
mod format;
mod home;
mod index;
mod own;
mod query;
mod refusal;
mod render;

use crate::app::App;
use axum::Router;
use axum::routing::get;

pub use refusal::dress;

/// The pages' routes.
pub fn router() -> Router<App> {
    Router::new()
        .route("/", get(home::home))
        .route("/events/{event_id}", get(concert::concert))
        .route("/orders/{order_id}", get(own::order))
        .route("/tickets", get(own::tickets))
        .route("/account", get(own::account))
        .route("/door/{event_id}", get(door::door))
        .route("/door/worker.js", get(door::worker))
        .route("/notifications", get(alerts::notifications))
        .route("/unsubscribe", get(alerts::way_out).post(alerts::unsubscribe))
        .route("/signin", get(own::signin))
        .route("/register", get(own::register))
        .route("/art/{genre}", get(art::serve))
        .route("/assets/{name}", get(assets::serve))
        .route("/favicon.ico", get(assets::favicon))
        .route("/robots.txt", get(assets::robots))
}
