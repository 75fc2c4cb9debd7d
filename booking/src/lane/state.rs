//! A lane's state and the one function that changes it, `apply`.
//!
//! Invariant: `free`, the runs per row, the counts per tier, the buyers' seats and the expiries follow from the holds and sold seats.

mod view;

use super::access::Used;
use super::best::{Hint, runs};
use super::bits::Bits;
use super::fact::Fact;
use super::house::House;
use super::{Attempt, AttemptState, Basis, Hold, LaneOrder, Terms, Waiting};
use crate::order::OrderState;
use crate::reservation::{BestAvailable, HoldState};
use crate::seats::SeatState;
use jiff::Timestamp;
use model::charge::Bill;
use model::{HoldId, OrderId, PaymentId, SeatNo, TierNo, UserId};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Orders without a live hold kept in memory; beyond it they are read again when needed.
const ORDERS_MAX: usize = 4_096;

/// What is known of an event's seats.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    house: Arc<House>,
    terms: Terms,
    basis: Arc<Basis>,
    /// What one ticket of a tier costs, everything in.
    all_in: HashMap<TierNo, i64>,
    /// Whose each seat is.
    seats: Vec<SeatState>,
    free: Bits,
    /// Of each row, its runs of free seats.
    runs: Vec<u64>,
    tier_free: Vec<u32>,
    holds: HashMap<HoldId, Hold>,
    buyers: HashMap<UserId, Buyer>,
    /// Of each code that is or was used.
    used: HashMap<String, Used>,
    expiries: BTreeSet<(Timestamp, HoldId)>,
    orders: HashMap<OrderId, LaneOrder>,
    order_of: HashMap<HoldId, OrderId>,
    hopeless: HashSet<BestAvailable>,
    hints: HashMap<BestAvailable, Hint>,
    pub(super) line: Waiting,
    /// Seats came back since the line was last looked at.
    pub(super) returned: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Buyer {
    /// Held and sold.
    seats: u32,
    /// Live holds, oldest first.
    holds: Vec<HoldId>,
}

impl Lane {
    /// An event nobody has booked.
    pub(crate) fn new(house: Arc<House>, terms: Terms) -> Self {
        let capacity = house.capacity();
        let basis = Arc::new(Basis { layout: house.layout.clone(), currency: terms.currency });
        let bill = Bill { charges: &terms.charges, discount: None };
        let all_in = terms.prices.iter().map(|(tier, price)| (*tier, bill.all_in(*tier, *price))).collect();
        let mut lane = Self {
            terms,
            basis,
            all_in,
            seats: vec![SeatState::Closed; capacity],
            free: Bits::new(capacity),
            runs: Vec::new(),
            tier_free: vec![0; house.of_tier.len()],
            holds: HashMap::new(),
            buyers: HashMap::new(),
            used: HashMap::new(),
            expiries: BTreeSet::new(),
            orders: HashMap::new(),
            order_of: HashMap::new(),
            hopeless: HashSet::new(),
            hints: HashMap::new(),
            line: Waiting::default(),
            returned: true,
            house,
        };
        for seat in 0..SeatNo::try_from(capacity).unwrap_or(SeatNo::MAX) {
            if lane.price(seat).is_some() {
                let at = seat as usize;
                lane.seats[at] = SeatState::Free;
                lane.free.insert(at);
                lane.tier_free[usize::from(lane.house.tiers[at])] += 1;
            }
        }
        lane.runs = lane.house.rows.iter().map(|row| runs::of(&lane.free, row)).collect();
        lane
    }

    /// Takes in a live hold read from the tables.
    pub(crate) fn restore_hold(&mut self, hold: Hold) {
        for seat in &hold.seats {
            self.set_taken(*seat, SeatState::Held);
        }
        self.expiries.insert((hold.expires_at, hold.id));
        self.buyers.entry(hold.buyer).or_default().holds.push(hold.id);
        self.holds.insert(hold.id, hold);
    }

    /// Takes in a sold seat read from the tables.
    pub(crate) fn restore_sold(&mut self, seat: SeatNo) {
        self.set_taken(seat, SeatState::Sold);
    }

    /// Takes in how many seats a buyer has.
    pub(crate) fn restore_quota(&mut self, buyer: UserId, seats: u32) {
        self.buyers.entry(buyer).or_default().seats = seats;
    }

    /// Takes in what of a code is taken.
    pub(crate) fn restore_code(&mut self, code: String, used: Used) {
        self.used.insert(code, used);
    }

    /// Takes in an order read from the tables, unless it is known.
    pub(crate) fn adopt(&mut self, order: LaneOrder) {
        self.order_of.insert(order.hold.id, order.order);
        self.orders.entry(order.order).or_insert(order);
    }

    /// Forgets orders without a live hold when there are too many.
    pub(crate) fn forget_ended_orders(&mut self) {
        if self.orders.len() > ORDERS_MAX + self.holds.len() {
            let holds = &self.holds;
            self.orders.retain(|_, order| holds.contains_key(&order.hold.id));
            self.order_of.retain(|hold, _| holds.contains_key(hold));
        }
    }

    /// Takes a decision into the state.
    pub(crate) fn apply(&mut self, fact: &Fact) {
        match fact {
            Fact::Held { hold, buyer, seats, prices, code, extras, expires_at, .. } => {
                let hold = Hold {
                    id: *hold,
                    buyer: *buyer,
                    seats: seats.clone(),
                    prices: prices.clone(),
                    code: code.clone(),
                    extras: extras.clone(),
                    expires_at: *expires_at,
                    extended: false,
                    state: HoldState::Held,
                    basis: Arc::clone(&self.basis),
                };
                self.begin(hold);
            }
            Fact::Extended { hold, expires_at } => {
                if let Some(kept) = self.holds.get_mut(hold) {
                    self.expiries.remove(&(kept.expires_at, *hold));
                    self.expiries.insert((*expires_at, *hold));
                    kept.expires_at = *expires_at;
                    kept.extended = true;
                    self.mirror(*hold);
                }
            }
            Fact::Released { hold, .. } => self.end(*hold, HoldState::Released),
            Fact::Expired { hold, .. } => self.end(*hold, HoldState::Expired),
            Fact::Ordered { order, hold, .. } => {
                if let Some(hold) = self.holds.get(hold).cloned() {
                    self.adopt(LaneOrder { order: *order, hold, state: OrderState::Pending, attempts: Vec::new() });
                }
            }
            Fact::Lapsed { order } => self.step(*order, OrderState::Expired),
            Fact::Attempted { order, payment, key, .. } => {
                let attempt = Attempt { payment: *payment, key: key.clone(), state: AttemptState::Created };
                if let Some(order) = self.orders.get_mut(order) {
                    order.attempts.push(attempt);
                }
            }
            Fact::Reclaimed { order, .. } => self.reclaim(*order),
            Fact::Declined { order, payment, .. } => self.attempt(*order, *payment, AttemptState::Declined),
            Fact::Dropped { order, payment } => self.attempt(*order, *payment, AttemptState::Voided),
            Fact::Surplus { order, payment } => self.attempt(*order, *payment, AttemptState::Voiding),
            Fact::Authorized { order, payment } => {
                self.attempt(*order, *payment, AttemptState::Authorized);
                self.step(*order, OrderState::Authorized);
            }
            Fact::Sold { order, payment, .. } => {
                self.attempt(*order, *payment, AttemptState::Capturing);
                self.step(*order, OrderState::Confirmed);
                self.sell(*order);
            }
            Fact::Voided { order, payment } => {
                self.attempt(*order, *payment, AttemptState::Voiding);
                self.step(*order, OrderState::Voided);
            }
            Fact::Captured { order, payment } => {
                self.attempt(*order, *payment, AttemptState::Captured);
                self.step(*order, OrderState::Captured);
            }
            _ => self.apply_back(fact),
        }
    }

    /// What goes back: seats and money. That money was asked back changes nothing yet.
    fn apply_back(&mut self, fact: &Fact) {
        match fact {
            Fact::Undone { order, buyer, seats, .. } => {
                self.step(*order, OrderState::Refunding);
                self.take_back(*buyer, seats);
            }
            Fact::Exchanged { order, gave, took, seats, .. } => self.swap(*order, (gave, took), seats),
            Fact::Taken { order, payment } => self.attempt(*order, *payment, AttemptState::Captured),
            Fact::Refunded { order, .. } => self.step(*order, OrderState::Refunded),
            Fact::Uncollected { order, payment } => {
                self.attempt(*order, *payment, AttemptState::Voided);
                self.step(*order, OrderState::Refunded);
            }
            Fact::Returning { order, payment } => self.attempt(*order, *payment, AttemptState::Returning),
            Fact::Returned { order, payment } => self.attempt(*order, *payment, AttemptState::Returned),
            Fact::Joined { place, buyer, want } => self.line.join(*place, *buyer, want.clone()),
            Fact::Left { place, .. } | Fact::Offered { place, .. } => self.line.leave(*place),
            _ => {}
        }
    }

    /// A live hold, its seats its buyer's.
    fn begin(&mut self, hold: Hold) {
        self.buyers.entry(hold.buyer).or_default().seats += count(&hold);
        if let Some(code) = &hold.code {
            let used = self.used.entry(code.clone()).or_default();
            (used.uses, used.seats) = (used.uses + 1, used.seats + count(&hold));
        }
        self.restore_hold(hold);
    }

    fn end(&mut self, hold: HoldId, state: HoldState) {
        let Some(mut ended) = self.holds.remove(&hold) else { return };
        ended.state = state;
        self.expiries.remove(&(ended.expires_at, hold));
        for seat in &ended.seats {
            self.set_free(*seat);
        }
        let buyer = self.buyers.entry(ended.buyer).or_default();
        buyer.holds.retain(|live| *live != hold);
        buyer.seats = buyer.seats.saturating_sub(count(&ended));
        if let Some(used) = ended.code.as_ref().and_then(|code| self.used.get_mut(code)) {
            (used.uses, used.seats) = (used.uses.saturating_sub(1), used.seats.saturating_sub(count(&ended)));
        }
        if let Some(order) = self.order_of.get(&hold).and_then(|order| self.orders.get_mut(order)) {
            order.hold = ended;
        }
    }

    /// A lapsed order's seats are its own again, as a live hold.
    fn reclaim(&mut self, order: OrderId) {
        let Some(mut hold) = self.orders.get(&order).map(|order| order.hold.clone()) else { return };
        hold.state = HoldState::Held;
        self.begin(hold);
    }

    /// A live hold's seats are sold.
    fn sell(&mut self, order: OrderId) {
        let Some(mut sold) = self.orders.get(&order).and_then(|order| self.holds.remove(&order.hold.id)) else {
            return;
        };
        sold.state = HoldState::Sold;
        self.expiries.remove(&(sold.expires_at, sold.id));
        self.buyers.entry(sold.buyer).or_default().holds.retain(|live| *live != sold.id);
        for seat in &sold.seats {
            self.seats[*seat as usize] = SeatState::Sold;
        }
        if let Some(order) = self.orders.get_mut(&order) {
            order.hold = sold;
        }
    }

    /// A buyer's sold seats are free again.
    fn take_back(&mut self, buyer: UserId, seats: &[SeatNo]) {
        for seat in seats {
            self.set_free(*seat);
        }
        let buyer = self.buyers.entry(buyer).or_default();
        buyer.seats = buyer.seats.saturating_sub(u32::try_from(seats.len()).unwrap_or(u32::MAX));
    }

    /// Sold seats are free again, others sold in their place.
    fn swap(&mut self, order: OrderId, (gave, took): (&[SeatNo], &[SeatNo]), seats: &[SeatNo]) {
        for seat in gave {
            self.set_free(*seat);
        }
        for seat in took {
            self.set_taken(*seat, SeatState::Sold);
        }
        if let Some(order) = self.orders.get_mut(&order) {
            order.hold.seats = seats.to_vec();
        }
    }

    fn step(&mut self, order: OrderId, state: OrderState) {
        if let Some(order) = self.orders.get_mut(&order) {
            debug_assert!(order.state.may_become(state), "{:?} cannot become {state:?}", order.state);
            order.state = state;
        }
    }

    fn attempt(&mut self, order: OrderId, payment: PaymentId, state: AttemptState) {
        let attempts = self.orders.get_mut(&order).map(|order| &mut order.attempts);
        if let Some(attempt) = attempts.and_then(|all| all.iter_mut().find(|attempt| attempt.payment == payment)) {
            attempt.state = state;
        }
    }

    /// An order's own copy of its hold follows the hold.
    fn mirror(&mut self, hold: HoldId) {
        let order = self.order_of.get(&hold).and_then(|order| self.orders.get_mut(order));
        if let (Some(order), Some(hold)) = (order, self.holds.get(&hold)) {
            order.hold = hold.clone();
        }
    }

    fn set_free(&mut self, seat: SeatNo) {
        let at = seat as usize;
        self.returned = true;
        // A tier taken off sale meanwhile: the seat closes instead.
        if self.price(seat).is_none() {
            self.seats[at] = SeatState::Closed;
            return;
        }
        self.seats[at] = SeatState::Free;
        self.free.insert(at);
        let row = self.house.row_of(seat);
        self.runs[row] = runs::of(&self.free, &self.house.rows[row]);
        self.tier_free[usize::from(self.house.tiers[at])] += 1;
        self.hopeless.clear();
        for hint in self.hints.values_mut() {
            hint.any_from = hint.any_from.min(row);
            hint.fair_from = hint.fair_from.min(row);
        }
    }

    fn set_taken(&mut self, seat: SeatNo, state: SeatState) {
        let at = seat as usize;
        if self.seats[at] == SeatState::Free {
            self.free.remove(at);
            let row = self.house.row_of(seat);
            self.runs[row] = runs::of(&self.free, &self.house.rows[row]);
            self.tier_free[usize::from(self.house.tiers[at])] -= 1;
            // What is left of the row may now be taken whole: a place that strands nobody where there was none.
            for hint in self.hints.values_mut() {
                hint.fair_from = hint.fair_from.min(row);
            }
        }
        self.seats[at] = state;
    }
}

fn count(hold: &Hold) -> u32 {
    u32::try_from(hold.seats.len()).unwrap_or(u32::MAX)
}
