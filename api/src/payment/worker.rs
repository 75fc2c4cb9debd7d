//! Finishes payments: deals with stored webhooks, carries out the outbox, asks about payments that went silent, undoes the orders of
//! cancelled events.
//!
//! Everything here may be repeated: reports are idempotent, the outbox's keys act once. One step's failure leaves the rest going.

use super::message::Message;
use super::provider::{Act, Provider, ProviderError, sandbox};
use crate::app::App;
use booking::{Booking, Effect, EffectTopic, Failure, InboxEntry, PaymentAttempt, RefundError, Report, ReportError};
use futures::{StreamExt as _, stream};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// Webhooks and effects dealt with at a time.
const BATCH: i64 = 64;
/// How many of a batch are under way together.
const AT_ONCE: usize = 16;
/// How long a look waits for news.
const IDLE_MS: u64 = 500;
/// How often silent payments are looked for, and how long one must have been silent.
const POLL_S: u32 = 5;
/// Batches of a cancelled event's orders undone at a look: webhooks and effects have their turn in between.
const UNDONE_BATCHES_MAX: usize = 16;

#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error("read what is due")]
    Booking(#[from] Failure),
    #[error("report a payment")]
    Report(#[from] ReportError),
    #[error("its provider is not set up here")]
    NoProvider,
    #[error("tell the provider")]
    Provider(#[from] ProviderError),
    #[error("undo the orders of a cancelled event")]
    Refund(#[from] RefundError),
    #[error("read a stored webhook")]
    Message(#[from] serde_json::Error),
}

/// Works until the process stops.
pub async fn run(app: App, booking: Booking) {
    let mut look = tokio::time::interval(Duration::from_millis(IDLE_MS));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut polled = Instant::now();
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = app.payments_due.notified() => {}
            _ = look.tick() => {}
        }
        note("webhooks", Box::pin(inbox(&app, &booking)).await);
        note("outbox", Box::pin(outbox(&app, &booking)).await);
        if polled.elapsed() >= Duration::from_secs(POLL_S.into()) {
            polled = Instant::now();
            note("poll", Box::pin(poll(&app, &booking)).await);
            note("cancelled events", Box::pin(undo_cancelled(&app, &booking)).await);
            note("figures", booking.weigh_outbox().await.map_err(StepError::from));
        }
    }
}

fn note(step: &str, outcome: Result<(), StepError>) {
    if let Err(error) = outcome {
        tracing::warn!(step, %error, cause = ?std::error::Error::source(&error), "payments: will try again");
    }
}

async fn inbox(app: &App, booking: &Booking) -> Result<(), StepError> {
    let entries = booking.inbox_due(BATCH).await?;
    come_again(app, entries.len());
    stream::iter(entries)
        .for_each_concurrent(
            AT_ONCE,
            |entry| async move { note("webhook", Box::pin(take_in(app, booking, &entry)).await) },
        )
        .await;
    Ok(())
}

/// A full batch is not the last.
fn come_again(app: &App, found: usize) {
    if i64::try_from(found).is_ok_and(|found| found >= BATCH) {
        app.payments_due.notify_one();
    }
}

async fn take_in(app: &App, booking: &Booking, entry: &InboxEntry) -> Result<(), StepError> {
    let (provider_ref, report) = match serde_json::from_value(entry.body.clone())? {
        Message::Stands { provider_ref, state, reason, .. } => (Some(provider_ref), sandbox::report(&state, reason)),
        Message::Moved { payment, .. } => {
            let payment = booking.payment(payment).await?;
            match payment.as_ref().and_then(|payment| opened_at(app, payment)) {
                Some((provider, provider_ref)) => {
                    (Some(provider_ref.to_owned()), provider.ask(provider_ref).await?.report)
                }
                None => (None, None),
            }
        }
    };
    // The buyer was quicker than our own note of the reference: it comes up again.
    let Some(provider_ref) = provider_ref else { return Ok(()) };
    if let Some(report) = report {
        match booking.payment_reported(&entry.provider, &provider_ref, report).await {
            Err(ReportError::UnknownPayment) => return Ok(()),
            reported => reported?,
        }
    }
    booking.inbox_done(&entry.provider, &entry.provider_event_id).await?;
    Ok(())
}

/// Where a payment is open: a provider that is set up here, and its name for it.
fn opened_at<'a>(app: &'a App, payment: &'a PaymentAttempt) -> Option<(&'a Provider, &'a str)> {
    let provider = app.providers.named(payment.provider.as_deref()?)?;
    Some((provider, payment.provider_ref.as_deref()?))
}

async fn outbox(app: &App, booking: &Booking) -> Result<(), StepError> {
    let effects = booking.due_effects(BATCH).await?;
    come_again(app, effects.len());
    let finish = |effect: Effect| async move {
        let settled = match Box::pin(carry_out(app, booking, &effect)).await {
            Ok(Outcome::Done) => booking.effect_done(effect.id).await,
            Ok(Outcome::Never { why }) => {
                tracing::error!(payment.id = %effect.payment.payment_id, topic = effect.topic.as_str(), why, "payments: given up");
                booking.effect_refused(effect.id, &why).await
            }
            Err(error) => {
                let why = indexer::sentence(&error);
                note("effect", Err(error));
                booking.effect_failed(effect.id, &why).await
            }
        };
        note("effect", settled.map_err(StepError::from));
    };
    stream::iter(effects).for_each_concurrent(AT_ONCE, finish).await;
    Ok(())
}

/// What became of an effect.
enum Outcome {
    /// It is so, or nobody waits for it any more.
    Done,
    /// The provider refuses, and the payment still waits for it: a person has to see to that.
    Never { why: String },
}

async fn carry_out(app: &App, booking: &Booking, effect: &Effect) -> Result<Outcome, StepError> {
    let Effect { topic, payment, .. } = effect;
    if !topic.is_awaited_by(payment) || payment.provider_ref.is_none() {
        // Overtaken; or never opened at a provider, and there is nothing there.
        return Ok(Outcome::Done);
    }
    let (provider, provider_ref) = opened_at(app, payment).ok_or(StepError::NoProvider)?;
    let (act, wanted) = match topic {
        EffectTopic::Capture => (Act::Capture, Report::Captured),
        EffectTopic::Void => (Act::Void, Report::Voided),
        EffectTopic::Refund => (Act::Refund, Report::Refunded),
    };
    let report = |stands| booking.payment_reported(provider.name(), provider_ref, stands);
    // What was tried before may have been done, whatever the answer was: where the payment stands says so.
    if effect.attempts > 0 && provider.ask(provider_ref).await?.report.as_ref() == Some(&wanted) {
        report(wanted).await?;
        return Ok(Outcome::Done);
    }
    let why = match provider.act(act, provider_ref, &effect.dedup).await {
        Ok(()) => {
            report(wanted).await?;
            return Ok(Outcome::Done);
        }
        Err(error @ ProviderError::Refused { .. }) => error.to_string(),
        Err(error) => return Err(error.into()),
    };
    // It does not stand as we thought: the lane decides on what is true.
    match provider.ask(provider_ref).await.map(|stands| stands.report) {
        Ok(Some(stands)) => {
            let done = stands == wanted;
            report(stands).await?;
            if done {
                return Ok(Outcome::Done);
            }
        }
        Ok(None) | Err(ProviderError::Refused { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let now = booking.payment(payment.payment_id).await?;
    let waits = now.is_some_and(|payment| topic.is_awaited_by(&payment));
    Ok(if waits { Outcome::Never { why } } else { Outcome::Done })
}

/// What it undoes waits in the outbox.
async fn undo_cancelled(app: &App, booking: &Booking) -> Result<(), StepError> {
    for _ in 0..UNDONE_BATCHES_MAX {
        let undone = booking.refund_cancelled(BATCH).await?;
        if undone > 0 {
            app.payments_due.notify_one();
        }
        if i64::try_from(undone).is_ok_and(|undone| undone < BATCH) {
            break;
        }
    }
    Ok(())
}

async fn poll(app: &App, booking: &Booking) -> Result<(), StepError> {
    let silent = booking.payments_to_poll(POLL_S, BATCH).await?;
    let look = |payment: PaymentAttempt| async move { note("poll", Box::pin(ask(app, booking, &payment)).await) };
    stream::iter(silent).for_each_concurrent(AT_ONCE, look).await;
    Ok(())
}

async fn ask(app: &App, booking: &Booking, payment: &PaymentAttempt) -> Result<(), StepError> {
    let (provider, provider_ref) = opened_at(app, payment).ok_or(StepError::NoProvider)?;
    if let Some(report) = provider.ask(provider_ref).await?.report {
        booking.payment_reported(provider.name(), provider_ref, report).await?;
    }
    Ok(())
}
