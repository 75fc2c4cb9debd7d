//! A text's words to sets of events.
//!
//! Every clause must stand in an event, or what a synonym says may stand for it; nothing negated may. The last word may be the
//! beginning of a word, and a word that hardly any event has also stands for indexed words a few typing errors away. Which of
//! these an event owes its match to decides its rank before any score: see `score`.

mod found;
mod phrase;
mod score;
mod typo;

use super::{SearchError, View};
use crate::bits::Bits;
use crate::columns::Standing;
use crate::fold;
use crate::request::{Clause, Text, apart};
use crate::synonyms::TERM_WORDS_MAX;
use found::Found;
pub(super) use score::{Page, Relevance, Scored};
use std::ops::Range;
use std::sync::Arc;
#[cfg(test)]
pub(super) use typo::distance;
pub(super) use typo::{Typos, near};

/// A search's words with where they stand.
pub(super) struct Words {
    groups: Vec<Group>,
    unwanted: Vec<Found>,
    /// Everything that must stand in an event, folded: what a title may be exactly.
    name: String,
}

/// Clauses that follow each other, and the clauses any of which synonyms let stand for all of them.
struct Group {
    clauses: Vec<Found>,
    meanings: Vec<Vec<Found>>,
}

impl Words {
    /// Looks a text's words up in every segment.
    pub(super) fn look_up(view: &View, text: &Text) -> Result<Self, SearchError> {
        let look_up = |clauses: &[Clause]| clauses.iter().map(|clause| Found::look_up(view, clause)).collect();
        let (unwanted, wanted): (Vec<Clause>, Vec<Clause>) = text.clauses.iter().cloned().partition(|c| c.negated);
        let mut groups = Vec::new();
        let mut rest = wanted.as_slice();
        while !rest.is_empty() {
            let (length, meanings) = view.synonym(rest).unwrap_or((1, Vec::new()));
            let (clauses, after) = rest.split_at(length);
            let meanings = meanings.iter().map(|meaning| look_up(meaning)).collect::<Result<_, SearchError>>()?;
            groups.push(Group { clauses: look_up(clauses)?, meanings });
            rest = after;
        }
        let sources: Vec<&str> = wanted.iter().map(|clause| clause.source.as_str()).collect();
        Ok(Self { groups, unwanted: look_up(&unwanted)?, name: fold::name(&sources.join(" ")) })
    }

    /// Keeps the events of a segment that the text asks for.
    pub(super) fn restrict(&self, segment: usize, events: &mut Bits) {
        for group in &self.groups {
            group.restrict(segment, events);
        }
        self.rule_out(segment, events);
    }

    /// Takes away the events of a segment in which something stands that must not.
    pub(super) fn rule_out(&self, segment: usize, events: &mut Bits) {
        for standing in self.unwanted.iter().filter_map(|found| found.meant.get(segment)) {
            standing.take_from(events);
        }
    }

    /// The text with the words that stand nowhere replaced by the nearest that do; none when there is nothing to replace.
    pub(super) fn did_you_mean(&self) -> Option<String> {
        let mut wanted = self.groups.iter().flat_map(|group| &group.clauses);
        wanted.find(|found| found.nearest().is_some())?;
        let unwanted = self.unwanted.iter().map(|found| found.clause.source.as_str());
        Some(self.meant().chain(unwanted).collect::<Vec<_>>().join(" "))
    }

    /// What must stand in an event, as it was most likely meant.
    pub(super) fn meant(&self) -> impl Iterator<Item = &str> {
        let wanted = self.groups.iter().flat_map(|group| &group.clauses);
        wanted.map(|found| found.nearest().unwrap_or(&found.clause.source))
    }

    /// Where what is looked for stands in a text, in order and apart.
    pub(super) fn places(&self, text: &str) -> Vec<Range<usize>> {
        let terms: Vec<(Range<usize>, String)> = fold::terms(text).collect();
        let found = self.groups.iter().flat_map(|group| group.clauses.iter().chain(group.meanings.iter().flatten()));
        apart(found.flat_map(|found| found.clause.places(&terms, &found.typos)).collect())
    }
}

impl Group {
    fn restrict(&self, segment: usize, events: &mut Bits) {
        if self.meanings.is_empty() {
            return keep(&self.clauses, segment, events, |found| &found.meant);
        }
        let mut either = Bits::none(events.len());
        for clauses in self.meanings.iter().chain([&self.clauses]) {
            let mut together = events.clone();
            keep(clauses, segment, &mut together, |found| &found.meant);
            either.or(&together);
        }
        events.and(&either);
    }
}

/// Keeps the events in which every clause stands.
fn keep(clauses: &[Found], segment: usize, events: &mut Bits, standings: impl Fn(&Found) -> &Vec<Arc<Standing>>) {
    clauses.iter().filter_map(|found| standings(found).get(segment)).for_each(|standing| standing.keep(events));
}

impl View {
    /// The longest beginning of the clauses that is a synonym's term, as a length, with what it may stand for.
    fn synonym(&self, clauses: &[Clause]) -> Option<(usize, Vec<Vec<Clause>>)> {
        let segments: Vec<_> = self.segments.iter().filter(|segment| !segment.columns.synonyms.is_empty()).collect();
        if segments.is_empty() {
            return None;
        }
        let names: Vec<&str> = clauses.iter().map_while(|clause| clause.name.as_deref()).take(TERM_WORDS_MAX).collect();
        (1..=names.len()).rev().find_map(|length| {
            let term = names.get(..length)?.join(" ");
            let meanings: Vec<Vec<Clause>> =
                segments.iter().flat_map(|segment| segment.columns.synonyms.of(&term, &segment.reader)).collect();
            (!meanings.is_empty()).then_some((length, meanings))
        })
    }
}
