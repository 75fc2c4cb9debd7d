//! From hold to ticket: orders, attempts to pay them, and what a provider's word leads to.
//!
//! Money moves only after the seats are sold: authorise, sell, then capture. A payment that comes too late gets the same seats
//! if they are still free, else it is let go. A second payment of one order is let go. What the provider took before we asked
//! buys seats as an authorisation does, and where it cannot it is given back.

use super::fact::Fact;
use super::{AttemptState, Done, Hold, Lane, LaneOrder, Moment, Refusal};
use crate::order::{OrderState, Report};
use crate::reservation::HoldState;
use jiff::Timestamp;
use model::{HoldId, OrderId, PaymentId, TicketId, UserId};

impl Lane {
    pub(super) fn buy(
        &mut self,
        (buyer, hold, key): (UserId, Option<HoldId>, &str),
        moment: &mut Moment<'_>,
        facts: &mut Vec<Fact>,
    ) -> Result<Done, Refusal> {
        if let Some(paid) = hold.and_then(|hold| self.paid(buyer, hold)) {
            return Ok(paid);
        }
        let hold =
            self.hold_to_buy(buyer, hold, moment.now).filter(|_| !self.terms().cancelled).ok_or(Refusal::NoHold)?;
        let total = self.hold(hold).map_or(0, Hold::total);
        let order = if let Some(order) = self.order_of(hold) {
            order.order
        } else {
            let order = OrderId((moment.mint)());
            self.enact(Fact::Ordered { order, hold, buyer, total }, facts);
            order
        };
        let open = self.order(order).and_then(|order| {
            let by_key = order.attempts.iter().find(|attempt| attempt.key == key);
            by_key.or_else(|| order.attempts.iter().rfind(|attempt| attempt.state == AttemptState::Created))
        });
        if let Some(open) = open {
            return Ok(Done::Checkout { order, payment: open.payment });
        }
        let payment = PaymentId((moment.mint)());
        self.enact(Fact::Attempted { order, payment, key: key.to_owned(), amount: total }, facts);
        if total == 0 {
            self.enact(Fact::Authorized { order, payment }, facts);
            self.sell_to(order, payment, moment, facts);
            self.enact(Fact::Captured { order, payment }, facts);
        }
        Ok(Done::Checkout { order, payment })
    }

    /// A hold that was bought already: its order and the attempt that paid.
    fn paid(&self, buyer: UserId, hold: HoldId) -> Option<Done> {
        let order = self.order_of(hold).filter(|order| order.hold.buyer == buyer)?;
        let paid = |state| matches!(state, AttemptState::Capturing | AttemptState::Captured);
        let attempt = order.attempts.iter().find(|attempt| paid(attempt.state))?;
        Some(Done::Checkout { order: order.order, payment: attempt.payment })
    }

    fn hold_to_buy(&self, buyer: UserId, hold: Option<HoldId>, now: Timestamp) -> Option<HoldId> {
        let mut holds = self.holds_of(buyer).into_iter().rev();
        holds.find(|live| hold.is_none_or(|hold| hold == *live) && self.is_live(*live, now))
    }

    pub(super) fn settle(
        &mut self,
        (order, payment): (OrderId, PaymentId),
        report: &Report,
        moment: &mut Moment<'_>,
        facts: &mut Vec<Fact>,
    ) -> Result<Done, Refusal> {
        let known = self.order(order).ok_or(Refusal::UnknownPayment)?;
        let attempt =
            known.attempts.iter().find(|attempt| attempt.payment == payment).ok_or(Refusal::UnknownPayment)?;
        match (attempt.state, report) {
            (AttemptState::Created | AttemptState::Declined, Report::Authorized) => {
                self.authorized(order, payment, moment, facts);
            }
            // A capture we have not asked for says at least that the money is there.
            (AttemptState::Created | AttemptState::Declined, Report::Captured) if self.can_sell(order) => {
                self.authorized(order, payment, moment, facts);
            }
            (
                AttemptState::Created | AttemptState::Declined | AttemptState::Voiding | AttemptState::Voided,
                Report::Captured,
            ) => self.give_back(order, payment, facts),
            (AttemptState::Returning, Report::Refunded) => self.enact(Fact::Returned { order, payment }, facts),
            (AttemptState::Created, Report::Declined { reason }) => {
                self.enact(Fact::Declined { order, payment, reason: reason.clone() }, facts);
            }
            (
                AttemptState::Created | AttemptState::Declined | AttemptState::Voiding,
                Report::Voided | Report::Refunded,
            ) => {
                self.enact(Fact::Dropped { order, payment }, facts);
            }
            (AttemptState::Capturing, Report::Captured) => self.captured(order, payment, facts),
            (AttemptState::Capturing, Report::Voided) => self.uncollected(order, payment, facts),
            (AttemptState::Capturing | AttemptState::Captured, Report::Refunded)
            | (AttemptState::Captured, Report::Voided) => self.refunded(order, payment, facts),
            // Said before, or overtaken.
            _ => {}
        }
        Ok(Done::Noted)
    }

    /// Whether an order gets its seats for money that is there now.
    fn can_sell(&self, order: OrderId) -> bool {
        let known = self.order(order).filter(|_| !self.terms().cancelled);
        known.is_some_and(|order| match order.state {
            OrderState::Pending => true,
            OrderState::Expired => self.can_reclaim(order),
            OrderState::Authorized
            | OrderState::Confirmed
            | OrderState::Captured
            | OrderState::Voided
            | OrderState::Refunding
            | OrderState::Refunded => false,
        })
    }

    /// Money that was taken and buys nothing. Its order stays as it is, but for a cancelled event's: that waits for no other payment.
    fn give_back(&mut self, order: OrderId, payment: PaymentId, facts: &mut Vec<Fact>) {
        let waiting = self.order(order).filter(|order| order.state == OrderState::Pending && self.terms().cancelled);
        if let Some(hold) = waiting.map(|order| order.hold.id) {
            self.end_hold(hold, HoldState::Released, facts);
        }
        self.enact(Fact::Returning { order, payment }, facts);
    }

    fn authorized(&mut self, order: OrderId, payment: PaymentId, moment: &mut Moment<'_>, facts: &mut Vec<Fact>) {
        let Some(known) = self.order(order) else { return };
        let (state, sells) = (known.state, self.can_sell(order));
        let Hold { id: hold, buyer, seats, prices, .. } = known.hold.clone();
        if !matches!(state, OrderState::Pending | OrderState::Expired) {
            self.enact(Fact::Surplus { order, payment }, facts);
            return;
        }
        self.enact(Fact::Authorized { order, payment }, facts);
        match state {
            OrderState::Pending if sells => self.sell_to(order, payment, moment, facts),
            OrderState::Expired if sells => {
                self.enact(Fact::Reclaimed { order, hold, buyer, seats, prices }, facts);
                self.sell_to(order, payment, moment, facts);
            }
            OrderState::Pending => {
                self.enact(Fact::Released { hold, buyer, seats }, facts);
                self.enact(Fact::Voided { order, payment }, facts);
            }
            _ => self.enact(Fact::Voided { order, payment }, facts),
        }
    }

    /// Whether a lapsed order can have its seats again. One whose buyer let them go cannot, nor one of another plan or currency.
    fn can_reclaim(&self, order: &LaneOrder) -> bool {
        order.hold.state == HoldState::Expired
            && order.hold.basis == *self.basis()
            && order.hold.seats.iter().all(|seat| self.is_free(*seat))
            && self.within_limit(order.hold.buyer, order.hold.seats.len()).is_ok()
            && self.can_use_again(&order.hold)
    }

    fn sell_to(&mut self, order: OrderId, payment: PaymentId, moment: &mut Moment<'_>, facts: &mut Vec<Fact>) {
        let Some(Hold { id: hold, buyer, seats, .. }) = self.order(order).map(|order| order.hold.clone()) else {
            return;
        };
        let tickets = seats.iter().map(|_| TicketId((moment.mint)())).collect();
        self.enact(Fact::Sold { order, payment, hold, buyer, seats, tickets }, facts);
    }
}
