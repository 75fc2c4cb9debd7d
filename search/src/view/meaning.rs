//! Events that mean what was asked though they have not its words, and the one order of both.
//!
//! Only events that the filters leave are compared, all of them, by their vectors; of those near enough a bounded number joins the
//! hits. Where an event stands in the two orders decides, not how they score (reciprocal rank fusion: Cormack, Clarke and Büttcher
//! 2009), so that neither has to be weighed against the other. Over one view the pages of a search are its whole list. Places
//! shift as the index does, so an event may then be on two pages, or on none, which a search by words alone never does.
//!
//! Vectors are made here, of the documents as they are stored, after a view is shown: so they always are those of this process's
//! table, the index is the same with and without one, and no event waits for its vector. A segment whose vectors are still being
//! made is found by words.

use super::filter::{Matches, Plan};
use super::words::{Relevance, Scored, Words};
use super::{SearchError, Segment, View};
use crate::bits::Bits;
use crate::document::Works;
use crate::overlay::Cells;
use crate::request::{Facet, Mode, Request, Sort};
use crate::schema::fields;
use crate::vectors::{DIMENSIONS, Embedder, Vector, Wide, least_product};
use serde::Deserialize;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use tantivy::schema::{TantivyDocument, Value as _};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// By relevance, a search that fewer events than this answer to looks for their meaning too, unless it says not to. With this bound
/// every kind of the judged queries (`cargo bench -p tests -- relevance`) fares better than by words alone, and as well in all as with
/// meaning always; names of people, nicknames and spellings fare better, and the many searches that find enough cost nothing.
const FEW: u64 = 5;
/// Events that may join the hits for their meaning.
pub(super) const NEAREST_MAX: usize = 100;
/// The least cosine that counts as near: the judged queries find most so, and more than half of what is not there stays unfound.
pub(super) const NEAR: f32 = 0.25;
/// Hits whose places in the order by words count; those after them stay in that order.
const PLACES_MAX: usize = 1_000;
/// RRF's constant, as its authors found it.
pub(super) const K: f32 = 60.0;
/// Memory for the vectors of a view's events: two million of them.
const VECTORS_BYTES_MAX: usize = 512 << 20;

/// What meaning adds to a search.
pub(super) struct Meaning {
    /// Per segment the hits that have the words.
    worded: Vec<Bits>,
    /// The events near what was asked, the nearest first.
    nearest: Vec<Near>,
}

/// An event near what was asked, the nearest first; ties by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Near {
    product: Reverse<i32>,
    id: Uuid,
    segment: usize,
    rank: usize,
}

/// What is asked for, with the filters it is asked under.
pub(super) struct Asked<'a> {
    pub(super) request: &'a Request,
    pub(super) words: &'a Words,
    pub(super) plan: &'a Plan,
    pub(super) cells: &'a Cells,
}

impl Meaning {
    /// Adds the events that mean what was asked to those that have its words; none when words alone are to answer.
    pub(super) fn join(view: &View, asked: &Asked<'_>, matches: &mut [Matches]) -> Result<Option<Self>, SearchError> {
        let Asked { request, words, plan, cells } = asked;
        let few = || matches.iter().map(|found| found.hits.count() as u64).sum::<u64>() < FEW;
        let wanted = match request.mode {
            Some(Mode::Lexical) => false,
            Some(Mode::Hybrid) => request.text.is_positive(),
            None => request.sort() == Sort::Relevance && !request.text.is_quoted() && few(),
        };
        let table = view.shared.table.as_deref().filter(|_| wanted);
        let vector = table.and_then(|table| Embedder::new(table).vector(words.meant().map(|word| (word, 1.0))));
        // A page of a search that began with meaning goes on so, though there is no table here: its order is that of places.
        if vector.is_none() && !(wanted && request.cursor.is_some()) {
            return Ok(None);
        }
        let worded = matches.iter().map(|found| found.hits.clone()).collect();
        let mut open = Vec::with_capacity(view.segments.len());
        for (number, segment) in view.segments.iter().enumerate() {
            let mut base = segment.alive.clone();
            words.rule_out(number, &mut base);
            open.push(plan.apply(segment, base, &request.facets, cells)?);
        }
        let near = |facet: Option<Facet>| {
            let candidates = open.iter().map(|open| match facet {
                None => Some(&open.hits),
                Some(facet) => open.without.iter().find(|(about, _)| *about == facet).map(|(_, set)| set),
            });
            vector.as_ref().map_or_else(Vec::new, |asked| nearest(view, &Wide::new(asked), candidates))
        };
        let own = near(None);
        for near in &own {
            if let Some(found) = matches.get_mut(near.segment) {
                found.hits.insert(near.rank);
            }
        }
        for facet in &request.facets {
            for near in near(Some(*facet)) {
                let without = matches.get_mut(near.segment).into_iter().flat_map(|found| &mut found.without);
                without.filter(|(about, _)| about == facet).for_each(|(_, set)| set.insert(near.rank));
            }
        }
        Ok(Some(Self { worded, nearest: own }))
    }

    /// Whether a hit has the words.
    pub(super) fn is_worded(&self, segment: usize, rank: usize) -> bool {
        self.worded.get(segment).is_some_and(|worded| worded.contains(rank))
    }

    /// Turns the relevances of the hits, which are by words, into those by places in both orders. What is pinned stays so only where the
    /// words are.
    pub(super) fn fuse(&self, view: &View, scores: &mut [Vec<Scored>]) {
        let mut shares: HashMap<(usize, usize), f32> = HashMap::new();
        let mut give = |at: (usize, usize), place: usize| *shares.entry(at).or_default() += share(place);
        for (place, near) in self.nearest.iter().enumerate() {
            give((near.segment, near.rank), place);
        }
        let mut by_words: Vec<(Reverse<Relevance>, Uuid, (usize, usize))> = Vec::new();
        for (number, (segment, scores)) in view.segments.iter().zip(scores.iter_mut()).enumerate() {
            for Scored { rank, relevance } in scores {
                let rank = *rank as usize;
                if !self.is_worded(number, rank) {
                    *relevance = Relevance::default();
                } else if let Some(id) = segment.columns.id.get(rank) {
                    by_words.push((Reverse(*relevance), *id, (number, rank)));
                }
                *relevance = relevance.unplaced();
            }
        }
        if by_words.len() > PLACES_MAX {
            by_words.select_nth_unstable(PLACES_MAX);
            by_words.truncate(PLACES_MAX);
        }
        by_words.sort_unstable();
        for (place, (.., at)) in by_words.iter().enumerate() {
            give(*at, place);
        }
        for ((number, rank), share) in shares {
            let Some(scores) = scores.get_mut(number) else { continue };
            // All hits are there, in order.
            let place = scores.binary_search_by_key(&rank, |hit| hit.rank as usize);
            if let Some(Scored { relevance, .. }) = place.ok().and_then(|place| scores.get_mut(place)) {
                *relevance = relevance.placed(share);
            }
        }
    }
}

/// What a place from 0 on counts.
#[expect(clippy::cast_precision_loss, reason = "a place is below a thousand")]
fn share(place: usize) -> f32 {
    (K + 1.0) / (K + 1.0 + place as f32)
}

/// The nearest of each segment's candidates, the nearest first.
fn nearest<'a>(view: &View, asked: &Wide, candidates: impl Iterator<Item = Option<&'a Bits>>) -> Vec<Near> {
    let mut least = least_product(NEAR);
    let mut heap: BinaryHeap<Near> = BinaryHeap::with_capacity(NEAREST_MAX + 1);
    for ((number, segment), candidates) in view.segments.iter().enumerate().zip(candidates) {
        let Some((vectors, candidates)) = segment.columns.vectors.get().zip(candidates) else { continue };
        candidates.for_each(|rank| {
            let Some(product) = vectors.get(rank).map(|vector| asked.product(vector)) else { return };
            let Some(id) = segment.columns.id.get(rank).filter(|_| product >= least) else { return };
            heap.push(Near { product: Reverse(product), id: *id, segment: number, rank });
            if heap.len() > NEAREST_MAX {
                heap.pop();
                least = heap.peek().map_or(least, |worst| worst.product.0);
            }
        });
    }
    heap.into_sorted_vec()
}

impl View {
    /// How many events can be found by what they mean.
    #[must_use]
    pub fn events_embedded(&self) -> u64 {
        let embedded = self.segments.iter().filter(|segment| segment.columns.vectors.get().is_some());
        embedded.map(|segment| segment.alive.count() as u64).sum()
    }

    /// Makes the vectors that segments lack, the smallest segments first, until `stop` or the bound on memory.
    pub(crate) fn embed(&self, stop: &CancellationToken) -> Result<(), SearchError> {
        let Some(table) = self.shared.table.as_deref() else { return Ok(()) };
        let mut embedder = Embedder::new(table);
        let mut left = VECTORS_BYTES_MAX;
        let mut segments: Vec<&Segment> = self.segments.iter().collect();
        segments.sort_unstable_by_key(|segment| segment.columns.len());
        for segment in segments {
            let Some(rest) = left.checked_sub(segment.columns.len() * DIMENSIONS) else { break };
            left = rest;
            if segment.columns.vectors.get().is_none()
                && let Some(vectors) = segment.vectors(&mut embedder, stop)?
            {
                // Nobody else makes them; were they there already, they would be the same.
                segment.columns.vectors.get_or_init(|| vectors);
            }
        }
        Ok(())
    }
}

impl Segment {
    /// The vectors of all its events, in order of rank; none when stopped.
    fn vectors(
        &self,
        embedder: &mut Embedder<'_>,
        stop: &CancellationToken,
    ) -> Result<Option<Vec<Vector>>, SearchError> {
        let mut vectors = vec![[0; DIMENSIONS]; self.columns.len()];
        // In the order they are stored in: each block is unpacked once, and not in the way of those that hits are read from.
        let store = self.reader.get_store_reader(1)?;
        for doc in 0..self.reader.max_doc() {
            if stop.is_cancelled() {
                return Ok(None);
            }
            let Some(rank) = self.columns.rank_of(doc).filter(|rank| self.alive.contains(*rank)) else { continue };
            let stored: TantivyDocument = store.get(doc)?;
            let source = stored.get_first(fields().source).and_then(|value| value.as_str()).unwrap_or_default();
            let said: Said = serde_json::from_str(source)?;
            if let Some((place, vector)) = vectors.get_mut(rank).zip(embedder.vector(said.texts())) {
                *place = vector;
            }
        }
        Ok(Some(vectors))
    }
}

/// What of an event's source says what it is like.
#[derive(Deserialize)]
pub(super) struct Said {
    title: String,
    description: String,
    genres: Vec<String>,
    works: Works,
    venue: Hall,
    artists: Vec<Bill>,
}

#[derive(Deserialize)]
struct Hall {
    name: String,
    city: String,
}

#[derive(Deserialize)]
struct Bill {
    name: String,
    role: String,
}

impl Said {
    /// Each text once, with its weight: genres and the city say most, names of people least.
    pub(super) fn texts<'a>(&'a self) -> Vec<(Cow<'a, str>, f32)> {
        let mut said = Vec::with_capacity(32);
        let mut once = |text: Cow<'a, str>, weight: f32| {
            if !said.iter().any(|(other, _)| *other == text) {
                said.push((text, weight));
            }
        };
        once(Cow::from(&self.title), 1.0);
        once(Cow::from(&self.description), 0.5);
        once(Cow::from(&self.venue.name), 1.0);
        once(Cow::from(&self.venue.city), 2.0);
        for genre in &self.genres {
            once(Cow::from(genre), 2.0);
        }
        self.works.texts(|text| once(text, 1.0));
        for Bill { name, role } in &self.artists {
            once(Cow::from(role), 1.0);
            once(Cow::from(name), 0.25);
        }
        said
    }
}
