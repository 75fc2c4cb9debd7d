//! The portal's REST for its clients: open, look, capture, void, refund. A bearer key; every act is safe to repeat.

use super::card::Trouble;
use super::delivery;
use super::record::{self, New, Payment};
use crate::app::App;
use crate::extract::{IdempotencyKey, Json, Name};
use crate::problem::Problem;
use axum::Router;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::{StatusCode, header, request::Parts};
use axum::routing::{get, post};
use garde::Validate;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/sandbox/v1/payments", post(open).get(list))
        .route("/sandbox/v1/payments/{ref}", get(look))
        .route("/sandbox/v1/payments/{ref}/{act}", post(act))
}

/// A caller that knows the key.
struct Client;

impl FromRequestParts<App> for Client {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let key = value.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let right: bool = key.as_bytes().ct_eq(app.sandbox.api_key.expose().as_bytes()).into();
        if right { Ok(Self) } else { Err(Problem::no_session()) }
    }
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct OpenBody {
    #[garde(range(min = 0))]
    amount: i64,
    #[garde(length(equal = 3))]
    currency: String,
    #[garde(length(max = 500))]
    description: String,
    #[garde(length(max = 2000), prefix("http"))]
    return_url: String,
    #[garde(length(max = 2000), prefix("http"))]
    webhook_url: String,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    payment: Payment,
    portal_url: String,
}

impl Shown {
    fn new(app: &App, payment: Payment) -> Self {
        let portal_url = format!("{}/sandbox/pay/{}", app.public_url, payment.reference);
        Self { payment, portal_url }
    }
}

async fn open(
    State(app): State<App>,
    _client: Client,
    IdempotencyKey(idempotency_key): IdempotencyKey,
    Json(body): Json<OpenBody>,
) -> Result<(StatusCode, axum::Json<Shown>), Problem> {
    let reference = format!("pay_{}", Uuid::new_v4().simple());
    let new = New {
        reference: &reference,
        idempotency_key: &idempotency_key,
        amount: body.amount,
        currency: &body.currency,
        description: &body.description,
        return_url: &body.return_url,
        webhook_url: &body.webhook_url,
    };
    let payment = record::open(&app.pool, &new).await?;
    if (payment.amount, &payment.currency) != (body.amount, &body.currency) {
        return Err(crate::problem::key_reused());
    }
    Ok((StatusCode::CREATED, axum::Json(Shown::new(&app, payment))))
}

/// Payments on a page of the books.
const PAGE: i64 = 100;

#[derive(Deserialize)]
struct Which {
    from: Timestamp,
    after: Option<String>,
}

#[derive(Serialize)]
struct Listed {
    payments: Vec<Shown>,
    /// Where the next page begins.
    next: Option<String>,
}

async fn list(
    State(app): State<App>,
    _client: Client,
    Query(Which { from, after }): Query<Which>,
) -> Result<axum::Json<Listed>, Problem> {
    let payments = record::list(&app.pool, from, after.as_deref(), PAGE).await?;
    let full = i64::try_from(payments.len()).is_ok_and(|count| count >= PAGE);
    let next = payments.last().filter(|_| full).map(|last| last.reference.clone());
    Ok(axum::Json(Listed { payments: payments.into_iter().map(|payment| Shown::new(&app, payment)).collect(), next }))
}

/// Calls that a provider refuses while it is down, and answers it loses.
const REFUSED: i32 = 3;
const LOST: i32 = 1;

/// A provider that is down says no more than that.
async fn is_up(app: &App, reference: &str) -> Result<(), Problem> {
    let down = record::is_troubled(&app.pool, reference, (Trouble::Outage.as_str(), REFUSED)).await?;
    if down { Err(Problem::busy("the provider is down", 1)) } else { Ok(()) }
}

async fn look(State(app): State<App>, _client: Client, Name(reference): Name) -> Result<axum::Json<Shown>, Problem> {
    is_up(&app, &reference).await?;
    let payment = record::find(&app.pool, &reference).await?.ok_or_else(no_such_payment)?;
    Ok(axum::Json(Shown::new(&app, payment)))
}

/// Repeating an act that was done answers as the first time: the state it leads to is also one it may start from.
async fn act(
    State(app): State<App>,
    _client: Client,
    Path((reference, act)): Path<(String, String)>,
) -> Result<axum::Json<Shown>, Problem> {
    let (from, to): (&[&str], &str) = match act.as_str() {
        "capture" => (&["authorized", "captured"], "captured"),
        "void" => (&["open", "challenged", "declined", "authorized", "voided"], "voided"),
        "refund" => (&["captured", "refunded"], "refunded"),
        _ => return Err(Problem::not_found("no-such-path", "There is nothing at this path")),
    };
    is_up(&app, &reference).await?;
    let stepped = record::step(&app.pool, &reference, from, to, None).await?;
    let Some(payment) = stepped else {
        let payment = record::find(&app.pool, &reference).await?.ok_or_else(no_such_payment)?;
        return Err(Problem::new(StatusCode::CONFLICT, "wrong-state", "The payment is not in a state for that")
            .detail(format!("it is {}", payment.state)));
    };
    delivery::announce(&app.sandbox, &payment, &app.stop);
    if record::is_troubled(&app.pool, &reference, (Trouble::Silence.as_str(), LOST)).await? {
        return Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "answer-lost", "The answer was lost"));
    }
    Ok(axum::Json(Shown::new(&app, payment)))
}

fn no_such_payment() -> Problem {
    Problem::not_found("no-such-payment", "There is no such payment")
}
