//! What a lane decided: the words of `lane_log`. State changes by facts alone, so replaying the log gives the state; rows
//! follow from facts alone too, so each says all that its rows need.

use crate::digest::Digest;
use crate::order::RefundBy;
use crate::reservation::BestAvailable;
use jiff::Timestamp;
use model::charge::Line;
use model::{HoldId, OrderId, PaymentId, SeatNo, TicketId, UserId};
use serde::{Deserialize, Serialize};

/// One decision. A batch's facts, as a JSON array, are one entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub(crate) enum Fact {
    /// Seats were kept for a buyer.
    Held {
        hold: HoldId,
        buyer: UserId,
        key: String,
        request: Digest,
        seats: Vec<SeatNo>,
        prices: Vec<i64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        extras: Vec<Line>,
        expires_at: Timestamp,
    },
    /// A hold got more time.
    Extended { hold: HoldId, expires_at: Timestamp },
    /// The buyer let a hold go.
    Released { hold: HoldId, buyer: UserId, seats: Vec<SeatNo> },
    /// Time let a hold go.
    Expired { hold: HoldId, buyer: UserId, seats: Vec<SeatNo> },
    /// A hold became an order.
    Ordered { order: OrderId, hold: HoldId, buyer: UserId, total: i64 },
    /// A pending order lost its hold.
    Lapsed { order: OrderId },
    /// An attempt to pay began.
    Attempted { order: OrderId, payment: PaymentId, key: String, amount: i64 },
    /// The provider refused an attempt.
    Declined { order: OrderId, payment: PaymentId, reason: String },
    /// The money of an attempt is reserved, and with it its order.
    Authorized { order: OrderId, payment: PaymentId },
    /// The seats of a lapsed order were free and are its again.
    Reclaimed { order: OrderId, hold: HoldId, buyer: UserId, seats: Vec<SeatNo>, prices: Vec<i64> },
    /// The seats are sold, the money is asked for.
    Sold {
        order: OrderId,
        payment: PaymentId,
        hold: HoldId,
        buyer: UserId,
        seats: Vec<SeatNo>,
        /// One for each seat.
        tickets: Vec<TicketId>,
    },
    /// The order cannot have its seats; the money is let go.
    Voided { order: OrderId, payment: PaymentId },
    /// The order needs no money; what this attempt reserved is let go.
    Surplus { order: OrderId, payment: PaymentId },
    /// The money is ours.
    Captured { order: OrderId, payment: PaymentId },
    /// The money of an attempt is no longer reserved.
    Dropped { order: OrderId, payment: PaymentId },
    /// A sold order is undone: its tickets are void, its seats free, its money is on the way back.
    Undone { order: OrderId, buyer: UserId, seats: Vec<SeatNo>, by: RefundBy },
    /// Seats of a paid order went for others: those free, these sold, each under a ticket of its own.
    Exchanged {
        order: OrderId,
        hold: HoldId,
        buyer: UserId,
        gave: Vec<SeatNo>,
        /// One for each, at its price.
        took: Vec<SeatNo>,
        prices: Vec<i64>,
        /// All that the order has now; each where the one was that it went for.
        seats: Vec<SeatNo>,
        /// One for each taken.
        tickets: Vec<TicketId>,
    },
    /// The money of an order that is undone came in after all.
    Taken { order: OrderId, payment: PaymentId },
    /// The provider is to give the money back.
    AskedBack { order: OrderId, payment: PaymentId },
    /// The money is back.
    Refunded { order: OrderId, payment: PaymentId },
    /// The provider took no money for an order that is undone: there is none to give back.
    Uncollected { order: OrderId, payment: PaymentId },
    /// The provider took money that the order cannot have: it is to give it back.
    Returning { order: OrderId, payment: PaymentId },
    /// That money is back.
    Returned { order: OrderId, payment: PaymentId },
    /// Somebody waits for seats, behind everyone before.
    Joined { place: i64, buyer: UserId, want: BestAvailable },
    /// Somebody waits no more.
    Left { place: i64, buyer: UserId },
    /// Somebody's turn has come: the hold that follows is theirs.
    Offered { place: i64, buyer: UserId, hold: HoldId },
}

impl Fact {
    /// The seats it gives, takes or sells.
    pub(crate) fn seats(&self) -> impl Iterator<Item = &SeatNo> {
        let (seats, more): (&[SeatNo], &[SeatNo]) = match self {
            Self::Exchanged { gave, took, .. } => (gave, took),
            Self::Held { seats, .. }
            | Self::Released { seats, .. }
            | Self::Expired { seats, .. }
            | Self::Reclaimed { seats, .. }
            | Self::Sold { seats, .. }
            | Self::Undone { seats, .. } => (seats, &[]),
            _ => (&[], &[]),
        };
        seats.iter().chain(more)
    }
}
