//! The booking tables' statements outside the lanes: one function per statement, in the file named after its table.
//!
//! Reads, and what concerns a provider alone. Whatever decides about seats, orders or payments goes through a lane.

pub(crate) mod audit;
pub(crate) mod availability;
pub(crate) mod hold;
pub(crate) mod layout;
pub(crate) mod orders;
pub(crate) mod outbox;
pub(crate) mod payment;
pub(crate) mod ticket;
pub(crate) mod waiting;
pub(crate) mod webhook_inbox;

use crate::digest::Digest;
use crate::failure::Failure;
use crate::reservation::Receipt;

/// A column holds a word this program does not know.
#[derive(Debug, thiserror::Error)]
#[error("{0} holds an unknown value")]
pub(crate) struct Unreadable(pub(crate) &'static str);

/// A hash out of its column.
pub(crate) fn digest(hash: Vec<u8>) -> Result<Digest, Failure> {
    hash.try_into().map(Digest).map_err(|_| Failure::new(Unreadable("a hash")))
}

/// A place in the log out of its columns.
pub(crate) fn receipt(seq: i64, hash: Vec<u8>) -> Result<Receipt, Failure> {
    Ok(Receipt { seq, hash: digest(hash)? })
}

/// A seat's number out of its column.
pub(crate) fn seat_no(number: i32) -> model::SeatNo {
    model::SeatNo::try_from(number).unwrap_or(model::SeatNo::MAX)
}
