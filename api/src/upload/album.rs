//! Where pictures are kept and by which addresses they are shown.
//!
//! An address names its content's hash, so what it shows never changes; only that it shows something may end.

use super::picture::{self, PictureError, Pictures, Size};
use crate::problem::Problem;
use axum::http::StatusCode;
use bytes::Bytes;
use search::store::{Durability, Store};
use serde::Serialize;
use serde_json::json;
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use uuid::Uuid;

/// Pictures decoded at once, and those that may wait for their turn: each takes up to half a GiB.
const AT_ONCE: usize = 2;
const WAITING_MAX: usize = 16;

/// The pictures of this installation.
#[derive(Debug)]
pub struct Album {
    store: Store,
    /// What stands before every path of a picture: a CDN's address, or nothing.
    prefix: String,
    turns: Semaphore,
    places: Semaphore,
}

/// The addresses of a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Urls {
    /// At most 320 × 180, cut to 16:9.
    thumb: String,
    /// At most 640 × 360, cut to 16:9.
    card: String,
    /// At most 1920 × 1080.
    pub(super) hero: String,
    /// At most 4096 × 4096.
    original: String,
}

impl Album {
    /// Pictures in `store`, shown through `cdn` if there is one.
    #[must_use]
    pub fn new(store: Store, cdn: Option<&str>) -> Self {
        let (turns, places) = (Semaphore::new(AT_ONCE), Semaphore::new(WAITING_MAX));
        Self { store, prefix: cdn.unwrap_or_default().to_owned(), turns, places }
    }

    pub(super) fn urls(&self, content: Uuid, hash: &str) -> Urls {
        let url = |size: Size| format!("{}/image/{content}/{hash}-{}.jpg", self.prefix, size.as_str());
        Urls { thumb: url(Size::Thumb), card: url(Size::Card), hero: url(Size::Hero), original: url(Size::Original) }
    }

    /// Makes every size of what was sent.
    pub(super) async fn develop(&self, sent: Bytes) -> Result<Pictures, Problem> {
        let busy = || Problem::busy("many pictures are being made", 2);
        let _place = self.places.try_acquire().map_err(|_| busy())?;
        let _turn = self.turns.acquire().await.map_err(|_| busy())?;
        let made = tokio::task::spawn_blocking(move || picture::pictures(&sent)).await;
        made.map_err(|error| Problem::internal(&error))?.map_err(refusal)
    }

    /// Keeps every size; durable when this returns.
    pub(super) async fn keep(&self, content: Uuid, pictures: &Pictures) -> Result<(), Problem> {
        for (size, bytes) in &pictures.sizes {
            let (path, bytes) = (path(content, &pictures.hash, *size), Bytes::copy_from_slice(bytes));
            self.store.put(&path, bytes, Durability::Durable).await.map_err(|error| Problem::internal(&error))?;
        }
        Ok(())
    }

    /// One size, if it is kept.
    pub(super) async fn find(&self, content: Uuid, hash: &str, size: Size) -> Result<Option<Bytes>, Problem> {
        self.store.get(&path(content, hash, size)).await.map_err(|error| Problem::internal(&error))
    }

    /// Lets every size go. What stays because the store failed takes room and nothing else: no address leads to it.
    pub(super) async fn forget(&self, content: Uuid, hash: &str) {
        for size in Size::ALL {
            if let Err(error) = self.store.delete(&path(content, hash, size)).await {
                tracing::warn!(image.content = %content, error = &error as &dyn std::error::Error, "a picture was not removed");
            }
        }
    }
}

fn path(content: Uuid, hash: &str, size: Size) -> String {
    format!("{content}/{hash}-{}.jpg", size.as_str())
}

fn refusal(error: PictureError) -> Problem {
    match error {
        PictureError::Kind => {
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-an-image", "The file is no picture we know")
                .detail("send a JPEG, PNG or WebP")
                .with("accepted", json!(["image/jpeg", "image/png", "image/webp"]))
        }
        error @ PictureError::TooManyPixels => Problem::invalid("image", format!("has {error}")),
        PictureError::Broken(error) => Problem::invalid("image", format!("cannot be read: {error}")),
        error @ PictureError::Write(_) => Problem::internal(&error),
    }
}
