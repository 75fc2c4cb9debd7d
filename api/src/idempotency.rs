//! The table `idempotency`: a write that carries an `Idempotency-Key` runs once and answers a repeat with its first answer.
//!
//! A key counts per account and event, as it does in the lanes, which know the keys of reservations.
//! Invariant: what the operation did is itself repeatable under the key, so that a row left behind by a crash can be run again.
//! Only final answers are kept: a 5xx is forgotten, so that the client may try again.

use crate::problem::{Problem, in_progress, key_reused};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use model::{EventId, UserId};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;

/// A write whose key was seen.
pub enum Begun {
    /// It was answered before: this is the answer.
    Answered(Response),
    /// It is ours to run.
    Running(Running),
}

/// A write under way.
pub struct Running {
    event: EventId,
    user: UserId,
    key: String,
}

/// What the request was: the same key with another fingerprint is refused.
///
/// # Errors
/// When the request cannot be written as JSON; it came as JSON.
pub fn fingerprint(operation: &str, request: &impl Serialize) -> Result<[u8; 32], Problem> {
    let json = serde_json::to_vec(&(operation, request)).map_err(|error| Problem::internal(&error))?;
    Ok(Sha256::digest(&json).into())
}

/// Takes the key, or finds its answer.
///
/// # Errors
/// 409 `in-progress`, 422 `key-reused`, or when the database fails.
pub async fn begin(
    pool: &PgPool,
    (event, user, key): (EventId, UserId, &str),
    request: &[u8; 32],
) -> Result<Begun, Problem> {
    // A row without an answer that is a minute old was left by a crash; one with an answer counts for a day.
    let taken = sqlx::query_scalar!(
        "insert into idempotency (event_id, user_id, key, request_hash) values ($1, $2, $3, $4)
         on conflict (event_id, user_id, key) do update
            set created_at = now(), status = null, body = null, request_hash = excluded.request_hash
            where idempotency.created_at < now() - interval '24 hours'
               or (idempotency.status is null and idempotency.created_at < now() - interval '1 minute'
                   and idempotency.request_hash = excluded.request_hash)
         returning user_id",
        event.0,
        user.0,
        key,
        request.as_slice()
    );
    if taken.fetch_optional(pool).await?.is_some() {
        return Ok(Begun::Running(Running { event, user, key: key.to_owned() }));
    }
    let row = sqlx::query!(
        "select request_hash, status, body from idempotency where event_id = $1 and user_id = $2 and key = $3",
        event.0,
        user.0,
        key
    );
    let row = row.fetch_optional(pool).await?.ok_or_else(in_progress)?;
    if row.request_hash != request {
        return Err(key_reused());
    }
    let (Some(status), Some(body)) = (row.status, row.body) else {
        return Err(in_progress());
    };
    Ok(Begun::Answered(answer(status.unsigned_abs(), &body)))
}

fn answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = (status, axum::Json(body)).into_response();
    if status.is_client_error() {
        let problem = axum::http::HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(axum::http::header::CONTENT_TYPE, problem);
    }
    response
}

impl Running {
    /// Keeps the answer for repeats and gives it; a 5xx is not kept.
    ///
    /// # Errors
    /// The operation's own problem, or when the database fails.
    pub async fn finish(self, pool: &PgPool, outcome: Result<impl Serialize, Problem>) -> Result<Response, Problem> {
        let (status, body) = match outcome {
            Ok(value) => (200, serde_json::to_value(value).map_err(|error| Problem::internal(&error))?),
            Err(problem) if problem.status().is_client_error() => (problem.status().as_u16(), problem.body()),
            Err(problem) => {
                self.forget(pool).await?;
                return Err(problem);
            }
        };
        let kept = sqlx::query!(
            "update idempotency set status = $4, body = $5 where event_id = $1 and user_id = $2 and key = $3",
            self.event.0,
            self.user.0,
            self.key,
            i16::try_from(status).unwrap_or(500),
            body
        );
        kept.execute(pool).await?;
        Ok(answer(status, &body))
    }

    async fn forget(&self, pool: &PgPool) -> Result<(), Problem> {
        let forgotten = sqlx::query!(
            "delete from idempotency where event_id = $1 and user_id = $2 and key = $3 and status is null",
            self.event.0,
            self.user.0,
            self.key
        );
        forgotten.execute(pool).await?;
        Ok(())
    }
}

/// Removes answers nobody may ask for any more, a batch at a time; says how many.
///
/// # Errors
/// When the database fails.
pub async fn sweep(pool: &PgPool) -> Result<u64, sqlx::Error> {
    let swept = sqlx::query!(
        "delete from idempotency where ctid in
         (select ctid from idempotency where created_at < now() - interval '24 hours' limit 1000)"
    );
    Ok(swept.execute(pool).await?.rows_affected())
}
