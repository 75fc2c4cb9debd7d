//! A segment's events as plain arrays in order of start: what filters, facets, sorts and result cards read.
//!
//! Built once per segment from its fast fields and shared by every view that still has the segment; deletions are the view's.
//! A place in the arrays is an event's *rank* in the segment's order of (start, id), so a date range is a range of ranks and
//! the first hits by date are the first bits of a set of ranks.

mod remembered;
mod standing;

use crate::bits::Bits;
use crate::document::Kind;
use crate::fold;
use crate::names::{NONE, Names, Table};
use crate::request::Slot;
use crate::schema::fields;
use crate::synonyms::Synonyms;
use crate::vectors::Vector;
use parking_lot::{Mutex, RwLock};
use remembered::Remembered;
pub(crate) use standing::{BEST_MAX, Basis, Near, Sought, Standing, UNITS};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, OnceLock};
use tantivy::columnar::{Column, StrColumn};
use tantivy::fieldnorm::FieldNormReader;
use tantivy::{DocId, SegmentReader};
use uuid::Uuid;

/// An instant that is not given.
pub(crate) const NO_INSTANT: i64 = i64::MIN;
/// A price that is not given.
pub(crate) const NO_PRICE: i64 = -1;
/// Sets of ranks remembered per segment.
const SETS_MAX: usize = 512;
/// The arrays; all but the multi-valued ones have one item per event.
#[derive(Debug)]
pub(crate) struct Columns {
    pub(crate) doc: Vec<DocId>,
    pub(crate) id: Vec<Uuid>,
    pub(crate) slot: Vec<u32>,
    /// By this the ranks are ordered: an event whose date is to be announced stands at the end of its expected day.
    pub(crate) starts_at: Vec<i64>,
    /// Whose date is to be announced, and when each of them is expected to start.
    pub(crate) unannounced: Bits,
    pub(crate) expected_at: HashMap<usize, i64>,
    pub(crate) ends_at: Vec<i64>,
    pub(crate) opens_at: Vec<i64>,
    pub(crate) closes_at: Vec<i64>,
    /// Openings and closings of presales in turn.
    pub(crate) presales: Lists<i64>,
    pub(crate) status: Vec<u8>,
    pub(crate) popularity: Vec<u32>,
    /// The ranks, the most popular first.
    pub(crate) popular: Vec<u32>,
    /// What is pinned, and how much.
    pub(crate) pinned: Bits,
    pub(crate) boosts: HashMap<usize, u8>,
    pub(crate) capacity: Vec<u32>,
    pub(crate) price_min: Vec<i64>,
    pub(crate) price_max: Vec<i64>,
    pub(crate) currency: Vec<u32>,
    pub(crate) image: Vec<u32>,
    pub(crate) venue: Vec<u32>,
    pub(crate) city: Vec<u32>,
    pub(crate) region: Vec<u32>,
    pub(crate) country: Vec<u32>,
    pub(crate) genres: Lists<u32>,
    pub(crate) artists: Lists<u32>,
    /// The first eight bytes of the folded title, so that most comparisons of titles compare numbers.
    pub(crate) name_key: Vec<u64>,
    pub(crate) name_hash: Vec<u32>,
    /// The ranks in order of the hash.
    by_name_hash: Vec<u32>,
    titles: Texts,
    /// The synonyms among the segment's documents.
    pub(crate) synonyms: Synonyms,
    /// The longest time between an event's start and end, in microseconds.
    pub(crate) duration_max_us: i64,
    rank: Vec<u32>,
    pub(crate) sets: Remembered<SetKey, Bits>,
    /// How many words each event has, as field norms are numbered.
    pub(crate) length_id: Vec<u8>,
    /// Where words, and words that follow each other, stand.
    pub(crate) standings: Remembered<Sought, Standing>,
    /// Words of the text a few typing errors away from one.
    pub(crate) near: Remembered<Slot, Vec<Near>>,
    /// What each event's score is made with, on a day.
    pub(crate) scoring: Mutex<Option<(i32, Arc<Vec<Scoring>>)>>,
    /// What the events mean, once it was worked out.
    pub(crate) vectors: OnceLock<Vec<Vector>>,
}

/// What a score needs of an event, side by side: the hits of most words lie far apart, and each is one look at memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scoring {
    /// A hash of the whole folded title, so that hardly any other title is compared with a name.
    pub(crate) name_hash: u32,
    /// What popularity and nearness in time multiply the score by.
    pub(crate) raise: f32,
    /// How many words it has, as field norms are numbered.
    pub(crate) length_id: u8,
    /// How much it is pinned.
    pub(crate) boost: u8,
}

/// What a remembered set of ranks is about; every number is one of [`Names`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SetKey {
    City(Vec<u32>),
    Region(Vec<u32>),
    Country(Vec<u32>),
    Currency(Vec<u32>),
    Venue(Vec<u32>),
    Genre(Vec<u32>),
    Artist(Vec<u32>),
    Status(Vec<u8>),
}

/// Several items per event.
#[derive(Debug)]
pub(crate) struct Lists<T> {
    ends: Vec<u32>,
    items: Vec<T>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self { ends: Vec::new(), items: Vec::new() }
    }
}

#[derive(Debug, Default)]
struct Texts {
    ends: Vec<usize>,
    text: String,
}

impl<T> Lists<T> {
    pub(crate) fn of(&self, rank: usize) -> &[T] {
        let start = rank.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize);
        let end = self.ends.get(rank).map_or(start, |end| *end as usize);
        self.items.get(start..end).unwrap_or_default()
    }

    fn push(&mut self, items: impl Iterator<Item = T>) {
        self.items.extend(items);
        self.ends.push(u32::try_from(self.items.len()).unwrap_or(u32::MAX));
    }
}

impl Lists<u32> {
    /// The ranks that have one of these numbers.
    fn having(&self, numbers: &[u32]) -> Bits {
        let mut bits = Bits::none(self.ends.len());
        let mut start = 0;
        for (rank, end) in self.ends.iter().enumerate() {
            let end = *end as usize;
            if self.items.get(start..end).is_some_and(|list| list.iter().any(|number| numbers.contains(number))) {
                bits.insert(rank);
            }
            start = end;
        }
        bits
    }
}

impl Columns {
    /// Reads a segment's fast fields, interning the names it mentions.
    pub(crate) fn build(reader: &SegmentReader, names: &RwLock<Names>) -> tantivy::Result<Self> {
        let source = Source::open(reader)?;
        let mut order: Vec<(i64, Uuid, DocId)> = Vec::with_capacity(reader.max_doc() as usize);
        let mut synonyms: Vec<DocId> = Vec::new();
        for doc in 0..reader.max_doc() {
            let kind = source.kind.first(doc);
            if kind == Some(Kind::Event as u64) {
                let id =
                    Uuid::from_u64_pair(source.id_high.first(doc).unwrap_or(0), source.id_low.first(doc).unwrap_or(0));
                order.push((source.starts_at.first(doc).unwrap_or(0), id, doc));
            } else if kind == Some(Kind::Synonym as u64) {
                synonyms.push(doc);
            }
        }
        order.sort_unstable();
        let mut columns = Self::empty(reader.max_doc(), order.len());
        columns.synonyms = Synonyms::read(reader, &synonyms)?;
        source.fill(&mut columns, &order, names)?;
        Ok(columns)
    }

    fn empty(max_doc: u32, events: usize) -> Self {
        Self {
            doc: Vec::with_capacity(events),
            id: Vec::with_capacity(events),
            slot: Vec::with_capacity(events),
            starts_at: Vec::with_capacity(events),
            unannounced: Bits::none(events),
            expected_at: HashMap::new(),
            ends_at: Vec::with_capacity(events),
            opens_at: Vec::with_capacity(events),
            closes_at: Vec::with_capacity(events),
            presales: Lists::default(),
            status: Vec::with_capacity(events),
            popularity: Vec::with_capacity(events),
            popular: Vec::new(),
            pinned: Bits::none(events),
            boosts: HashMap::new(),
            capacity: Vec::with_capacity(events),
            price_min: Vec::with_capacity(events),
            price_max: Vec::with_capacity(events),
            currency: Vec::with_capacity(events),
            image: Vec::with_capacity(events),
            venue: Vec::with_capacity(events),
            city: Vec::with_capacity(events),
            region: Vec::with_capacity(events),
            country: Vec::with_capacity(events),
            genres: Lists::default(),
            artists: Lists::default(),
            name_key: Vec::with_capacity(events),
            name_hash: Vec::with_capacity(events),
            by_name_hash: Vec::new(),
            titles: Texts::default(),
            synonyms: Synonyms::default(),
            duration_max_us: 0,
            rank: vec![NONE; max_doc as usize],
            sets: Remembered::new(SETS_MAX, |_, _| 1),
            length_id: Vec::with_capacity(events),
            standings: standing::standings(events),
            near: standing::near_words(events),
            scoring: Mutex::default(),
            vectors: OnceLock::new(),
        }
    }

    /// How many events there are, deleted ones included.
    pub(crate) fn len(&self) -> usize {
        self.doc.len()
    }

    /// The rank of a document; none when it is no event.
    pub(crate) fn rank_of(&self, doc: DocId) -> Option<usize> {
        self.rank.get(doc as usize).filter(|rank| **rank != NONE).map(|rank| *rank as usize)
    }

    pub(crate) fn title(&self, rank: usize) -> &str {
        let start = rank.checked_sub(1).and_then(|before| self.titles.ends.get(before)).copied().unwrap_or(0);
        let end = self.titles.ends.get(rank).copied().unwrap_or(start);
        self.titles.text.get(start..end).unwrap_or_default()
    }

    /// The ranks of titles with this hash, in order.
    pub(crate) fn with_name_hash(&self, hash: u32) -> &[u32] {
        let of = |rank: &u32| self.name_hash.get(*rank as usize).copied().unwrap_or(u32::MAX);
        let from = self.by_name_hash.partition_point(|rank| of(rank) < hash);
        let same = self.by_name_hash.get(from..).unwrap_or_default();
        same.get(..same.partition_point(|rank| of(rank) == hash)).unwrap_or_default()
    }

    /// The set of ranks under a key, remembered.
    pub(crate) fn set(&self, key: SetKey) -> Arc<Bits> {
        if let Some(found) = self.sets.recall(&key) {
            return found;
        }
        let set = match &key {
            SetKey::City(numbers) => Bits::of(&self.city, |number| numbers.contains(number)),
            SetKey::Region(numbers) => Bits::of(&self.region, |number| numbers.contains(number)),
            SetKey::Country(numbers) => Bits::of(&self.country, |number| numbers.contains(number)),
            SetKey::Currency(numbers) => Bits::of(&self.currency, |number| numbers.contains(number)),
            SetKey::Venue(numbers) => Bits::of(&self.venue, |number| numbers.contains(number)),
            SetKey::Status(statuses) => Bits::of(&self.status, |status| statuses.contains(status)),
            SetKey::Genre(numbers) => self.genres.having(numbers),
            SetKey::Artist(numbers) => self.artists.having(numbers),
        };
        self.sets.remember(key, set)
    }
}

/// A segment's fast fields.
struct Source {
    kind: Column<u64>,
    id_high: Column<u64>,
    id_low: Column<u64>,
    slot: Column<u64>,
    starts_at: Column<i64>,
    expected_at: Column<i64>,
    ends_at: Column<i64>,
    opens_at: Column<i64>,
    closes_at: Column<i64>,
    presales: Column<i64>,
    status: Column<u64>,
    popularity: Column<u64>,
    boost: Column<u64>,
    capacity: Column<u64>,
    price_min: Column<i64>,
    price_max: Column<i64>,
    currency: Option<StrColumn>,
    image: Option<StrColumn>,
    venue: Option<StrColumn>,
    genres: Option<StrColumn>,
    artists: Option<StrColumn>,
    title: Option<StrColumn>,
    lengths: FieldNormReader,
}

impl Source {
    fn open(reader: &SegmentReader) -> tantivy::Result<Self> {
        let fast = reader.fast_fields();
        let number = |name: &str| {
            Ok::<_, tantivy::TantivyError>(
                fast.column_opt::<u64>(name)?.unwrap_or_else(|| Column::build_empty_column(reader.max_doc())),
            )
        };
        let signed = |name: &str| {
            Ok::<_, tantivy::TantivyError>(
                fast.column_opt::<i64>(name)?.unwrap_or_else(|| Column::build_empty_column(reader.max_doc())),
            )
        };
        Ok(Self {
            kind: number("kind")?,
            id_high: number("id_high")?,
            id_low: number("id_low")?,
            slot: number("slot")?,
            starts_at: signed("starts_at")?,
            expected_at: signed("expected_at")?,
            ends_at: signed("ends_at")?,
            opens_at: signed("sale_opens_at")?,
            closes_at: signed("sale_closes_at")?,
            presales: signed("presales")?,
            status: number("status")?,
            popularity: number("popularity")?,
            boost: number("boost")?,
            capacity: number("capacity")?,
            price_min: signed("price_min")?,
            price_max: signed("price_max")?,
            currency: fast.str("currency")?,
            image: fast.str("image")?,
            venue: fast.str("venue")?,
            genres: fast.str("genres")?,
            artists: fast.str("artists")?,
            title: fast.str("title")?,
            lengths: reader.get_fieldnorms_reader(fields().text)?,
        })
    }

    fn fill(&self, columns: &mut Columns, order: &[(i64, Uuid, DocId)], names: &RwLock<Names>) -> tantivy::Result<()> {
        let currency = numbers(self.currency.as_ref(), names, |n| &n.currencies, |n, text| n.currencies.intern(text))?;
        let image = numbers(self.image.as_ref(), names, |n| &n.images, |n, text| n.images.intern(text))?;
        let venue = numbers(self.venue.as_ref(), names, |n| &n.venues, Names::venue)?;
        let genres = numbers(self.genres.as_ref(), names, |n| &n.genres, |n, text| n.genres.intern(text))?;
        let artists = numbers(self.artists.as_ref(), names, |n| &n.artists, Names::artist)?;
        for (rank, (starts_at, id, doc)) in order.iter().enumerate() {
            let doc = *doc;
            if let Some(place) = columns.rank.get_mut(doc as usize) {
                *place = u32::try_from(rank).unwrap_or(NONE);
            }
            columns.doc.push(doc);
            columns.length_id.push(self.lengths.fieldnorm_id(doc));
            columns.id.push(*id);
            columns.starts_at.push(*starts_at);
            if let Some(expected_at) = self.expected_at.first(doc) {
                columns.unannounced.insert(rank);
                columns.expected_at.insert(rank, expected_at);
            }
            let ends_at = self.ends_at.first(doc);
            columns.ends_at.push(ends_at.unwrap_or(NO_INSTANT));
            let duration_us = ends_at.map_or(0, |ends_at| ends_at.saturating_sub(*starts_at));
            columns.duration_max_us = columns.duration_max_us.max(duration_us);
            columns.slot.push(small(&self.slot, doc));
            columns.opens_at.push(self.opens_at.first(doc).unwrap_or(0));
            columns.closes_at.push(self.closes_at.first(doc).unwrap_or(0));
            columns.status.push(u8::try_from(small(&self.status, doc)).unwrap_or(0));
            columns.popularity.push(small(&self.popularity, doc));
            columns.presales.push(self.presales.values_for_doc(doc));
            if let Some(boost) = u8::try_from(small(&self.boost, doc)).ok().filter(|boost| *boost > 0) {
                columns.pinned.insert(rank);
                columns.boosts.insert(rank, boost);
            }
            columns.capacity.push(small(&self.capacity, doc));
            columns.price_min.push(self.price_min.first(doc).unwrap_or(NO_PRICE));
            columns.price_max.push(self.price_max.first(doc).unwrap_or(NO_PRICE));
            columns.currency.push(each(self.currency.as_ref(), &currency, doc).next().unwrap_or(NONE));
            columns.image.push(each(self.image.as_ref(), &image, doc).next().unwrap_or(NONE));
            columns.venue.push(each(self.venue.as_ref(), &venue, doc).next().unwrap_or(NONE));
            columns.genres.push(each(self.genres.as_ref(), &genres, doc).filter(|number| *number != NONE));
            columns.artists.push(each(self.artists.as_ref(), &artists, doc).filter(|number| *number != NONE));
        }
        columns.popular = (0..u32::try_from(order.len()).unwrap_or(NONE)).collect();
        let popularity = &columns.popularity;
        columns.popular.sort_by_key(|rank| std::cmp::Reverse(popularity.get(*rank as usize)));
        self.fill_titles(columns, order)?;
        fill_places(columns, &names.read());
        Ok(())
    }

    fn fill_titles(&self, columns: &mut Columns, order: &[(i64, Uuid, DocId)]) -> tantivy::Result<()> {
        let mut ends = Vec::new();
        let mut text = String::new();
        if let Some(column) = &self.title {
            // The dictionary is read once in its own order; looking each title up would open its block each time.
            let mut stream = column.dictionary().stream()?;
            while stream.advance() {
                text.push_str(&String::from_utf8_lossy(stream.key()));
                ends.push(text.len());
            }
        }
        // Many events share a title.
        let mut names: HashMap<&str, (u64, u32)> = HashMap::new();
        for (_, _, doc) in order {
            let ord = self.title.as_ref().and_then(|column| column.ords().first(*doc));
            let title = ord.and_then(|ord| usize::try_from(ord).ok()).and_then(|ord| {
                let start = ord.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
                text.get(start..*ends.get(ord)?)
            });
            let title = title.unwrap_or_default();
            columns.titles.text.push_str(title);
            columns.titles.ends.push(columns.titles.text.len());
            let (key, hash) = match names.entry(title) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    let name = fold::name(title);
                    *new.insert((name_key(&name), name_hash(&name)))
                }
            };
            columns.name_key.push(key);
            columns.name_hash.push(hash);
        }
        columns.by_name_hash = (0..u32::try_from(order.len()).unwrap_or(NONE)).collect();
        let hashes = &columns.name_hash;
        columns.by_name_hash.sort_by_key(|rank| hashes.get(*rank as usize));
        Ok(())
    }
}

fn fill_places(columns: &mut Columns, names: &Names) {
    for venue in &columns.venue {
        let venue = names.venues.get(*venue).map(|entry| &entry.item);
        columns.city.push(venue.map_or(NONE, |venue| venue.city));
        columns.region.push(venue.map_or(NONE, |venue| venue.region));
        columns.country.push(venue.map_or(NONE, |venue| venue.country));
    }
}

/// The number of each of a text column's terms, by ordinal. Searches read the names while they run, so the names are locked
/// against them only for terms that are new.
fn numbers<T>(
    column: Option<&StrColumn>,
    names: &RwLock<Names>,
    table: fn(&Names) -> &Table<T>,
    intern: fn(&mut Names, &str) -> u32,
) -> tantivy::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    let mut new = Vec::new();
    let Some(column) = column else { return Ok(numbers) };
    let mut stream = column.dictionary().stream()?;
    let known = names.read();
    while stream.advance() {
        let text = std::str::from_utf8(stream.key()).unwrap_or_default();
        let number = table(&known).number(text);
        if number.is_none() {
            new.push((numbers.len(), text.to_owned()));
        }
        numbers.push(number.unwrap_or(NONE));
    }
    drop(known);
    if !new.is_empty() {
        let mut names = names.write();
        for (place, text) in new {
            if let Some(number) = numbers.get_mut(place) {
                *number = intern(&mut names, &text);
            }
        }
    }
    Ok(numbers)
}

fn each<'a>(column: Option<&'a StrColumn>, numbers: &'a [u32], doc: DocId) -> impl Iterator<Item = u32> + 'a {
    let ords = column.into_iter().flat_map(move |column| column.term_ords(doc));
    ords.filter_map(|ord| numbers.get(usize::try_from(ord).ok()?).copied())
}

fn small(column: &Column<u64>, doc: DocId) -> u32 {
    column.first(doc).and_then(|value| u32::try_from(value).ok()).unwrap_or(0)
}

/// The first eight bytes of a folded name as a number that sorts as they do.
pub(crate) fn name_key(name: &str) -> u64 {
    let mut key = [0; 8];
    for (place, byte) in key.iter_mut().zip(name.bytes()) {
        *place = byte;
    }
    u64::from_be_bytes(key)
}

/// A number that hardly any other folded name has.
pub(crate) fn name_hash(name: &str) -> u32 {
    crc32fast::hash(name.as_bytes())
}
