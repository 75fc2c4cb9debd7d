//! What a change of an event's terms owes the booking core, in the transaction that makes it: the lane's row first, then the
//! availability.
//!
//! The change holds the lane's row, so no batch comes between: what is written here is newer than any batch before and older than
//! any after. Never decides about seats.

use crate::table::availability::{self, Restated};
use model::{EventId, SeatPlan, TierNo};
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
    let (mut total, mut left, mut price_min) = (0, 0, None);
    for (_, _, seat) in plan.seats() {
        let is_claimed = i32::try_from(seat.seat_no).is_ok_and(|seat_no| claimed.contains(&seat_no));
        let price = prices.get(&seat.tier).copied();
        total += i32::from(is_claimed || price.is_some());
        if let (false, Some(price)) = (is_claimed, price) {
            left += 1;
            price_min = Some(price_min.map_or(price, |lowest: i64| lowest.min(price)));
        }
    }
    // An event without a tier for sale has no availability to show.
    if total > 0 {
        let now = Restated { seats_total: total, seats_left: left, price_min };
        availability::restate(transaction, event, &now).await?;
    }
    Ok(())
}
