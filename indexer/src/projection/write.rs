//! Writes the pending state into the working index: parents, then the events they reach, each event once.
//!
//! The fan-out reads the index's last commit in storage order and holds one event at a time.

use super::{ApplyError, Projection};
use crate::index::Parent;
use crate::row::Table;
use search::document::{EventDocument, Kind};
use std::collections::hash_map::Entry;

impl Projection {
    /// Hands everything pending to the index's writer; a commit must follow before anything is looked up.
    pub(super) fn write_pending(&mut self) -> Result<(), ApplyError> {
        self.write_parents()?;
        let batch = self.fan_outs.take(&self.index)?;
        for parent in batch.parents {
            self.recall(parent)?;
        }
        let events = std::mem::take(&mut self.events);
        for address in batch.events {
            let mut event = self.index.event_at(address)?;
            if !events.contains_key(&event.event_id) && self.refresh(&mut event) {
                self.write_event(&event)?;
            }
        }
        for (id, event) in events {
            match event {
                Some(mut event) => {
                    self.refresh(&mut event);
                    self.write_event(&event)?;
                }
                None => self.index.delete(Kind::Event, id.0),
            }
        }
        for (id, synonym) in std::mem::take(&mut self.synonyms) {
            match synonym {
                Some(synonym) => self.index.put(Kind::Synonym, id, synonym.to_document().map_err(document)?)?,
                None => self.index.delete(Kind::Synonym, id),
            }
        }
        self.venues.clear();
        self.artists.clear();
        Ok(())
    }

    /// The venues and artists that changed; their names are still pending for the events' sake.
    fn write_parents(&mut self) -> Result<(), ApplyError> {
        for (id, venue) in &self.venues {
            match venue {
                Some(venue) => self.index.put(Kind::Venue, id.0, venue.to_document().map_err(document)?)?,
                None => self.index.delete(Kind::Venue, id.0),
            }
            self.fan_outs.begin(Parent::Venue(*id), self.published, &self.index)?;
        }
        for (id, artist) in &self.artists {
            match artist {
                Some(artist) => self.index.put(Kind::Artist, id.0, artist.to_document().map_err(document)?)?,
                None => self.index.delete(Kind::Artist, id.0),
            }
            self.fan_outs.begin(Parent::Artist(*id), self.published, &self.index)?;
        }
        Ok(())
    }

    /// Has a parent as it is now among the pending ones, which events are refreshed from.
    fn recall(&mut self, parent: Parent) -> Result<(), ApplyError> {
        match parent {
            Parent::Venue(id) => {
                if let Entry::Vacant(vacant) = self.venues.entry(id) {
                    vacant.insert(self.index.venue(id.0)?);
                }
            }
            Parent::Artist(id) => {
                if let Entry::Vacant(vacant) = self.artists.entry(id) {
                    vacant.insert(self.index.artist(id.0)?);
                }
            }
        }
        Ok(())
    }

    /// Brings in what changed of the event's venue and artists. True when something did.
    fn refresh(&self, event: &mut EventDocument) -> bool {
        let mut changed = false;
        if let Some(Some(venue)) = self.venues.get(&event.venue.venue_id)
            && event.venue != *venue
        {
            event.venue = venue.clone();
            changed = true;
        }
        for credit in &mut event.artists {
            if let Some(Some(artist)) = self.artists.get(&credit.artist_id)
                && (credit.name != artist.name || credit.aliases != artist.aliases)
            {
                credit.name.clone_from(&artist.name);
                credit.aliases.clone_from(&artist.aliases);
                changed = true;
            }
        }
        changed
    }

    fn write_event(&mut self, event: &EventDocument) -> Result<(), ApplyError> {
        Ok(self.index.put(Kind::Event, event.event_id.0, event.to_document().map_err(document)?)?)
    }

    /// Takes what belongs to events from every one of them, after a `TRUNCATE` of these tables.
    pub(super) fn strip_events(&mut self, tables: &[Table]) -> Result<(), ApplyError> {
        let children = [Table::EventArtist, Table::EventTier, Table::EventPresale];
        if !children.iter().any(|child| tables.contains(child)) {
            return Ok(());
        }
        for address in self.index.all(Kind::Event)? {
            let mut event = self.index.event_at(address)?;
            if tables.contains(&Table::EventArtist) {
                event.artists.clear();
            }
            if tables.contains(&Table::EventTier) {
                event.tiers.clear();
            }
            if tables.contains(&Table::EventPresale) {
                event.presales.clear();
            }
            self.write_event(&event)?;
        }
        Ok(())
    }
}

fn document(source: search::document::SourceError) -> ApplyError {
    ApplyError::Index(source.into())
}
