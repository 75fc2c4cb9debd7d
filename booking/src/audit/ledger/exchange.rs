//! Seats of a paid order that went for others, as the log has it.

use super::{Claim, Ledger, Ticket, Why};
use crate::order::OrderState;
use model::{HoldId, OrderId, SeatNo, TicketId, UserId};

impl Ledger {
    /// Seats of a paid order are nobody's, their tickets dead, and its hold has others for them at the same prices.
    pub(super) fn swap(
        &mut self,
        (order, hold, buyer): (OrderId, HoldId, UserId),
        (gave, took, prices): (&[SeatNo], &[SeatNo], &[i64]),
        seats: &[SeatNo],
    ) -> Result<(), Why> {
        let paid = self.orders.get(&order).is_some_and(|of| of.hold == hold && of.state == OrderState::Captured);
        let kept = self.holds.get_mut(&hold).filter(|kept| paid && kept.buyer == buyer);
        let kept = kept.ok_or("a paid order's buyer alone changes its seats")?;
        if gave.len() != took.len() || took.len() != prices.len() || kept.seats.len() != seats.len() {
            return Err("seats go one for one");
        }
        for ((had, has), price) in kept.seats.iter().zip(seats).zip(&kept.prices) {
            let at = gave.iter().position(|seat| seat == had);
            if at.map_or(*had, |at| took[at]) != *has || at.is_some_and(|at| prices[at] != *price) {
                return Err("a seat goes for one at its price");
            }
        }
        kept.first_seats.get_or_insert_with(|| kept.seats.clone());
        kept.seats = seats.to_vec();
        for seat in gave {
            if self.seats.remove(seat).and_then(|claim| claim.order) != Some(order) {
                return Err("a seat that went was not the order's");
            }
        }
        for ticket in self.tickets.values_mut().filter(|ticket| ticket.order == order && gave.contains(&ticket.seat)) {
            ticket.live = false;
        }
        Ok(())
    }

    /// New seats of a paid order, with a ticket each.
    pub(super) fn give_new(
        &mut self,
        (order, hold, seq): (OrderId, HoldId, i64),
        (seats, prices): (&[SeatNo], &[i64]),
        tickets: &[TicketId],
    ) -> Result<(), Why> {
        if tickets.len() != seats.len() {
            return Err("each seat has a ticket");
        }
        for ((seat, price), ticket) in seats.iter().zip(prices).zip(tickets) {
            if self.seats.insert(*seat, Claim { hold, order: Some(order), price: *price, seq }).is_some() {
                return Err("a seat of it was somebody's");
            }
            if self.tickets.insert(*ticket, Ticket { seat: *seat, order, live: true }).is_some() {
                return Err("the ticket was issued before");
            }
        }
        Ok(())
    }
}
