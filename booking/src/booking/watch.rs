//! The live seat map: from the lane's board when the event has one here, else from the tables.

use super::Booking;
use crate::failure::Failure;
use crate::seats::board::{Board, Subscription};
use crate::seats::{SeatState, SeatStates, SeatsError, SeatsSince, Told};
use crate::table;
use model::{EventId, LayoutHash, TierNo};
use sqlx::Connection as _;
use std::sync::Arc;

/// Everything a seat map shows, at one moment.
struct Map {
    layout: LayoutHash,
    version: u64,
    seats: Vec<SeatState>,
}

impl Booking {
    /// Every seat's state.
    ///
    /// # Errors
    /// When there is no such event or the database fails.
    pub async fn seats(&self, event: EventId) -> Result<Arc<Told<SeatStates>>, SeatsError> {
        Ok(self.board(event).await?.snapshot())
    }

    /// What changed since a version; everything when that is too long ago.
    ///
    /// # Errors
    /// When there is no such event or the database fails.
    pub async fn seats_since(&self, event: EventId, version: u64) -> Result<SeatsSince, SeatsError> {
        Ok(self.board(event).await?.since(version))
    }

    /// Every change from now, or from a version seen before.
    ///
    /// # Errors
    /// When there is no such event or the database fails.
    pub async fn subscribe(&self, event: EventId, since: Option<u64>) -> Result<Subscription, SeatsError> {
        Ok(Subscription::new(self.board(event).await?, since, self.stop.clone()))
    }

    /// The event's board. A lane keeps its own fresh; without a lane it is read anew every few seconds.
    async fn board(&self, event: EventId) -> Result<Arc<Board>, SeatsError> {
        if self.lanes.serves(event)
            && let Some(board) = self.lanes.known_board(event)
        {
            return Ok(board);
        }
        // One read for all who ask at once.
        let read = self.boards.try_get_with(event, async {
            let map = self.read_map(event).await?;
            let board = self.lanes.board(event, || Board::new(map.layout.clone(), map.version, &map.seats));
            // An older board somebody still watches; a newer version of a lane that has just come is not undone.
            if map.version > board.version() {
                board.reset(&map.layout, map.version, &map.seats);
            }
            Ok(board)
        });
        read.await.map_err(|error: Arc<SeatsError>| error.as_ref().clone())
    }

    /// Reads the map in one snapshot.
    async fn read_map(&self, event: EventId) -> Result<Map, SeatsError> {
        let failed = |error: sqlx::Error| SeatsError::Failed(error.into());
        let mut connection = self.pool.acquire().await.map_err(failed)?;
        let mut read =
            connection.begin_with("begin isolation level repeatable read read only").await.map_err(failed)?;
        let map = table::availability::map(&mut read, event).await.map_err(failed)?.ok_or(SeatsError::NoSuchEvent)?;
        let claims = table::availability::claims(&mut read, event).await.map_err(failed)?;
        let house = self.house(&mut read, &map.layout_hash).await?;
        read.rollback().await.map_err(failed)?;
        let on_sale = |tier: &TierNo| map.tiers.iter().any(|on_sale| i32::from(*on_sale) == i32::from(*tier));
        let mut seats: Vec<SeatState> =
            house.tiers.iter().map(|tier| if on_sale(tier) { SeatState::Free } else { SeatState::Closed }).collect();
        for (seat, sold) in claims {
            if let Some(state) = seats.get_mut(table::seat_no(seat) as usize) {
                *state = if sold { SeatState::Sold } else { SeatState::Held };
            }
        }
        let version = u64::try_from(map.version).map_err(Failure::new)?;
        Ok(Map { layout: map.layout_hash, version, seats })
    }
}
