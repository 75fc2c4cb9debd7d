//! The door: its list, admissions told afterwards, and its page in a browser, with and without a network.

use super::{Evening, buy};
use crate::browser::walk;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tests::{Client, catalog};
use uuid::Uuid;

async fn tickets(buyer: &Client) -> Vec<Value> {
    buyer.get("/ticket").await.expect(200)["tickets"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_s_list_knows_codes_by_their_hash_and_is_the_organizer_s_alone() {
    let evening = Evening::sold().await;
    let path = format!("/event/{}/door", evening.listing.event);
    evening.server.visitor().get(&path).await.problem(401, "no-session").as_object().unwrap();
    evening.buyer.get(&path).await.problem(403, "forbidden").as_object().unwrap();
    let foreign = catalog::on_sale(&evening.database, "Another organizer's", 10).await;
    let foreign = Client::session_of(foreign.organizer, &evening.server.base, &evening.database).await;
    foreign.get(&path).await.problem(403, "forbidden").as_object().unwrap();
    let nothing = format!("/event/{}/door", Uuid::now_v7());
    evening.organizer.get(&nothing).await.problem(404, "no-such-event").as_object().unwrap();

    let held = tickets(&evening.buyer).await;
    let door = evening.organizer.get(&path).await;
    assert_eq!(door.headers["cache-control"], "private, no-store");
    let list = door.expect(200);
    let expected: Vec<Value> = held
        .iter()
        .map(|ticket| {
            let sha256 = URL_SAFE_NO_PAD.encode(Sha256::digest(ticket["code"].as_str().unwrap()));
            json!({"sha256": sha256, "holder": "A Buyer", "section": "Stalls", "row": ticket["row"], "label": ticket["label"]})
        })
        .collect();
    assert_eq!(list["tickets"], json!(expected));
    drop(evening.organizer.post(&evening.refund(), &json!({})).await.expect(202));
    assert_eq!(evening.organizer.get(&path).await.expect(200)["tickets"], json!([]), "given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admission_told_afterwards_is_one_however_often_and_the_second_door_hears_of_the_first() {
    let evening = Evening::sold().await;
    let ticket = tickets(&evening.buyer).await.remove(0);
    let at = jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_mins(20)).unwrap();
    let told = |id: Uuid, at: String| json!({"code": ticket["code"], "admission": {"id": id, "at": at}});
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    let long_ago = evening.organizer.post("/checkin", &told(one, "2020-01-01T00:00:00Z".into())).await;
    assert_eq!(long_ago.problem(422, "invalid")["errors"][0]["field"], "admission.at");
    assert_eq!(evening.database.number("select count(*) from ticket where state = 'used'").await, 0);
    let first = evening.organizer.post("/checkin", &told(one, at.to_string())).await.expect(200);
    let micros = |at: &Value| at.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_microsecond();
    assert_eq!(micros(&first["at"]), at.as_microsecond());
    let again = evening.organizer.post("/checkin", &told(one, at.to_string())).await.expect(200);
    assert_eq!(again, first, "told twice, it is one");
    let second = evening.organizer.post("/checkin", &told(other, at.to_string())).await.problem(409, "already-used");
    assert_eq!(second["at"], first["at"]);
    let ahead = tickets(&evening.buyer).await.remove(1);
    let tomorrow = jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_hours(24)).unwrap();
    let body = json!({"code": ahead["code"], "admission": {"id": other, "at": tomorrow}});
    let now = evening.organizer.post("/checkin", &body).await.expect(200);
    assert!(micros(&now["at"]) < tomorrow.as_microsecond(), "a clock that is ahead counts as now");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clerk_lets_people_in_with_a_network_and_without() {
    let evening = Evening::sold().await;
    drop(buy(&evening.buyer, &evening.listing, &[7, 8]).await);
    let door = format!("/door/{}", evening.listing.event);
    let nobody = evening.server.visitor().get(&door).await;
    assert_eq!(
        (nobody.status.as_u16(), nobody.headers["location"].to_str().unwrap().starts_with("/signin")),
        (303, true)
    );
    assert_eq!(evening.buyer.get(&door).await.status.as_u16(), 403);
    let account = evening.organizer.get("/account").await;
    assert!(account.text.contains(&format!("href=\"{door}\"")), "{}", account.text);
    let codes: Vec<Value> = tickets(&evening.buyer).await.iter().map(|ticket| ticket["code"].clone()).collect();
    let token = evening.organizer.token().unwrap();
    let scene = json!({"door": door, "token": token, "codes": codes});
    walk("e2e/door.mjs", &evening.server.base, &scene).await;
    assert_eq!(evening.database.number("select count(*) from ticket where state = 'used'").await, 4);
    let told = "select count(*) from ticket where admission is not null";
    assert_eq!(evening.database.number(told).await, 3, "one was another door's");
}
