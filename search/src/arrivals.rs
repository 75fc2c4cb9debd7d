//! A handful of new events as an index of their own in memory, for saved searches to be run on.
//!
//! The search's own code answers, so a saved search means what the search means, with one exception: words are taken as they are typed.
//! Among a few events every word is rare, and what is rare may be a typing error only where there is much.

use crate::document::{EventDocument, SourceError, SynonymRow};
use crate::manifest::Head;
use crate::view::{SearchError, Shared, View};
use crate::{Request, schema};
use jiff::Timestamp;
use model::{EventId, Lsn};
use tantivy::Index;
use tantivy::directory::RamDirectory;
use tantivy::tokenizer::TokenizerManager;

/// Memory the index may take before it is written, which it never comes near.
const MEMORY_BYTES: usize = 256 << 20;

/// The new events.
#[derive(Debug)]
pub struct Arrivals(View);

/// The events could not be indexed.
#[derive(Debug, thiserror::Error)]
pub enum ArrivalsError {
    /// Tantivy says why.
    #[error("index new events in memory")]
    Index(#[from] tantivy::TantivyError),
    /// They could not be read back.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// A document could not be made.
    #[error(transparent)]
    Document(#[from] SourceError),
}

impl Arrivals {
    /// Indexes the events beside the synonyms that searches may mean them by.
    ///
    /// # Errors
    /// Never in practice.
    pub fn new(events: &[EventDocument], synonyms: &[SynonymRow]) -> Result<Self, ArrivalsError> {
        let tokenizers = TokenizerManager::default();
        schema::register_in(&tokenizers);
        let builder = Index::builder().schema(schema::schema()).settings(schema::settings()).tokenizers(tokenizers);
        let mut writer = builder.single_segment_index_writer(RamDirectory::create(), MEMORY_BYTES)?;
        for event in events {
            writer.add_document(event.to_document()?)?;
        }
        for synonym in synonyms {
            writer.add_document(synonym.to_document()?)?;
        }
        let head = Head { epoch: 0, seq: 0, lsn: Lsn::default() };
        Ok(Self(View::of(&writer.finalize()?, 0, head, &Shared::default())?))
    }

    /// Those that a search's words and filters let through, with every seat still for sale.
    ///
    /// # Errors
    /// Never in practice.
    pub fn matching(&self, request: &Request, now: Timestamp) -> Result<Vec<EventId>, SearchError> {
        let request = Request { text: request.text.clone().literal(), ..request.clone() };
        self.0.all(&request, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Works;
    use crate::fixture::{event, now};

    #[test]
    fn new_events_are_found_by_the_words_as_typed_and_by_filters() {
        let mut events: Vec<EventDocument> = (0..40).map(event).collect();
        events[7].title = "Mahler by the lake".into();
        events[8].title = "Mahlen and grinding".into();
        for event in &mut events {
            event.works = Works::default();
            event.artists.clear();
            event.starts_at = now() + jiff::SignedDuration::from_hours(48);
            event.status = crate::document::Status::Scheduled;
        }
        let (synonym_id, means) = (uuid::Uuid::from_u128(1), vec!["mahler lake".to_owned()]);
        let synonym = SynonymRow { synonym_id, term: "alma".to_owned(), means, version: 1 };
        let arrivals = Arrivals::new(&events, &[synonym]).unwrap();
        let found = |query: &str| {
            let mut found = arrivals.matching(&Request::parse(query).unwrap(), now()).unwrap();
            found.sort_unstable();
            found
        };
        assert_eq!(found("q=mahler"), [events[7].event_id]);
        assert_eq!(found("q=mahl").len(), 2, "a beginning is a beginning here too");
        assert_eq!(found("q=mahlre"), []);
        assert_eq!(found("q=alma"), [events[7].event_id], "by a synonym");
        let city = &events[7].venue.city.replace(' ', "+");
        assert_eq!(found(&format!("q=mahler&city={city}")), [events[7].event_id]);
        let in_city = events.iter().filter(|event| event.venue.city == events[7].venue.city).count();
        assert_eq!(found(&format!("city={city}")).len(), in_city);
        assert_eq!(found("city=Atlantis"), []);
        assert_eq!(Arrivals::new(&[], &[]).unwrap().matching(&Request::parse("q=a").unwrap(), now()).unwrap(), []);
    }
}
