//! Seat plans: immutable, named by their hash, the same bytes for everyone for ever.
//!
//! A plan is compressed once and kept in memory while it is asked for; it is parsed only when it is stored.

use crate::app::App;
use crate::extract::{self, Name};
use crate::problem::{Problem, ProblemBody};
use crate::session::Organizer;
use crate::shared_body::SharedBody;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use model::{PlanError, PretixPlan, SeatPlan};
use moka::future::Cache;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The largest plan as JSON: 200,000 seats fit.
const PLAN_BYTES_MAX: usize = 24 << 20;
/// Memory for plans that are asked for.
const KEPT_BYTES_MAX: u64 = 128 << 20;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(read))
}

/// Plans asked for lately. Cheap to clone.
#[derive(Clone)]
pub struct Layouts {
    kept: Cache<String, Arc<SharedBody>>,
}

impl Default for Layouts {
    fn default() -> Self {
        let weight = |_: &String, plan: &Arc<SharedBody>| {
            u32::try_from(plan.json().len() + plan.json().len() / 8).unwrap_or(u32::MAX)
        };
        Self { kept: Cache::builder().weigher(weight).max_capacity(KEPT_BYTES_MAX).build() }
    }
}

impl Layouts {
    /// The plan of this hash. Many asking at once cost one query.
    ///
    /// # Errors
    /// 404 `no-such-layout`, or when the database fails.
    pub async fn get(&self, pool: &PgPool, hash: &str) -> Result<Arc<SharedBody>, Problem> {
        let known = hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !known {
            return Err(no_such_layout());
        }
        let loaded = self.kept.try_get_with_by_ref(hash, load(pool, hash)).await;
        loaded.map_err(|error: Arc<LoadError>| match error.as_ref() {
            LoadError::Missing => no_such_layout(),
            error @ (LoadError::Database(_) | LoadError::Compress(_)) => Problem::internal(error),
        })
    }
}

#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("there is no such layout")]
    Missing,
    #[error("load a layout")]
    Database(#[from] sqlx::Error),
    #[error("compress a layout")]
    Compress(#[from] tokio::task::JoinError),
}

fn no_such_layout() -> Problem {
    Problem::not_found("no-such-layout", "There is no such seat plan")
}

async fn load(pool: &PgPool, hash: &str) -> Result<Arc<SharedBody>, LoadError> {
    let plan = sqlx::query_scalar!("select plan from layout where layout_hash = $1", hash).fetch_optional(pool).await?;
    let body = SharedBody::new(plan.ok_or(LoadError::Missing)?, &format!("\"{hash}\""));
    // A plan of tens of thousands of seats takes tens of milliseconds: not on a thread that answers others.
    Ok(Arc::new(tokio::task::spawn_blocking(|| body.compressed()).await?))
}

/// A plan that was stored.
#[derive(Serialize, ToSchema)]
struct Stored {
    /// The SHA-256 of its canonical JSON, in hexadecimal.
    layout_hash: String,
    capacity: usize,
}

/// A plan as it comes in: which kind is seen first, so that a fault has a place in that kind.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
enum PlanBody {
    Own(SeatPlan),
    /// pretix's `seating-plan.schema.json`; known by its `zones`.
    Pretix(PretixPlan),
}

impl PlanBody {
    fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct Shape {
            zones: Option<IgnoredAny>,
        }
        let is_pretix = serde_json::from_slice(bytes).is_ok_and(|Shape { zones }| zones.is_some());
        if is_pretix { extract::parse(bytes).map(Self::Pretix) } else { extract::parse(bytes).map(Self::Own) }
    }

    fn checked(self) -> Result<SeatPlan, PlanError> {
        match self {
            Self::Own(plan) => plan.checked(),
            Self::Pretix(plan) => plan.into_plan(),
        }
    }
}

/// Store a seat plan; storing it again changes nothing
///
/// A seating plan of pretix's is converted: zones to sections, categories to tiers, 40 pixels to a metre. A zone that has a row number
/// again is two sections, for the rows stand across an aisle. What is wrong is named by its JSON path in the plan that was sent.
#[utoipa::path(post, path = "/layout", tag = "catalog", request_body = PlanBody, responses(
    (status = 201, body = Stored), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 413, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn create(
    State(app): State<App>,
    _organizer: Organizer,
    request: Request,
) -> Result<(StatusCode, axum::Json<Stored>), Problem> {
    let bytes = extract::json_body(request, PLAN_BYTES_MAX).await?;
    let parsed = tokio::task::spawn_blocking(move || {
        let refused = |error: PlanError| Problem::invalid(error.path(), error.to_string());
        let plan = PlanBody::parse(&bytes)?.checked().map_err(refused)?;
        let (hash, json) = plan.canonical().map_err(refused)?;
        Ok::<_, Problem>((hash, json, plan.capacity(), plan.name))
    });
    let (layout_hash, json, capacity, name) = parsed.await.map_err(|error| Problem::internal(&error))??;
    let seats = i32::try_from(capacity).map_err(|error| Problem::internal(&error))?;
    let statement = sqlx::query!(
        "insert into layout (layout_hash, name, capacity, plan) values ($1, $2, $3, $4) on conflict do nothing",
        layout_hash,
        name,
        seats,
        json
    );
    statement.execute(&app.pool).await?;
    Ok((StatusCode::CREATED, axum::Json(Stored { layout_hash, capacity })))
}

/// An immutable seat plan
#[utoipa::path(get, path = "/layout/{hash}", tag = "catalog", params(("hash" = String, Path)), responses(
    (status = 200, body = SeatPlan), (status = 304),
    (status = 404, description = "`no-such-layout`", body = ProblemBody)))]
async fn read(State(app): State<App>, Name(hash): Name, headers: HeaderMap) -> Result<Response, Problem> {
    let plan = app.layouts.get(&app.pool, &hash).await?;
    Ok(plan.respond(&headers, "public, max-age=31536000, immutable"))
}
