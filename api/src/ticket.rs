//! Tickets as their holders see them: the list, the code for the door as a picture, a page to print, the evening for the calendar.

mod font;
mod pdf;

use crate::account;
use crate::app::App;
use crate::catalog;
use crate::extract::{Id, Json};
use crate::problem::{Problem, ProblemBody, no_such_ticket};
use crate::session::Buyer;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use booking::{Ticket, TicketState};
use garde::Validate;
use model::{EventId, TicketId};
use qrcode::QrCode;
use qrcode::render::svg;
use search::document::EventDocument;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of tickets.
#[must_use]
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(list_of_event))
        .routes(routes!(qr))
        .routes(routes!(page))
        .routes(routes!(calendar))
        .routes(routes!(transfer))
}

/// One's tickets.
#[derive(Debug, Serialize, ToSchema)]
struct Tickets {
    tickets: Vec<Ticket>,
}

/// One's tickets
#[utoipa::path(get, path = "/ticket", tag = "booking",
    responses((status = 200, body = Tickets), (status = 401, body = ProblemBody)))]
async fn list(State(app): State<App>, buyer: Buyer) -> Result<axum::Json<Tickets>, Problem> {
    let tickets = app.booking()?.tickets(buyer.id, None).await?;
    Ok(axum::Json(Tickets { tickets }))
}

/// One's tickets of an event
#[utoipa::path(get, path = "/ticket/{event_id}", tag = "booking", params(("event_id" = EventId, Path)),
    responses((status = 200, body = Tickets), (status = 401, body = ProblemBody)))]
async fn list_of_event(
    State(app): State<App>,
    buyer: Buyer,
    Id(event_id): Id<EventId>,
) -> Result<axum::Json<Tickets>, Problem> {
    let tickets = app.booking()?.tickets(buyer.id, Some(event_id)).await?;
    Ok(axum::Json(Tickets { tickets }))
}

async fn own(app: &App, buyer: &Buyer, ticket_id: TicketId) -> Result<Ticket, Problem> {
    let ticket = app.booking()?.ticket(ticket_id).await?;
    let own = ticket.filter(|ticket| ticket.holder == buyer.id && ticket.state != TicketState::Void);
    own.ok_or_else(no_such_ticket)
}

/// A ticket's code as a QR picture
#[utoipa::path(get, path = "/ticket/{ticket_id}/qr.svg", tag = "booking", params(("ticket_id" = TicketId, Path)),
    responses((status = 200, content_type = "image/svg+xml", body = String), (status = 401, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
async fn qr(State(app): State<App>, buyer: Buyer, Id(ticket_id): Id<TicketId>) -> Result<impl IntoResponse, Problem> {
    let ticket = own(&app, &buyer, ticket_id).await?;
    let code =
        QrCode::new(ticket.code.ok_or_else(no_such_ticket)?.as_bytes()).map_err(|error| Problem::internal(&error))?;
    let picture = code.render::<svg::Color<'_>>().min_dimensions(240, 240).quiet_zone(true).build();
    let headers = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "private, no-store")];
    Ok((headers, picture))
}

/// A ticket to print, as a PDF file
///
/// Latin, Greek and Cyrillic letters and those of Chinese, Japanese and Korean are drawn; what is written otherwise stands in Latin letters.
#[utoipa::path(get, path = "/ticket/{ticket_id}/ticket.pdf", tag = "booking", params(("ticket_id" = TicketId, Path)),
    responses((status = 200, content_type = "application/pdf", body = Vec<u8>), (status = 401, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
async fn page(State(app): State<App>, buyer: Buyer, Id(ticket_id): Id<TicketId>) -> Result<impl IntoResponse, Problem> {
    let ticket = own(&app, &buyer, ticket_id).await?;
    let event = event_of(&app, &ticket).await?;
    let holder = account::name(&mut *app.pool.acquire().await?, buyer.id).await?.unwrap_or_default();
    let file = tokio::task::spawn_blocking(move || print(&ticket, &event, &holder, &app.public_url));
    let file = file.await.map_err(|error| Problem::internal(&error))??;
    let headers = [
        (header::CONTENT_TYPE, "application/pdf"),
        (header::CONTENT_DISPOSITION, "inline; filename=\"ticket.pdf\""),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    Ok((headers, file))
}

async fn event_of(app: &App, ticket: &Ticket) -> Result<EventDocument, Problem> {
    let event = catalog::read_event(&mut *app.pool.acquire().await?, ticket.event_id).await?;
    event.ok_or_else(catalog::no_such_event)
}

fn print(ticket: &Ticket, event: &EventDocument, holder: &str, site: &str) -> Result<Vec<u8>, Problem> {
    let venue = &event.venue;
    let when = if event.date_tba {
        "Date to be announced".to_owned()
    } else {
        event.starts_at.to_zoned(zone_of(event)).strftime("%A, %B %-d, %Y, %-I:%M %p %Z").to_string()
    };
    let place = [Some(&venue.city), venue.region.as_ref(), Some(&venue.country)];
    let seat = if ticket.row.is_empty() {
        vec![("General admission", ticket.section.as_str())]
    } else {
        vec![("Section", ticket.section.as_str()), ("Row", &ticket.row), ("Seat", &ticket.label)]
    };
    let printed = pdf::Printed {
        title: &event.title,
        when,
        venue: &venue.name,
        place: place
            .into_iter()
            .flatten()
            .map(String::as_str)
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(", "),
        seat,
        holder,
        order: ticket.order_id.to_string(),
        ticket: ticket.ticket_id.to_string(),
        code: ticket.code.as_deref().ok_or_else(no_such_ticket)?,
        site,
    };
    pdf::print(&printed).map_err(|error| Problem::internal(&error))
}

fn zone_of(event: &EventDocument) -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::get(&event.venue.timezone).unwrap_or(jiff::tz::TimeZone::UTC)
}

/// Whom a ticket goes to.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Transfer {
    /// Of an account here.
    #[garde(email, length(chars, max = 254))]
    email: String,
}

/// A ticket that is another's now. Its code is for their eyes alone.
#[derive(Debug, Serialize, ToSchema)]
struct Transferred {
    ticket_id: TicketId,
    event_id: EventId,
    /// Whose it is now.
    email: String,
    /// One more than before: codes of older ones are dead.
    generation: u32,
}

/// Give a ticket to somebody else: their code is a new one, the old code is dead at once
#[utoipa::path(post, path = "/ticket/{ticket_id}/transfer", tag = "booking", params(("ticket_id" = TicketId, Path)),
    responses((status = 200, body = Transferred), (status = 401, body = ProblemBody),
        (status = 404, description = "`no-such-ticket`", body = ProblemBody),
        (status = 409, description = "`already-used` {at}", body = ProblemBody),
        (status = 422, description = "`invalid`: no account has this email, or it is one's own", body = ProblemBody)))]
async fn transfer(
    State(app): State<App>,
    buyer: Buyer,
    Id(ticket_id): Id<TicketId>,
    Json(body): Json<Transfer>,
) -> Result<axum::Json<Transferred>, Problem> {
    own(&app, &buyer, ticket_id).await?;
    let email = account::normalised(&body.email);
    let to = account::by_email(&mut *app.pool.acquire().await?, &email).await?;
    let to = to.ok_or_else(|| Problem::invalid("email", "is no account's here; ask them to register first"))?;
    if to == buyer.id {
        return Err(Problem::invalid("email", "is your own"));
    }
    let Ticket { event_id, generation, .. } = app.booking()?.transfer(ticket_id, buyer.id, to).await?;
    Ok(axum::Json(Transferred { ticket_id, event_id, email, generation }))
}

/// A ticket's evening for the calendar (RFC 5545)
#[utoipa::path(get, path = "/ticket/{ticket_id}/event.ics", tag = "booking", params(("ticket_id" = TicketId, Path)),
    responses((status = 200, content_type = "text/calendar", body = String), (status = 401, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
async fn calendar(
    State(app): State<App>,
    buyer: Buyer,
    Id(ticket_id): Id<TicketId>,
) -> Result<impl IntoResponse, Problem> {
    let ticket = own(&app, &buyer, ticket_id).await?;
    let event = event_of(&app, &ticket).await?;
    let entry = ics(&ticket, &event, &app.public_url);
    let headers = [
        (header::CONTENT_TYPE, "text/calendar; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"event.ics\""),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    Ok((headers, entry))
}

fn ics(ticket: &Ticket, event: &EventDocument, site: &str) -> String {
    let stamp = |at: jiff::Timestamp| at.strftime("%Y%m%dT%H%M%SZ").to_string();
    let venue = &event.venue;
    let place = format!("{}, {}", venue.name, venue.city);
    let row = if ticket.row.is_empty() { String::new() } else { format!(", row {}", ticket.row) };
    let seat = format!("{}{row}, seat {}", ticket.section, ticket.label);
    let mut lines = vec![
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//Frontrow//Tickets//EN".to_owned(),
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{}@frontrow", ticket.ticket_id),
        format!("DTSTAMP:{}", stamp(ticket.created_at)),
    ];
    if event.date_tba {
        // The day it is expected on, and no time of it.
        lines.push(format!("DTSTART;VALUE=DATE:{}", zone_of(event).to_datetime(event.starts_at).strftime("%Y%m%d")));
        lines.push("STATUS:TENTATIVE".to_owned());
    } else {
        lines.push(format!("DTSTART:{}", stamp(event.starts_at)));
        lines.extend(event.ends_at.map(|end| format!("DTEND:{}", stamp(end))));
    }
    lines.extend([
        format!("SUMMARY:{}", escaped(&event.title)),
        format!("LOCATION:{}", escaped(&place)),
        format!("DESCRIPTION:{}", escaped(&seat)),
        format!("URL:{site}/events/{}", event.event_id),
        "END:VEVENT".to_owned(),
        "END:VCALENDAR".to_owned(),
    ]);
    lines.iter().fold(String::new(), |mut out, line| {
        fold(&mut out, line);
        out
    })
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,").replace('\n', "\\n").replace('\r', "")
}

/// Lines of at most 75 octets, broken between characters (RFC 5545, 3.1).
fn fold(out: &mut String, line: &str) {
    let mut octets = 0;
    for c in line.chars() {
        if octets + c.len_utf8() > 75 {
            out.push_str("\r\n ");
            octets = 1;
        }
        out.push(c);
        octets += c.len_utf8();
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_fold_between_characters() {
        let mut out = String::new();
        fold(&mut out, &"é".repeat(60));
        let lines: Vec<_> = out.trim_end().split("\r\n").collect();
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.len() <= 75));
        assert_eq!(lines.concat().replace(' ', ""), "é".repeat(60));
    }

    #[test]
    fn commas_and_semicolons_are_escaped() {
        assert_eq!(escaped("a, b; c\nd"), "a\\, b\\; c\\nd");
    }
}
