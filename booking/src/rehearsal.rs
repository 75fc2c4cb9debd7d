//! A sale without a queue, a log or a database: the rules of the lanes alone, for those who measure them or try a plan out.

use crate::booking::reserve_error;
use crate::digest::Digest;
use crate::lane::access::Access;
use crate::lane::house::House;
use crate::lane::{Command, Done, Lane, Moment, Terms};
use crate::reservation::{Ask, ReserveError};
use crate::shell::Refused;
use jiff::Timestamp;
use model::{Currency, SeatNo, SeatPlan, TierNo, UserId};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// An event on sale for ever, without a limit per buyer. Nothing of it is kept.
#[derive(Debug)]
pub struct Rehearsal {
    lane: Lane,
    minted: u128,
}

impl Rehearsal {
    /// All seats of these tiers for sale at these prices, in minor units.
    #[must_use]
    pub fn new(plan: &SeatPlan, currency: Currency, prices: HashMap<TierNo, i64>) -> Self {
        let terms = Terms {
            slot: 0,
            opens_at: Timestamp::MIN,
            closes_at: Timestamp::MAX,
            cancelled: false,
            hold_ttl_s: 600,
            offer_ttl_s: 600,
            buyer_limit: u32::MAX,
            refundable_until: None,
            currency,
            prices,
            charges: Vec::new(),
            access: Access::default(),
        };
        Self { lane: Lane::new(Arc::new(House::new("rehearsal".into(), plan)), terms), minted: 0 }
    }

    /// What the buyer gets.
    ///
    /// # Errors
    /// When the seats cannot be had; each says why.
    pub fn reserve(&mut self, buyer: UserId, ask: Ask) -> Result<Vec<SeatNo>, ReserveError> {
        let command = Command::Reserve { buyer, ask, code: None, key: String::new(), request: Digest([0; 32]) };
        match self.decide(&command) {
            Ok(Done::Held(hold)) => Ok(hold.seats),
            Ok(_) => Ok(Vec::new()),
            Err(refused) => Err(reserve_error(refused)),
        }
    }

    /// Gives back what the buyer holds.
    pub fn release(&mut self, buyer: UserId) {
        let holds = self.lane.holds_of(buyer);
        self.decide(&Command::Release { buyer, holds }).ok();
    }

    fn decide(&mut self, command: &Command) -> Result<Done, Refused> {
        let minted = &mut self.minted;
        let mut mint = || {
            *minted += 1;
            Uuid::from_u128(*minted)
        };
        let mut moment = Moment { now: Timestamp::UNIX_EPOCH, mint: &mut mint };
        self.lane.decide(command, &mut moment, &mut Vec::new()).map_err(Refused::Refusal)
    }
}
