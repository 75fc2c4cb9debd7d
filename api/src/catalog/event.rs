//! Events as organizers keep them: add, change, cancel. What is sold keeps its meaning: plan and currency stand once a seat is taken.

use super::charge::{self, ChargeBody};
use super::event_record::{self as record, Fields, Locked};
use super::presale::{self, PresaleWindow};
use super::{IfMatch, Written, is_instant};
use crate::account::{Account, Role};
use crate::app::App;
use crate::extract::{Id, Json};
use crate::line::{Line, Patch, line, prose};
use crate::problem::{Problem, ProblemBody, violates};
use crate::session::Organizer;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use jiff::Timestamp;
use model::{ArtistId, Currency, EventId, SeatPlan, TierNo, UserId, VenueId};
use search::document::{EventDocument, Status};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use std::collections::HashSet;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create, change)).routes(routes!(change_by_path, cancel))
}

/// An event's fields. For a new event `title`, `venue_id`, `starts_at`, `layout_hash`, `currency` and `tiers` are needed; in a
/// change, what is left out stays and `null` clears what may be empty.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct EventBody {
    /// Which event to change; only in the body of `PUT /event`.
    #[garde(skip)]
    event_id: Option<EventId>,
    #[garde(inner(custom(line(500))))]
    title: Option<Line>,
    #[garde(inner(custom(prose(20_000))))]
    description: Option<String>,
    #[garde(skip)]
    venue_id: Option<VenueId>,
    #[garde(length(max = 16), inner(inner(custom(line(100)))))]
    genres: Option<Vec<Line>>,
    #[garde(length(max = 100), dive)]
    works: Option<Vec<Work>>,
    /// Who appears, in the order of the bill.
    #[garde(length(max = 200), dive)]
    artists: Option<Vec<Billing>>,
    /// An address on this site (`/…`) or `https://…`; `null` is none.
    #[garde(inner(custom(is_address)))]
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    image: Patch<String>,
    #[garde(skip)]
    status: Option<Status>,
    #[garde(inner(custom(is_instant)))]
    #[schema(value_type = Option<String>, format = DateTime)]
    starts_at: Option<Timestamp>,
    /// `null` is not known.
    #[garde(inner(custom(is_instant)))]
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    ends_at: Patch<Timestamp>,
    /// Whether the date is still to be announced; `starts_at` is then when it is expected to be.
    #[garde(skip)]
    date_tba: Option<bool>,
    /// The seat plan, from `POST /layout`.
    #[garde(length(max = 64))]
    layout_hash: Option<String>,
    #[garde(skip)]
    currency: Option<Currency>,
    /// What the plan's tiers cost; a tier that is not here is not for sale.
    #[garde(length(min = 1, max = 1000), dive)]
    tiers: Option<Vec<TierPrice>>,
    /// Fees and taxes, in the order of the bill; what is sold or held already keeps the bill it has.
    #[garde(length(max = 20), dive)]
    charges: Option<Vec<ChargeBody>>,
    /// The sale's first instant; at once when left out.
    #[garde(inner(custom(is_instant)))]
    #[schema(value_type = Option<String>, format = DateTime)]
    sale_opens_at: Option<Timestamp>,
    /// The first instant after the sale; the event's start when left out.
    #[garde(inner(custom(is_instant)))]
    #[schema(value_type = Option<String>, format = DateTime)]
    sale_closes_at: Option<Timestamp>,
    /// Times before the sale in which some may buy: members of groups, and whoever has a code (`PUT /event/{event_id}/code/{code}`).
    #[garde(length(max = 20), dive)]
    presales: Option<Vec<PresaleWindow>>,
    /// Above 0, pinned: before all others by relevance, the greatest first. Only an admin may say so.
    #[garde(range(max = 100))]
    boost: Option<u8>,
    /// How long a hold lives, in seconds.
    #[garde(range(min = 1, max = 86_400))]
    hold_ttl_s: Option<i32>,
    /// How long seats that come back are kept for who waited for them, in seconds.
    #[garde(range(min = 60, max = 604_800))]
    offer_ttl_s: Option<i32>,
    /// Seats one buyer may have.
    #[garde(range(min = 1, max = 1000))]
    buyer_limit: Option<i32>,
    /// Until when buyers may ask for their money back; `null` is never.
    #[garde(inner(custom(is_instant)))]
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    refundable_until: Patch<Timestamp>,
}

/// A piece on the programme.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Work {
    #[garde(custom(line(300)))]
    composer: Line,
    #[garde(custom(line(500)))]
    title: Line,
    #[garde(inner(custom(line(500))))]
    #[serde(skip_serializing_if = "Option::is_none")]
    movement: Option<Line>,
    #[garde(inner(custom(line(300))))]
    #[serde(skip_serializing_if = "Option::is_none")]
    conductor: Option<Line>,
}

/// Someone on the bill.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Billing {
    #[garde(skip)]
    artist_id: ArtistId,
    /// composer, conductor, orchestra, or an instrument or voice.
    #[garde(custom(line(100)))]
    role: Line,
}

/// What a tier costs.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct TierPrice {
    /// The tier's number in the seat plan.
    #[garde(skip)]
    tier: TierNo,
    #[garde(custom(line(100)))]
    name: Line,
    /// Minor units.
    #[garde(range(min = 0, max = 100_000_000_000))]
    price: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde passes its context so")]
fn is_address(image: &str, _: &()) -> garde::Result {
    let ours = image.starts_with('/') && !image.starts_with("//");
    let plain = image.len() <= 1000 && image.bytes().all(|byte| byte.is_ascii_graphic());
    if plain && (ours || image.starts_with("https://")) {
        return Ok(());
    }
    Err(garde::Error::new("is an address: /… or https://…"))
}

/// Add an event
#[utoipa::path(post, path = "/event", tag = "catalog", responses(
    (status = 201, body = EventDocument), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 422, body = ProblemBody)))]
async fn create(
    State(app): State<App>,
    organizer: Organizer,
    Json(body): Json<EventBody>,
) -> Result<Written<EventDocument>, Problem> {
    if body.event_id.is_some() {
        return Err(Problem::invalid("event_id", "is given by the server"));
    }
    refuse_boost(&organizer, &body)?;
    let event_id = EventId::new();
    let mut db = app.pool.acquire().await?;
    let mut transaction = db.begin().await?;
    let mut fields = new_fields(&body)?;
    let plan = settle(&mut transaction, &body, &mut fields).await?;
    record::insert(&mut transaction, event_id, organizer.0.user_id, &fields).await.map_err(refusal)?;
    let event = finish(&mut transaction, event_id, body, plan.as_ref()).await?;
    transaction.commit().await?;
    Written::after_commit(&mut db, StatusCode::CREATED, event.version, event).await
}

/// Change an event named in the body
#[utoipa::path(put, path = "/event", tag = "catalog", responses(
    (status = 200, body = EventDocument), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 409, description = "`has-sales`", body = ProblemBody),
    (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn change(
    State(app): State<App>,
    organizer: Organizer,
    if_match: IfMatch,
    Json(body): Json<EventBody>,
) -> Result<Written<EventDocument>, Problem> {
    let event_id = body.event_id.ok_or_else(|| Problem::invalid("event_id", "says which event to change"))?;
    apply(&app, &organizer, &if_match, event_id, body).await
}

/// Change an event
#[utoipa::path(put, path = "/event/{event_id}", tag = "catalog", params(("event_id" = EventId, Path)), responses(
    (status = 200, body = EventDocument), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 409, description = "`has-sales`", body = ProblemBody),
    (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn change_by_path(
    State(app): State<App>,
    organizer: Organizer,
    Id(event_id): Id<EventId>,
    if_match: IfMatch,
    Json(body): Json<EventBody>,
) -> Result<Written<EventDocument>, Problem> {
    if body.event_id.is_some_and(|named| named != event_id) {
        return Err(Problem::invalid("event_id", "is not the event of the path"));
    }
    apply(&app, &organizer, &if_match, event_id, body).await
}

/// Cancel an event; it stays, marked as cancelled, takes no more reservations, and every order's money goes back
#[utoipa::path(delete, path = "/event/{event_id}", tag = "catalog", params(("event_id" = EventId, Path)), responses(
    (status = 200, body = EventDocument), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 412, body = ProblemBody)))]
async fn cancel(
    State(app): State<App>,
    organizer: Organizer,
    Id(event_id): Id<EventId>,
    if_match: IfMatch,
) -> Result<Written<EventDocument>, Problem> {
    let body = EventBody { status: Some(Status::Cancelled), ..EventBody::default() };
    apply(&app, &organizer, &if_match, event_id, body).await
}

async fn apply(
    app: &App,
    organizer: &Organizer,
    if_match: &IfMatch,
    event_id: EventId,
    body: EventBody,
) -> Result<Written<EventDocument>, Problem> {
    refuse_boost(organizer, &body)?;
    let mut db = app.pool.acquire().await?;
    let mut transaction = db.begin().await?;
    // The lane before the event, as the lane's own batches take them.
    booking::lock_lane(&mut transaction, event_id).await?;
    let locked = record::lock(&mut transaction, event_id).await?;
    let Locked { organizer_id, version, mut fields } = locked.ok_or_else(no_such_event)?;
    if !organizer.owns(organizer_id) {
        return Err(Problem::forbidden("this event belongs to another organizer"));
    }
    if_match.check(version)?;
    if body.tiers.is_none() && body.layout_hash.as_ref().is_some_and(|named| *named != fields.layout_hash) {
        return Err(Problem::invalid("tiers", "are needed with another seat plan"));
    }
    overlay(&body, &mut fields);
    let plan = settle(&mut transaction, &body, &mut fields).await?;
    record::update(&mut transaction, event_id, version, &fields).await.map_err(refusal)?;
    let event = finish(&mut transaction, event_id, body, plan.as_ref()).await?;
    transaction.commit().await?;
    let written = Written::after_commit(&mut db, StatusCode::OK, event.version, event).await;
    drop(db);
    if let Some(booking) = &app.booking {
        booking.terms_changed(event_id).await;
    }
    written
}

/// Whom a search shows first is not an organizer's to say.
fn refuse_boost(organizer: &Organizer, body: &EventBody) -> Result<(), Problem> {
    match body.boost {
        Some(_) if organizer.0.role != Role::Admin => Err(Problem::forbidden("only an admin may set boost")),
        _ => Ok(()),
    }
}

/// Who sells an event.
///
/// # Errors
/// When the database fails.
pub(crate) async fn organizer(app: &App, event_id: EventId) -> Result<Option<UserId>, Problem> {
    Ok(record::organizer(&mut *app.pool.acquire().await?, event_id).await?)
}

/// Whether somebody may act for who sells an event: its organizer, or an admin.
///
/// # Errors
/// When the database fails.
pub(crate) async fn manages(app: &App, account: &Account, event_id: EventId) -> Result<bool, Problem> {
    match account.role {
        Role::Admin => Ok(true),
        Role::Organizer => Ok(organizer(app, event_id).await? == Some(account.user_id)),
        Role::Attendee => Ok(false),
    }
}

pub(crate) fn no_such_event() -> Problem {
    Problem::not_found("no-such-event", "There is no such event")
}

fn refusal(error: sqlx::Error) -> Problem {
    if violates(&error, "event_keeps_its_plan") {
        return Problem::new(StatusCode::CONFLICT, "has-sales", "Seats of this event are held or sold")
            .detail("its seat plan and currency cannot change any more")
            .with("fields", json!(["layout_hash", "currency"]));
    }
    if violates(&error, "event_venue_id_fkey") {
        return Problem::invalid("venue_id", "names no venue");
    }
    error.into()
}

/// What a new event starts from.
fn new_fields(body: &EventBody) -> Result<Fields, Problem> {
    let required = [
        ("title", body.title.is_none()),
        ("venue_id", body.venue_id.is_none()),
        ("starts_at", body.starts_at.is_none()),
        ("layout_hash", body.layout_hash.is_none()),
        ("currency", body.currency.is_none()),
        ("tiers", body.tiers.is_none()),
    ];
    let missing = required.iter().filter(|(_, missing)| *missing);
    let missing: Vec<_> = missing.map(|(field, _)| ((*field).to_owned(), "is required".to_owned())).collect();
    let (Some(venue_id), Some(starts_at), true) = (body.venue_id, body.starts_at, missing.is_empty()) else {
        return Err(Problem::invalid_fields(&missing));
    };
    let mut fields = Fields {
        title: String::new(),
        description: String::new(),
        venue_id,
        genres: Vec::new(),
        works: json!([]),
        image: None,
        boost: 0,
        status: Status::Scheduled,
        starts_at,
        ends_at: None,
        date_tba: false,
        layout_hash: String::new(),
        capacity: 0,
        currency: String::new(),
        sale_opens_at: Timestamp::now().min(starts_at - jiff::SignedDuration::from_secs(1)),
        sale_closes_at: starts_at,
        hold_ttl_s: 600,
        offer_ttl_s: 1_800,
        buyer_limit: 8,
        refundable_until: None,
    };
    overlay(body, &mut fields);
    Ok(fields)
}

/// Writes what the body says over `fields`.
fn overlay(body: &EventBody, fields: &mut Fields) {
    fn set<T: Clone>(field: &mut T, to: Option<&T>) {
        if let Some(to) = to {
            field.clone_from(to);
        }
    }
    set(&mut fields.title, body.title.clone().map(String::from).as_ref());
    set(&mut fields.description, body.description.as_ref());
    set(&mut fields.venue_id, body.venue_id.as_ref());
    set(&mut fields.genres, body.genres.clone().map(|genres| genres.into_iter().map(String::from).collect()).as_ref());
    set(&mut fields.works, body.works.as_ref().map(|works| json!(works)).as_ref());
    fields.image = body.image.clone().over(fields.image.take());
    set(&mut fields.boost, body.boost.map(i16::from).as_ref());
    set(&mut fields.status, body.status.as_ref());
    // A sale that ended with the doors opening still does when they open another day.
    if let Some(starts_at) = body.starts_at
        && fields.sale_closes_at == fields.starts_at
    {
        fields.sale_closes_at = starts_at;
    }
    set(&mut fields.starts_at, body.starts_at.as_ref());
    set(&mut fields.date_tba, body.date_tba.as_ref());
    fields.ends_at = body.ends_at.clone().over(fields.ends_at);
    set(&mut fields.layout_hash, body.layout_hash.as_ref());
    set(&mut fields.currency, body.currency.map(String::from).as_ref());
    set(&mut fields.sale_opens_at, body.sale_opens_at.as_ref());
    set(&mut fields.sale_closes_at, body.sale_closes_at.as_ref());
    set(&mut fields.hold_ttl_s, body.hold_ttl_s.as_ref());
    set(&mut fields.offer_ttl_s, body.offer_ttl_s.as_ref());
    set(&mut fields.buyer_limit, body.buyer_limit.as_ref());
    fields.refundable_until = body.refundable_until.clone().over(fields.refundable_until);
}

/// Checks what needs more than one field, and takes the capacity from the plan; gives the plan where plan or prices change.
async fn settle(db: &mut PgConnection, body: &EventBody, fields: &mut Fields) -> Result<Option<SeatPlan>, Problem> {
    if fields.ends_at.is_some_and(|end| end <= fields.starts_at) {
        return Err(Problem::invalid("ends_at", "is after starts_at"));
    }
    if fields.sale_opens_at >= fields.sale_closes_at {
        return Err(Problem::invalid("sale_closes_at", "is after sale_opens_at"));
    }
    if fields.sale_closes_at > fields.ends_at.unwrap_or(fields.starts_at) {
        return Err(Problem::invalid("sale_closes_at", "is not after the event"));
    }
    presale::check(body.presales.as_deref().unwrap_or_default())?;
    if body.layout_hash.is_none() && body.tiers.is_none() && body.charges.is_none() {
        return Ok(None);
    }
    let plan = record::plan(db, &fields.layout_hash).await?;
    let plan = plan.ok_or_else(|| Problem::invalid("layout_hash", "names no seat plan"))?;
    fields.capacity = i32::try_from(plan.capacity()).unwrap_or(i32::MAX);
    let tier_count = plan.tiers.len();
    let sold_as: HashSet<TierNo> = plan.seats().map(|(_, _, seat)| seat.tier).collect();
    let mut seen = HashSet::new();
    for (i, tier) in body.tiers.iter().flatten().enumerate() {
        if usize::from(tier.tier) >= tier_count {
            return Err(Problem::invalid(
                &format!("tiers[{i}].tier"),
                format!("is below {tier_count}, the plan's tiers"),
            ));
        }
        if !sold_as.contains(&tier.tier) {
            return Err(Problem::invalid(&format!("tiers[{i}].tier"), "is the tier of no seat on the plan"));
        }
        if !seen.insert(tier.tier) {
            return Err(Problem::invalid(&format!("tiers[{i}].tier"), "stands twice"));
        }
    }
    Ok(Some(plan))
}

/// Writes the bill, the prices and the presales, and reads the whole event back.
async fn finish(
    db: &mut PgConnection,
    event_id: EventId,
    body: EventBody,
    plan: Option<&SeatPlan>,
) -> Result<EventDocument, Problem> {
    if let Some(artists) = body.artists {
        let (ids, roles): (Vec<_>, Vec<_>) =
            artists.into_iter().map(|billing| (billing.artist_id, billing.role.into())).unzip();
        record::replace_artists(db, event_id, &ids, &roles).await.map_err(|error| {
            if violates(&error, "event_artist_artist_id_fkey") {
                return Problem::invalid("artists", "names an artist there is none of");
            }
            error.into()
        })?;
    }
    if let Some(tiers) = body.tiers {
        let tiers: Vec<_> = tiers.into_iter().map(|tier| (tier.tier, String::from(tier.name), tier.price)).collect();
        record::replace_tiers(db, event_id, &tiers).await?;
    }
    if let Some(charges) = body.charges {
        charge::replace(db, event_id, &charge::parse(charges)?).await?;
    }
    if let Some(presales) = body.presales {
        presale::replace(db, event_id, presales).await?;
    }
    if let Some(plan) = plan {
        charge::reprice(db, event_id).await?;
        booking::restate_availability(db, event_id, plan).await?;
    }
    record::read(db, event_id).await?.ok_or_else(no_such_event)
}
