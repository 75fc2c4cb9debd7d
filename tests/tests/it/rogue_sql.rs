//! Wrong statements, each refused by the schema itself: no program stands between them and the tables here.
//!
//! A real sale is made through the booking core first. Every refusal names its constraint or trigger and leaves every booking
//! table as it was. At the end the one legal way to sell a seat again is taken, and passes.

mod statements;

use crate::booking_core::Core;
use booking::{Ask, Report, ReserveError, ReserveRequest};
use model::{SeatNo, UserId};
use tokio_postgres::Client;

/// Seats 0 and 1 sold and captured, seat 2 held with a pending order and an open attempt, seat 3 held alone, with a code that is good once.
struct Scene {
    core: Core,
    client: Client,
    names: Vec<(&'static str, String)>,
}

impl Scene {
    async fn new() -> Self {
        let core = Core::new().await;
        let once = "insert into sale_code (event_id, code, uses_max, seats_max) values ($1, 'ONCE', 1, 2)";
        core.database.connect().await.execute(once, &[&core.event().0]).await.unwrap();
        let (owner, other) = (core.buyer().await, core.buyer().await);
        let sold = bought(&core, owner, &[0, 1], "sold").await.unwrap();
        core.booking.payment_reported("sandbox", "sold", Report::Authorized).await.unwrap();
        core.booking.payment_reported("sandbox", "sold", Report::Captured).await.unwrap();
        let pending = bought(&core, other, &[2], "pending").await.unwrap();
        let ask = ReserveRequest { event: core.event(), ask: Ask::Seats(vec![3]), code: Some("ONCE".into()) };
        let bare = core.booking.reserve(other, ask, "bare").await.unwrap();
        let client = core.database.connect().await;
        let ticket = core.booking.tickets(owner, None).await.unwrap().remove(0);
        let lane = client.query_one("select seq, epoch from lane", &[]).await.unwrap();
        let (seq, epoch): (i64, i64) = (lane.get(0), lane.get(1));
        let names = vec![
            ("{event}", core.event().to_string()),
            ("{owner}", owner.to_string()),
            ("{other}", other.to_string()),
            ("{sold_order}", sold.order.order_id.to_string()),
            ("{sold_hold}", sold.order.reserve_id.to_string()),
            ("{sold_payment}", sold.payment.payment_id.to_string()),
            ("{pending_order}", pending.order.order_id.to_string()),
            ("{pending_hold}", pending.order.reserve_id.to_string()),
            ("{pending_payment}", pending.payment.payment_id.to_string()),
            ("{bare_hold}", bare.reserve_id.to_string()),
            ("{ticket}", ticket.ticket_id.to_string()),
            ("{seq}", seq.to_string()),
            ("{next}", (seq + 1).to_string()),
            ("{epoch}", epoch.to_string()),
            ("{new}", uuid::Uuid::now_v7().to_string()),
        ];
        Self { core, client, names }
    }

    fn fill(&self, sql: &str) -> String {
        self.names.iter().fold(sql.to_owned(), |sql, (name, value)| sql.replace(name, value))
    }

    /// Every row of every booking table.
    async fn rows(&self) -> Vec<String> {
        let mut all = Vec::new();
        for table in TABLES {
            let sql = format!("select coalesce(string_agg(t::text, e'\\n' order by t::text), '') from {table} t");
            all.push(self.client.query_one(&sql, &[]).await.unwrap().get(0));
        }
        all
    }
}

const TABLES: [&str; 15] = [
    "event",
    "lane",
    "lane_log",
    "hold",
    "orders",
    "claim",
    "ticket",
    "buyer_quota",
    "sale_code",
    "availability",
    "payment",
    "outbox",
    "webhook_inbox",
    "layout",
    "waiting",
];

async fn bought(core: &Core, buyer: UserId, seats: &[SeatNo], key: &str) -> Result<booking::Checkout, ReserveError> {
    let held = core.seats(buyer, seats, &format!("seats {key}")).await?;
    let checkout = core.booking.buy(buyer, core.event(), Some(held.reserve_id), key).await.unwrap();
    core.booking.payment_opened(checkout.payment.payment_id, "sandbox", key, "http://portal.test").await.unwrap();
    Ok(checkout)
}

#[tokio::test]
async fn every_wrong_statement_is_refused_by_the_schema_and_changes_nothing() {
    let scene = Scene::new().await;
    let before = scene.rows().await;
    let mut wrong = Vec::new();
    for (what, sql, refusal) in statements::WRONG {
        match scene.client.batch_execute(&scene.fill(sql)).await {
            Ok(()) => wrong.push(format!("{what}: was let through")),
            Err(error) => {
                let error = error.as_db_error().unwrap();
                let said = format!("{} {}", error.constraint().unwrap_or_default(), error.message());
                if !said.contains(refusal) {
                    wrong.push(format!("{what}: refused by {said:?}, not by {refusal:?}"));
                }
            }
        }
        assert_eq!(scene.rows().await, before, "{what}: changed something");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(statements::WRONG.len() > 60);
}

#[tokio::test]
async fn a_seat_is_sold_again_only_after_its_ticket_is_void() {
    let scene = Scene::new().await;
    let resale = scene.fill(statements::RESALE);
    scene.client.batch_execute(&resale).await.unwrap();
    let live = "select count(*) from ticket where seat_no = 0 and state <> 'void'";
    assert_eq!(scene.core.number(live).await, 1);
    assert_eq!(scene.core.number("select count(*) from ticket where seat_no = 0 and state = 'void'").await, 1);
    // And the resold seat is as safe as the first time.
    let error = scene.client.batch_execute("delete from claim where seat_no = 0").await.unwrap_err();
    assert_eq!(error.as_db_error().unwrap().constraint(), Some("ticket_stands_on_its_claim"));
}

#[tokio::test]
async fn a_paused_owner_of_a_lane_can_write_nothing_when_it_wakes() {
    let scene = Scene::new().await;
    scene.client.batch_execute("update lane set epoch = epoch + 1, owner = 'the next'").await.unwrap();
    let before = scene.rows().await;
    let fence = "update lane set seq = seq + 1 where epoch = {epoch} and seq = {seq}";
    assert_eq!(scene.client.execute(&scene.fill(fence), &[]).await.unwrap(), 0);
    let error = scene.client.batch_execute(&scene.fill(statements::LOG_ENTRY)).await.unwrap_err();
    assert!(error.as_db_error().unwrap().message().contains("does not follow the lane"));
    assert_eq!(scene.rows().await, before);
}
