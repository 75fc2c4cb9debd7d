//! The table `account`: one function per statement.

use jiff::Timestamp;
use model::UserId;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use std::collections::HashMap;
use uuid::Uuid;

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Buys tickets.
    Attendee,
    /// Keeps events of their own.
    Organizer,
    /// May do everything.
    Admin,
}

impl Role {
    /// The role's name in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Attendee => "attendee",
            Self::Organizer => "organizer",
            Self::Admin => "admin",
        }
    }

    /// Reads the table's text; the column's check admits no other.
    #[must_use]
    pub fn from_column(text: &str) -> Self {
        match text {
            "admin" => Self::Admin,
            "organizer" => Self::Organizer,
            _ => Self::Attendee,
        }
    }
}

/// A person with an account, as they may see themselves.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Account {
    /// Their id.
    pub user_id: UserId,
    /// Lowercase.
    pub email: String,
    /// What to call them.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Since when.
    pub created_at: Timestamp,
}

struct Row {
    user_id: uuid::Uuid,
    email: String,
    name: String,
    role: String,
    created_at: jiff_sqlx::Timestamp,
}

impl From<Row> for Account {
    fn from(row: Row) -> Self {
        Self {
            user_id: UserId(row.user_id),
            email: row.email,
            name: row.name,
            role: Role::from_column(&row.role),
            created_at: row.created_at.to_jiff(),
        }
    }
}

/// The account of a live session's token, by the token's SHA-256.
///
/// # Errors
/// When the database fails.
pub async fn by_token(db: &mut PgConnection, token_hash: &[u8]) -> Result<Option<Account>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        "select a.user_id, a.email, a.name, a.role, a.created_at from session s join account a using (user_id)
         where s.token_hash = $1 and s.expires_at > now()",
        token_hash
    );
    Ok(row.fetch_optional(db).await?.map(Account::from))
}

/// A new attendee.
pub(super) async fn insert(
    db: &mut PgConnection,
    email: &str,
    name: &str,
    password_hash: &str,
) -> Result<Account, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        "insert into account (user_id, email, name, password_hash) values ($1, $2, $3, $4)
         returning user_id, email, name, role, created_at",
        UserId::new().0,
        email,
        name,
        password_hash
    );
    Ok(row.fetch_one(db).await?.into())
}

/// The account and its password's hash, by email.
pub(super) async fn password_of(db: &mut PgConnection, email: &str) -> Result<Option<(Account, String)>, sqlx::Error> {
    let row = sqlx::query!(
        "select user_id, email, name, role, created_at, password_hash from account where email = $1",
        email
    );
    Ok(row.fetch_optional(db).await?.map(|row| {
        let account =
            Row { user_id: row.user_id, email: row.email, name: row.name, role: row.role, created_at: row.created_at };
        (account.into(), row.password_hash)
    }))
}

/// Who has this email, as it is kept: trimmed and in lower case.
///
/// # Errors
/// When the database fails.
pub async fn by_email(db: &mut PgConnection, email: &str) -> Result<Option<UserId>, sqlx::Error> {
    let row = sqlx::query_scalar!("select user_id from account where email = $1", email);
    Ok(row.fetch_optional(db).await?.map(UserId))
}

/// What to call somebody.
///
/// # Errors
/// When the database fails.
pub async fn name(db: &mut PgConnection, user: UserId) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!("select name from account where user_id = $1", user.0).fetch_optional(db).await
}

/// What to call somebody, and where to write to.
///
/// # Errors
/// When the database fails.
pub async fn addressee(db: &mut PgConnection, user: UserId) -> Result<Option<(String, String)>, sqlx::Error> {
    let row = sqlx::query!("select name, email from account where user_id = $1", user.0).fetch_optional(db).await?;
    Ok(row.map(|row| (row.name, row.email)))
}

/// Accounts' names.
///
/// # Errors
/// When the database fails.
pub async fn names(db: &mut PgConnection, users: &[UserId]) -> Result<HashMap<UserId, String>, sqlx::Error> {
    let ids: Vec<Uuid> = users.iter().map(|user| user.0).collect();
    let rows = sqlx::query!("select user_id, name from account where user_id = any($1)", &ids).fetch_all(db).await?;
    Ok(rows.into_iter().map(|row| (UserId(row.user_id), row.name)).collect())
}

/// What changes; `None` stays.
pub(super) struct Changes {
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) password_hash: Option<String>,
}

/// Changes an account that exists.
pub(super) async fn update(db: &mut PgConnection, user: UserId, to: &Changes) -> Result<Account, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        "update account set name = coalesce($2, name), email = coalesce($3, email),
            password_hash = coalesce($4, password_hash), updated_at = now()
         where user_id = $1 returning user_id, email, name, role, created_at",
        user.0,
        to.name,
        to.email,
        to.password_hash
    );
    Ok(row.fetch_one(db).await?.into())
}
