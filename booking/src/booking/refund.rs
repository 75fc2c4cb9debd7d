//! Undoing orders: one on somebody's word, all of an event that was cancelled.

use super::Booking;
use crate::failure::Failure;
use crate::lane::{Command, Refusal};
use crate::order::{RefundBy, RefundError};
use crate::shell::Refused;
use crate::table;
use futures::future::join_all;
use model::{EventId, OrderId};

impl Booking {
    /// Undoes a paid order: its tickets die and its seats go back on sale before this returns, its money follows by the outbox.
    /// Again: nothing more.
    ///
    /// # Errors
    /// When there is nothing to give back, or not on this word.
    pub async fn refund(&self, order: OrderId, by: RefundBy) -> Result<(), RefundError> {
        let found = self.order(order).await?.ok_or(RefundError::NoSuchOrder)?;
        self.undo(found.event_id, order, by).await
    }

    /// Undoes orders of cancelled events, up to `limit`; says how many there were.
    ///
    /// # Errors
    /// When one was not undone; the others were tried.
    pub async fn refund_cancelled(&self, limit: i64) -> Result<usize, RefundError> {
        let mut connection = self.pool.acquire().await.map_err(Failure::from)?;
        let paid = table::orders::of_cancelled(&mut connection, limit).await.map_err(Failure::from)?;
        drop(connection);
        let count = paid.len();
        // Together, so that a batch writes them together.
        let undone = join_all(paid.into_iter().map(|(event, order)| self.undo(event, order, RefundBy::Seller))).await;
        undone.into_iter().collect::<Result<(), _>>()?;
        Ok(count)
    }

    async fn undo(&self, event: EventId, order: OrderId, by: RefundBy) -> Result<(), RefundError> {
        match self.lanes.send(event, Command::Refund { order, by }).await {
            Ok(_) => Ok(()),
            // In progress: of commands with a key alone.
            Err(Refused::Busy | Refused::InProgress) => Err(RefundError::Busy),
            Err(Refused::Failed(failure)) => Err(RefundError::Failed(failure)),
            Err(Refused::NoSuchEvent | Refused::Refusal(Refusal::UnknownOrder)) => Err(RefundError::NoSuchOrder),
            Err(Refused::Refusal(Refusal::NotPaid)) => Err(RefundError::NotPaid),
            Err(Refused::Refusal(Refusal::TicketsGone(tickets))) => Err(RefundError::TicketsGone { tickets }),
            Err(Refused::Refusal(Refusal::NotRefundable { until })) => Err(RefundError::NotAllowed { until }),
            Err(Refused::Refusal(_)) => Err(RefundError::Failed(super::mismatch())),
        }
    }
}
