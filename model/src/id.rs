//! Newtype ids. All are UUIDs, version 7 where we make them, so that an index on one grows at its right edge.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id of this millisecond (`UUIDv7`).
            #[must_use]
            #[expect(clippy::new_without_default, reason = "two defaults would differ")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )*};
}

id! {
    /// A person with an account.
    UserId,
    /// Something that takes place once: one concert on one evening.
    EventId,
    /// A place with an address and a time zone.
    VenueId,
    /// A composer, conductor, ensemble or soloist.
    ArtistId,
    /// Seats kept for a buyer until they expire; the API's `reserve_id`.
    HoldId,
    /// A purchase of one hold's seats.
    OrderId,
    /// One attempt to pay an order.
    PaymentId,
    /// The right to one seat.
    TicketId,
    /// A search that somebody keeps.
    SearchId,
    /// Accounts that an organizer keeps together.
    GroupId,
}
