//! Synonyms: what else somebody may mean who searches for a term. Kept by admins; in force with the next view of the index.

use super::Written;
use crate::app::App;
use crate::extract::{Json, Name};
use crate::line::{Line, line};
use crate::problem::{Problem, ProblemBody};
use crate::session::Admin;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use search::document::SynonymRow;
use search::{fold, synonyms};
use serde::{Deserialize, Serialize};
use sqlx::{Connection as _, PgConnection};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// Every replica keeps all of them in memory.
const SYNONYMS_MAX: i64 = 5_000;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, put)).routes(routes!(delete))
}

/// All synonyms.
#[derive(Debug, Serialize, ToSchema)]
struct List {
    synonyms: Vec<SynonymRow>,
}

/// What a term may stand for.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Meanings {
    /// Up to 8 words; case and accents do not matter.
    #[garde(custom(line(200)))]
    term: Line,
    /// Texts as `q` takes them, words and phrases in quotes: who searches for the term finds what any of them finds too.
    #[garde(length(min = 1, max = 20), inner(custom(line(200))))]
    means: Vec<Line>,
}

/// List the synonyms, by term
#[utoipa::path(get, path = "/synonym", tag = "catalog", responses(
    (status = 200, body = List), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody)))]
async fn list(State(app): State<App>, _admin: Admin) -> Result<axum::Json<List>, Problem> {
    let mut db = app.pool.acquire().await?;
    Ok(axum::Json(List { synonyms: all(&mut db).await? }))
}

/// Say what a term may stand for, in place of what it did
#[utoipa::path(put, path = "/synonym", tag = "catalog", responses(
    (status = 200, body = SynonymRow), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 409, description = "`too-many-synonyms`", body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn put(State(app): State<App>, _admin: Admin, Json(new): Json<Meanings>) -> Result<Written<SynonymRow>, Problem> {
    let term = fold::name(&new.term);
    if !(1..=synonyms::TERM_WORDS_MAX).contains(&fold::words(&term).count()) {
        return Err(Problem::invalid("term", format!("is 1 to {} words", synonyms::TERM_WORDS_MAX)));
    }
    let means: Vec<String> = new.means.into_iter().map(String::from).collect();
    if let Some(i) = means.iter().position(|text| !synonyms::is_meaning(text)) {
        return Err(Problem::invalid(&format!("means[{i}]"), "is words or phrases in quotes, none of them negated"));
    }
    let mut db = app.pool.acquire().await?;
    let mut transaction = db.begin().await?;
    let synonym = upsert(&mut transaction, &term, &means).await?;
    if count(&mut transaction).await? > SYNONYMS_MAX {
        return Err(Problem::new(StatusCode::CONFLICT, "too-many-synonyms", "There are too many synonyms")
            .detail(format!("at most {SYNONYMS_MAX} are kept")));
    }
    transaction.commit().await?;
    Written::after_commit(&mut db, StatusCode::OK, synonym.version, synonym).await
}

/// Forget what a term may stand for
#[utoipa::path(delete, path = "/synonym/{term}", tag = "catalog", params(("term" = String, Path)), responses(
    (status = 200, body = SynonymRow), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, description = "`no-such-synonym`", body = ProblemBody)))]
async fn delete(State(app): State<App>, _admin: Admin, Name(term): Name) -> Result<Written<SynonymRow>, Problem> {
    let mut db = app.pool.acquire().await?;
    let gone = remove(&mut db, &fold::name(&term)).await?;
    let gone = gone.ok_or_else(|| Problem::not_found("no-such-synonym", "There is no such synonym"))?;
    Written::after_commit(&mut db, StatusCode::OK, gone.version, gone).await
}

async fn all(db: &mut PgConnection) -> Result<Vec<SynonymRow>, sqlx::Error> {
    let rows =
        sqlx::query_as!(SynonymRow, "select synonym_id, term, means, version from synonym order by term collate \"C\"");
    rows.fetch_all(db).await
}

async fn upsert(db: &mut PgConnection, term: &str, means: &[String]) -> Result<SynonymRow, sqlx::Error> {
    let row = sqlx::query_as!(
        SynonymRow,
        "insert into synonym as s (synonym_id, term, means) values ($1, $2, $3)
         on conflict (term) do update set means = excluded.means, version = s.version + 1, updated_at = now()
         returning synonym_id, term, means, version",
        Uuid::now_v7(),
        term,
        means
    );
    row.fetch_one(db).await
}

async fn count(db: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from synonym"#).fetch_one(db).await
}

async fn remove(db: &mut PgConnection, term: &str) -> Result<Option<SynonymRow>, sqlx::Error> {
    let row = sqlx::query_as!(
        SynonymRow,
        "delete from synonym where term = $1 returning synonym_id, term, means, version",
        term
    );
    row.fetch_optional(db).await
}
