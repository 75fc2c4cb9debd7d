//! Names by number: every venue, artist, city and genre any segment mentions, interned once for all of them.
//!
//! Columns hold these numbers, so counting and filtering compare integers, across segments and views alike. The tables only
//! grow while a replica reads one generation; a renamed venue or artist is a new number beside the old one.

use crate::document::{ArtistName, ArtistNames, VenueRow};
use crate::fold;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

/// The number that stands for "none".
pub(crate) const NONE: u32 = u32::MAX;

/// Entries of one kind, numbered from 0 in order of arrival.
#[derive(Debug)]
pub(crate) struct Table<T> {
    by_key: HashMap<String, u32>,
    by_folded: HashMap<String, Vec<u32>>,
    entries: Vec<Entry<T>>,
}

#[derive(Debug)]
pub(crate) struct Entry<T> {
    pub(crate) item: T,
    /// The name with accents and case folded.
    pub(crate) folded: String,
    /// Other names, folded.
    pub(crate) aliases: Vec<String>,
}

impl<T> Entry<T> {
    /// Every name, folded.
    pub(crate) fn folded(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.folded.as_str()).chain(self.aliases.iter().map(String::as_str))
    }
}

/// A venue with the numbers of what it is in.
#[derive(Debug)]
pub(crate) struct Venue {
    pub(crate) row: VenueRow,
    pub(crate) city: u32,
    pub(crate) region: u32,
    pub(crate) country: u32,
    pub(crate) zone: u32,
}

/// All tables.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) venues: Table<Venue>,
    pub(crate) artists: Table<ArtistName>,
    pub(crate) cities: Table<String>,
    pub(crate) regions: Table<String>,
    pub(crate) countries: Table<String>,
    pub(crate) genres: Table<String>,
    pub(crate) currencies: Table<String>,
    pub(crate) images: Table<String>,
    pub(crate) zones: Table<TimeZone>,
    /// The words of venues', artists' and cities' names, for suggestions.
    words: BTreeMap<String, Vec<(Named, u32)>>,
}

/// What a suggested name names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Named {
    Venue,
    Artist,
    City,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { by_key: HashMap::new(), by_folded: HashMap::new(), entries: Vec::new() }
    }
}

impl<T> Table<T> {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Entry<T>> {
        self.entries.get(number as usize)
    }

    /// The number of the entry kept under a key.
    pub(crate) fn number(&self, key: &str) -> Option<u32> {
        self.by_key.get(key).copied()
    }

    pub(crate) fn entries(&self) -> &[Entry<T>] {
        &self.entries
    }

    fn add(&mut self, key: String, name: &str, item: T) -> u32 {
        self.add_known_as(key, name, &[], item)
    }

    fn add_known_as(&mut self, key: String, name: &str, aliases: &[String], item: T) -> u32 {
        let number = u32::try_from(self.entries.len()).unwrap_or(NONE);
        let aliases = aliases.iter().map(|alias| fold::name(alias)).collect();
        let entry = Entry { item, folded: fold::name(name), aliases };
        for folded in entry.folded() {
            let numbers = self.by_folded.entry(folded.to_owned()).or_default();
            if numbers.last() != Some(&number) {
                numbers.push(number);
            }
        }
        self.by_key.insert(key, number);
        self.entries.push(entry);
        number
    }

    /// Whom a filter's text means: those named exactly so, accents and case aside; if there is none, those in one of whose names
    /// every one of its words stands.
    pub(crate) fn meant_by(&self, text: &str) -> Vec<u32> {
        let folded = fold::name(text);
        if let Some(exactly) = self.by_folded.get(&folded) {
            return exactly.clone();
        }
        let words: Vec<&str> = folded.split(' ').filter(|word| !word.is_empty()).collect();
        if words.is_empty() {
            return Vec::new();
        }
        let has_all =
            |entry: &Entry<T>| entry.folded().any(|name| words.iter().all(|word| fold::stands_in(word, name)));
        (0..).zip(&self.entries).filter(|(_, entry)| has_all(entry)).map(|(number, _)| number).collect()
    }
}

impl Table<String> {
    pub(crate) fn intern(&mut self, text: &str) -> u32 {
        match self.by_key.get(text) {
            Some(number) => *number,
            None => self.add(text.to_owned(), text, text.to_owned()),
        }
    }

    pub(crate) fn text(&self, number: u32) -> Option<&str> {
        self.get(number).map(|entry| entry.item.as_str())
    }
}

impl Names {
    /// A venue as the `venue` column keeps it; none when the column does not hold one.
    pub(crate) fn venue(&mut self, json: &str) -> u32 {
        if let Some(number) = self.venues.by_key.get(json) {
            return *number;
        }
        let Ok(row) = serde_json::from_str::<VenueRow>(json) else { return NONE };
        let cities = self.cities.len();
        let city = self.cities.intern(&row.city);
        if self.cities.len() > cities {
            self.suggest(&row.city, Named::City, city);
        }
        let region = row.region.as_deref().map_or(NONE, |region| self.regions.intern(region));
        let country = self.countries.intern(&row.country);
        let zone = self.zone(&row.timezone);
        let name = row.name.clone();
        let number = self.venues.add(json.to_owned(), &name, Venue { row, city, region, country, zone });
        self.suggest(&name, Named::Venue, number);
        number
    }

    /// An artist as the `artists` column keeps them.
    pub(crate) fn artist(&mut self, json: &str) -> u32 {
        if let Some(number) = self.artists.by_key.get(json) {
            return *number;
        }
        let Ok(ArtistNames { artist, aliases }) = serde_json::from_str(json) else { return NONE };
        let name = artist.name.clone();
        let number = self.artists.add_known_as(json.to_owned(), &name, &aliases, artist);
        for name in aliases.iter().chain([&name]) {
            self.suggest(name, Named::Artist, number);
        }
        number
    }

    /// A zone by its IANA name; one this machine does not know counts as UTC.
    fn zone(&mut self, name: &str) -> u32 {
        match self.zones.by_key.get(name) {
            Some(number) => *number,
            None => self.zones.add(name.to_owned(), name, TimeZone::get(name).unwrap_or(TimeZone::UTC)),
        }
    }

    fn suggest(&mut self, name: &str, named: Named, number: u32) {
        for (_, word) in fold::words(name) {
            // Of a dense word every part is found, so every end of it is a word here.
            let dense = word.chars().next().is_some_and(fold::is_dense);
            for (start, _) in word.char_indices().take(if dense { usize::MAX } else { 1 }) {
                let entries = self.words.entry(word.get(start..).unwrap_or_default().to_owned()).or_default();
                if entries.last() != Some(&(named, number)) {
                    entries.push((named, number));
                }
            }
        }
    }

    /// Whatever has a name in which a word begins with `prefix`; one twice when two of its words do.
    pub(crate) fn starting_with<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (Named, u32)> + 'a {
        let from = self.words.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        from.take_while(move |(word, _)| word.starts_with(prefix)).flat_map(|(_, entries)| entries.iter().copied())
    }

    /// Whatever has a name with this very word.
    pub(crate) fn having(&self, word: &str) -> impl Iterator<Item = (Named, u32)> {
        self.words.get(word).into_iter().flatten().copied()
    }

    /// The names of something, folded.
    pub(crate) fn folded(&self, named: Named, number: u32) -> Vec<&str> {
        match named {
            Named::Venue => self.venues.get(number).map(|entry| entry.folded().collect()),
            Named::Artist => self.artists.get(number).map(|entry| entry.folded().collect()),
            Named::City => self.cities.get(number).map(|entry| entry.folded().collect()),
        }
        .unwrap_or_default()
    }
}
