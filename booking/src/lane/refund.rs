//! From ticket back to money: a sold order undone.
//!
//! Tickets die and seats go back on sale first, in one batch; the money follows by the provider. Money that was still on its way in
//! is let in and sent back. What the provider gave back of its own accord undoes its order too, and so does money that it let go
//! before it was taken.

use super::fact::Fact;
use super::{AttemptState, Done, Hold, Lane, LaneOrder, Refusal};
use crate::order::{OrderState, RefundBy};
use jiff::Timestamp;
use model::{OrderId, PaymentId};

impl Lane {
    pub(super) fn refund(
        &mut self,
        order: OrderId,
        by: RefundBy,
        now: Timestamp,
        facts: &mut Vec<Fact>,
    ) -> Result<Done, Refusal> {
        match self.order(order).ok_or(Refusal::UnknownOrder)?.state {
            OrderState::Refunding | OrderState::Refunded => return Ok(Done::Noted),
            OrderState::Confirmed | OrderState::Captured => {}
            OrderState::Pending | OrderState::Authorized | OrderState::Expired | OrderState::Voided => {
                return Err(Refusal::NotPaid);
            }
        }
        let until = self.terms().refundable_until;
        if matches!(by, RefundBy::Buyer(_)) && until.is_none_or(|until| now >= until) {
            return Err(Refusal::NotRefundable { until });
        }
        self.undo(order, by, facts);
        Ok(Done::Noted)
    }

    /// Takes a sold order's seats back and, when its money is here, asks for it to be given back.
    fn undo(&mut self, order: OrderId, by: RefundBy, facts: &mut Vec<Fact>) {
        let Some(LaneOrder { hold, attempts, .. }) = self.order(order) else { return };
        let Hold { buyer, seats, .. } = hold.clone();
        let (total, taken) = (hold.total(), attempts.iter().find(|attempt| attempt.state == AttemptState::Captured));
        let taken = taken.map(|attempt| attempt.payment);
        self.enact(Fact::Undone { order, buyer, seats, by }, facts);
        match taken {
            // The provider knows nothing of an order of nothing.
            Some(payment) if total == 0 => self.enact(Fact::Refunded { order, payment }, facts),
            Some(payment) => self.enact(Fact::AskedBack { order, payment }, facts),
            None => {}
        }
    }

    /// The provider took the money.
    pub(super) fn captured(&mut self, order: OrderId, payment: PaymentId, facts: &mut Vec<Fact>) {
        if self.is_refunding(order) {
            self.enact(Fact::Taken { order, payment }, facts);
            self.enact(Fact::AskedBack { order, payment }, facts);
        } else {
            self.enact(Fact::Captured { order, payment }, facts);
        }
    }

    /// The provider gave the money back, asked by us or not.
    pub(super) fn refunded(&mut self, order: OrderId, payment: PaymentId, facts: &mut Vec<Fact>) {
        let Some(known) = self.order(order) else { return };
        if known.state == OrderState::Refunded {
            return;
        }
        let is_taken = known.attempts.iter().any(|attempt| attempt.state == AttemptState::Captured);
        let is_refunding = self.is_refunding(order);
        if !is_refunding {
            // Undone first: then what comes in is not asked for once more.
            let Hold { buyer, seats, .. } = known.hold.clone();
            self.enact(Fact::Undone { order, buyer, seats, by: RefundBy::Seller }, facts);
        }
        if !is_taken {
            self.enact(Fact::Taken { order, payment }, facts);
        }
        self.enact(Fact::Refunded { order, payment }, facts);
    }

    /// The provider let the money go before we had it: a sold order without its money is undone.
    pub(super) fn uncollected(&mut self, order: OrderId, payment: PaymentId, facts: &mut Vec<Fact>) {
        let Some(Hold { buyer, seats, .. }) = self.order(order).map(|order| order.hold.clone()) else { return };
        if !self.is_refunding(order) {
            self.enact(Fact::Undone { order, buyer, seats, by: RefundBy::Seller }, facts);
        }
        self.enact(Fact::Uncollected { order, payment }, facts);
    }

    fn is_refunding(&self, order: OrderId) -> bool {
        self.order(order).is_some_and(|order| order.state == OrderState::Refunding)
    }
}
