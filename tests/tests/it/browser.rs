//! A person's way through the site in headless Chromium: from the search to tickets at hand, by pointer and by keyboard, a declined
//! card on the way. The steps are `api/web/e2e/journey.mjs`; this gives them a site with concerts to find.

use serde_json::{Value, json};
use std::process::{Command, ExitStatus};
use std::time::Duration;
use tests::catalog::Listing;
use tests::{Database, Process, Server, repository, until, until_within};

const JOURNEY_LIMIT: Duration = Duration::from_mins(5);

/// Concerts of two genres that answer to one word, so that a facet has something to leave out.
async fn programme(database: &Database) {
    let client = database.connect().await;
    let concerts = [
        ("Mahler Symphony No. 2", "Gustav Mahler", "{Orchestral,Symphony}", 120),
        ("Mahler: Das Lied von der Erde", "Gustav Mahler", "{Orchestral,Vocal}", 90),
        ("Brahms Piano Quintet", "Johannes Brahms", "{Chamber}", 60),
    ];
    for (title, composer, genres, seats) in concerts {
        let listing = Listing::new(title, seats);
        listing.insert(database).await;
        let sql = format!(
            "update event set genres = '{genres}', works = '[{{\"composer\": \"{composer}\", \"title\": \"{title}\"}}]'
             where event_id = $1"
        );
        client.execute(&sql, &[&listing.event.0]).await.unwrap();
    }
}

/// The browser's driver comes from the lock file, as the pages' build does.
async fn install_driver() {
    let web = repository().join("api/web");
    if web.join("node_modules/playwright-core").exists() {
        return;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(web);
    let mut install = Process::spawn(&mut npm);
    assert!(ended(&mut install).await.success(), "npm ci: {}", install.output());
}

/// Walks a script of the pages' own through a site where a scene was prepared.
pub(crate) async fn walk(script: &str, site: &str, scene: &Value) {
    install_driver().await;
    let mut node = Command::new("node");
    let scene = scene.to_string();
    node.arg(script).current_dir(repository().join("api/web")).env("FRONTROW_URL", site).env("SCENE", scene);
    let mut walk = Process::spawn(&mut node);
    assert!(ended(&mut walk).await.success(), "{}", walk.output());
}

async fn ended(process: &mut Process) -> ExitStatus {
    until_within(JOURNEY_LIMIT, "the program ends", || std::future::ready(process.poll())).await
}

#[tokio::test]
async fn a_person_finds_a_concert_and_leaves_with_tickets() {
    let database = Database::migrated().await;
    programme(&database).await;
    let server = Server::start(&database).await;
    let visitor = server.visitor();
    until("the concerts are searchable", || async {
        let answer = visitor.get("/event?q=mahler").await;
        (answer.json["total"] == 2).then_some(())
    })
    .await;
    let scene = json!({ "words": "mahler", "genre": "Symphony", "title": "Mahler Symphony No. 2" });
    walk("e2e/journey.mjs", &server.base, &scene).await;
    let sold =
        "select count(*) from ticket join claim using (event_id, seat_no) where ticket.state = 'valid' and kind = 1";
    assert_eq!(database.number(sold).await, 2);
}
