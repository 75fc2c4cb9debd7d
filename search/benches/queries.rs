//! What one search costs in process, without HTTP, in time on a core: `cargo bench -p search`. Each shape is a different query
//! every time.
//!
//! 200,000 events (or the number given as an argument) with words drawn as unevenly as in real catalogues, indexed, published to
//! a store in a temporary directory, and read by a replica as in service.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and ends by panicking")]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "made-up numbers are small")]

use jiff::{SignedDuration, Timestamp};
use model::{ArtistId, EventId, Lsn, UserId, VenueId};
use search::document::{Credit, EventDocument, Status, Tier, VenueRow};
use search::manifest::{Alias, Head, Manifest, ManifestFile, pack_path};
use search::replica::{Options, Replica};
use search::store::{Durability, Store};
use search::{Request, schema};
use serde_json::json;
use std::time::{Duration, Instant};
use tantivy::Index;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Makes a query string.
type Shape<'a> = &'a dyn Fn(&mut Dice) -> String;
/// Makes a text somebody is typing.
type Typing = fn(&mut Dice) -> String;

const WORDS: u64 = 20_000;
const ARTISTS: u64 = 5_000;
const VENUES: u64 = 400;
const CITIES: u64 = 60;
const GENRES: u64 = 20;

/// Numbers that look random, by `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) % n
    }

    /// Small numbers much more often than great ones.
    fn uneven(&mut self, n: u64) -> u64 {
        let (a, b) = (self.below(n) + 1, self.below(n) + 1);
        a * b / n * self.below(n) / n
    }
}

fn word(number: u64) -> String {
    let mut letters = String::new();
    let mut rest = number + 300;
    while rest > 0 {
        letters
            .push_str(["ka", "ro", "mi", "te", "su", "na", "lo", "vi", "de", "po", "sha", "ber"][(rest % 12) as usize]);
        rest /= 12;
    }
    letters
}

fn words(dice: &mut Dice, count: u64) -> String {
    (0..count).map(|_| word(dice.uneven(WORDS))).collect::<Vec<_>>().join(" ")
}

fn venue(number: u64) -> VenueRow {
    let city = number * number % CITIES;
    VenueRow {
        venue_id: VenueId(Uuid::from_u128(1 + u128::from(number))),
        name: format!("Hall {}", word(number)),
        city: format!("City {}", word(city)),
        district: None,
        region: None,
        country: ["US", "GB", "DE", "FR", "JP"][(city % 5) as usize].into(),
        lat: Some(city as f64),
        lon: Some(-(number as f64) / 4.0),
        timezone: "America/New_York".into(),
        version: 1,
    }
}

fn event(number: u64, now: Timestamp) -> EventDocument {
    let mut dice = Dice(number);
    let starts_at = now + SignedDuration::from_mins(60 + i64::try_from(dice.below(2 * 365 * 24 * 60)).unwrap());
    let artist = |n: u64| Credit {
        artist_id: ArtistId(Uuid::from_u128(1 + u128::from(n))),
        name: format!("{} {}", word(n), word(n * 7)),
        aliases: Vec::new(),
        role: "violin".into(),
        position: 0,
    };
    EventDocument {
        event_id: EventId(Uuid::from_u128(u128::from(number) << 64 | u128::from(dice.below(u64::MAX)))),
        slot: u32::try_from(number).unwrap(),
        organizer_id: UserId(Uuid::nil()),
        title: words(&mut dice, 5),
        description: String::new(),
        genres: vec![format!("genre {}", dice.uneven(GENRES))],
        works: json!(
            (0..6).map(|_| json!({"composer": words(&mut dice, 2), "title": words(&mut dice, 6)})).collect::<Vec<_>>()
        )
        .into(),
        image: None,
        popularity: u32::try_from(dice.uneven(1000)).unwrap(),
        boost: 0,
        status: Status::Scheduled,
        starts_at,
        ends_at: None,
        date_tba: false,
        venue: venue(dice.uneven(VENUES)),
        artists: (0..8).map(|_| artist(dice.uneven(ARTISTS))).collect(),
        tiers: vec![Tier {
            tier: 0,
            name: "A".into(),
            price: 1000 + i64::try_from(dice.below(90)).unwrap() * 100,
            all_in: None,
        }],
        layout_hash: String::new(),
        capacity: 2700,
        currency: "USD".parse().unwrap(),
        sale_opens_at: now,
        sale_closes_at: starts_at,
        presales: Vec::new(),
        hold_ttl_s: 600,
        buyer_limit: 8,
        version: 1,
    }
}

/// Indexes and publishes, as an indexer would.
async fn publish(store: &Store, events: u64, now: Timestamp) {
    let dir = tempfile::tempdir().unwrap();
    let index =
        Index::builder().schema(schema::schema()).settings(schema::settings()).create_in_dir(dir.path()).unwrap();
    schema::register(&index);
    let mut writer = index.writer_with_num_threads(2, 200_000_000).unwrap();
    for number in 0..events {
        writer.add_document(event(number, now).to_document().unwrap()).unwrap();
    }
    writer.commit().unwrap();
    writer.wait_merging_threads().unwrap();
    let meta = index.load_metas().unwrap();
    let mut files = Vec::new();
    for path in meta.list_segment_files() {
        let Ok(bytes) = std::fs::read(dir.path().join(&path)) else { continue };
        let pack = Uuid::now_v7();
        let (len_bytes, crc32) = (bytes.len() as u64, crc32fast::hash(&bytes));
        store.put(&pack_path(1, pack), bytes.into(), Durability::Visible).await.unwrap();
        files.push(ManifestFile { name: path.display().to_string(), len_bytes, crc32, pack, offset: 0 });
    }
    println!(
        "{} segments, {} MB",
        meta.segments.len(),
        files.iter().map(|file| file.len_bytes).sum::<u64>() / 1_000_000
    );
    let head = Head { epoch: 1, seq: 1, lsn: Lsn(1) };
    let index_meta = serde_json::value::to_raw_value(&meta).unwrap();
    let (format, schema) = (schema::FORMAT, schema::hash().to_owned());
    let manifest = Manifest { format, schema, seq: 1, prev: None, epoch: 1, lsn: head.lsn, index_meta, files };
    manifest.put(store, 1, Durability::Visible).await.unwrap();
    head.publish(store, 1, None, Durability::Visible).await.unwrap();
    Alias { generation: 1 }.publish(store, None).await.unwrap();
}

/// What somebody has typed so far.
const KEYSTROKES: [(&str, Typing); 4] = [
    ("suggest: 1 to 3 letters", |dice| beginning(&word(dice.uneven(WORDS)), 1 + dice.below(3))),
    ("suggest: most of a word", |dice| beginning(&word(dice.uneven(WORDS)), 4 + dice.below(4))),
    ("suggest: a word and a beginning", |dice| {
        format!("{} {}", word(dice.uneven(WORDS)), beginning(&word(dice.uneven(WORDS)), 1 + dice.below(4)))
    }),
    ("suggest: a word with a typing error", |dice| {
        let mut typed = word(dice.uneven(WORDS));
        typed.insert(1 + dice.below(3) as usize, 'x');
        typed
    }),
];

fn beginning(word: &str, letters: u64) -> String {
    word.chars().take(letters as usize).collect()
}

/// The time this thread has had a core, which others on the machine do not lengthen (Linux; `proc(5)`, schedstat). Yielding
/// brings the kernel's figure up to date.
fn on_core() -> Duration {
    std::thread::yield_now();
    let figures = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(figures.split(' ').next().unwrap().parse().unwrap())
}

/// Runs for two seconds and prints how long each took, which `one` says beside how much it found.
fn time(name: &str, dice: &mut Dice, one: &dyn Fn(&mut Dice) -> (Duration, u64)) {
    let mut times = Vec::new();
    let mut hits = 0;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        let (time, found) = one(dice);
        times.push(time);
        hits += found;
    }
    times.sort_unstable();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64() * 1e6;
    let mean = times.iter().sum::<Duration>().as_secs_f64() / times.len() as f64;
    println!(
        "{name:40} {:8.0}/s per core  p50 {:6.0} us  p99 {:6.0} us  {:8} found",
        1.0 / mean,
        at(50),
        at(99),
        hits / times.len() as u64
    );
}

fn main() {
    let events = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(200_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("file://{}", dir.path().join("store").display())).unwrap();
    let now = Timestamp::now();
    let began = Instant::now();
    runtime.block_on(publish(&store, events, now));
    println!("indexed {events} events in {:.1} s", began.elapsed().as_secs_f64());
    let options = Options::of(&store);
    let replica = Replica::open(store, dir.path().join("replica"), options).unwrap();
    let (running, stop) = (replica.clone(), CancellationToken::new());
    let began = Instant::now();
    let task = runtime.spawn({
        let stop = stop.clone();
        async move { running.run(stop).await }
    });
    runtime.block_on(replica.wait_for(Lsn(1), Duration::from_mins(5))).unwrap();
    println!("ready from cold in {:.2} s", began.elapsed().as_secs_f64());
    let view = replica.current().unwrap();
    let mut dice = Dice(7);
    let shapes: [(&str, Shape<'_>); 7] = [
        ("one frequent word, by date, 3 facets", &|dice| {
            format!("q={}+&sort=date&facets=genre,city,country&genre=genre+{}", word(dice.below(50)), dice.below(4))
        }),
        ("one word, top 10", &|dice| format!("q={}&limit=10", word(dice.uneven(WORDS)))),
        ("two words + city", &|dice| {
            format!(
                "q={}+{}&limit=10&city=City+{}",
                word(dice.uneven(WORDS)),
                word(dice.uneven(WORDS)),
                word(dice.below(CITIES))
            )
        }),
        ("genre + country, by date", &|dice| {
            format!(
                "genre=genre+{}&country={}&limit=20",
                dice.below(GENRES),
                ["US", "GB", "DE"][dice.below(3) as usize]
            )
        }),
        ("typo in a beginning", &|dice| format!("q={}x&limit=10", word(dice.uneven(WORDS)))),
        ("facets genre + city + artist", &|dice| {
            format!("facets=genre,city,artist&limit=1&price_max={}", 9000 + dice.below(900))
        }),
        ("radius + dates", &|dice| format!("lat={}&lon=-20&radius_km=500&from={}&limit=20", dice.below(60), now)),
    ];
    for (name, shape) in shapes {
        time(name, &mut dice, &|dice| {
            let request = Request::parse(&shape(dice)).unwrap();
            let began = on_core();
            let answer = view.search(&request, now).unwrap();
            std::hint::black_box(serde_json::to_vec(&answer).unwrap());
            (on_core().saturating_sub(began), answer.total)
        });
    }
    for (name, typed) in KEYSTROKES {
        time(name, &mut dice, &|dice| {
            let q = typed(dice);
            let began = on_core();
            let found = view.suggest(&q, 6, now).unwrap();
            std::hint::black_box(serde_json::to_vec(&found).unwrap());
            (on_core().saturating_sub(began), (found.events.len() + found.artists.len() + found.venues.len()) as u64)
        });
    }
    stop.cancel();
    runtime.block_on(task).unwrap();
}
