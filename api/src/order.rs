//! Orders as their buyers see them. Another's order does not exist.

use crate::app::App;
use crate::extract::Id;
use crate::problem::{Problem, ProblemBody};
use crate::session::Buyer;
use axum::extract::State;
use booking::Order;
use model::OrderId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of orders.
#[must_use]
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(read))
}

/// One's order with its attempts to pay and its tickets
#[utoipa::path(get, path = "/order/{order_id}", tag = "booking", params(("order_id" = OrderId, Path)), responses(
    (status = 200, body = Order), (status = 401, body = ProblemBody),
    (status = 404, description = "`no-such-order`", body = ProblemBody)))]
async fn read(State(app): State<App>, buyer: Buyer, Id(order_id): Id<OrderId>) -> Result<axum::Json<Order>, Problem> {
    let order = app.booking()?.order(order_id).await?;
    let own = order.filter(|order| order.user_id == buyer.id);
    own.map(axum::Json).ok_or_else(|| Problem::not_found("no-such-order", "There is no such order"))
}
