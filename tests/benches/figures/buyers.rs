//! People with a session each, made in two statements and without the cost of their passwords.

use model::UserId;
use sha2::{Digest as _, Sha256};
use tests::Database;
use uuid::Uuid;

/// Makes so many; gives their bearer tokens.
pub(crate) async fn with_sessions(database: &Database, count: u32) -> anyhow::Result<Vec<String>> {
    let users: Vec<Uuid> = (0..count).map(|_| UserId::new().0).collect();
    let tokens: Vec<String> =
        users.iter().map(|user| format!("{}{}", user.simple(), Uuid::now_v7().simple())).collect();
    let hashes: Vec<Vec<u8>> = tokens.iter().map(|token| Sha256::digest(token).to_vec()).collect();
    let client = database.connect().await;
    let accounts = "insert into account (user_id, email, name, password_hash)
        select user_id, user_id || '@example.test', 'Buyer', '!' from unnest($1::uuid[]) as user_id";
    client.execute(accounts, &[&users]).await?;
    let sessions = "insert into session (token_hash, user_id, expires_at)
        select token_hash, user_id, now() + interval '1 day' from unnest($1::bytea[], $2::uuid[]) as u (token_hash, user_id)";
    client.execute(sessions, &[&hashes, &users]).await?;
    Ok(tokens)
}
