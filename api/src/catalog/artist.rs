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

/// What an artist is called.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Named {
    #[garde(custom(line(300)))]
    name: Line,
    /// Other names they are known by, which searches find them by too; left out in a change, they stay.
    #[garde(inner(length(max = 32)), inner(inner(custom(line(300)))))]
    aliases: Option<Vec<Line>>,
}

impl Named {
    /// What they are called now; aliases that were left out stay.
    fn over(self, mut artist: ArtistRow) -> ArtistRow {
        artist.name = self.name.into();
        if let Some(aliases) = self.aliases {
            artist.aliases = aliases.into_iter().map(String::from).collect();
        }
        artist.version += 1;
        artist
    }
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
    let nobody = ArtistRow { artist_id: ArtistId::new(), name: String::new(), aliases: Vec::new(), version: 0 };
    let artist = new.over(nobody);
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
    let artist = lock(&mut transaction, artist_id).await?;
    let artist = artist.ok_or_else(|| Problem::not_found("no-such-artist", "There is no such artist"))?;
    if_match.check(artist.version)?;
    let artist = change.over(artist);
    update(&mut transaction, &artist).await?;
    transaction.commit().await?;
    Written::after_commit(&mut db, StatusCode::OK, artist.version, artist).await
}

async fn insert(db: &mut PgConnection, artist: &ArtistRow) -> Result<(), sqlx::Error> {
    let statement = sqlx::query!(
        "insert into artist (artist_id, name, aliases) values ($1, $2, $3)",
        artist.artist_id.0,
        artist.name,
        &artist.aliases
    );
    statement.execute(db).await?;
    Ok(())
}

async fn lock(db: &mut PgConnection, artist_id: ArtistId) -> Result<Option<ArtistRow>, sqlx::Error> {
    let row = sqlx::query!("select name, aliases, version from artist where artist_id = $1 for update", artist_id.0);
    let row = row.fetch_optional(db).await?;
    Ok(row.map(|row| ArtistRow { artist_id, name: row.name, aliases: row.aliases, version: row.version }))
}

async fn update(db: &mut PgConnection, artist: &ArtistRow) -> Result<(), sqlx::Error> {
    let statement = sqlx::query!(
        "update artist set name = $2, aliases = $3, version = version + 1, updated_at = now()
         where artist_id = $1 and version + 1 = $4",
        artist.artist_id.0,
        artist.name,
        &artist.aliases,
        artist.version
    );
    statement.execute(db).await?;
    Ok(())
}
