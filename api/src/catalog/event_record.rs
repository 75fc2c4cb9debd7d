//! The tables `event`, `event_artist` and `event_tier`: one function per statement.

use super::presale;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{ArtistId, EventId, SeatPlan, TierNo, UserId, VenueId};
use search::document::{Credit, EventDocument, Status, Tier, VenueRow};
use serde_json::Value;
use sqlx::PgConnection;

/// The columns an organizer may write.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) venue_id: VenueId,
    pub(super) genres: Vec<String>,
    pub(super) works: Value,
    pub(super) image: Option<String>,
    pub(super) boost: i16,
    pub(super) status: Status,
    pub(super) starts_at: Timestamp,
    pub(super) ends_at: Option<Timestamp>,
    pub(super) date_tba: bool,
    pub(super) layout_hash: String,
    pub(super) capacity: i32,
    pub(super) currency: String,
    pub(super) sale_opens_at: Timestamp,
    pub(super) sale_closes_at: Timestamp,
    pub(super) hold_ttl_s: i32,
    pub(super) buyer_limit: i32,
    pub(super) refundable_until: Option<Timestamp>,
    pub(super) offer_ttl_s: i32,
}

/// An event locked for its change.
pub(super) struct Locked {
    pub(super) organizer_id: UserId,
    pub(super) version: i64,
    pub(super) fields: Fields,
}

fn status(text: &str) -> Status {
    match text {
        "cancelled" => Status::Cancelled,
        "postponed" => Status::Postponed,
        _ => Status::Scheduled,
    }
}

fn status_text(status: Status) -> &'static str {
    match status {
        Status::Scheduled => "scheduled",
        Status::Postponed => "postponed",
        Status::Cancelled => "cancelled",
    }
}

pub(super) async fn lock(db: &mut PgConnection, event_id: EventId) -> Result<Option<Locked>, sqlx::Error> {
    let row = sqlx::query!(
        "select organizer_id, version, title, description, venue_id, genres, works, image, boost, status, starts_at, ends_at,
            date_tba, layout_hash, capacity, currency, sale_opens_at, sale_closes_at, hold_ttl_s, buyer_limit,
            refundable_until, offer_ttl_s
         from event where event_id = $1 for no key update",
        event_id.0
    );
    Ok(row.fetch_optional(db).await?.map(|row| Locked {
        organizer_id: UserId(row.organizer_id),
        version: row.version,
        fields: Fields {
            title: row.title,
            description: row.description,
            venue_id: VenueId(row.venue_id),
            genres: row.genres,
            works: row.works,
            image: row.image,
            boost: row.boost,
            status: status(&row.status),
            starts_at: row.starts_at.to_jiff(),
            ends_at: row.ends_at.map(jiff_sqlx::Timestamp::to_jiff),
            date_tba: row.date_tba,
            layout_hash: row.layout_hash,
            capacity: row.capacity,
            currency: row.currency,
            sale_opens_at: row.sale_opens_at.to_jiff(),
            sale_closes_at: row.sale_closes_at.to_jiff(),
            hold_ttl_s: row.hold_ttl_s,
            buyer_limit: row.buyer_limit,
            refundable_until: row.refundable_until.map(jiff_sqlx::Timestamp::to_jiff),
            offer_ttl_s: row.offer_ttl_s,
        },
    }))
}

/// Who sells an event.
pub(super) async fn organizer(db: &mut PgConnection, event_id: EventId) -> Result<Option<UserId>, sqlx::Error> {
    let row = sqlx::query_scalar!("select organizer_id from event where event_id = $1", event_id.0);
    Ok(row.fetch_optional(db).await?.map(UserId))
}

pub(super) async fn insert(
    db: &mut PgConnection,
    event_id: EventId,
    organizer_id: UserId,
    fields: &Fields,
) -> Result<(), sqlx::Error> {
    let statement = sqlx::query!(
        "insert into event (event_id, organizer_id, title, description, venue_id, genres, works, image, status, starts_at,
            ends_at, layout_hash, capacity, currency, sale_opens_at, sale_closes_at, hold_ttl_s, buyer_limit,
            date_tba, boost, refundable_until, offer_ttl_s)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)",
        event_id.0,
        organizer_id.0,
        fields.title,
        fields.description,
        fields.venue_id.0,
        &fields.genres,
        fields.works,
        fields.image,
        status_text(fields.status),
        fields.starts_at.to_sqlx() as _,
        fields.ends_at.map(jiff_sqlx::ToSqlx::to_sqlx) as _,
        fields.layout_hash,
        fields.capacity,
        fields.currency,
        fields.sale_opens_at.to_sqlx() as _,
        fields.sale_closes_at.to_sqlx() as _,
        fields.hold_ttl_s,
        fields.buyer_limit,
        fields.date_tba,
        fields.boost,
        fields.refundable_until.map(jiff_sqlx::ToSqlx::to_sqlx) as _,
        fields.offer_ttl_s
    );
    statement.execute(db).await?;
    Ok(())
}

/// Writes the fields over `version`, which becomes one more.
pub(super) async fn update(
    db: &mut PgConnection,
    event_id: EventId,
    version: i64,
    fields: &Fields,
) -> Result<(), sqlx::Error> {
    let statement = sqlx::query!(
        "update event set title = $3, description = $4, venue_id = $5, genres = $6, works = $7, image = $8, status = $9,
            starts_at = $10, ends_at = $11, layout_hash = $12, capacity = $13, currency = $14, sale_opens_at = $15,
            sale_closes_at = $16, hold_ttl_s = $17, buyer_limit = $18, date_tba = $19, boost = $20,
            refundable_until = $21, offer_ttl_s = $22, version = $2 + 1, updated_at = now()
         where event_id = $1 and version = $2",
        event_id.0,
        version,
        fields.title,
        fields.description,
        fields.venue_id.0,
        &fields.genres,
        fields.works,
        fields.image,
        status_text(fields.status),
        fields.starts_at.to_sqlx() as _,
        fields.ends_at.map(jiff_sqlx::ToSqlx::to_sqlx) as _,
        fields.layout_hash,
        fields.capacity,
        fields.currency,
        fields.sale_opens_at.to_sqlx() as _,
        fields.sale_closes_at.to_sqlx() as _,
        fields.hold_ttl_s,
        fields.buyer_limit,
        fields.date_tba,
        fields.boost,
        fields.refundable_until.map(jiff_sqlx::ToSqlx::to_sqlx) as _,
        fields.offer_ttl_s
    );
    match statement.execute(db).await?.rows_affected() {
        1 => Ok(()),
        _ => Err(sqlx::Error::RowNotFound),
    }
}

/// The bill, in order of position.
pub(super) async fn replace_artists(
    db: &mut PgConnection,
    event_id: EventId,
    artists: &[ArtistId],
    roles: &[String],
) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from event_artist where event_id = $1", event_id.0).execute(&mut *db).await?;
    let ids: Vec<_> = artists.iter().map(|artist| artist.0).collect();
    let statement = sqlx::query!(
        "insert into event_artist (event_id, position, artist_id, role)
         select $1, (n - 1)::smallint, artist_id, role
         from unnest($2::uuid[], $3::text[]) with ordinality as bill (artist_id, role, n)",
        event_id.0,
        &ids,
        roles
    );
    statement.execute(db).await?;
    Ok(())
}

/// What the tiers cost.
pub(super) async fn replace_tiers(
    db: &mut PgConnection,
    event_id: EventId,
    tiers: &[(TierNo, String, i64)],
) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from event_tier where event_id = $1", event_id.0).execute(&mut *db).await?;
    let numbers: Vec<i16> = tiers.iter().map(|(tier, ..)| i16::try_from(*tier).unwrap_or(i16::MAX)).collect();
    let names: Vec<String> = tiers.iter().map(|(_, name, _)| name.clone()).collect();
    let prices: Vec<i64> = tiers.iter().map(|(.., price)| *price).collect();
    let statement = sqlx::query!(
        "insert into event_tier (event_id, tier, name, price)
         select $1, tier, name, price from unnest($2::smallint[], $3::text[], $4::bigint[]) as t (tier, name, price)",
        event_id.0,
        &numbers,
        &names,
        &prices
    );
    statement.execute(db).await?;
    Ok(())
}

/// A seat plan.
pub(super) async fn plan(db: &mut PgConnection, layout_hash: &str) -> Result<Option<SeatPlan>, sqlx::Error> {
    let row = sqlx::query!("select plan from layout where layout_hash = $1", layout_hash);
    let row = row.fetch_optional(db).await?;
    row.map(|row| SeatPlan::parse(&row.plan).map_err(|error| sqlx::Error::Decode(error.into()))).transpose()
}

/// The whole event as Postgres has it now, in the shape the index keeps.
///
/// # Errors
/// When the database fails.
pub async fn read(db: &mut PgConnection, event_id: EventId) -> Result<Option<EventDocument>, sqlx::Error> {
    let artists = credits(&mut *db, event_id).await?;
    let tiers = tiers(&mut *db, event_id).await?;
    let presales = presale::of_event(&mut *db, event_id).await?;
    let row = sqlx::query!(
        "select e.slot, e.organizer_id, e.title, e.description, e.genres, e.works, e.image, e.popularity, e.boost, e.status,
            e.starts_at, e.ends_at, e.date_tba, e.layout_hash, e.capacity, e.currency, e.sale_opens_at, e.sale_closes_at,
            e.hold_ttl_s, e.buyer_limit, e.version, v.venue_id, v.name as venue_name, v.city, v.district, v.region,
            v.country, v.lat, v.lon, v.timezone, v.version as venue_version
         from event e join venue v using (venue_id) where e.event_id = $1",
        event_id.0
    );
    let Some(row) = row.fetch_optional(db).await? else {
        return Ok(None);
    };
    Ok(Some(EventDocument {
        event_id,
        slot: row.slot.unsigned_abs(),
        organizer_id: UserId(row.organizer_id),
        title: row.title,
        description: row.description,
        genres: row.genres,
        works: row.works.into(),
        image: row.image,
        popularity: row.popularity.unsigned_abs(),
        boost: u8::try_from(row.boost).unwrap_or(0),
        status: status(&row.status),
        starts_at: row.starts_at.to_jiff(),
        ends_at: row.ends_at.map(jiff_sqlx::Timestamp::to_jiff),
        date_tba: row.date_tba,
        venue: VenueRow {
            venue_id: VenueId(row.venue_id),
            name: row.venue_name,
            city: row.city,
            district: row.district,
            region: row.region,
            country: row.country,
            lat: row.lat,
            lon: row.lon,
            timezone: row.timezone,
            version: row.venue_version,
        },
        artists,
        tiers,
        layout_hash: row.layout_hash,
        capacity: row.capacity.unsigned_abs(),
        currency: row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        sale_opens_at: row.sale_opens_at.to_jiff(),
        sale_closes_at: row.sale_closes_at.to_jiff(),
        presales,
        hold_ttl_s: row.hold_ttl_s.unsigned_abs(),
        buyer_limit: row.buyer_limit.unsigned_abs(),
        version: row.version,
    }))
}

/// An event of an organizer's that is to come, or was yesterday.
#[derive(Debug, serde::Serialize)]
pub struct Coming {
    event_id: EventId,
    title: String,
    starts_at: Timestamp,
    timezone: String,
}

/// An organizer's next events, twenty at most.
///
/// # Errors
/// When the database fails.
pub async fn coming(db: &mut PgConnection, organizer: UserId) -> Result<Vec<Coming>, sqlx::Error> {
    let rows = sqlx::query!(
        "select e.event_id, e.title, e.starts_at, v.timezone from event e join venue v using (venue_id)
         where e.organizer_id = $1 and e.starts_at > now() - interval '1 day' and e.status <> 'cancelled'
         order by e.starts_at limit 20",
        organizer.0
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows
        .map(|row| Coming {
            event_id: EventId(row.event_id),
            title: row.title,
            starts_at: row.starts_at.to_jiff(),
            timezone: row.timezone,
        })
        .collect())
}

async fn credits(db: &mut PgConnection, event_id: EventId) -> Result<Vec<Credit>, sqlx::Error> {
    let rows = sqlx::query!(
        "select artist_id, name, aliases, role, position from event_artist join artist using (artist_id)
         where event_id = $1 order by position",
        event_id.0
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows
        .map(|row| Credit {
            artist_id: ArtistId(row.artist_id),
            name: row.name,
            aliases: row.aliases,
            role: row.role,
            position: row.position,
        })
        .collect())
}

async fn tiers(db: &mut PgConnection, event_id: EventId) -> Result<Vec<Tier>, sqlx::Error> {
    let rows =
        sqlx::query!("select tier, name, price, all_in from event_tier where event_id = $1 order by tier", event_id.0);
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows
        .map(|row| Tier { tier: row.tier.unsigned_abs(), name: row.name, price: row.price, all_in: row.all_in })
        .collect())
}
