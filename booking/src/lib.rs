//! The booking core: lanes, seats, holds, orders, payments, tickets. Every acknowledged answer is durable; a seat is sold once.
//!
//! One lane per event decides in arrival order in memory and writes one fenced transaction per batch; losers are refused without
//! SQL. The only SQL that touches the booking tables is here. Never speaks HTTP, never calls a payment provider.

mod booking;
mod failure;
mod order;
mod reservation;
mod seats;

pub use booking::{Booking, OpenError, Settings, Subscription};
pub use failure::Failure;
pub use order::{
    BuyError, Checkout, Effect, EffectTopic, InboxEntry, Order, OrderState, PaymentAttempt, PaymentState, Report,
    ReportError, Ticket, TicketState,
};
pub use reservation::{
    Ask, BestAvailable, Closed, ExtendError, HoldState, ReleaseError, Reservation, ReserveError, ReserveRequest,
    ReservedSeat,
};
pub use seats::{SeatDelta, SeatState, SeatStates, SeatUpdate, SeatsError, SeatsSince};
