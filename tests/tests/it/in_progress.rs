//! A repeat of a write that still runs: the server says so, and shows in its figures that something waits.

use model::EventId;
use serde_json::{Value, json};
use tests::catalog::Listing;
use tests::{Answer, Client, Database, Server, until};

/// A site with an event whose lane cannot write while `held_up` lasts.
struct Site {
    database: Database,
    server: Server,
    event: EventId,
}

impl Site {
    async fn start() -> Self {
        let database = Database::migrated().await;
        let listing = Listing::new("A slow disk", 30);
        listing.insert(&database).await;
        let server = Server::start(&database).await;
        Self { database, server, event: listing.event }
    }

    /// Sends a write whose batch waits for the lane's row, looks at `meanwhile`, lets it go; gives the write's answer.
    async fn held_up(
        &self,
        path: &str,
        body: &Value,
        (buyer, key): (&Client, &str),
        meanwhile: impl AsyncFn(),
    ) -> Answer {
        let holder = self.database.connect().await;
        holder.batch_execute("begin; select from lane for update").await.unwrap();
        let first = buyer.post_once(path, body, key);
        let look = async {
            let waiting =
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
            until("the batch waits", async || (self.database.number(waiting).await > 0).then_some(())).await;
            meanwhile().await;
            holder.batch_execute("rollback").await.unwrap();
        };
        futures::join!(first, look).0
    }

    /// A gauge of `/metrics`.
    async fn gauge(&self, name: &str) -> String {
        let text = self.server.visitor().get("/metrics").await.text;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_of_a_write_that_still_runs_is_told_so_and_later_gets_its_answer() {
    let site = Site::start().await;
    let buyer = Client::with_session(&site.server.base, &site.database).await;
    let reserve = |seat: u32| json!({"event_id": site.event, "seats": [seat]});
    let first = buyer.post_once("/ticket/reserve", &reserve(0), "first").await.expect(201);
    let slow = site
        .held_up("/ticket/reserve", &reserve(1), (&buyer, "slow"), async || {
            let repeat = buyer.post_once("/ticket/reserve", &reserve(1), "slow").await;
            assert_eq!(repeat.headers["retry-after"], "1");
            repeat.problem(409, "in-progress").as_object().unwrap();
            let other = buyer.post_once("/ticket/reserve", &reserve(2), "slow").await;
            other.problem(422, "key-reused").as_object().unwrap();
            assert_eq!(site.gauge("booking_queue_depth").await, "1");
            assert_ne!(site.gauge("booking_queue_oldest_seconds").await, "0");
            assert_eq!(site.gauge("booking_queue_fill_ratio").await, (1.0 / 16_384.0).to_string());
        })
        .await
        .expect(201);
    assert_eq!(buyer.post_once("/ticket/reserve", &reserve(1), "slow").await.expect(201), slow);
    assert_eq!(buyer.post_once("/ticket/reserve", &reserve(0), "first").await.expect(201), first);
    assert_eq!(site.database.number("select count(*) from claim").await, 2);
    assert_eq!(site.gauge("booking_queue_depth").await, "0");
    let batches = site.server.visitor().get("/metrics").await.text;
    assert!(batches.contains("booking_batch_commands_bucket{le=\"2048\"} 2"), "{batches}");

    let buy = format!("/ticket/buy/{}", site.event);
    let body = json!({"reserve_id": slow["reserve_id"]});
    let bought = site
        .held_up(&buy, &body, (&buyer, "buy"), async || {
            let repeat = buyer.post_once(&buy, &body, "buy").await;
            repeat.problem(409, "in-progress").as_object().unwrap();
            let other = buyer.post_once(&buy, &json!({"reserve_id": first["reserve_id"]}), "buy").await;
            other.problem(422, "key-reused").as_object().unwrap();
        })
        .await
        .expect(200);
    assert_eq!(buyer.post_once(&buy, &body, "buy").await.expect(200), bought);
    assert_eq!(site.database.number("select count(*) from payment").await, 1);
}
