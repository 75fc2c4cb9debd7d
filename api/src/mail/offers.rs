//! Tells by mail of seats that are kept for who waited: leased by the booking core, told once.
//!
//! An offer that is over before its mail could go out is told to nobody. Its `Message-ID` is the same at every try.

use super::Mailer;
use super::letter::{self, Offer, Site, WriteError};
use crate::app::App;
use crate::{account, catalog};
use booking::{Booking, OfferMail};
use lettre::AsyncTransport as _;

/// Mails sent in one look.
const BATCH: i64 = 64;

#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("read whom and what to tell")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("hand a mail to the server")]
    Smtp(#[from] lettre::transport::smtp::Error),
}

impl SendError {
    /// Whether there is no use in another try.
    fn is_final(&self) -> bool {
        match self {
            Self::Write(_) => true,
            Self::Smtp(refusal) => refusal.is_permanent(),
            Self::Database(_) => false,
        }
    }
}

/// Sends what is due; what fails is tried again when its lease is over.
pub(super) async fn send_due(app: &App, booking: &Booking, mailer: &Mailer) {
    let due = booking.offers_to_mail(BATCH).await;
    let due = due.inspect_err(|error| tracing::warn!(error = error as &dyn std::error::Error, "mail: offers"));
    for offer in due.unwrap_or_default() {
        let sent = send(app, mailer, &offer).await;
        if let Err(error) = &sent {
            tracing::warn!(event.id = %offer.event, error = error as &dyn std::error::Error, "mail: an offer was not told");
        }
        if sent.as_ref().err().is_none_or(SendError::is_final)
            && let Err(error) = booking.offer_mailed(&offer).await
        {
            tracing::warn!(event.id = %offer.event, error = &error as &dyn std::error::Error, "mail: its lease runs out");
        }
    }
}

async fn send(app: &App, mailer: &Mailer, offer: &OfferMail) -> Result<(), SendError> {
    let mut db = app.pool.acquire().await?;
    let event = catalog::read_event(&mut db, offer.event).await?;
    let person = account::addressee(&mut db, offer.buyer).await?;
    drop(db);
    let (Some(event), Some((name, email))) = (event, person) else { return Ok(()) };
    let site = Site { url: &app.public_url, secret: &app.config.secret };
    let told = Offer { event: &event, seats: offer.seats, expires_at: offer.expires_at, id: offer.hold.0 };
    mailer.transport.send(letter::offer(mailer, &site, (&name, &email), &told)?).await?;
    Ok(())
}
