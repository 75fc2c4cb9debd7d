//! The seat map's live half: a state of two bits a seat, versioned, with the deltas between versions. The same for everyone.

pub(crate) mod board;

use crate::failure::Failure;
use model::{LayoutHash, SeatNo};
use serde::{Deserialize, Serialize};

/// A seat's state as the map shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SeatState {
    /// Can be reserved.
    Free = 0,
    /// In somebody's hold.
    Held = 1,
    /// Bought.
    Sold = 2,
    /// Not for sale.
    Closed = 3,
}

/// Every seat's state at one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatStates {
    /// Grows with every change; also the `ETag`.
    pub version: u64,
    /// The plan the numbers belong to.
    pub layout: LayoutHash,
    /// Two bits a seat in `seat_no` order: seat n is bits 2·(n mod 4) of byte n / 4.
    pub states: Vec<u8>,
}

/// What changed between two versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatDelta {
    /// The version the changes lead to.
    pub version: u64,
    /// The version they start from.
    pub from: u64,
    /// `[seat_no, state]`, each seat once.
    pub changes: Vec<(SeatNo, u8)>,
}

/// The answer to "what changed since?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeatsSince {
    /// The changes.
    Delta(SeatDelta),
    /// Too long ago to tell: everything.
    Full(SeatStates),
}

/// One message of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeatUpdate {
    /// Everything: the first message unless resumed, and again after falling behind.
    Snapshot(SeatStates),
    /// The next changes.
    Delta(SeatDelta),
}

/// Why there is no seat state.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SeatsError {
    /// There is no such event.
    #[error("there is no such event")]
    NoSuchEvent,
    /// The database failed us.
    #[error("read seat states")]
    Failed(#[from] Failure),
}
