//! Without an index events by id and lists by date come from Postgres, exactly, and what needs the index is refused; with the first
//! index the same process answers whole.

use serde_json::Value;
use tempfile::TempDir;
use tests::catalog::Listing;
use tests::{Client, Database, Indexer, Server, until};

/// Titles of every page from `path` on, two a page, and the cursor after the first page.
async fn titles(visitor: &Client, query: &str, cursor: Option<&str>) -> (Vec<String>, Option<String>) {
    let (mut titles, mut first_next, mut next) = (Vec::new(), None, cursor.map(str::to_owned));
    loop {
        let cursor = next.as_deref().map(|next| format!("&cursor={next}")).unwrap_or_default();
        let page = visitor.get(&format!("/event?limit=2{query}{cursor}")).await.expect(200);
        let hits = page["hits"].as_array().unwrap();
        assert!(hits.len() <= 2);
        titles.extend(hits.iter().map(|hit| hit["title"].as_str().unwrap().to_owned()));
        next = page["next"].as_str().map(str::to_owned);
        first_next = first_next.or_else(|| next.clone());
        if next.is_none() {
            return (titles, first_next);
        }
    }
}

/// What is the same in both kinds of answer.
fn comparable(mut answer: Value) -> Value {
    for own in ["degraded", "as_of", "took_ms", "total", "facets"] {
        answer.as_object_mut().unwrap().remove(own);
    }
    answer
}

async fn catalog(database: &Database) -> [Listing; 6] {
    let listing = |title, days_ahead| Listing { days_ahead, ..Listing::new(title, 20) };
    let listings = [
        listing("Fifth", 50),
        listing("First", 10),
        listing("Third", 30),
        listing("Expected", 30),
        listing("Running", 2),
        listing("Cancelled", 20),
    ];
    for listing in &listings {
        listing.insert(database).await;
    }
    let [_, _, third, expected, running, cancelled] = &listings;
    let sql = format!(
        "update event set date_tba = true, starts_at = starts_at - interval '1 second' where event_id = '{}';
         update event set starts_at = now() - interval '1 hour', ends_at = now() + interval '1 day' where event_id = '{}';
         update event set status = 'cancelled' where event_id = '{}';
         update venue set country = 'CH' where venue_id = '{}'",
        expected.event, running.event, cancelled.event, third.venue
    );
    database.connect().await.batch_execute(&sql).await.unwrap();
    listings
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_index_postgres_answers_and_with_one_the_same_process_answers_whole() {
    let database = Database::migrated().await;
    let [fifth, _, third, expected, ..] = catalog(&database).await;
    let (data, store) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let server = Server::listening_on(&database, data.path(), |command| {
        command.args(["--role", "search"]);
        command.env("FRONTROW_STORE", format!("file://{}", Indexer::store(store.path()).display()));
    })
    .await;
    let visitor = server.visitor();
    let ready = visitor.get("/readyz").await.problem(503, "not-ready");
    assert_eq!(ready["status"], 503);

    let first = visitor.get("/event?facets=genre").await.expect(200);
    assert_eq!((first["degraded"].as_bool(), first["facets"].as_object().unwrap().len()), (Some(true), 0));
    let paths = [
        format!("/event/{}", expected.event),
        "/event?include_past=true&status=cancelled".to_owned(),
        format!("/event?venue_id={}&event_id={}", fifth.venue, fifth.event),
        "/event?country=CH".to_owned(),
        "/event?to=2000-01-01T00:00:00Z&include_past=true".to_owned(),
    ];
    let mut degraded = Vec::new();
    for path in &paths {
        let answer = visitor.get(path).await.expect(200);
        assert_eq!(answer["degraded"], true, "{path}");
        degraded.push(comparable(answer));
    }
    let (listed, next) = titles(&visitor, "", None).await;
    assert_eq!(listed, ["Running", "First", "Third", "Expected", "Fifth"]);
    let (dated, _) = titles(&visitor, "&from=2000-01-01T00:00:00Z", None).await;
    assert_eq!(dated, ["Running", "First", "Third", "Fifth"]);

    let refused = visitor.get("/event?q=first").await;
    assert!(refused.headers.contains_key("retry-after"));
    assert!(refused.problem(503, "busy")["detail"].as_str().unwrap().contains("venue_id"));
    visitor.get(&format!("/event/{}", third.organizer)).await.problem(404, "no-such-event").as_object().unwrap();
    let home = visitor.get("/?q=first").await;
    assert!(home.status.is_success() && home.text.contains("Search is catching up") && home.text.contains("Running"));
    let page = visitor.get(&format!("/events/{}", third.event)).await;
    assert!(page.status.is_success() && page.text.contains("Third"), "{}", page.text);

    let _indexer = Indexer::start(&database, store.path());
    until("the process is ready", async || visitor.get("/readyz").await.status.is_success().then_some(())).await;
    let whole = visitor.get("/event?facets=genre").await.expect(200);
    assert_eq!((&whole["degraded"], &whole["total"]), (&Value::Null, &Value::from(5)));
    assert_eq!(whole["facets"]["genre"][0]["count"], 5);
    for (path, degraded) in paths.iter().zip(degraded) {
        let answer = visitor.get(path).await.expect(200);
        assert_eq!(answer["degraded"], Value::Null, "{path}");
        assert_eq!(comparable(answer), degraded, "{path}");
    }
    let (rest, _) = titles(&visitor, "", next.as_deref()).await;
    assert_eq!(rest, ["Third", "Expected", "Fifth"], "a degraded cursor goes on");
    assert_eq!(visitor.get("/event?q=first").await.expect(200)["total"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_index_and_a_database_it_refuses_soon_and_answers_again_by_itself() {
    let database = Database::migrated().await;
    let listing = tests::catalog::on_sale(&database, "An evening", 10).await;
    let data = TempDir::new().unwrap();
    let server = Server::listening_on(&database, data.path(), |command| {
        command.args(["--role", "search"]);
    })
    .await;
    let visitor = server.visitor();
    let path = format!("/event/{}", listing.event);
    let mut writer = database.connect().await;
    let locked = writer.transaction().await.unwrap();
    locked.batch_execute("lock table event in access exclusive mode").await.unwrap();
    // Asked until it is not the database any more that is slow, but the breaker that refuses.
    until("the breaker refuses", async || {
        let asked =
            ["/event?limit=1", "/event?limit=2", "/event?limit=3", "/event?limit=4"].map(|path| visitor.get(path));
        let answers = futures::future::join_all(asked).await;
        let details = answers.into_iter().map(|answer| answer.problem(503, "busy")["detail"].to_string());
        details.filter(|detail| detail.contains("many ask")).count().eq(&4).then_some(())
    })
    .await;
    locked.rollback().await.unwrap();
    let event =
        until("it answers again", async || Some(visitor.get(&path).await).filter(|answer| answer.status.is_success()))
            .await;
    assert_eq!(event.json["degraded"], true);
}
