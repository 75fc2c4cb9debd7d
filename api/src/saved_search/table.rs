//! The table `saved_search`: one function per statement.

use jiff::Timestamp;
use model::{SearchId, UserId};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

/// Searches one person may keep: the table has so many places for each.
pub const SEARCHES_MAX: i32 = 50;

/// A saved search as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct SavedSearch {
    /// Its id.
    pub search_id: SearchId,
    /// What its owner calls it.
    pub name: String,
    /// The query string of `GET /event` that it stands for.
    pub query: String,
    /// Whether it sends mail.
    pub mails: bool,
    /// Since when.
    pub created_at: Timestamp,
}

struct Row {
    search_id: uuid::Uuid,
    name: String,
    query: String,
    mails: bool,
    created_at: jiff_sqlx::Timestamp,
}

impl From<Row> for SavedSearch {
    fn from(row: Row) -> Self {
        Self {
            search_id: SearchId(row.search_id),
            name: row.name,
            query: row.query,
            mails: row.mails,
            created_at: row.created_at.to_jiff(),
        }
    }
}

/// Takes the person's first free place; `None` when all are taken.
pub(super) async fn insert(
    db: &mut PgConnection,
    user: UserId,
    name: &str,
    query: &str,
) -> Result<Option<SavedSearch>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        "insert into saved_search (search_id, user_id, place, name, query)
         select $1, $2, free.place, $3, $4 from generate_series(1, $5::int) free (place)
         where not exists (select from saved_search s where s.user_id = $2 and s.place = free.place)
         order by free.place limit 1
         returning search_id, name, query, mails, created_at",
        SearchId::new().0,
        user.0,
        name,
        query,
        SEARCHES_MAX
    );
    Ok(row.fetch_optional(db).await?.map(SavedSearch::from))
}

/// A person's searches, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn of_person(db: &mut PgConnection, user: UserId) -> Result<Vec<SavedSearch>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        "select search_id, name, query, mails, created_at from saved_search
         where user_id = $1 order by created_at desc, search_id",
        user.0
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(SavedSearch::from).collect())
}

/// Changes a search of this person's; `None` when there is none.
pub(super) async fn update(
    db: &mut PgConnection,
    user: UserId,
    search: SearchId,
    (name, mails): (Option<&str>, Option<bool>),
) -> Result<Option<SavedSearch>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        "update saved_search set name = coalesce($3, name), mails = coalesce($4, mails)
         where user_id = $1 and search_id = $2
         returning search_id, name, query, mails, created_at",
        user.0,
        search.0,
        name,
        mails
    );
    Ok(row.fetch_optional(db).await?.map(SavedSearch::from))
}

/// Deletes a search of this person's; whether there was one.
pub(super) async fn delete(db: &mut PgConnection, user: UserId, search: SearchId) -> Result<bool, sqlx::Error> {
    let deleted = sqlx::query!("delete from saved_search where user_id = $1 and search_id = $2", user.0, search.0);
    Ok(deleted.execute(db).await?.rows_affected() > 0)
}

/// Lets a search send no more mail, whoever's it is: the caller has seen the key that came with its mail.
///
/// # Errors
/// When the database fails.
pub async fn silence(db: &mut PgConnection, search: SearchId) -> Result<(), sqlx::Error> {
    sqlx::query!("update saved_search set mails = false where search_id = $1 and mails", search.0).execute(db).await?;
    Ok(())
}
