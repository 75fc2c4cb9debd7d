//! What is wrong between a payment of ours and its provider's books, and by whom it is put right. Pure.

use crate::payment::Act;
use booking::{EffectTopic, OrderState, PaymentLine, PaymentState, Report};
use serde::Serialize;

/// A disagreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// The provider reserved the money; here nobody heard of it, or the seats are not sold for it.
    AuthorizedThereNotHere,
    /// The provider took the money; here nobody heard of it.
    CapturedThereNotHere,
    /// The provider let the money go; here nobody heard of it.
    VoidedThereNotHere,
    /// The provider gave the money back; here nobody heard of it.
    RefundedThereNotHere,
    /// The seats are sold, and the provider has no money for them.
    CapturedHereNotThere,
    /// The seats are sold, and the money has yet to be taken.
    CaptureMissing,
    /// The money is to be let go, and is not.
    VoidMissing,
    /// The money is to go back, or is said to be back, and is not.
    RefundMissing,
    /// The two speak of different amounts.
    OtherAmount,
    /// The provider has money of this installation that no payment here knows.
    NobodysMoney,
    /// The provider does not answer.
    NoAnswer,
}

/// By whom it is put right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repair {
    /// The event's lane, once it is told to look.
    Look,
    /// The provider, asked once more for what a lane decided.
    Again(EffectTopic),
    /// The provider, asked by us: it is so already to the lane, or no lane waits for this money.
    Act(Act),
    /// A person.
    None,
}

/// What a payment's line and its provider's word come to; `None` when they agree.
pub(super) fn verdict(line: &PaymentLine, there: Option<&Report>) -> Option<(Kind, Repair)> {
    use Report::{Authorized, Captured, Declined, Refunded, Voided};
    let undone = matches!(line.order_state, OrderState::Refunding | OrderState::Refunded);
    let refunded = line.order_state == OrderState::Refunded;
    Some(match (&line.payment.state, there) {
        (PaymentState::Created | PaymentState::Declined { .. } | PaymentState::Authorized, Some(Authorized)) => {
            (Kind::AuthorizedThereNotHere, Repair::Look)
        }
        (
            PaymentState::Created
            | PaymentState::Declined { .. }
            | PaymentState::Authorized
            | PaymentState::Capturing
            | PaymentState::Voiding
            | PaymentState::Voided,
            Some(Captured),
        ) => (Kind::CapturedThereNotHere, Repair::Look),
        (PaymentState::Capturing | PaymentState::Returning, Some(Refunded)) => {
            (Kind::RefundedThereNotHere, Repair::Look)
        }
        (PaymentState::Captured, Some(Refunded)) if !refunded => (Kind::RefundedThereNotHere, Repair::Look),
        (PaymentState::Capturing, Some(Authorized)) => (Kind::CaptureMissing, Repair::Again(EffectTopic::Capture)),
        (PaymentState::Captured, Some(Authorized)) if !undone => (Kind::CaptureMissing, Repair::Act(Act::Capture)),
        (PaymentState::Capturing, Some(Voided)) => (Kind::CapturedHereNotThere, Repair::Look),
        (PaymentState::Captured, Some(Voided)) if !refunded => (Kind::CapturedHereNotThere, Repair::Look),
        (PaymentState::Captured, Some(Captured)) if undone && !refunded => {
            (Kind::RefundMissing, Repair::Again(EffectTopic::Refund))
        }
        (PaymentState::Returning, Some(Captured)) => (Kind::RefundMissing, Repair::Again(EffectTopic::Refund)),
        (PaymentState::Captured, Some(Captured)) if refunded => (Kind::RefundMissing, Repair::Act(Act::Refund)),
        (PaymentState::Returned, Some(Captured)) => (Kind::RefundMissing, Repair::Act(Act::Refund)),
        (PaymentState::Voiding, Some(Voided | Refunded)) => (Kind::VoidedThereNotHere, Repair::Look),
        (PaymentState::Voiding, Some(Authorized | Declined { .. }) | None) => {
            (Kind::VoidMissing, Repair::Again(EffectTopic::Void))
        }
        // A word that came late is no news to a lane: the money itself is let go.
        (PaymentState::Voided, Some(Authorized)) => (Kind::VoidMissing, Repair::Act(Act::Void)),
        (PaymentState::Capturing, Some(Declined { .. }) | None) => (Kind::CapturedHereNotThere, Repair::None),
        (PaymentState::Captured, Some(Authorized | Declined { .. }) | None) if !refunded => {
            (Kind::CapturedHereNotThere, Repair::None)
        }
        (PaymentState::Returning, Some(Authorized | Declined { .. } | Voided) | None) => {
            (Kind::RefundMissing, Repair::None)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use booking::PaymentAttempt;
    use model::{EventId, OrderId, PaymentId};

    fn line(state: PaymentState, order_state: OrderState) -> PaymentLine {
        let payment = PaymentAttempt {
            payment_id: PaymentId::new(),
            order_id: OrderId::new(),
            event_id: EventId::new(),
            provider: Some("sandbox".into()),
            provider_ref: Some("ref".into()),
            portal_url: None,
            amount: 5,
            currency: "USD".parse().unwrap(),
            refunded: 0,
            state,
            created_at: jiff::Timestamp::UNIX_EPOCH,
        };
        PaymentLine { payment, order_state, quiet_s: 100, failure: None, given_up: false }
    }

    #[test]
    fn money_agrees_where_both_have_it_or_neither() {
        let declined = || PaymentState::Declined { reason: "no".into() };
        for (state, order, there) in [
            (PaymentState::Created, OrderState::Pending, None),
            (PaymentState::Created, OrderState::Expired, Some(Report::Voided)),
            (declined(), OrderState::Expired, Some(Report::Declined { reason: "no".into() })),
            (PaymentState::Captured, OrderState::Captured, Some(Report::Captured)),
            (PaymentState::Captured, OrderState::Refunded, Some(Report::Refunded)),
            (PaymentState::Captured, OrderState::Refunded, Some(Report::Voided)),
            (PaymentState::Voided, OrderState::Voided, Some(Report::Voided)),
            (PaymentState::Voided, OrderState::Expired, None),
            (PaymentState::Returned, OrderState::Captured, Some(Report::Refunded)),
        ] {
            assert_eq!(verdict(&line(state.clone(), order), there.as_ref()), None, "{state:?} {order:?} {there:?}");
        }
    }

    type Row = (PaymentState, OrderState, Option<Report>, Kind, Repair);

    fn all_are_found(rows: impl IntoIterator<Item = Row>) {
        for (state, order, there, kind, repair) in rows {
            let found = verdict(&line(state.clone(), order), there.as_ref());
            assert_eq!(found, Some((kind, repair)), "{state:?} {order:?} {there:?}");
        }
    }

    #[test]
    fn what_a_lane_has_not_heard_it_is_told() {
        let declined = PaymentState::Declined { reason: "no".into() };
        let look = Repair::Look;
        all_are_found([
            (declined, OrderState::Expired, Some(Report::Authorized), Kind::AuthorizedThereNotHere, look),
            (PaymentState::Voided, OrderState::Expired, Some(Report::Captured), Kind::CapturedThereNotHere, look),
            (PaymentState::Captured, OrderState::Captured, Some(Report::Voided), Kind::CapturedHereNotThere, look),
            (PaymentState::Captured, OrderState::Captured, Some(Report::Refunded), Kind::RefundedThereNotHere, look),
            (PaymentState::Captured, OrderState::Captured, None, Kind::CapturedHereNotThere, Repair::None),
        ]);
    }

    #[test]
    fn what_a_lane_waits_for_the_outbox_asks_for_and_else_we_do() {
        let again = Repair::Again;
        let (here, there) = (PaymentState::Captured, || Some(Report::Captured));
        let reserved = || Some(Report::Authorized);
        all_are_found([
            (
                PaymentState::Capturing,
                OrderState::Confirmed,
                reserved(),
                Kind::CaptureMissing,
                again(EffectTopic::Capture),
            ),
            (PaymentState::Voiding, OrderState::Voided, reserved(), Kind::VoidMissing, again(EffectTopic::Void)),
            (here.clone(), OrderState::Refunding, there(), Kind::RefundMissing, again(EffectTopic::Refund)),
            (PaymentState::Returning, OrderState::Voided, there(), Kind::RefundMissing, again(EffectTopic::Refund)),
            (here.clone(), OrderState::Captured, reserved(), Kind::CaptureMissing, Repair::Act(Act::Capture)),
            (PaymentState::Voided, OrderState::Expired, reserved(), Kind::VoidMissing, Repair::Act(Act::Void)),
            (here, OrderState::Refunded, there(), Kind::RefundMissing, Repair::Act(Act::Refund)),
            (PaymentState::Returned, OrderState::Captured, there(), Kind::RefundMissing, Repair::Act(Act::Refund)),
        ]);
    }
}
