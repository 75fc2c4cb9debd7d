//! The seat map's live half: a state of two bits a seat, versioned, with the deltas between versions. The same for everyone.

pub(crate) mod board;

use crate::failure::Failure;
use bytes::Bytes;
use model::{LayoutHash, SeatNo};
use serde::{Deserialize, Serialize};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

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

/// What many are told: there once, and written out once for all of them.
#[derive(Debug)]
pub struct Told<T> {
    it: T,
    text: OnceLock<Bytes>,
}

impl<T> Told<T> {
    /// It as the first who asks writes it, for everyone. Whoever asks writes alike.
    pub fn text(&self, write: impl FnOnce(&T) -> Bytes) -> Bytes {
        Bytes::clone(self.text.get_or_init(|| write(&self.it)))
    }
}

impl<T> From<T> for Told<T> {
    fn from(it: T) -> Self {
        Self { it, text: OnceLock::new() }
    }
}

impl<T> Deref for Told<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.it
    }
}

impl<T: PartialEq> PartialEq for Told<T> {
    fn eq(&self, other: &Self) -> bool {
        self.it == other.it
    }
}

/// The answer to "what changed since?".
#[derive(Clone, Debug, PartialEq)]
pub enum SeatsSince {
    /// The changes.
    Delta(SeatDelta),
    /// Too long ago to tell: everything.
    Full(Arc<Told<SeatStates>>),
}

/// One message of a subscription.
#[derive(Clone, Debug, PartialEq)]
pub enum SeatUpdate {
    /// Everything: the first message unless resumed, and again after falling behind.
    Snapshot(Arc<Told<SeatStates>>),
    /// The next changes.
    Delta(Arc<Told<SeatDelta>>),
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
