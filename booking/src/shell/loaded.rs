//! A lane taken over and read from the tables: the epoch first, which fences every other writer out, then the state.
//!
//! What is read after the epoch moved can only be changed by us, so the reads need no common snapshot. The terms can change
//! under them; then the lane's `terms` number has moved and the first batch is fenced out.

use super::access;
use super::connection::{Connection, Stalled};
use super::recall::{Asked, RECALLED_MAX, Recalled, Told};
use crate::clock::Clock;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::lane::access::Access;
use crate::lane::house::House;
use crate::lane::{Attempt, AttemptState, Basis, Done, Hold, Lane, LaneOrder, Terms, Waiting};
use crate::order::OrderState;
use crate::plans::Plans;
use crate::reservation::{HoldState, Receipt};
use futures::future::try_join_all;
use model::charge::Line;
use model::{EventId, HoldId, OrderId, PaymentId, SeatNo, TicketId, TierNo, UserId};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Where a lane stands: what the next batch must follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) epoch: i64,
    pub(super) seq: i64,
    pub(super) head: Digest,
    pub(super) terms: i64,
}

impl Place {
    /// The version of the seat map and of the availability: grows with every batch and every change of terms.
    pub(super) fn version(&self) -> u64 {
        u64::try_from(self.seq + self.terms).unwrap_or_default()
    }

    /// Whether this is `before` taken again, and nobody had the lane in between.
    pub(super) fn follows(&self, before: &Self) -> bool {
        self.epoch == before.epoch + 1
    }

    /// The place of the last batch in the log.
    pub(super) fn receipt(&self) -> Receipt {
        Receipt { seq: self.seq, hash: self.head }
    }
}

/// Why a lane was not loaded.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// There is no such event.
    #[error("there is no such event")]
    NoSuchEvent,
    /// Another process has the lane, and so long a lease.
    #[error("another process serves the event")]
    Elsewhere { left: Duration },
    /// The database failed us.
    #[error("load a lane")]
    Failed(#[from] Failure),
}

impl LoadError {
    /// What lies beneath it, in words.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::NoSuchEvent | Self::Elsewhere { .. } => self.to_string(),
            Self::Failed(failure) => failure.cause(),
        }
    }
}

impl From<tokio_postgres::Error> for LoadError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Stalled> for LoadError {
    fn from(stalled: Stalled) -> Self {
        Self::Failed(stalled.into())
    }
}

/// A ticket that its order's buyer cannot give back.
#[derive(Clone, Copy, Debug)]
pub(super) struct GoneTicket {
    pub(super) order: OrderId,
    pub(super) seat: SeatNo,
    pub(super) ticket: TicketId,
}

/// What a load reads with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) connection: &'a Connection,
    pub(super) event: EventId,
    pub(super) plans: &'a Plans,
}

impl Source<'_> {
    /// Takes the lane over, if nobody else has it, and reads its state.
    pub(super) async fn take(&self, owner: &str, clock: &Clock) -> Result<(Place, Lane), LoadError> {
        let Connection { client, statements, .. } = self.connection;
        let mut row = client.query_opt(&statements.lane_take, &[&self.event.0, &owner]).await?;
        if row.is_none() && client.execute(&statements.lane_make, &[&self.event.0]).await? == 1 {
            row = client.query_opt(&statements.lane_take, &[&self.event.0, &owner]).await?;
        }
        let Some(row) = row else { return Err(self.elsewhere().await?) };
        clock.set(row.try_get(4)?);
        let place =
            Place { epoch: row.try_get(0)?, seq: row.try_get(1)?, head: digest(&row, "head")?, terms: row.try_get(3)? };
        let (house, terms) = self.terms().await?;
        let (access, used) = access::read(self).await?;
        let mut lane = Lane::new(house, Terms { access, ..terms });
        for (code, used) in used {
            lane.restore_code(code, used);
        }
        let holds = client.query(&statements.hold_live, &[&self.event.0]).await?;
        let holds = holds.iter().map(|row| hold(row, lane.basis())).collect::<Result<Vec<_>, _>>()?;
        let ids: Vec<Uuid> = holds.iter().map(|hold| hold.id.0).collect();
        for row in client.query(&statements.quota_all, &[&self.event.0]).await? {
            lane.restore_quota(UserId(row.try_get(0)?), u32::try_from(row.try_get::<_, i32>(1)?).unwrap_or_default());
        }
        for hold in holds {
            lane.restore_hold(hold);
        }
        for row in client.query(&statements.claim_sold, &[&self.event.0]).await? {
            lane.restore_sold(seat_no(row.try_get(0)?));
        }
        for order in self.orders(&lane, Vec::new(), ids).await? {
            lane.adopt(order);
        }
        lane.restore_line(self.line().await?);
        Ok((place, lane))
    }

    /// Who waits, and everybody's last place.
    async fn line(&self) -> Result<Waiting, LoadError> {
        let Connection { client, statements, .. } = self.connection;
        let mut of = HashMap::new();
        for row in client.query(&statements.waiting_last, &[&self.event.0]).await? {
            of.insert(UserId(row.try_get(0)?), row.try_get(1)?);
        }
        let mut places = Vec::new();
        for row in client.query(&statements.waiting_line, &[&self.event.0]).await? {
            let want = serde_json::from_str(row.try_get(2)?).map_err(Failure::new)?;
            places.push((row.try_get(0)?, UserId(row.try_get(1)?), want));
        }
        Ok(Waiting::new(places, of))
    }

    /// Why the lane could not be taken.
    async fn elsewhere(&self) -> Result<LoadError, LoadError> {
        let Connection { client, statements, .. } = self.connection;
        let row = client.query_opt(&statements.lane_left, &[&self.event.0]).await?.ok_or(LoadError::NoSuchEvent)?;
        // Nothing left: its owner has gone since.
        let left_ms = u64::try_from(row.try_get::<_, Option<i64>>(0)?.unwrap_or_default()).unwrap_or_default();
        Ok(LoadError::Elsewhere { left: Duration::from_millis(left_ms) })
    }

    /// Gives the lane up, if it is still ours.
    pub(super) async fn give_up(&self, epoch: i64, owner: &str) -> Result<(), LoadError> {
        let Connection { client, statements, .. } = self.connection;
        client.execute(&statements.lane_give_up, &[&self.event.0, &epoch, &owner]).await?;
        Ok(())
    }

    /// Where the lane stands now, whoever has it: epoch, seq, terms.
    pub(super) async fn look(&self) -> Result<(i64, i64, i64), LoadError> {
        let Connection { client, statements, .. } = self.connection;
        let row = client.query_opt(&statements.lane_look, &[&self.event.0]).await?.ok_or(LoadError::NoSuchEvent)?;
        Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
    }

    async fn terms(&self) -> Result<(Arc<House>, Terms), LoadError> {
        let Connection { client, statements, .. } = self.connection;
        let row = client.query_opt(&statements.event_terms, &[&self.event.0]).await?.ok_or(LoadError::NoSuchEvent)?;
        let mut prices = HashMap::new();
        for tier in client.query(&statements.event_tiers, &[&self.event.0]).await? {
            let number: i16 = tier.try_get(0)?;
            prices.insert(TierNo::try_from(number).unwrap_or_default(), tier.try_get(1)?);
        }
        let layout: String = row.try_get(1)?;
        let house = if let Some(house) = self.plans.get(&layout) {
            house
        } else {
            let plan = client.query_one(&statements.layout_plan, &[&layout]).await?;
            self.plans.add(layout, plan.try_get(0)?)?
        };
        let terms = Terms {
            slot: row.try_get(0)?,
            opens_at: row.try_get(4)?,
            closes_at: row.try_get(5)?,
            cancelled: row.try_get::<_, &str>(8)? == "cancelled",
            hold_ttl_s: row.try_get::<_, i32>(6)?.into(),
            buyer_limit: u32::try_from(row.try_get::<_, i32>(7)?).unwrap_or_default(),
            refundable_until: row.try_get(9)?,
            offer_ttl_s: row.try_get::<_, i32>(10)?.into(),
            currency: row.try_get::<_, &str>(3)?.parse().map_err(Failure::new)?,
            prices,
            charges: access::charges(self).await?,
            access: Access::default(),
        };
        Ok((house, terms))
    }

    /// Orders by their ids or their holds', with their attempts.
    pub(super) async fn orders(
        &self,
        lane: &Lane,
        orders: Vec<Uuid>,
        holds: Vec<Uuid>,
    ) -> Result<Vec<LaneOrder>, LoadError> {
        if orders.is_empty() && holds.is_empty() {
            return Ok(Vec::new());
        }
        let Connection { client, statements, .. } = self.connection;
        let mut found = HashMap::new();
        for row in client.query(&statements.order_find, &[&self.event.0, &orders, &holds]).await? {
            let order = OrderId(row.try_get("order_id")?);
            let state = OrderState::parse(row.try_get("order_state")?).ok_or_else(|| unreadable("orders.state"))?;
            let hold = hold(&row, lane.basis())?;
            found.insert(order, LaneOrder { order, hold, state, attempts: Vec::new() });
        }
        let ids: Vec<Uuid> = found.keys().map(|order| order.0).collect();
        for row in client.query(&statements.payment_find, &[&self.event.0, &ids]).await? {
            let attempt = Attempt {
                payment: PaymentId(row.try_get(1)?),
                key: row.try_get(2)?,
                state: AttemptState::parse(row.try_get(3)?).ok_or_else(|| unreadable("payment.state"))?,
            };
            if let Some(order) = found.get_mut(&OrderId(row.try_get(0)?)) {
                order.attempts.push(attempt);
            }
        }
        Ok(found.into_values().collect())
    }

    /// Tickets of orders, each with who would give it back, that let somebody in or are another's by now.
    pub(super) async fn gone(&self, given: &[(OrderId, UserId)]) -> Result<Vec<GoneTicket>, LoadError> {
        if given.is_empty() {
            return Ok(Vec::new());
        }
        let Connection { client, statements, .. } = self.connection;
        let (orders, holders): (Vec<Uuid>, Vec<Uuid>) = given.iter().map(|(order, buyer)| (order.0, buyer.0)).unzip();
        let rows = client.query(&statements.ticket_gone, &[&self.event.0, &orders, &holders]).await?;
        let gone = rows.iter().map(|row| {
            let (order, ticket) = (OrderId(row.try_get(0)?), TicketId(row.try_get(2)?));
            Ok(GoneTicket { order, seat: seat_no(row.try_get(1)?), ticket })
        });
        gone.collect()
    }

    /// Requests of the last day, of each kind oldest first.
    pub(super) async fn recent(&self, lane: &Lane) -> Result<Vec<Recalled>, LoadError> {
        let Connection { client, statements, .. } = self.connection;
        let max = i64::try_from(RECALLED_MAX).map_err(Failure::new)?;
        let holds = client.query(&statements.hold_recent, &[&self.event.0, &max]).await?;
        let attempts = client.query(&statements.payment_recent, &[&self.event.0, &max]).await?;
        let holds = holds.iter().rev().map(|row| reserved(row, lane.basis()));
        holds.chain(attempts.iter().rev().map(bought)).collect()
    }

    /// Requests made before under these keys.
    pub(super) async fn by_keys(&self, lane: &Lane, keys: &[(UserId, String)]) -> Result<Vec<Recalled>, LoadError> {
        let Connection { client, statements, .. } = self.connection;
        let chunks = keys.chunks(4_096).map(|keys| {
            let (users, keys): (Vec<Uuid>, Vec<&str>) = keys.iter().map(|(user, key)| (user.0, key.as_str())).unzip();
            async move {
                let parameters: [&(dyn ToSql + Sync); 3] = [&self.event.0, &users, &keys];
                let holds = client.query(&statements.hold_by_key, &parameters);
                futures::try_join!(holds, client.query(&statements.payment_by_key, &parameters))
            }
        });
        let mut found = Vec::new();
        for (holds, attempts) in try_join_all(chunks).await? {
            for row in &holds {
                found.push(reserved(row, lane.basis())?);
            }
            for row in &attempts {
                found.push(bought(row)?);
            }
        }
        Ok(found)
    }
}

fn hold(row: &Row, now: &Arc<Basis>) -> Result<Hold, LoadError> {
    Ok(Hold {
        id: HoldId(row.try_get("hold_id")?),
        buyer: UserId(row.try_get("user_id")?),
        seats: row.try_get::<_, Vec<i32>>("seat_nos")?.into_iter().map(seat_no).collect(),
        prices: row.try_get("prices")?,
        code: row.try_get("code")?,
        extras: extras(row)?,
        expires_at: row.try_get("expires_at")?,
        extended: row.try_get("extended")?,
        state: HoldState::parse(row.try_get("state")?).ok_or_else(|| unreadable("hold.state"))?,
        basis: basis(row, now)?,
    })
}

fn extras(row: &Row) -> Result<Vec<Line>, LoadError> {
    let json: Option<&str> = row.try_get("extras")?;
    json.map_or(Ok(Vec::new()), |json| serde_json::from_str(json).map_err(|_| unreadable("hold.extras")))
}

/// What a hold was made under; most often what its event sells under now.
fn basis(row: &Row, now: &Arc<Basis>) -> Result<Arc<Basis>, LoadError> {
    let (layout, currency): (&str, &str) = (row.try_get("layout_hash")?, row.try_get("currency")?);
    let currency = currency.parse().map_err(Failure::new)?;
    if layout == now.layout && currency == now.currency {
        return Ok(Arc::clone(now));
    }
    Ok(Arc::new(Basis { layout: layout.to_owned(), currency }))
}

/// A past request for seats with the answer it got first.
fn reserved(row: &Row, now: &Arc<Basis>) -> Result<Recalled, LoadError> {
    let buyer = UserId(row.try_get("user_id")?);
    let done = Done::Held(Hold {
        id: HoldId(row.try_get("hold_id")?),
        buyer,
        seats: row.try_get::<_, Vec<i32>>("seat_nos")?.into_iter().map(seat_no).collect(),
        prices: row.try_get("prices")?,
        code: row.try_get("code")?,
        extras: extras(row)?,
        expires_at: row.try_get("first_expires_at")?,
        extended: false,
        state: HoldState::Held,
        basis: basis(row, now)?,
    });
    let receipt = Receipt { seq: row.try_get("seq")?, hash: digest(row, "hash")? };
    let asked = Asked::Reserve(digest(row, "request_hash")?);
    Ok(Recalled { buyer, key: row.try_get("idem_key")?, asked, told: Told { done, receipt: Some(receipt) } })
}

/// A past request to buy with the attempt it got first.
fn bought(row: &Row) -> Result<Recalled, LoadError> {
    let done = Done::Checkout { order: OrderId(row.try_get(2)?), payment: PaymentId(row.try_get(3)?) };
    let told = Told { done, receipt: None };
    Ok(Recalled { buyer: UserId(row.try_get(0)?), key: row.try_get(1)?, asked: Asked::Buy, told })
}

fn digest(row: &Row, column: &'static str) -> Result<Digest, LoadError> {
    row.try_get::<_, Vec<u8>>(column)?.try_into().map(Digest).map_err(|_| unreadable(column))
}

fn seat_no(number: i32) -> SeatNo {
    SeatNo::try_from(number).unwrap_or(SeatNo::MAX)
}

/// A column holds a word this program does not know.
#[derive(Debug, thiserror::Error)]
#[error("{0} holds an unknown value")]
struct Unreadable(&'static str);

pub(super) fn unreadable(column: &'static str) -> LoadError {
    LoadError::Failed(Failure::new(Unreadable(column)))
}
