//! The order of hits and the page of them a cursor points at.
//!
//! Every order is a number, smaller first, then (by name) the folded title, then the event's id: total, so pages put together
//! are the whole list. By date the first hits are the first bits; every other order keeps the best few while looking at all.

use super::filter::{Matches, Plan};
use super::words::{Page, Relevance, Scored};
use super::{Place, Segment, View};
use crate::fold;
use crate::overlay::Cells;
use crate::request::{Cursor, Mode, Request, Sort};
use std::collections::BinaryHeap;
use uuid::Uuid;

/// What an order needs to know.
pub(super) struct Ranking<'a> {
    pub(super) view: &'a View,
    pub(super) request: &'a Request,
    /// The mode in force; cursors keep it.
    pub(super) mode: Mode,
    /// The day the search began; cursors keep it.
    pub(super) day: i32,
    /// Per segment the hits to choose from with their relevance, when sorted by it.
    pub(super) scores: &'a [Vec<Scored>],
    pub(super) plan: &'a Plan,
    pub(super) cells: &'a Cells,
}

/// A hit in its place. Compared by key, text and id alone.
#[derive(Clone, Debug)]
pub(super) struct Ranked {
    key: i64,
    text: String,
    pub(super) id: Uuid,
    pub(super) place: Place,
    pub(super) score: Option<Relevance>,
}

impl Ranked {
    fn order(&self) -> (i64, &str, Uuid) {
        (self.key, &self.text, self.id)
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Ranked {}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

/// What a request wants of its hits: one more than a page says that there is another.
pub(super) fn page(request: &Request) -> Page<'_> {
    Page { wanted: request.limit + 1, after: request.cursor.as_ref() }
}

impl Ranking<'_> {
    /// The page and the cursor of the next one.
    pub(super) fn page(&self, matches: &[Matches]) -> (Vec<Ranked>, Option<Cursor>) {
        let wanted = page(self.request).wanted;
        let mut page = match self.request.sort() {
            Sort::Date => self.first_by_date(matches, wanted),
            _ => self.best(matches, wanted),
        };
        let more = page.len() == wanted;
        page.truncate(self.request.limit);
        let next = page.last().filter(|_| more).map(|last| Cursor {
            search: self.request.checksum(self.mode),
            day: self.day,
            key: last.key,
            id: last.id,
            text: last.text.clone(),
        });
        (page, next)
    }

    fn first_by_date(&self, matches: &[Matches], wanted: usize) -> Vec<Ranked> {
        let mut page = Vec::new();
        for (number, (segment, found)) in self.view.segments.iter().zip(matches).enumerate() {
            let first = self.request.cursor.as_ref().map_or(0, |cursor| segment.ranks_up_to(cursor));
            for rank in found.hits.iter_from(first).take(wanted) {
                page.extend(
                    segment.columns.starts_at.get(rank).and_then(|start| self.ranked(number, rank, *start, None)),
                );
            }
        }
        page.sort_unstable();
        page.truncate(wanted);
        page
    }

    fn best(&self, matches: &[Matches], wanted: usize) -> Vec<Ranked> {
        let mut best: BinaryHeap<Ranked> = BinaryHeap::with_capacity(wanted + 1);
        for (number, (segment, found)) in self.view.segments.iter().zip(matches).enumerate() {
            if let Some(scores) = self.scores.get(number) {
                for Scored { rank, relevance } in scores {
                    self.offer(&mut best, (number, *rank as usize), relevance.key(), Some(*relevance));
                }
                continue;
            }
            found.hits.for_each(|rank| self.offer(&mut best, (number, rank), self.key(segment, rank), None));
        }
        best.into_sorted_vec()
    }

    /// Takes a hit among the best when it is.
    fn offer(&self, best: &mut BinaryHeap<Ranked>, (number, rank): (usize, usize), key: i64, score: Option<Relevance>) {
        let full = best.len() == page(self.request).wanted;
        if full && best.peek().is_some_and(|worst| key > worst.key) {
            return;
        }
        let Some(mut ranked) = self.ranked(number, rank, key, score) else { return };
        if self.request.sort() == Sort::Name
            && let Some(segment) = self.view.segments.get(number)
        {
            ranked.text = fold::name(segment.columns.title(rank));
        }
        if self.request.cursor.as_ref().is_some_and(|c| ranked.order() <= (c.key, c.text.as_str(), c.id)) {
            return;
        }
        best.push(ranked);
        if full {
            best.pop();
        }
    }

    fn ranked(&self, segment: usize, rank: usize, key: i64, score: Option<Relevance>) -> Option<Ranked> {
        let id = *self.view.segments.get(segment)?.columns.id.get(rank)?;
        Some(Ranked { key, text: String::new(), id, place: Place { segment, rank }, score })
    }

    fn key(&self, segment: &Segment, rank: usize) -> i64 {
        let columns = &segment.columns;
        let at = |column: &[i64]| column.get(rank).copied().unwrap_or(i64::MAX);
        match self.request.sort() {
            // Hits by relevance come with their keys.
            Sort::Date | Sort::Relevance => at(&columns.starts_at),
            Sort::DateDescending => -at(&columns.starts_at),
            Sort::OnSale => at(&columns.opens_at),
            Sort::Popularity => -columns.popularity.get(rank).copied().map_or(0, i64::from),
            Sort::Availability => -i64::from(segment.live(rank, self.cells).seats_left),
            Sort::Price => segment.live(rank, self.cells).price_min.unwrap_or(i64::MAX),
            Sort::PriceDescending => segment.live(rank, self.cells).price_min.map_or(i64::MAX, |price| -price),
            Sort::Distance => {
                let venue = columns.venue.get(rank).and_then(|venue| self.plan.distances.get(*venue as usize));
                venue.map_or(i64::MAX, |km| km.max(0.0).to_bits().cast_signed())
            }
            Sort::Name => (columns.name_key.get(rank).copied().unwrap_or(0) ^ 1 << 63).cast_signed(),
        }
    }
}

impl Segment {
    /// How many ranks are not after a cursor by date.
    fn ranks_up_to(&self, cursor: &Cursor) -> usize {
        let (mut low, mut high) = (0, self.columns.len());
        while low < high {
            let middle = low.midpoint(high);
            let place = self.columns.starts_at.get(middle).zip(self.columns.id.get(middle));
            if place.is_some_and(|(start, id)| (*start, *id) <= (cursor.key, cursor.id)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}
