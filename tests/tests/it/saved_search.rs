//! Saved searches, end to end: who saved one hears of every new event that it finds, once, whatever is killed meanwhile.

use crate::indexer_writes::settings;
use api::config::Secret;
use model::SearchId;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use tests::{Client, Database, Indexer, MailSink, Server, catalog, until};

const SECRET: &str = "a secret of more than thirty-two characters";

async fn save(person: &Client, name: &str, query: &str) -> SearchId {
    let saved = person.post("/saved-search", &json!({"name": name, "query": query})).await.expect(201);
    saved["search_id"].as_str().unwrap().parse().unwrap()
}

/// The titles a person was notified of, once there are so many.
async fn titles(person: &Client, count: usize) -> Vec<String> {
    until("notifications", || async {
        let answer = person.get("/notification").await.expect(200);
        let told = answer["notifications"].as_array()?.iter().map(|one| one["title"].as_str().unwrap().to_owned());
        Some(told.collect::<Vec<_>>()).filter(|told| told.len() >= count)
    })
    .await
}

/// The index has everything that is committed: whoever is to be told was told before.
async fn caught_up(database: &Database, visitor: &Client) {
    let lsn = database.lsn().await;
    until("the index", || async {
        let answer = visitor.get(&format!("/event?limit=1&min_lsn={lsn}")).await;
        answer.status.is_success().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_event_is_told_once_to_whom_it_concerns() {
    let database = Database::migrated().await;
    catalog::on_sale(&database, "Mahler before anybody asked", 10).await;
    let server = Server::start(&database).await;
    let (ann, bob) = (server.buyer().await, server.buyer().await);
    save(&ann, "Mahler", "q=mahler&sort=date").await;
    save(&ann, "Far away", "q=mahler&city=Tokyo").await;
    save(&bob, "Orchestras in New York", "genre=Orchestral&city=New+York&price_max=4000").await;
    let third = catalog::on_sale(&database, "Mahler: Third Symphony", 10).await;
    catalog::on_sale(&database, "Bruckner: Fourth Symphony", 10).await;
    // A typing error away, and rare among the new ones: no reason to tell.
    catalog::on_sale(&database, "Mahlen and grinding", 10).await;

    assert_eq!(titles(&ann, 1).await, ["Mahler: Third Symphony"]);
    caught_up(&database, &ann).await;
    let told = ann.get("/notification").await.expect(200);
    let one = &told["notifications"][0];
    assert_eq!((one["search_name"].as_str(), one["read"].as_bool()), (Some("Mahler"), Some(false)));
    assert_eq!(one["event_id"], third.event.to_string());
    assert_eq!(told["notifications"].as_array().unwrap().len(), 1);
    let page = ann.get("/notifications").await;
    assert!(page.text.contains("Mahler: Third Symphony") && page.text.contains("data-unread"), "{}", page.text);
    // Nothing so cheap: the price is a filter like any other.
    assert_eq!(bob.get("/notification/unread").await.expect(200)["unread"], 0);

    let read = json!({"until": one["notification_id"]});
    drop(ann.post("/notification/read", &read).await.expect(204));
    let change = "update event set title = 'Mahler: Third Symphony, again' where event_id = $1";
    database.connect().await.execute(change, &[&third.event.0]).await.unwrap();
    caught_up(&database, &ann).await;
    let told = ann.get("/notification").await.expect(200);
    assert_eq!((told["unread"].as_i64(), told["notifications"].as_array().unwrap().len()), (Some(0), 1));
    assert_eq!(told["notifications"][0]["title"], "Mahler: Third Symphony, again");
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_are_kept_changed_and_bounded() {
    let database = Database::migrated().await;
    let server = Server::start(&database).await;
    let (ann, bob) = (server.buyer().await, server.buyer().await);
    let id = save(&ann, " Mahler ", "cursor=&q=mahler&limit=5").await;
    let kept = &ann.get("/saved-search").await.expect(200)["searches"][0];
    assert_eq!((kept["name"].as_str(), kept["query"].as_str()), (Some("Mahler"), Some("q=mahler")));
    let again = json!({"name": "Mahler again", "query": "q=mahler&sort=date"});
    ann.post("/saved-search", &again).await.problem(409, "already-saved").as_object().unwrap();
    for query in ["colour=red", "", "sort=date", "when=never"] {
        let bad = json!({"name": "Bad", "query": query});
        assert_eq!(ann.post("/saved-search", &bad).await.problem(422, "invalid")["errors"][0]["field"], "query");
    }
    let path = format!("/saved-search/{id}");
    assert_eq!(ann.put(&path, &json!({"mails": false})).await.expect(200)["mails"], false);
    bob.put(&path, &json!({"mails": true})).await.problem(404, "no-such-search").as_object().unwrap();
    bob.delete(&path).await.problem(404, "no-such-search").as_object().unwrap();

    // Sixty at once take the forty-nine places that are left.
    let saves = (0..60).map(|n| {
        let ann = ann.clone();
        async move {
            let body = json!({"name": "One of many", "query": format!("q=word{n}")});
            until("a place or none", || async {
                let status = ann.post("/saved-search", &body).await.status.as_u16();
                (status != 503).then_some(status)
            })
            .await
        }
    });
    let statuses = futures::future::join_all(saves).await;
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 49);
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 11);
    assert_eq!(database.number("select count(*) from saved_search where not mails").await, 1);
    drop(ann.delete(&path).await.expect(204));
    assert_eq!(database.number("select count(*) from saved_search").await, 49);
}

/// A site whose indexer runs beside it.
async fn gateway(database: &Database, data: &Path) -> Server {
    Server::start_on(database, data, |command| {
        command.args(["--role", "gateway"]);
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_indexer_killed_at_any_moment_tells_everybody_of_everything_once() {
    const ROUNDS: usize = 6;
    const EVENTS: usize = 8;
    let database = Database::migrated().await;
    let data = TempDir::with_prefix("frontrow-data-").unwrap();
    let mut indexer = Indexer::start(&database, data.path());
    let server = gateway(&database, data.path()).await;
    let ann = server.buyer().await;
    save(&ann, "Mahler", "q=mahler").await;
    let mut wanted = BTreeSet::new();
    for round in 0..ROUNDS {
        for n in 0..EVENTS {
            let title = format!("Mahler, evening {n} of round {round}");
            catalog::on_sale(&database, &title, 10).await;
            wanted.insert(title);
            // In the middle of its work, and also while it is away.
            if n == 2 + round % 4 {
                indexer.process.kill().await;
            }
        }
        indexer = Indexer::start(&database, data.path());
    }
    let told = titles(&ann, ROUNDS * EVENTS).await;
    caught_up(&database, &ann).await;
    assert_eq!(told.len(), wanted.len(), "{}", indexer.process.output());
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), wanted);
    let count = "select count(*) from saved_search_match";
    assert_eq!(database.number(count).await, i64::try_from(ROUNDS * EVENTS).unwrap());

    // A copy is of what is known: it tells nobody anything, also not what was forgotten.
    indexer.process.kill().await;
    database.connect().await.batch_execute("delete from saved_search_match").await.unwrap();
    let other = TempDir::with_prefix("frontrow-data-").unwrap();
    let _indexer = Indexer::start(&database, other.path());
    let settings = settings(&database, other.path());
    until("a copy", || async { indexer::status(&settings).await.ok()?.index }).await;
    assert_eq!(indexer::verify(&settings).await.unwrap().differences, []);
    assert_eq!(database.number(count).await, 0);
    catalog::on_sale(&database, "Mahler at last", 10).await;
    assert_eq!(titles(&ann, 1).await, ["Mahler at last"]);
}

/// A site that mails to `address`.
async fn mailing(database: &Database, data: &Path, address: std::net::SocketAddr) -> Server {
    Server::start_on(database, data, |command: &mut Command| {
        command.env("FRONTROW_SMTP", format!("smtp://{address}")).env("FRONTROW_SECRET", SECRET);
    })
    .await
}

async fn mails(sink: &MailSink, count: usize) -> Vec<String> {
    until("mail", || async { Some(sink.mails()).filter(|mails| mails.len() >= count) }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_search_finds_together_is_one_mail_with_a_way_out() {
    let (database, data) = (Database::migrated().await, TempDir::with_prefix("frontrow-data-").unwrap());
    let address = MailSink::free_address();
    let sink = MailSink::start(address).await;
    let server = mailing(&database, data.path(), address).await;
    let ann = server.buyer().await;
    let (loud, silent) = (save(&ann, "Everything here", "city=New+York").await, save(&ann, "Mahler", "q=mahler").await);
    let secret = Secret::new(SECRET.to_owned());
    let way_out = |search| format!("/unsubscribe?search={search}&key={}", api::mail::key(&secret, search));
    // Looking at the way out is not taking it.
    assert!(server.visitor().get(&way_out(silent)).await.text.contains("Stop the mail"));
    assert_eq!(database.number("select count(*) from saved_search where mails").await, 2);
    let forged = way_out(silent).replace(&silent.to_string(), &loud.to_string());
    assert_eq!(server.visitor().post(&forged, &Value::Null).await.status.as_u16(), 404);
    assert_eq!(server.visitor().post(&way_out(silent), &Value::Null).await.status.as_u16(), 200);

    let listing = catalog::on_sale(&database, "Mahler: First Symphony", 10).await;
    let more = "insert into event (event_id, organizer_id, venue_id, title, starts_at, layout_hash, capacity, currency,
            sale_opens_at, sale_closes_at)
        select gen_random_uuid(), organizer_id, venue_id, 'Mahler, evening ' || n, starts_at + n * interval '1 day',
            layout_hash, capacity, currency, sale_opens_at, sale_closes_at
        from event, generate_series(2, 30) n where event_id = $1";
    database.connect().await.execute(more, &[&listing.event.0]).await.unwrap();
    assert_eq!(titles(&ann, 60).await.len(), 60);
    let mail = mails(&sink, 1).await.remove(0);
    let site = &server.base;
    assert!(mail.contains(&format!("<{site}{}>", way_out(loud))), "{mail}");
    assert!(mail.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"), "{mail}");
    assert!(mail.contains("“Everything here” has found") && mail.contains("Mahler: First Symphony"), "{mail}");
    assert!(mail.contains(&format!("{site}/events/{}", listing.event)), "{mail}");
    // What comes within ten minutes of a mail waits for the next; what is silent is in no mail at all.
    let waiting = "select count(*) from saved_search_match join saved_search using (search_id) where mail_id is null";
    let unsent = database.number(&format!("{waiting} and mails")).await;
    let told = mail.matches(&format!("{site}/events/")).count();
    let rest = mail.contains(&format!("more: {site}/notifications"));
    assert!(rest || i64::try_from(told).unwrap() + unsent == 30, "{told} told, {unsent} wait: {mail}");
    assert_eq!(database.number(&format!("{waiting} and not mails")).await, 30);
    assert_eq!(database.number("select count(*) from saved_search_mail").await, 1);
    assert_eq!(sink.mails().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_waits_for_a_server_that_is_away_and_is_sent_once() {
    let (database, data) = (Database::migrated().await, TempDir::with_prefix("frontrow-data-").unwrap());
    let address = MailSink::free_address();
    let server = mailing(&database, data.path(), address).await;
    let ann = server.buyer().await;
    save(&ann, "Mahler", "q=mahler").await;
    catalog::on_sale(&database, "Mahler: First Symphony", 10).await;
    let tried = "select coalesce(max(attempts), 0)::bigint from saved_search_mail where sent_at is null";
    until("a try", || async { (database.number(tried).await > 0).then_some(()) }).await;
    let sink = MailSink::start(address).await;
    let mail = mails(&sink, 1).await.remove(0);
    assert!(mail.contains("Subject: New: Mahler: First Symphony"), "{mail}");
    let sent = "select count(*) from saved_search_mail where sent_at is not null";
    until("the mark", || async { (database.number(sent).await == 1).then_some(()) }).await;
    assert_eq!(sink.mails().len(), 1);
}
