//! The line for seats that come back: joining it, leaving it, one's place in it, and offers to be told of.

use super::{Booking, mismatch};
use crate::failure::Failure;
use crate::lane::{Command, Refusal};
use crate::reservation::{BestAvailable, ReleaseError};
use crate::shell::Refused;
use crate::table;
use crate::waiting::{JoinError, OfferMail, Wait};
use jiff::Timestamp;
use model::{EventId, UserId};
use std::borrow::Cow;

impl Booking {
    /// Lets a buyer in at the end of an event's line, if what they want cannot be had now. Again, for the same: the same place.
    ///
    /// # Errors
    /// When there is nothing to wait for, or no place for them; each says why.
    pub async fn join_line(&self, buyer: UserId, event: EventId, want: BestAvailable) -> Result<Wait, JoinError> {
        let after = self.last_place(buyer, event).await?;
        self.lanes.send(event, Command::Join { buyer, want, after }).await.map_err(join_error)?;
        // None: an offer came and went in between.
        self.wait(buyer, event).await?.ok_or(JoinError::Busy)
    }

    /// Lets a buyer out of an event's line; an offer they have stays theirs. Not being in it is no error.
    ///
    /// # Errors
    /// When the queue is full or the database fails.
    pub async fn leave_line(&self, buyer: UserId, event: EventId) -> Result<(), ReleaseError> {
        let place = self.last_place(buyer, event).await?;
        if place == 0 {
            return Ok(());
        }
        match self.lanes.send(event, Command::Leave { buyer, place }).await {
            Ok(_) | Err(Refused::NoSuchEvent | Refused::Refusal(_)) => Ok(()),
            Err(Refused::Busy | Refused::InProgress) => Err(ReleaseError::Busy),
            Err(Refused::Failed(failure)) => Err(ReleaseError::Failed(failure)),
        }
    }

    async fn last_place(&self, buyer: UserId, event: EventId) -> Result<i64, Failure> {
        Ok(table::waiting::last_place(&mut *self.pool.acquire().await?, event, buyer).await?)
    }

    /// Where a buyer stands in an event's line, if they do.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn wait(&self, buyer: UserId, event: EventId) -> Result<Option<Wait>, Failure> {
        table::waiting::of_buyer(&mut *self.pool.acquire().await?, event, buyer).await
    }

    /// Offers that are a buyer's to take now: of which event, and until when.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn offers(&self, buyer: UserId) -> Result<Vec<(EventId, Timestamp)>, Failure> {
        Ok(table::waiting::offers_of(&mut *self.pool.acquire().await?, buyer).await?)
    }

    /// Offers that no mail has told of; each is given to one caller for a minute, and again until it is told.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn offers_to_mail(&self, limit: i64) -> Result<Vec<OfferMail>, Failure> {
        Ok(table::waiting::lease_mail(&mut *self.pool.acquire().await?, limit).await?)
    }

    /// The mail of an offer went out, or never will.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn offer_mailed(&self, offer: &OfferMail) -> Result<(), Failure> {
        Ok(table::waiting::mailed(&mut *self.pool.acquire().await?, offer.event, offer.place).await?)
    }
}

fn join_error(refused: Refused) -> JoinError {
    match refused {
        Refused::NoSuchEvent => JoinError::NoSuchEvent,
        Refused::Busy | Refused::InProgress => JoinError::Busy,
        Refused::Failed(failure) => JoinError::Failed(failure),
        Refused::Refusal(Refusal::SeatsLeft) => JoinError::SeatsLeft,
        Refused::Refusal(Refusal::InLine) => JoinError::InLine,
        Refused::Refusal(Refusal::LineFull) => JoinError::LineFull,
        Refused::Refusal(Refusal::BadAsk { field, must }) => {
            let field = field.strip_prefix("best_available.").map(str::to_owned).map_or(field, Cow::Owned);
            JoinError::BadAsk { field, must }
        }
        Refused::Refusal(Refusal::LimitReached(limit)) => JoinError::LimitReached { limit },
        Refused::Refusal(Refusal::NotOnSale { opens_at, closed }) => JoinError::NotOnSale { opens_at, closed },
        Refused::Refusal(_) => JoinError::Failed(mismatch()),
    }
}
