//! Every document of one snapshot of Postgres, out of `COPY`s in key order that are joined while they pass: nothing big is held.
//!
//! Events and what belongs to them come over a connection each in `event_id` order; venues and artists, which are few, are kept in
//! memory. Used by the initial copy and by `verify`, so both project alike.

mod lines;

use super::{Source, SourceError};
use crate::cells::{CellError, Row};
use crate::row::{self, Table};
use crate::wal::Tuple;
use lines::{Lines, LinesError};
use model::{ArtistId, EventId, VenueId};
use search::availability::Change;
use search::document::{ArtistRow, EventDocument, SavedSearchRow, SynonymRow, VenueRow};
use std::collections::HashMap;

/// The copy failed.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Postgres failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A table could not be read to its end.
    #[error("copy the table {table}")]
    Lines {
        /// The table.
        table: &'static str,
        /// Why.
        source: LinesError,
    },
    /// A value could not be read.
    #[error("copy a row of {table}")]
    Cell {
        /// Its table.
        table: &'static str,
        /// What is wrong with it.
        source: CellError,
    },
    /// The snapshot's name is not one.
    #[error("Postgres named its snapshot {0:?}")]
    Snapshot(String),
}

/// One thing of the snapshot.
pub(crate) enum Projected {
    Venue(VenueRow),
    Artist(ArtistRow),
    Synonym(SynonymRow),
    Availability(Change),
    SavedSearch(SavedSearchRow),
    Event(Box<EventDocument>),
}

/// An open snapshot: `COPY`s under way, each a bounded number of rows ahead.
pub(crate) struct Snapshot {
    venues: Lines,
    artists: Lines,
    synonyms: Lines,
    availability: Lines,
    searches: Lines,
    events: Lines,
    credits: Lines,
    tiers: Lines,
    presales: Lines,
    /// How many events there are, by Postgres's statistics.
    pub(crate) events_estimate: u64,
}

impl Snapshot {
    /// Imports the exported snapshot on as many connections as it takes. The exporting session may go on once this returns.
    pub(crate) async fn open(source: &Source, name: &str) -> Result<Self, CopyError> {
        let lines = |table| open(source, name, table);
        let connection = source.connect().await?;
        let sql = "select greatest(reltuples, 0)::bigint from pg_class where oid = 'public.event'::regclass";
        let estimate: i64 = connection.client.query_one(sql, &[]).await.map_err(SourceError::from)?.get(0);
        Ok(Self {
            venues: lines(Table::Venue).await?,
            artists: lines(Table::Artist).await?,
            synonyms: lines(Table::Synonym).await?,
            availability: lines(Table::Availability).await?,
            searches: lines(Table::SavedSearch).await?,
            events: lines(Table::Event).await?,
            credits: lines(Table::EventArtist).await?,
            tiers: lines(Table::EventTier).await?,
            presales: lines(Table::EventPresale).await?,
            events_estimate: u64::try_from(estimate).unwrap_or_default(),
        })
    }

    /// Hands over everything: venues, artists, synonyms, availability, saved searches, then events. Blocking; not for an async task.
    pub(crate) fn read<E: From<CopyError>>(self, mut take: impl FnMut(Projected) -> Result<(), E>) -> Result<(), E> {
        let mut parents = Parents::default();
        each(
            self.venues,
            Table::Venue,
            |row| row::venue(row, None),
            |venue| {
                parents.venues.insert(venue.venue_id, venue.clone());
                take(Projected::Venue(venue))
            },
        )?;
        each(
            self.artists,
            Table::Artist,
            |row| row::artist(row, None),
            |artist| {
                parents.artists.insert(artist.artist_id, (artist.name.clone(), artist.aliases.clone()));
                take(Projected::Artist(artist))
            },
        )?;
        each(
            self.synonyms,
            Table::Synonym,
            |row| row::synonym(row, None),
            |synonym| take(Projected::Synonym(synonym)),
        )?;
        each(self.availability, Table::Availability, row::availability, |change| {
            take(Projected::Availability(change))
        })?;
        each(
            self.searches,
            Table::SavedSearch,
            |row| row::saved_search(row, None),
            |s| take(Projected::SavedSearch(s)),
        )?;
        let mut credits = Children::new(self.credits, Table::EventArtist);
        let mut tiers = Children::new(self.tiers, Table::EventTier);
        let mut presales = Children::new(self.presales, Table::EventPresale);
        let (mut events, mut row) = (self.events, Tuple::new());
        while next_into(&mut events, Table::Event, &mut row)? {
            if let Some(mut event) = parents.event(Row::new(events.columns(), &row))? {
                credits.of(event.event_id, |row| parents.add_credit(&mut event, row))?;
                tiers.of(event.event_id, |row| row::tier(row, None).map(|tier| event.tiers.push(tier)))?;
                presales
                    .of(event.event_id, |row| row::presale(row, None).map(|presale| event.presales.push(presale)))?;
                take(Projected::Event(Box::new(event)))?;
            }
        }
        Ok(())
    }
}

async fn open(source: &Source, snapshot: &str, table: Table) -> Result<Lines, CopyError> {
    if !snapshot.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
        return Err(CopyError::Snapshot(snapshot.to_owned()));
    }
    let connection = source.connect().await?;
    let sql = format!(
        "begin isolation level repeatable read read only; set transaction snapshot '{snapshot}'; \
         set local work_mem = '128MB'; set local max_parallel_workers_per_gather = 0"
    );
    connection.client.batch_execute(&sql).await.map_err(SourceError::from)?;
    Lines::open(connection, table).await.map_err(|source| CopyError::Lines { table: table.name(), source })
}

fn next_into(lines: &mut Lines, table: Table, row: &mut Tuple) -> Result<bool, CopyError> {
    lines.next_into(row).map_err(|source| CopyError::Lines { table: table.name(), source })
}

fn each<T, E: From<CopyError>>(
    mut lines: Lines,
    table: Table,
    parse: impl Fn(Row<'_>) -> Result<T, CellError>,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let mut row = Tuple::new();
    while next_into(&mut lines, table, &mut row)? {
        let value = parse(Row::new(lines.columns(), &row));
        take(value.map_err(|source| CopyError::Cell { table: table.name(), source })?)?;
    }
    Ok(())
}

#[derive(Default)]
struct Parents {
    venues: HashMap<VenueId, VenueRow>,
    /// Name and aliases.
    artists: HashMap<ArtistId, (String, Vec<String>)>,
}

impl Parents {
    /// The event without its children, or none when its venue is missing, which the foreign keys forbid.
    fn event(&self, row: Row<'_>) -> Result<Option<EventDocument>, CopyError> {
        let cell = |source| CopyError::Cell { table: Table::Event.name(), source };
        let venue_id = row::venue_of(row, None).map_err(cell)?;
        let Some(venue) = self.venues.get(&venue_id) else {
            tracing::error!(venue.id = %venue_id, "an event names a venue that is not there and is left out");
            return Ok(None);
        };
        row::event(row, None, venue.clone()).map(Some).map_err(cell)
    }

    fn add_credit(&self, event: &mut EventDocument, row: Row<'_>) -> Result<(), CellError> {
        let artist_id = row::credit_artist(row, None)?;
        if let Some(names) = self.artists.get(&artist_id) {
            event.artists.push(row::credit(row, None, names.clone())?);
        } else {
            tracing::error!(artist.id = %artist_id, "a credit names an artist who is not there and is left out");
        }
        Ok(())
    }
}

/// A table whose rows belong to events, in the events' order.
struct Children {
    lines: Lines,
    table: Table,
    /// The row at hand, and whose it is; none before the first and after one that was handed over.
    row: Tuple,
    event: Option<EventId>,
}

impl Children {
    fn new(lines: Lines, table: Table) -> Self {
        Self { lines, table, row: Tuple::new(), event: None }
    }

    /// Hands over the rows of one event. Rows of events before it belong to none that was handed over.
    fn of(&mut self, event: EventId, mut take: impl FnMut(Row<'_>) -> Result<(), CellError>) -> Result<(), CopyError> {
        let table = self.table.name();
        let cell = |source| CopyError::Cell { table, source };
        loop {
            let of = match self.event {
                Some(of) => of,
                None if next_into(&mut self.lines, self.table, &mut self.row)? => {
                    self.row().key("event_id").map_err(cell)?
                }
                None => return Ok(()),
            };
            if of > event {
                self.event = Some(of);
                return Ok(());
            }
            self.event = None;
            if of == event {
                take(self.row()).map_err(cell)?;
            }
        }
    }

    fn row(&self) -> Row<'_> {
        Row::new(self.lines.columns(), &self.row)
    }
}
