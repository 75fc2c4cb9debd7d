//! Pictures of events: sent by who sells, kept in a few sizes, shown by addresses that never change what they show.
//!
//! Bytes are kept before a row names them, and let go after no row does: a crash between leaves bytes that nobody sees, never an
//! address without them.

mod album;
mod form;
mod picture;
mod table;

pub use album::Album;

use crate::app::App;
use crate::catalog;
use crate::extract::Id;
use crate::problem::{Problem, ProblemBody};
use crate::session::Organizer;
use album::Urls;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use form::Upload;
use model::EventId;
use picture::{Pictures, Size};
use serde::Serialize;
use sqlx::{Connection as _, PgConnection};
use table::{Content, ImageRow};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The routes of pictures. The form sets its own limits.
#[must_use]
pub fn router() -> OpenApiRouter<App> {
    let router = OpenApiRouter::new().routes(routes!(create)).routes(routes!(replace, remove)).routes(routes!(show));
    router.layer(DefaultBodyLimit::disable())
}

/// A picture to send.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a schema, never a value")]
struct UploadForm {
    /// A JPEG, PNG or WebP of at most 10 MiB and 60 megapixels.
    #[schema(value_type = String, format = Binary)]
    image: Vec<u8>,
    /// The event it shows; the event is shown by it from now on.
    event_id: Option<EventId>,
}

/// A picture that is kept.
#[derive(Debug, Serialize, ToSchema)]
struct Uploaded {
    image_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<EventId>,
    /// Cacheable for ever. Any of them may be an event's `image`.
    urls: Urls,
    /// Of the largest size, in pixels.
    width: u32,
    height: u32,
}

/// Send a picture, of an event or for later use
#[utoipa::path(post, path = "/upload", tag = "catalog",
    request_body(content = UploadForm, content_type = "multipart/form-data"), responses(
    (status = 201, body = Uploaded), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, description = "`no-such-event`", body = ProblemBody),
    (status = 413, description = "`too-large` {limit_bytes}", body = ProblemBody),
    (status = 415, description = "`not-an-image`, `not-a-form`", body = ProblemBody),
    (status = 422, description = "`invalid`: a picture that cannot be read, or of too many pixels", body = ProblemBody)))]
async fn create(
    State(app): State<App>,
    organizer: Organizer,
    upload: Upload,
) -> Result<(StatusCode, axum::Json<Uploaded>), Problem> {
    if let Some(event) = upload.event {
        may_show(&app, &organizer, event).await?;
    }
    let pictures = app.album.develop(upload.image).await?;
    let (image, id) = (Uuid::now_v7(), Uuid::now_v7());
    app.album.keep(id, &pictures).await?;
    let uploaded = describe(&app, (image, upload.event), id, &pictures);
    let mut db = app.pool.acquire().await?;
    let mut transaction = db.begin().await?;
    if let Some(event) = upload.event {
        // The lane before the event, as every change of an event takes them.
        booking::lock_lane(&mut transaction, event).await?;
        table::show(&mut transaction, event, None, Some(&uploaded.urls.hero)).await?;
    }
    table::insert(&mut transaction, image, (organizer.0.user_id, upload.event), content(id, &pictures)?).await?;
    transaction.commit().await?;
    Ok((StatusCode::CREATED, axum::Json(uploaded)))
}

/// Put another picture in its place; an event that showed the one shows the other
#[utoipa::path(put, path = "/upload/{image_id}", tag = "catalog", params(("image_id" = Uuid, Path)),
    request_body(content = UploadForm, content_type = "multipart/form-data"), responses(
    (status = 200, body = Uploaded), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, description = "`no-such-image`", body = ProblemBody),
    (status = 409, description = "`changed-meanwhile`", body = ProblemBody), (status = 413, body = ProblemBody),
    (status = 415, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn replace(
    State(app): State<App>,
    organizer: Organizer,
    Id(image): Id<Uuid>,
    upload: Upload,
) -> Result<axum::Json<Uploaded>, Problem> {
    let was = own(&app, &organizer, image).await?;
    if upload.event.is_some_and(|event| was.event != Some(event)) {
        return Err(Problem::invalid("event_id", "is not the picture's event"));
    }
    let pictures = app.album.develop(upload.image).await?;
    if pictures.hash == was.hash {
        return Ok(axum::Json(describe(&app, (image, was.event), was.content, &pictures)));
    }
    let id = Uuid::now_v7();
    app.album.keep(id, &pictures).await?;
    let uploaded = describe(&app, (image, was.event), id, &pictures);
    let mut db = app.pool.acquire().await?;
    let mut transaction = db.begin().await?;
    show_instead(&app, &mut transaction, &was, Some(&uploaded.urls.hero)).await?;
    if !table::replace(&mut transaction, image, was.content, content(id, &pictures)?).await? {
        transaction.rollback().await?;
        return Err(Problem::new(StatusCode::CONFLICT, "changed-meanwhile", "The picture was changed meanwhile"));
    }
    transaction.commit().await?;
    app.album.forget(was.content, &was.hash).await;
    Ok(axum::Json(uploaded))
}

/// Remove a picture; an event that showed it shows none
#[utoipa::path(delete, path = "/upload/{image_id}", tag = "catalog", params(("image_id" = Uuid, Path)), responses(
    (status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, description = "`no-such-image`", body = ProblemBody)))]
async fn remove(State(app): State<App>, organizer: Organizer, Id(image): Id<Uuid>) -> Result<StatusCode, Problem> {
    let was = own(&app, &organizer, image).await?;
    let mut db = app.pool.acquire().await?;
    let mut transaction = db.begin().await?;
    show_instead(&app, &mut transaction, &was, None).await?;
    if !table::delete(&mut transaction, image, was.content).await? {
        transaction.rollback().await?;
        return Err(no_such_image());
    }
    transaction.commit().await?;
    app.album.forget(was.content, &was.hash).await;
    Ok(StatusCode::NO_CONTENT)
}

/// A picture in one of its sizes: what it shows never changes
#[utoipa::path(get, path = "/image/{content}/{file}", tag = "catalog",
    params(("content" = Uuid, Path), ("file" = String, Path, description = "`{hash}-{size}.jpg`")),
    responses((status = 200, content_type = "image/jpeg", body = Vec<u8>),
        (status = 404, description = "`no-such-image`", body = ProblemBody)))]
async fn show(
    State(app): State<App>,
    Path((content, file)): Path<(String, String)>,
) -> Result<impl IntoResponse, Problem> {
    let content: Uuid = content.parse().map_err(|_| no_such_image())?;
    let (hash, size) = file.strip_suffix(".jpg").and_then(|name| name.split_once('-')).ok_or_else(no_such_image)?;
    let size = Size::ALL.into_iter().find(|known| known.as_str() == size).ok_or_else(no_such_image)?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !is_hash {
        return Err(no_such_image());
    }
    let bytes = app.album.find(content, hash, size).await?.ok_or_else(no_such_image)?;
    let headers =
        [(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    Ok((headers, bytes))
}

fn no_such_image() -> Problem {
    Problem::not_found("no-such-image", "There is no such picture")
}

async fn may_show(app: &App, organizer: &Organizer, event: EventId) -> Result<(), Problem> {
    let owner = catalog::organizer(app, event).await?.ok_or_else(catalog::no_such_event)?;
    if organizer.owns(owner) { Ok(()) } else { Err(Problem::forbidden("this event belongs to another organizer")) }
}

/// A picture one may change: of one's event, or sent by oneself.
async fn own(app: &App, organizer: &Organizer, image: Uuid) -> Result<ImageRow, Problem> {
    let row = table::find(&mut *app.pool.acquire().await?, image).await?.ok_or_else(no_such_image)?;
    match row.event {
        Some(event) => may_show(app, organizer, event).await?,
        None if organizer.owns(row.owner) => {}
        None => return Err(Problem::forbidden("this picture belongs to another organizer")),
    }
    Ok(row)
}

/// Lets the event that a picture shows, if it still does, be shown by another one, or by none.
async fn show_instead(app: &App, db: &mut PgConnection, was: &ImageRow, address: Option<&str>) -> Result<(), Problem> {
    let Some(event) = was.event else { return Ok(()) };
    booking::lock_lane(db, event).await?;
    let shown = app.album.urls(was.content, &was.hash).hero;
    table::show(db, event, Some(&shown), address).await?;
    Ok(())
}

fn describe(app: &App, (image_id, event_id): (Uuid, Option<EventId>), content: Uuid, pictures: &Pictures) -> Uploaded {
    let urls = app.album.urls(content, &pictures.hash);
    Uploaded { image_id, event_id, urls, width: pictures.width, height: pictures.height }
}

fn content(id: Uuid, pictures: &Pictures) -> Result<Content<'_>, Problem> {
    let pixels = |side: u32| i32::try_from(side).map_err(|error| Problem::internal(&error));
    Ok(Content { id, hash: &pictures.hash, width: pixels(pictures.width)?, height: pixels(pictures.height)? })
}
