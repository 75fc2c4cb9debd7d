//! The catalog: what organizers keep (venues, artists, seat plans, events) and search shows, and the synonyms admins keep.
//!
//! Every write answers with its commit's log position (`Frontrow-Lsn`), which a search can wait for with `min_lsn`, and with the row's
//! version as its `ETag`, which the next write can insist on with `If-Match`. It never touches a booking table.

mod artist;
mod charge;
mod code;
mod event;
mod event_record;
mod group;
mod layout;
mod presale;
mod synonym;
mod venue;
mod written;

pub(crate) use event::{manages, no_such_event, organizer};
pub use event_record::{coming, read as read_event};
pub use layout::Layouts;
pub use written::{IfMatch, LSN_HEADER, Written};

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

/// The catalog's routes.
#[must_use]
pub fn router() -> OpenApiRouter<App> {
    let kept = OpenApiRouter::new().merge(venue::router()).merge(artist::router()).merge(layout::router());
    let sale = OpenApiRouter::new().merge(code::router()).merge(group::router());
    kept.merge(event::router()).merge(sale).merge(synonym::router())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde passes its context so")]
fn is_country(code: &str, _: &()) -> garde::Result {
    if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Ok(());
    }
    Err(garde::Error::new("is two capital letters (ISO 3166-1)"))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde passes its context so")]
fn is_zone(name: &str, _: &()) -> garde::Result {
    match jiff::tz::TimeZone::get(name) {
        Ok(zone) if zone.iana_name().is_some() && name.len() <= 64 => Ok(()),
        _ => Err(garde::Error::new("is an IANA zone, such as America/New_York")),
    }
}

/// Instants Postgres, the index and people all understand: the years 1900 to 2200.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde passes its context so")]
fn is_instant(at: &jiff::Timestamp, (): &()) -> garde::Result {
    const EARLIEST_S: i64 = -2_208_988_800;
    const LATEST_S: i64 = 7_258_118_400;
    if (EARLIEST_S..LATEST_S).contains(&at.as_second()) {
        return Ok(());
    }
    Err(garde::Error::new("is an instant between the years 1900 and 2200"))
}
