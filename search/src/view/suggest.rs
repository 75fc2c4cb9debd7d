//! Completion of what is being typed: events by title, artists, venues and cities by name, the most popular first.
//!
//! Names are found by the beginnings of their words, aliases too; events through the words of titles, walked in order of
//! popularity where many match. When nothing is found, words that stand nowhere are taken for the nearest that do.

mod popularity;

use super::words::{Typos, near};
use super::{Place, SearchError, Segment, View, highlight};
use crate::answer::{Suggestion, Suggestions};
use crate::bits::Bits;
use crate::fold;
use crate::names::{Named, Names};
use crate::request::{Clause, Text, apart};
use crate::schema::fields;
use jiff::Timestamp;
use model::EventId;
use popularity::Counts;
pub(super) use popularity::Popularity;
use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;

/// Events of one title looked at, where a title stands often.
const HITS_MAX: usize = 2_000;
/// So many matching events are put in order rather than found in order.
const SORTED_MAX: usize = 1_024;

/// A word that was typed.
struct Typed {
    clause: Clause,
    /// What it is taken for instead when it stands nowhere.
    meant: Typos,
}

/// What suggestions are made from.
struct Finder<'a> {
    view: &'a View,
    names: &'a Names,
    counts: Arc<Counts>,
    limit: usize,
    now: Timestamp,
}

pub(super) fn suggest(view: &View, q: &str, limit: usize, now: Timestamp) -> Result<Suggestions, SearchError> {
    // Folded, nothing is left of quotes and dashes: every word is one.
    let clauses = Text::parse(&fold::name(q)).clauses;
    let mut typed: Vec<Typed> = clauses.into_iter().map(|clause| Typed { clause, meant: Vec::new() }).collect();
    if typed.is_empty() {
        return Ok(Suggestions::default());
    }
    let counts = view.shared.popularity.at(view, now);
    let names = view.shared.names.read();
    let finder = Finder { view, names: &names, counts, limit, now };
    let found = finder.find(&typed)?;
    if !found.is_empty() || !finder.correct(&mut typed)? {
        return Ok(found);
    }
    finder.find(&typed)
}

impl Suggestions {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.artists.is_empty() && self.venues.is_empty() && self.cities.is_empty()
    }
}

impl Typed {
    fn word(&self) -> &str {
        self.clause.name.as_deref().unwrap_or_default()
    }

    fn is_open(&self) -> bool {
        self.clause.slots.iter().any(|slot| slot.prefix)
    }

    fn stands_in(&self, name: &str) -> bool {
        if !self.meant.is_empty() {
            return name.split(' ').any(|word| self.meant.iter().any(|(meant, _)| meant == word));
        }
        fold::stands_in(self.word(), name)
            || (self.is_open() && name.split(' ').any(|word| word.starts_with(self.word())))
    }
}

impl Finder<'_> {
    fn find(&self, typed: &[Typed]) -> Result<Suggestions, SearchError> {
        let html = |text: &str| {
            let terms: Vec<_> = fold::terms(text).collect();
            let places = |_: &str| apart(typed.iter().flat_map(|t| t.clause.places(&terms, &t.meant)).collect());
            highlight::marked(text, &places).0
        };
        let [artists, venues, cities] = self.best_names(typed);
        let artists = artists.into_iter().filter_map(|(popularity, number)| {
            let artist = &self.names.artists.get(number)?.item;
            let (id, text) = (artist.artist_id, artist.name.clone());
            Some(Suggestion { id, highlight: html(&text), text, popularity })
        });
        let venues = venues.into_iter().filter_map(|(popularity, number)| {
            let venue = &self.names.venues.get(number)?.item.row;
            let (id, text) = (venue.venue_id, venue.name.clone());
            Some(Suggestion { id, highlight: html(&text), text, popularity })
        });
        let cities = cities.into_iter().filter_map(|(popularity, number)| {
            let text = self.names.cities.text(number)?.to_owned();
            Some(Suggestion { id: text.clone(), highlight: html(&text), text, popularity })
        });
        Ok(Suggestions {
            artists: artists.collect(),
            venues: venues.collect(),
            cities: cities.collect(),
            events: self.events(typed, &html)?,
        })
    }

    /// The most popular artists, venues and cities, with how popular each is.
    fn best_names(&self, typed: &[Typed]) -> [Vec<(u64, u32)>; 3] {
        let mut best = [Vec::new(), Vec::new(), Vec::new()];
        let Some((last, whole)) = typed.split_last() else { return best };
        let mut offer = |(named, number): (Named, u32)| {
            let popularity = self.counts.of(named, number);
            let [artists, venues, cities] = &mut best;
            let kept = match named {
                Named::Artist => artists,
                Named::Venue => venues,
                Named::City => cities,
            };
            let order = |(popularity, number): &(u64, u32)| (Reverse(*popularity), *number);
            let candidate = (popularity, number);
            let place = kept.partition_point(|other| order(other) < order(&candidate));
            if popularity == 0 || place >= self.limit || kept.get(place) == Some(&candidate) {
                return;
            }
            let names = self.names.folded(named, number);
            if whole.is_empty() || names.iter().any(|name| typed.iter().all(|word| word.stands_in(name))) {
                kept.insert(place, candidate);
                kept.truncate(self.limit);
            }
        };
        if !last.meant.is_empty() {
            last.meant.iter().flat_map(|(word, _)| self.names.having(word)).for_each(&mut offer);
        } else if last.is_open() || !last.clause.tolerant {
            self.names.starting_with(last.word()).for_each(&mut offer);
        } else {
            self.names.having(last.word()).for_each(&mut offer);
        }
        best
    }

    /// The most popular events ahead in whose title every word stands.
    fn events(&self, typed: &[Typed], html: &dyn Fn(&str) -> String) -> Result<Vec<Suggestion<EventId>>, SearchError> {
        let mut found: Vec<(u32, Place)> = Vec::new();
        for (number, segment) in self.view.segments.iter().enumerate() {
            let mut ahead = segment.ahead(self.now);
            for word in typed {
                word.restrict(segment, &mut ahead)?;
            }
            let best = segment.most_popular(&ahead, self.limit).into_iter();
            found.extend(best.map(|rank| (segment.popularity(rank), Place { segment: number, rank })));
        }
        let start = |place: &Place| Some(*self.view.segments.get(place.segment)?.columns.starts_at.get(place.rank)?);
        // Of equally popular ones the next to take place.
        found.sort_by_key(|(popularity, place)| (Reverse(*popularity), start(place)));
        let mut titles: HashSet<&str> = HashSet::new();
        let mut given = Vec::new();
        for (popularity, place) in found {
            let Some(columns) = self.view.segments.get(place.segment).map(|segment| &segment.columns) else { continue };
            let title = columns.title(place.rank);
            if let Some(id) = columns.id.get(place.rank).filter(|_| given.len() < self.limit && titles.insert(title)) {
                let (id, popularity) = (EventId(*id), popularity.into());
                given.push(Suggestion { id, text: title.to_owned(), highlight: html(title), popularity });
            }
        }
        Ok(given)
    }

    /// Takes each word that stands nowhere for the nearest that do; false when there is none to take.
    fn correct(&self, typed: &mut [Typed]) -> Result<bool, SearchError> {
        let mut corrected = false;
        for word in typed.iter_mut().filter(|word| word.clause.tolerant) {
            let Some(slot) = word.clause.slots.first() else { continue };
            let mut standing = false;
            for segment in &self.view.segments {
                standing |= segment.standing(fields().text, slot)?.count_up_to(1, &segment.alive) > 0;
            }
            if !standing {
                word.meant = near(self.view, slot)?;
                corrected |= !word.meant.is_empty();
            }
        }
        Ok(corrected)
    }
}

impl Typed {
    /// Keeps the events of a segment in whose title the word stands.
    fn restrict(&self, segment: &Segment, events: &mut Bits) -> Result<(), SearchError> {
        let field = fields().title_words;
        if self.meant.is_empty() {
            for slot in &self.clause.slots {
                segment.standing(field, slot)?.keep(events);
            }
            return Ok(());
        }
        let index = segment.reader.inverted_index(field)?;
        let mut terms = Vec::with_capacity(self.meant.len());
        for (word, weight) in &self.meant {
            terms.extend(index.terms().get(word)?.map(|info| (info, *weight)));
        }
        segment.read(&index, &terms)?.keep(events);
        Ok(())
    }
}

impl Segment {
    fn popularity(&self, rank: usize) -> u32 {
        self.columns.popularity.get(rank).copied().unwrap_or(0)
    }

    /// The most popular of these events, until there are `limit` titles.
    fn most_popular(&self, events: &Bits, limit: usize) -> Vec<usize> {
        let count = events.count();
        let mut titles: HashSet<&str> = HashSet::new();
        let mut best = Vec::new();
        let mut hits = 0;
        let mut take = |rank: usize| {
            hits += 1;
            if titles.insert(self.columns.title(rank)) {
                best.push(rank);
            }
            best.len() < limit && hits < HITS_MAX
        };
        if count <= SORTED_MAX {
            let mut ranks: Vec<usize> = events.iter_from(0).collect();
            ranks.sort_by_key(|rank| Reverse(self.popularity(*rank)));
            ranks.into_iter().all(&mut take);
        } else {
            let ranks = self.columns.popular.iter().map(|rank| *rank as usize);
            ranks.filter(|rank| events.contains(*rank)).all(&mut take);
        }
        best
    }
}
