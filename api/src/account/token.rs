//! The table `session`: one function per statement, and the tokens it knows by their hash alone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use model::UserId;
use rand::Rng as _;
use sqlx::PgConnection;

/// How long a session lives: 30 days.
pub const SESSION_TTL_S: i64 = 30 * 24 * 3600;

/// 256 random bits as text.
pub(super) fn fresh() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Opens a session; answers when it ends.
pub(super) async fn insert(db: &mut PgConnection, user: UserId, hash: &[u8]) -> Result<Timestamp, sqlx::Error> {
    let row = sqlx::query!(
        "insert into session (token_hash, user_id, expires_at)
         values ($1, $2, now() + make_interval(secs => $3::bigint::double precision)) returning expires_at",
        hash,
        user.0,
        SESSION_TTL_S
    );
    Ok(row.fetch_one(db).await?.expires_at.to_jiff())
}

/// Ends a session.
pub(super) async fn delete(db: &mut PgConnection, hash: &[u8]) -> Result<(), sqlx::Error> {
    let ended = sqlx::query!(
        "with ended as (delete from session where token_hash = $1 returning token_hash)
         select pg_notify('session_ended', encode(token_hash, 'hex')) from ended",
        hash
    );
    ended.fetch_optional(db).await?;
    Ok(())
}

/// Ends every session of a person but one.
pub(super) async fn delete_others(db: &mut PgConnection, user: UserId, keep: &[u8]) -> Result<(), sqlx::Error> {
    let ended = sqlx::query!(
        "with ended as (delete from session where user_id = $1 and token_hash <> $2 returning token_hash)
         select pg_notify('session_ended', encode(token_hash, 'hex')) from ended",
        user.0,
        keep
    );
    ended.fetch_all(db).await?;
    Ok(())
}

/// Removes sessions that ended long ago, a batch at a time; answers how many.
///
/// # Errors
/// When the database fails.
pub async fn sweep(db: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let swept = sqlx::query!(
        "delete from session where token_hash in
         (select token_hash from session where expires_at < now() - interval '1 day' limit 1000)"
    );
    Ok(swept.execute(db).await?.rows_affected())
}
