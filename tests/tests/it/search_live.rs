//! What organizers and admins say about searching is in force at once: synonyms, aliases, pins, presales, dates to be announced.

use serde_json::{Value, json};
use tests::catalog::Listing;
use tests::{Answer, Client, Database, Server};

/// A person of a role, logged in.
async fn person(database: &Database, server: &Server, role: &str) -> Client {
    let newcomer = server.buyer().await;
    let user = newcomer.get("/user").await.expect(200);
    let sql = format!("update account set role = '{role}' where user_id = '{}'", user["user_id"].as_str().unwrap());
    database.connect().await.batch_execute(&sql).await.unwrap();
    newcomer.logged_in(user["email"].as_str().unwrap(), "correct horse battery staple").await
}

/// A write that was done.
fn written(answer: Answer) -> Answer {
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    answer
}

fn refused(answer: Answer, code: u16, name: &str) {
    drop(answer.problem(code, name));
}

/// The hits of a search that has seen a write's commit.
async fn hits(visitor: &Client, query: &str, written: &Answer) -> Vec<Value> {
    let lsn = written.headers["frontrow-lsn"].to_str().unwrap();
    let answer = visitor.get(&format!("/event?{query}&min_lsn={lsn}")).await.expect(200);
    answer["hits"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_synonym_is_in_force_with_its_commit_and_gone_with_it() {
    let database = Database::migrated().await;
    Listing::new("Evening of the Sea", 20).insert(&database).await;
    Listing::new("Night at Sea", 20).insert(&database).await;
    let server = Server::start(&database).await;
    let (visitor, admin) = (server.visitor(), person(&database, &server, "admin").await);
    let organizer = person(&database, &server, "organizer").await;

    let synonym = json!({"term": "Séa NIGHT", "means": ["\"evening of the sea\""]});
    refused(organizer.put("/synonym", &synonym).await, 403, "forbidden");
    let put = written(admin.put("/synonym", &synonym).await);
    assert_eq!((put.json["term"].as_str(), put.json["version"].as_i64()), (Some("sea night"), Some(1)));
    let found = hits(&visitor, "q=sea+night", &put).await;
    let titles: Vec<_> = found.iter().map(|hit| hit["title"].as_str().unwrap()).collect();
    // What has the words themselves comes first.
    assert_eq!(titles, ["Night at Sea", "Evening of the Sea"]);
    assert!(hits(&visitor, "q=%22sea+night%22", &put).await.is_empty());

    let put = written(admin.put("/synonym", &json!({"term": "sea night", "means": ["nothing like it"]})).await);
    assert_eq!(put.json["version"], 2);
    assert_eq!(hits(&visitor, "q=sea+night", &put).await.len(), 1);
    assert_eq!(admin.get("/synonym").await.expect(200)["synonyms"].as_array().unwrap().len(), 1);
    refused(admin.put("/synonym", &json!({"term": "x", "means": ["-y"]})).await, 422, "invalid");
    refused(admin.put("/synonym", &json!({"term": "…", "means": ["y"]})).await, 422, "invalid");

    written(admin.put("/synonym", &synonym).await);
    let gone = written(admin.delete("/synonym/Sea%20Night").await);
    assert_eq!(hits(&visitor, "q=sea+night", &gone).await.len(), 1);
    refused(admin.delete("/synonym/Sea%20Night").await, 404, "no-such-synonym");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artist_is_found_by_an_alias_and_shown_by_name() {
    let database = Database::migrated().await;
    let listing = Listing::new("Evening", 20);
    listing.insert(&database).await;
    let server = Server::start(&database).await;
    let (visitor, organizer) = (server.visitor(), person(&database, &server, "organizer").await);
    let path = format!("/artist/{}", listing.artist);
    let named = written(
        organizer.put(&path, &json!({"name": "Test Conductor", "aliases": ["東京の指揮者", "T. C. Maestro"]})).await,
    );
    assert_eq!(named.json["aliases"], json!(["東京の指揮者", "T. C. Maestro"]));
    for query in ["q=%E6%8C%87%E6%8F%AE%E8%80%85", "q=maestro", "artist=t.c.+maestro", "q=%22t+c+maestro%22"] {
        let found = hits(&visitor, query, &named).await;
        assert_eq!(found.len(), 1, "{query}");
        assert_eq!(found[0]["artists"][0]["name"], "Test Conductor");
    }
    // Letters in another order are another word.
    assert!(hits(&visitor, "q=%E4%BA%AC%E6%9D%B1", &named).await.is_empty());
    let suggested = visitor.get("/event/suggest?q=%E6%9D%B1%E4%BA%AC").await.expect(200);
    assert_eq!(suggested["artists"][0]["text"], "Test Conductor");
    let renamed = written(organizer.put(&path, &json!({"name": "Best Conductor"})).await);
    assert_eq!(renamed.json["aliases"].as_array().unwrap().len(), 2);
    let bare = written(organizer.put(&path, &json!({"name": "Best Conductor", "aliases": []})).await);
    assert!(hits(&visitor, "q=maestro", &bare).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_is_an_admins_to_set_and_comes_first() {
    let database = Database::migrated().await;
    let (plain, pinned) = (Listing::new("Gala", 20), Listing::new("Evening with a gala", 20));
    plain.insert(&database).await;
    pinned.insert(&database).await;
    let server = Server::start(&database).await;
    let (visitor, admin) = (server.visitor(), person(&database, &server, "admin").await);
    let organizer = person(&database, &server, "organizer").await;
    let sql = format!(
        "update event set organizer_id = (select user_id from account where user_id = '{}')",
        organizer.get("/user").await.expect(200)["user_id"].as_str().unwrap()
    );
    database.connect().await.batch_execute(&sql).await.unwrap();
    let path = format!("/event/{}", pinned.event);
    refused(organizer.put(&path, &json!({"boost": 3})).await, 403, "forbidden");
    let same = written(organizer.put(&path, &json!({"description": "x"})).await);
    let titles = async |written: &Answer| {
        let found = hits(&visitor, "q=gala", written).await;
        found.iter().map(|hit| hit["title"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(titles(&same).await, ["Gala", "Evening with a gala"]);
    let boosted = written(admin.put(&path, &json!({"boost": 3})).await);
    assert_eq!(boosted.json["boost"], 3);
    assert_eq!(titles(&boosted).await, ["Evening with a gala", "Gala"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_presale_and_a_date_to_be_announced_are_shown_and_searched() {
    let database = Database::migrated().await;
    let listing = Listing::new("Evening", 20);
    listing.insert(&database).await;
    let server = Server::start(&database).await;
    let (visitor, admin) = (server.visitor(), person(&database, &server, "admin").await);
    let path = format!("/event/{}", listing.event);
    let now = jiff::Timestamp::now();
    let at = |hours: i64| (now + jiff::SignedDuration::from_hours(hours)).to_string();
    let body = json!({
        "date_tba": true, "sale_opens_at": at(48),
        "presales": [{"name": "Members", "opens_at": at(-1), "closes_at": at(24)}],
    });
    let changed = written(admin.put(&path, &body).await);
    assert_eq!((&changed.json["date_tba"], &changed.json["presales"][0]["name"]), (&json!(true), &json!("Members")));
    let found = hits(&visitor, "on_sale=presale&facets=on_sale,date", &changed).await;
    assert_eq!((&found[0]["date_tba"], &found[0]["on_sale"]), (&json!(true), &json!("presale")));
    assert!(hits(&visitor, "local_from=2000-01-01", &changed).await.is_empty());
    let event = visitor.get(&path).await.expect(200);
    assert_eq!((&event["on_sale"], &event["presales"][0]["position"]), (&json!("presale"), &json!(0)));
    let page = visitor.get(&format!("/events/{}", listing.event)).await;
    assert!(page.text.contains("Date to be announced") && page.text.contains("Members: presale"), "{}", page.text);
    // Whom a presale is for is not asked yet, so nobody may reserve before everybody may.
    let reserve = json!({"event_id": listing.event, "seats": [1]});
    refused(server.buyer().await.post_new("/ticket/reserve", &reserve).await, 409, "not-on-sale");
    let bad = json!({"presales": [{"name": "x", "opens_at": at(2), "closes_at": at(1)}]});
    refused(admin.put(&path, &bad).await, 422, "invalid");
}
