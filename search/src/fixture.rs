//! Events and published indexes for tests: the same every time for the same number.

use crate::document::{Credit, EventDocument, Kind, Presale, Status, SynonymRow, Tier, VenueRow, id_term};
use crate::manifest::{Alias, Head, Manifest, ManifestFile, pack_path};
use crate::schema;
use crate::store::{Durability, Store, Tag};
use jiff::Timestamp;
use model::{ArtistId, EventId, Lsn, UserId, VenueId};
use serde_json::json;
use std::collections::HashMap;
use tantivy::{Index, IndexWriter};
use uuid::Uuid;

/// Other names some of them are known by, by number.
pub(crate) const ALIASES: [(usize, &str); 3] = [(1, "Antonin Dworschak"), (5, "NY Phil"), (6, "Tokyo Symphony")];
pub(crate) const ARTISTS: [&str; 7] = [
    "Gustav Mahler",
    "Antonín Dvořák",
    "Clara Schumann",
    "Robert Schumann",
    "Leonard Bernstein",
    "New York Philharmonic",
    "東京交響楽団",
];
/// Terms and what else they mean.
pub(crate) const SYNONYMS: [(&str, &[&str]); 3] =
    [("czech master", &["dvorak"]), ("farewell", &["\"evening gala\"", "kaddish mahler"]), ("titan", &["\"no 5\""])];
pub(crate) const GENRES: [&str; 4] = ["symphony", "chamber", "opera", "Lieder"];
pub(crate) const WORDS: [&str; 8] =
    ["Titan", "Resurrection", "Rusalka", "Requiem", "Kaddish", "Candide", "Evening", "Gala"];
/// name, city, region, country, coordinates, zone
pub(crate) type VenueLine =
    (&'static str, &'static str, Option<&'static str>, &'static str, Option<(f64, f64)>, &'static str);
pub(crate) const VENUES: [VenueLine; 9] = [
    ("Carnegie Hall", "New York", Some("NY"), "US", Some((40.765, -73.98)), "America/New_York"),
    ("Geffen Hall", "New York", Some("NY"), "US", Some((40.7725, -73.983)), "America/New_York"),
    ("Suntory Hall", "Tokyo", None, "JP", Some((35.667, 139.741)), "Asia/Tokyo"),
    ("Rudolfinum", "Praha", None, "CZ", None, "Europe/Prague"),
    ("東京文化会館", "東京", None, "JP", Some((35.714, 139.775)), "Asia/Tokyo"),
    ("Dome at the Pole", "South Pole", None, "AQ", Some((-90.0, 12.0)), "Antarctica/McMurdo"),
    ("Line Hall", "Taveuni", None, "FJ", Some((-16.8, 180.0)), "Pacific/Fiji"),
    ("Aleut Hall", "Adak", Some("AK"), "US", Some((51.88, -176.65)), "America/Adak"),
    ("Suva Civic", "Suva", None, "FJ", Some((-18.14, 178.42)), "Pacific/Fiji"),
];
/// The instant tests take for the present: 2026-11-24T12:00Z, a Tuesday.
pub(crate) const NOW_S: i64 = 1_795_521_600;

/// A stream of numbers that look random.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ z >> 31) % n as u64).unwrap()
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(NOW_S).unwrap()
}

pub(crate) fn venue(n: usize) -> VenueRow {
    let (name, city, region, country, place, timezone) = VENUES[n];
    VenueRow {
        venue_id: VenueId(Uuid::from_u128(0x1000 + n as u128)),
        name: name.into(),
        city: city.into(),
        district: None,
        region: region.map(Into::into),
        country: country.into(),
        lat: place.map(|place| place.0),
        lon: place.map(|place| place.1),
        timezone: timezone.into(),
        version: 1,
    }
}

pub(crate) fn event(n: u32) -> EventDocument {
    let mut dice = Dice(u64::from(n));
    let mut artists: Vec<usize> = (0..dice.below(4)).map(|_| dice.below(ARTISTS.len())).collect();
    artists.dedup();
    // Some of them beyond the changes of clocks in March.
    let days = if dice.below(3) == 0 { 150 } else { 40 };
    let hours = i64::try_from(dice.below(24 * days)).unwrap() - 24 * 10;
    let starts_at = Timestamp::from_second(NOW_S + hours * 3600).unwrap();
    let later = |hours: i64| starts_at + jiff::SignedDuration::from_hours(hours);
    let word = |dice: &mut Dice| WORDS[dice.below(WORDS.len())];
    let tiers = (0..dice.below(3)).map(|t| (t, 1000 * (1 + dice.below(9)))).collect::<Vec<_>>();
    EventDocument {
        event_id: EventId(Uuid::from_u128(u128::from(n).reverse_bits() | u128::from(n))),
        slot: n,
        organizer_id: UserId(Uuid::from_u128(1)),
        title: format!("{} {}", word(&mut dice), word(&mut dice)),
        description: format!("A {} of {}", word(&mut dice), word(&mut dice)),
        genres: vec![GENRES[dice.below(GENRES.len())].into()],
        works: json!([{"composer": ARTISTS[dice.below(4)], "title": format!("No. {}", dice.below(12))}]).into(),
        image: None,
        boost: u8::from(dice.below(12) == 0),
        popularity: u32::try_from(dice.below(5)).unwrap(),
        status: [Status::Scheduled, Status::Scheduled, Status::Postponed, Status::Cancelled][dice.below(4)],
        starts_at,
        date_tba: dice.below(8) == 0,
        ends_at: (dice.below(2) == 0).then(|| later(2)),
        venue: venue(dice.below(VENUES.len())),
        artists: (0_i16..)
            .zip(artists)
            .map(|(position, n)| Credit {
                artist_id: ArtistId(Uuid::from_u128(0x2000 + n as u128)),
                name: ARTISTS[n].into(),
                aliases: ALIASES.iter().filter(|alias| alias.0 == n).map(|alias| alias.1.into()).collect(),
                role: "artist".into(),
                position,
            })
            .collect(),
        tiers: tiers
            .into_iter()
            .map(|(t, price)| Tier {
                tier: u16::try_from(t).unwrap(),
                name: format!("tier {t}"),
                price: i64::try_from(price).unwrap(),
                all_in: (price % 3 == 0).then(|| i64::try_from(price).unwrap() + 250),
            })
            .collect(),
        layout_hash: "0".repeat(64),
        capacity: 10 * (1 + u32::try_from(dice.below(3)).unwrap()),
        currency: if dice.below(2) == 0 { "USD" } else { "JPY" }.parse().unwrap(),
        sale_opens_at: later(-24 * (1 + i64::try_from(dice.below(20)).unwrap())),
        sale_closes_at: later(-i64::try_from(dice.below(4)).unwrap()),
        presales: (0..dice.below(3))
            .map(|n| Presale {
                position: i16::try_from(n).unwrap(),
                name: format!("presale {n}"),
                opens_at: later(-24 * (25 - 20 * i64::try_from(n).unwrap())),
                closes_at: later(-24 * (15 - 13 * i64::try_from(n).unwrap())),
            })
            .collect(),
        hold_ttl_s: 600,
        buyer_limit: 8,
        version: 1,
    }
}

/// An indexer of a kind: commits events to an index and publishes every commit.
pub(crate) struct Publisher {
    pub(crate) store: Store,
    pub(crate) generation: u32,
    pub(crate) index: Index,
    writer: IndexWriter,
    dir: tempfile::TempDir,
    head: Option<(Head, Tag)>,
    packed: HashMap<String, ManifestFile>,
}

impl Publisher {
    pub(crate) fn new(store: Store, generation: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let index =
            Index::builder().schema(schema::schema()).settings(schema::settings()).create_in_dir(dir.path()).unwrap();
        schema::register(&index);
        let writer = index.writer_with_num_threads(1, 20_000_000).unwrap();
        Self { store, generation, index, writer, dir, head: None, packed: HashMap::new() }
    }

    pub(crate) fn write(&mut self, events: &[EventDocument], deleted: &[EventId]) {
        for event in events {
            self.writer.delete_term(id_term(Kind::Event, event.event_id.0));
            self.writer.add_document(event.to_document().unwrap()).unwrap();
        }
        for event in deleted {
            self.writer.delete_term(id_term(Kind::Event, event.0));
        }
        self.writer.add_document(venue(0).to_document().unwrap()).unwrap();
        self.writer.commit().unwrap();
    }

    /// Adds synonyms, or takes them away again.
    pub(crate) fn write_synonyms(&mut self, synonyms: &[(&str, &[&str])], deleted: &[&str]) {
        let id = |term: &str| Uuid::new_v5(&Uuid::NAMESPACE_OID, term.as_bytes());
        for (term, means) in synonyms {
            self.writer.delete_term(id_term(Kind::Synonym, id(term)));
            let means = means.iter().map(|text| (*text).to_owned()).collect();
            let row = SynonymRow { synonym_id: id(term), term: (*term).into(), means, version: 1 };
            self.writer.add_document(row.to_document().unwrap()).unwrap();
        }
        for term in deleted {
            self.writer.delete_term(id_term(Kind::Synonym, id(term)));
        }
        self.writer.commit().unwrap();
    }

    /// Merges all segments into one.
    pub(crate) fn merge(&mut self) {
        let segments = self.index.searchable_segment_ids().unwrap();
        self.writer.merge(&segments).wait().unwrap();
    }

    pub(crate) async fn publish(&mut self, lsn: u64) -> Manifest {
        let meta = self.index.load_metas().unwrap();
        let pack = Uuid::now_v7();
        let mut bytes = Vec::new();
        let mut files = Vec::new();
        for path in meta.list_segment_files() {
            let Ok(content) = std::fs::read(self.dir.path().join(&path)) else { continue };
            let name = path.display().to_string();
            let packed = self.packed.entry(name.clone()).or_insert_with(|| {
                let offset = bytes.len() as u64;
                bytes.extend(&content);
                ManifestFile { name, len_bytes: content.len() as u64, crc32: crc32fast::hash(&content), pack, offset }
            });
            files.push(packed.clone());
        }
        self.store.put(&pack_path(self.generation, pack), bytes.into(), Durability::Visible).await.unwrap();
        let seq = self.head.as_ref().map_or(1, |(head, _)| head.seq + 1);
        let manifest = Manifest {
            format: schema::FORMAT,
            schema: schema::hash().into(),
            seq,
            prev: seq.checked_sub(1).filter(|prev| *prev > 0),
            epoch: 1,
            lsn: Lsn(lsn),
            index_meta: serde_json::value::to_raw_value(&meta).unwrap(),
            files,
        };
        manifest.put(&self.store, self.generation, Durability::Visible).await.unwrap();
        let head = Head { epoch: 1, seq, lsn: Lsn(lsn) };
        let expected = self.head.as_ref().map(|(_, tag)| tag);
        let tag = head.publish(&self.store, self.generation, expected, Durability::Visible).await.unwrap();
        self.head = Some((head, tag));
        manifest
    }

    pub(crate) async fn point_alias(&self) {
        let before = Alias::read(&self.store).await.unwrap().map(|(_, tag)| tag);
        Alias { generation: self.generation }.publish(&self.store, before.as_ref()).await.unwrap();
    }
}
