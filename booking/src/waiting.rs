//! Waiting for seats that come back: what a buyer asks, and what is told.

use crate::failure::Failure;
use crate::reservation::{BestAvailable, Closed};
use jiff::Timestamp;
use model::{EventId, HoldId, UserId};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A buyer in an event's line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Wait {
    /// Of which event.
    pub event_id: EventId,
    /// Since when.
    pub since: Timestamp,
    /// For what.
    pub want: BestAvailable,
    /// Where they stand.
    #[serde(flatten)]
    pub standing: Standing,
}

/// Where a buyer stands in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Standing {
    /// Nothing came back yet.
    Waiting {
        /// How many stand before them.
        ahead: i64,
    },
    /// The seats are kept for them, as any reservation's: to be bought, or let go.
    Offered {
        /// The reservation.
        reserve_id: HoldId,
        /// When the seats go to the next.
        expires_at: Timestamp,
    },
}

/// Why a buyer was not let in line.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JoinError {
    /// There is no such event.
    #[error("there is no such event")]
    NoSuchEvent,
    /// What they want can be had now.
    #[error("these seats can be had")]
    SeatsLeft,
    /// They wait for something else.
    #[error("the buyer waits for something else")]
    InLine,
    /// So many wait that more would wait for nothing.
    #[error("the line is full")]
    LineFull,
    /// A field of the request makes no sense.
    #[error("{field} {must}")]
    BadAsk {
        /// The field.
        field: Cow<'static, str>,
        /// What it must be.
        must: Cow<'static, str>,
    },
    /// They would have more seats than one buyer may.
    #[error("one buyer may have {limit} seats")]
    LimitReached {
        /// The event's limit.
        limit: u32,
    },
    /// The event is not on sale.
    #[error("the event is not on sale")]
    NotOnSale {
        /// When the sale opens, or opened.
        opens_at: Timestamp,
        /// Why it is closed.
        closed: Closed,
    },
    /// The event's queue is full, or another process serves the event; try again in a second.
    #[error("the event cannot be served now")]
    Busy,
    /// The database failed us.
    #[error("join the line")]
    Failed(#[from] Failure),
}

/// An offer that its buyer is to be told of by mail.
#[derive(Clone, Copy, Debug)]
pub struct OfferMail {
    /// Of which event.
    pub event: EventId,
    /// Which place it was.
    pub place: i64,
    /// Whose.
    pub buyer: UserId,
    /// The seats' hold.
    pub hold: HoldId,
    /// How many seats.
    pub seats: u32,
    /// When they go to the next.
    pub expires_at: Timestamp,
}
