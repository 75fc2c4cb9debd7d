//! The booking core: lanes, seats, holds, orders, payments, tickets. Every acknowledged answer is durable; a seat is sold once.
//!
//! One lane per event decides in arrival order in memory and writes one fenced transaction per batch; losers are refused without
//! SQL. The only SQL that touches the booking tables is here. Never speaks HTTP, never calls a payment provider.

mod audit;
mod booking;
mod books;
mod clock;
mod code;
mod digest;
mod failure;
mod lane;
mod order;
mod plans;
mod rehearsal;
mod reservation;
mod restate;
mod sales;
mod seats;
mod shell;
mod table;
mod waiting;

pub use audit::{AuditError, Audited, Difference, audit};
pub use booking::{Booking, ExchangeError, OpenError, Settings};
pub use books::{PaymentBooks, PaymentLine};
pub use code::{BadSeed, TicketCode, TicketKey};
pub use digest::Digest;
pub use failure::Failure;
pub use order::{
    Admission, BuyError, CheckInError, Checkout, Effect, EffectTopic, InboxEntry, Order, OrderState, PaymentAttempt,
    PaymentState, RefundBy, RefundError, Report, ReportError, Ticket, TicketState, TransferError,
};
pub use rehearsal::Rehearsal;
pub use reservation::{
    Ask, BadCode, BestAvailable, Closed, ExtendError, HoldState, Receipt, ReleaseError, Reservation, ReserveError,
    ReserveRequest, ReservedSeat,
};
pub use restate::{lock_lane, restate_availability};
pub use sales::{DayCharge, DaySales, Paid, Sales, SalesError, Sold, TierSales};
pub use seats::board::Subscription;
pub use seats::{SeatDelta, SeatState, SeatStates, SeatUpdate, SeatsError, SeatsSince, Told};
pub use waiting::{JoinError, OfferMail, Standing, Wait};
