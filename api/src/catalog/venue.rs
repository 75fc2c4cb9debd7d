//! Venues: a place with an address, a time zone and perhaps coordinates. Any organizer may add or correct one.

use super::{IfMatch, Written, is_country, is_zone};
use crate::app::App;
use crate::extract::{Id, Json};
use crate::line::{Line, Patch, line};
use crate::problem::{Problem, ProblemBody};
use crate::session::Organizer;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use model::VenueId;
use search::document::VenueRow;
use serde::Deserialize;
use sqlx::{Connection as _, PgConnection};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(change))
}

/// A new venue.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewVenue {
    #[garde(custom(line(300)))]
    name: Line,
    #[garde(custom(line(200)))]
    city: Line,
    #[garde(inner(custom(line(200))))]
    district: Option<Line>,
    #[garde(inner(custom(line(200))))]
    region: Option<Line>,
    /// ISO 3166-1 alpha-2.
    #[garde(custom(is_country))]
    country: String,
    /// Degrees north; with `lon` or not at all.
    #[garde(range(min = -90.0, max = 90.0))]
    lat: Option<f64>,
    /// Degrees east.
    #[garde(range(min = -180.0, max = 180.0))]
    lon: Option<f64>,
    /// IANA zone.
    #[garde(custom(is_zone))]
    timezone: String,
}

/// What changes of a venue: what is left out stays, `null` clears what may be empty.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct VenueChange {
    #[garde(inner(custom(line(300))))]
    name: Option<Line>,
    #[garde(inner(custom(line(200))))]
    city: Option<Line>,
    #[garde(inner(custom(line(200))))]
    #[serde(default)]
    #[schema(value_type = Option<Line>)]
    district: Patch<Line>,
    #[garde(inner(custom(line(200))))]
    #[serde(default)]
    #[schema(value_type = Option<Line>)]
    region: Patch<Line>,
    #[garde(inner(custom(is_country)))]
    country: Option<String>,
    #[garde(inner(range(min = -90.0, max = 90.0)))]
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    lat: Patch<f64>,
    #[garde(inner(range(min = -180.0, max = 180.0)))]
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    lon: Patch<f64>,
    #[garde(inner(custom(is_zone)))]
    timezone: Option<String>,
}

/// Half a place is none.
fn place(venue: VenueRow) -> Result<VenueRow, Problem> {
    if venue.lat.is_some() == venue.lon.is_some() {
        return Ok(venue);
    }
    Err(Problem::invalid("lat", "comes with lon"))
}

/// Add a venue
#[utoipa::path(post, path = "/venue", tag = "catalog", responses(
    (status = 201, body = VenueRow), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 422, body = ProblemBody)))]
async fn create(
    State(app): State<App>,
    _organizer: Organizer,
    Json(new): Json<NewVenue>,
) -> Result<Written<VenueRow>, Problem> {
    let venue = place(VenueRow {
        venue_id: VenueId::new(),
        name: new.name.into(),
        city: new.city.into(),
        district: new.district.map(String::from),
        region: new.region.map(String::from),
        country: new.country,
        lat: new.lat,
        lon: new.lon,
        timezone: new.timezone,
        version: 1,
    })?;
    let mut db = app.pool.acquire().await?;
    insert(&mut db, &venue).await?;
    Written::after_commit(&mut db, StatusCode::CREATED, venue.version, venue).await
}

/// Correct a venue; its events follow in the search index
#[utoipa::path(put, path = "/venue/{venue_id}", tag = "catalog", params(("venue_id" = VenueId, Path)), responses(
    (status = 200, body = VenueRow), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, description = "`no-such-venue`", body = ProblemBody),
    (status = 412, description = "`version-mismatch`", body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn change(
    State(app): State<App>,
    _organizer: Organizer,
    Id(venue_id): Id<VenueId>,
    if_match: IfMatch,
    Json(change): Json<VenueChange>,
) -> Result<Written<VenueRow>, Problem> {
    let mut db = app.pool.acquire().await?;
    let mut transaction = db.begin().await?;
    let old = lock(&mut transaction, venue_id).await?;
    let old = old.ok_or_else(|| Problem::not_found("no-such-venue", "There is no such venue"))?;
    if_match.check(old.version)?;
    let venue = place(VenueRow {
        venue_id,
        name: change.name.map_or(old.name, String::from),
        city: change.city.map_or(old.city, String::from),
        district: change.district.map(String::from).over(old.district),
        region: change.region.map(String::from).over(old.region),
        country: change.country.unwrap_or(old.country),
        lat: change.lat.over(old.lat),
        lon: change.lon.over(old.lon),
        timezone: change.timezone.unwrap_or(old.timezone),
        version: old.version + 1,
    })?;
    update(&mut transaction, &venue).await?;
    transaction.commit().await?;
    Written::after_commit(&mut db, StatusCode::OK, venue.version, venue).await
}

async fn insert(db: &mut PgConnection, venue: &VenueRow) -> Result<(), sqlx::Error> {
    let statement = sqlx::query!(
        "insert into venue (venue_id, name, city, district, region, country, lat, lon, timezone)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        venue.venue_id.0,
        venue.name,
        venue.city,
        venue.district,
        venue.region,
        venue.country,
        venue.lat,
        venue.lon,
        venue.timezone
    );
    statement.execute(db).await?;
    Ok(())
}

async fn lock(db: &mut PgConnection, venue_id: VenueId) -> Result<Option<VenueRow>, sqlx::Error> {
    let row = sqlx::query!(
        "select name, city, district, region, country, lat, lon, timezone, version from venue where venue_id = $1 for update",
        venue_id.0
    );
    Ok(row.fetch_optional(db).await?.map(|row| VenueRow {
        venue_id,
        name: row.name,
        city: row.city,
        district: row.district,
        region: row.region,
        country: row.country,
        lat: row.lat,
        lon: row.lon,
        timezone: row.timezone,
        version: row.version,
    }))
}

async fn update(db: &mut PgConnection, venue: &VenueRow) -> Result<(), sqlx::Error> {
    let statement = sqlx::query!(
        "update venue set name = $2, city = $3, district = $4, region = $5, country = $6, lat = $7, lon = $8,
            timezone = $9, version = version + 1, updated_at = now()
         where venue_id = $1 and version + 1 = $10",
        venue.venue_id.0,
        venue.name,
        venue.city,
        venue.district,
        venue.region,
        venue.country,
        venue.lat,
        venue.lon,
        venue.timezone,
        venue.version
    );
    statement.execute(db).await?;
    Ok(())
}
