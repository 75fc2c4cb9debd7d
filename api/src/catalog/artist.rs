//! Artists: composers, conductors, ensembles, soloists. Any organizer may add or correct one.

use super::{IfMatch, Written};
use crate::app::App;
use crate::extract::{Id, Json};
use crate::line::{Line, line};
use crate::problem::{Problem, ProblemBody};
use crate::session::Organizer;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use model::ArtistId;
use search::document::ArtistRow;
use serde::Deserialize;
use sqlx::{Connection as _, PgConnection};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(change))
}

/// An artist's name.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Named {
    #[garde(custom(line(300)))]
    name: Line,
}

/// Add an artist
#[utoipa::path(post, path = "/artist", tag = "catalog", responses(
    (status = 201, body = ArtistRow), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 422, body = ProblemBody)))]
async fn create(
    State(app): State<App>,
    _organizer: Organizer,
    Json(new): Json<Named>,
) -> Result<Written<ArtistRow>, Problem> {
    let artist = ArtistRow { artist_id: ArtistId::new(), name: new.name.into(), version: 1 };
    let mut db = app.pool.acquire().await?;
    insert(&mut db, &artist).await?;
    Written::after_commit(&mut db, StatusCode::CREATED, artist.version, artist).await
}

/// Correct an artist; their events follow in the search index
#[utoipa::path(put, path = "/artist/{artist_id}", tag = "catalog", params(("artist_id" = ArtistId, Path)), responses(
    (status = 200, body = ArtistRow), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, description = "`no-such-artist`", body = ProblemBody),
    (status = 412, description = "`version-mismatch`", body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn change(
    State(app): State<App>,
    _organizer: Organizer,
    Id(artist_id): Id<ArtistId>,
    if_match: IfMatch,
    Json(change): Json<Named>,
) -> Result<Written<ArtistRow>, Problem> {
    let mut db = app.pool.acquire().await?;
    let mut transaction = db.begin().await?;
    let version = lock(&mut transaction, artist_id).await?;
    let version = version.ok_or_else(|| Problem::not_found("no-such-artist", "There is no such artist"))?;
    if_match.check(version)?;
    let artist = ArtistRow { artist_id, name: change.name.into(), version: version + 1 };
    update(&mut transaction, &artist).await?;
    transaction.commit().await?;
    Written::after_commit(&mut db, StatusCode::OK, artist.version, artist).await
}

async fn insert(db: &mut PgConnection, artist: &ArtistRow) -> Result<(), sqlx::Error> {
    let statement =
        sqlx::query!("insert into artist (artist_id, name) values ($1, $2)", artist.artist_id.0, artist.name);
    statement.execute(db).await?;
    Ok(())
}

async fn lock(db: &mut PgConnection, artist_id: ArtistId) -> Result<Option<i64>, sqlx::Error> {
    let version = sqlx::query_scalar!("select version from artist where artist_id = $1 for update", artist_id.0);
    version.fetch_optional(db).await
}

async fn update(db: &mut PgConnection, artist: &ArtistRow) -> Result<(), sqlx::Error> {
    let statement = sqlx::query!(
        "update artist set name = $2, version = version + 1, updated_at = now() where artist_id = $1 and version + 1 = $3",
        artist.artist_id.0,
        artist.name,
        artist.version
    );
    statement.execute(db).await?;
    Ok(())
}
