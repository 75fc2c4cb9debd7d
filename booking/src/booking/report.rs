//! What an event has sold, added up from its tickets.

use super::Booking;
use crate::failure::Failure;
use crate::sales::{Sales, SalesError, SoldLine, SoldTicket};
use crate::table;
use model::EventId;
use model::charge::Line;
use sqlx::Connection as _;

impl Booking {
    /// What an event has sold, in one snapshot.
    ///
    /// # Errors
    /// When there is no such event or the database fails.
    pub async fn sales(&self, event: EventId) -> Result<Sales, SalesError> {
        let mut connection = self.pool.acquire().await.map_err(Failure::from)?;
        let mut read =
            connection.begin_with("begin isolation level repeatable read read only").await.map_err(Failure::from)?;
        let currency = table::ticket::currency(&mut read, event).await.map_err(Failure::from)?;
        let currency = currency.ok_or(SalesError::NoSuchEvent)?.parse().map_err(Failure::new)?;
        let mut tickets = Vec::new();
        for row in table::ticket::sold(&mut read, event).await.map_err(Failure::from)? {
            // The plan it was sold on: an event without claims may have another by now.
            let house = self.house(&mut read, &row.layout_hash).await?;
            let tier = house.tiers.get(table::seat_no(row.seat_no) as usize).copied().unwrap_or_default();
            tickets.push(SoldTicket {
                day: row.day.to_jiff(),
                tier,
                price: row.price,
                is_void: row.state == "void",
                is_used: row.state == "used",
            });
        }
        let mut lines = Vec::new();
        for row in table::orders::sold_extras(&mut read, event).await.map_err(Failure::from)? {
            let extras: Vec<Line> = serde_json::from_value(row.extras).map_err(Failure::new)?;
            let (day, is_back) = (row.day.to_jiff(), row.is_back);
            lines.extend(extras.into_iter().map(|line| SoldLine { day, line, is_back }));
        }
        read.rollback().await.map_err(Failure::from)?;
        Ok(Sales::of(event, currency, tickets.into_iter(), lines.into_iter()))
    }
}
