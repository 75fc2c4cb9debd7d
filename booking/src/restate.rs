//! What a change of an event's terms owes the booking core, in the transaction that makes it: the lane's row first, then the
//! availability.
//!
//! The change holds the lane's row, so no batch comes between: what is written here is newer than any batch before and older than
//! any after. Never decides about seats.

use crate::table::availability;
use model::{EventId, SeatNo, SeatPlan, TierNo};
use sqlx::PgConnection;
use std::collections::{HashMap, HashSet};

/// Locks the lane of an event, if there is such an event, for a transaction that changes its terms. To be called before anything
/// of the event is locked: a batch takes the lane first and looks at the event then, and so must everyone.
///
/// # Errors
/// When the database refuses.
pub async fn lock_lane(transaction: &mut PgConnection, event: EventId) -> Result<(), sqlx::Error> {
    availability::make_lane(transaction, event).await?;
    availability::lock_lane(transaction, event).await
}

/// Writes what search is to show of an event's seats under the tiers and prices that `transaction` has just written.
///
/// # Errors
/// When the database refuses.
pub async fn restate_availability(
    transaction: &mut PgConnection,
    event: EventId,
    plan: &SeatPlan,
) -> Result<(), sqlx::Error> {
    availability::make_lane(transaction, event).await?;
    let prices = availability::prices(transaction, event).await?;
    let prices: HashMap<TierNo, i64> =
        prices.into_iter().filter_map(|(tier, price)| Some((TierNo::try_from(tier).ok()?, price))).collect();
    let claims = availability::claims(transaction, event).await?;
    let claimed: HashSet<i32> = claims.into_iter().map(|(seat_no, _)| seat_no).collect();
    let is_claimed = |seat: SeatNo| i32::try_from(seat).is_ok_and(|seat| claimed.contains(&seat));
    if let Some(now) = Restated::of(plan, |tier| prices.get(&tier).copied(), is_claimed) {
        availability::restate(transaction, event, &now).await?;
    }
    Ok(())
}

/// What search shows of the seats until the next batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Restated {
    pub(crate) seats_total: i32,
    pub(crate) seats_left: i32,
    /// The lowest price among the seats left.
    pub(crate) price_min: Option<i64>,
}

impl Restated {
    /// Of a plan, what its tiers cost that are for sale, and the seats that are somebody's. `None`: without a tier for sale and
    /// without anybody's seats there is nothing to show.
    pub(crate) fn of(
        plan: &SeatPlan,
        price: impl Fn(TierNo) -> Option<i64>,
        is_claimed: impl Fn(SeatNo) -> bool,
    ) -> Option<Self> {
        let mut now = Self { seats_total: 0, seats_left: 0, price_min: None };
        for (_, _, seat) in plan.seats() {
            let (is_claimed, price) = (is_claimed(seat.seat_no), price(seat.tier));
            now.seats_total += i32::from(is_claimed || price.is_some());
            if let (false, Some(price)) = (is_claimed, price) {
                now.seats_left += 1;
                now.price_min = Some(now.price_min.map_or(price, |lowest| lowest.min(price)));
            }
        }
        (now.seats_total > 0).then_some(now)
    }
}
