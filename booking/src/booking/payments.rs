//! The booking core's side of the conversation with payment providers: inbox, outbox, polling. The HTTP is another room's.

use super::Booking;
use crate::failure::Failure;
use crate::lane::{Command, Refusal};
use crate::order::{Effect, EffectTopic, InboxEntry, PaymentAttempt, Report, ReportError};
use crate::shell::Refused;
use crate::table::{self, Unreadable};
use model::PaymentId;

/// There is no such attempt; cannot happen to one that was answered.
#[derive(Debug, thiserror::Error)]
#[error("there is no such attempt to pay")]
struct NoSuchPayment;

impl Booking {
    /// Notes where an attempt is open, and answers with the portal to pay it at: the one noted first, if two are opened at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn payment_opened(
        &self,
        payment: PaymentId,
        provider: &str,
        provider_ref: &str,
        portal_url: &str,
    ) -> Result<String, Failure> {
        let mut connection = self.pool.acquire().await?;
        let noted = table::payment::opened(&mut connection, payment, provider, provider_ref, portal_url).await?;
        noted.ok_or_else(|| Failure::new(NoSuchPayment))
    }

    /// Takes in what a provider says; twice or out of order changes nothing more.
    ///
    /// # Errors
    /// When no payment has this reference (yet), or the report could not be made durable: report it again.
    pub async fn payment_reported(
        &self,
        provider: &str,
        provider_ref: &str,
        report: Report,
    ) -> Result<(), ReportError> {
        let mut connection = self.pool.acquire().await.map_err(Failure::from)?;
        let found = table::payment::by_provider_ref(&mut connection, provider, provider_ref).await?;
        drop(connection);
        let payment = found.ok_or(ReportError::UnknownPayment)?;
        let command = Command::Settle { order: payment.order_id, payment: payment.payment_id, report };
        match self.lanes.send(payment.event_id, command).await {
            Ok(_) => Ok(()),
            Err(Refused::Busy | Refused::InProgress) => Err(ReportError::Busy),
            Err(Refused::Failed(failure)) => Err(ReportError::Failed(failure)),
            Err(Refused::NoSuchEvent | Refused::Refusal(Refusal::UnknownPayment)) => Err(ReportError::UnknownPayment),
            Err(Refused::Refusal(_)) => Err(ReportError::Failed(super::mismatch())),
        }
    }

    /// One attempt to pay.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn payment(&self, payment: PaymentId) -> Result<Option<PaymentAttempt>, Failure> {
        table::payment::by_id(&mut *self.pool.acquire().await?, payment).await
    }

    /// Effects to carry out now; each is leased for 30 s, then due again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due_effects(&self, limit: i64) -> Result<Vec<Effect>, Failure> {
        let mut connection = self.pool.acquire().await?;
        let mut effects = Vec::new();
        for row in table::outbox::lease(&mut connection, limit).await? {
            let topic = [EffectTopic::Capture, EffectTopic::Void, EffectTopic::Refund];
            let topic = topic.into_iter().find(|topic| topic.as_str() == row.topic);
            let topic = topic.ok_or_else(|| Failure::new(Unreadable("outbox.topic")))?;
            let payment = table::payment::by_id(&mut connection, PaymentId(row.payment_id)).await?;
            let payment = payment.ok_or_else(|| Failure::new(Unreadable("outbox.payment_id")))?;
            effects.push(Effect { id: row.outbox_id, topic, dedup: row.dedup, payment, attempts: row.attempts - 1 });
        }
        Ok(effects)
    }

    /// The provider did it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn effect_done(&self, id: i64) -> Result<(), Failure> {
        Ok(table::outbox::sent(&mut *self.pool.acquire().await?, id).await?)
    }

    /// The provider did not, for this reason; due again after 1, 2, 4 … 256 s.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn effect_failed(&self, id: i64, why: &str) -> Result<(), Failure> {
        Ok(table::outbox::failed(&mut *self.pool.acquire().await?, id, why).await?)
    }

    /// The provider never will, for this reason: it stays in the outbox for a person to see, and is due no more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn effect_refused(&self, id: i64, why: &str) -> Result<(), Failure> {
        metrics::counter!("payment_outbox_refused_total").increment(1);
        Ok(table::outbox::dead(&mut *self.pool.acquire().await?, id, why).await?)
    }

    /// Sets the gauges of the outbox to what it is now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn weigh_outbox(&self) -> Result<(), Failure> {
        let weight = table::outbox::weight(&mut *self.pool.acquire().await?).await?;
        let number = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
        metrics::gauge!("payment_outbox_waiting").set(number(weight.waiting));
        metrics::gauge!("payment_outbox_dead").set(number(weight.dead));
        metrics::gauge!("payment_outbox_oldest_seconds").set(number(weight.oldest_s));
        Ok(())
    }

    /// Stores a webhook; false when it was there already. Durable when answered.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn inbox_store(&self, entry: &InboxEntry) -> Result<bool, Failure> {
        Ok(table::webhook_inbox::store(&mut *self.pool.acquire().await?, entry).await?)
    }

    /// Webhooks to deal with, oldest first; each is leased for 2 s, then due again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn inbox_due(&self, limit: i64) -> Result<Vec<InboxEntry>, Failure> {
        Ok(table::webhook_inbox::lease(&mut *self.pool.acquire().await?, limit).await?)
    }

    /// The webhook was dealt with.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn inbox_done(&self, provider: &str, provider_event_id: &str) -> Result<(), Failure> {
        Ok(table::webhook_inbox::done(&mut *self.pool.acquire().await?, provider, provider_event_id).await?)
    }

    /// Attempts that have been open at a provider for `pause_s` seconds without a word; each comes up once per pause.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn payments_to_poll(&self, pause_s: u32, limit: i64) -> Result<Vec<PaymentAttempt>, Failure> {
        table::payment::to_poll(&mut *self.pool.acquire().await?, pause_s.into(), limit).await
    }
}
