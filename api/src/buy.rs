//! Buying what one holds: an order, an attempt to pay it, and the portal to pay at. No money moves here.

use crate::app::App;
use crate::extract::{Id, IdempotencyKey, Json};
use crate::idempotency::{self, Begun};
use crate::payment::NewPayment;
use crate::problem::{Problem, ProblemBody};
use crate::session::Buyer;
use axum::extract::State;
use axum::response::Response;
use booking::{Checkout, OrderState, PaymentState};
use garde::Validate;
use jiff::Timestamp;
use model::{Currency, EventId, HoldId, OrderId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of buying.
#[must_use]
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(buy))
}

/// What to buy.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct BuyBody {
    /// The hold; the newest when left out.
    #[garde(skip)]
    reserve_id: Option<HoldId>,
    /// Where the portal sends the buyer afterwards: a path on this site; the order's page when left out.
    #[garde(length(max = 1000))]
    return_url: Option<String>,
}

/// An order that can be paid.
#[derive(Debug, Serialize, ToSchema)]
struct Bought {
    order_id: OrderId,
    state: OrderState,
    /// Minor units.
    total: i64,
    currency: Currency,
    /// Where to pay; none when nothing is left to pay.
    portal_url: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Buy the seats one holds; after a decline, buy again with a new key to get a new attempt on the same order
#[utoipa::path(post, path = "/ticket/buy/{event_id}", tag = "booking",
    params(("event_id" = EventId, Path), ("Idempotency-Key" = String, Header)), responses(
    (status = 200, body = Bought), (status = 401, body = ProblemBody), (status = 404, body = ProblemBody),
    (status = 409, description = "`in-progress`", body = ProblemBody),
    (status = 410, description = "`hold-expired`", body = ProblemBody),
    (status = 422, description = "`invalid`, `key-reused`", body = ProblemBody),
    (status = 502, description = "`provider-unavailable`", body = ProblemBody), (status = 503, body = ProblemBody)))]
async fn buy(
    State(app): State<App>,
    buyer: Buyer,
    Id(event_id): Id<EventId>,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<BuyBody>,
) -> Result<Response, Problem> {
    let return_url = body.return_url.as_deref().map(|url| on_this_site(&app, url)).transpose()?;
    let request = idempotency::fingerprint("buy", &(event_id, &body))?;
    let running = match idempotency::begin(&app.pool, buyer.id, &key, &request).await? {
        Begun::Answered(answer) => return Ok(answer),
        Begun::Running(running) => running,
    };
    let checkout = app.booking()?.buy(buyer.id, event_id, body.reserve_id, &key).await;
    let outcome = match checkout {
        Ok(checkout) => open_portal(&app, checkout, return_url).await,
        Err(error) => Err(error.into()),
    };
    running.finish(&app.pool, outcome).await
}

/// Makes sure the provider knows the attempt, and answers with its portal.
async fn open_portal(app: &App, checkout: Checkout, return_url: Option<String>) -> Result<Bought, Problem> {
    let Checkout { order, payment } = checkout;
    let mut portal_url = payment.portal_url.clone();
    if portal_url.is_none() && payment.state == PaymentState::Created {
        let new = NewPayment {
            amount: payment.amount,
            currency: payment.currency,
            description: format!("Frontrow order {}", order.order_id),
            return_url: return_url.unwrap_or_else(|| format!("{}/orders/{}", app.public_url, order.order_id)),
        };
        let opened = app.provider.open(&payment.payment_id.to_string(), &new).await?;
        app.booking()?.payment_opened(&payment, &opened.provider_ref, &opened.portal_url).await?;
        portal_url = Some(opened.portal_url);
    }
    let portal_url = portal_url.filter(|_| payment.state == PaymentState::Created);
    Ok(Bought {
        order_id: order.order_id,
        state: order.state,
        total: order.total,
        currency: order.currency,
        portal_url,
        expires_at: order.expires_at,
    })
}

/// The absolute address of a path here; another site is refused, so that nobody is led astray from the portal.
fn on_this_site(app: &App, url: &str) -> Result<String, Problem> {
    let path = url.strip_prefix(app.public_url.as_str()).unwrap_or(url);
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic()) && !path.contains('\\');
    if plain && path.starts_with('/') && !path.starts_with("//") {
        return Ok(format!("{}{path}", app.public_url));
    }
    Err(Problem::invalid("return_url", "is a path on this site, such as /orders"))
}
