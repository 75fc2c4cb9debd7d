//! Which documents does a change touch, and what are they now?
//!
//! Rows arrive in log order and are applied to what they belong to: the pending state over the working index's last commit. A venue's or
//! artist's change reaches the events that name it when the pending state is written, some of them with later commits when they are many.
//! Invariant: pending plus index plus what has still to reach its events is Postgres's state after the last row applied; nothing here asks
//! Postgres.

mod fan_out;
mod write;

use crate::cells::{CellError, Row};
use crate::index::{IndexError, Payload, WorkingIndex};
use crate::percolate::{Match, Percolator};
use crate::row::{self, Table};
use crate::wal::{DecodeError, Message, Relation, Tuple};
use fan_out::FanOuts;
use jiff::Timestamp;
use model::{ArtistId, EventId, Lsn, SearchId, VenueId};
use search::availability::Change;
use search::document::{ArtistRow, Credit, EventDocument, Kind, SynonymRow, VenueRow};
use std::collections::HashMap;
use uuid::Uuid;

/// Pending rows are written to the index, privately if need be, when there are so many: a transaction of any size fits.
const PENDING_MAX: usize = 4_000;

/// A change does not fit the index.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// A value could not be read.
    #[error("read a row of {table}")]
    Cell {
        /// Its table.
        table: &'static str,
        /// What is wrong with it.
        source: CellError,
    },
    /// A row names what is not there, which the foreign keys forbid.
    #[error("a row of {table} names {parent}, which is not there; are its foreign keys enforced?")]
    Parent {
        /// The row's table.
        table: &'static str,
        /// What it names.
        parent: Uuid,
    },
    /// A row of a table that was not announced.
    #[error("the stream holds a row of a table that it did not announce")]
    Relation,
    /// Not a message.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The working index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
}

/// The working index and what is not yet in it.
pub(crate) struct Projection {
    index: WorkingIndex,
    relations: HashMap<u32, (Option<Table>, Vec<String>)>,
    events: HashMap<EventId, Option<EventDocument>>,
    venues: HashMap<VenueId, Option<VenueRow>>,
    artists: HashMap<ArtistId, Option<ArtistRow>>,
    synonyms: HashMap<Uuid, Option<SynonymRow>>,
    availability: HashMap<u32, Change>,
    fan_outs: FanOuts,
    percolator: Percolator,
    /// The last published commit's position.
    published: Lsn,
    /// Something was written to the index or is pending since the last published commit.
    dirty: bool,
}

impl Projection {
    /// Goes on from an index whose last commit was made with this payload.
    pub(crate) fn new(index: WorkingIndex, payload: &Payload) -> Result<Self, IndexError> {
        let percolator = Percolator::new(index.saved_searches()?);
        let fan_outs = FanOuts::resume(&payload.fan_outs, &index)?;
        Ok(Self {
            index,
            relations: HashMap::new(),
            events: HashMap::new(),
            venues: HashMap::new(),
            artists: HashMap::new(),
            synonyms: HashMap::new(),
            availability: HashMap::new(),
            fan_outs,
            percolator,
            published: payload.lsn,
            dirty: false,
        })
    }

    /// The index at its last commit.
    pub(crate) fn index(&self) -> &WorkingIndex {
        &self.index
    }

    /// Whether documents changed since the last published commit, or have still to be.
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty || !self.fan_outs.is_empty()
    }

    /// Whether there is availability to take.
    pub(crate) fn has_availability(&self) -> bool {
        !self.availability.is_empty()
    }

    /// The newest availability of each event since the last call.
    pub(crate) fn take_availability(&mut self) -> Vec<Change> {
        self.availability.drain().map(|(_, change)| change).collect()
    }

    /// Writes what is pending and commits it as the state at the payload's position: a transaction boundary. Completes the payload, and
    /// gives which saved searches its new events match.
    pub(crate) fn commit(&mut self, payload: &mut Payload, now: Timestamp) -> Result<Vec<Match>, ApplyError> {
        self.write_pending()?;
        payload.fan_outs = self.fan_outs.list();
        self.index.commit(Some(payload))?;
        self.published = payload.lsn;
        self.dirty = false;
        Ok(self.percolator.matches(&self.index, now)?)
    }

    /// Applies one message of the stream.
    pub(crate) fn apply(&mut self, message: Message) -> Result<(), ApplyError> {
        match message {
            Message::Relation(Relation { id, namespace, name, columns }) => {
                self.relations.insert(id, (Table::find(&namespace, &name), columns));
                Ok(())
            }
            Message::Insert { relation, new } => self.change(relation, None, Some(&new)),
            Message::Update { relation, old, new } => self.change(relation, old.as_ref(), Some(&new)),
            Message::Delete { relation, old } => self.change(relation, Some(&old), None),
            Message::Truncate { relations } => self.truncate(&relations),
            Message::Ignored => Ok(()),
        }
    }

    /// Looks at a message whose transaction is in the index already. Whoever put it there may not have told who waits for its events, as
    /// the copy that makes a new generation does not.
    pub(crate) fn pass_over(&mut self, message: Message) -> Result<(), ApplyError> {
        match message {
            Message::Relation(_) => self.apply(message),
            Message::Insert { relation, new } => {
                let (table, columns) = self.relations.get(&relation).ok_or(ApplyError::Relation)?;
                if *table == Some(Table::Event) {
                    let id = row::id(Row::new(columns, &new), Table::Event).map_err(in_table(Table::Event))?;
                    self.percolator.arrived(EventId(id));
                    self.dirty = true;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn change(&mut self, relation: u32, old: Option<&Tuple>, new: Option<&Tuple>) -> Result<(), ApplyError> {
        // Taken out for the length of the call, so that the row can borrow its column names.
        let (id, (table, columns)) = self.relations.remove_entry(&relation).ok_or(ApplyError::Relation)?;
        let row = |cells| Row::new(&columns, cells);
        let (old, new) = (old.map(|cells| row(cells)), new.map(|cells| row(cells)));
        let done = match table {
            None => Ok(()),
            Some(Table::Availability) => self.availability(new),
            Some(table) => {
                self.dirty = true;
                self.catalog(table, old, new)
            }
        };
        self.relations.insert(id, (table, columns));
        done?;
        if self.events.len() + self.venues.len() + self.artists.len() + self.synonyms.len() >= PENDING_MAX {
            self.spill()?;
        }
        Ok(())
    }

    fn catalog(&mut self, table: Table, old: Option<Row<'_>>, new: Option<Row<'_>>) -> Result<(), ApplyError> {
        match table {
            Table::Venue => self.venue_row(old, new),
            Table::Artist => self.artist_row(old, new),
            Table::Event => self.event_row(old, new),
            Table::EventArtist => self.credit_row(old, new),
            Table::EventTier => self.tier_row(old, new),
            Table::EventPresale => self.presale_row(old, new),
            Table::Synonym => self.synonym_row(old, new),
            Table::SavedSearch => self.saved_search_row(old, new),
            Table::Availability => Ok(()),
        }
    }

    /// An availability row's delete changes nothing: it goes with its event, and no other event ever has its slot.
    fn availability(&mut self, new: Option<Row<'_>>) -> Result<(), ApplyError> {
        if let Some(row) = new {
            let change = row::availability(row).map_err(in_table(Table::Availability))?;
            self.availability.insert(change.slot, change);
        }
        Ok(())
    }

    fn venue_row(&mut self, old: Option<Row<'_>>, new: Option<Row<'_>>) -> Result<(), ApplyError> {
        let cell = in_table(Table::Venue);
        let id = |row| row::id(row, Table::Venue).map(VenueId).map_err(cell);
        let (gone, now) = (old.map(id).transpose()?, new.map(id).transpose()?);
        let previous = gone.or(now).map(|id| self.venue(id)).transpose()?.flatten();
        if let Some(gone) = gone {
            self.venues.insert(gone, None);
        }
        if let (Some(id), Some(row)) = (now, new) {
            self.venues.insert(id, Some(row::venue(row, previous.as_ref()).map_err(cell)?));
        }
        Ok(())
    }

    fn artist_row(&mut self, old: Option<Row<'_>>, new: Option<Row<'_>>) -> Result<(), ApplyError> {
        let cell = in_table(Table::Artist);
        let id = |row| row::id(row, Table::Artist).map(ArtistId).map_err(cell);
        let (gone, now) = (old.map(id).transpose()?, new.map(id).transpose()?);
        let previous = gone.or(now).map(|id| self.artist(id)).transpose()?.flatten();
        if let Some(gone) = gone {
            self.artists.insert(gone, None);
        }
        if let (Some(id), Some(row)) = (now, new) {
            self.artists.insert(id, Some(row::artist(row, previous.as_ref()).map_err(cell)?));
        }
        Ok(())
    }

    fn event_row(&mut self, old: Option<Row<'_>>, new: Option<Row<'_>>) -> Result<(), ApplyError> {
        let cell = in_table(Table::Event);
        let id = |row| row::id(row, Table::Event).map(EventId).map_err(cell);
        let (gone, now) = (old.map(id).transpose()?, new.map(id).transpose()?);
        let mut previous = match gone.or(now) {
            Some(id) => self.event(id)?.cloned(),
            None => None,
        };
        match (gone, now) {
            (Some(gone), now) => self.percolator.left(gone, now),
            (None, Some(id)) if previous.is_none() => self.percolator.arrived(id),
            (None, _) => {}
        }
        if let Some(gone) = gone {
            self.events.insert(gone, None);
            // What belongs to it stays with the old key, and the foreign keys let no such row be moved from under it.
            if let Some(event) = &mut previous {
                event.artists.clear();
                event.tiers.clear();
                event.presales.clear();
            }
        }
        if let (Some(id), Some(row)) = (now, new) {
            let venue_id = row::venue_of(row, previous.as_ref()).map_err(cell)?;
            let venue = match &previous {
                Some(event) if event.venue.venue_id == venue_id => Some(event.venue.clone()),
                _ => self.venue(venue_id)?,
            };
            let venue = venue.ok_or(ApplyError::Parent { table: "event", parent: venue_id.0 })?;
            self.events.insert(id, Some(row::event(row, previous.as_ref(), venue).map_err(cell)?));
        }
        Ok(())
    }

    fn credit_row(&mut self, old: Option<Row<'_>>, new: Option<Row<'_>>) -> Result<(), ApplyError> {
        let cell = in_table(Table::EventArtist);
        let key = |row| row::credit_key(row).map_err(cell);
        let (gone, now) = (old.map(key).transpose()?, new.map(key).transpose()?);
        let mut previous = None;
        if let Some((event_id, position)) = gone.or(now)
            && let Some(event) = self.event(event_id)?
            && let Some(at) = event.artists.iter().position(|credit| credit.position == position)
        {
            previous = Some(event.artists.remove(at));
        }
        if let (Some((event_id, _)), Some(row)) = (now, new) {
            let artist_id = row::credit_artist(row, previous.as_ref()).map_err(cell)?;
            let names = self.artist_names(artist_id, previous.as_ref())?;
            let credit = row::credit(row, previous.as_ref(), names).map_err(cell)?;
            let missing = ApplyError::Parent { table: "event_artist", parent: event_id.0 };
            let credits = &mut self.event(event_id)?.ok_or(missing)?.artists;
            credits.insert(credits.partition_point(|other| other.position < credit.position), credit);
        }
        Ok(())
    }

    fn tier_row(&mut self, old: Option<Row<'_>>, new: Option<Row<'_>>) -> Result<(), ApplyError> {
        let cell = in_table(Table::EventTier);
        let key = |row| row::tier_key(row).map_err(cell);
        let (gone, now) = (old.map(key).transpose()?, new.map(key).transpose()?);
        let mut previous = None;
        if let Some((event_id, tier)) = gone.or(now)
            && let Some(event) = self.event(event_id)?
            && let Some(at) = event.tiers.iter().position(|other| other.tier == tier)
        {
            previous = Some(event.tiers.remove(at));
        }
        if let (Some((event_id, _)), Some(row)) = (now, new) {
            let tier = row::tier(row, previous.as_ref()).map_err(cell)?;
            let missing = ApplyError::Parent { table: "event_tier", parent: event_id.0 };
            let tiers = &mut self.event(event_id)?.ok_or(missing)?.tiers;
            tiers.insert(tiers.partition_point(|other| other.tier < tier.tier), tier);
        }
        Ok(())
    }

    fn presale_row(&mut self, old: Option<Row<'_>>, new: Option<Row<'_>>) -> Result<(), ApplyError> {
        let cell = in_table(Table::EventPresale);
        let key = |row| row::presale_key(row).map_err(cell);
        let (gone, now) = (old.map(key).transpose()?, new.map(key).transpose()?);
        let mut previous = None;
        if let Some((event_id, position)) = gone.or(now)
            && let Some(event) = self.event(event_id)?
            && let Some(at) = event.presales.iter().position(|other| other.position == position)
        {
            previous = Some(event.presales.remove(at));
        }
        if let (Some((event_id, _)), Some(row)) = (now, new) {
            let presale = row::presale(row, previous.as_ref()).map_err(cell)?;
            let missing = ApplyError::Parent { table: "event_presale", parent: event_id.0 };
            let presales = &mut self.event(event_id)?.ok_or(missing)?.presales;
            presales.insert(presales.partition_point(|other| other.position < presale.position), presale);
        }
        Ok(())
    }

    fn synonym_row(&mut self, old: Option<Row<'_>>, new: Option<Row<'_>>) -> Result<(), ApplyError> {
        let cell = in_table(Table::Synonym);
        let id = |row| row::id(row, Table::Synonym).map_err(cell);
        let (gone, now) = (old.map(id).transpose()?, new.map(id).transpose()?);
        let previous = match gone.or(now) {
            Some(id) if self.synonyms.contains_key(&id) => self.synonyms.get(&id).cloned().flatten(),
            Some(id) => self.index.synonym(id)?,
            None => None,
        };
        if let Some(gone) = gone {
            self.synonyms.insert(gone, None);
        }
        if let (Some(id), Some(row)) = (now, new) {
            self.synonyms.insert(id, Some(row::synonym(row, previous.as_ref()).map_err(cell)?));
        }
        Ok(())
    }

    /// Nothing else is made of a saved search, so it needs no pending state.
    fn saved_search_row(&mut self, old: Option<Row<'_>>, new: Option<Row<'_>>) -> Result<(), ApplyError> {
        let cell = in_table(Table::SavedSearch);
        let id = |row| row::id(row, Table::SavedSearch).map(SearchId).map_err(cell);
        let (gone, now) = (old.map(id).transpose()?, new.map(id).transpose()?);
        let previous = gone.or(now).and_then(|id| self.percolator.row(id));
        if let Some(gone) = gone {
            self.percolator.forget(gone);
            self.index.delete(Kind::SavedSearch, gone.0);
        }
        if let Some(row) = new {
            let search = row::saved_search(row, previous.as_ref()).map_err(cell)?;
            let document = search.to_document().map_err(IndexError::from)?;
            self.index.put(Kind::SavedSearch, search.search_id.0, document)?;
            self.percolator.keep(search);
        }
        Ok(())
    }

    /// The event as it is now, brought into the pending state.
    fn event(&mut self, id: EventId) -> Result<Option<&mut EventDocument>, ApplyError> {
        if !self.events.contains_key(&id) {
            let Some(event) = self.index.event(id.0)? else { return Ok(None) };
            self.events.insert(id, Some(event));
        }
        Ok(self.events.get_mut(&id).and_then(Option::as_mut))
    }

    fn venue(&self, id: VenueId) -> Result<Option<VenueRow>, ApplyError> {
        match self.venues.get(&id) {
            Some(pending) => Ok(pending.clone()),
            None => Ok(self.index.venue(id.0)?),
        }
    }

    fn artist(&self, id: ArtistId) -> Result<Option<ArtistRow>, ApplyError> {
        match self.artists.get(&id) {
            Some(pending) => Ok(pending.clone()),
            None => Ok(self.index.artist(id.0)?),
        }
    }

    /// An artist's name and aliases.
    fn artist_names(&self, id: ArtistId, previous: Option<&Credit>) -> Result<(String, Vec<String>), ApplyError> {
        if let Some(credit) = previous.filter(|credit| credit.artist_id == id) {
            return Ok((credit.name.clone(), credit.aliases.clone()));
        }
        let artist = self.artist(id)?.ok_or(ApplyError::Parent { table: "event_artist", parent: id.0 })?;
        Ok((artist.name, artist.aliases))
    }

    /// What was pending is written before; nothing pending outlives a truncate.
    fn truncate(&mut self, relations: &[u32]) -> Result<(), ApplyError> {
        let tables: Vec<Table> =
            relations.iter().filter_map(|id| self.relations.get(id).and_then(|(table, _)| *table)).collect();
        if tables.iter().all(|table| *table == Table::Availability) {
            return Ok(());
        }
        self.dirty = true;
        self.spill()?;
        let whole = [
            (Table::Venue, Kind::Venue),
            (Table::Artist, Kind::Artist),
            (Table::Event, Kind::Event),
            (Table::Synonym, Kind::Synonym),
            (Table::SavedSearch, Kind::SavedSearch),
        ];
        for (table, kind) in whole {
            if tables.contains(&table) {
                self.index.delete_all(kind);
            }
        }
        if tables.contains(&Table::SavedSearch) {
            self.percolator.forget_all();
        }
        if !tables.contains(&Table::Event) {
            self.strip_events(&tables)?;
        }
        self.index.commit(None)?;
        Ok(())
    }

    /// Writes what is pending and makes it the state that look-ups see, privately.
    fn spill(&mut self) -> Result<(), ApplyError> {
        self.write_pending()?;
        self.index.commit(None)?;
        Ok(())
    }
}

fn in_table(table: Table) -> impl Fn(CellError) -> ApplyError + Copy {
    move |source| ApplyError::Cell { table: table.name(), source }
}
