//! Passwords: argon2id, off the async threads, a few at a time.
//!
//! One hash takes 19 MiB and some tens of milliseconds of a core: the permits bound what a burst of logins may take.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Hashes that may run or wait at once.
const WAITING_MAX: usize = 512;

/// Hashes and checks passwords. Cheap to clone.
#[derive(Clone)]
pub struct Passwords {
    permits: Arc<Semaphore>,
    /// Places for those who wait: beyond them one is told to come again.
    places: Arc<Semaphore>,
    /// Compared against when the email is unknown, so that the answer takes as long.
    decoy: Arc<str>,
}

/// Why a password could not be hashed or checked.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The work was cut off by the process's end.
    #[error("hash a password: stopping")]
    Stopping,
    /// The queue of hashes is full.
    #[error("hash a password: too many are waiting")]
    Busy,
    /// The library refused.
    #[error("hash a password: {0}")]
    Argon2(String),
}

impl Passwords {
    /// At most `at_once` hashes run together.
    ///
    /// # Errors
    /// When this machine cannot hash at all.
    pub fn new(at_once: usize) -> Result<Self, PasswordError> {
        let decoy = hash_now("the decoy of an unknown account")?;
        Ok(Self {
            permits: Arc::new(Semaphore::new(at_once)),
            places: Arc::new(Semaphore::new(WAITING_MAX)),
            decoy: decoy.into(),
        })
    }

    /// The PHC string to store.
    ///
    /// # Errors
    /// When the process is stopping or the library refuses.
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        let _place = self.places.try_acquire().map_err(|_| PasswordError::Busy)?;
        let _permit = self.permits.acquire().await.map_err(|_| PasswordError::Stopping)?;
        tokio::task::spawn_blocking(move || hash_now(&password)).await.map_err(|_| PasswordError::Stopping)?
    }

    /// Whether `password` is the one stored; `None` (no such account) takes as long and is never right.
    ///
    /// # Errors
    /// When the process is stopping.
    pub async fn check(&self, password: String, stored: Option<String>) -> Result<bool, PasswordError> {
        let _place = self.places.try_acquire().map_err(|_| PasswordError::Busy)?;
        let _permit = self.permits.acquire().await.map_err(|_| PasswordError::Stopping)?;
        let decoy = Arc::clone(&self.decoy);
        let right = tokio::task::spawn_blocking(move || {
            let known = stored.is_some();
            verify_now(&password, stored.as_deref().unwrap_or(&decoy)) && known
        });
        right.await.map_err(|_| PasswordError::Stopping)
    }
}

fn hash_now(password: &str) -> Result<String, PasswordError> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| PasswordError::Argon2(error.to_string()))
}

fn verify_now(password: &str, stored: &str) -> bool {
    PasswordHash::new(stored).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_a_known_account_is_right() {
        let passwords = Passwords::new(1).unwrap();
        let stored = passwords.hash("correct horse".into()).await.unwrap();
        assert!(stored.starts_with("$argon2id$"));
        assert!(passwords.check("correct horse".into(), Some(stored.clone())).await.unwrap());
        assert!(!passwords.check("wrong horse".into(), Some(stored)).await.unwrap());
        assert!(!passwords.check("the decoy of an unknown account".into(), None).await.unwrap());
    }
}
