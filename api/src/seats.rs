//! The live seat map: a snapshot, what changed since a version, and a stream of changes. The same bytes for everyone.

use crate::app::App;
use crate::extract::Id;
use crate::problem::{Problem, ProblemBody};
use crate::shared_body::SharedBody;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use booking::{SeatDelta, SeatStates, SeatUpdate, SeatsSince, Subscription, Told};
use bytes::Bytes;
use futures::{Stream, stream};
use model::{EventId, SeatNo};
use serde::Serialize;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of the seat map.
#[must_use]
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(snapshot)).routes(routes!(follow))
}

/// Every seat's state.
#[derive(Debug, Serialize, ToSchema)]
struct Snapshot {
    version: u64,
    /// The seat plan's hash.
    layout: String,
    /// Base64 of two bits a seat in `seat_no` order (seat n is bits 2·(n mod 4) of byte n / 4): 0 free, 1 held, 2 sold, 3 not for sale.
    states: String,
}

/// What changed between two versions.
#[derive(Debug, Serialize, ToSchema)]
struct Delta<'a> {
    version: u64,
    from: u64,
    /// `[seat_no, state]`, each seat once.
    #[schema(value_type = Vec<Vec<u32>>)]
    changes: &'a [(SeatNo, u8)],
}

impl From<&SeatStates> for Snapshot {
    fn from(seats: &SeatStates) -> Self {
        Self { version: seats.version, layout: seats.layout.clone(), states: STANDARD.encode(&seats.states) }
    }
}

impl<'a> From<&'a SeatDelta> for Delta<'a> {
    fn from(delta: &'a SeatDelta) -> Self {
        Self { version: delta.version, from: delta.from, changes: &delta.changes }
    }
}

/// Every seat's state, or with `since` what changed (everything when that is too long ago)
#[utoipa::path(get, path = "/event/{event_id}/seats", tag = "seat map",
    params(("event_id" = EventId, Path), ("since" = Option<u64>, Query)),
    responses((status = 200, body = Snapshot), (status = 304), (status = 400, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
async fn snapshot(
    State(app): State<App>,
    Id(event_id): Id<EventId>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    match since(query.as_deref().unwrap_or_default())? {
        None => shown(&app, event_id, app.booking()?.seats(event_id).await?, &headers).await,
        Some(version) => match app.booking()?.seats_since(event_id, version).await? {
            SeatsSince::Full(seats) => shown(&app, event_id, seats, &headers).await,
            SeatsSince::Delta(delta) => {
                Ok(([(header::CACHE_CONTROL, CACHE)], axum::Json(Delta::from(&delta))).into_response())
            }
        },
    }
}

const CACHE: &str = "public, max-age=0, s-maxage=1";

fn since(query: &str) -> Result<Option<u64>, Problem> {
    let bad = |parameter: &str, accepted: &str| {
        Problem::new(StatusCode::BAD_REQUEST, "bad-parameter", "A parameter is not accepted")
            .with("parameter", parameter.into())
            .with("accepted", accepted.into())
    };
    let mut since = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("since", version)) => {
                since = Some(version.parse().map_err(|_| bad("since", "a version, as an earlier answer had it"))?);
            }
            other => return Err(bad(other.map_or(pair, |(name, _)| name), "since")),
        }
    }
    Ok(since)
}

/// The snapshot, written and compressed once per version.
async fn shown(
    app: &App,
    event_id: EventId,
    seats: Arc<Told<SeatStates>>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let version = seats.version;
    let json = move || serde_json::to_vec(&Snapshot::from(&**seats)).unwrap_or_default();
    let write = move || SharedBody::new(json(), &format!("\"{version}\""));
    let body = app.answers.of_version(format!("seats {event_id}"), version, write).await;
    Ok(body.respond(headers, CACHE))
}

/// The seat map as a stream of events: `snapshot` once, then `delta`; resumes by `Last-Event-ID`
#[utoipa::path(get, path = "/event/{event_id}/seats/stream", tag = "seat map", params(("event_id" = EventId, Path)),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 404, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
async fn follow(
    State(app): State<App>,
    Id(event_id): Id<EventId>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let place = Arc::clone(&app.streams).try_acquire_owned();
    let place = place.map_err(|_| Problem::busy("too many people follow seat maps; poll instead", 2))?;
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let subscription = app.booking()?.subscribe(event_id, seen).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(messages(subscription, app.stop.clone(), place))))
}

/// Nothing happens on a stream for so long: then a comment shows that both ends are there.
const QUIET_MAX: Duration = Duration::from_secs(15);

/// Ends when the subscription or the process does; gives its place back then. Who reads slowly asks for the next one late: nothing
/// is kept for them.
fn messages(
    subscription: Subscription,
    stop: CancellationToken,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold((subscription, stop, place), |(mut subscription, stop, place)| async move {
        let next = tokio::time::timeout(QUIET_MAX, subscription.next());
        let message = match stop.run_until_cancelled(next).await? {
            Ok(update) => message(update?),
            Err(_) => Bytes::from_static(b":\n\n"),
        };
        Some((Ok(message), (subscription, stop, place)))
    })
}

/// An update as everyone gets it, who all share the bytes.
fn message(update: SeatUpdate) -> Bytes {
    match update {
        SeatUpdate::Snapshot(seats) => seats.text(|seats| written("snapshot", seats.version, &Snapshot::from(seats))),
        SeatUpdate::Delta(delta) => delta.text(|delta| written("delta", delta.version, &Delta::from(delta))),
    }
}

/// JSON stands on one line, whatever is in it.
fn written(event: &str, version: u64, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {event}\nid: {version}\ndata: {data}\n\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_since_is_accepted() {
        assert_eq!(since("").unwrap(), None);
        assert_eq!(since("since=7").unwrap(), Some(7));
        assert_eq!(since("since=x").unwrap_err().body()["parameter"], "since");
        assert_eq!(since("after=7").unwrap_err().body()["parameter"], "after");
    }
}
