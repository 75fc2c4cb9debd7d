//! Orders, attempts to pay them, and tickets: the words, and the one place that says which step follows which.

#[cfg(test)]
mod tests;

use crate::failure::Failure;
use crate::reservation::{Receipt, ReservedSeat};
use jiff::Timestamp;
use model::charge::Line;
use model::{Currency, EventId, HoldId, OrderId, PaymentId, SeatNo, TicketId, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A purchase of one hold's seats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Order {
    /// Its id.
    pub order_id: OrderId,
    /// Of which event.
    pub event_id: EventId,
    /// Whose seats it buys.
    pub reserve_id: HoldId,
    /// Who buys.
    pub user_id: UserId,
    /// Where it stands.
    pub state: OrderState,
    /// What it comes to: tickets, discounts, fees, taxes.
    pub lines: Vec<Line>,
    /// The sum of `lines`, in minor units: what is paid, and what goes back if it is given back.
    pub total: i64,
    /// Of `total`.
    pub currency: Currency,
    /// Until when it can be paid.
    pub expires_at: Timestamp,
    /// Until when its buyer may ask for the money back; left out when only who sells may give it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refundable_until: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// What it buys, in `seat_no` order.
    pub seats: Vec<ReservedSeat>,
    /// Attempts to pay, oldest first.
    pub attempts: Vec<PaymentAttempt>,
    /// Tickets issued, in `seat_no` order.
    pub tickets: Vec<Ticket>,
    /// The place of its hold in the event's log.
    pub receipt: Receipt,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Waiting for a payment.
    Pending,
    /// The money is reserved at the provider, the seats not yet sold.
    Authorized,
    /// The seats are sold, the tickets issued; the money is being captured.
    Confirmed,
    /// The money is ours.
    Captured,
    /// The seats went back before a payment came.
    Expired,
    /// The payment came too late for the seats; no money is taken.
    Voided,
    /// Money is on its way back.
    Refunding,
    /// The money is back.
    Refunded,
}

impl OrderState {
    /// The name in the database and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Authorized => "authorized",
            Self::Confirmed => "confirmed",
            Self::Captured => "captured",
            Self::Expired => "expired",
            Self::Voided => "voided",
            Self::Refunding => "refunding",
            Self::Refunded => "refunded",
        }
    }

    /// The state of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [
            Self::Pending,
            Self::Authorized,
            Self::Confirmed,
            Self::Captured,
            Self::Expired,
            Self::Voided,
            Self::Refunding,
            Self::Refunded,
        ]
        .into_iter()
        .find(|state| state.as_str() == name)
    }

    /// Whether an order may go from here to `next`; the trigger `order_step` says the same.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending, Self::Authorized | Self::Expired)
                | (Self::Expired, Self::Authorized)
                | (Self::Authorized, Self::Confirmed | Self::Voided)
                | (Self::Confirmed, Self::Captured | Self::Refunding)
                | (Self::Captured, Self::Refunding)
                | (Self::Refunding, Self::Refunded)
        )
    }
}

/// An attempt to pay an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PaymentAttempt {
    /// Its id; also the provider's idempotency key.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// Of which event.
    pub event_id: EventId,
    /// Who takes the money, once opened there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The provider's name for it, once opened there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_ref: Option<String>,
    /// Where the buyer pays, once opened there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub portal_url: Option<String>,
    /// Minor units.
    pub amount: i64,
    /// Of `amount`.
    pub currency: Currency,
    /// What of it went back, in minor units.
    pub refunded: i64,
    /// Where it stands.
    #[serde(flatten)]
    pub state: PaymentState,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Where an attempt to pay stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PaymentState {
    /// The buyer has yet to pay.
    Created,
    /// The provider reserved the money.
    Authorized,
    /// The provider refused.
    Declined {
        /// The provider's word for why.
        reason: String,
    },
    /// We asked for the money.
    Capturing,
    /// The money is ours.
    Captured,
    /// We asked to let the money go.
    Voiding,
    /// The money was let go.
    Voided,
    /// The money was taken though the order cannot have it; we asked to give it back.
    Returning,
    /// That money is back.
    Returned,
}

impl PaymentState {
    /// The name in the database and in JSON.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Authorized => "authorized",
            Self::Declined { .. } => "declined",
            Self::Capturing => "capturing",
            Self::Captured => "captured",
            Self::Voiding => "voiding",
            Self::Voided => "voided",
            Self::Returning => "returning",
            Self::Returned => "returned",
        }
    }
}

/// What a provider says of a payment. Reports may come twice and in any order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// The money is reserved.
    Authorized,
    /// The provider refused.
    Declined {
        /// The provider's word for why.
        reason: String,
    },
    /// The money was taken.
    Captured,
    /// The reservation of money was let go, or the payment was abandoned.
    Voided,
    /// The money that was taken went back.
    Refunded,
}

/// The right to one seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Ticket {
    /// Its id.
    pub ticket_id: TicketId,
    /// To which event.
    pub event_id: EventId,
    /// By which order.
    pub order_id: OrderId,
    /// Whose it is.
    pub holder: UserId,
    /// The seat's number in the plan.
    pub seat_no: SeatNo,
    /// What is printed on the seat.
    pub label: String,
    /// The section's name.
    pub section: String,
    /// The row's label; empty for general admission.
    pub row: String,
    /// Where it stands.
    pub state: TicketState,
    /// What the door reads: signed, for its holder's eyes alone; none once it is void.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// One more for each time it changed hands; a code of an older one is dead.
    pub generation: u32,
    /// When it let somebody in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
    /// When it was issued.
    pub created_at: Timestamp,
}

/// Where a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TicketState {
    /// Lets its holder in.
    Valid,
    /// Let its holder in.
    Used,
    /// Was given back.
    Void,
}

/// Why a ticket was not passed on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TransferError {
    /// The holder has no such ticket, or it is void.
    #[error("there is no such ticket")]
    NoSuchTicket,
    /// It let somebody in.
    #[error("the ticket was used")]
    AlreadyUsed {
        /// When.
        at: Timestamp,
    },
    /// The database failed us.
    #[error("pass a ticket on")]
    Failed(#[from] Failure),
}

/// Somebody went in before it could be told.
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    /// Of the door's own making, unique.
    pub id: Uuid,
    /// By the door's clock; one that is ahead of ours counts as now.
    pub at: Timestamp,
}

/// Why nobody was let in.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CheckInError {
    /// The tables do not know the ticket.
    #[error("there is no such ticket")]
    NoSuchTicket,
    /// It is another's by now, under a new code.
    #[error("the ticket was passed on")]
    PassedOn,
    /// It was given back.
    #[error("the ticket is void")]
    Void,
    /// It let somebody in before.
    #[error("the ticket was used")]
    AlreadyUsed {
        /// When.
        at: Timestamp,
    },
    /// The database failed us.
    #[error("check a ticket in")]
    Failed(#[from] Failure),
}

/// What a buyer needs to pay: the order and the attempt to send them to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// The order.
    pub order: Order,
    /// The open attempt; for an order already paid the one that paid it.
    pub payment: PaymentAttempt,
}

/// Why nothing was bought.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BuyError {
    /// There is no such event.
    #[error("there is no such event")]
    NoSuchEvent,
    /// The buyer has no live hold of this event (or not this one).
    #[error("the hold has expired")]
    HoldExpired,
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The same request under the same key waits for its answer.
    #[error("the first request with this key is still running")]
    InProgress,
    /// The event's queue is full, or another process serves the event; try again in a second.
    #[error("the event cannot be served now")]
    Busy,
    /// The database failed us.
    #[error("buy seats")]
    Failed(#[from] Failure),
}

/// Why a provider's report was not taken in.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReportError {
    /// No payment has this reference, or not yet: report it again later.
    #[error("no payment has this reference")]
    UnknownPayment,
    /// The event's queue is full, or another process serves the event; try again in a second.
    #[error("the event cannot be served now")]
    Busy,
    /// The database failed us.
    #[error("take in a payment report")]
    Failed(#[from] Failure),
}

/// On whose word an order's money goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundBy {
    /// Its buyer's: while the event allows it, and every ticket is still theirs and unused.
    Buyer(UserId),
    /// Of who sells, or of the provider itself: always.
    Seller,
}

/// Why no money goes back.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RefundError {
    /// There is no such order.
    #[error("there is no such order")]
    NoSuchOrder,
    /// Nothing was paid, or not yet.
    #[error("the order is not paid")]
    NotPaid,
    /// The event gives buyers no money back, or does no longer.
    #[error("the event does not allow it")]
    NotAllowed {
        /// Until when it did.
        until: Option<Timestamp>,
    },
    /// A ticket has let somebody in, or is another's by now.
    #[error("a ticket was used or passed on")]
    TicketsGone {
        /// Which.
        tickets: Vec<TicketId>,
    },
    /// The event's queue is full, or another process serves the event; try again in a second.
    #[error("the event cannot be served now")]
    Busy,
    /// The database failed us.
    #[error("give an order's money back")]
    Failed(#[from] Failure),
}

/// Something a provider has still to be told, from the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// For `effect_done`, `effect_failed` and `effect_refused`.
    pub id: i64,
    /// What to ask for.
    pub topic: EffectTopic,
    /// The provider's idempotency key: asking twice acts once.
    pub dedup: String,
    /// The payment it is about.
    pub payment: PaymentAttempt,
    /// How many times it was tried before.
    pub attempts: i32,
}

/// What to ask a provider for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectTopic {
    /// Take the money.
    Capture,
    /// Let the money go.
    Void,
    /// Give the money back.
    Refund,
}

/// How much providers have still to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutboxWeight {
    /// Effects to be carried out.
    pub(crate) waiting: i64,
    /// Effects that providers refuse: nobody asks for them any more.
    pub(crate) dead: i64,
    /// Seconds since the oldest waiting one was written.
    pub(crate) oldest_s: i64,
}

/// A webhook not yet dealt with.
#[derive(Clone, Debug, PartialEq)]
pub struct InboxEntry {
    /// Who sent it.
    pub provider: String,
    /// The provider's id of the message.
    pub provider_event_id: String,
    /// The message.
    pub body: serde_json::Value,
}

impl EffectTopic {
    /// Whether the attempt still waits for it; else the effect was overtaken, and there is nothing to ask for.
    #[must_use]
    pub fn is_awaited_by(self, payment: &PaymentAttempt) -> bool {
        match self {
            Self::Capture => payment.state == PaymentState::Capturing,
            Self::Void => payment.state == PaymentState::Voiding,
            Self::Refund => {
                matches!(payment.state, PaymentState::Captured | PaymentState::Returning)
                    && payment.refunded < payment.amount
            }
        }
    }

    /// The name in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
        }
    }
}
