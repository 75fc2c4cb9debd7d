//! The rows a batch's facts come to: each row is written once, however often the batch changed it.
//!
//! Reads facts alone; does no I/O. Lists are in key order, so that every batch locks rows in one order.

use crate::digest::Digest;
use crate::lane::fact::Fact;
use crate::lane::{AttemptState, PlaceState};
use crate::order::{EffectTopic, OrderState, RefundBy};
use crate::reservation::{BestAvailable, HoldState};
use jiff::Timestamp;
use model::charge::Line;
use model::{HoldId, OrderId, PaymentId, SeatNo, TicketId, UserId};
use std::collections::{BTreeMap, BTreeSet};

/// What a batch writes, beside the lane and its log.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) holds_new: BTreeMap<HoldId, NewHold>,
    pub(super) holds: BTreeMap<HoldId, HoldChange>,
    pub(super) claims: BTreeMap<SeatNo, ClaimChange>,
    pub(super) orders_new: BTreeMap<OrderId, (HoldId, UserId, i64)>,
    pub(super) order_steps: BTreeMap<OrderStep, BTreeSet<OrderId>>,
    pub(super) payments_new: BTreeMap<PaymentId, NewPayment>,
    pub(super) payment_steps: BTreeMap<PaymentStep, BTreeMap<PaymentId, Option<String>>>,
    /// Orders sold before the batch and undone in it.
    pub(super) undone: BTreeMap<OrderId, Undone>,
    /// Seats of holds that went for others, and the tickets that die for it: by order and seat, only while they are this one's.
    pub(super) exchanged: BTreeMap<HoldId, Vec<SeatNo>>,
    pub(super) given: BTreeMap<(OrderId, SeatNo), UserId>,
    pub(super) refunded: BTreeSet<PaymentId>,
    pub(super) tickets: Vec<NewTicket>,
    pub(super) effects: BTreeMap<PaymentId, EffectTopic>,
    pub(super) buyers: BTreeSet<UserId>,
    pub(super) places_new: BTreeMap<i64, NewPlace>,
    /// What became in the batch of places that were there before.
    pub(super) places_left: BTreeMap<i64, PlaceState>,
}

/// A hold made in this batch.
#[derive(Debug)]
pub(super) struct NewHold {
    pub(super) buyer: UserId,
    pub(super) key: String,
    pub(super) request: Digest,
    pub(super) seats: Vec<SeatNo>,
    pub(super) prices: Vec<i64>,
    pub(super) code: Option<String>,
    pub(super) extras: Vec<Line>,
    pub(super) first_expires_at: Timestamp,
    pub(super) change: HoldChange,
}

/// A place in line made in this batch.
#[derive(Debug)]
pub(super) struct NewPlace {
    pub(super) buyer: UserId,
    pub(super) want: BestAvailable,
    pub(super) state: PlaceState,
}

/// What a hold becomes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HoldChange {
    pub(super) state: Option<HoldState>,
    pub(super) extended_to: Option<Timestamp>,
}

/// What happens to a seat's claim.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ClaimChange {
    /// The claim that was there before the batch goes.
    pub(super) deleted: Option<HoldId>,
    /// A claim comes.
    pub(super) inserted: Option<NewClaim>,
    /// The claim that was there before the batch is sold.
    pub(super) sold: Option<(HoldId, OrderId)>,
    /// The claim that was sold before the batch goes.
    pub(super) freed: Option<OrderId>,
}

/// An order's tickets die.
#[derive(Clone, Copy, Debug)]
pub(super) struct Undone {
    /// How many.
    pub(super) tickets: usize,
    /// Only if each is still this one's, and unused.
    pub(super) only_of: Option<UserId>,
}

/// A claim made in this batch.
#[derive(Debug, PartialEq)]
pub(super) struct NewClaim {
    pub(super) hold: HoldId,
    pub(super) price: i64,
    pub(super) order: Option<OrderId>,
}

/// An attempt made in this batch.
#[derive(Debug)]
pub(super) struct NewPayment {
    pub(super) order: OrderId,
    pub(super) key: String,
    pub(super) amount: i64,
}

/// A ticket made in this batch.
#[derive(Debug)]
pub(super) struct NewTicket {
    pub(super) ticket: TicketId,
    pub(super) seat: SeatNo,
    pub(super) order: OrderId,
    pub(super) holder: UserId,
    /// Undone in the batch that made it.
    pub(super) void: bool,
}

/// Steps of an order, in an order in which one batch can take several of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum OrderStep {
    Expired,
    Authorized,
    Confirmed,
    Voided,
    Captured,
    Refunding,
    Refunded,
}

impl OrderStep {
    pub(super) fn state(self) -> OrderState {
        match self {
            Self::Expired => OrderState::Expired,
            Self::Authorized => OrderState::Authorized,
            Self::Confirmed => OrderState::Confirmed,
            Self::Voided => OrderState::Voided,
            Self::Captured => OrderState::Captured,
            Self::Refunding => OrderState::Refunding,
            Self::Refunded => OrderState::Refunded,
        }
    }
}

/// Steps of an attempt, in an order in which one batch can take several of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PaymentStep {
    Declined,
    Authorized,
    Capturing,
    Captured,
    Voiding,
    Voided,
    Returning,
    Returned,
}

impl PaymentStep {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Declined => AttemptState::Declined,
            Self::Authorized => AttemptState::Authorized,
            Self::Capturing => AttemptState::Capturing,
            Self::Captured => AttemptState::Captured,
            Self::Voiding => AttemptState::Voiding,
            Self::Voided => AttemptState::Voided,
            Self::Returning => AttemptState::Returning,
            Self::Returned => AttemptState::Returned,
        }
        .as_str()
    }
}

impl Changes {
    /// The rows of these facts.
    pub(super) fn of(facts: &[Fact]) -> Self {
        let mut changes = Self::default();
        for fact in facts {
            changes.note(fact);
        }
        changes.claims.retain(|_, change| *change != ClaimChange::default());
        changes
    }

    fn note(&mut self, fact: &Fact) {
        match fact {
            Fact::Held { hold, buyer, key, request, seats, prices, code, extras, expires_at } => {
                let new = NewHold {
                    buyer: *buyer,
                    key: key.clone(),
                    request: *request,
                    seats: seats.clone(),
                    prices: prices.clone(),
                    code: code.clone(),
                    extras: extras.clone(),
                    first_expires_at: *expires_at,
                    change: HoldChange::default(),
                };
                self.holds_new.insert(*hold, new);
                self.claim(*buyer, *hold, (seats, prices));
            }
            Fact::Extended { hold, expires_at } => self.hold(*hold).extended_to = Some(*expires_at),
            Fact::Released { hold, buyer, seats } => self.unclaim(*buyer, (*hold, HoldState::Released), seats),
            Fact::Expired { hold, buyer, seats } => self.unclaim(*buyer, (*hold, HoldState::Expired), seats),
            Fact::Reclaimed { hold, buyer, seats, prices, .. } => self.claim(*buyer, *hold, (seats, prices)),
            Fact::Ordered { order, hold, buyer, total } => {
                self.orders_new.insert(*order, (*hold, *buyer, *total));
            }
            Fact::Lapsed { order } => self.order(OrderStep::Expired, *order),
            Fact::Attempted { order, payment, key, amount } => {
                let new = NewPayment { order: *order, key: key.clone(), amount: *amount };
                self.payments_new.insert(*payment, new);
            }
            Fact::Declined { payment, reason, .. } => {
                self.payment_steps.entry(PaymentStep::Declined).or_default().insert(*payment, Some(reason.clone()));
            }
            Fact::Authorized { order, payment } => {
                self.order(OrderStep::Authorized, *order);
                self.payment(PaymentStep::Authorized, *payment);
            }
            Fact::Sold { order, payment, hold, buyer, seats, tickets } => {
                self.order(OrderStep::Confirmed, *order);
                self.payment(PaymentStep::Capturing, *payment);
                self.effects.insert(*payment, EffectTopic::Capture);
                self.sell((*hold, *order, *buyer), seats, tickets);
            }
            Fact::Voided { order, payment } => {
                self.order(OrderStep::Voided, *order);
                self.payment(PaymentStep::Voiding, *payment);
                self.effects.insert(*payment, EffectTopic::Void);
            }
            Fact::Surplus { payment, .. } => {
                self.payment(PaymentStep::Authorized, *payment);
                self.payment(PaymentStep::Voiding, *payment);
                self.effects.insert(*payment, EffectTopic::Void);
            }
            Fact::Captured { order, payment } => {
                self.order(OrderStep::Captured, *order);
                self.payment(PaymentStep::Captured, *payment);
                // Captured in the batch that sold it: nothing was to be paid, and the provider knows nothing of it.
                self.effects.remove(payment);
            }
            Fact::Dropped { payment, .. } => self.payment(PaymentStep::Voided, *payment),
            _ => self.note_back(fact),
        }
    }

    /// What goes back: seats and money, and who waits for them.
    fn note_back(&mut self, fact: &Fact) {
        match fact {
            Fact::Undone { order, buyer, seats, by } => self.undo((*order, *buyer), seats, *by),
            Fact::Exchanged { order, hold, buyer, gave, took, prices, seats, tickets } => {
                self.exchanged.insert(*hold, seats.clone());
                for seat in gave {
                    self.give((*order, *buyer), *seat);
                }
                for ((seat, price), ticket) in took.iter().zip(prices).zip(tickets) {
                    let claim = NewClaim { hold: *hold, price: *price, order: Some(*order) };
                    self.claims.entry(*seat).or_default().inserted = Some(claim);
                    let (ticket, seat, order, holder) = (*ticket, *seat, *order, *buyer);
                    self.tickets.push(NewTicket { ticket, seat, order, holder, void: false });
                }
            }
            Fact::Taken { payment, .. } => self.payment(PaymentStep::Captured, *payment),
            Fact::AskedBack { payment, .. } => {
                self.effects.insert(*payment, EffectTopic::Refund);
            }
            Fact::Refunded { order, payment } => {
                self.order(OrderStep::Refunded, *order);
                self.refunded.insert(*payment);
            }
            Fact::Uncollected { order, payment } => {
                self.order(OrderStep::Refunded, *order);
                self.payment(PaymentStep::Voided, *payment);
                self.effects.remove(payment);
            }
            Fact::Returning { payment, .. } => {
                self.payment(PaymentStep::Returning, *payment);
                self.effects.insert(*payment, EffectTopic::Refund);
            }
            Fact::Returned { payment, .. } => self.payment(PaymentStep::Returned, *payment),
            Fact::Joined { place, buyer, want } => {
                self.places_new
                    .insert(*place, NewPlace { buyer: *buyer, want: want.clone(), state: PlaceState::Waiting });
            }
            Fact::Left { place, .. } => self.leave(*place, PlaceState::Left),
            Fact::Offered { place, hold, .. } => self.leave(*place, PlaceState::Offered(*hold)),
            _ => {}
        }
    }

    fn leave(&mut self, place: i64, state: PlaceState) {
        match self.places_new.get_mut(&place) {
            Some(new) => new.state = state,
            None => {
                self.places_left.insert(place, state);
            }
        }
    }

    fn hold(&mut self, hold: HoldId) -> &mut HoldChange {
        match self.holds_new.get_mut(&hold) {
            Some(new) => &mut new.change,
            None => self.holds.entry(hold).or_default(),
        }
    }

    fn order(&mut self, step: OrderStep, order: OrderId) {
        self.order_steps.entry(step).or_default().insert(order);
    }

    fn payment(&mut self, step: PaymentStep, payment: PaymentId) {
        self.payment_steps.entry(step).or_default().insert(payment, None);
    }

    fn claim(&mut self, buyer: UserId, hold: HoldId, (seats, prices): (&[SeatNo], &[i64])) {
        self.buyers.insert(buyer);
        for (seat, price) in seats.iter().zip(prices) {
            let claim = NewClaim { hold, price: *price, order: None };
            self.claims.entry(*seat).or_default().inserted = Some(claim);
        }
    }

    fn unclaim(&mut self, buyer: UserId, (hold, state): (HoldId, HoldState), seats: &[SeatNo]) {
        self.buyers.insert(buyer);
        self.hold(hold).state = Some(state);
        for seat in seats {
            let change = self.claims.entry(*seat).or_default();
            if change.inserted.take().is_none() {
                change.deleted = Some(hold);
            }
        }
    }

    fn sell(&mut self, (hold, order, holder): (HoldId, OrderId, UserId), seats: &[SeatNo], tickets: &[TicketId]) {
        self.hold(hold).state = Some(HoldState::Sold);
        for (seat, ticket) in seats.iter().zip(tickets) {
            let change = self.claims.entry(*seat).or_default();
            match &mut change.inserted {
                Some(claim) => claim.order = Some(order),
                None => change.sold = Some((hold, order)),
            }
            self.tickets.push(NewTicket { ticket: *ticket, seat: *seat, order, holder, void: false });
        }
    }

    fn undo(&mut self, (order, buyer): (OrderId, UserId), seats: &[SeatNo], by: RefundBy) {
        self.buyers.insert(buyer);
        if self.order_steps.get(&OrderStep::Confirmed).is_some_and(|sold| sold.contains(&order)) {
            return self.undo_new(order, seats);
        }
        // Straight from confirmed: a batch takes each step once, and this one before the claims go.
        if let Some(captured) = self.order_steps.get_mut(&OrderStep::Captured) {
            captured.remove(&order);
        }
        let only_of = match by {
            RefundBy::Buyer(buyer) => Some(buyer),
            RefundBy::Seller => None,
        };
        // What it came by in this very batch never was.
        let mut old = 0;
        for seat in seats {
            old += usize::from(!self.unsell((order, *seat)));
        }
        self.undone.insert(order, Undone { tickets: old, only_of });
    }

    /// A sold seat's claim goes; true when both it and its ticket were this batch's.
    fn unsell(&mut self, (order, seat): (OrderId, SeatNo)) -> bool {
        let change = self.claims.entry(seat).or_default();
        if change.inserted.take().is_none() {
            match change.sold.take() {
                Some((hold, _)) => change.deleted = Some(hold),
                None => change.freed = Some(order),
            }
        }
        let new = self.tickets.iter_mut().find(|new| (new.order, new.seat, new.void) == (order, seat, false));
        new.is_some_and(|new| {
            new.void = true;
            true
        })
    }

    /// A paid order's seat goes for another.
    fn give(&mut self, (order, buyer): (OrderId, UserId), seat: SeatNo) {
        if !self.unsell((order, seat)) {
            self.given.insert((order, seat), buyer);
        }
    }

    /// Sold and undone in one batch: its claims never were, its tickets are born void.
    fn undo_new(&mut self, order: OrderId, seats: &[SeatNo]) {
        self.order(OrderStep::Refunding, order);
        for seat in seats {
            self.unsell((order, *seat));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sold_and_undone_in_one_batch_claims_nothing() {
        let (order, payment, hold) = (OrderId::new(), PaymentId::new(), HoldId::new());
        let (buyer, seats) = (UserId::new(), vec![3, 4]);
        let tickets = vec![TicketId::new(), TicketId::new()];
        let sold = Fact::Sold { order, payment, hold, buyer, seats: seats.clone(), tickets };
        let undone = Fact::Undone { order, buyer, seats: seats.clone(), by: RefundBy::Seller };
        let held_before = Changes::of(&[sold.clone(), undone.clone()]);
        let gone = ClaimChange { deleted: Some(hold), ..ClaimChange::default() };
        assert!(held_before.claims.len() == 2 && held_before.claims.values().all(|change| *change == gone));
        assert!(held_before.tickets.iter().all(|ticket| ticket.void));
        let reclaimed = Fact::Reclaimed { order, hold, buyer, seats, prices: vec![5, 5] };
        let all_new = Changes::of(&[reclaimed, sold, undone]);
        assert_eq!(all_new.claims, BTreeMap::new());
        assert!(all_new.undone.is_empty() && all_new.order_steps[&OrderStep::Refunding].contains(&order));
    }

    #[test]
    fn a_place_that_is_left_makes_room_for_another_of_the_same_buyer() {
        let (buyer, want) = (UserId::new(), BestAvailable { quantity: 1, ..BestAvailable::default() });
        let joined = |place| Fact::Joined { place, buyer, want: want.clone() };
        let left = |place| Fact::Left { place, buyer };
        let changes = Changes::of(&[left(1), joined(2), left(2), joined(3)]);
        assert_eq!(changes.places_left, BTreeMap::from([(1, PlaceState::Left)]));
        let states: Vec<_> = changes.places_new.iter().map(|(place, new)| (*place, new.state.as_str())).collect();
        assert_eq!(states, [(2, "left"), (3, "waiting")]);
    }

    #[test]
    fn what_was_sold_before_is_freed_and_may_be_claimed_anew() {
        let (order, payment, hold, buyer) = (OrderId::new(), PaymentId::new(), HoldId::new(), UserId::new());
        let facts = [
            Fact::Captured { order, payment },
            Fact::Undone { order, buyer, seats: vec![3], by: RefundBy::Buyer(buyer) },
            Fact::AskedBack { order, payment },
            Fact::Held {
                hold,
                buyer,
                key: "k".into(),
                request: Digest([0; 32]),
                seats: vec![3],
                prices: vec![5],
                code: None,
                extras: Vec::new(),
                expires_at: Timestamp::UNIX_EPOCH,
            },
        ];
        let changes = Changes::of(&facts);
        let claim = NewClaim { hold, price: 5, order: None };
        let change = ClaimChange { freed: Some(order), inserted: Some(claim), ..ClaimChange::default() };
        assert_eq!(changes.claims, BTreeMap::from([(3, change)]));
        assert!(changes.order_steps[&OrderStep::Captured].is_empty(), "straight from confirmed");
        assert_eq!(changes.undone[&order].only_of, Some(buyer));
        assert_eq!(changes.effects, BTreeMap::from([(payment, EffectTopic::Refund)]));
    }
}
