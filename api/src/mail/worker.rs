//! Sends what is due: gather matches into mails, lease, write, hand over, mark.

use super::letter::{self, Site, WriteError};
use super::table::{self, Due};
use super::{Mailer, offers};
use crate::app::App;
use futures::{StreamExt as _, stream};
use lettre::AsyncTransport as _;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

const LOOK: Duration = Duration::from_secs(1);
/// Mails made and sent in one look.
const BATCH: i64 = 64;
/// Conversations with the server at once.
const AT_ONCE: usize = 4;

#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("read what is to be sent")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("hand a mail to the server")]
    Smtp(#[from] lettre::transport::smtp::Error),
}

/// Works until the process stops.
pub async fn run(app: App, mailer: Mailer) {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while app.stop.run_until_cancelled(look.tick()).await.is_some() {
        if let Err(error) = send_due(&app, &mailer).await {
            tracing::warn!(%error, cause = ?std::error::Error::source(&error), "mail: will look again");
        }
        if let Some(booking) = &app.booking {
            offers::send_due(&app, booking, &mailer).await;
        }
    }
}

async fn send_due(app: &App, mailer: &Mailer) -> Result<(), SendError> {
    table::gather(&app.pool, BATCH).await?;
    let due = table::lease(&mut *app.pool.acquire().await?, BATCH).await?;
    let finish = |due: Due| async move {
        if let Err(error) = finish(app, mailer, &due).await {
            tracing::warn!(mail.id = %due.mail_id, %error, "mail: its lease runs out");
        }
    };
    stream::iter(due).for_each_concurrent(AT_ONCE, finish).await;
    Ok(())
}

/// Sends one and writes down how it went.
async fn finish(app: &App, mailer: &Mailer, due: &Due) -> Result<(), sqlx::Error> {
    let sent = send(app, mailer, due).await;
    let mut db = app.pool.acquire().await?;
    match sent {
        Ok(()) => table::done(&mut db, due.mail_id).await,
        Err(error) => {
            tracing::warn!(mail.id = %due.mail_id, error = &error as &dyn std::error::Error, "mail: not sent");
            match error {
                SendError::Smtp(refusal) if refusal.is_permanent() => table::give_up(&mut db, due.mail_id).await,
                SendError::Write(_) => table::give_up(&mut db, due.mail_id).await,
                SendError::Smtp(_) | SendError::Database(_) => table::failed(&mut db, due.mail_id).await,
            }
        }
    }
}

/// Nothing is sent for a search that was silenced meanwhile, or whose events are gone.
async fn send(app: &App, mailer: &Mailer, due: &Due) -> Result<(), SendError> {
    let (events, total) = table::found(&mut *app.pool.acquire().await?, due.mail_id).await?;
    if !due.mails || events.is_empty() {
        return Ok(());
    }
    let site = Site { url: &app.public_url, secret: &app.config.secret };
    let mail = letter::write(mailer, &site, due, (&events, total))?;
    mailer.transport.send(mail).await?;
    Ok(())
}
