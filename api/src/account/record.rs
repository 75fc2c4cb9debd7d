//! The table `account`: one function per statement.

use jiff::Timestamp;
use model::UserId;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

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
