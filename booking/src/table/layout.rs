//! `layout`: immutable seat plans.

use sqlx::PgConnection;

/// A plan's bytes.
pub(crate) async fn plan(connection: &mut PgConnection, layout: &str) -> sqlx::Result<Vec<u8>> {
    sqlx::query_scalar!("select plan from layout where layout_hash = $1", layout).fetch_one(connection).await
}
