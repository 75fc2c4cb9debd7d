//! Seats of a paid order changed for others.

use super::{Booking, mismatch};
use crate::failure::Failure;
use crate::lane::{Command, Refusal};
use crate::order::Order;
use crate::reservation::Closed;
use crate::shell::Refused;
use model::{OrderId, SeatNo, TicketId, UserId};
use std::borrow::Cow;

/// Why seats were not exchanged; nothing changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The buyer has no such order.
    #[error("there is no such order")]
    NoSuchOrder,
    /// Nothing was paid for it, or not yet, or the money goes back.
    #[error("the order is not paid")]
    NotPaid,
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
        /// Which.
        seats: Vec<SeatNo>,
    },
    /// Somebody has these seats.
    #[error("seats are not free")]
    SeatsTaken {
        /// Which.
        seats: Vec<SeatNo>,
    },
    /// The seats do not cost what was paid for those they are to go for.
    #[error("the seats have another price")]
    OtherPrice,
    /// The event is over for sales, or cancelled.
    #[error("the event is not on sale")]
    NotOnSale {
        /// Why not.
        closed: Closed,
    },
    /// A ticket of such a seat has let somebody in, or is another's by now.
    #[error("a ticket was used or passed on")]
    TicketsGone {
        /// Which.
        tickets: Vec<TicketId>,
    },
    /// The event's queue is full, or another process serves the event; try again in a second.
    #[error("the event cannot be served now")]
    Busy,
    /// The database failed us.
    #[error("exchange seats")]
    Failed(#[from] Failure),
}

impl Booking {
    /// Changes seats of a buyer's paid order for free ones at the price that was paid: before this returns the old tickets are dead and
    /// their seats on sale, the new ones sold under tickets of their own. Again: the order as it is.
    ///
    /// # Errors
    /// When the seats cannot be had for those; each says why, and nothing changed.
    pub async fn exchange(
        &self,
        order: OrderId,
        buyer: UserId,
        (give, take): (Vec<SeatNo>, Vec<SeatNo>),
    ) -> Result<Order, ExchangeError> {
        let found =
            self.order(order).await?.filter(|found| found.user_id == buyer).ok_or(ExchangeError::NoSuchOrder)?;
        match self.lanes.send(found.event_id, Command::Exchange { order, buyer, give, take }).await {
            Ok(_) => Ok(self.order(order).await?.ok_or_else(mismatch)?),
            Err(refused) => Err(exchange_error(refused)),
        }
    }
}

fn exchange_error(refused: Refused) -> ExchangeError {
    match refused {
        // In progress: of commands with a key alone.
        Refused::Busy | Refused::InProgress => ExchangeError::Busy,
        Refused::Failed(failure) => ExchangeError::Failed(failure),
        Refused::NoSuchEvent | Refused::Refusal(Refusal::UnknownOrder) => ExchangeError::NoSuchOrder,
        Refused::Refusal(Refusal::NotPaid) => ExchangeError::NotPaid,
        Refused::Refusal(Refusal::BadAsk { field, must }) => ExchangeError::BadAsk { field, must },
        Refused::Refusal(Refusal::BadSeat(seats)) => ExchangeError::BadSeat { seats },
        Refused::Refusal(Refusal::SeatsTaken(seats)) => ExchangeError::SeatsTaken { seats },
        Refused::Refusal(Refusal::TicketsGone(tickets)) => ExchangeError::TicketsGone { tickets },
        Refused::Refusal(Refusal::OtherPrice) => ExchangeError::OtherPrice,
        Refused::Refusal(Refusal::NotOnSale { closed, .. }) => ExchangeError::NotOnSale { closed },
        Refused::Refusal(_) => ExchangeError::Failed(mismatch()),
    }
}
