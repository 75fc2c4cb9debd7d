//! What a buyer asks of an event's seats and what the booking core answers. Transport-free: the words of the HTTP contract,
//! none of its statuses.

use crate::digest::Digest;
use crate::failure::Failure;
use jiff::Timestamp;
use model::charge::Line;
use model::{Currency, EventId, HoldId, SeatNo, TierNo};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;

/// More bytes than the letters of any section's name take.
const SECTION_BYTES_MAX: usize = 1_024;

/// A request for seats of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReserveRequest {
    /// Which event.
    pub event: EventId,
    /// Which seats.
    pub ask: Ask,
    /// What the buyer typed in, in capital letters; nobody's code is unknown.
    pub code: Option<String>,
}

/// Which seats a buyer wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Exactly these, all or none.
    Seats(Vec<SeatNo>),
    /// The best there are under these conditions.
    Best(BestAvailable),
}

impl Ask {
    /// How many seats.
    pub(crate) fn quantity(&self) -> usize {
        match self {
            Self::Seats(seats) => seats.len(),
            Self::Best(best) => best.quantity as usize,
        }
    }
}

/// Conditions of a best-available request; `None` leaves a condition open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BestAvailable {
    /// How many seats; 1 or more.
    pub quantity: u32,
    /// The section's name.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "section_name")]
    pub section: Option<String>,
    /// The price tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<TierNo>,
    /// The most a seat may cost, in minor units of the event's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_max: Option<i64>,
    /// `true`: only accessible seats. Otherwise accessible seats are given last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accessible: Option<bool>,
    /// How many of the seats may be beside accessible ones instead: companions, side by side with them in one row. Less than
    /// `quantity`, and only with `accessible: true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub companions: Option<u32>,
    /// `true`: side by side in one row or not at all. Otherwise side by side is preferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adjacent: Option<bool>,
}

/// No section is called anything longer, and whoever waits in a queue takes little room there.
fn section_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = Option::<String>::deserialize(deserializer)?;
    if name.as_ref().is_some_and(|name| name.len() > SECTION_BYTES_MAX) {
        return Err(D::Error::custom(format!("a section's name has at most {SECTION_BYTES_MAX} bytes")));
    }
    Ok(name)
}

/// Seats kept for a buyer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Reservation {
    /// The hold.
    pub reserve_id: HoldId,
    /// The event.
    pub event_id: EventId,
    /// The seats, in `seat_no` order.
    pub seats: Vec<ReservedSeat>,
    /// What they come to: tickets, discounts, fees, taxes. Kept as it is, whatever prices and terms become.
    pub lines: Vec<Line>,
    /// The sum of `lines`, in minor units: what is paid.
    pub total: i64,
    /// Of `total` and every `price`.
    pub currency: Currency,
    /// When the seats go back on sale unless bought.
    pub expires_at: Timestamp,
    /// Where the hold stands.
    pub state: HoldState,
    /// Its place in the event's log.
    pub receipt: Receipt,
}

/// A place in an event's log of decisions, by which what was decided can be shown to be there, unchanged and in its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Receipt {
    /// The entry's number: 1 is the event's first.
    pub seq: i64,
    /// The entry's hash, which covers the entry and all before it.
    pub hash: Digest,
}

/// One seat of a reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReservedSeat {
    /// Its number in the plan.
    pub seat_no: SeatNo,
    /// What is printed on it.
    pub label: String,
    /// The section's name.
    pub section: String,
    /// The row's label; empty for general admission.
    pub row: String,
    /// The price tier's number in the plan.
    pub tier: TierNo,
    /// Minor units.
    pub price: i64,
}

/// Where a hold stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldState {
    /// The seats are kept.
    Held,
    /// The seats were bought.
    Sold,
    /// The buyer let them go.
    Released,
    /// Time let them go.
    Expired,
}

impl HoldState {
    /// The name in the database and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Sold => "sold",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }

    /// The state of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Held, Self::Sold, Self::Released, Self::Expired].into_iter().find(|state| state.as_str() == name)
    }
}

/// Why an event takes no reservations at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    /// The sale opens later.
    Soon,
    /// The sale is over.
    Over,
    /// The event was cancelled.
    Cancelled,
}

/// Why a code is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum BadCode {
    /// The event has no such code.
    Unknown,
    /// Its time has not come.
    NotYet,
    /// Its time is over.
    Over,
    /// It was used as often, or for as many seats, as it may be.
    UsedUp,
    /// It is for tickets of another tier.
    OtherTier {
        /// Of this one.
        tier: TierNo,
    },
    /// It is good for fewer seats than that.
    TooManySeats {
        /// For how many still.
        left: u32,
    },
}

/// Why no seats were reserved.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReserveError {
    /// There is no such event.
    #[error("there is no such event")]
    NoSuchEvent,
    /// The request makes no sense; the field and what it must be.
    #[error("{field} {must}")]
    BadAsk {
        /// The request's field.
        field: Cow<'static, str>,
        /// What it must be.
        must: Cow<'static, str>,
    },
    /// These seats are not on the plan or not for sale.
    #[error("seats are not on sale at this event")]
    BadSeat {
        /// Which of those asked for.
        seats: Vec<SeatNo>,
    },
    /// Somebody has these seats.
    #[error("seats are no longer free")]
    SeatsTaken {
        /// Which of those asked for.
        seats: Vec<SeatNo>,
    },
    /// Fewer seats than asked for are free under these conditions.
    #[error("not enough seats are free")]
    NotEnoughSeats,
    /// The buyer would have more seats of this event than one may.
    #[error("a buyer may have {limit} seats of this event")]
    LimitReached {
        /// Seats per buyer.
        limit: u32,
    },
    /// The event takes no reservations now.
    #[error("the event is not on sale")]
    NotOnSale {
        /// When the sale opens, or opened.
        opens_at: Timestamp,
        /// Why not now.
        closed: Closed,
    },
    /// The code is of no use.
    #[error("the code is of no use")]
    Code(BadCode),
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The same request under the same key waits for its answer.
    #[error("the first request with this key is still running")]
    InProgress,
    /// The event's queue is full, or another process serves the event; try again in a second.
    #[error("the event cannot be served now")]
    Busy,
    /// The database failed us; nothing was acknowledged.
    #[error("reserve seats")]
    Failed(#[from] Failure),
}

/// Why holds were not extended.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ExtendError {
    /// The buyer has no live hold of this event.
    #[error("there is no live hold")]
    NoHold,
    /// The event's queue is full, or another process serves the event; try again in a second.
    #[error("the event cannot be served now")]
    Busy,
    /// The database failed us.
    #[error("extend holds")]
    Failed(#[from] Failure),
}

/// Why holds were not released.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The event's queue is full, or another process serves the event; try again in a second.
    #[error("the event cannot be served now")]
    Busy,
    /// The database failed us.
    #[error("release holds")]
    Failed(#[from] Failure),
}
