//! Orders as their buyers see them, seats changed for others, and money back. Another's order does not exist.

use crate::app::App;
use crate::catalog;
use crate::extract::{Id, Json};
use crate::problem::{Problem, ProblemBody, no_such_order};
use crate::session::{Buyer, Session};
use axum::extract::State;
use axum::http::StatusCode;
use booking::{Order, OrderState, RefundBy};
use garde::Validate;
use model::{Currency, EventId, OrderId, SeatNo};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of orders.
#[must_use]
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(read)).routes(routes!(refund)).routes(routes!(exchange))
}

/// One's order with its attempts to pay and its tickets
#[utoipa::path(get, path = "/order/{order_id}", tag = "booking", params(("order_id" = OrderId, Path)), responses(
    (status = 200, body = Order), (status = 401, body = ProblemBody),
    (status = 404, description = "`no-such-order`", body = ProblemBody)))]
async fn read(State(app): State<App>, buyer: Buyer, Id(order_id): Id<OrderId>) -> Result<axum::Json<Order>, Problem> {
    let order = app.booking()?.order(order_id).await?;
    let own = order.filter(|order| order.user_id == buyer.id);
    own.map(axum::Json).ok_or_else(no_such_order)
}

/// An order whose money goes back. Who sells is shown no more of it than this.
#[derive(Debug, Serialize, ToSchema)]
struct Refund {
    order_id: OrderId,
    event_id: EventId,
    /// `refunding` until the money is back, then `refunded`.
    state: OrderState,
    /// What goes back, in minor units.
    total: i64,
    currency: Currency,
}

/// Give an order's tickets back for its money; the tickets are dead and the seats on sale again when this answers, the money follows
///
/// Its event's organizer and admins may always; its buyer until the event's `refundable_until`, while every ticket is theirs and
/// unused. Again: the same answer, and the money goes back once.
#[utoipa::path(post, path = "/order/{order_id}/refund", tag = "booking", params(("order_id" = OrderId, Path)), responses(
    (status = 202, body = Refund), (status = 401, body = ProblemBody),
    (status = 404, description = "`no-such-order`", body = ProblemBody),
    (status = 409, description = "`not-paid`, `not-refundable` {until}, `tickets-gone` {tickets}", body = ProblemBody),
    (status = 503, description = "`busy`", body = ProblemBody)))]
async fn refund(
    State(app): State<App>,
    session: Session,
    Id(order_id): Id<OrderId>,
) -> Result<(StatusCode, axum::Json<Refund>), Problem> {
    let order = app.booking()?.order(order_id).await?.ok_or_else(no_such_order)?;
    let by = if catalog::manages(&app, &session, order.event_id).await? {
        RefundBy::Seller
    } else if order.user_id == session.user_id {
        RefundBy::Buyer(session.user_id)
    } else {
        return Err(no_such_order());
    };
    app.booking()?.refund(order_id, by).await?;
    app.payments_due.notify_one();
    let Order { event_id, state, total, currency, .. } =
        app.booking()?.order(order_id).await?.ok_or_else(no_such_order)?;
    Ok((StatusCode::ACCEPTED, axum::Json(Refund { order_id, event_id, state, total, currency })))
}

/// Seats of the order, and those to have in their place.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Exchange {
    /// Seats of the order.
    #[garde(length(min = 1, max = 1000))]
    give: Vec<SeatNo>,
    /// As many free ones.
    #[garde(length(min = 1, max = 1000))]
    take: Vec<SeatNo>,
}

/// Change seats of a paid order for free ones at the same price, all of them or none
///
/// Each seat goes for one that costs today what was paid for it, so that nothing is to be paid or given back; where a code took something
/// off, for one of the same tier. The tickets of the old seats are dead when this answers, and the seats on sale again. Again: the order as it is.
#[utoipa::path(post, path = "/order/{order_id}/exchange", tag = "booking", params(("order_id" = OrderId, Path)), responses(
    (status = 200, body = Order), (status = 401, body = ProblemBody),
    (status = 404, description = "`no-such-order`", body = ProblemBody),
    (status = 409, description = "`seats-taken` {seats}, `other-price`, `not-paid`, `tickets-gone` {tickets}, `not-on-sale` {closed}",
        body = ProblemBody),
    (status = 422, description = "`invalid`", body = ProblemBody),
    (status = 503, description = "`busy`", body = ProblemBody)))]
async fn exchange(
    State(app): State<App>,
    buyer: Buyer,
    Id(order_id): Id<OrderId>,
    Json(Exchange { give, take }): Json<Exchange>,
) -> Result<axum::Json<Order>, Problem> {
    Ok(axum::Json(app.booking()?.exchange(order_id, buyer.id, (give, take)).await?))
}
