//! What organizers type: stored as it was checked, refused by the field that is wrong, cleared by `null`.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Client, Database, Server, catalog};

struct Desk {
    database: Database,
    _server: Server,
    organizer: Client,
}

impl Desk {
    async fn open() -> Self {
        let database = Database::migrated().await;
        let server = Server::start(&database).await;
        let organizer = server.buyer().await;
        database.connect().await.execute("update account set role = 'organizer'", &[]).await.unwrap();
        Self { database, _server: server, organizer }
    }

    /// An event's body that is accepted, with fields of `over` in place of its own.
    async fn event(&self, over: Value) -> Value {
        let venue = json!({"name": "Gewandhaus", "city": "Leipzig", "country": "DE", "timezone": "Europe/Berlin"});
        let venue = self.organizer.post("/venue", &venue).await.expect(201);
        let plan = serde_json::to_value(catalog::plan(20)).unwrap();
        let layout = self.organizer.post("/layout", &plan).await.expect(201);
        let mut event = json!({
            "title": "Piano Trio", "venue_id": venue["venue_id"], "starts_at": "2030-05-01T18:00:00Z",
            "layout_hash": layout["layout_hash"], "currency": "EUR", "tiers": [{"tier": 0, "name": "All", "price": 2_500}],
        });
        event.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
        event
    }

    /// The one field that a 422 names.
    async fn wrong_field(&self, path: &str, body: &Value) -> String {
        let problem = self.organizer.post(path, body).await.problem(422, "invalid");
        assert_eq!(problem["errors"].as_array().unwrap().len(), 1, "{problem}");
        problem["errors"][0]["field"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_stored_as_it_was_checked() {
    let desk = Desk::open().await;
    let artist = desk.organizer.post("/artist", &json!({"name": " Clara Wieck \n"})).await.expect(201);
    assert_eq!(artist["name"], "Clara Wieck");
    let role = "r".repeat(100);
    let event = json!({
        "title": "  A trio ", "genres": [" Chamber "], "works": [{"composer": " Wieck ", "title": " Trio "}],
        "artists": [{"artist_id": artist["artist_id"], "role": format!("   {role}   ")}],
        "tiers": [{"tier": 0, "name": " All ", "price": 1}],
    });
    let made = desk.organizer.post("/event", &desk.event(event).await).await.expect(201);
    assert_eq!(made["title"], "A trio");
    assert_eq!(made["artists"][0]["role"], role);
    assert_eq!((&made["genres"], &made["tiers"][0]["name"]), (&json!(["Chamber"]), &json!("All")));
    assert_eq!(made["works"], json!([{"composer": "Wieck", "title": "Trio"}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_wrong_is_named() {
    let desk = Desk::open().await;
    for name in ["two\nlines", "two\u{2028}lines", "bell\u{7}", " \n "] {
        assert_eq!(desk.wrong_field("/artist", &json!({"name": name})).await, "name", "{name:?}");
    }
    let cases = [
        (json!({"title": "two\nlines"}), "title"),
        (json!({"title": 7}), "title"),
        (json!({"description": "bell\u{7}"}), "description"),
        (json!({"starts_at": "tomorrow"}), "starts_at"),
        (json!({"tiers": [{"tier": 0, "name": "All", "price": "free"}]}), "tiers[0].price"),
        (json!({"tiers": [{"tier": 0, "name": "All", "price": 1, "colour": 1}]}), "tiers[0].colour"),
        (json!({"works": [{"composer": "Wieck"}]}), "works[0].title"),
    ];
    for (over, field) in cases {
        assert_eq!(desk.wrong_field("/event", &desk.event(over.clone()).await).await, field, "{over}");
    }
    let mut plan = catalog::plan(10);
    plan.name = "n".repeat(301);
    assert_eq!(desk.wrong_field("/layout", &serde_json::to_value(&plan).unwrap()).await, "name");
    plan.name = "A room".to_owned();
    plan.sections[0].name = "two\nlines".to_owned();
    assert_eq!(desk.wrong_field("/layout", &serde_json::to_value(&plan).unwrap()).await, "sections[0].name");
    assert_eq!(desk.database.number("select (select count(*) from event) + (select count(*) from artist)").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn null_clears_and_what_is_left_out_stays() {
    let desk = Desk::open().await;
    let event = json!({"image": "/art/trio", "ends_at": "2030-05-01T20:00:00Z"});
    let made = desk.organizer.post("/event", &desk.event(event).await).await.expect(201);
    let path = format!("/event/{}", made["event_id"].as_str().unwrap());
    let kept = desk.organizer.put(&path, &json!({"title": "Another title"})).await.expect(200);
    assert_eq!((&kept["image"], &kept["ends_at"]), (&made["image"], &made["ends_at"]));
    let cleared = desk.organizer.put(&path, &json!({"image": null, "ends_at": null})).await.expect(200);
    assert_eq!((&cleared["image"], &cleared["ends_at"]), (&Value::Null, &Value::Null));
    assert_eq!(desk.database.number("select count(*) from event where image is null and ends_at is null").await, 1);

    let venue = json!({"name": "Hall", "city": "Bonn", "region": "NW", "country": "DE", "timezone": "Europe/Berlin",
        "lat": 50.7, "lon": 7.1});
    let venue = desk.organizer.post("/venue", &venue).await.expect(201);
    let path = format!("/venue/{}", venue["venue_id"].as_str().unwrap());
    let half = desk.organizer.put(&path, &json!({"lat": null})).await.problem(422, "invalid");
    assert_eq!(half["errors"][0]["field"], "lat");
    let cleared = json!({"lat": null, "lon": null, "region": null});
    let cleared = desk.organizer.put(&path, &cleared).await.expect(200);
    assert_eq!((&cleared["lat"], &cleared["lon"], &cleared["region"]), (&Value::Null, &Value::Null, &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_too_large_is_told_its_own_limit() {
    let desk = Desk::open().await;
    let limit = 24 << 20;
    let body = format!("{{{}}}", " ".repeat(limit - 1));
    let request = desk.organizer.request(Method::POST, "/layout").header("content-type", "application/json");
    let response = request.body(body).send().await.unwrap();
    assert_eq!(response.status(), 413);
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["limit_bytes"], limit);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_pretix_is_sold_like_any_other() {
    let desk = Desk::open().await;
    let seat = |number: u32| {
        json!({"seat_guid": format!("a-{number}"), "seat_number": number.to_string(), "category": "Parterre",
            "position": {"x": number * 24, "y": 0}})
    };
    let plan = json!({
        "name": "Spiegelsaal", "size": {"width": 600, "height": 400}, "categories": [{"name": "Parterre", "color": "#7f4a91"}],
        "zones": [{"name": "Saal", "position": {"x": 60, "y": 120},
            "rows": [{"row_number": "A", "position": {"x": 0, "y": 0}, "seats": [seat(1), seat(2), seat(3)]}]}],
    });
    let layout = desk.organizer.post("/layout", &plan).await.expect(201);
    assert_eq!(layout["capacity"], 3);
    let again = desk.organizer.post("/layout", &plan).await.expect(201);
    assert_eq!(again["layout_hash"], layout["layout_hash"]);
    let ours = desk.organizer.get(&format!("/layout/{}", layout["layout_hash"].as_str().unwrap())).await.expect(200);
    assert_eq!((&ours["sections"][0]["name"], &ours["tiers"]), (&json!("Saal"), &json!(["Parterre"])));
    assert_eq!(desk.organizer.post("/layout", &ours).await.expect(201)["layout_hash"], layout["layout_hash"]);
    let event = desk.event(json!({"layout_hash": layout["layout_hash"]})).await;
    let event = desk.organizer.post("/event", &event).await.expect(201);
    let ask = json!({"event_id": event["event_id"], "seats": [1]});
    let held = desk.organizer.post_new("/ticket/reserve", &ask).await.expect(201);
    assert_eq!((&held["seats"][0]["row"], &held["seats"][0]["label"]), (&json!("A"), &json!("2")));

    let layouts = desk.database.number("select count(*) from layout").await;
    let refused = async |path: &str, value: Value, field: &str| {
        let mut broken = plan.clone();
        *broken.pointer_mut(path).unwrap() = value;
        assert_eq!(desk.wrong_field("/layout", &broken).await, field);
    };
    refused("/zones/0/rows/0/seats/1/category", json!("Balkon"), "zones[0].rows[0].seats[1].category").await;
    refused("/zones/0/rows/0/seats/2/seat_guid", json!("a-1"), "zones[0].rows[0].seats[2].seat_guid").await;
    refused("/zones/0/rows/0/position", json!({"x": "left", "y": 0}), "zones[0].rows[0].position.x").await;
    refused("/zones/0/rows/0/seats/0", json!({"seat_number": "1"}), "zones[0].rows[0].seats[0].seat_guid").await;
    refused("/zones/0/rows", json!([]), "").await;
    refused("/size", json!({"width": 600}), "size.height").await;
    refused("/zones", json!("none"), "zones").await;
    assert_eq!(desk.database.number("select count(*) from layout").await, layouts, "a refusal stores nothing");
}
