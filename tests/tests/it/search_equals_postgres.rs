//! Generated searches over HTTP against a brute-force filter in SQL over the same rows: ids in order, totals, facets.
//!
//! The SQL knows nothing of the index: it folds words by Postgres's own Unicode normalisation and filters whole rows.

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;
use tests::{Client, Database, Server, binary, until};

const EVENTS: i64 = 2_000;
const SEARCHES: usize = 120;
const PAGE: usize = 100;
const FACETS: [&str; 5] = ["genre", "city", "country", "availability", "date"];

/// Every event with what a search may ask about it, one row each.
const ROWS: &str = r#"
    create function fold(t text) returns text language sql immutable as $$
        select lower(regexp_replace(translate(normalize(t, nfkd), 'øØłŁđĐı', 'oOlLdDi'), '[\u0300-\u036f]', '', 'g')) $$;
    create table brute as
        select e.event_id, e.title, e.genres, e.status, e.starts_at, e.currency, e.popularity, e.sale_opens_at, e.sale_closes_at,
            v.name as venue, v.city, v.country, v.lat, v.lon, (e.starts_at at time zone v.timezone)::date as local_date,
            coalesce(a.seats_left, e.capacity) as seats_left,
            case when a.seats_left is null then t.price else a.price_min end as price,
            case when a.seats_left = 0 then 'sold-out' when a.seats_left * 10 <= e.capacity then 'few' else 'available' end
                as availability,
            array(select p.name from event_artist x join artist p using (artist_id) where x.event_id = e.event_id) as artists,
            (select ' ' || string_agg(regexp_replace(fold(part), '[^[:alnum:]]+', ' ', 'g'), ' | ') || ' ' from (
                select unnest(array[e.title, e.description, v.name, v.city] || e.genres) union all
                select w #>> '{}' from jsonb_path_query(e.works, '$.** ? (@.type() == "string")') w) parts (part)) as parts,
            regexp_split_to_array(fold(concat_ws(' ', e.title, e.description, v.name, v.city, array_to_string(e.genres, ' '),
                (select string_agg(p.name || ' ' || array_to_string(p.aliases, ' '), ' ')
                    from event_artist x join artist p using (artist_id) where x.event_id = e.event_id),
                (select string_agg(w #>> '{}', ' ') from jsonb_path_query(e.works, '$.** ? (@.type() == "string")') w))),
                '[^[:alnum:]]+') as words
        from event e join venue v using (venue_id) left join availability a using (event_id)
            left join lateral (select min(coalesce(all_in, price)) as price from event_tier t where t.event_id = e.event_id) t on true"#;

/// A third of the events partly or wholly sold.
const SALES: &str = "
    insert into availability (event_id, slot, version, seats_total, seats_left, price_min)
    select event_id, slot, 7, capacity, case slot % 4 when 0 then 0 when 1 then 1 else capacity / 2 end,
        case slot % 4 when 0 then null else 1000 + slot % 50 * 100 end
    from event where slot % 3 = 0 on conflict (event_id) do update
        set version = availability.version + 7, seats_left = excluded.seats_left, price_min = excluded.price_min";

/// One search: as a query string and as SQL.
#[derive(Debug, Default)]
struct Search {
    query: Vec<(String, String)>,
    /// A condition each, under the facet it belongs to.
    conditions: Vec<(&'static str, String)>,
    order: String,
}

/// Values to ask for, as the rows have them.
struct Pools {
    artists: Vec<String>,
    cities: Vec<String>,
    venues: Vec<String>,
    genres: Vec<String>,
    words: Vec<String>,
    phrases: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn generated_searches_find_what_sql_finds() {
    let database = Database::migrated().await;
    let data = tempfile::tempdir().unwrap();
    let mut demo = Command::new(binary("frontrow"));
    demo.args(["demo", "--events", &EVENTS.to_string(), "--database-url", &database.url, "--data"]).arg(data.path());
    assert!(tokio::task::spawn_blocking(move || demo.status().unwrap()).await.unwrap().success());
    let sql = database.connect().await;
    sql.batch_execute(SALES).await.unwrap();
    sql.batch_execute(ROWS).await.unwrap();
    let server = Server::start_on(&database, data.path(), |_| {}).await;
    let visitor = server.visitor();
    let sold = database.number("select count(*) from brute where availability = 'sold-out'").await;
    until("the index has every event and its availability", async || {
        let all =
            visitor.get("/event?limit=1&include_past=true&status=scheduled&status=postponed&status=cancelled").await;
        let gone = visitor.get("/event?limit=1&availability=sold-out").await;
        (all.json["total"] == EVENTS && gone.json["total"] == sold).then_some(())
    })
    .await;

    let pools = pools(&sql).await;
    let mut dice = SmallRng::seed_from_u64(20_261_124);
    let (mut nonempty, mut with_words) = (0, 0);
    for _ in 0..SEARCHES {
        let search = generate(&mut dice, &pools);
        let expected = ids_by_sql(&sql, &search).await;
        let (found, total, facets) = ask(&visitor, &search).await;
        assert_eq!(total, expected.len(), "{search:?}");
        assert_eq!(found, expected, "{search:?}");
        for facet in FACETS {
            assert_eq!(facets[facet], facet_by_sql(&sql, &search, facet).await, "{facet} of {search:?}");
        }
        nonempty += usize::from(!expected.is_empty());
        with_words += usize::from(search.query.iter().any(|(name, _)| name == "q"));
    }
    assert!(nonempty > SEARCHES / 3 && with_words > SEARCHES / 5, "{nonempty} with hits, {with_words} with words");
}

async fn pools(sql: &tokio_postgres::Client) -> Pools {
    let texts = async |statement: &str| -> Vec<String> {
        sql.query(statement, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    };
    Pools {
        artists: texts("select name from artist join event_artist using (artist_id) group by name order by count(*) desc, name limit 40").await,
        cities: texts("select distinct city from brute order by city").await,
        venues: texts("select venue from brute group by venue order by count(*) desc, venue limit 20").await,
        genres: texts("select distinct unnest(genres) from brute order by 1").await,
        // A word that hardly any event has also finds its neighbours, and a synonym what it means, which SQL does not.
        words: texts(
            "select w from brute, unnest(words) w where w ~ '^[a-z]+$'
             and w not in (select unnest(string_to_array(term, ' ')) from synonym)
             group by w having count(distinct event_id) >= 3 order by md5(w) limit 400",
        )
        .await,
        phrases: texts(
            "select distinct (regexp_match(parts, '[a-z]{2,} [a-z]+ [a-z0-9]+'))[1] from brute
             where parts ~ '[a-z]{2,} [a-z]+ [a-z0-9]+' order by 1 limit 400",
        )
        .await,
    }
}

impl Search {
    fn filter(&mut self, about: &'static str, name: &str, value: impl Into<String>, condition: impl Into<String>) {
        self.query.push((name.to_owned(), value.into()));
        self.conditions.push((about, condition.into()));
    }
}

fn generate(dice: &mut SmallRng, pools: &Pools) -> Search {
    let mut search = Search::default();
    let pick = |dice: &mut SmallRng, from: &[String]| from[dice.random_range(0..from.len())].clone();
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    if dice.random_bool(0.4) {
        words(dice, pools, &mut search);
    }
    if dice.random_bool(0.2) {
        // Two of one name mean either.
        let (one, other) = (pick(dice, &pools.cities), pick(dice, &pools.cities));
        search.query.push(("city".into(), one.to_uppercase()));
        search.filter("city", "city", &other, format!("city in ({}, {})", quoted(&one), quoted(&other)));
    }
    if dice.random_bool(0.2) {
        let genre = pick(dice, &pools.genres);
        search.filter("genre", "genre", &genre, format!("{} = any(genres)", quoted(&genre)));
    }
    if dice.random_bool(0.15) {
        let artist = pick(dice, &pools.artists);
        search.filter("artist", "artist", &artist, format!("{} = any(artists)", quoted(&artist)));
    }
    if dice.random_bool(0.1) {
        let venue = pick(dice, &pools.venues);
        search.filter("venue", "venue", &venue, format!("venue = {}", quoted(&venue)));
    }
    if dice.random_bool(0.2) {
        search.filter("country", "country", "us", "country = 'US'");
    }
    times_and_sales(dice, &mut search);
    let orders = [
        ("date", "starts_at"),
        ("-date", "starts_at desc"),
        ("price", "price nulls last"),
        ("-price", "price desc nulls last"),
        ("popularity", "popularity desc"),
        ("availability", "seats_left desc"),
        ("on_sale", "sale_opens_at"),
    ];
    let (name, order) = orders[dice.random_range(0..orders.len())];
    search.query.push(("sort".into(), name.into()));
    order.clone_into(&mut search.order);
    search
}

fn words(dice: &mut SmallRng, pools: &Pools, search: &mut Search) {
    let mut typed: Vec<String> = Vec::new();
    for _ in 0..dice.random_range(1..3) {
        typed.push(pools.words[dice.random_range(0..pools.words.len())].clone());
    }
    let last = typed.len() - 1;
    if dice.random_bool(0.3) {
        typed[last].truncate(3);
    }
    let conditions = typed.iter().enumerate().map(|(n, word)| {
        if n == last {
            format!("exists (select from unnest(words) w where w like '{word}%')")
        } else {
            format!("'{word}' = any(words)")
        }
    });
    let mut condition = conditions.collect::<Vec<_>>().join(" and ");
    let mut text = typed.join(" ").to_uppercase();
    if dice.random_bool(0.3) {
        let unwanted = &pools.words[dice.random_range(0..pools.words.len())];
        text = format!("-{unwanted} {text}");
        condition = format!("{condition} and not '{unwanted}' = any(words)");
    }
    if dice.random_bool(0.3) {
        let phrase = &pools.phrases[dice.random_range(0..pools.phrases.len())];
        text = format!("\"{phrase}\" {text}");
        condition = format!("{condition} and parts like '% {phrase} %'");
    }
    search.filter("q", "q", text, condition);
}

fn times_and_sales(dice: &mut SmallRng, search: &mut Search) {
    let month = dice.random_range(1..13);
    if dice.random_bool(0.2) {
        let day = format!("2027-{month:02}-15");
        search.filter("date", "local_from", &day, format!("local_date >= '{day}'"));
    }
    if dice.random_bool(0.2) {
        let day = format!("2027-{month:02}-20");
        search.filter("date", "local_to", &day, format!("local_date <= '{day}'"));
    }
    if dice.random_bool(0.15) {
        let from = format!("2027-{month:02}-01T00:00:00Z");
        search.filter("date", "from", &from, format!("starts_at >= '{from}'"));
    }
    if dice.random_bool(0.2) {
        let least = dice.random_range(1_000..8_000).to_string();
        search.filter("price", "price_min", &least, format!("price >= {least}"));
    }
    if dice.random_bool(0.2) {
        let most = dice.random_range(1_000..8_000).to_string();
        search.filter("price", "price_max", &most, format!("price <= {most}"));
    }
    if dice.random_bool(0.15) {
        let state = ["available", "few", "sold-out"][dice.random_range(0..3)];
        search.filter("availability", "availability", state, format!("availability = '{state}'"));
    }
    if dice.random_bool(0.15) {
        let least = dice.random_range(0..3_000).to_string();
        search.filter("seats", "min_seats", &least, format!("seats_left >= {least}"));
    }
    if dice.random_bool(0.15) {
        search.filter("on_sale", "on_sale", "now", "sale_opens_at <= now() and now() < sale_closes_at");
    }
    if dice.random_bool(0.1) {
        let place = "lat is not null and 12742.0176 * asin(sqrt(power(sind((lat - 40.7) / 2), 2)
            + cosd(lat) * cosd(40.7) * power(sind((lon + 74.0) / 2), 2))) <= 300";
        search.filter("place", "radius_km", "300", place);
        search.query.extend([("lat".into(), "40.7".into()), ("lon".into(), "-74".into())]);
    }
}

/// The conditions but those of one facet, with what is in force when nothing is said.
fn condition(search: &Search, without: &str) -> String {
    let kept = search.conditions.iter().filter(|(about, _)| *about != without).map(|(_, condition)| condition.as_str());
    kept.chain(["status <> 'cancelled'", "starts_at > now()"]).collect::<Vec<_>>().join(" and ")
}

async fn ids_by_sql(sql: &tokio_postgres::Client, search: &Search) -> Vec<String> {
    let statement =
        format!("select event_id::text from brute where {} order by {}, event_id", condition(search, ""), search.order);
    sql.query(&statement, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn facet_by_sql(sql: &tokio_postgres::Client, search: &Search, facet: &str) -> BTreeMap<String, i64> {
    // An answer gives the hundred most frequent values.
    let value = match facet {
        "genre" => "unnest(genres)",
        "date" => "to_char(local_date, 'YYYY-MM')",
        column => column,
    };
    let statement = format!(
        "select value, n from (select {value} as value, count(*) as n from brute where {} group by 1) counted
         order by n desc, value collate \"C\" limit 100",
        condition(search, facet)
    );
    sql.query(&statement, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

type Found = (Vec<String>, usize, BTreeMap<String, BTreeMap<String, i64>>);

/// Every page of a search over HTTP, put together, with the first page's total and facets.
async fn ask(visitor: &Client, search: &Search) -> Found {
    let mut query = search.query.clone();
    query.extend([("limit".into(), PAGE.to_string()), ("facets".into(), FACETS.join(","))]);
    let mut answer = page(visitor, &query).await;
    let total = usize::try_from(answer["total"].as_u64().unwrap()).unwrap();
    let counts = |facet: &Value| -> BTreeMap<String, i64> {
        let values = facet.as_array().unwrap().iter();
        values.map(|v| (v["value"].as_str().unwrap().to_owned(), v["count"].as_i64().unwrap())).collect()
    };
    let facets = FACETS.iter().map(|name| ((*name).to_owned(), counts(&answer["facets"][name]))).collect();
    let mut found = Vec::new();
    loop {
        found.extend(answer["hits"].as_array().unwrap().iter().map(|hit| hit["event_id"].as_str().unwrap().to_owned()));
        let Some(next) = answer["next"].as_str() else { return (found, total, facets) };
        let mut following = query.clone();
        following.push(("cursor".into(), next.into()));
        answer = page(visitor, &following).await;
    }
}

async fn page(visitor: &Client, query: &[(String, String)]) -> Value {
    let response = visitor.request(reqwest::Method::GET, "/event").query(query).send().await.unwrap();
    let (status, text) = (response.status(), response.text().await.unwrap());
    assert_eq!(status.as_u16(), 200, "{text}");
    serde_json::from_str(&text).unwrap()
}
