//! The synonyms a segment holds: what a term may stand for beside itself.
//!
//! Read once per segment, like its columns; which of them are alive is the view's. So an edit is in force with the view that has
//! it, and an event is never indexed anew for it.

use crate::document::SynonymRow;
use crate::fold;
use crate::request::{Clause, Text};
use crate::schema::fields;
use std::collections::HashMap;
use std::sync::Arc;
use tantivy::schema::{TantivyDocument, Value as _};
use tantivy::{DocId, SegmentReader};

/// The longest term, in words.
pub const TERM_WORDS_MAX: usize = 8;

/// Texts any of which a term may stand for: of each text every clause must stand in the event.
pub(crate) type Meanings = Arc<[Vec<Clause>]>;

/// Meanings by folded term.
#[derive(Debug, Default)]
pub(crate) struct Synonyms(HashMap<String, Vec<(DocId, Meanings)>>);

impl Synonyms {
    /// Reads the synonyms among a segment's documents.
    pub(crate) fn read(reader: &SegmentReader, docs: &[DocId]) -> tantivy::Result<Self> {
        let mut synonyms = Self::default();
        if docs.is_empty() {
            return Ok(synonyms);
        }
        let store = reader.get_store_reader(1)?;
        for doc in docs {
            let stored: TantivyDocument = store.get(*doc)?;
            let source = stored.get_first(fields().source).and_then(|value| value.as_str()).unwrap_or_default();
            if let Ok(row) = serde_json::from_str::<SynonymRow>(source) {
                let meanings: Meanings = row.means.iter().filter_map(|text| meaning(text)).collect();
                synonyms.0.entry(fold::name(&row.term)).or_default().push((*doc, meanings));
            }
        }
        Ok(synonyms)
    }

    /// What a folded term means, by documents that are alive.
    pub(crate) fn of(&self, term: &str, reader: &SegmentReader) -> impl Iterator<Item = Vec<Clause>> {
        let found = self.0.get(term).into_iter().flatten().filter(|(doc, _)| !reader.is_deleted(*doc));
        found.flat_map(|(_, meanings)| meanings.iter().cloned())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The clauses of a meaning, each meant as it is written; none when it says nothing or what must not be.
#[must_use]
pub(crate) fn meaning(text: &str) -> Option<Vec<Clause>> {
    let mut clauses = Text::parse(text).clauses;
    if clauses.is_empty() || clauses.iter().any(|clause| clause.negated) {
        return None;
    }
    for clause in &mut clauses {
        clause.tolerant = false;
        // Nobody is still typing it; a single dense letter stays the beginning of its pairs.
        for slot in &mut clause.slots {
            slot.prefix &= slot.term.chars().next().is_some_and(fold::is_dense);
        }
    }
    Some(clauses)
}

/// Whether a text can be a meaning: it says something, and nothing that must not be.
#[must_use]
pub fn is_meaning(text: &str) -> bool {
    meaning(text).is_some()
}
