//! Completion of what is being typed: events by title, artists, venues and cities by name, the most popular first.
//!
//! Names are found by the beginnings of their words. An artist, a venue or a city is as popular as it has events ahead; those
//! figures are taken over all events, so they are kept for a second rather than made for every keystroke.

use super::words::Words;
use super::{Place, SearchError, View, highlight};
use crate::answer::{Suggestion, Suggestions};
use crate::bits::Bits;
use crate::document::Status;
use crate::fold;
use crate::names::{Named, Names};
use jiff::Timestamp;
use model::EventId;
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

const POPULARITY_AGE_MAX: Duration = Duration::from_secs(1);
/// Names and events looked at for one suggestion.
const CANDIDATES_MAX: usize = 20_000;

pub(super) type PopularityCell = Arc<Mutex<Option<(Instant, Arc<Popularity>)>>>;

/// Events ahead by number of venue, artist and city.
#[derive(Default)]
pub(super) struct Popularity {
    venues: Vec<u64>,
    artists: Vec<u64>,
    cities: Vec<u64>,
}

pub(super) fn suggest(view: &View, q: &str, limit: usize, now: Timestamp) -> Result<Suggestions, SearchError> {
    let typed: Vec<String> = fold::words(q).map(|(_, word)| word).collect();
    let Some((last, whole)) = typed.split_last() else { return Ok(Suggestions::default()) };
    let popularity = view.popularity(now);
    let names = view.shared.names.read();
    let mut found: BTreeSet<(Named, u32)> = BTreeSet::new();
    for (named, number) in names.starting_with(last).take(CANDIDATES_MAX) {
        let folded = folded(&names, named, number);
        if whole.iter().all(|word| folded.split(' ').any(|other| other == word)) {
            found.insert((named, number));
        }
    }
    let mark = |word: &str| whole.iter().any(|other| other == word) || word.starts_with(last.as_str());
    let html = |text: &str| highlight::marked(text, &mark).0;
    let artists = best(&found, Named::Artist, &popularity.artists, limit);
    let venues = best(&found, Named::Venue, &popularity.venues, limit);
    let cities = best(&found, Named::City, &popularity.cities, limit);
    let artists = artists.into_iter().filter_map(|(number, popularity)| {
        let artist = &names.artists.get(number)?.item;
        Some(Suggestion { id: artist.artist_id, text: artist.name.clone(), highlight: html(&artist.name), popularity })
    });
    let venues = venues.into_iter().filter_map(|(number, popularity)| {
        let venue = &names.venues.get(number)?.item.row;
        Some(Suggestion { id: venue.venue_id, text: venue.name.clone(), highlight: html(&venue.name), popularity })
    });
    let cities = cities.into_iter().filter_map(|(number, popularity)| {
        let city = names.cities.text(number)?.to_owned();
        Some(Suggestion { id: city.clone(), highlight: html(&city), text: city, popularity })
    });
    Ok(Suggestions {
        artists: artists.collect(),
        venues: venues.collect(),
        cities: cities.collect(),
        events: events(view, q, (limit, now), &html)?,
    })
}

/// The most popular events ahead in whose title every word stands.
fn events(
    view: &View,
    q: &str,
    (limit, now): (usize, Timestamp),
    html: &dyn Fn(&str) -> String,
) -> Result<Vec<Suggestion<EventId>>, SearchError> {
    let words = Words::look_up(view, q)?;
    let mut found: Vec<(u32, Place)> = Vec::new();
    for (number, segment) in view.segments.iter().enumerate() {
        let mut ahead = view.ahead(number, now);
        words.restrict(number, &mut ahead);
        for rank in ahead.iter_from(0).take(CANDIDATES_MAX) {
            found.push((segment.columns.popularity.get(rank).copied().unwrap_or(0), Place { segment: number, rank }));
        }
    }
    // Stable: of equally popular ones the next to take place.
    found.sort_by_key(|(popularity, _)| std::cmp::Reverse(*popularity));
    let mut titles: HashSet<&str> = HashSet::new();
    let mut given = Vec::new();
    for (popularity, place) in found {
        let Some(segment) = view.segments.get(place.segment) else { continue };
        let title = segment.columns.title(place.rank);
        let Some(id) = segment.columns.id.get(place.rank).filter(|_| words.all_in(title)) else { continue };
        if titles.insert(title) {
            let popularity = popularity.into();
            given.push(Suggestion { id: EventId(*id), text: title.to_owned(), highlight: html(title), popularity });
        }
        if given.len() == limit {
            break;
        }
    }
    Ok(given)
}

fn folded(names: &Names, kind: Named, number: u32) -> &str {
    let folded = match kind {
        Named::Venue => names.venues.get(number).map(|entry| &entry.folded),
        Named::Artist => names.artists.get(number).map(|entry| &entry.folded),
        Named::City => names.cities.get(number).map(|entry| &entry.folded),
    };
    folded.map_or("", String::as_str)
}

/// The most popular of one kind, without those that have nothing ahead.
fn best(found: &BTreeSet<(Named, u32)>, named: Named, popularity: &[u64], limit: usize) -> Vec<(u32, u64)> {
    let of_kind = found.iter().filter(|(other, _)| *other == named);
    let mut counted: Vec<(u32, u64)> = of_kind
        .map(|(_, number)| (*number, popularity.get(*number as usize).copied().unwrap_or(0)))
        .filter(|(_, popularity)| *popularity > 0)
        .collect();
    counted.sort_by_key(|(number, popularity)| (std::cmp::Reverse(*popularity), *number));
    counted.truncate(limit);
    counted
}

impl View {
    /// The events of a segment that are alive, not cancelled and not begun.
    fn ahead(&self, segment: usize, now: Timestamp) -> Bits {
        let Some(segment) = self.segments.get(segment) else { return Bits::none(0) };
        let columns = &segment.columns;
        let first = columns.starts_at.partition_point(|start| *start <= now.as_microsecond());
        let mut ahead = Bits::range(columns.len(), first, columns.len());
        ahead.and(&segment.alive);
        let shown = vec![Status::Scheduled as u8, Status::Postponed as u8];
        ahead.and(&columns.set(crate::columns::SetKey::Status(shown)));
        ahead
    }

    fn popularity(&self, now: Timestamp) -> Arc<Popularity> {
        let mut kept = self.shared.popularity.lock();
        if let Some((made, popularity)) = kept.as_ref()
            && made.elapsed() < POPULARITY_AGE_MAX
        {
            return Arc::clone(popularity);
        }
        let made = Arc::new(self.count_popularity(now));
        *kept = Some((Instant::now(), Arc::clone(&made)));
        made
    }

    fn count_popularity(&self, now: Timestamp) -> Popularity {
        let names = self.shared.names.read();
        let mut popularity = Popularity {
            venues: vec![0; names.venues.len()],
            artists: vec![0; names.artists.len()],
            cities: vec![0; names.cities.len()],
        };
        drop(names);
        let one = |counts: &mut Vec<u64>, number: u32| {
            if let Some(count) = counts.get_mut(number as usize) {
                *count += 1;
            }
        };
        for (number, segment) in self.segments.iter().enumerate() {
            let columns = &segment.columns;
            self.ahead(number, now).for_each(|rank| {
                columns.venue.get(rank).into_iter().for_each(|venue| one(&mut popularity.venues, *venue));
                columns.city.get(rank).into_iter().for_each(|city| one(&mut popularity.cities, *city));
                columns.artists.of(rank).iter().for_each(|artist| one(&mut popularity.artists, *artist));
            });
        }
        popularity
    }
}
