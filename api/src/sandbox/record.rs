//! The table `sandbox.payment`: one function per statement. Each step guards the state it starts from.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde::Serialize;
use sqlx::PgPool;

/// A payment in the portal's books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Payment {
    #[serde(rename = "ref")]
    pub(super) reference: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) description: String,
    #[serde(skip)]
    pub(super) return_url: String,
    #[serde(skip)]
    pub(super) webhook_url: String,
    pub(super) state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    pub(super) idempotency_key: String,
    #[serde(serialize_with = "instant")]
    pub(super) created_at: jiff_sqlx::Timestamp,
    #[serde(skip)]
    pub(super) trouble: Option<String>,
}

fn instant<S: serde::Serializer>(at: &jiff_sqlx::Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    at.to_jiff().serialize(serializer)
}

/// What a client asks to open.
pub(super) struct New<'a> {
    pub(super) reference: &'a str,
    pub(super) idempotency_key: &'a str,
    pub(super) amount: i64,
    pub(super) currency: &'a str,
    pub(super) description: &'a str,
    pub(super) return_url: &'a str,
    pub(super) webhook_url: &'a str,
}

/// Opens a payment, or finds the one this key opened.
pub(super) async fn open(pool: &PgPool, new: &New<'_>) -> Result<Payment, sqlx::Error> {
    let row = sqlx::query_as!(
        Payment,
        r#"insert into sandbox.payment (ref, idempotency_key, amount, currency, description, return_url, webhook_url)
           values ($1, $2, $3, $4, $5, $6, $7)
           on conflict (idempotency_key) do update set idempotency_key = excluded.idempotency_key
           returning ref as "reference", amount, currency, description, return_url, webhook_url, state, reason,
                idempotency_key, created_at, trouble"#,
        new.reference,
        new.idempotency_key,
        new.amount,
        new.currency,
        new.description,
        new.return_url,
        new.webhook_url
    );
    row.fetch_one(pool).await
}

pub(super) async fn find(pool: &PgPool, reference: &str) -> Result<Option<Payment>, sqlx::Error> {
    let row = sqlx::query_as!(
        Payment,
        r#"select ref as "reference", amount, currency, description, return_url, webhook_url, state, reason,
                idempotency_key, created_at, trouble
           from sandbox.payment where ref = $1"#,
        reference
    );
    row.fetch_optional(pool).await
}

/// Takes a payment from one of the states `from` to `to`; `None` when it is in none of them.
pub(super) async fn step(
    pool: &PgPool,
    reference: &str,
    from: &[&str],
    to: &str,
    reason: Option<&str>,
) -> Result<Option<Payment>, sqlx::Error> {
    let from: Vec<String> = from.iter().map(|state| (*state).to_owned()).collect();
    let row = sqlx::query_as!(
        Payment,
        r#"update sandbox.payment set state = $3, reason = $4 where ref = $1 and state = any($2)
           returning ref as "reference", amount, currency, description, return_url, webhook_url, state, reason,
                idempotency_key, created_at, trouble"#,
        reference,
        &from,
        to,
        reason
    );
    row.fetch_optional(pool).await
}

/// Payments made since an instant, by reference, after one.
pub(super) async fn list(
    pool: &PgPool,
    from: Timestamp,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Payment>, sqlx::Error> {
    let row = sqlx::query_as!(
        Payment,
        r#"select ref as "reference", amount, currency, description, return_url, webhook_url, state, reason,
                idempotency_key, created_at, trouble
           from sandbox.payment where created_at >= $1 and ($2::text is null or ref > $2) order by ref limit $3"#,
        from.to_sqlx() as _,
        after,
        limit
    );
    row.fetch_all(pool).await
}

/// An open payment's money is reserved, and this trouble begins.
pub(super) async fn authorize(
    pool: &PgPool,
    reference: &str,
    trouble: Option<&str>,
) -> Result<Option<Payment>, sqlx::Error> {
    let row = sqlx::query_as!(
        Payment,
        r#"update sandbox.payment set state = 'authorized', reason = null, trouble = $2 where ref = $1 and state = 'open'
           returning ref as "reference", amount, currency, description, return_url, webhook_url, state, reason,
                idempotency_key, created_at, trouble"#,
        reference,
        trouble
    );
    row.fetch_optional(pool).await
}

/// Whether a payment's trouble of this kind shows once more, of so many times; counts it.
pub(super) async fn is_troubled(
    pool: &PgPool,
    reference: &str,
    (trouble, times): (&str, i32),
) -> Result<bool, sqlx::Error> {
    let counted = sqlx::query!(
        "update sandbox.payment set troubled = troubled + 1 where ref = $1 and trouble = $2 and troubled < $3",
        reference,
        trouble,
        times
    );
    Ok(counted.execute(pool).await?.rows_affected() == 1)
}
