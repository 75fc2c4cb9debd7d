//! Fees and taxes of an event, and what its tickets cost with them. The table `event_charge`, and `all_in` of `event_tier`.
//!
//! What one ticket costs, everything in, is written beside its price whenever either changes: search and pages show it from there.

use crate::line::{Line, line};
use crate::problem::Problem;
use garde::Validate;
use model::charge::{Bill, Charge, Reckoning};
use model::{EventId, TierNo};
use serde::Deserialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

/// A fee or a tax. `how` it is reckoned says what it needs: `fee_per_ticket` and `fee_per_order` an `amount`; `fee_share` (of each ticket's
/// price), `tax_added` and `tax_included` (on tickets and fees together) `basis_points`.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChargeBody {
    /// Its name on the bill.
    #[garde(custom(line(100)))]
    label: Line,
    /// How it is reckoned.
    #[garde(length(max = 20))]
    how: String,
    /// Minor units.
    #[garde(range(min = 0, max = 100_000_000_000))]
    amount: Option<i64>,
    /// Hundredths of a percent.
    #[garde(range(max = 10_000))]
    basis_points: Option<u32>,
}

/// The charges of a body, each reckoned in one way.
pub(super) fn parse(bodies: Vec<ChargeBody>) -> Result<Vec<Charge>, Problem> {
    let charges = bodies.into_iter().enumerate().map(|(i, body)| {
        let how = Reckoning::parse(&body.how, body.amount, body.basis_points).ok_or_else(|| {
            let must = "is fee_per_ticket or fee_per_order with an amount, fee_share, tax_added or tax_included with basis_points";
            Problem::invalid(&format!("charges[{i}].how"), must)
        })?;
        Ok(Charge { label: body.label.into(), how })
    });
    charges.collect()
}

/// Makes these the event's charges, in this order.
pub(super) async fn replace(db: &mut PgConnection, event_id: EventId, charges: &[Charge]) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from event_charge where event_id = $1", event_id.0).execute(&mut *db).await?;
    let labels: Vec<String> = charges.iter().map(|charge| charge.label.clone()).collect();
    let parts = charges.iter().map(|charge| charge.how.parts());
    let hows: Vec<String> = parts.clone().map(|(how, ..)| how.to_owned()).collect();
    let amounts: Vec<Option<i64>> = parts.clone().map(|(_, amount, _)| amount).collect();
    let shares: Vec<Option<i32>> = parts.map(|(.., share)| share.and_then(|share| i32::try_from(share).ok())).collect();
    let written = sqlx::query!(
        "insert into event_charge (event_id, position, label, how, amount, basis_points)
         select $1, (n - 1)::smallint, label, how, amount, basis_points
         from unnest($2::text[], $3::text[], $4::bigint[], $5::integer[]) with ordinality
            as c (label, how, amount, basis_points, n)",
        event_id.0,
        &labels,
        &hows,
        &amounts as _,
        &shares as _
    );
    written.execute(db).await?;
    Ok(())
}

/// Writes what one ticket of each tier costs, everything in.
pub(super) async fn reprice(db: &mut PgConnection, event_id: EventId) -> Result<(), sqlx::Error> {
    let charges = of_event(&mut *db, event_id).await?;
    let bill = Bill { charges: &charges, discount: None };
    let rows = sqlx::query!("select tier, price from event_tier where event_id = $1", event_id.0);
    let prices = rows.fetch_all(&mut *db).await?.into_iter().map(|row| (row.tier, row.price));
    let all_in = |tier: i16, price| bill.all_in(TierNo::try_from(tier).unwrap_or_default(), price);
    let (tiers, all_in): (Vec<i16>, Vec<Option<i64>>) =
        prices.map(|(tier, price)| (tier, Some(all_in(tier, price)).filter(|all_in| *all_in > price))).unzip();
    let written = sqlx::query!(
        "update event_tier t set all_in = u.all_in from unnest($2::smallint[], $3::bigint[]) as u (tier, all_in)
         where t.event_id = $1 and t.tier = u.tier and t.all_in is distinct from u.all_in",
        event_id.0,
        &tiers,
        &all_in as _
    );
    written.execute(db).await?;
    Ok(())
}

/// An event's charges, in order.
pub(super) async fn of_event(db: &mut PgConnection, event_id: EventId) -> Result<Vec<Charge>, sqlx::Error> {
    let rows = sqlx::query!(
        "select label, how, amount, basis_points from event_charge where event_id = $1 order by position",
        event_id.0
    );
    let charges = rows.fetch_all(db).await?.into_iter().map(|row| {
        let share = row.basis_points.map(i32::unsigned_abs);
        let how = Reckoning::parse(&row.how, row.amount, share);
        let how = how.ok_or_else(|| sqlx::Error::Decode(format!("event_charge.how is {}", row.how).into()))?;
        Ok(Charge { label: row.label, how })
    });
    charges.collect()
}
