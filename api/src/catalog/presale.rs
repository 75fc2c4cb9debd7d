//! Presales: times before the sale in which some may buy. The tables `event_presale` and `presale_group`.
//!
//! A window keeps its position for as long as it is there, so that the codes and groups that open it go on to open this one alone.

use super::is_instant;
use crate::line::{Line, line};
use crate::problem::Problem;
use garde::Validate;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{EventId, GroupId};
use search::document::Presale;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use std::collections::HashSet;
use utoipa::ToSchema;
use uuid::Uuid;

/// A time in which some may buy.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PresaleWindow {
    /// Which of the event's windows it is, so that its codes and groups stay with it; its place in the list when left out.
    #[garde(range(min = 0, max = 99))]
    position: Option<i16>,
    /// Whom or what it is for.
    #[garde(custom(line(100)))]
    name: Line,
    /// Its first instant.
    #[garde(custom(is_instant))]
    #[schema(value_type = String, format = DateTime)]
    opens_at: Timestamp,
    /// The first instant after it.
    #[garde(custom(is_instant))]
    #[schema(value_type = String, format = DateTime)]
    closes_at: Timestamp,
    /// Groups whose members need no code; left out, those that are stay.
    #[garde(length(max = 50))]
    groups: Option<Vec<GroupId>>,
}

/// A presale as its organizer sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PresaleAccess {
    #[serde(flatten)]
    window: Presale,
    /// Whose members need no code.
    groups: Vec<GroupId>,
}

/// Checks what needs more than one field.
pub(super) fn check(presales: &[PresaleWindow]) -> Result<(), Problem> {
    let mut positions = HashSet::new();
    for (i, presale) in (0_i16..).zip(presales) {
        if presale.opens_at >= presale.closes_at {
            return Err(Problem::invalid(&format!("presales[{i}].closes_at"), "is after opens_at"));
        }
        if !positions.insert(presale.position.unwrap_or(i)) {
            return Err(Problem::invalid(&format!("presales[{i}].position"), "stands twice"));
        }
    }
    Ok(())
}

/// Makes these the event's presales.
pub(super) async fn replace(
    db: &mut PgConnection,
    event_id: EventId,
    presales: Vec<PresaleWindow>,
) -> Result<(), Problem> {
    let positions: Vec<i16> = (0..).zip(&presales).map(|(i, presale)| presale.position.unwrap_or(i)).collect();
    let others =
        sqlx::query!("delete from event_presale where event_id = $1 and position <> all($2)", event_id.0, &positions);
    others.execute(&mut *db).await?;
    for (i, (position, presale)) in positions.into_iter().zip(presales).enumerate() {
        let written = sqlx::query!(
            "insert into event_presale (event_id, position, name, opens_at, closes_at) values ($1, $2, $3, $4, $5)
             on conflict (event_id, position) do update
                set name = excluded.name, opens_at = excluded.opens_at, closes_at = excluded.closes_at",
            event_id.0,
            position,
            String::from(presale.name),
            presale.opens_at.to_sqlx() as _,
            presale.closes_at.to_sqlx() as _
        );
        written.execute(&mut *db).await?;
        if let Some(groups) = presale.groups
            && !open_to(db, (event_id, position), &groups).await?
        {
            let field = format!("presales[{i}].groups");
            return Err(Problem::invalid(&field, "names a group that the event's organizer does not keep"));
        }
    }
    Ok(())
}

/// Opens a presale to the members of these groups; false when one is not the organizer's.
async fn open_to(
    db: &mut PgConnection,
    (event_id, position): (EventId, i16),
    groups: &[GroupId],
) -> Result<bool, sqlx::Error> {
    let groups: HashSet<Uuid> = groups.iter().map(|group| group.0).collect();
    let groups: Vec<Uuid> = groups.into_iter().collect();
    sqlx::query!("delete from presale_group where event_id = $1 and position = $2", event_id.0, position)
        .execute(&mut *db)
        .await?;
    let opened = sqlx::query!(
        "insert into presale_group (event_id, position, group_id)
         select e.event_id, $2, g.group_id from event e join member_group g using (organizer_id)
         where e.event_id = $1 and g.group_id = any($3)",
        event_id.0,
        position,
        &groups
    );
    Ok(opened.execute(db).await?.rows_affected() == groups.len() as u64)
}

/// An event's presales, in order of position.
pub(super) async fn of_event(db: &mut PgConnection, event_id: EventId) -> Result<Vec<Presale>, sqlx::Error> {
    let rows = sqlx::query!(
        "select position, name, opens_at, closes_at from event_presale where event_id = $1 order by position",
        event_id.0
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows
        .map(|row| Presale {
            position: row.position,
            name: row.name,
            opens_at: row.opens_at.to_jiff(),
            closes_at: row.closes_at.to_jiff(),
        })
        .collect())
}

/// The same with the groups they are open to.
pub(super) async fn access(db: &mut PgConnection, event_id: EventId) -> Result<Vec<PresaleAccess>, sqlx::Error> {
    let windows = of_event(&mut *db, event_id).await?;
    let rows = sqlx::query!(
        "select position, group_id from presale_group where event_id = $1 order by position, group_id",
        event_id.0
    );
    let rows = rows.fetch_all(db).await?;
    let groups = |position| {
        let of_it = rows.iter().filter(|row| row.position == position);
        of_it.map(|row| GroupId(row.group_id)).collect()
    };
    Ok(windows.into_iter().map(|window| PresaleAccess { groups: groups(window.position), window }).collect())
}
