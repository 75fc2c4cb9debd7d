//! Seats of a paid order changed for others, in one step: the old ones are free and the new ones sold, or nothing changes.
//!
//! Each seat goes for one that costs today what was paid for it, so that the bill stays: no money moves. Never takes a seat that somebody has.

use super::fact::Fact;
use super::{Closed, Done, Hold, Lane, LaneOrder, Moment, Refusal};
use crate::order::OrderState;
use model::charge::LineKind;
use model::{OrderId, SeatNo, TicketId, UserId};

impl Lane {
    pub(super) fn exchange(
        &mut self,
        (order, buyer): (OrderId, UserId),
        (from, to): (&[SeatNo], &[SeatNo]),
        moment: &mut Moment<'_>,
        facts: &mut Vec<Fact>,
    ) -> Result<Done, Refusal> {
        let known = self.order(order).filter(|known| known.hold.buyer == buyer).ok_or(Refusal::UnknownOrder)?;
        let has = |seat: &SeatNo| known.hold.seats.contains(seat);
        if !to.is_empty() && to.iter().all(has) && !from.iter().any(has) {
            return Ok(Done::Noted);
        }
        if known.state != OrderState::Captured || known.hold.total() == 0 {
            return Err(Refusal::NotPaid);
        }
        self.is_changeable(known, (from, to), moment)?;
        let pairs = self.paired(&known.hold, from, to)?;
        let Hold { id: hold, seats, .. } = known.hold.clone();
        let now_has = |seat: &SeatNo| pairs.iter().find(|(gave, _)| gave == seat).map_or(*seat, |(_, took)| *took);
        let seats: Vec<SeatNo> = seats.iter().map(now_has).collect();
        let tickets = pairs.iter().map(|_| TicketId((moment.mint)())).collect();
        let (gave, took): (Vec<SeatNo>, Vec<SeatNo>) = pairs.into_iter().unzip();
        let prices = took.iter().map(|seat| self.price(*seat).unwrap_or_default()).collect();
        self.enact(Fact::Exchanged { order, hold, buyer, gave, took, prices, seats, tickets }, facts);
        Ok(Done::Noted)
    }

    fn is_changeable(
        &self,
        order: &LaneOrder,
        (from, to): (&[SeatNo], &[SeatNo]),
        moment: &Moment<'_>,
    ) -> Result<(), Refusal> {
        let terms = self.terms();
        let closed = if terms.cancelled {
            Some(Closed::Cancelled)
        } else {
            (moment.now >= terms.closes_at).then_some(Closed::Over)
        };
        if let Some(closed) = closed {
            return Err(Refusal::NotOnSale { opens_at: terms.opens_at, closed });
        }
        let distinct = |seats: &[SeatNo]| seats.iter().enumerate().all(|(at, seat)| !seats[..at].contains(seat));
        if from.is_empty() || !distinct(from) || !from.iter().all(|seat| order.hold.seats.contains(seat)) {
            return Err(Refusal::bad_ask("give", "names seats of the order, each once"));
        }
        if to.len() != from.len() || !distinct(to) {
            return Err(Refusal::bad_ask("take", "names as many seats as give, each once"));
        }
        let unknown: Vec<SeatNo> = to.iter().copied().filter(|seat| self.price(*seat).is_none()).collect();
        if !unknown.is_empty() {
            return Err(Refusal::BadSeat(unknown));
        }
        let taken: Vec<SeatNo> = to.iter().copied().filter(|seat| !self.is_free(*seat)).collect();
        if taken.is_empty() { Ok(()) } else { Err(Refusal::SeatsTaken(taken)) }
    }

    /// Which seat goes for which: one that costs what was paid, and of the same tier where a code took something off.
    fn paired(&self, hold: &Hold, from: &[SeatNo], to: &[SeatNo]) -> Result<Vec<(SeatNo, SeatNo)>, Refusal> {
        let discounted = hold.extras.iter().any(|line| line.kind == LineKind::Discount);
        let cost =
            |seat: SeatNo| hold.seats.iter().zip(&hold.prices).find(|(of, _)| **of == seat).map(|(_, price)| *price);
        let tier = |seat: SeatNo| self.house().tiers.get(seat as usize);
        let mut left = to.to_vec();
        let pair = |gave: &SeatNo| {
            let goes = |took: &SeatNo| self.price(*took) == cost(*gave) && (!discounted || tier(*took) == tier(*gave));
            let at = left.iter().position(goes).ok_or(Refusal::OtherPrice)?;
            Ok((*gave, left.swap_remove(at)))
        };
        from.iter().map(pair).collect()
    }
}
