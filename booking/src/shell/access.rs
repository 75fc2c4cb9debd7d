//! Who may buy early, with which codes and what is added to the bill, read with a lane: presales, the members of their groups, codes and
//! what of them is taken, charges.

use super::loaded::{LoadError, Source, unreadable};
use crate::lane::access::{Access, Code, Presale, Used};
use model::charge::{Charge, Discount, Reckoning};
use model::{TierNo, UserId};
use std::collections::{HashMap, HashSet};
use tokio_postgres::Row;

/// Reads it, with what of each code is taken.
pub(super) async fn read(source: &Source<'_>) -> Result<(Access, Vec<(String, Used)>), LoadError> {
    let (client, statements) = (&source.connection.client, &source.connection.statements);
    let mut members: HashMap<i16, HashSet<UserId>> = HashMap::new();
    for row in client.query(&statements.presale_members, &[&source.event.0]).await? {
        members.entry(row.try_get(0)?).or_default().insert(UserId(row.try_get(1)?));
    }
    let mut access = Access::default();
    for row in client.query(&statements.event_presales, &[&source.event.0]).await? {
        let position = row.try_get(0)?;
        let members = members.remove(&position).unwrap_or_default();
        let (opens_at, closes_at) = (row.try_get(1)?, row.try_get(2)?);
        access.presales.push(Presale { position, opens_at, closes_at, members });
    }
    let mut taken = Vec::new();
    for row in client.query(&statements.sale_codes, &[&source.event.0]).await? {
        let (code, used): (String, Used) = (row.try_get(0)?, used(&row)?);
        access.codes.insert(code.clone(), terms(&row)?);
        if used != Used::default() {
            taken.push((code, used));
        }
    }
    Ok((access, taken))
}

fn terms(row: &Row) -> Result<Code, LoadError> {
    let bound = |at: usize| row.try_get::<_, Option<i32>>(at).map(|most| most.map(i32::unsigned_abs));
    Ok(Code {
        presale: row.try_get(1)?,
        valid_from: row.try_get(2)?,
        valid_until: row.try_get(3)?,
        uses_max: bound(4)?,
        seats_max: bound(5)?,
        discount: discount(row.try_get(8)?, row.try_get(9)?),
        tier: row.try_get::<_, Option<i16>>(10)?.map(|tier| TierNo::try_from(tier).unwrap_or_default()),
    })
}

fn discount(basis_points: Option<i32>, amount: Option<i64>) -> Option<Discount> {
    let share = basis_points.map(|share| Discount::Share { basis_points: share.unsigned_abs() });
    share.or(amount.map(|amount| Discount::Amount { amount }))
}

/// What is added to an event's prices, and what they include.
pub(super) async fn charges(source: &Source<'_>) -> Result<Vec<Charge>, LoadError> {
    let (client, statements) = (&source.connection.client, &source.connection.statements);
    let mut charges = Vec::new();
    for row in client.query(&statements.event_charges, &[&source.event.0]).await? {
        let (how, amount): (&str, Option<i64>) = (row.try_get(1)?, row.try_get(2)?);
        let share = row.try_get::<_, Option<i32>>(3)?.map(i32::unsigned_abs);
        let how = Reckoning::parse(how, amount, share).ok_or_else(|| unreadable("event_charge.how"))?;
        charges.push(Charge { label: row.try_get(0)?, how });
    }
    Ok(charges)
}

fn used(row: &Row) -> Result<Used, LoadError> {
    let (uses, seats): (i32, i32) = (row.try_get(6)?, row.try_get(7)?);
    Ok(Used { uses: uses.unsigned_abs(), seats: seats.unsigned_abs() })
}
