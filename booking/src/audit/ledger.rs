//! What a log's facts come to, followed one by one; a fact that could not be decided then is refused.

mod exchange;
mod line;

use super::sheet::{Sheet, text};
use crate::digest::Digest;
use crate::lane::fact::Fact;
use crate::lane::{AttemptState, PlaceState};
use crate::order::OrderState;
use crate::reservation::HoldState;
use jiff::Timestamp;
use line::Places;
use model::charge::Line;
use model::{HoldId, OrderId, PaymentId, SeatNo, TicketId, UserId};
use std::collections::{BTreeMap, HashMap};

/// Why a fact could not be.
type Why = &'static str;

/// The outcome so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    seats: BTreeMap<SeatNo, Claim>,
    holds: HashMap<HoldId, Hold>,
    keys: HashMap<(UserId, String), HoldId>,
    orders: HashMap<OrderId, Order>,
    order_of: HashMap<HoldId, OrderId>,
    payments: HashMap<PaymentId, Payment>,
    tickets: HashMap<TicketId, Ticket>,
    line: Places,
}

#[derive(Clone, Debug)]
struct Claim {
    hold: HoldId,
    order: Option<OrderId>,
    price: i64,
    seq: i64,
}

#[derive(Clone, Debug)]
struct Hold {
    buyer: UserId,
    seq: i64,
    key: String,
    request: Digest,
    seats: Vec<SeatNo>,
    /// Those it was made with, once it has others.
    first_seats: Option<Vec<SeatNo>>,
    prices: Vec<i64>,
    code: Option<String>,
    extras: Vec<Line>,
    first_expires_at: Timestamp,
    expires_at: Timestamp,
    extended: bool,
    state: HoldState,
}

impl Hold {
    fn total(&self) -> i64 {
        self.prices.iter().sum::<i64>() + self.extras.iter().map(|line| line.amount).sum::<i64>()
    }
}

#[derive(Clone, Debug)]
struct Ticket {
    seat: SeatNo,
    order: OrderId,
    live: bool,
}

#[derive(Clone, Debug)]
struct Order {
    hold: HoldId,
    buyer: UserId,
    total: i64,
    state: OrderState,
}

#[derive(Clone, Debug)]
struct Payment {
    order: OrderId,
    key: String,
    amount: i64,
    state: AttemptState,
}

impl Ledger {
    /// Takes in one fact of entry `seq`, which was written `at`.
    pub(crate) fn follow(&mut self, (seq, at): (i64, Timestamp), fact: &Fact) -> Result<(), Why> {
        match fact {
            Fact::Held { hold, buyer, key, request, seats, prices, code, extras, expires_at } => {
                let made = Hold {
                    buyer: *buyer,
                    seq,
                    key: key.clone(),
                    request: *request,
                    seats: seats.clone(),
                    first_seats: None,
                    prices: prices.clone(),
                    code: code.clone(),
                    extras: extras.clone(),
                    first_expires_at: *expires_at,
                    expires_at: *expires_at,
                    extended: false,
                    state: HoldState::Held,
                };
                if seats.is_empty() || seats.len() != prices.len() {
                    return Err("a hold has seats, and each its price");
                }
                let adds_up = |line: &Line| line.unit * i64::from(line.quantity) == line.amount;
                if !extras.iter().all(adds_up) || made.total() < 0 {
                    return Err("a line is so many times its unit, and all of them no less than nothing");
                }
                if self.keys.insert((*buyer, key.clone()), *hold).is_some() {
                    return Err("the buyer's key has a hold already");
                }
                if self.holds.insert(*hold, made).is_some() {
                    return Err("the hold was made before");
                }
                self.claim(*hold, seq)
            }
            Fact::Extended { hold, expires_at } => {
                let hold = self.live(*hold)?;
                if hold.extended || *expires_at < hold.expires_at {
                    return Err("a hold gets more time once");
                }
                (hold.extended, hold.expires_at) = (true, *expires_at);
                Ok(())
            }
            Fact::Released { hold, buyer, seats } => self.free(*hold, (*buyer, seats), HoldState::Released),
            Fact::Expired { hold, buyer, seats } => {
                if self.live(*hold)?.expires_at > at {
                    return Err("the hold's time was not over");
                }
                self.free(*hold, (*buyer, seats), HoldState::Expired)
            }
            _ => self.follow_order(seq, fact),
        }
    }

    fn follow_order(&mut self, seq: i64, fact: &Fact) -> Result<(), Why> {
        match fact {
            Fact::Ordered { order, hold, buyer, total } => {
                let of = self.live(*hold)?;
                if of.buyer != *buyer || of.total() != *total {
                    return Err("an order is its hold's buyer's and costs what the hold costs");
                }
                let new = Order { hold: *hold, buyer: *buyer, total: *total, state: OrderState::Pending };
                let again = self.order_of.insert(*hold, *order).is_some();
                if again || self.orders.insert(*order, new).is_some() {
                    return Err("the order was made before");
                }
                Ok(())
            }
            Fact::Lapsed { order } => self.step(*order, OrderState::Expired),
            Fact::Attempted { order, payment, key, amount } => {
                let of = self.orders.get(order).ok_or("there is no such order")?;
                if of.total != *amount {
                    return Err("an attempt asks for its order's price");
                }
                let new = Payment { order: *order, key: key.clone(), amount: *amount, state: AttemptState::Created };
                if self.payments.insert(*payment, new).is_some() {
                    return Err("the attempt was made before");
                }
                Ok(())
            }
            Fact::Declined { order, payment, .. } => {
                self.attempt((*order, *payment), AttemptState::Declined, &[AttemptState::Created])
            }
            Fact::Authorized { order, payment } => {
                self.step(*order, OrderState::Authorized)?;
                self.authorize(*order, *payment)
            }
            Fact::Reclaimed { order, hold, buyer, seats, .. } => {
                let of = self.orders.get(order).ok_or("there is no such order")?;
                let kept = self.holds.get_mut(hold).ok_or("there is no such hold")?;
                if of.hold != *hold || kept.buyer != *buyer || kept.seats != *seats || kept.state != HoldState::Expired
                {
                    return Err("an order gets the seats again that it lost to time");
                }
                kept.state = HoldState::Held;
                self.claim(*hold, seq)
            }
            Fact::Sold { order, payment, hold, buyer, seats, tickets } => {
                self.step(*order, OrderState::Confirmed)?;
                let ids = (*order, *payment);
                self.attempt(ids, AttemptState::Capturing, &[AttemptState::Authorized])?;
                self.sell((*order, seq), (*hold, *buyer, seats), tickets)
            }
            Fact::Voided { order, payment } => {
                self.step(*order, OrderState::Voided)?;
                self.attempt((*order, *payment), AttemptState::Voiding, &[AttemptState::Authorized])
            }
            Fact::Surplus { order, payment } => {
                self.authorize(*order, *payment)?;
                self.attempt((*order, *payment), AttemptState::Voiding, &[AttemptState::Authorized])
            }
            Fact::Captured { order, payment } => {
                self.step(*order, OrderState::Captured)?;
                self.attempt((*order, *payment), AttemptState::Captured, &[AttemptState::Capturing])
            }
            Fact::Dropped { order, payment } => {
                let from = [AttemptState::Created, AttemptState::Declined, AttemptState::Voiding];
                self.attempt((*order, *payment), AttemptState::Voided, &from)
            }
            _ => self.follow_refund(seq, fact),
        }
    }

    fn follow_refund(&mut self, seq: i64, fact: &Fact) -> Result<(), Why> {
        match fact {
            Fact::Undone { order, buyer, seats, .. } => {
                self.step(*order, OrderState::Refunding)?;
                self.undo(*order, (*buyer, seats))
            }
            Fact::Exchanged { order, hold, buyer, gave, took, prices, seats, tickets } => {
                self.swap((*order, *hold, *buyer), (gave, took, prices), seats)?;
                self.give_new((*order, *hold, seq), (took, prices), tickets)
            }
            Fact::Taken { order, payment } => {
                self.is_refunding(*order)?;
                self.attempt((*order, *payment), AttemptState::Captured, &[AttemptState::Capturing])
            }
            Fact::AskedBack { order, payment } => {
                self.is_refunding(*order)?;
                self.attempt((*order, *payment), AttemptState::Captured, &[AttemptState::Captured])
            }
            Fact::Refunded { order, payment } => {
                self.step(*order, OrderState::Refunded)?;
                self.attempt((*order, *payment), AttemptState::Captured, &[AttemptState::Captured])
            }
            Fact::Uncollected { order, payment } => {
                self.step(*order, OrderState::Refunded)?;
                self.attempt((*order, *payment), AttemptState::Voided, &[AttemptState::Capturing])
            }
            Fact::Returning { order, payment } => {
                let from = [AttemptState::Created, AttemptState::Declined, AttemptState::Voiding, AttemptState::Voided];
                self.attempt((*order, *payment), AttemptState::Returning, &from)
            }
            Fact::Returned { order, payment } => {
                self.attempt((*order, *payment), AttemptState::Returned, &[AttemptState::Returning])
            }
            Fact::Joined { place, buyer, want } => self.line.join((seq, *place), *buyer, want),
            Fact::Left { place, buyer } => self.line.leave(*place, *buyer, PlaceState::Left),
            Fact::Offered { place, buyer, hold } => {
                if self.holds.contains_key(hold) {
                    return Err("an offer's hold is made with it");
                }
                self.line.leave(*place, *buyer, PlaceState::Offered(*hold))
            }
            _ => Ok(()),
        }
    }

    fn is_refunding(&self, order: OrderId) -> Result<(), Why> {
        match self.orders.get(&order) {
            Some(order) if order.state == OrderState::Refunding => Ok(()),
            Some(_) | None => Err("no refund of the order is under way"),
        }
    }

    /// A sold order's seats are nobody's, its tickets dead.
    fn undo(&mut self, order: OrderId, of: (UserId, &[SeatNo])) -> Result<(), Why> {
        let sold = self.orders.get(&order).and_then(|order| self.holds.get(&order.hold));
        if sold.is_none_or(|hold| (hold.buyer, hold.seats.as_slice()) != of || hold.state != HoldState::Sold) {
            return Err("an order goes back as it was sold, all of it");
        }
        for seat in of.1 {
            if self.seats.remove(seat).and_then(|claim| claim.order) != Some(order) {
                return Err("a seat of it was not the order's");
            }
        }
        for ticket in self.tickets.values_mut().filter(|ticket| ticket.order == order) {
            ticket.live = false;
        }
        Ok(())
    }

    fn live(&mut self, hold: HoldId) -> Result<&mut Hold, Why> {
        let hold = self.holds.get_mut(&hold).ok_or("there is no such hold")?;
        if hold.state == HoldState::Held { Ok(hold) } else { Err("the hold is not live") }
    }

    /// A live hold's seats, which nobody may have.
    fn claim(&mut self, hold: HoldId, seq: i64) -> Result<(), Why> {
        let Hold { seats, prices, .. } = &self.holds[&hold];
        for (seat, price) in seats.iter().zip(prices) {
            let claim = Claim { hold, order: None, price: *price, seq };
            if self.seats.insert(*seat, claim).is_some() {
                return Err("a seat of it was somebody's");
            }
        }
        Ok(())
    }

    fn free(&mut self, hold: HoldId, of: (UserId, &[SeatNo]), state: HoldState) -> Result<(), Why> {
        let kept = self.live(hold)?;
        if (kept.buyer, kept.seats.as_slice()) != of {
            return Err("a hold goes as it came, all of it");
        }
        kept.state = state;
        for seat in of.1 {
            self.seats.remove(seat);
        }
        Ok(())
    }

    fn sell(
        &mut self,
        (order, seq): (OrderId, i64),
        (hold, buyer, seats): (HoldId, UserId, &[SeatNo]),
        tickets: &[TicketId],
    ) -> Result<(), Why> {
        let is_its = self.orders.get(&order).is_some_and(|order| order.hold == hold);
        let kept = self.live(hold)?;
        if !is_its || kept.buyer != buyer || kept.seats != seats || tickets.len() != seats.len() {
            return Err("an order buys its hold's seats, all of them, with a ticket each");
        }
        kept.state = HoldState::Sold;
        for (seat, ticket) in seats.iter().zip(tickets) {
            if let Some(claim) = self.seats.get_mut(seat) {
                (claim.order, claim.seq) = (Some(order), seq);
            }
            if self.tickets.insert(*ticket, Ticket { seat: *seat, order, live: true }).is_some() {
                return Err("the ticket was issued before");
            }
        }
        Ok(())
    }

    fn step(&mut self, order: OrderId, to: OrderState) -> Result<(), Why> {
        let order = self.orders.get_mut(&order).ok_or("there is no such order")?;
        if !order.state.may_become(to) {
            return Err("an order does not take this step");
        }
        order.state = to;
        Ok(())
    }

    fn authorize(&mut self, order: OrderId, payment: PaymentId) -> Result<(), Why> {
        self.attempt((order, payment), AttemptState::Authorized, &[AttemptState::Created, AttemptState::Declined])
    }

    fn attempt(
        &mut self,
        (order, payment): (OrderId, PaymentId),
        to: AttemptState,
        from: &[AttemptState],
    ) -> Result<(), Why> {
        let payment = self.payments.get_mut(&payment).ok_or("there is no such attempt")?;
        if payment.order != order || !from.contains(&payment.state) {
            return Err("an attempt does not take this step");
        }
        payment.state = to;
        Ok(())
    }
}

/// What it came to.
impl Ledger {
    pub(crate) fn is_claimed(&self, seat: SeatNo) -> bool {
        self.seats.contains_key(&seat)
    }

    pub(super) fn has_claims(&self) -> bool {
        !self.seats.is_empty()
    }

    /// Holds, orders and tickets ever made; seats that are somebody's.
    pub(super) fn counts(&self) -> (usize, usize, usize, usize) {
        (self.holds.len(), self.orders.len(), self.tickets.len(), self.seats.len())
    }

    /// The rows that the tables must have.
    pub(super) fn sheets(&self) -> [Sheet; 8] {
        let mut holds = Sheet::new("hold");
        for (id, hold) in &self.holds {
            let columns = vec![
                ("user_id", hold.buyer.to_string()),
                ("seq", hold.seq.to_string()),
                ("idem_key", hold.key.clone()),
                ("request_hash", text(hold.request.0)),
                ("seat_nos", text(&hold.seats)),
                ("first_seat_nos", text(&hold.first_seats)),
                ("prices", text(&hold.prices)),
                ("code", text(&hold.code)),
                ("extras", text(&hold.extras)),
                ("total", hold.total().to_string()),
                ("state", hold.state.as_str().to_owned()),
                ("first_expires_at", hold.first_expires_at.to_string()),
                ("expires_at", hold.expires_at.to_string()),
                ("extended", hold.extended.to_string()),
            ];
            holds.add(id, columns);
        }
        let mut claims = Sheet::new("claim");
        for (seat, claim) in &self.seats {
            let columns = vec![
                ("kind", i16::from(claim.order.is_some()).to_string()),
                ("hold_id", claim.hold.to_string()),
                ("order_id", text(claim.order.map(|order| order.0))),
                ("seq", claim.seq.to_string()),
                ("price", claim.price.to_string()),
            ];
            claims.add(&format!("seat {seat:06}"), columns);
        }
        let mut orders = Sheet::new("orders");
        for (id, order) in &self.orders {
            let columns = vec![
                ("hold_id", order.hold.to_string()),
                ("user_id", order.buyer.to_string()),
                ("total", order.total.to_string()),
                ("state", order.state.as_str().to_owned()),
            ];
            orders.add(id, columns);
        }
        let mut payments = Sheet::new("payment");
        for (id, payment) in &self.payments {
            let columns = vec![
                ("order_id", payment.order.to_string()),
                ("idem_key", payment.key.clone()),
                ("amount", payment.amount.to_string()),
                ("state", payment.state.as_str().to_owned()),
            ];
            payments.add(id, columns);
        }
        let mut tickets = Sheet::new("ticket");
        for (id, ticket) in &self.tickets {
            let columns = vec![
                ("seat_no", ticket.seat.to_string()),
                ("order_id", ticket.order.to_string()),
                ("live", ticket.live.to_string()),
            ];
            tickets.add(id, columns);
        }
        [holds, claims, orders, payments, tickets, self.quotas(), self.codes(), self.line.sheet()]
    }

    /// What of each code is taken: by holds that live or were sold.
    fn codes(&self) -> Sheet {
        let mut taken: HashMap<&str, (usize, usize)> = HashMap::new();
        for hold in self.holds.values().filter(|hold| matches!(hold.state, HoldState::Held | HoldState::Sold)) {
            if let Some(code) = &hold.code {
                let (uses, seats) = taken.entry(code).or_default();
                (*uses, *seats) = (*uses + 1, *seats + hold.seats.len());
            }
        }
        let mut codes = Sheet::new("sale_code");
        for (code, (uses, seats)) in taken {
            codes.add(&code, vec![("uses", uses.to_string()), ("seats", seats.to_string())]);
        }
        codes
    }

    fn quotas(&self) -> Sheet {
        let mut seats: HashMap<UserId, i32> = HashMap::new();
        for claim in self.seats.values() {
            *seats.entry(self.holds[&claim.hold].buyer).or_default() += 1;
        }
        let mut quotas = Sheet::new("buyer_quota");
        for (user, seats) in seats {
            quotas.add(&user, vec![("seats", seats.to_string())]);
        }
        quotas
    }
}
