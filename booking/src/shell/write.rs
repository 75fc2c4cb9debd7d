//! One batch, one transaction: the fence, the log entry, then every table once, pipelined; looked over; committed.
//!
//! Nothing is acknowledged before `write` returns. A statement that touched other rows than expected undoes the batch.

use super::changes::Changes;
use super::connection::{Connection, Stalled};
use super::loaded::Place;
use super::rows::{ClaimRows, HoldRows};
use crate::digest::Digest;
use crate::lane::fact::Fact;
use crate::lane::{Lane, PlaceState};
use crate::order::OrderState;
use crate::reservation::HoldState;
use futures::future::{BoxFuture, FutureExt, try_join_all};
use jiff::Timestamp;
use model::{EventId, HoldId, OrderId, PaymentId};
use sha2::{Digest as _, Sha256};
use tokio_postgres::Error;
use tokio_postgres::Statement;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Why a batch was not written, or may not have been.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// Somebody took the lane, or its terms changed, or the database's clock is behind ours: decide again.
    #[error("the lane is not where it was")]
    Moved,
    /// Refused by a constraint: nothing was written.
    #[error("write a batch")]
    Refused(#[source] Error),
    /// The connection failed: the batch may have been written.
    #[error("write a batch")]
    Unknown(#[source] Error),
    /// The server fell silent: the batch may have been written.
    #[error("write a batch")]
    Stalled(#[from] Stalled),
    /// The facts are no JSON; cannot happen.
    #[error("write a batch")]
    Encode(#[from] serde_json::Error),
}

impl From<Error> for WriteError {
    fn from(error: Error) -> Self {
        if error.as_db_error().is_some() { Self::Refused(error) } else { Self::Unknown(error) }
    }
}

/// Writes a batch's facts; `lane` is the state after them. Returns the lane's new place and the database's clock.
pub(super) async fn write(
    connection: &Connection,
    (event, place): (EventId, &Place),
    lane: &Lane,
    facts: &[Fact],
) -> Result<(Place, Timestamp), WriteError> {
    let payload = serde_json::to_vec(facts)?;
    let next = Place { seq: place.seq + 1, head: chain(event, place, &payload), ..place.clone() };
    let changes = Changes::of(facts);
    let clock = {
        let mut batch = Batch { connection, event: event.0, sent: Vec::new() };
        let begin = connection.client.batch_execute("begin").boxed();
        let advance = advance(&batch, place, &next);
        batch.log(place, &next, &payload);
        batch.holds(&changes, lane, next.seq)?;
        batch.orders(&changes, lane);
        batch.exchange(&changes);
        batch.undo(&changes);
        batch.claims(&changes, lane, next.seq);
        batch.steps(&changes);
        batch.line(&changes, next.seq)?;
        batch.counts(&changes, lane, next.version());
        // Polled in this order, so sent in this order, before any answer is waited for.
        let (started, clock, counted) = futures::join!(begin, advance, try_join_all(batch.sent));
        started?;
        // First the fence: what a batch of another's lane trips over after it says nothing more.
        let clock = clock?.ok_or(WriteError::Moved)?;
        if counted?.contains(&false) {
            return Err(WriteError::Moved);
        }
        clock
    };
    connection.client.batch_execute("commit").await.map_err(WriteError::Unknown)?;
    Ok((next, clock))
}

/// The hash of a log entry, as the schema checks it.
pub(super) fn chain(event: EventId, place: &Place, payload: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    hash.update(place.head.0);
    hash.update(event.0.as_bytes());
    hash.update((place.seq + 1).to_be_bytes());
    hash.update(payload);
    Digest(hash.finalize().into())
}

fn advance<'a>(batch: &Batch<'a>, place: &Place, next: &Place) -> BoxFuture<'a, Result<Option<Timestamp>, Error>> {
    let (connection, event) = (batch.connection, batch.event);
    let (epoch, terms, seq, head) = (place.epoch, place.terms, next.seq, next.head.0.to_vec());
    async move {
        let parameters: [&(dyn ToSql + Sync); 5] = [&event, &epoch, &terms, &seq, &head];
        let row = connection.client.query_opt(&connection.statements.advance, &parameters).await?;
        row.map(|row| row.try_get(0)).transpose()
    }
    .boxed()
}

type Parameters = Vec<Box<dyn ToSql + Sync + Send>>;

/// The statements of one transaction, each with whether it touched the rows it should.
struct Batch<'a> {
    connection: &'a Connection,
    event: Uuid,
    sent: Vec<BoxFuture<'a, Result<bool, Error>>>,
}

impl<'a> Batch<'a> {
    /// Adds a statement that must touch `rows` rows; none is sent for nothing.
    fn push(&mut self, statement: &'a Statement, rows: usize, parameters: Parameters) {
        if rows > 0 {
            self.push_uncounted(statement, Some(rows), parameters);
        }
    }

    fn push_uncounted(&mut self, statement: &'a Statement, rows: Option<usize>, parameters: Parameters) {
        let (connection, event) = (self.connection, self.event);
        let sending = async move {
            let mut all: Vec<&(dyn ToSql + Sync)> = vec![&event];
            all.extend(parameters.iter().map(|parameter| parameter.as_ref() as &(dyn ToSql + Sync)));
            let touched = connection.client.execute(statement, &all).await?;
            Ok(rows.is_none_or(|rows| rows as u64 == touched))
        };
        self.sent.push(sending.boxed());
    }

    fn log(&mut self, place: &Place, next: &Place, payload: &[u8]) {
        let statement = &self.connection.statements.log;
        let (prev, hash) = (place.head.0.to_vec(), next.head.0.to_vec());
        let payload = payload.to_vec();
        let parameters: Parameters =
            vec![Box::new(next.seq), Box::new(place.epoch), Box::new(payload), Box::new(prev), Box::new(hash)];
        self.push(statement, 1, parameters);
    }

    fn holds(&mut self, changes: &Changes, lane: &Lane, seq: i64) -> Result<(), serde_json::Error> {
        let statements = &self.connection.statements;
        let ids: Vec<Uuid> = changes.holds.keys().map(|hold| hold.0).collect();
        let states: Vec<Option<&'static str>> =
            changes.holds.values().map(|change| change.state.map(HoldState::as_str)).collect();
        let extended: Vec<Option<Timestamp>> = changes.holds.values().map(|change| change.extended_to).collect();
        self.push(&statements.hold_update, ids.len(), vec![Box::new(ids), Box::new(states), Box::new(extended)]);
        // After those that end: what they had of a code can be had again.
        let count = changes.holds_new.len();
        self.push(&statements.hold_insert, count, HoldRows::of(&changes.holds_new)?.parameters(seq, lane.basis()));
        let extended: (Vec<Uuid>, Vec<Timestamp>) =
            changes.holds.iter().filter_map(|(hold, change)| Some((hold.0, change.extended_to?))).unzip();
        if !extended.0.is_empty() {
            let parameters: Parameters = vec![Box::new(extended.0), Box::new(extended.1)];
            self.push_uncounted(&statements.order_expiry, None, parameters);
        }
        Ok(())
    }

    fn orders(&mut self, changes: &Changes, lane: &Lane) {
        let statements = &self.connection.statements;
        let orders: Vec<Uuid> = changes.orders_new.keys().map(|order| order.0).collect();
        let holds: Vec<Uuid> = changes.orders_new.values().map(|(hold, ..)| hold.0).collect();
        let users: Vec<Uuid> = changes.orders_new.values().map(|(_, user, _)| user.0).collect();
        let totals: Vec<i64> = changes.orders_new.values().map(|(.., total)| *total).collect();
        let count = orders.len();
        let currency = lane.terms().currency.to_string();
        let parameters: Parameters =
            vec![Box::new(orders), Box::new(holds), Box::new(users), Box::new(totals), Box::new(currency)];
        self.push(&statements.order_insert, count, parameters);
        let payments: Vec<Uuid> = changes.payments_new.keys().map(|payment| payment.0).collect();
        let orders: Vec<Uuid> = changes.payments_new.values().map(|new| new.order.0).collect();
        let amounts: Vec<i64> = changes.payments_new.values().map(|new| new.amount).collect();
        let keys: Vec<String> = changes.payments_new.values().map(|new| new.key.clone()).collect();
        let count = payments.len();
        let parameters: Parameters = vec![Box::new(payments), Box::new(orders), Box::new(amounts), Box::new(keys)];
        self.push(&statements.payment_insert, count, parameters);
    }

    /// Seats that go for others: their tickets die before the claims they stand on go.
    fn exchange(&mut self, changes: &Changes) {
        let statements = &self.connection.statements;
        let orders: Vec<Uuid> = changes.given.keys().map(|(order, _)| order.0).collect();
        let seats: Vec<i32> = changes.given.keys().map(|(_, seat)| super::rows::seat_number(*seat)).collect();
        let holders: Vec<Uuid> = changes.given.values().map(|holder| holder.0).collect();
        let parameters: Parameters = vec![Box::new(orders), Box::new(seats), Box::new(holders)];
        self.push(&statements.ticket_give, changes.given.len(), parameters);
        let holds: Vec<Uuid> = changes.exchanged.keys().map(|hold| hold.0).collect();
        let seats: Vec<String> = changes.exchanged.values().map(|seats| super::rows::array_text(seats)).collect();
        self.push(&statements.hold_exchange, holds.len(), vec![Box::new(holds), Box::new(seats)]);
    }

    /// Orders sold before the batch: their tickets die before the claims they stand on go.
    fn undo(&mut self, changes: &Changes) {
        let statements = &self.connection.statements;
        let orders: Vec<Uuid> = changes.undone.keys().map(|order| order.0).collect();
        let only_of: Vec<Option<Uuid>> =
            changes.undone.values().map(|undone| undone.only_of.map(|user| user.0)).collect();
        let tickets = changes.undone.values().map(|undone| undone.tickets).sum();
        let parameters: Parameters = vec![Box::new(orders.clone()), Box::new(OrderState::Refunding.as_str())];
        self.push(&statements.order_step, orders.len(), parameters);
        self.push(&statements.ticket_void, tickets, vec![Box::new(orders), Box::new(only_of)]);
    }

    fn claims(&mut self, changes: &Changes, lane: &Lane, seq: i64) {
        let statements = &self.connection.statements;
        let rows = ClaimRows::of(&changes.claims, lane.house());
        let (deleted, inserted, sold) = (rows.deleted.0.len(), rows.inserted.len(), rows.sold.0.len());
        self.push(&statements.claim_free, rows.freed.0.len(), vec![Box::new(rows.freed.0), Box::new(rows.freed.1)]);
        self.push(&statements.claim_delete, deleted, vec![Box::new(rows.deleted.0), Box::new(rows.deleted.1)]);
        let capacity = i32::try_from(lane.house().capacity()).unwrap_or(i32::MAX);
        self.push(&statements.claim_insert, inserted, rows.inserted.parameters(capacity, seq));
        let parameters: Parameters =
            vec![Box::new(seq), Box::new(rows.sold.0), Box::new(rows.sold.1), Box::new(rows.sold.2)];
        self.push(&statements.claim_sell, sold, parameters);
    }

    fn steps(&mut self, changes: &Changes) {
        let statements = &self.connection.statements;
        for (step, orders) in &changes.order_steps {
            let ids: Vec<Uuid> = orders.iter().map(|OrderId(id)| *id).collect();
            self.push(&statements.order_step, ids.len(), vec![Box::new(ids), Box::new(step.state().as_str())]);
        }
        for (step, payments) in &changes.payment_steps {
            let ids: Vec<Uuid> = payments.keys().map(|PaymentId(id)| *id).collect();
            let reasons: Vec<Option<String>> = payments.values().cloned().collect();
            let parameters: Parameters = vec![Box::new(ids), Box::new(reasons), Box::new(step.as_str())];
            self.push(&statements.payment_step, payments.len(), parameters);
        }
        let refunded: Vec<Uuid> = changes.refunded.iter().map(|PaymentId(id)| *id).collect();
        self.push(&statements.payment_refund, refunded.len(), vec![Box::new(refunded)]);
        self.tickets(changes);
        let topics: Vec<&'static str> = changes.effects.values().map(|topic| topic.as_str()).collect();
        let payments: Vec<Uuid> = changes.effects.keys().map(|payment| payment.0).collect();
        self.push(&statements.outbox_insert, topics.len(), vec![Box::new(topics), Box::new(payments)]);
    }

    fn tickets(&mut self, changes: &Changes) {
        let tickets = &changes.tickets;
        let ids: Vec<Uuid> = tickets.iter().map(|new| new.ticket.0).collect();
        let seats: Vec<i32> = tickets.iter().map(|new| super::rows::seat_number(new.seat)).collect();
        let orders: Vec<Uuid> = tickets.iter().map(|new| new.order.0).collect();
        let holders: Vec<Uuid> = tickets.iter().map(|new| new.holder.0).collect();
        let states: Vec<&'static str> = tickets.iter().map(|new| if new.void { "void" } else { "valid" }).collect();
        let parameters: Parameters =
            vec![Box::new(ids), Box::new(seats), Box::new(orders), Box::new(holders), Box::new(states)];
        self.push(&self.connection.statements.ticket_insert, tickets.len(), parameters);
    }

    /// The line, after the holds that it was left for. Who leaves makes room first: one may have a place again.
    fn line(&mut self, changes: &Changes, seq: i64) -> Result<(), WriteError> {
        let statements = &self.connection.statements;
        let hold_id = |state: PlaceState| state.hold().map(|HoldId(id)| id);
        let left: Vec<i64> = changes.places_left.keys().copied().collect();
        let holds: Vec<Option<Uuid>> = changes.places_left.values().map(|state| hold_id(*state)).collect();
        self.push(&statements.waiting_leave, left.len(), vec![Box::new(left), Box::new(holds)]);
        let new = changes.places_new.values();
        let places: Vec<i64> = changes.places_new.keys().copied().collect();
        let users: Vec<Uuid> = new.clone().map(|new| new.buyer.0).collect();
        let wants = new.clone().map(|new| serde_json::to_string(&new.want)).collect::<Result<Vec<_>, _>>()?;
        let states: Vec<&'static str> = new.clone().map(|new| new.state.as_str()).collect();
        let holds: Vec<Option<Uuid>> = new.map(|new| hold_id(new.state)).collect();
        let count = places.len();
        let parameters: Parameters =
            vec![Box::new(seq), Box::new(places), Box::new(users), Box::new(wants), Box::new(states), Box::new(holds)];
        self.push(&statements.waiting_insert, count, parameters);
        Ok(())
    }

    fn counts(&mut self, changes: &Changes, lane: &Lane, version: u64) {
        let statements = &self.connection.statements;
        let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let users: Vec<Uuid> = changes.buyers.iter().map(|user| user.0).collect();
        let seats: Vec<i32> = changes.buyers.iter().map(|user| number(lane.seats_of(*user) as usize)).collect();
        let limit = number(lane.terms().buyer_limit as usize);
        self.push(&statements.quota_upsert, users.len(), vec![Box::new(limit), Box::new(users), Box::new(seats)]);
        // Nothing for sale and nothing sold: there is no availability to show, and the table takes none.
        if !changes.claims.is_empty() && lane.seats_total() > 0 {
            let (total, left) = (number(lane.seats_total()), number(lane.seats_left()));
            let parameters: Parameters = vec![
                Box::new(lane.terms().slot),
                Box::new(i64::try_from(version).unwrap_or(i64::MAX)),
                Box::new(total),
                Box::new(left),
                Box::new(lane.price_min()),
            ];
            self.push(&statements.availability_upsert, 1, parameters);
        }
    }
}
