//! The sandbox payment portal: a payment provider as foreign as we can make it, for the demo and the tests.
//!
//! Its own REST with its own secret and idempotency keys, its own books (`sandbox.payment`), a real page that succeeds, declines,
//! asks for proof and times out, and signed webhooks that are sent again until they are taken. A test card brings trouble with it:
//! messages late, twice, out of order or not at all, a provider that is down, an answer that gets lost. Nothing of it knows an
//! order or a seat.

mod card;
mod delivery;
mod portal;
mod record;
mod rest;

use crate::app::App;
use crate::config::Secret;
use axum::Router;
use tokio_util::task::TaskTracker;

/// What the portal keeps beside its books.
#[derive(Clone, Debug)]
pub struct Sandbox {
    api_key: Secret,
    webhook_key: Secret,
    http: reqwest::Client,
    tracker: TaskTracker,
}

impl Sandbox {
    /// A portal whose clients know `api_key` and check its messages with `webhook_key`.
    #[must_use]
    pub fn new(api_key: Secret, webhook_key: Secret, http: reqwest::Client, tracker: TaskTracker) -> Self {
        Self { api_key, webhook_key, http, tracker }
    }

    /// What webhooks are signed with.
    fn webhook_key(&self) -> &str {
        self.webhook_key.expose()
    }
}

/// The portal's routes.
pub fn router() -> Router<App> {
    Router::new().merge(rest::router()).merge(portal::router())
}
