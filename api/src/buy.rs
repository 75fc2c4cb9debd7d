//! Buying what one holds: an order, an attempt to pay it, and the portal to pay at. No money moves here.

use crate::app::App;
use crate::extract::{Id, IdempotencyKey, JsonOrNothing};
use crate::idempotency::{self, Begun};
use crate::payment::{NewPayment, Opened};
use crate::problem::{Problem, ProblemBody};
use crate::session::Buyer;
use axum::extract::{FromRequestParts, State};
use axum::http::{header, request::Parts};
use axum::response::Response;
use booking::{Checkout, OrderState, PaymentState};
use garde::Validate;
use jiff::Timestamp;
use model::{Currency, EventId, HoldId, Money, OrderId, UserId};
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
#[derive(Debug, Default, Deserialize, Serialize, Validate, ToSchema)]
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
#[utoipa::path(post, path = "/ticket/buy/{event_id}", tag = "booking", request_body = Option<BuyBody>,
    params(("event_id" = EventId, Path), ("Idempotency-Key" = String, Header, description = "Counts per account and event: a repeat gets the first answer for 24 h, another request under it 422 `key-reused`")), responses(
    (status = 200, body = Bought), (status = 401, body = ProblemBody), (status = 404, body = ProblemBody),
    (status = 409, description = "`in-progress`", body = ProblemBody),
    (status = 410, description = "`hold-expired`", body = ProblemBody),
    (status = 422, description = "`invalid`, `key-reused`", body = ProblemBody),
    (status = 502, description = "`provider-unavailable`", body = ProblemBody), (status = 503, body = ProblemBody)))]
async fn buy(
    State(app): State<App>,
    buyer: Buyer,
    Id(event_id): Id<EventId>,
    Keyed { key: IdempotencyKey(key), site }: Keyed,
    JsonOrNothing(body): JsonOrNothing<BuyBody>,
) -> Result<Response, Problem> {
    let return_url = body.return_url.as_deref().map(|url| on_this_site(&site, url)).transpose()?;
    let request = idempotency::fingerprint("buy", &body)?;
    let running = match idempotency::begin(&app.pool, (event_id, buyer.id, &key), &request).await? {
        Begun::Answered(answer) => return Ok(answer),
        Begun::Running(running) => running,
    };
    // A task of its own: the answer is kept for the repeat even when the client is gone meanwhile.
    let tracker = app.tracker.clone();
    let work = async move {
        let outcome = open_order(&app, (buyer.id, event_id, body.reserve_id), &key, (site, return_url)).await;
        running.finish(&app.pool, outcome).await
    };
    tracker.spawn(work).await.map_err(|_| Problem::busy("this server is stopping", 1))?
}

async fn open_order(
    app: &App,
    (buyer, event_id, hold): (UserId, EventId, Option<HoldId>),
    key: &str,
    (site, return_url): (String, Option<String>),
) -> Result<Bought, Problem> {
    let Checkout { order, payment } = app.booking()?.buy(buyer, event_id, hold, key).await?;
    let return_url = return_url.unwrap_or_else(|| format!("{site}/orders/{}", order.order_id));
    open_portal(app, Checkout { order, payment }, &site, return_url).await
}

/// Makes sure the provider knows the attempt, and answers with its portal.
async fn open_portal(app: &App, checkout: Checkout, site: &str, return_url: String) -> Result<Bought, Problem> {
    let Checkout { order, payment } = checkout;
    let mut portal_url = payment.portal_url.clone();
    if portal_url.is_none() && payment.state == PaymentState::Created {
        let new = NewPayment {
            money: Money { minor: payment.amount, currency: payment.currency },
            description: format!("Frontrow order {}", order.order_id),
            return_url,
        };
        let provider = app.providers.for_new();
        let Opened { provider_ref, portal_url: url } = provider.open(payment.payment_id, &new).await?;
        // The built-in portal is on this site: the buyer stays under the name they came by.
        let url = url.strip_prefix(app.public_url.as_str()).map_or(url.clone(), |path| format!("{site}{path}"));
        let noted = app.booking()?.payment_opened(payment.payment_id, provider.name(), &provider_ref, &url);
        portal_url = Some(noted.await?);
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
fn on_this_site(site: &str, url: &str) -> Result<String, Problem> {
    let path = url.strip_prefix(site).unwrap_or(url);
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic()) && !path.contains('\\');
    if plain && path.starts_with('/') && !path.starts_with("//") {
        return Ok(format!("{site}{path}"));
    }
    Err(Problem::invalid("return_url", "is a path on this site, such as /orders"))
}

/// The idempotency key, and the site's address as this buyer knows it.
struct Keyed {
    key: IdempotencyKey,
    site: String,
}

impl FromRequestParts<App> for Keyed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let key = IdempotencyKey::from_request_parts(parts, app).await?;
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let named = |host: &&str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
        // Without a configured address a browser may have come by any of this machine's names: its cookie is under that one.
        let site = match (&app.config.public_url, host.filter(named)) {
            (None, Some(host)) => format!("http://{host}"),
            (Some(_), _) | (None, None) => app.public_url.clone(),
        };
        Ok(Self { key, site })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site() {
        let site = "https://frontrow.test";
        assert_eq!(on_this_site(site, "/orders/1").unwrap(), "https://frontrow.test/orders/1");
        assert_eq!(on_this_site(site, "https://frontrow.test/orders/1").unwrap(), "https://frontrow.test/orders/1");
        for astray in
            ["https://evil.test/", "//evil.test", "/\\evil.test", "https://frontrow.test.evil.test/", "orders", ""]
        {
            assert!(on_this_site(site, astray).is_err(), "{astray}");
        }
    }
}
