//! What an event's seat map shows, read from its event, tiers, lane and claims.

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
