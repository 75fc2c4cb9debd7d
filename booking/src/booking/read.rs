//! Reads: one's holds, orders and tickets, straight from the tables.

use super::Booking;
use crate::failure::Failure;
use crate::lane::house::House;
use crate::order::{Order, Ticket};
use crate::reservation::{HoldState, Reservation, ReservedSeat};
use crate::table::{self, ticket::TicketRow};
use model::charge::Line;
use model::{EventId, OrderId, TicketId, UserId};
use serde_json::Value;
use sqlx::PgConnection;
use std::sync::Arc;

impl Booking {
    /// The buyer's live holds of an event, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holds(&self, buyer: UserId, event: EventId) -> Result<Vec<Reservation>, Failure> {
        let mut connection = self.pool.acquire().await?;
        let mut holds = Vec::new();
        for row in table::hold::live(&mut connection, buyer, event).await? {
            let house = self.house(&mut connection, &row.layout_hash).await?;
            holds.push(Reservation {
                reserve_id: row.hold,
                event_id: event,
                total: row.total,
                seats: describe(&house, &row.seat_nos, &row.prices),
                lines: lines(&house, (&row.seat_nos, &row.prices), row.extras)?,
                currency: row.currency.parse().map_err(Failure::new)?,
                expires_at: row.expires_at,
                state: HoldState::Held,
                receipt: row.receipt,
            });
        }
        Ok(holds)
    }

    /// One order with its attempts and tickets.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn order(&self, order: OrderId) -> Result<Option<Order>, Failure> {
        let mut connection = self.pool.acquire().await?;
        let Some(row) = table::orders::by_id(&mut connection, order).await? else { return Ok(None) };
        // Read after the order, so that what its state promises is there.
        let attempts = table::payment::of_order(&mut connection, row.event, order).await?;
        let tickets = table::ticket::of_order(&mut connection, row.event, order).await?;
        let mut tickets = self.describe_tickets(&mut connection, tickets).await?;
        // A ticket that was passed on lets its new holder in, not who bought it.
        for ticket in tickets.iter_mut().filter(|ticket| ticket.holder != row.user) {
            ticket.code = None;
        }
        let house = self.house(&mut connection, &row.layout_hash).await?;
        Ok(Some(Order {
            order_id: order,
            event_id: row.event,
            reserve_id: row.hold,
            user_id: row.user,
            state: row.state,
            total: row.total,
            currency: row.currency,
            expires_at: row.expires_at,
            refundable_until: row.refundable_until,
            created_at: row.created_at,
            seats: describe(&house, &row.seat_nos, &row.prices),
            lines: lines(&house, (&row.seat_nos, &row.prices), row.extras)?,
            attempts,
            tickets,
            receipt: row.receipt,
        }))
    }

    /// A holder's tickets, of one event or all, by the event's start and the seat.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tickets(&self, holder: UserId, event: Option<EventId>) -> Result<Vec<Ticket>, Failure> {
        let mut connection = self.pool.acquire().await?;
        let rows = table::ticket::of_holder(&mut connection, holder, event).await?;
        self.describe_tickets(&mut connection, rows).await
    }

    /// One ticket.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ticket(&self, ticket: TicketId) -> Result<Option<Ticket>, Failure> {
        let mut connection = self.pool.acquire().await?;
        let row = table::ticket::by_id(&mut connection, ticket).await?;
        Ok(self.describe_tickets(&mut connection, row.into_iter().collect()).await?.pop())
    }

    pub(super) async fn describe_tickets(
        &self,
        connection: &mut PgConnection,
        rows: Vec<TicketRow>,
    ) -> Result<Vec<Ticket>, Failure> {
        let mut tickets = Vec::with_capacity(rows.len());
        for row in rows {
            let house = self.house(connection, &row.layout_hash).await?;
            tickets.push(row.describe(&house, &self.ticket_key)?);
        }
        Ok(tickets)
    }

    /// A prepared plan, read when it is not here.
    pub(super) async fn house(&self, connection: &mut PgConnection, layout: &str) -> Result<Arc<House>, Failure> {
        if let Some(house) = self.plans.get(layout) {
            return Ok(house);
        }
        let plan = table::layout::plan(connection, layout).await?;
        self.plans.add(layout.to_owned(), &plan)
    }
}

fn describe(house: &House, seats: &[i32], prices: &[i64]) -> Vec<ReservedSeat> {
    let seats = seats.iter().zip(prices).map(|(seat, price)| house.describe(table::seat_no(*seat), *price));
    let mut seats: Vec<ReservedSeat> = seats.collect();
    // One that went for another stands in the place of that.
    seats.sort_by_key(|seat| seat.seat_no);
    seats
}

fn lines(house: &House, (seats, prices): (&[i32], &[i64]), extras: Option<Value>) -> Result<Vec<Line>, Failure> {
    let extras = extras.map_or(Ok(Vec::new()), serde_json::from_value).map_err(Failure::new)?;
    let seats = seats.iter().zip(prices).map(|(seat, price)| (table::seat_no(*seat), *price));
    Ok(house.lines(seats, extras))
}
