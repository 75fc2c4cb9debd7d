//! A CDN's edge in front of the site, real: what is the same for everyone is asked of us once, whoever comes and however many.

use futures::future::join_all;
use reqwest::StatusCode;
use reqwest::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, SET_COOKIE};
use serde_json::json;
use tests::{Client, Database, Edge, Server, catalog, until};

/// Answers of the origin to `GET /event` so far, by status.
async fn asked(origin: &Client, status: u16) -> u64 {
    let figures = origin.get("/metrics").await.text;
    let counts = figures.lines().filter(|line| {
        line.starts_with("http_requests_total{")
            && [r#"method="GET""#, r#"route="/event""#, &format!(r#"status="{status}""#)]
                .iter()
                .all(|label| line.contains(label))
    });
    counts.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}

async fn site() -> (Server, catalog::Listing) {
    let database = Database::migrated().await;
    let listing = catalog::on_sale(&database, "An evening at the edge", 10).await;
    (Server::start(&database).await, listing)
}

fn cache_of(answer: &reqwest::Response) -> String {
    answer.headers().get("x-cache").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// What must be true behind either.
async fn keeps_crowds_away(server: &Server, edge: &Edge, listing: &catalog::Listing) {
    let (origin, http) = (server.visitor(), reqwest::Client::new());
    let path = |word: &str| format!("{}/event?q={word}", edge.base);

    // A crowd that misses at once is one request.
    let before = asked(&origin, 200).await;
    let crowd = join_all((0..40).map(|_| http.get(path("crowd")).send())).await;
    assert!(crowd.iter().all(|answer| answer.as_ref().unwrap().status() == StatusCode::OK));
    assert_eq!(asked(&origin, 200).await - before, 1);

    // A thousand refreshes, each with a session, cost at most one request a second, and nobody's cookie is kept.
    let before = asked(&origin, 200).await;
    let begun = std::time::Instant::now();
    for _ in 0..25 {
        let refreshes = (0..40).map(|n| http.get(path("evening")).header("cookie", format!("session={n}")).send());
        for answer in join_all(refreshes).await {
            let answer = answer.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            assert!(!answer.headers().contains_key(SET_COOKIE));
        }
    }
    let (cost, took_s) = (asked(&origin, 200).await - before, begun.elapsed().as_secs());
    assert!(cost <= 2 + took_s, "{cost} requests for 1,000 refreshes in {took_s} s");

    // A browser that has the answer is told so by the edge.
    let first = http.get(path("evening")).send().await.unwrap();
    assert!(first.headers()[CACHE_CONTROL].to_str().unwrap().contains("max-age=0"));
    let etag = first.headers()[ETAG].clone();
    let again = http.get(path("evening")).header(IF_NONE_MATCH, etag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);

    // What is one's own passes by, and is never kept.
    let (one, other) = (Client::registered(&edge.base).await, Client::registered(&edge.base).await);
    let held = one.post_new("/ticket/reserve", &json!({ "event_id": listing.event, "seats": [0] })).await.expect(201);
    assert_eq!(held["seats"][0]["seat_no"], 0);
    let mine = format!("/ticket/reserve/{}", listing.event.0);
    let of = async |person: &Client| person.get(&mine).await.expect(200)["reservations"].as_array().unwrap().len();
    assert_eq!((of(&one).await, of(&other).await), (1, 0));
    let (me, you) = (one.get("/user").await.expect(200), other.get("/user").await.expect(200));
    assert_ne!(me["email"], you["email"]);

    // A seat taken at the origin is seen through the edge: what is kept is kept for a moment.
    let seen = format!("/event/{}/seats", listing.event.0);
    until("the edge shows the seat as held", async || {
        let states = one.get(&seen).await.expect(200)["states"].as_str().unwrap().to_owned();
        (states != all_free(10)).then_some(())
    })
    .await;
}

/// So many free seats as the API writes them: base64 of two bits each.
fn all_free(seats: usize) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(vec![0; seats.div_ceil(4)])
}

#[tokio::test]
async fn nginx_asks_once_for_everyone_and_serves_stale_while_it_asks_again() {
    let (server, listing) = site().await;
    let edge = Edge::nginx(&server.base).await;
    keeps_crowds_away(&server, &edge, &listing).await;
    let (origin, http) = (server.visitor(), reqwest::Client::new());
    let address = format!("{}/event?q=stale", edge.base);
    http.get(&address).send().await.unwrap();
    let unchanged = asked(&origin, 304).await;
    // Past its second it is still given at once, while one request asks by the ETag whether it changed.
    until("an answer past its time is served", async || {
        let answer = http.get(&address).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        (cache_of(&answer) == "STALE").then_some(())
    })
    .await;
    until("it was asked for again by its ETag", async || (asked(&origin, 304).await > unchanged).then_some(())).await;
    let fresh = http.get(&address).send().await.unwrap();
    assert!(["HIT", "UPDATING"].contains(&cache_of(&fresh).as_str()), "{}", cache_of(&fresh));
}

#[tokio::test]
async fn varnish_asks_once_for_everyone_and_serves_stale_while_it_asks_again() {
    let (server, listing) = site().await;
    let edge = Edge::varnish(&server.base).await;
    keeps_crowds_away(&server, &edge, &listing).await;
    let (origin, http) = (server.visitor(), reqwest::Client::new());
    let address = format!("{}/event?q=stale", edge.base);
    http.get(&address).send().await.unwrap();
    let unchanged = asked(&origin, 304).await;
    // Each answer is a hit, also the one past its second that makes Varnish ask by the ETag whether it changed.
    until("it was asked for again by its ETag", async || {
        let answer = http.get(&address).send().await.unwrap();
        assert_eq!((answer.status(), cache_of(&answer).as_str()), (StatusCode::OK, "HIT"));
        (asked(&origin, 304).await > unchanged).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_edge_outlives_its_origin_for_a_while() {
    let (mut server, _) = site().await;
    let edge = Edge::nginx(&server.base).await;
    let address = format!("{}/event?q=evening", edge.base);
    let whole = reqwest::get(&address).await.unwrap().text().await.unwrap();
    server.process.kill().await;
    // Once its second is over there is nobody to ask, and the last answer goes on being given.
    until("the last answer is given though nobody can be asked", async || {
        let answer = reqwest::get(&address).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let stale = cache_of(&answer) == "STALE";
        assert_eq!(answer.text().await.unwrap(), whole);
        stale.then_some(())
    })
    .await;
}
