//! Random writes to every published table, in every way the constraints allow: what the indexer's tests throw at it.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use search::store::Store;
use std::path::Path;
use tests::{Database, Indexer};
use tokio_postgres::Client;

/// What the indexer's library is told to look at a test's database and store.
pub(crate) fn settings(database: &Database, data: &Path) -> indexer::Settings {
    let store = Store::open(&format!("file://{}", Indexer::store(data).display())).unwrap();
    indexer::Settings { database_url: database.url.clone(), store, work_dir: data.join("unused"), slot: None }
}

/// A writer with its own connection and seed.
pub(crate) struct Writes {
    database: Database,
    client: Client,
    random: StdRng,
}

/// Picks of random rows; each statement of the list is a transaction, and most touch a handful of rows.
const SOME_EVENTS: &str = "(select event_id from event order by random() limit 1 + floor(random() * 3)::int)";
const AN_EVENT: &str = "(select event_id from event order by random() limit 1)";
const A_VENUE: &str = "(select venue_id from venue order by random() limit 1)";
const AN_ARTIST: &str = "(select artist_id from artist order by random() limit 1)";

const STATEMENTS: &[&str] = &[
    "insert into venue (venue_id, name, city, country, timezone) values (gen_random_uuid(), md5(random()::text), 'Basel', 'CH', 'Europe/Zurich')",
    "insert into artist (artist_id, name) values (gen_random_uuid(), md5(random()::text))",
    "select make_event()",
    "begin; select make_event(); select make_event(); commit",
    "begin; select make_event(); update venue set name = 'Unseen'; rollback",
    "update event set title = md5(random()::text), version = version + 1 where event_id in SOME_EVENTS",
    "update event set description = (select string_agg(md5(random()::text), ' ') from generate_series(1, 200)) where event_id in SOME_EVENTS",
    "update event set popularity = popularity + 1, status = (array['scheduled', 'postponed', 'cancelled'])[1 + floor(random() * 3)::int] where event_id in SOME_EVENTS",
    "update event set venue_id = A_VENUE where event_id in SOME_EVENTS",
    "update venue set name = md5(random()::text), lat = random() * 90, lon = random() * 180 where venue_id = A_VENUE",
    "update artist set name = md5(random()::text), version = version + 1 where artist_id = AN_ARTIST",
    "update event_artist set artist_id = AN_ARTIST where event_id in SOME_EVENTS",
    "update event_artist set position = position + 1000, role = 'soloist' where event_id = AN_EVENT and position < 1000",
    "update artist set aliases = array[md5(random()::text), 'ベートーヴェン', 'a,\"b'] where artist_id = AN_ARTIST",
    "update event set date_tba = not date_tba, boost = floor(random() * 3) where event_id in SOME_EVENTS",
    "insert into event_presale select event_id, floor(random() * 3), 'Members', now(), now() + interval '1 day' from event where event_id in SOME_EVENTS on conflict (event_id, position) do update set name = event_presale.name || '!', closes_at = now() + interval '2 days'",
    "update event_presale set position = position + 100 where event_id = AN_EVENT and position < 100 and not exists (select from event_presale moved where moved.event_id = event_presale.event_id and moved.position = event_presale.position + 100)",
    "delete from event_presale where event_id in SOME_EVENTS",
    "insert into synonym (synonym_id, term, means) values (gen_random_uuid(), 'term ' || floor(random() * 20), array['\"new world\" dvorak']) on conflict (term) do update set means = synonym.means[1:3] || excluded.means, version = synonym.version + 1",
    "update synonym set synonym_id = gen_random_uuid() where random() < 0.2",
    "delete from synonym where random() < 0.1",
    "delete from event_artist where event_id = AN_EVENT",
    "insert into event_artist select event_id, 3000, artist_id, 'composer' from event, artist where event_id = AN_EVENT and artist_id = AN_ARTIST on conflict do nothing",
    "insert into event_tier select event_id, 3, 'Fourth', 400 from event where event_id in SOME_EVENTS on conflict (event_id, tier) do update set price = event_tier.price + 1",
    "update event_tier t set tier = tier + 10 where event_id = AN_EVENT and tier < 10 and not exists (select from event_tier moved where moved.event_id = t.event_id and moved.tier = t.tier + 10)",
    "delete from event_tier where event_id = AN_EVENT and tier = 0",
    "insert into availability select event_id, slot, 1, capacity, capacity, 100 from event where event_id in SOME_EVENTS on conflict (event_id) do update set version = availability.version + 1, seats_left = greatest(availability.seats_left - 1, 1)",
    "delete from event where event_id in SOME_EVENTS and not exists (select from availability a where a.event_id = event.event_id)",
    "begin; update venue set city = md5(random()::text) where venue_id = A_VENUE; update event set venue_id = A_VENUE where event_id in SOME_EVENTS; update artist set name = md5(random()::text) where artist_id = AN_ARTIST; commit",
    "with bare as (select e.event_id from event e where not exists (select from event_artist a where a.event_id = e.event_id) and not exists (select from event_tier t where t.event_id = e.event_id) and not exists (select from event_presale p where p.event_id = e.event_id) and not exists (select from availability a where a.event_id = e.event_id) limit 1) update event set event_id = gen_random_uuid() where event_id in (select event_id from bare)",
    "delete from venue v where not exists (select from event e where e.venue_id = v.venue_id) and random() < 0.3",
    "update venue v set venue_id = gen_random_uuid() where not exists (select from event e where e.venue_id = v.venue_id) and random() < 0.3",
    "delete from artist a where not exists (select from event_artist e where e.artist_id = a.artist_id) and random() < 0.1",
];

/// Rare, since they leave little behind.
const TRUNCATES: &[&str] = &[
    "truncate event_artist",
    "truncate event_tier",
    "begin; set local session_replication_role = replica; truncate event_presale cascade; commit",
    "truncate synonym",
];

const PREPARE: &str = "
    insert into account (user_id, email, name, role, password_hash)
        values (gen_random_uuid(), 'organizer@example.test', 'Organizer', 'organizer', '!');
    insert into layout (layout_hash, name, capacity, plan) values (encode(sha256('plan'), 'hex'), 'Plan', 500, 'plan');
    create function make_event() returns void language plpgsql as $$
    declare event uuid := gen_random_uuid();
    begin
        insert into event (event_id, organizer_id, venue_id, title, description, genres, works, starts_at, layout_hash, capacity, currency,
                sale_opens_at, sale_closes_at)
            select event, (select user_id from account limit 1), (select venue_id from venue order by random() limit 1), md5(random()::text),
                (select string_agg(md5(random()::text), ' ') from generate_series(1, 1 + floor(random() * 150)::int)),
                array['Orchestral', 'a,b \"c\"'], jsonb_build_array(jsonb_build_object('composer', 'Bach', 'title', md5(random()::text))),
                now() + random() * interval '300 days', encode(sha256('plan'), 'hex'), 500, 'USD', now(), now() + interval '400 days';
        insert into event_artist select event, row_number() over () - 1, artist_id, 'soloist'
            from (select artist_id from artist order by random() limit 3) picked;
        insert into event_tier select event, tier, 'Tier ' || tier, 1000 * (tier + 1) from generate_series(0, 2) tier;
    end $$";

impl Writes {
    /// Connects and makes what the statements need; no row of a published table yet.
    pub(crate) async fn new(database: &Database, seed: u64) -> Self {
        let client = database.connect().await;
        client.batch_execute(PREPARE).await.unwrap();
        Self { database: database.clone(), client, random: StdRng::seed_from_u64(seed) }
    }

    /// Chooses from here on as this seed does.
    pub(crate) fn begin_again(&mut self, seed: u64) {
        self.random = StdRng::seed_from_u64(seed);
    }

    /// A new connection, where the last one broke.
    pub(crate) async fn reconnect(&mut self) {
        self.client = self.database.connect().await;
    }

    /// A few rows of every table.
    pub(crate) async fn seed(&mut self) {
        for statement in &STATEMENTS[..2] {
            for _ in 0..12 {
                self.sql(statement).await;
            }
        }
        self.sql("select make_event() from generate_series(1, 40)").await;
        self.sql("insert into availability select event_id, slot, 1, capacity, capacity, 100 from event limit 5").await;
    }

    /// One random transaction.
    pub(crate) async fn step(&mut self) {
        let rare = self.random.random_bool(0.01);
        let statement = if rare { TRUNCATES.choose(&mut self.random) } else { STATEMENTS.choose(&mut self.random) };
        self.sql(statement.unwrap()).await;
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        self.random.random_range(0..end)
    }

    /// So many events in one transaction, on the venues and artists that there are.
    pub(crate) async fn many_events(&self, count: u32) {
        self.sql(&format!("select make_event() from generate_series(1, {count})")).await;
    }

    /// Runs statements, with names of random rows filled in.
    pub(crate) async fn sql(&self, sql: &str) {
        let sql = sql
            .replace("SOME_EVENTS", SOME_EVENTS)
            .replace("AN_EVENT", AN_EVENT)
            .replace("A_VENUE", A_VENUE)
            .replace("AN_ARTIST", AN_ARTIST);
        self.client.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
}
