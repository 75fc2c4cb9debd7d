//! The page of one concert, with its schema.org description for search engines.

use super::render::{self, shown};
use super::{format, index};
use crate::app::App;
use crate::extract::Id;
use crate::problem::Problem;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use minijinja::{Value, context};
use model::EventId;
use search::answer::EventAnswer;
use search::document::{Credit, Status, Tier};
use search::request::{Availability, OnSale};
use serde_json::{Value as Json, json};

/// `GET /events/{event_id}`.
pub(super) async fn concert(
    State(app): State<App>,
    Id(event_id): Id<EventId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let answer = index::event(&app, event_id).await?;
    let answer = answer.ok_or_else(|| Problem::not_found("no-such-event", "There is no such event"))?;
    let event = &answer.event;
    let performers: Vec<&Credit> = performers(&answer).collect();
    // What the map shows is what one ticket costs, everything in; the bill of several may differ by what an order bears once.
    let tiers: Vec<Json> =
        event.tiers.iter().map(|tier| json!({"tier": tier.tier, "name": tier.name, "price": tier.asked()})).collect();
    let facts = json!({
        "exact": event.tiers.iter().all(|tier| tier.all_in.is_none()),
        "event_id": event.event_id, "currency": event.currency, "tiers": tiers, "layout_hash": event.layout_hash,
        "buyer_limit": event.buyer_limit, "hold_ttl_s": event.hold_ttl_s, "presale": answer.on_sale == OnSale::Presale,
    });
    let opens = matches!(answer.on_sale, OnSale::Now | OnSale::Presale);
    let values = context! {
        event => shown(&answer),
        performers => shown(performers),
        selling => opens && event.status == Status::Scheduled,
        about => format::about(&event.description),
        summary => summary(&answer),
        facts => in_script(&facts),
        linked => in_script(&linked(&answer, &app.public_url)),
    };
    Ok(render::page(&app, "concert_page.html", values)?.public().for_request(&headers))
}

fn performers(answer: &EventAnswer) -> impl Iterator<Item = &Credit> {
    answer.event.artists.iter().filter(|credit| credit.role != "composer")
}

/// A sentence for search engines and previews.
fn summary(answer: &EventAnswer) -> String {
    let event = &answer.event;
    let starts_at = event.starts_at.to_string();
    let zone = Some(event.venue.timezone.as_str());
    let when = if event.date_tba {
        "Date to be announced".to_owned()
    } else {
        format!("{}, {}", format::full_day(&starts_at, zone), format::clock(&starts_at, zone))
    };
    let currency = event.currency.to_string();
    let price = format::money(answer.price_min, Some(currency.as_str()));
    let offer = if price.is_empty() { String::new() } else { format!(" Tickets from {price}.") };
    format!("{} at {}, {}. {when}.{offer}", event.title, event.venue.name, event.venue.city)
}

/// JSON that may stand in a script element: no `<` can end it early.
fn in_script(json: &Json) -> Value {
    Value::from_safe_string(json.to_string().replace('<', "\\u003c"))
}

/// The event in schema.org's words (Google's "Event" structured data).
fn linked(answer: &EventAnswer, site: &str) -> Json {
    let event = &answer.event;
    let venue = &event.venue;
    let zone = Some(venue.timezone.as_str());
    let zoned = |at: jiff::Timestamp| format::zoned(&at.to_string(), zone);
    let address = format!("{site}/events/{}", event.event_id);
    let art = || format::art_address(&event.title, &shown(&event.genres));
    let image = format::absolute(site, &event.image.clone().unwrap_or_else(art));
    let performers: Vec<Json> =
        performers(answer).map(|credit| json!({"@type": performer_type(credit), "name": credit.name})).collect();
    let works: Vec<Json> = event.works.items().iter().map(work).collect();
    json!({
        "@context": "https://schema.org",
        "@type": "MusicEvent",
        "@id": address,
        "url": address,
        "name": event.title,
        "description": if event.description.is_empty() { summary(answer) } else { event.description.clone() },
        "image": [image],
        // A date to be announced is given as the day it is expected on.
        "startDate": if event.date_tba { zoned(event.starts_at).chars().take(10).collect() } else { zoned(event.starts_at) },
        "endDate": event.ends_at.filter(|_| !event.date_tba).map(zoned),
        "eventStatus": match event.status {
            Status::Scheduled => "https://schema.org/EventScheduled",
            Status::Postponed => "https://schema.org/EventPostponed",
            Status::Cancelled => "https://schema.org/EventCancelled",
        },
        "eventAttendanceMode": "https://schema.org/OfflineEventAttendanceMode",
        "location": {
            "@type": "MusicVenue",
            "name": venue.name,
            "address": {
                "@type": "PostalAddress", "addressLocality": venue.city, "addressRegion": venue.region,
                "addressCountry": venue.country,
            },
            "geo": venue.lat.zip(venue.lon).map(|(lat, lon)| {
                json!({"@type": "GeoCoordinates", "latitude": lat, "longitude": lon})
            }),
        },
        "performer": performers,
        "workPerformed": works,
        "offers": offers(answer, &address),
    })
}

fn performer_type(credit: &Credit) -> &'static str {
    match credit.role.as_str() {
        "orchestra" | "chorus" | "ensemble" => "MusicGroup",
        _ => "Person",
    }
}

fn work(work: &Json) -> Json {
    json!({
        "@type": "MusicComposition",
        "name": work["title"],
        "composer": work["composer"].as_str().map(|name| json!({"@type": "Person", "name": name})),
    })
}

/// Prices in major units, as schema.org has them.
fn offers(answer: &EventAnswer, address: &str) -> Json {
    let event = &answer.event;
    let digits = event.currency.minor_digits() as usize;
    let major = |minor: i64| {
        let scale = 10_i64.pow(event.currency.minor_digits());
        match digits {
            0 => minor.to_string(),
            _ => format!("{}.{:0digits$}", minor / scale, minor % scale),
        }
    };
    let prices = event.tiers.iter().map(Tier::asked);
    json!({
        "@type": "AggregateOffer",
        "url": address,
        "priceCurrency": event.currency,
        "lowPrice": prices.clone().min().map(major),
        "highPrice": prices.max().map(major),
        "offerCount": answer.seats_left,
        "validFrom": event.sale_opens_at.to_string(),
        "availability": match (answer.on_sale, answer.availability) {
            (OnSale::Past, _) | (_, Availability::SoldOut) => "https://schema.org/SoldOut",
            (OnSale::Soon | OnSale::Presale, _) => "https://schema.org/PreOrder",
            (OnSale::Now, Availability::Few) => "https://schema.org/LimitedAvailability",
            (OnSale::Now, Availability::Available) => "https://schema.org/InStock",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_cannot_leave_its_script() {
        let text = in_script(&json!({"name": "</script><script>alert(1)"})).to_string();
        assert_eq!(text, r#"{"name":"\u003c/script>\u003cscript>alert(1)"}"#);
        assert_eq!(serde_json::from_str::<Json>(&text).unwrap()["name"], "</script><script>alert(1)");
    }
}
