//! The words every room shares: ids, money, bills, log positions, seat plans.
//!
//! No I/O, no clock, no async. Everyone may import it; it imports no one.

pub mod charge;
mod id;
mod lsn;
mod money;
mod pretix;
mod seat_plan;
mod text;

pub use id::{ArtistId, EventId, GroupId, HoldId, OrderId, PaymentId, SearchId, TicketId, UserId, VenueId};
pub use lsn::{Lsn, ParseLsnError};
pub use money::{Currency, Money, ParseCurrencyError};
pub use pretix::PretixPlan;
pub use seat_plan::{LayoutHash, PlanError, Row, SEATS_MAX, Seat, SeatNo, SeatPlan, Section, TIERS_MAX, TierNo};
pub use text::is_one_line;
