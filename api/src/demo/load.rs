//! Writing the season: chunk after chunk, each one transaction, only what the database lacks.

use super::DemoError;
use super::copy::{Rows, missing};
use super::logins::FAN;
use super::nicknames;
use super::season::{Event, Season};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::SignedDuration;
use std::collections::HashMap;
use tokio_postgres::{Client, Transaction};
use uuid::Uuid;

/// Events per transaction: some ten megabytes of rows.
const CHUNK: u32 = 2_000;

const VENUE: &str = "copy venue (venue_id, name, city, district, region, country, lat, lon, timezone) from stdin";
const ARTIST: &str = "copy artist (artist_id, name, aliases) from stdin";
const LAYOUT: &str = "copy layout (layout_hash, name, capacity, plan) from stdin";
const EVENT: &str =
    "copy event (event_id, organizer_id, venue_id, title, description, genres, works, popularity, starts_at, ends_at,
    layout_hash, capacity, currency, sale_opens_at, sale_closes_at, buyer_limit) from stdin";
const EVENT_ARTIST: &str = "copy event_artist (event_id, position, artist_id, role) from stdin";
const SYNONYM: &str = "insert into synonym (synonym_id, term, means) values ($1, $2, $3) on conflict (term) do nothing";
const EVENT_PRESALE: &str = "copy event_presale (event_id, position, name, opens_at, closes_at) from stdin";
const PRESALE_GROUP: &str = "copy presale_group (event_id, position, group_id) from stdin";
const SALE_CODE: &str = "copy sale_code (event_id, code, presale, uses_max) from stdin";
/// What opens the demo's presales to whoever is no subscriber.
const CODE: &str = "EARLYBIRD";
const EVENT_TIER: &str = "copy event_tier (event_id, tier, name, price, all_in) from stdin";
const EVENT_CHARGE: &str = "copy event_charge (event_id, position, label, how, amount, basis_points) from stdin";

/// What this load knows to be in the database already.
struct Known<'a> {
    venues: Vec<bool>,
    /// By name, since a name is who an artist is in the archive.
    artists: HashMap<&'a str, Uuid>,
}

/// Adds those of the first `count` events that are missing; gives how many were.
pub(super) async fn events(
    client: &mut Client,
    season: &Season<'_>,
    organizer: Uuid,
    count: u32,
) -> Result<u32, DemoError> {
    layouts(client, season).await?;
    synonyms(client).await?;
    let subscribers = subscribers(client, organizer).await?;
    let bar = ProgressBar::new(count.into());
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} concerts · {per_sec} · {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut known = Known { venues: vec![false; season.places.len()], artists: HashMap::new() };
    let mut added = 0;
    let mut first = 0;
    while first < count {
        let end = count.min(first.saturating_add(CHUNK));
        let ids: Vec<Uuid> = (first..end).map(Season::id).collect();
        let absent = missing(client, "select event_id from event where event_id = any($1)", &ids).await?;
        let chunk: Vec<Event<'_>> =
            (first..end).zip(absent).filter(|(_, absent)| *absent).filter_map(|(n, _)| season.event(n)).collect();
        let written = u32::try_from(chunk.len()).unwrap_or(CHUNK);
        if written > 0 {
            write(client, season, (organizer, subscribers), &chunk, &mut known).await?;
        }
        added += written;
        first = end;
        bar.set_position(first.into());
    }
    bar.finish();
    Ok(added)
}

async fn layouts(client: &mut Client, season: &Season<'_>) -> Result<(), DemoError> {
    let found = client.query("select layout_hash from layout", &[]).await?;
    let found: Vec<String> = found.iter().map(|row| row.get(0)).collect();
    let mut rows = Rows::new(LAYOUT);
    for house in season.houses.iter().filter(|house| !found.contains(&house.hash)) {
        rows.text(&house.hash).text(&house.name).plain(house.capacity).bytea(&house.plan).end();
    }
    let transaction = client.transaction().await?;
    rows.send(&transaction).await?;
    transaction.commit().await?;
    Ok(())
}

async fn synonyms(client: &Client) -> Result<(), tokio_postgres::Error> {
    for (term, means) in nicknames::SYNONYMS {
        client.execute(SYNONYM, &[&Uuid::now_v7(), &term, &vec![means]]).await?;
    }
    Ok(())
}

/// The fan is a season subscriber.
async fn subscribers(client: &Client, organizer: Uuid) -> Result<Uuid, tokio_postgres::Error> {
    let group = "insert into member_group (group_id, organizer_id, name) values ($1, $2, 'Season subscribers')
        on conflict (organizer_id, name) do update set name = excluded.name returning group_id";
    let group: Uuid = client.query_one(group, &[&Uuid::now_v7(), &organizer]).await?.get(0);
    let member = "insert into group_member (group_id, user_id) select $1, user_id from account where email = $2
        on conflict do nothing";
    client.execute(member, &[&group, &FAN]).await?;
    Ok(group)
}

async fn write<'a>(
    client: &mut Client,
    season: &Season<'_>,
    (organizer, subscribers): (Uuid, Uuid),
    chunk: &[Event<'a>],
    known: &mut Known<'a>,
) -> Result<(), DemoError> {
    let venues = new_venues(client, season, chunk, &mut known.venues).await?;
    let artists = new_artists(client, chunk, &mut known.artists).await?;
    let transaction = client.transaction().await?;
    venues.send(&transaction).await?;
    artists.send(&transaction).await?;
    send_events(&transaction, season, organizer, chunk).await?;
    send_parts(&transaction, chunk, known).await?;
    send_presales(&transaction, chunk, subscribers).await?;
    transaction.commit().await?;
    Ok(())
}

async fn new_venues(
    client: &Client,
    season: &Season<'_>,
    chunk: &[Event<'_>],
    known: &mut [bool],
) -> Result<Rows, DemoError> {
    let mut fresh: Vec<usize> = chunk.iter().map(|event| event.place).collect();
    fresh.sort_unstable();
    fresh.dedup();
    fresh.retain(|&place| known.get_mut(place).is_some_and(|known| !std::mem::replace(known, true)));
    let places: Vec<_> = fresh.iter().filter_map(|&place| season.places.get(place)).collect();
    let ids: Vec<Uuid> = places.iter().map(|place| place.venue_id).collect();
    let absent = missing(client, "select venue_id from venue where venue_id = any($1)", &ids).await?;
    let mut rows = Rows::new(VENUE);
    for (place, _) in places.iter().zip(absent).filter(|(_, absent)| *absent) {
        rows.plain(place.venue_id).text(&place.name).text(&place.city);
        rows.optional(place.district.as_deref()).optional(place.region.as_deref()).text(&place.country);
        match place.point {
            Some((lat, lon)) => rows.plain(lat).plain(lon),
            None => rows.null().null(),
        };
        rows.text(&place.timezone).end();
    }
    Ok(rows)
}

async fn new_artists<'a>(
    client: &Client,
    chunk: &[Event<'a>],
    known: &mut HashMap<&'a str, Uuid>,
) -> Result<Rows, DemoError> {
    let mut fresh: Vec<(&str, Uuid)> = Vec::new();
    for (name, _) in chunk.iter().flat_map(|event| event.artists.iter().copied()) {
        if !known.contains_key(name.as_str()) {
            let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("artist/{name}").as_bytes());
            known.insert(name, id);
            fresh.push((name, id));
        }
    }
    let ids: Vec<Uuid> = fresh.iter().map(|(_, id)| *id).collect();
    let absent = missing(client, "select artist_id from artist where artist_id = any($1)", &ids).await?;
    let mut rows = Rows::new(ARTIST);
    for ((name, id), _) in fresh.iter().zip(absent).filter(|(_, absent)| *absent) {
        rows.plain(*id).text(name).array(nicknames::aliases(name)).end();
    }
    Ok(rows)
}

async fn send_events(
    transaction: &Transaction<'_>,
    season: &Season<'_>,
    organizer: Uuid,
    chunk: &[Event<'_>],
) -> Result<(), tokio_postgres::Error> {
    let mut rows = Rows::new(EVENT);
    for event in chunk {
        let (Some(place), Some(house)) = (season.places.get(event.place), season.houses.get(event.house)) else {
            continue;
        };
        rows.plain(event.id).plain(organizer).plain(place.venue_id).text(&event.title).text(event.description);
        rows.array(&event.genres).text(event.works).plain(event.popularity).plain(event.starts_at).plain(event.ends_at);
        rows.text(&house.hash).plain(house.capacity).text(event.currency);
        rows.plain(event.sale_opens_at).plain(event.sale_closes_at).plain(event.buyer_limit).end();
    }
    rows.send(transaction).await
}

async fn send_parts(
    transaction: &Transaction<'_>,
    chunk: &[Event<'_>],
    known: &Known<'_>,
) -> Result<(), tokio_postgres::Error> {
    let mut artists = Rows::new(EVENT_ARTIST);
    let mut tiers = Rows::new(EVENT_TIER);
    let mut charges = Rows::new(EVENT_CHARGE);
    for event in chunk {
        let named = event.artists.iter().filter_map(|(name, role)| Some((known.artists.get(name.as_str())?, role)));
        for (position, (artist, role)) in named.enumerate() {
            artists.plain(event.id).plain(position).plain(*artist).text(role).end();
        }
        for (tier, (name, price, all_in)) in event.tiers.iter().enumerate() {
            tiers.plain(event.id).plain(tier).text(name).plain(*price);
            if all_in > price { tiers.plain(*all_in) } else { tiers.null() }.end();
        }
        for (position, charge) in event.charges.iter().enumerate() {
            let (how, amount, share) = charge.how.parts();
            charges.plain(event.id).plain(position).text(&charge.label).text(how);
            match (amount, share) {
                (Some(amount), _) => charges.plain(amount).null(),
                (None, share) => charges.null().plain(share.unwrap_or_default()),
            }
            .end();
        }
    }
    artists.send(transaction).await?;
    tiers.send(transaction).await?;
    charges.send(transaction).await
}

async fn send_presales(
    transaction: &Transaction<'_>,
    chunk: &[Event<'_>],
    subscribers: Uuid,
) -> Result<(), tokio_postgres::Error> {
    let (mut presales, mut groups, mut codes) =
        (Rows::new(EVENT_PRESALE), Rows::new(PRESALE_GROUP), Rows::new(SALE_CODE));
    for event in chunk.iter().filter(|event| event.presale) {
        let opens_at = event.sale_opens_at - SignedDuration::from_hours(24 * 7);
        presales.plain(event.id).plain(0).text("Season subscribers").plain(opens_at).plain(event.sale_opens_at).end();
        groups.plain(event.id).plain(0).plain(subscribers).end();
        codes.plain(event.id).text(CODE).plain(0).plain(1_000).end();
    }
    presales.send(transaction).await?;
    groups.send(transaction).await?;
    codes.send(transaction).await
}
