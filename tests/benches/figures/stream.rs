//! Changes through the stream: rows of events changed all over the index, in transactions of a thousand, until the index has the last.

use std::time::Instant;
use tests::{Server, until_within};

const EVENTS: usize = 100_000;
const CHANGES: usize = 200_000;
const TOGETHER: usize = 1_000;
/// Events changed a second that the stream must keep up with.
const PER_S_MIN: f64 = 20_000.0;

pub(crate) async fn run() -> anyhow::Result<()> {
    let (database, data) = super::demo(EVENTS).await?;
    let server = Server::start_on(&database, data.path(), |_| {}).await;
    let client = database.connect().await;
    let slots: i32 = client.query_one("select max(slot) + 1 from event", &[]).await?.get(0);
    // Every so many slots one, so that neighbours in a transaction are far apart in the index.
    let change = "update event set popularity = popularity + 1 where slot in (select (n::bigint * 7919 % $3)::int from generate_series($1::int, $2) n)";
    let change = client.prepare(change).await?;
    let began = Instant::now();
    let mut changed = 0;
    for first in (0..i32::try_from(CHANGES)?).step_by(TOGETHER) {
        let last = first + i32::try_from(TOGETHER)? - 1;
        changed += client.execute(&change, &[&first, &last, &i64::from(slots)]).await?;
    }
    let written = began.elapsed();
    let lsn: String = client.query_one("select pg_current_wal_insert_lsn()::text", &[]).await?.get(0);
    let path = format!("/event?limit=1&min_lsn={lsn}");
    let visitor = server.visitor();
    until_within(std::time::Duration::from_mins(5), "the index has the last change", || async {
        (visitor.get(&path).await.status == 200).then_some(())
    })
    .await;
    let per_s = changed as f64 / began.elapsed().as_secs_f64();
    super::print("events changed through the stream", (per_s, "/s"), (PER_S_MIN, "bound, /s:"));
    super::print(
        "events changed through the stream",
        (per_s, "/s"),
        (changed as f64 / written.as_secs_f64(), "Postgres alone, /s:"),
    );
    Ok(())
}
