//! `frontrow demo` against the archive it is made from: which concerts, when, where, for how much; and that loading again changes nothing.

use flate2::read::GzDecoder;
use jiff::civil::{Date, Time};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use tests::{Database, binary, repository};

/// Runs the command and gives what it says.
fn demo(database: &Database, data: &Path, events: u32) -> String {
    let mut command = Command::new(binary("frontrow"));
    command.args(["demo", "--database-url", &database.url, "--events", &events.to_string(), "--data"]).arg(data);
    let output = command.env_remove("DATABASE_URL").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Venue, month, weekday and time of day of every concert in the archive; no time where none was written down.
fn archive() -> HashSet<(String, i8, i8, Option<Time>)> {
    let file = std::fs::File::open(repository().join("api/data/concerts.jsonl.gz")).unwrap();
    let records =
        BufReader::new(GzDecoder::new(file)).lines().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let concerts = records.flat_map(|record| record["concerts"].as_array().unwrap().clone());
    let key = |concert: Value| {
        let date: Date = concert["local_date"].as_str().unwrap().parse().unwrap();
        let time = concert["local_time"].as_str().map(|text| Time::strptime("%I:%M%p", text).unwrap());
        let venue = concert["venue"].as_str().unwrap_or("Venue to be announced").to_owned();
        (venue, date.month(), date.weekday().to_sunday_zero_offset(), time)
    };
    concerts.map(key).collect()
}

#[tokio::test]
async fn events_keep_their_concerts_venue_month_weekday_and_local_time() {
    let (database, data) = (Database::migrated().await, TempDir::new().unwrap());
    assert_eq!(demo(&database, data.path(), 700), "700 demo events, 700 of them new");
    let archive = archive();
    let sql = "select v.name, extract(month from local)::int, extract(dow from local)::int, to_char(local, 'HH24:MI:SS'), title
        from event e join venue v using (venue_id), lateral (select e.starts_at at time zone v.timezone as local) l
        where e.starts_at between now() and now() + interval '25 months'";
    let rows = database.connect().await.query(sql, &[]).await.unwrap();
    assert_eq!(rows.len(), 700, "all in the coming two seasons");
    for row in rows {
        let (venue, title): (String, String) = (row.get(0), row.get(4));
        let (month, weekday) =
            (i8::try_from(row.get::<_, i32>(1)).unwrap(), i8::try_from(row.get::<_, i32>(2)).unwrap());
        let time: Time = row.get::<_, &str>(3).parse().unwrap();
        let given = |time| archive.contains(&(venue.clone(), month, weekday, time));
        assert!(given(Some(time)) || given(None), "{title} at {venue}: month {month}, weekday {weekday}, {time}");
    }
}

#[tokio::test]
async fn loading_again_adds_only_what_is_missing_and_changes_nothing() {
    let (database, data) = (Database::migrated().await, TempDir::new().unwrap());
    demo(&database, data.path(), 60);
    let client = database.connect().await;
    let state = "select md5(string_agg(t::text, '|' order by event_id)) from (select e.*, e.xmin from event e) t";
    let before: String = client.query_one(state, &[]).await.unwrap().get(0);
    let logins = std::fs::read_to_string(data.path().join("logins.json")).unwrap();

    assert_eq!(demo(&database, data.path(), 60), "60 demo events, 0 of them new");
    assert_eq!(client.query_one(state, &[]).await.unwrap().get::<_, String>(0), before);
    assert_eq!(std::fs::read_to_string(data.path().join("logins.json")).unwrap(), logins);

    client
        .execute("delete from event where event_id in (select event_id from event order by event_id limit 3)", &[])
        .await
        .unwrap();
    assert_eq!(demo(&database, data.path(), 70), "70 demo events, 13 of them new");
    assert_eq!(database.number("select count(*) from event").await, 70);
}

#[tokio::test]
async fn every_event_has_a_plan_prices_for_each_tier_and_people_who_play() {
    let (database, data) = (Database::migrated().await, TempDir::new().unwrap());
    demo(&database, data.path(), 400);
    let client = database.connect().await;
    let rows = client.query("select capacity, plan from layout order by capacity", &[]).await.unwrap();
    let mut tiers = BTreeMap::new();
    for row in rows {
        let plan = model::SeatPlan::parse(row.get(1)).unwrap();
        assert_eq!(plan.capacity(), usize::try_from(row.get::<_, i32>(0)).unwrap());
        tiers.insert(row.get::<_, i32>(0), plan.tiers.len());
    }
    assert_eq!(tiers, BTreeMap::from([(500, 3), (1_200, 4), (2_700, 5), (20_000, 4), (80_000, 5)]));
    let sql = "select e.capacity, count(t.*), min(t.price), (select count(*) from event_artist a where a.event_id = e.event_id)
        from event e left join event_tier t using (event_id) group by e.event_id";
    for row in client.query(sql, &[]).await.unwrap() {
        assert_eq!(usize::try_from(row.get::<_, i64>(1)).unwrap(), tiers[&row.get::<_, i32>(0)]);
        assert!(row.get::<_, i64>(2) > 0 && row.get::<_, i64>(3) > 0);
    }
    let windows = "select case when sale_opens_at > now() then 'soon' when sale_closes_at < now() then 'past' else 'now' end, count(*)
        from event group by 1";
    let windows: HashMap<String, i64> =
        client.query(windows, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
    assert!(windows["now"] > 300 && windows["soon"] > 20 && windows["past"] > 4, "{windows:?}");
    let open = "select count(*) from event_presale p join event e using (event_id) join presale_group using (event_id, position)
        join group_member using (group_id) join sale_code c on c.event_id = e.event_id and c.presale = p.position
        where p.opens_at < now() and p.closes_at = e.sale_opens_at and c.code = 'EARLYBIRD'";
    assert!(database.number(open).await > 4, "presales that the fan is in and whoever has the code");
}

#[tokio::test]
async fn three_people_have_logins_that_only_the_owner_reads() {
    let (database, data) = (Database::migrated().await, TempDir::new().unwrap());
    demo(&database, data.path(), 1);
    let path = data.path().join("logins.json");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let logins: BTreeMap<String, String> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let emails: Vec<&str> = logins.keys().map(String::as_str).collect();
    assert_eq!(emails, ["admin@frontrow.test", "fan@frontrow.test", "organizer@frontrow.test"]);
    let hashed = "select count(*) from account where password_hash like '$argon2id$%'";
    assert_eq!(database.number(hashed).await, 3);

    // A lost file means new passwords: what stands in it always opens the door.
    std::fs::remove_file(&path).unwrap();
    demo(&database, data.path(), 1);
    let renewed: BTreeMap<String, String> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert!(logins.iter().all(|(email, password)| renewed[email] != *password));
}

#[tokio::test]
async fn some_evenings_are_sold_out_to_the_last_seat_and_all_of_it_is_paid() {
    let (database, data) = (Database::migrated().await, TempDir::new().unwrap());
    demo(&database, data.path(), 700);
    let sold_out = "select count(*) from availability where seats_total = 500 and seats_left = 0 and price_min is null";
    assert_eq!(database.number(sold_out).await, 5);
    assert_eq!(database.number("select count(*) from availability where seats_left between 1 and 80").await, 3);
    let sold = 5 * 500 + 492 + 470 + 420;
    assert_eq!(database.number("select count(*) from ticket where state = 'valid'").await, sold);
    assert_eq!(database.number("select count(*) from claim where kind = 1").await, sold);
    assert_eq!(database.number("select count(*) from orders where state <> 'captured'").await, 0);
    assert_eq!(database.number("select count(*) from outbox where sent_at is null").await, 0);
}
