//! The booking tables as the schema has them: the fence, the chain, keys and checks. A batch that breaks one fails the simulation,
//! but for the fence and the comparisons with the clock, which are what a batch may lose to.

use crate::audit::ledger::Ledger;
use crate::digest::Digest;
use crate::lane::access::Used;
use crate::lane::fact::Fact;
use crate::lane::house::House;
use crate::lane::{Attempt, AttemptState, Done, Hold, Lane, LaneOrder, PlaceState, Terms, Waiting};
use crate::order::OrderState;
use crate::reservation::{BestAvailable, HoldState, Receipt};
use crate::shell::changes::{Changes, NewHold, NewPlace};
use crate::shell::loaded::Place;
use crate::shell::recall::{Asked, Recalled, Told};
use crate::shell::write::chain;
use jiff::Timestamp;
use model::{EventId, HoldId, OrderId, PaymentId, SeatNo, TicketId, UserId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// A row of `hold`.
#[derive(Clone)]
pub(in crate::shell) struct HoldRow {
    pub(in crate::shell) hold: Hold,
    pub(in crate::shell) first_expires_at: Timestamp,
    pub(in crate::shell) receipt: Receipt,
    pub(in crate::shell) first_seats: Option<Vec<SeatNo>>,
    key: String,
    request: Digest,
}

#[derive(Clone)]
struct OrderRow {
    hold: HoldId,
    buyer: UserId,
    total: i64,
    state: OrderState,
}

#[derive(Clone)]
struct PaymentRow {
    order: OrderId,
    key: String,
    state: AttemptState,
}

/// The tables, for one event.
#[derive(Clone)]
pub(in crate::shell) struct Store {
    pub(in crate::shell) house: Arc<House>,
    pub(in crate::shell) terms: Terms,
    pub(in crate::shell) place: Place,
    owner: Option<usize>,
    leases: BTreeMap<usize, Timestamp>,
    log: Vec<(i64, Digest, Vec<Fact>)>,
    pub(in crate::shell) holds: BTreeMap<HoldId, HoldRow>,
    keys: BTreeMap<(UserId, String), HoldId>,
    claims: BTreeMap<SeatNo, (HoldId, Option<OrderId>)>,
    orders: BTreeMap<OrderId, OrderRow>,
    order_of: BTreeMap<HoldId, OrderId>,
    payments: BTreeMap<PaymentId, PaymentRow>,
    tickets: BTreeMap<SeatNo, (TicketId, OrderId)>,
    quotas: BTreeMap<UserId, u32>,
    line: BTreeMap<i64, (UserId, BestAvailable)>,
    /// The last place of everybody who ever had one.
    last_places: BTreeMap<UserId, i64>,
    /// Where in the log each hold was made: its entry, and its place in that.
    pub(in crate::shell) places: BTreeMap<HoldId, (i64, usize)>,
    ledger: Ledger,
}

const EVENT: EventId = EventId(Uuid::from_u128(1));

impl Store {
    pub(in crate::shell) fn new(house: Arc<House>, terms: Terms) -> Self {
        Self {
            house,
            terms,
            place: Place { epoch: 0, seq: 0, head: Digest([0; 32]), terms: 0 },
            owner: None,
            leases: BTreeMap::new(),
            log: Vec::new(),
            holds: BTreeMap::new(),
            keys: BTreeMap::new(),
            claims: BTreeMap::new(),
            orders: BTreeMap::new(),
            order_of: BTreeMap::new(),
            payments: BTreeMap::new(),
            tickets: BTreeMap::new(),
            quotas: BTreeMap::new(),
            line: BTreeMap::new(),
            last_places: BTreeMap::new(),
            places: BTreeMap::new(),
            ledger: Ledger::default(),
        }
    }

    /// A process says that it lives.
    pub(in crate::shell) fn renew(&mut self, process: usize, until: Timestamp) {
        self.leases.insert(process, until);
    }

    /// A process takes the lane if it may: its place, and the state read from the rows.
    pub(in crate::shell) fn take(&mut self, process: usize, now: Timestamp) -> Option<(Place, Lane)> {
        let alive = |owner: &usize| self.leases.get(owner).is_some_and(|until| *until > now);
        if self.owner.as_ref().is_some_and(|owner| *owner != process && alive(owner)) {
            return None;
        }
        self.owner = Some(process);
        self.place.epoch += 1;
        Some((self.place.clone(), self.load()))
    }

    /// The state as the rows have it.
    pub(in crate::shell) fn load(&self) -> Lane {
        let mut lane = Lane::new(Arc::clone(&self.house), self.terms.clone());
        for (buyer, seats) in &self.quotas {
            lane.restore_quota(*buyer, *seats);
        }
        for (code, used) in self.codes() {
            lane.restore_code(code, used);
        }
        let live: Vec<&HoldRow> = self.holds.values().filter(|row| row.hold.state == HoldState::Held).collect();
        for row in &live {
            lane.restore_hold(row.hold.clone());
        }
        for (seat, _) in self.claims.iter().filter(|(_, (_, order))| order.is_some()) {
            lane.restore_sold(*seat);
        }
        for order in live.iter().filter_map(|row| self.order_of.get(&row.hold.id)) {
            lane.adopt(self.order(*order).unwrap());
        }
        let places = self.line.iter().map(|(place, (buyer, want))| (*place, *buyer, want.clone()));
        lane.restore_line(Waiting::new(
            places,
            self.last_places.iter().map(|(buyer, place)| (*buyer, *place)).collect(),
        ));
        lane
    }

    /// The state as the whole log has it.
    pub(in crate::shell) fn replay(&self) -> Lane {
        let mut lane = Lane::new(Arc::clone(&self.house), self.terms.clone());
        for fact in self.log.iter().flat_map(|(.., facts)| facts) {
            lane.apply(fact);
        }
        lane
    }

    pub(in crate::shell) fn order(&self, order: OrderId) -> Option<LaneOrder> {
        let row = self.orders.get(&order)?;
        let attempt = |(payment, row): (&PaymentId, &PaymentRow)| Attempt {
            payment: *payment,
            key: row.key.clone(),
            state: row.state,
        };
        let attempts = self.payments.iter().filter(|(_, payment)| payment.order == order).map(attempt).collect();
        Some(LaneOrder { order, hold: self.holds[&row.hold].hold.clone(), state: row.state, attempts })
    }

    pub(in crate::shell) fn order_of(&self, hold: HoldId) -> Option<LaneOrder> {
        self.order(*self.order_of.get(&hold)?)
    }

    pub(in crate::shell) fn is_sold(&self, order: OrderId) -> bool {
        self.orders.get(&order).is_some_and(|row| matches!(row.state, OrderState::Confirmed | OrderState::Captured))
    }

    pub(in crate::shell) fn has_payment(&self, payment: PaymentId) -> bool {
        self.payments.contains_key(&payment)
    }

    /// The log, with the epoch of each entry.
    pub(in crate::shell) fn entries(&self) -> impl fmt::Debug {
        self.log.iter().map(|(epoch, _, facts)| (*epoch, facts)).collect::<Vec<_>>()
    }

    /// The hash of an entry.
    pub(in crate::shell) fn hash(&self, seq: i64) -> Digest {
        self.log[usize::try_from(seq - 1).unwrap()].1
    }

    /// A buyer's live holds.
    pub(in crate::shell) fn live(&self, buyer: UserId) -> Vec<HoldId> {
        let live = self.holds.iter().filter(|(_, row)| row.hold.buyer == buyer && row.hold.state == HoldState::Held);
        live.map(|(hold, _)| *hold).collect()
    }

    /// Whether a hold was made under a key.
    pub(in crate::shell) fn last_place(&self, buyer: UserId) -> i64 {
        self.last_places.get(&buyer).copied().unwrap_or_default()
    }

    pub(in crate::shell) fn has_hold(&self, buyer: UserId, key: &str) -> bool {
        self.keys.contains_key(&(buyer, key.to_owned()))
    }

    /// What was done under such keys as `wanted`.
    pub(in crate::shell) fn recalled(&self, wanted: impl Fn(&(UserId, String)) -> bool) -> Vec<Recalled> {
        let reserved = self.holds.values().map(|row| {
            let first =
                Hold { expires_at: row.first_expires_at, extended: false, state: HoldState::Held, ..row.hold.clone() };
            let first = Hold { seats: row.first_seats.clone().unwrap_or(first.seats), ..first };
            let told = Told { done: Done::Held(first), receipt: Some(row.receipt) };
            Recalled { buyer: row.hold.buyer, key: row.key.clone(), asked: Asked::Reserve(row.request), told }
        });
        let bought = self.payments.iter().map(|(payment, row)| {
            let told = Told { done: Done::Checkout { order: row.order, payment: *payment }, receipt: None };
            Recalled { buyer: self.orders[&row.order].buyer, key: row.key.clone(), asked: Asked::Buy, told }
        });
        reserved.chain(bought).filter(|done| wanted(&(done.buyer, done.key.clone()))).collect()
    }

    /// Writes a batch at `now`; `None` when it lost to the fence or the clock, and nothing was written.
    pub(in crate::shell) fn write(
        &mut self,
        place: &Place,
        lane: &Lane,
        facts: &[Fact],
        now: Timestamp,
    ) -> Option<Place> {
        let changes = Changes::of(facts);
        if *place != self.place || !self.is_timely(&changes, now) {
            return None;
        }
        let payload = serde_json::to_vec(facts).unwrap();
        let seq = place.seq + 1;
        self.place = Place { seq, head: chain(EVENT, place, &payload), ..place.clone() };
        for fact in facts {
            self.ledger.follow((seq, now), fact).unwrap();
        }
        let held = facts.iter().filter_map(|fact| if let Fact::Held { hold, .. } = fact { Some(*hold) } else { None });
        self.places.extend(held.enumerate().map(|(at, hold)| (hold, (seq, at))));
        self.log.push((place.epoch, self.place.head, facts.to_vec()));
        self.write_holds(&changes, lane);
        self.write_orders(&changes);
        self.write_exchanged(&changes);
        self.write_undone(&changes);
        self.write_claims(&changes);
        self.write_steps(&changes);
        self.write_line(&changes);
        self.write_quotas(&changes, lane);
        Some(self.place.clone())
    }

    /// What the statements compare with the database's clock.
    fn is_timely(&self, changes: &Changes, now: Timestamp) -> bool {
        let expired = changes.holds.iter().filter(|(_, change)| change.state == Some(HoldState::Expired));
        let over = |hold: &HoldId| self.holds[hold].hold.expires_at <= now;
        let live = |hold: &HoldId| match (self.holds.get(hold), changes.holds_new.get(hold)) {
            (Some(row), _) => row.hold.expires_at > now,
            (None, new) => new.is_some_and(|new| new.first_expires_at > now),
        };
        expired.map(|(hold, _)| hold).all(over) && changes.orders_new.values().all(|(hold, ..)| live(hold))
    }

    fn write_holds(&mut self, changes: &Changes, lane: &Lane) {
        for (id, change) in &changes.holds {
            let hold = &mut self.holds.get_mut(id).expect("a hold that is there").hold;
            if let Some(state) = change.state {
                let legal =
                    hold.state == HoldState::Held || (hold.state, state) == (HoldState::Expired, HoldState::Sold);
                assert!(legal, "hold_step: {:?} to {state:?}", hold.state);
                hold.state = state;
            }
            if let Some(extended_to) = change.extended_to {
                assert!(!hold.extended && extended_to >= hold.expires_at, "hold_step: more time once");
                (hold.expires_at, hold.extended) = (extended_to, true);
            }
        }
        // Each statement is checked, so those that end come first.
        self.check_codes();
        for (id, new) in &changes.holds_new {
            let NewHold { buyer, key, request, seats, prices, code, extras, first_expires_at, change } = new;
            let hold = Hold {
                id: *id,
                buyer: *buyer,
                seats: seats.clone(),
                prices: prices.clone(),
                code: code.clone(),
                extras: extras.clone(),
                expires_at: change.extended_to.unwrap_or(*first_expires_at),
                extended: change.extended_to.is_some(),
                state: change.state.unwrap_or(HoldState::Held),
                basis: Arc::clone(lane.basis()),
            };
            let receipt = Receipt { seq: self.place.seq, hash: self.place.head };
            let (key, request, first_expires_at) = (key.clone(), *request, *first_expires_at);
            assert_eq!(self.keys.insert((*buyer, key.clone()), *id), None, "hold_idempotency");
            let row = HoldRow { hold, first_expires_at, receipt, first_seats: None, key, request };
            assert!(self.holds.insert(*id, row).is_none(), "hold_pkey");
        }
        self.check_codes();
    }

    /// What of each code is taken.
    fn codes(&self) -> BTreeMap<String, Used> {
        let mut codes: BTreeMap<String, Used> = BTreeMap::new();
        for HoldRow { hold, .. } in self.holds.values() {
            if let (Some(code), HoldState::Held | HoldState::Sold) = (&hold.code, hold.state) {
                let used = codes.entry(code.clone()).or_default();
                used.uses += 1;
                used.seats += u32::try_from(hold.seats.len()).unwrap();
            }
        }
        codes
    }

    fn check_codes(&self) {
        for (code, used) in self.codes() {
            let terms = &self.terms.access.codes[&code];
            assert!(terms.uses_max.is_none_or(|max| used.uses <= max), "sale_code_uses: {used:?}");
            assert!(terms.seats_max.is_none_or(|max| used.seats <= max), "sale_code_seats: {used:?}");
        }
    }

    fn write_orders(&mut self, changes: &Changes) {
        for (order, (hold, buyer, total)) in &changes.orders_new {
            let of = &self.holds[hold].hold;
            assert_eq!((of.buyer, of.total()), (*buyer, *total), "order_start");
            assert_eq!(self.order_of.insert(*hold, *order), None, "orders_event_id_hold_id_key");
            let row = OrderRow { hold: *hold, buyer: *buyer, total: *total, state: OrderState::Pending };
            assert!(self.orders.insert(*order, row).is_none(), "orders_pkey");
        }
        for (payment, new) in &changes.payments_new {
            assert_eq!(self.orders[&new.order].total, new.amount, "payment_step");
            let twin = |row: &PaymentRow| row.order == new.order && row.key == new.key;
            assert!(!self.payments.values().any(twin), "payment_idempotency");
            let row = PaymentRow { order: new.order, key: new.key.clone(), state: AttemptState::Created };
            assert!(self.payments.insert(*payment, row).is_none(), "payment_pkey");
        }
    }

    /// Seats that go for others: their tickets die before the claims they stand on go.
    fn write_exchanged(&mut self, changes: &Changes) {
        for (order, seat) in changes.given.keys() {
            let died = self.tickets.remove(seat).is_some_and(|(_, of)| of == *order);
            assert!(died, "ticket_give of seat {seat}");
        }
        for (hold, seats) in &changes.exchanged {
            let row = self.holds.get_mut(hold).expect("a hold that is there");
            assert_eq!(row.hold.state, HoldState::Sold, "hold_exchange");
            row.first_seats.get_or_insert_with(|| row.hold.seats.clone());
            row.hold.seats.clone_from(seats);
        }
    }

    /// Orders sold before the batch and undone in it: their tickets die before the claims they stand on go.
    fn write_undone(&mut self, changes: &Changes) {
        for (order, undone) in &changes.undone {
            let row = self.orders.get_mut(order).expect("an order that is there");
            assert!(row.state.may_become(OrderState::Refunding), "order_step: {:?} to refunding", row.state);
            row.state = OrderState::Refunding;
            let before = self.tickets.len();
            self.tickets.retain(|_, (_, of)| of != order);
            assert_eq!(before - self.tickets.len(), undone.tickets, "ticket_void");
        }
    }

    fn write_claims(&mut self, changes: &Changes) {
        for (seat, change) in &changes.claims {
            if let Some(order) = change.freed {
                assert!(self.claims.remove(seat).is_some_and(|(_, of)| of == Some(order)), "claim_free of seat {seat}");
            }
            if let Some(hold) = change.deleted {
                assert_eq!(self.claims.remove(seat), Some((hold, None)), "claim_delete of seat {seat}");
            }
        }
        for (seat, change) in &changes.claims {
            if let Some(new) = &change.inserted {
                assert_eq!(self.claims.insert(*seat, (new.hold, new.order)), None, "claim_pkey: seat {seat}");
            }
            if let Some((hold, order)) = change.sold {
                let claim = self.claims.insert(*seat, (hold, Some(order)));
                assert_eq!(claim, Some((hold, None)), "claim_sell of seat {seat}");
            }
        }
    }

    fn write_steps(&mut self, changes: &Changes) {
        for (step, orders) in &changes.order_steps {
            for order in orders {
                let row = self.orders.get_mut(order).expect("an order that is there");
                assert!(row.state.may_become(step.state()), "order_step: {:?} to {step:?}", row.state);
                row.state = step.state();
            }
        }
        for (step, payments) in &changes.payment_steps {
            for payment in payments.keys() {
                let row = self.payments.get_mut(payment).expect("an attempt that is there");
                row.state = AttemptState::parse(step.as_str()).expect("a state");
                let order = row.order;
                let captures = self.payments.values().filter(|row| {
                    row.order == order && matches!(row.state, AttemptState::Capturing | AttemptState::Captured)
                });
                assert!(captures.count() <= 1, "payment_one_capture");
            }
        }
        for new in changes.tickets.iter().filter(|new| !new.void) {
            let stands = self.claims.get(&new.seat).is_some_and(|(_, order)| *order == Some(new.order));
            assert!(stands, "ticket_stands_on_its_claim");
            assert_eq!(self.tickets.insert(new.seat, (new.ticket, new.order)), None, "ticket_one_live");
        }
    }

    fn write_line(&mut self, changes: &Changes) {
        let is_theirs = |store: &Self, buyer: UserId, state: PlaceState| {
            assert!(state.hold().is_none_or(|hold| store.holds[&hold].hold.buyer == buyer), "waiting_step");
        };
        for (place, state) in &changes.places_left {
            let (buyer, _) = self.line.remove(place).expect("a place that is waited at");
            is_theirs(self, buyer, *state);
        }
        for (place, NewPlace { buyer, want, state }) in &changes.places_new {
            assert!(self.last_places.values().all(|last| last < place), "waiting_start");
            self.last_places.insert(*buyer, *place);
            is_theirs(self, *buyer, *state);
            if *state == PlaceState::Waiting {
                assert!(self.line.values().all(|(waits, _)| waits != buyer), "waiting_one_place");
                self.line.insert(*place, (*buyer, want.clone()));
            }
        }
    }

    fn write_quotas(&mut self, changes: &Changes, lane: &Lane) {
        for buyer in &changes.buyers {
            let claimed = self.claims.values().filter(|(hold, _)| self.holds[hold].hold.buyer == *buyer).count();
            let seats = lane.seats_of(*buyer);
            assert_eq!(claimed, seats as usize, "the quota counts the claims");
            assert!(seats <= self.terms.buyer_limit, "buyer_quota_limit");
            self.quotas.insert(*buyer, seats);
        }
    }

    /// Everything that must hold of the rows together.
    pub(in crate::shell) fn check(&self) {
        for (hold, row) in &self.holds {
            let claimed: BTreeSet<SeatNo> =
                self.claims.iter().filter(|(_, (of, _))| of == hold).map(|(seat, _)| *seat).collect();
            let undone = self.order_of(*hold).is_some_and(|order| is_undone(order.state));
            let live = matches!(row.hold.state, HoldState::Held | HoldState::Sold) && !undone;
            let due: BTreeSet<SeatNo> = row.hold.seats.iter().copied().filter(|_| live).collect();
            assert_eq!(claimed, due, "a hold has all of its seats or none");
        }
        for (order, row) in &self.orders {
            let paid = |payment: &&PaymentRow| {
                payment.order == *order && matches!(payment.state, AttemptState::Capturing | AttemptState::Captured)
            };
            let sold = matches!(row.state, OrderState::Confirmed | OrderState::Captured);
            let paid = self.payments.values().filter(paid).count();
            assert!(
                paid == usize::from(sold) || is_undone(row.state),
                "paid for and sold go together, or it is undone"
            );
            assert_eq!(sold || is_undone(row.state), self.holds[&row.hold].hold.state == HoldState::Sold);
        }
        for (seat, (_, order)) in &self.claims {
            assert!(self.ledger.is_claimed(*seat));
            assert_eq!(self.tickets.get(seat).map(|(_, order)| *order), *order, "a ticket for each seat sold");
        }
        let (loaded, replayed) = (self.load(), self.replay());
        assert_eq!(loaded.seats(), replayed.seats(), "the log replays to the rows");
        assert_eq!(loaded.first_expiry(), replayed.first_expiry());
        assert_eq!(loaded.seats_left(), replayed.seats_left());
        for code in self.terms.access.codes.keys() {
            assert_eq!(loaded.used(code), replayed.used(code));
        }
        assert_eq!(loaded.line(), replayed.line());
        for buyer in self.quotas.keys() {
            assert_eq!(loaded.seats_of(*buyer), replayed.seats_of(*buyer));
        }
        assert!(self.log.windows(2).all(|pair| pair[0].0 <= pair[1].0), "epochs only grow");
        assert_eq!(i64::try_from(self.log.len()).unwrap(), self.place.seq, "the log has no gap");
    }
}

fn is_undone(state: OrderState) -> bool {
    matches!(state, OrderState::Refunding | OrderState::Refunded)
}
