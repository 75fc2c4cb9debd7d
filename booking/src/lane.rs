//! The lane of one event: a pure state machine. No I/O, no clock, no randomness: instants and ids are arguments.
//!
//! A command is checked against the state and answered with facts; facts alone change the state (`apply`), so the log replays
//! to the same state. Invariant: a seat is in at most one hold. It never refuses by asking the database.

pub(crate) mod access;
pub(crate) mod best;
pub(crate) mod bits;
mod exchange;
pub(crate) mod fact;
pub(crate) mod house;
mod purchase;
mod refund;
mod reserve;
mod state;
#[cfg(test)]
pub(crate) mod tests;
mod waiting;

use crate::digest::Digest;
use crate::order::{OrderState, RefundBy, Report};
use crate::reservation::{Ask, BadCode, BestAvailable, Closed, HoldState};
use access::Access;
use fact::Fact;
use jiff::Timestamp;
use model::charge::{self, Charge, Line};
use model::{Currency, HoldId, LayoutHash, OrderId, PaymentId, SeatNo, TicketId, TierNo, UserId};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

pub(crate) use state::Lane;
pub(crate) use waiting::{PlaceState, Waiting};

/// An event's terms of sale, as its rows had them when the lane was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The event's cell in the availability overlay.
    pub(crate) slot: i32,
    pub(crate) opens_at: Timestamp,
    pub(crate) closes_at: Timestamp,
    pub(crate) cancelled: bool,
    pub(crate) hold_ttl_s: i64,
    /// How long an offer to who waited lives.
    pub(crate) offer_ttl_s: i64,
    pub(crate) buyer_limit: u32,
    /// Until when a buyer may ask for the money back, if at all.
    pub(crate) refundable_until: Option<Timestamp>,
    pub(crate) currency: Currency,
    /// Tiers for sale and their price in minor units.
    pub(crate) prices: HashMap<TierNo, i64>,
    /// What is added to them, and what they include.
    pub(crate) charges: Vec<Charge>,
    /// Who may buy earlier, and with which codes.
    pub(crate) access: Access,
}

/// What gives a hold's seat numbers and prices their meaning: they mean nothing on another plan or in another currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Basis {
    pub(crate) layout: LayoutHash,
    pub(crate) currency: Currency,
}

/// What arrives at a lane.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Command {
    /// Keep seats for a buyer.
    Reserve { buyer: UserId, ask: Ask, code: Option<String>, key: String, request: Digest },
    /// Give a buyer's holds their time again.
    Extend { buyer: UserId },
    /// Let these of a buyer's holds go; they are named, so that nothing goes that was had since.
    Release { buyer: UserId, holds: Vec<HoldId> },
    /// Make an order of a hold.
    Buy { buyer: UserId, hold: Option<HoldId>, key: String },
    /// Undo a sold order and give its money back.
    Refund { order: OrderId, by: RefundBy },
    /// Change seats of a paid order for others.
    Exchange { order: OrderId, buyer: UserId, give: Vec<SeatNo>, take: Vec<SeatNo> },
    /// A provider's word on an attempt.
    Settle { order: OrderId, payment: PaymentId, report: Report },
    /// Wait for seats to come back; named is the last place that the buyer ever had, so that nobody is let in again who was served.
    Join { buyer: UserId, want: BestAvailable, after: i64 },
    /// Wait no more at this place; it is named, so that no place goes that was had since.
    Leave { buyer: UserId, place: i64 },
    /// Nothing but the passing of time.
    Wake,
}

impl Command {
    /// Whether a person waits for what comes of it. What a provider or time says stays true, whoever waits.
    pub(crate) fn is_in_person(&self) -> bool {
        match self {
            Self::Reserve { .. }
            | Self::Extend { .. }
            | Self::Release { .. }
            | Self::Buy { .. }
            | Self::Refund { .. }
            | Self::Exchange { .. }
            | Self::Join { .. }
            | Self::Leave { .. } => true,
            Self::Settle { .. } | Self::Wake => false,
        }
    }
}

/// Where and when a command is decided.
pub(crate) struct Moment<'a> {
    /// By the database's clock.
    pub(crate) now: Timestamp,
    /// Makes ids.
    pub(crate) mint: &'a mut dyn FnMut() -> Uuid,
}

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Done {
    /// A hold was made.
    Held(Hold),
    /// The live holds have all the time they get.
    Extended,
    /// So many holds were let go.
    Released(usize),
    /// This is what is to be paid.
    Checkout { order: OrderId, payment: PaymentId },
    /// Nothing to say.
    Noted,
}

/// Why a command came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refusal {
    BadAsk {
        field: Cow<'static, str>,
        must: Cow<'static, str>,
    },
    BadSeat(Vec<SeatNo>),
    SeatsTaken(Vec<SeatNo>),
    NotEnoughSeats,
    LimitReached(u32),
    NotOnSale {
        opens_at: Timestamp,
        closed: Closed,
    },
    Code(BadCode),
    KeyReused,
    NoHold,
    UnknownPayment,
    UnknownOrder,
    NotPaid,
    OtherPrice,
    /// These let somebody in, or are another's by now.
    TicketsGone(Vec<TicketId>),
    NotRefundable {
        until: Option<Timestamp>,
    },
    /// There is nothing to wait for: these seats can be had.
    SeatsLeft,
    /// The buyer waits for something else.
    InLine,
    LineFull,
}

/// Seats kept for a buyer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hold {
    pub(crate) id: HoldId,
    pub(crate) buyer: UserId,
    /// Ascending.
    pub(crate) seats: Vec<SeatNo>,
    /// Of each seat, in minor units.
    pub(crate) prices: Vec<i64>,
    /// What it was made with.
    pub(crate) code: Option<String>,
    /// What it comes to beside its seats' prices: discounts, fees, taxes.
    pub(crate) extras: Vec<Line>,
    pub(crate) expires_at: Timestamp,
    pub(crate) extended: bool,
    pub(crate) state: HoldState,
    /// The plan and currency it was made under.
    #[serde(with = "shared")]
    pub(crate) basis: Arc<Basis>,
}

/// A shared value is written as it is.
mod shared {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::sync::Arc;

    pub(super) fn serialize<T: Serialize, S: Serializer>(value: &Arc<T>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_ref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Arc<T>, D::Error> {
        T::deserialize(from).map(Arc::new)
    }
}

impl Refusal {
    /// The request makes no sense: the field and what it must be.
    fn bad_ask(field: &'static str, must: &'static str) -> Self {
        Self::BadAsk { field: field.into(), must: must.into() }
    }
}

impl Hold {
    /// What all of it costs.
    pub(crate) fn total(&self) -> i64 {
        total(&self.prices, &self.extras)
    }
}

/// What seats of these prices come to with these lines.
pub(crate) fn total(prices: &[i64], extras: &[Line]) -> i64 {
    prices.iter().sum::<i64>() + charge::sum(extras)
}

/// An order as the lane needs it: of a live hold, or brought in because somebody paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LaneOrder {
    pub(crate) order: OrderId,
    /// The hold it buys, as it stands or as it ended.
    pub(crate) hold: Hold,
    pub(crate) state: OrderState,
    /// Oldest first.
    pub(crate) attempts: Vec<Attempt>,
}

/// An attempt to pay an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) payment: PaymentId,
    pub(crate) key: String,
    pub(crate) state: AttemptState,
}

/// [`crate::PaymentState`] without its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttemptState {
    Created,
    Authorized,
    Declined,
    Capturing,
    Captured,
    Voiding,
    Voided,
    Returning,
    Returned,
}

impl AttemptState {
    /// The state of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [
            Self::Created,
            Self::Authorized,
            Self::Declined,
            Self::Capturing,
            Self::Captured,
            Self::Voiding,
            Self::Voided,
            Self::Returning,
            Self::Returned,
        ]
        .into_iter()
        .find(|state| state.as_str() == name)
    }

    /// The name in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Authorized => "authorized",
            Self::Declined => "declined",
            Self::Capturing => "capturing",
            Self::Captured => "captured",
            Self::Voiding => "voiding",
            Self::Voided => "voided",
            Self::Returning => "returning",
            Self::Returned => "returned",
        }
    }
}

impl Lane {
    /// Decides one command and takes what it decided into the state; the facts are added to `facts`.
    pub(crate) fn decide(
        &mut self,
        command: &Command,
        moment: &mut Moment<'_>,
        facts: &mut Vec<Fact>,
    ) -> Result<Done, Refusal> {
        let from = facts.len();
        let done = match command {
            Command::Reserve { buyer, ask, code, key, request } => {
                let held = self.reserve(*buyer, (ask, code.as_deref()), moment)?;
                let fact = Fact::Held {
                    hold: held.id,
                    buyer: *buyer,
                    key: key.clone(),
                    request: *request,
                    seats: held.seats.clone(),
                    prices: held.prices.clone(),
                    code: held.code.clone(),
                    extras: held.extras.clone(),
                    expires_at: held.expires_at,
                };
                self.enact(fact, facts);
                Ok(Done::Held(held))
            }
            Command::Extend { buyer } => self.extend(*buyer, moment.now, facts),
            Command::Release { buyer, holds } => {
                let mut theirs = self.holds_of(*buyer);
                theirs.retain(|hold| holds.contains(hold));
                for hold in &theirs {
                    self.end_hold(*hold, HoldState::Released, facts);
                }
                Ok(Done::Released(theirs.len()))
            }
            Command::Buy { buyer, hold, key } => self.buy((*buyer, *hold, key), moment, facts),
            Command::Refund { order, by } => self.refund(*order, *by, moment.now, facts),
            Command::Exchange { order, buyer, give, take } => {
                self.exchange((*order, *buyer), (give, take), moment, facts)
            }
            Command::Settle { order, payment, report } => self.settle((*order, *payment), report, moment, facts),
            Command::Join { buyer, want, after } => self.join((*buyer, *after), want, moment, facts),
            Command::Leave { buyer, place } => Ok(self.leave(*buyer, *place, facts)),
            Command::Wake => Ok(Done::Noted),
        }
        .inspect_err(|_| debug_assert_eq!(from, facts.len(), "a refusal decides nothing"))?;
        // What came back is theirs who wait, before anybody else is heard.
        self.offer(moment, facts);
        Ok(done)
    }

    /// Lets every hold go whose time is over, and offers what came back to those who wait.
    pub(crate) fn expire(&mut self, moment: &mut Moment<'_>, facts: &mut Vec<Fact>) {
        while let Some((expires_at, hold)) = self.first_expiry() {
            if expires_at > moment.now {
                break;
            }
            self.end_hold(hold, HoldState::Expired, facts);
        }
        self.offer(moment, facts);
    }

    /// Ends a hold and with it its pending order.
    fn end_hold(&mut self, hold: HoldId, state: HoldState, facts: &mut Vec<Fact>) {
        let Some(Hold { buyer, seats, .. }) = self.hold(hold).cloned() else { return };
        let pending = self.order_of(hold).filter(|order| order.state == OrderState::Pending).map(|order| order.order);
        let ending = match state {
            HoldState::Expired => Fact::Expired { hold, buyer, seats },
            _ => Fact::Released { hold, buyer, seats },
        };
        self.enact(ending, facts);
        if let Some(order) = pending {
            self.enact(Fact::Lapsed { order }, facts);
        }
    }

    fn extend(&mut self, buyer: UserId, now: Timestamp, facts: &mut Vec<Fact>) -> Result<Done, Refusal> {
        let holds: Vec<HoldId> = self.holds_of(buyer).into_iter().filter(|hold| self.is_live(*hold, now)).collect();
        if holds.is_empty() {
            return Err(Refusal::NoHold);
        }
        let expires_at = self.expiry_from(now);
        for hold in &holds {
            // Once: a second call finds it extended and answers what there is.
            if self.hold(*hold).is_some_and(|hold| !hold.extended && hold.expires_at < expires_at) {
                self.enact(Fact::Extended { hold: *hold, expires_at }, facts);
            }
        }
        Ok(Done::Extended)
    }

    fn enact(&mut self, fact: Fact, facts: &mut Vec<Fact>) {
        self.apply(&fact);
        facts.push(fact);
    }
}
