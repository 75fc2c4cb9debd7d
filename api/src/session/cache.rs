//! Live sessions remembered for a few seconds, so that a request costs no query to know who asks.
//!
//! Invariant: a token that was ended is refused at once. Ending one forgets it here and tells every other process through
//! Postgres (`notify session_ended`); a look-up that was under way meanwhile is not remembered; and while this process does not
//! hear the notifications, it remembers nothing.

use crate::account::Account;
use moka::sync::Cache;
use parking_lot::Mutex;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const REMEMBERED_S: u64 = 5;
const REMEMBERED_MAX: u64 = 200_000;
const CHANNEL: &str = "session_ended";

/// The memory. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    live: Cache<[u8; 32], Account>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Whether other processes' endings reach us.
    hears: bool,
    /// Raised by every ending.
    endings: u64,
}

/// Taken before a look-up; says whether what it finds may be remembered.
#[derive(Clone, Copy, Debug)]
pub struct Before(u64);

impl Default for Sessions {
    fn default() -> Self {
        let live =
            Cache::builder().max_capacity(REMEMBERED_MAX).time_to_live(Duration::from_secs(REMEMBERED_S)).build();
        Self { live, state: Arc::default() }
    }
}

impl Sessions {
    /// Whose session this is, if it is remembered.
    #[must_use]
    pub fn get(&self, hash: &[u8; 32]) -> Option<Account> {
        self.live.get(hash)
    }

    /// To be taken before the database is asked.
    #[must_use]
    pub fn before(&self) -> Before {
        Before(self.state.lock().endings)
    }

    /// Remembers what was found, unless any session ended meanwhile.
    pub fn remember(&self, hash: [u8; 32], account: &Account, before: Before) {
        let state = self.state.lock();
        if state.hears && state.endings == before.0 {
            self.live.insert(hash, account.clone());
        }
    }

    /// Forgets one session.
    pub fn forget(&self, hash: &[u8; 32]) {
        let mut state = self.state.lock();
        state.endings += 1;
        self.live.invalidate(hash);
    }

    /// Forgets everyone: something about an account changed.
    pub fn forget_all(&self) {
        let mut state = self.state.lock();
        state.endings += 1;
        self.live.invalidate_all();
    }

    fn hears(&self, hears: bool) {
        self.state.lock().hears = hears;
        self.forget_all();
    }

    /// Listens for endings elsewhere until stopped; comes back by itself when the connection breaks.
    pub async fn listen(self, pool: PgPool, stop: CancellationToken) {
        while stop.run_until_cancelled(self.listen_once(&pool)).await.is_some() {
            self.hears(false);
            if stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await.is_none() {
                break;
            }
        }
        self.hears(false);
    }

    async fn listen_once(&self, pool: &PgPool) {
        if let Err(error) = self.hear_until_broken(pool).await {
            tracing::warn!(%error, "sessions are looked up one by one: the database does not notify");
        }
    }

    async fn hear_until_broken(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        self.hears(true);
        while let Some(ending) = listener.try_recv().await? {
            let hash = crate::hex::decode(ending.payload()).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            match hash {
                Some(hash) => self.forget(&hash),
                None => self.forget_all(),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Role;

    fn someone() -> Account {
        Account {
            user_id: model::UserId::new(),
            email: "a@b.c".into(),
            name: "A".into(),
            role: Role::Attendee,
            created_at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_lookup_overtaken_by_a_logout_is_not_remembered() {
        let sessions = Sessions::default();
        sessions.hears(true);
        let before = sessions.before();
        sessions.forget(&[1; 32]);
        sessions.remember([1; 32], &someone(), before);
        assert!(sessions.get(&[1; 32]).is_none());
        sessions.remember([1; 32], &someone(), sessions.before());
        assert!(sessions.get(&[1; 32]).is_some());
        sessions.forget(&[1; 32]);
        assert!(sessions.get(&[1; 32]).is_none());
    }

    #[test]
    fn nothing_is_remembered_while_endings_elsewhere_go_unheard() {
        let sessions = Sessions::default();
        sessions.remember([1; 32], &someone(), sessions.before());
        assert!(sessions.get(&[1; 32]).is_none());
    }
}
