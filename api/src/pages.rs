//! The pages people see.

use crate::app::App;
use axum::Router;

/// The pages' routes.
pub fn router() -> Router<App> {
    Router::new()
}
