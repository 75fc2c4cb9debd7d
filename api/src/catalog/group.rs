//! Groups of accounts that an organizer keeps, such as season subscribers: presales can be open to them. The tables `member_group` and
//! `group_member`. Who is in which group is its organizer's to know.

use crate::account;
use crate::app::App;
use crate::extract::{Id, IdAndName, Json};
use crate::line::{Line, line};
use crate::problem::{Problem, ProblemBody, violates};
use crate::session::Organizer;
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use jiff::Timestamp;
use model::{GroupId, UserId};
use serde::{Deserialize, Serialize};
use sqlx::{Connection as _, PgConnection};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// Members of one group; the lanes of its presales keep all of them in memory.
const MEMBERS_MAX: i64 = 200_000;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(remove))
        .routes(routes!(join, members))
        .routes(routes!(leave))
}

/// A new group.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewGroup {
    #[garde(custom(line(100)))]
    name: Line,
}

/// A group.
#[derive(Debug, Serialize, ToSchema)]
struct MemberGroup {
    group_id: GroupId,
    name: String,
    /// How many are in it.
    members: i64,
}

/// An organizer's groups.
#[derive(Debug, Serialize, ToSchema)]
struct Groups {
    /// By name.
    groups: Vec<MemberGroup>,
}

/// Who is to be in a group.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Joining {
    /// Of accounts that are there.
    #[garde(length(min = 1, max = 1_000), inner(length(max = 320)))]
    emails: Vec<String>,
}

/// Who is in it now.
#[derive(Debug, Serialize, ToSchema)]
struct Joined {
    /// How many are new.
    added: u64,
    /// Of no account here.
    unknown: Vec<String>,
}

/// Somebody in a group.
#[derive(Debug, Serialize, ToSchema)]
struct Member {
    user_id: UserId,
    email: String,
    name: String,
    #[schema(value_type = String, format = DateTime)]
    added_at: Timestamp,
}

/// Who is in a group.
#[derive(Debug, Serialize, ToSchema)]
struct Members {
    /// By email.
    members: Vec<Member>,
}

/// Make a group
#[utoipa::path(post, path = "/group", tag = "catalog", responses(
    (status = 201, body = MemberGroup), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 409, description = "`group-exists`", body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn create(
    State(app): State<App>,
    by: Organizer,
    Json(new): Json<NewGroup>,
) -> Result<(StatusCode, axum::Json<MemberGroup>), Problem> {
    let (group_id, name) = (GroupId::new(), String::from(new.name));
    let made = sqlx::query!(
        "insert into member_group (group_id, organizer_id, name) values ($1, $2, $3)",
        group_id.0,
        by.0.user_id.0,
        name
    );
    made.execute(&app.pool).await.map_err(|error| {
        if violates(&error, "member_group_name") {
            return Problem::new(StatusCode::CONFLICT, "group-exists", "A group has this name already");
        }
        error.into()
    })?;
    Ok((StatusCode::CREATED, axum::Json(MemberGroup { group_id, name, members: 0 })))
}

/// One's own groups
#[utoipa::path(get, path = "/group", tag = "catalog", responses(
    (status = 200, body = Groups), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody)))]
async fn list(State(app): State<App>, by: Organizer) -> Result<axum::Json<Groups>, Problem> {
    let rows = sqlx::query!(
        r#"select g.group_id, g.name, (select count(*) from group_member m where m.group_id = g.group_id) as "members!"
         from member_group g where g.organizer_id = $1 order by g.name"#,
        by.0.user_id.0
    );
    let rows = rows.fetch_all(&app.pool).await?.into_iter();
    let groups = rows.map(|row| MemberGroup { group_id: GroupId(row.group_id), name: row.name, members: row.members });
    Ok(axum::Json(Groups { groups: groups.collect() }))
}

/// Dissolve a group: presales are open to it no more
#[utoipa::path(delete, path = "/group/{group_id}", tag = "catalog", params(("group_id" = GroupId, Path)), responses(
    (status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, description = "`no-such-group`", body = ProblemBody)))]
async fn remove(State(app): State<App>, by: Organizer, Id(group_id): Id<GroupId>) -> Result<StatusCode, Problem> {
    let mut db = app.pool.acquire().await?;
    own(&mut db, &by, group_id).await?;
    sqlx::query!("delete from member_group where group_id = $1", group_id.0).execute(&mut *db).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who is in a group
#[utoipa::path(get, path = "/group/{group_id}/member", tag = "catalog", params(("group_id" = GroupId, Path)), responses(
    (status = 200, body = Members), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, description = "`no-such-group`", body = ProblemBody)))]
async fn members(
    State(app): State<App>,
    by: Organizer,
    Id(group_id): Id<GroupId>,
) -> Result<axum::Json<Members>, Problem> {
    let mut db = app.pool.acquire().await?;
    own(&mut db, &by, group_id).await?;
    let rows = sqlx::query!(
        "select a.user_id, a.email, a.name, m.added_at from group_member m join account a using (user_id)
         where m.group_id = $1 order by a.email",
        group_id.0
    );
    let members = rows.fetch_all(&mut *db).await?.into_iter().map(|row| Member {
        user_id: UserId(row.user_id),
        email: row.email,
        name: row.name,
        added_at: row.added_at.to_jiff(),
    });
    Ok(axum::Json(Members { members: members.collect() }))
}

/// Take people into a group, by email; who is in it stays
#[utoipa::path(post, path = "/group/{group_id}/member", tag = "catalog", params(("group_id" = GroupId, Path)), responses(
    (status = 200, body = Joined), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, description = "`no-such-group`", body = ProblemBody),
    (status = 409, description = "`group-full` {limit}", body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn join(
    State(app): State<App>,
    by: Organizer,
    Id(group_id): Id<GroupId>,
    Json(joining): Json<Joining>,
) -> Result<axum::Json<Joined>, Problem> {
    let mut db = app.pool.acquire().await?;
    let mut transaction = db.begin().await?;
    own(&mut transaction, &by, group_id).await?;
    let mut emails: Vec<String> = joining.emails.iter().map(|email| account::normalised(email)).collect();
    emails.sort_unstable();
    emails.dedup();
    let known = sqlx::query!("select user_id, email from account where email = any($1) order by user_id", &emails);
    let known = known.fetch_all(&mut *transaction).await?;
    let users: Vec<Uuid> = known.iter().map(|account| account.user_id).collect();
    let added = sqlx::query!(
        "insert into group_member (group_id, user_id) select $1, user_id from unnest($2::uuid[]) as u (user_id)
         on conflict do nothing",
        group_id.0,
        &users
    );
    let added = added.execute(&mut *transaction).await?.rows_affected();
    let count = sqlx::query_scalar!(r#"select count(*) as "count!" from group_member where group_id = $1"#, group_id.0);
    if count.fetch_one(&mut *transaction).await? > MEMBERS_MAX {
        let full = Problem::new(StatusCode::CONFLICT, "group-full", "The group has as many members as it may");
        return Err(full.with("limit", MEMBERS_MAX.into()));
    }
    transaction.commit().await?;
    emails.retain(|email| known.iter().all(|account| account.email != *email));
    Ok(axum::Json(Joined { added, unknown: emails }))
}

/// Take somebody out of a group
#[utoipa::path(delete, path = "/group/{group_id}/member/{user_id}", tag = "catalog",
    params(("group_id" = GroupId, Path), ("user_id" = UserId, Path)), responses(
    (status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
    (status = 404, description = "`no-such-group`, `no-such-member`", body = ProblemBody)))]
async fn leave(
    State(app): State<App>,
    by: Organizer,
    IdAndName(group_id, member): IdAndName<GroupId>,
) -> Result<StatusCode, Problem> {
    let nobody = || Problem::not_found("no-such-member", "There is nobody of that id in the group");
    let member: UserId = member.parse().map_err(|_| nobody())?;
    let mut db = app.pool.acquire().await?;
    own(&mut db, &by, group_id).await?;
    let left = sqlx::query!("delete from group_member where group_id = $1 and user_id = $2", group_id.0, member.0);
    if left.execute(&mut *db).await?.rows_affected() == 1 { Ok(StatusCode::NO_CONTENT) } else { Err(nobody()) }
}

async fn own(db: &mut PgConnection, by: &Organizer, group_id: GroupId) -> Result<(), Problem> {
    let owner = sqlx::query_scalar!("select organizer_id from member_group where group_id = $1", group_id.0);
    let owner = owner.fetch_optional(db).await?;
    // Another's group does not exist.
    let is_own = owner.is_some_and(|owner| by.owns(UserId(owner)));
    if is_own { Ok(()) } else { Err(Problem::not_found("no-such-group", "There is no such group")) }
}
