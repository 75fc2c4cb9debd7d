//! Where a page begins: the sort key and id of the last hit before it, opaque to clients.
//!
//! Holds whatever the index does in between: the next page is what comes after that key. It also carries a hash of the search it
//! belongs to, so that one cannot be used with another search.

use super::{Mode, Request};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use model::EventId;
use uuid::Uuid;

const HEADER_BYTES: usize = 4 + 4 + 8 + 16;
const TEXT_BYTES_MAX: usize = 4_096;

/// A place in the order of a search's hits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// CRC-32 of the search it belongs to, and of the mode that search began in: its further pages are in the same.
    pub(crate) search: u32,
    /// The day, in days since 1970 by UTC, that the search began: what relevance means by soon.
    pub(crate) day: i32,
    /// The sort's number; smaller comes first.
    pub(crate) key: i64,
    /// The event's id.
    pub(crate) id: Uuid,
    /// The folded title when sorted by name, else empty.
    pub(crate) text: String,
}

impl Cursor {
    /// After an event in the order of dates, `key_us` being its start in microseconds, or the end of the day it is expected on.
    #[must_use]
    pub fn by_date(request: &Request, key_us: i64, event_id: EventId, now: Timestamp) -> Self {
        let day = request.cursor.as_ref().map_or_else(|| day_of(now), |cursor| cursor.day);
        Self { search: request.checksum(Mode::Lexical), day, key: key_us, id: event_id.0, text: String::new() }
    }

    /// The sort's number and the event it is after.
    #[must_use]
    pub fn place(&self) -> (i64, EventId) {
        (self.key, EventId(self.id))
    }

    /// As a client keeps it.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.text.len());
        bytes.extend(self.search.to_be_bytes());
        bytes.extend(self.day.to_be_bytes());
        bytes.extend(self.key.to_be_bytes());
        bytes.extend(self.id.as_bytes());
        bytes.extend(self.text.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// As it was kept; none when it was not one of ours.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (search, rest) = bytes.split_first_chunk::<4>()?;
        let (day, rest) = rest.split_first_chunk::<4>()?;
        let (key, rest) = rest.split_first_chunk::<8>()?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let text = std::str::from_utf8(rest).ok().filter(|text| text.len() <= TEXT_BYTES_MAX)?;
        Some(Self {
            search: u32::from_be_bytes(*search),
            day: i32::from_be_bytes(*day),
            key: i64::from_be_bytes(*key),
            id: Uuid::from_bytes(*id),
            text: text.to_owned(),
        })
    }
}

/// The day of an instant, in days since 1970 by UTC.
pub(crate) fn day_of(now: Timestamp) -> i32 {
    i32::try_from(now.as_second().div_euclid(86_400)).unwrap_or(i32::MAX)
}
