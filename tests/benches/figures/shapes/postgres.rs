//! The same questions put to Postgres itself: one flat table with GIN and composite indexes, prepared statements, 16 connections.
//!
//! A misspelt word is first looked up among all words by trigrams. An answer has what ours has: rows for the cards and the total.

use super::{CONNECTIONS, Make, Question, SPAN, Vocabulary, WARM};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tests::Database;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

const WORDS: usize = 2_000;

const TABLE: &str = "
    create extension if not exists pg_trgm;
    create extension if not exists unaccent;
    create table bench_event as
        select e.event_id, e.slot, e.title, e.starts_at, e.genres, e.image, e.currency, e.popularity, v.name as venue, v.city,
            v.country, v.lat, v.lon, coalesce(a.names, '{}') as artists, t.price_min, t.price_max,
            setweight(to_tsvector('simple', unaccent(e.title)), 'A')
                || setweight(to_tsvector('simple', unaccent(array_to_string(coalesce(a.names, '{}'), ' '))), 'B')
                || setweight(to_tsvector('simple', unaccent(coalesce(w.titles, '') || ' ' || v.name || ' ' || v.city)), 'C') as words
        from event e join venue v using (venue_id)
        left join lateral (select array_agg(artist.name order by position) as names
            from event_artist join artist using (artist_id) where event_id = e.event_id) a on true
        left join lateral (select string_agg(work->>'title', ' ') as titles from jsonb_array_elements(e.works) work) w on true
        left join lateral (select min(coalesce(all_in, price)) as price_min, max(coalesce(all_in, price)) as price_max
            from event_tier where event_id = e.event_id) t
            on true;
    create index on bench_event using gin (words) with (fastupdate = off);
    create index on bench_event using gin (genres, country, city) with (fastupdate = off);
    create index on bench_event (country, starts_at, event_id);
    create index on bench_event (city, starts_at, event_id);
    create index on bench_event (starts_at, event_id);
    create index on bench_event (lat, lon, starts_at);
    create table bench_word as select word, ndoc from ts_stat('select words from bench_event where slot % 20 = 0');
    create index on bench_word using gin (word gin_trgm_ops);
    vacuum analyze bench_event;
    vacuum analyze bench_word;";

const CARD: &str = "event_id::text, title, starts_at::text, genres, image, currency, venue, city, country, lat, lon, artists, price_min, price_max";

/// Makes the flat table and says what questions can be made of.
pub(super) async fn prepare(database: &Database) -> anyhow::Result<Vocabulary> {
    let client = database.connect().await;
    client.batch_execute("create extension if not exists btree_gin").await?;
    for statement in TABLE.split(';').filter(|statement| !statement.trim().is_empty()) {
        client.batch_execute(statement).await?;
    }
    let texts = async |sql: &str| -> anyhow::Result<Vec<String>> {
        Ok(client.query(sql, &[]).await?.iter().map(|row| row.get(0)).collect())
    };
    let words = "select word from bench_word where word ~ '^[a-z]{6,}$' order by ndoc desc limit 2000";
    let genres =
        "select unnest(genres) from bench_event where slot % 20 = 0 group by 1 order by count(*) desc limit 12";
    let countries = "select country from bench_event where slot % 20 = 0 group by 1 order by count(*) desc limit 16";
    let cities = "select city, avg(lat), avg(lon) from bench_event where slot % 20 = 0 and lat is not null group by 1
        order by count(*) desc limit 64";
    let cities = client.query(cities, &[]).await?;
    let starts = "select extract(epoch from min(starts_at))::bigint, extract(epoch from max(starts_at))::bigint from bench_event";
    let starts = client.query_one(starts, &[]).await?;
    let vocabulary = Vocabulary {
        words: texts(words).await?,
        cities: cities.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect(),
        genres: texts(genres).await?,
        countries: texts(countries).await?,
        starts: (starts.get(0), starts.get(1)),
    };
    anyhow::ensure!(vocabulary.words.len() * 4 > WORDS, "only {} words", vocabulary.words.len());
    Ok(vocabulary)
}

/// Answers per second.
pub(super) async fn per_s(database: &Database, vocabulary: &Arc<Vocabulary>, make: Make) -> anyhow::Result<f64> {
    let (counter, answered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let measured_from = Instant::now() + WARM;
    let end = measured_from + SPAN;
    let mut loops = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = database.connect().await;
        client.batch_execute("set jit = off; set work_mem = '64MB'; set pg_trgm.similarity_threshold = 0.4").await?;
        let (vocabulary, counter, answered) = (Arc::clone(vocabulary), Arc::clone(&counter), Arc::clone(&answered));
        loops.push(tokio::spawn(async move {
            let mut connection = Connection { client, prepared: HashMap::new() };
            while Instant::now() < end {
                let n = counter.fetch_add(1, Ordering::Relaxed);
                connection.ask(&make(&vocabulary, n)).await?;
                let now = Instant::now();
                if now >= measured_from && now < end {
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            }
            anyhow::Ok(())
        }));
    }
    for one in loops {
        one.await??;
    }
    Ok(answered.load(Ordering::Relaxed) as f64 / SPAN.as_secs_f64())
}

type Values = Vec<Box<dyn ToSql + Sync + Send>>;

struct Connection {
    client: Client,
    prepared: HashMap<String, Statement>,
}

impl Connection {
    /// Page and counts, as one of our answers has them.
    async fn ask(&mut self, question: &Question) -> anyhow::Result<()> {
        let (filter, values) = filter(question);
        let order = match (question.by_date, question.fuzzy) {
            (true, _) => "starts_at, event_id",
            (false, true) => "popularity desc",
            (false, false) => "ts_rank(words, ($1::text)::tsquery) desc",
        };
        let limit = question.limit;
        self.query(format!("select {CARD} from bench_event where {filter} order by {order} limit {limit}"), &values)
            .await?;
        let counts = if question.facets {
            format!(
                "with found as materialized (select genres, city from bench_event where {filter})
                 select 'total', null, count(*) from found
                 union all select 'city', city, count(*) from found group by 2
                 union all select 'genre', genre, count(*) from found, unnest(genres) genre group by 2"
            )
        } else {
            format!("select count(*) from bench_event where {filter}")
        };
        self.query(counts, &values).await?;
        Ok(())
    }

    async fn query(&mut self, sql: String, values: &Values) -> anyhow::Result<Vec<Row>> {
        if !self.prepared.contains_key(&sql) {
            self.prepared.insert(sql.clone(), self.client.prepare(&sql).await?);
        }
        let values: Vec<&(dyn ToSql + Sync)> =
            values.iter().map(|value| value.as_ref() as &(dyn ToSql + Sync)).collect();
        Ok(self.client.query(&self.prepared[&sql], &values).await?)
    }
}

/// A condition with its parameters' values; the words, if any, are the first.
fn filter(question: &Question) -> (String, Values) {
    let mut filters = Vec::new();
    let mut values: Values = Vec::new();
    let mut add = |filter: &str, value: Box<dyn ToSql + Sync + Send>| {
        values.push(value);
        filters.push(filter.replace('?', &format!("${}", values.len())));
    };
    if question.fuzzy {
        let near = "(select coalesce(string_agg(word, ' | '), 'zzzz')::tsquery from (select word from bench_word
            where word % ?::text order by similarity(word, ?::text) desc, ndoc desc limit 10) near)";
        add(&format!("words @@ {near}"), Box::new(question.words.clone()));
    } else if !question.words.is_empty() {
        // The last word may be unfinished, as ours is.
        add("words @@ (?::text)::tsquery", Box::new(format!("{}:*", question.words.replace(' ', " & "))));
    }
    for (column, value) in [("city", &question.city), ("country", &question.country)] {
        if let Some(value) = value {
            add(&format!("{column} = ?"), Box::new(value.clone()));
        }
    }
    if let Some(genre) = &question.genre {
        add("genres @> array[?::text]", Box::new(genre.clone()));
    }
    if let Some([west, south, east, north]) = question.bbox {
        for (bound, degrees) in [("lat >= ?", south), ("lat <= ?", north), ("lon >= ?", west), ("lon <= ?", east)] {
            add(bound, Box::new(degrees));
        }
    }
    if let Some((from, to)) = question.span {
        for (bound, second) in [(">=", from), ("<", to)] {
            add(&format!("starts_at {bound} to_timestamp(?)"), Box::new(second as f64));
        }
    }
    (filters.join(" and "), values)
}
