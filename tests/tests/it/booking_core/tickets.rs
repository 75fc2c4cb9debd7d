//! Tickets on a real Postgres: signed codes, passed on, used once, whatever comes at the same time.

use super::{Core, settings};
use booking::{CheckInError, RefundBy, RefundError, Report, Ticket, TicketKey, TicketState, TransferError};
use model::UserId;

impl Core {
    /// Seats sold to a buyer and paid; the tickets.
    async fn tickets_of(&self, buyer: UserId, seats: &[u32]) -> Vec<Ticket> {
        let held = self.seats(buyer, seats, "seats").await.unwrap();
        let checkout = self.booking.buy(buyer, self.event(), Some(held.reserve_id), "pay").await.unwrap();
        self.booking.payment_opened(checkout.payment.payment_id, "sandbox", "p1", "http://portal.test").await.unwrap();
        self.booking.payment_reported("sandbox", "p1", Report::Authorized).await.unwrap();
        self.booking.payment_reported("sandbox", "p1", Report::Captured).await.unwrap();
        self.booking.tickets(buyer, None).await.unwrap()
    }

    fn read(&self, ticket: &Ticket) -> booking::TicketCode {
        self.booking.read_code(ticket.code.as_deref().unwrap()).unwrap()
    }
}

#[tokio::test]
async fn a_ticket_is_passed_on_under_a_new_code_and_the_old_one_is_dead_at_once() {
    let core = Core::new().await;
    let (buyer, friend) = (core.buyer().await, core.buyer().await);
    let before = core.tickets_of(buyer, &[0, 1]).await;
    let ticket = &before[0];
    let after = core.booking.transfer(ticket.ticket_id, buyer, friend).await.unwrap();
    assert_eq!((after.holder, after.generation), (friend, 2));
    assert_ne!(after.code, ticket.code);
    assert!(matches!(core.booking.check_in(core.read(ticket), None).await, Err(CheckInError::PassedOn)));
    let order = core.booking.order(ticket.order_id).await.unwrap().unwrap();
    let codes: Vec<_> = order.tickets.iter().map(|ticket| ticket.code.is_some()).collect();
    assert_eq!(codes, [false, true], "who bought it does not see the new code");
    let again = core.booking.transfer(ticket.ticket_id, buyer, friend).await;
    assert!(matches!(again, Err(TransferError::NoSuchTicket)));
    let (used, at) = core.booking.check_in(core.read(&after), None).await.unwrap();
    assert_eq!((used.state, used.used_at), (TicketState::Used, Some(at)));
    let twice = core.booking.check_in(core.read(&after), None).await;
    assert!(matches!(twice, Err(CheckInError::AlreadyUsed { at: first }) if first == at));
    let used = core.booking.transfer(ticket.ticket_id, friend, buyer).await;
    assert!(matches!(used, Err(TransferError::AlreadyUsed { at: first }) if first == at));
    let refund = core.booking.refund(ticket.order_id, RefundBy::Buyer(buyer)).await;
    assert!(matches!(refund, Err(RefundError::TicketsGone { ref tickets }) if tickets == &[ticket.ticket_id]));
    core.audit().await;
}

#[tokio::test]
async fn a_code_lets_one_person_in_however_many_doors_it_is_shown_at() {
    let core = Core::new().await;
    let buyer = core.buyer().await;
    let tickets = core.tickets_of(buyer, &[0]).await;
    let shown = core.read(&tickets[0]);
    let doors = futures::future::join_all((0..16).map(|_| core.booking.check_in(shown, None))).await;
    assert_eq!(doors.iter().filter(|door| door.is_ok()).count(), 1);
    let others = doors.iter().filter(|door| matches!(door, Err(CheckInError::AlreadyUsed { .. }))).count();
    assert_eq!(others, 15);
}

#[tokio::test]
async fn a_code_is_the_same_after_a_restart_and_dead_after_a_refund() {
    let core = Core::new().await;
    let buyer = core.buyer().await;
    let tickets = core.tickets_of(buyer, &[0]).await;
    let shown = core.read(&tickets[0]);
    let core = core.restarted().await;
    assert_eq!(core.booking.tickets(buyer, None).await.unwrap(), tickets);
    core.booking.refund(tickets[0].order_id, RefundBy::Seller).await.unwrap();
    assert!(matches!(core.booking.check_in(shown, None).await, Err(CheckInError::Void)));
    let passed_on = core.booking.transfer(tickets[0].ticket_id, buyer, core.listing.organizer).await;
    assert!(matches!(passed_on, Err(TransferError::NoSuchTicket)));
    assert_eq!(core.booking.tickets(buyer, None).await.unwrap()[0].code, None);
    let mut elsewhere = settings(&core.database.url);
    elsewhere.ticket_key = TicketKey::from_seed(&[8; 32]).unwrap();
    let elsewhere = Core::with(core.database.clone(), core.listing.clone(), elsewhere).await;
    assert_eq!(elsewhere.booking.read_code(tickets[0].code.as_deref().unwrap()), None, "another installation's code");
}
