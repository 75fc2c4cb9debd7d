//! Tickets after the sale: passed on to another holder, let in at the door. Each is one guarded statement on the ticket's row.

use super::Booking;
use crate::code::TicketCode;
use crate::failure::Failure;
use crate::order::{Admission, CheckInError, Ticket, TicketState, TransferError};
use crate::table;
use jiff::Timestamp;
use model::{EventId, TicketId, UserId};

impl Booking {
    /// Gives a valid ticket of `from` to another account, under a new code; the old one is dead when this returns.
    ///
    /// # Errors
    /// When `from` has no such ticket, or it was used.
    pub async fn transfer(&self, ticket: TicketId, from: UserId, to: UserId) -> Result<Ticket, TransferError> {
        let mut connection = self.pool.acquire().await.map_err(Failure::from)?;
        let passed_on = table::ticket::transfer(&mut connection, ticket, from, to).await.map_err(Failure::from)?;
        drop(connection);
        let found = self.ticket(ticket).await?;
        match found {
            Some(found) if passed_on => Ok(found),
            Some(Ticket { holder, used_at: Some(at), state: TicketState::Used, .. }) if holder == from => {
                Err(TransferError::AlreadyUsed { at })
            }
            Some(_) | None => Err(TransferError::NoSuchTicket),
        }
    }

    /// What a ticket's code says, if it was issued here.
    #[must_use]
    pub fn read_code(&self, code: &str) -> Option<TicketCode> {
        self.ticket_key.read(code)
    }

    /// What a door without a network checks codes with: an Ed25519 public key.
    #[must_use]
    pub fn ticket_public_key(&self) -> &[u8] {
        self.ticket_key.public()
    }

    /// Lets the holder of a code in, once. A door that let somebody in before it could tell names the admission: told again, it
    /// is the same one.
    ///
    /// # Errors
    /// When somebody was let in by it before, or it is dead.
    pub async fn check_in(
        &self,
        code: TicketCode,
        admission: Option<Admission>,
    ) -> Result<(Ticket, Timestamp), CheckInError> {
        let mut connection = self.pool.acquire().await.map_err(Failure::from)?;
        let let_in = table::ticket::check_in(&mut connection, code, admission).await.map_err(Failure::from)?;
        drop(connection);
        let ticket = self.ticket(code.ticket).await?.ok_or(CheckInError::NoSuchTicket)?;
        match (let_in, ticket.used_at) {
            (Some(at), _) => Ok((ticket, at)),
            (None, _) if ticket.generation != code.generation => Err(CheckInError::PassedOn),
            (None, _) if ticket.state == TicketState::Void => Err(CheckInError::Void),
            (None, Some(at)) => Err(CheckInError::AlreadyUsed { at }),
            (None, None) => Err(CheckInError::NoSuchTicket),
        }
    }

    /// An event's tickets that are not void, by seat: what its door may meet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tickets_at_door(&self, event: EventId) -> Result<Vec<Ticket>, Failure> {
        let mut connection = self.pool.acquire().await?;
        let rows = table::ticket::live(&mut connection, event).await?;
        self.describe_tickets(&mut connection, rows).await
    }
}
