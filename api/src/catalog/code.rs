//! Codes that an organizer gives away: what one opens or takes off, how often, for how many seats, and when. The table `sale_code`.
//!
//! What of a code is taken is counted by the database itself, with the holds. A code that was used stays, so that it can be accounted for.

use super::presale::{self, PresaleAccess};
use super::{charge, is_instant, no_such_event, organizer};
use crate::app::App;
use crate::extract::{Id, IdAndName, Json};
use crate::problem::{Problem, ProblemBody, violates};
use crate::session::Organizer;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use jiff::Timestamp;
use model::EventId;
use model::charge::Charge;
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use sqlx::{Connection as _, PgConnection};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Codes of one event; its lane keeps all of them in memory.
const CODES_MAX: i64 = 100_000;
/// Letters and digits that nobody mistakes for one another: ten of them are 49 bits.
const LETTERS: &[u8] = b"ABCDEFGHJKMNPQRSTUVWXYZ23456789";
const LETTERS_OF_A_CODE: usize = 10;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(terms)).routes(routes!(put, end)).routes(routes!(make))
}

/// What a code allows. What is left out has no bound.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct CodeBody {
    /// The position of the presale it opens.
    #[garde(skip)]
    presale: Option<i16>,
    /// Purchases it is good for: 1 makes it a code of one's own.
    #[garde(range(min = 1, max = 1_000_000))]
    uses_max: Option<i32>,
    /// Seats it is good for, all purchases together.
    #[garde(range(min = 1, max = 1_000_000))]
    seats_max: Option<i32>,
    /// What it takes off each ticket's price, in hundredths of a percent.
    #[garde(range(min = 1, max = 10_000))]
    off_basis_points: Option<i32>,
    /// What it takes off each ticket's price, in minor units; never more than the price.
    #[garde(range(min = 1, max = 100_000_000_000))]
    off_amount: Option<i64>,
    /// It is for tickets of this tier: takes something off them alone, and is refused where there is none.
    #[garde(range(min = 0))]
    tier: Option<i16>,
    /// Its first instant.
    #[garde(inner(custom(is_instant)))]
    #[schema(value_type = Option<String>, format = DateTime)]
    valid_from: Option<Timestamp>,
    /// The first instant after it.
    #[garde(inner(custom(is_instant)))]
    #[schema(value_type = Option<String>, format = DateTime)]
    valid_until: Option<Timestamp>,
}

/// Codes to be thought up.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewCodes {
    /// How many.
    #[garde(range(min = 1, max = 10_000))]
    count: u16,
    /// What each of them allows.
    #[garde(dive)]
    each: CodeBody,
}

/// A code.
#[derive(Debug, Serialize, ToSchema)]
struct SaleCode {
    /// In capital letters; whoever types it may use small ones.
    code: String,
    /// The position of the presale it opens.
    presale: Option<i16>,
    /// Purchases it is good for.
    uses_max: Option<i32>,
    /// Seats it is good for.
    seats_max: Option<i32>,
    /// What it takes off, in hundredths of a percent.
    off_basis_points: Option<i32>,
    /// What it takes off, in minor units.
    off_amount: Option<i64>,
    /// Of this tier's tickets alone.
    tier: Option<i16>,
    #[schema(value_type = Option<String>, format = DateTime)]
    valid_from: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    valid_until: Option<Timestamp>,
    /// Holds that live or were bought with it.
    uses: i32,
    /// Their seats.
    seats: i32,
}

/// Several codes.
#[derive(Debug, Serialize, ToSchema)]
struct SaleCodes {
    codes: Vec<SaleCode>,
}

/// What an organizer sees of an event's terms and nobody else.
#[derive(Debug, Serialize, ToSchema)]
struct EventTerms {
    /// In order of position.
    presales: Vec<PresaleAccess>,
    /// In order of the alphabet.
    codes: Vec<SaleCode>,
    /// Fees and taxes, in the order of the bill.
    charges: Vec<Charge>,
}

/// An event's terms as its organizer sees them: presales with their groups, codes and what of them is taken, charges
#[utoipa::path(get, path = "/event/{event_id}/terms", tag = "catalog", params(("event_id" = EventId, Path)), responses(
    (status = 200, body = EventTerms), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, description = "`no-such-event`", body = ProblemBody)))]
async fn terms(
    State(app): State<App>,
    by: Organizer,
    Id(event_id): Id<EventId>,
) -> Result<axum::Json<EventTerms>, Problem> {
    own(&app, &by, event_id).await?;
    let mut db = app.pool.acquire().await?;
    let presales = presale::access(&mut db, event_id).await?;
    let charges = charge::of_event(&mut db, event_id).await?;
    Ok(axum::Json(EventTerms { presales, codes: read(&mut db, event_id, None).await?, charges }))
}

/// Make a code, or change what it allows
#[utoipa::path(put, path = "/event/{event_id}/code/{code}", tag = "catalog",
    params(("event_id" = EventId, Path), ("code" = String, Path, description = "3 to 40 letters, digits and dashes")), responses(
    (status = 200, body = SaleCode), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, description = "`no-such-event`", body = ProblemBody),
    (status = 409, description = "`code-used`: more of it is taken than that", body = ProblemBody),
    (status = 422, description = "`invalid`", body = ProblemBody)))]
async fn put(
    State(app): State<App>,
    by: Organizer,
    IdAndName(event_id, code): IdAndName<EventId>,
    Json(body): Json<CodeBody>,
) -> Result<axum::Json<SaleCode>, Problem> {
    own(&app, &by, event_id).await?;
    let code = code.trim().to_uppercase();
    let mut db = app.pool.acquire().await?;
    let mut transaction = db.begin().await?;
    booking::lock_lane(&mut transaction, event_id).await?;
    write(&mut transaction, event_id, std::slice::from_ref(&code), &body).await?;
    let written = read(&mut transaction, event_id, Some(&code)).await?;
    transaction.commit().await?;
    written.into_iter().next().map(axum::Json).ok_or_else(no_such_code)
}

/// Make codes that nobody can guess
#[utoipa::path(post, path = "/event/{event_id}/code", tag = "catalog", params(("event_id" = EventId, Path)), responses(
    (status = 201, body = SaleCodes), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, description = "`no-such-event`", body = ProblemBody),
    (status = 409, description = "`too-many-codes` {limit}", body = ProblemBody),
    (status = 422, description = "`invalid`", body = ProblemBody)))]
async fn make(
    State(app): State<App>,
    by: Organizer,
    Id(event_id): Id<EventId>,
    Json(new): Json<NewCodes>,
) -> Result<(StatusCode, axum::Json<SaleCodes>), Problem> {
    own(&app, &by, event_id).await?;
    let mut codes: Vec<String> = (0..new.count).map(|_| thought_up()).collect();
    codes.sort_unstable();
    codes.dedup();
    let mut db = app.pool.acquire().await?;
    let mut transaction = db.begin().await?;
    booking::lock_lane(&mut transaction, event_id).await?;
    write(&mut transaction, event_id, &codes, &new.each).await?;
    transaction.commit().await?;
    let CodeBody { presale, uses_max, seats_max, off_basis_points, off_amount, tier, valid_from, valid_until } =
        new.each;
    let (uses, seats) = (0, 0);
    let made = codes.into_iter().map(|code| SaleCode {
        code,
        presale,
        uses_max,
        seats_max,
        off_basis_points,
        off_amount,
        tier,
        valid_from,
        valid_until,
        uses,
        seats,
    });
    Ok((StatusCode::CREATED, axum::Json(SaleCodes { codes: made.collect() })))
}

/// End a code: it stays in the list, and nobody can use it any more; what is held with it stays held
#[utoipa::path(delete, path = "/event/{event_id}/code/{code}", tag = "catalog",
    params(("event_id" = EventId, Path), ("code" = String, Path)), responses(
    (status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, description = "`no-such-event`, `no-such-code`", body = ProblemBody)))]
async fn end(
    State(app): State<App>,
    by: Organizer,
    IdAndName(event_id, code): IdAndName<EventId>,
) -> Result<StatusCode, Problem> {
    own(&app, &by, event_id).await?;
    let mut db = app.pool.acquire().await?;
    let mut transaction = db.begin().await?;
    booking::lock_lane(&mut transaction, event_id).await?;
    let ended = sqlx::query!(
        "update sale_code set valid_until = least(valid_until, now()),
            valid_from = case when valid_from < least(valid_until, now()) then valid_from end
         where event_id = $1 and code = $2",
        event_id.0,
        code.trim().to_uppercase()
    );
    let ended = ended.execute(&mut *transaction).await?.rows_affected();
    transaction.commit().await?;
    if ended == 1 { Ok(StatusCode::NO_CONTENT) } else { Err(no_such_code()) }
}

fn no_such_code() -> Problem {
    Problem::not_found("no-such-code", "There is no such code")
}

async fn own(app: &App, by: &Organizer, event_id: EventId) -> Result<(), Problem> {
    let owner = organizer(app, event_id).await?.ok_or_else(no_such_event)?;
    if by.owns(owner) { Ok(()) } else { Err(Problem::forbidden("this event belongs to another organizer")) }
}

fn thought_up() -> String {
    let mut random = rand::rng();
    (0..LETTERS_OF_A_CODE).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect()
}

async fn write(db: &mut PgConnection, event_id: EventId, codes: &[String], body: &CodeBody) -> Result<(), Problem> {
    let written = sqlx::query!(
        "insert into sale_code (event_id, code, presale, uses_max, seats_max, valid_from, valid_until, off_basis_points,
            off_amount, tier)
         select $1, code, $3, $4, $5, $6, $7, $8, $9, $10 from unnest($2::text[]) as u (code)
         on conflict (event_id, code) do update set presale = excluded.presale, uses_max = excluded.uses_max,
            seats_max = excluded.seats_max, valid_from = excluded.valid_from, valid_until = excluded.valid_until,
            off_basis_points = excluded.off_basis_points, off_amount = excluded.off_amount, tier = excluded.tier",
        event_id.0,
        codes,
        body.presale,
        body.uses_max,
        body.seats_max,
        body.valid_from.map(jiff_sqlx::ToSqlx::to_sqlx) as _,
        body.valid_until.map(jiff_sqlx::ToSqlx::to_sqlx) as _,
        body.off_basis_points,
        body.off_amount,
        body.tier
    );
    written.execute(&mut *db).await.map_err(refusal)?;
    let count = sqlx::query_scalar!(r#"select count(*) as "count!" from sale_code where event_id = $1"#, event_id.0);
    if count.fetch_one(db).await? > CODES_MAX {
        let full = Problem::new(StatusCode::CONFLICT, "too-many-codes", "The event has as many codes as it may");
        return Err(full.with("limit", CODES_MAX.into()));
    }
    Ok(())
}

fn refusal(error: sqlx::Error) -> Problem {
    if violates(&error, "sale_code_code") {
        return Problem::invalid("code", "is 3 to 40 letters, digits and dashes");
    }
    if violates(&error, "sale_code_event_id_presale_fkey") {
        return Problem::invalid("presale", "is the position of none of the event's presales");
    }
    if violates(&error, "sale_code_off") {
        return Problem::invalid("off_amount", "not together with off_basis_points");
    }
    if violates(&error, "sale_code_valid") {
        return Problem::invalid("valid_until", "is after valid_from");
    }
    if violates(&error, "sale_code_uses") || violates(&error, "sale_code_seats") {
        return Problem::new(StatusCode::CONFLICT, "code-used", "More of this code is taken than that");
    }
    error.into()
}

/// An event's codes, or the one.
async fn read(db: &mut PgConnection, event_id: EventId, code: Option<&str>) -> Result<Vec<SaleCode>, sqlx::Error> {
    let rows = sqlx::query!(
        "select code, presale, uses_max, seats_max, off_basis_points, off_amount, tier, valid_from, valid_until, uses, seats
         from sale_code
         where event_id = $1 and ($2::text is null or code = $2) order by code",
        event_id.0,
        code
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| SaleCode {
        code: row.code,
        presale: row.presale,
        uses_max: row.uses_max,
        seats_max: row.seats_max,
        off_basis_points: row.off_basis_points,
        off_amount: row.off_amount,
        tier: row.tier,
        valid_from: row.valid_from.map(jiff_sqlx::Timestamp::to_jiff),
        valid_until: row.valid_until.map(jiff_sqlx::Timestamp::to_jiff),
        uses: row.uses,
        seats: row.seats,
    });
    Ok(rows.collect())
}
