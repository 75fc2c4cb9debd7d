//! Writes down which saved searches have found which events, before the commit that brought them can be gone on from.
//!
//! A commit that is made again after a crash tells again, and the table's key makes that nothing: nobody is left out, nobody is told
//! twice. A search or an event that is gone by now is left out.

use crate::percolate::Match;
use crate::source::{Connection, Source, SourceError};
use tokio_postgres::error::SqlState;

/// Matches written with one statement.
const AT_ONCE: usize = 10_000;
/// How often a search or an event may go in the very moment of the statement before it is an error.
const TRIES_MAX: u32 = 8;

const SQL: &str = "insert into saved_search_match (search_id, event_id)
    select search_id, event_id from unnest($1::uuid[], $2::uuid[]) as found (search_id, event_id)
    join saved_search using (search_id) join event using (event_id)
    on conflict do nothing";

/// The way to who is told; connects when there is something to tell.
pub(crate) struct Teller {
    source: Source,
    connection: Option<Connection>,
}

impl Teller {
    pub(crate) fn new(source: Source) -> Self {
        Self { source, connection: None }
    }

    /// Durable when this returns.
    pub(crate) async fn tell(&mut self, found: &[Match]) -> Result<(), SourceError> {
        for chunk in found.chunks(AT_ONCE) {
            let searches: Vec<_> = chunk.iter().map(|one| one.search.0).collect();
            let events: Vec<_> = chunk.iter().map(|one| one.event.0).collect();
            let mut tries = 0;
            loop {
                tries += 1;
                match self.connection().await?.client.execute(SQL, &[&searches, &events]).await {
                    Ok(_) => break,
                    Err(error) if error.code() == Some(&SqlState::FOREIGN_KEY_VIOLATION) && tries < TRIES_MAX => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    async fn connection(&mut self) -> Result<&Connection, SourceError> {
        let open = self.connection.take().filter(|connection| !connection.client.is_closed());
        let connection = match open {
            Some(connection) => connection,
            None => self.source.connect().await?,
        };
        Ok(self.connection.insert(connection))
    }
}
