//! Every event's payments, as those read them who compare them with a provider's books; and the two ways to have one put right.
//!
//! Needs no lane: what is told waits in the inbox, what is asked for again in the outbox, for the process that has the event's lane.

use crate::failure::Failure;
use crate::order::{EffectTopic, InboxEntry, OrderState, PaymentAttempt};
use crate::table;
use jiff::Timestamp;
use model::PaymentId;
use sqlx::PgPool;

/// The payments of an installation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PaymentBooks {
    pool: PgPool,
}

/// A payment, its order, and what its provider has still to be told about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentLine {
    /// The payment.
    pub payment: PaymentAttempt,
    /// Where its order stands.
    pub order_state: OrderState,
    /// For how many seconds neither has changed.
    pub quiet_s: i64,
    /// Why its provider did not do what it was last asked for, if it did not.
    pub failure: Option<String>,
    /// The provider refused for good, and nobody asks any more.
    pub given_up: bool,
}

impl PaymentBooks {
    /// Those in this database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The next payments after one, by id, that were opened at a provider and made at or after an instant.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn page(
        &self,
        from: Timestamp,
        after: Option<PaymentId>,
        limit: i64,
    ) -> Result<Vec<PaymentLine>, Failure> {
        table::payment::lines(&mut *self.pool.acquire().await?, from, after, limit).await
    }

    /// One payment, opened or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn line(&self, payment: PaymentId) -> Result<Option<PaymentLine>, Failure> {
        table::payment::line(&mut *self.pool.acquire().await?, payment).await
    }

    /// Leaves word in the inbox, to be dealt with like a provider's own.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tell(&self, entry: &InboxEntry) -> Result<(), Failure> {
        table::webhook_inbox::store(&mut *self.pool.acquire().await?, entry).await?;
        Ok(())
    }

    /// Has a provider asked again for what a lane decided, under the same key, also when it had refused; false when no lane did.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ask_again(&self, payment: PaymentId, topic: EffectTopic) -> Result<bool, Failure> {
        Ok(table::outbox::revive(&mut *self.pool.acquire().await?, payment, topic).await?)
    }
}
