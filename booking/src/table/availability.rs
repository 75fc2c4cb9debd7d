//! What an event's seat map shows, read from its event, tiers, lane and claims; and its availability under changed terms.

use crate::restate::Restated;
use model::EventId;
use sqlx::PgConnection;

/// What a seat map rests on beside the claims.
#[derive(Debug)]
pub(crate) struct MapRow {
    pub(crate) layout_hash: String,
    /// The lane's seq and terms together; 0 for an event nobody has booked.
    pub(crate) version: i64,
    /// Tiers for sale.
    pub(crate) tiers: Vec<i16>,
}

/// The plan, the version, the tiers for sale.
pub(crate) async fn map(connection: &mut PgConnection, event: EventId) -> sqlx::Result<Option<MapRow>> {
    sqlx::query_as!(
        MapRow,
        r#"select e.layout_hash, coalesce(l.seq + l.terms, 0) as "version!",
            array(select t.tier from event_tier t where t.event_id = e.event_id) as "tiers!"
        from event e left join lane l using (event_id) where e.event_id = $1"#,
        event.0
    )
    .fetch_optional(connection)
    .await
}

/// Every claimed seat, and whether it is sold.
pub(crate) async fn claims(connection: &mut PgConnection, event: EventId) -> sqlx::Result<Vec<(i32, bool)>> {
    let rows =
        sqlx::query!("select seat_no, kind from claim where event_id = $1", event.0).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| (row.seat_no, row.kind == 1)).collect())
}

/// Makes the lane when there is none, so that its terms have a version.
pub(crate) async fn make_lane(connection: &mut PgConnection, event: EventId) -> sqlx::Result<()> {
    let statement = sqlx::query!(
        "insert into lane (event_id) select event_id from event where event_id = $1 on conflict do nothing",
        event.0
    );
    statement.execute(connection).await?;
    Ok(())
}

/// Keeps every batch out until the transaction ends.
pub(crate) async fn lock_lane(connection: &mut PgConnection, event: EventId) -> sqlx::Result<()> {
    let statement = sqlx::query!("select seq from lane where event_id = $1 for no key update", event.0);
    statement.fetch_optional(connection).await?;
    Ok(())
}

/// Writes the availability under the lane's present version.
pub(crate) async fn restate(connection: &mut PgConnection, event: EventId, now: &Restated) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into availability (event_id, slot, version, seats_total, seats_left, price_min)
        select e.event_id, e.slot, l.seq + l.terms, $2, $3, $4 from event e join lane l using (event_id) where e.event_id = $1
        on conflict (event_id) do update set version = excluded.version, seats_total = excluded.seats_total,
            seats_left = excluded.seats_left, price_min = excluded.price_min",
        event.0,
        now.seats_total,
        now.seats_left,
        now.price_min
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The tiers for sale and what one ticket of them costs, everything in.
pub(crate) async fn prices(connection: &mut PgConnection, event: EventId) -> sqlx::Result<Vec<(i16, i64)>> {
    let rows = sqlx::query!(
        r#"select tier, coalesce(all_in, price) as "price!" from event_tier where event_id = $1"#,
        event.0
    );
    Ok(rows.fetch_all(connection).await?.into_iter().map(|row| (row.tier, row.price)).collect())
}
