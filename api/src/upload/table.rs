//! The table `image`, and an event's `image` beside it: one function per statement.

use model::{EventId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

/// A picture that is kept.
#[derive(Clone, Debug)]
pub(super) struct ImageRow {
    pub(super) owner: UserId,
    pub(super) event: Option<EventId>,
    pub(super) content: Uuid,
    pub(super) hash: String,
}

/// What a picture is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content<'a> {
    pub(super) id: Uuid,
    pub(super) hash: &'a str,
    pub(super) width: i32,
    pub(super) height: i32,
}

pub(super) async fn insert(
    db: &mut PgConnection,
    image: Uuid,
    (owner, event): (UserId, Option<EventId>),
    content: Content<'_>,
) -> Result<(), sqlx::Error> {
    let statement = sqlx::query!(
        "insert into image (image_id, owner, event_id, content, hash, width, height) values ($1, $2, $3, $4, $5, $6, $7)",
        image,
        owner.0,
        event.map(|event| event.0),
        content.id,
        content.hash,
        content.width,
        content.height
    );
    statement.execute(db).await?;
    Ok(())
}

pub(super) async fn find(db: &mut PgConnection, image: Uuid) -> Result<Option<ImageRow>, sqlx::Error> {
    let row = sqlx::query!("select owner, event_id, content, hash from image where image_id = $1", image);
    Ok(row.fetch_optional(db).await?.map(|row| ImageRow {
        owner: UserId(row.owner),
        event: row.event_id.map(EventId),
        content: row.content,
        hash: row.hash,
    }))
}

/// Puts other content in the picture's place, if it still has the content `was`.
pub(super) async fn replace(
    db: &mut PgConnection,
    image: Uuid,
    was: Uuid,
    content: Content<'_>,
) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query!(
        "update image set content = $3, hash = $4, width = $5, height = $6, updated_at = now()
         where image_id = $1 and content = $2",
        image,
        was,
        content.id,
        content.hash,
        content.width,
        content.height
    );
    Ok(statement.execute(db).await?.rows_affected() == 1)
}

/// Removes the picture, if it still has the content `was`.
pub(super) async fn delete(db: &mut PgConnection, image: Uuid, was: Uuid) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query!("delete from image where image_id = $1 and content = $2", image, was);
    Ok(statement.execute(db).await?.rows_affected() == 1)
}

/// Shows an event by this address; with `was`, only if it was shown by that one.
pub(super) async fn show(
    db: &mut PgConnection,
    event: EventId,
    was: Option<&str>,
    address: Option<&str>,
) -> Result<(), sqlx::Error> {
    let statement = sqlx::query!(
        "update event set image = $3, version = version + 1, updated_at = now()
         where event_id = $1 and ($2::text is null or image = $2) and image is distinct from $3",
        event.0,
        was,
        address
    );
    statement.execute(db).await?;
    Ok(())
}
