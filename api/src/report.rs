//! What an event has sold, for who sells it: as JSON, and as a table for a spreadsheet.

use crate::app::App;
use crate::catalog;
use crate::extract::Id;
use crate::problem::{Problem, ProblemBody};
use crate::session::Organizer;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use booking::{DayCharge, DaySales, Paid, Sales};
use model::EventId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of reports.
#[must_use]
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(sales)).routes(routes!(table))
}

/// What an event has sold, by tier and over time
#[utoipa::path(get, path = "/event/{event_id}/sales", tag = "catalog", params(("event_id" = EventId, Path)), responses(
    (status = 200, body = Sales), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, description = "`no-such-event`", body = ProblemBody)))]
async fn sales(
    State(app): State<App>,
    organizer: Organizer,
    Id(event_id): Id<EventId>,
) -> Result<axum::Json<Sales>, Problem> {
    Ok(axum::Json(own(&app, &organizer, event_id).await?))
}

/// What an event has sold, a line for each day and tier (RFC 4180), and for each day's discounts, fees and taxes, which stand in the
/// column of the tier by kind and name; amounts in minor units, so that `gross` adds up to what was paid
#[utoipa::path(get, path = "/event/{event_id}/sales.csv", tag = "catalog", params(("event_id" = EventId, Path)), responses(
    (status = 200, content_type = "text/csv", body = String), (status = 401, body = ProblemBody),
    (status = 403, body = ProblemBody), (status = 404, description = "`no-such-event`", body = ProblemBody)))]
async fn table(
    State(app): State<App>,
    organizer: Organizer,
    Id(event_id): Id<EventId>,
) -> Result<impl IntoResponse, Problem> {
    let sales = own(&app, &organizer, event_id).await?;
    let name = HeaderValue::try_from(format!("attachment; filename=\"sales-{event_id}.csv\""));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (header::CONTENT_DISPOSITION, name.map_err(|error| Problem::internal(&error))?),
    ];
    Ok((headers, csv(&sales)))
}

async fn own(app: &App, organizer: &Organizer, event_id: EventId) -> Result<Sales, Problem> {
    let owner = catalog::organizer(app, event_id).await?.ok_or_else(catalog::no_such_event)?;
    if !organizer.owns(owner) {
        return Err(Problem::forbidden("this event belongs to another organizer"));
    }
    Ok(app.booking()?.sales(event_id).await?)
}

/// Numbers, days and a currency need no quotes, and are no formula to a spreadsheet.
fn csv(sales: &Sales) -> String {
    let mut table = "day,tier,seats,gross,seats_back,refunds,net,checked_in,currency\r\n".to_owned();
    for DaySales { day, tier, sold } in &sales.by_day {
        let line = [
            day.to_string(),
            tier.to_string(),
            sold.seats.to_string(),
            sold.gross.to_string(),
            sold.seats_back.to_string(),
            sold.refunds.to_string(),
            sold.net.to_string(),
            sold.checked_in.to_string(),
            sales.currency.to_string(),
        ];
        table.push_str(&line.join(","));
        table.push_str("\r\n");
    }
    for DayCharge { day, kind, label, paid, .. } in &sales.charges {
        // In quotes, and not beginning with a sign: no spreadsheet takes it for a formula.
        let name = format!("\"{}: {}\"", kind.as_str(), label.replace('"', "\"\""));
        let Paid { gross, refunds, net } = paid;
        let line = [
            day.to_string(),
            name,
            "0".to_owned(),
            gross.to_string(),
            "0".to_owned(),
            refunds.to_string(),
            net.to_string(),
            "0".to_owned(),
            sales.currency.to_string(),
        ];
        table.push_str(&line.join(","));
        table.push_str("\r\n");
    }
    table
}
