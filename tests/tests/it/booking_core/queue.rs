//! The queue in front of a lane: what holds of it in process holds of it in Redis, and there for every process that asks.

use super::{Core, settings};
use booking::{Ask, BestAvailable, OrderState, Reservation, ReserveError, ReserveRequest, Settings};
use futures::future::join_all;
use model::UserId;
use serde_json::json;
use std::time::{Duration, Instant};
use tests::catalog::Listing;
use tests::{Database, Redis, Wire, until};
use tokio::task::JoinHandle;
use tokio_postgres::Client;

/// Where the queue is.
#[derive(Clone, Copy)]
enum Way {
    InProcess,
    InRedis,
}

/// Each of these holds both ways.
macro_rules! facts {
    ($($fact:ident)*) => {$(
        mod $fact {
            #[tokio::test]
            async fn in_process() {
                super::$fact(super::Way::InProcess).await;
            }

            #[tokio::test]
            async fn in_redis() {
                super::$fact(super::Way::InRedis).await;
            }
        }
    )*};
}

facts! {
    outcomes_stand_in_the_order_of_asking
    a_full_queue_is_busy_until_something_is_answered
    nothing_is_answered_before_it_is_committed
    a_command_that_cannot_be_carried_out_holds_nobody_up
    whoever_stops_waiting_is_served_all_the_same
}

/// An event that a core serves, and what its queue is in.
struct Scene {
    core: Core,
    settings: Settings,
    redis: Option<Redis>,
}

impl Scene {
    async fn new(way: Way) -> Self {
        Self::with(way, |settings| settings).await
    }

    async fn with(way: Way, adjust: impl FnOnce(Settings) -> Settings) -> Self {
        let redis = match way {
            Way::InProcess => None,
            Way::InRedis => Some(Redis::start().await),
        };
        let (database, listing) = (Database::migrated().await, Listing::new("An evening", 100));
        listing.insert(&database).await;
        let url = redis.as_ref().map(|redis| redis.url.clone());
        let settings = adjust(Settings { redis: url, ..settings(&database.url) });
        let core = Core::with(database, listing, settings.clone()).await;
        let scene = Self { core, settings, redis };
        scene.core.seats(scene.core.buyer().await, &[99], "first").await.unwrap();
        scene
    }

    /// Another core that asks by the same queue.
    async fn another(&self) -> Core {
        let Core { database, listing, .. } = &self.core;
        Core::with(database.clone(), listing.clone(), self.settings.clone()).await
    }

    async fn buyers(&self, count: usize) -> Vec<UserId> {
        join_all((0..count).map(|_| self.core.buyer())).await
    }

    /// Holds the lane up in the midst of its next batch, until the connection goes.
    async fn held_up(&self) -> Client {
        let client = self.core.database.connect().await;
        client.batch_execute("begin; select from lane for update").await.unwrap();
        client
    }

    async fn a_batch_waits(&self) {
        let waiting = "select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock' and query like 'update lane%'";
        until("a batch waits", async || (self.core.number(waiting).await == 1).then_some(())).await;
    }

    fn key(&self, what: &str) -> String {
        format!("frontrow:queue:{{{}}}{what}", self.core.event())
    }

    /// Commands in the stream; none where there is none.
    fn depth(&self) -> usize {
        self.redis.as_ref().map_or(0, |redis| redis.cli(&["XLEN", &self.key("")]).parse().unwrap())
    }

    async fn depth_is(&self, depth: usize) {
        if self.redis.is_some() {
            until("the stream is so long", async || (self.depth() == depth).then_some(())).await;
        }
    }

    /// Who got seats, as the log has it.
    async fn order(&self) -> Vec<UserId> {
        let client = self.core.database.connect().await;
        let mut order = Vec::new();
        for row in client.query("select payload from lane_log where seq > 1 order by seq", &[]).await.unwrap() {
            let facts: Vec<serde_json::Value> = serde_json::from_slice(row.get(0)).unwrap();
            order.extend(facts.iter().map(|fact| UserId(fact["buyer"].as_str().unwrap().parse().unwrap())));
        }
        order
    }
}

type Asked = JoinHandle<Result<Reservation, ReserveError>>;

/// Asks for a seat in a task of its own; whoever is asked first begins first.
fn ask(core: &Core, buyer: UserId) -> Asked {
    let (booking, event) = (core.booking.clone(), core.event());
    let ask = Ask::Best(BestAvailable { quantity: 1, ..BestAvailable::default() });
    tokio::spawn(async move { booking.reserve(buyer, ReserveRequest { event, ask, code: None }, "k").await })
}

async fn answers(asked: Vec<Asked>) -> Vec<Result<Reservation, ReserveError>> {
    join_all(asked).await.into_iter().map(Result::unwrap).collect()
}

async fn outcomes_stand_in_the_order_of_asking(way: Way) {
    let scene = Scene::new(way).await;
    let (buyers, up) = (scene.buyers(60).await, scene.held_up().await);
    let asked = buyers.iter().map(|buyer| ask(&scene.core, *buyer)).collect();
    scene.a_batch_waits().await;
    drop(up);
    assert!(answers(asked).await.iter().all(Result::is_ok));
    assert_eq!(scene.order().await, buyers);
    scene.depth_is(0).await;
    scene.core.audit().await;
}

async fn a_full_queue_is_busy_until_something_is_answered(way: Way) {
    let scene = Scene::with(way, |settings| Settings { queue_max: 4, ..settings }).await;
    scene.depth_is(0).await;
    let (buyers, up) = (scene.buyers(6).await, scene.held_up().await);
    let asked = buyers.iter().map(|buyer| ask(&scene.core, *buyer)).collect();
    scene.a_batch_waits().await;
    drop(up);
    let answers = answers(asked).await;
    assert!(answers[..4].iter().all(Result::is_ok), "{answers:?}");
    assert!(answers[4..].iter().all(|answer| matches!(answer, Err(ReserveError::Busy))), "{answers:?}");
    scene.depth_is(0).await;
    scene.core.best(buyers[4], 1, "k").await.unwrap();
    assert_eq!(scene.core.number("select count(*) from hold").await, 6);
    scene.core.audit().await;
}

async fn nothing_is_answered_before_it_is_committed(way: Way) {
    let scene = Scene::new(way).await;
    scene.depth_is(0).await;
    let (buyer, up) = (scene.core.buyer().await, scene.held_up().await);
    let mut asked = ask(&scene.core, buyer);
    let waits = async {
        scene.a_batch_waits().await;
        scene.depth_is(1).await;
    };
    tokio::select! {
        answer = &mut asked => panic!("answered before the commit: {answer:?}"),
        () = waits => {}
    }
    assert_eq!(scene.core.number("select count(*) from hold").await, 1);
    drop(up);
    asked.await.unwrap().unwrap();
    assert_eq!(scene.depth(), 0, "answered and out of the stream in one");
    assert_eq!(scene.core.number("select count(*) from hold").await, 2);
}

async fn a_command_that_cannot_be_carried_out_holds_nobody_up(way: Way) {
    let scene = Scene::new(way).await;
    let buyer = scene.core.buyer().await;
    // The hold's table takes no key as long as this.
    let endless = "a".repeat(201);
    let (impossible, real) =
        futures::join!(scene.core.seats(buyer, &[0], &endless), scene.core.seats(buyer, &[1], "b"));
    assert!(matches!(impossible, Err(ReserveError::Failed(_))), "{impossible:?}");
    real.unwrap();
    if let Some(redis) = &scene.redis {
        let dead = redis.cli(&["XRANGE", &scene.key(":dead"), "-", "+"]);
        assert!(dead.contains("write a batch") && dead.contains(&endless), "{dead}");
    }
    assert_eq!(scene.core.number("select count(*) from claim").await, 2);
    scene.core.audit().await;
}

async fn whoever_stops_waiting_is_served_all_the_same(way: Way) {
    let scene = Scene::new(way).await;
    scene.depth_is(0).await;
    let (buyer, up) = (scene.core.buyer().await, scene.held_up().await);
    let asked = ask(&scene.core, buyer);
    scene.a_batch_waits().await;
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    drop(up);
    until("it is decided", async || (scene.core.number("select count(*) from hold").await == 2).then_some(())).await;
    scene.core.best(buyer, 1, "k").await.unwrap();
    assert_eq!(scene.core.number("select count(*) from hold").await, 2);
}

#[tokio::test]
async fn who_has_not_the_lane_asks_by_the_stream_and_no_more_wait_than_it_takes() {
    let scene = Scene::with(Way::InRedis, |settings| Settings { queue_max: 4, ..settings }).await;
    let other = scene.another().await;
    other.best(other.buyer().await, 1, "first").await.unwrap();
    assert_eq!(scene.core.number("select epoch from lane").await, 1, "the lane stayed where it was");
    let (buyers, up) = (scene.buyers(6).await, scene.held_up().await);
    scene.depth_is(0).await;
    let (here, there) = buyers.split_at(3);
    let here = here.iter().map(|buyer| ask(&scene.core, *buyer)).collect();
    scene.depth_is(3).await;
    let mut there: Vec<Asked> = there.iter().map(|buyer| ask(&other, *buyer)).collect();
    // One place is left in a stream of four, whatever each process has room for.
    for refused in answers(there.split_off(1)).await {
        assert!(matches!(refused, Err(ReserveError::Busy)), "{refused:?}");
    }
    drop(up);
    for answer in [answers(here).await, answers(there).await].concat() {
        answer.unwrap();
    }
    scene.core.audit().await;
}

#[tokio::test]
async fn what_an_owner_leaves_is_answered_by_the_next_in_its_order() {
    let scene = Scene::new(Way::InRedis).await;
    let (other, third) = (scene.another().await, scene.another().await);
    let (buyers, up) = (scene.buyers(20).await, scene.held_up().await);
    let mut asked = vec![ask(&other, buyers[0])];
    scene.a_batch_waits().await;
    // In turns, each when the one before is in the stream.
    for (number, buyer) in buyers.iter().enumerate().skip(1) {
        asked.push(ask(if number % 2 == 0 { &other } else { &third }, *buyer));
        scene.depth_is(number + 1).await;
    }
    let Scene { core, settings, redis } = scene;
    drop(up);
    core.stopped().await;
    for answer in answers(asked).await {
        answer.unwrap();
    }
    let scene = Scene { core: other, settings, redis };
    assert_eq!(scene.order().await, buyers);
    assert_eq!(scene.core.number("select epoch from lane").await, 2);
    scene.depth_is(0).await;
    scene.core.audit().await;
}

#[tokio::test]
async fn a_command_that_is_delivered_twice_is_carried_out_once() {
    let scene = Scene::new(Way::InRedis).await;
    let redis = scene.redis.as_ref().unwrap();
    scene.depth_is(0).await;
    let (buyer, up) = (scene.core.buyer().await, scene.held_up().await);
    let asked = ask(&scene.core, buyer);
    scene.a_batch_waits().await;
    let entry = redis.cli(&["XRANGE", &scene.key(""), "-", "+"]);
    let fields: Vec<&str> = entry.lines().skip(1).collect();
    redis.cli(&[&["XADD", &scene.key(""), "*"][..], &fields].concat());
    drop(up);
    asked.await.unwrap().unwrap();
    scene.depth_is(0).await;
    assert_eq!(scene.core.number("select count(*) from hold").await, 2);
    assert_eq!(scene.core.number("select seq from lane").await, 2);
}

#[tokio::test]
async fn what_cannot_be_decided_is_put_to_the_dead_with_its_reason() {
    let redis = Redis::start().await;
    let (database, listing) = (Database::migrated().await, Listing::new("An evening", 10));
    listing.insert(&database).await;
    let key = |what: &str| format!("frontrow:queue:{{{}}}{what}", listing.event);
    let add = |entry: &str, encoding: &str, command: &str| {
        redis.cli(&["XADD", &key(""), entry, "asker", "nobody", "ask", "0", encoding, command])
    };
    // Five lanes have ended with this among their first, which nobody waits for any more.
    let fatal = add("1-1", "command.1", "\"wake\"");
    add("*", "command.1", "what?");
    add("*", "command.2", "\"wake\"");
    redis.cli(&["HSET", &key(":lane"), &fatal, "5"]);
    let settings = Settings { redis: Some(redis.url.clone()), ..settings(&database.url) };
    let core = Core::with(database, listing.clone(), settings).await;
    core.best(core.buyer().await, 1, "k").await.unwrap();
    until("the stream is empty", async || (redis.cli(&["XLEN", &key("")]) == "0").then_some(())).await;
    let dead = redis.cli(&["XRANGE", &key(":dead"), "-", "+"]);
    for reason in ["expected value", "\"command.2\"", "5 lanes ended before it was answered"] {
        assert!(dead.contains(reason), "{reason}: {dead}");
    }
    assert_eq!(redis.cli(&["XLEN", &key(":dead")]), "3");
    let kept_s: i64 = redis.cli(&["TTL", &key(":dead")]).parse().unwrap();
    assert!((600_000..=7 * 86_400).contains(&kept_s), "{kept_s}");
    let fields = redis.cli(&["HKEYS", &key(":lane")]);
    assert_eq!(fields.lines().collect::<Vec<_>>(), ["epoch", "owner"], "no tries are kept of what is gone");
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_not_done_but_what_a_provider_says_is() {
    let scene = Scene::new(Way::InRedis).await;
    let (core, redis, stream) = (&scene.core, scene.redis.as_ref().unwrap(), scene.key(""));
    let buyer = core.buyer().await;
    let held = core.seats(buyer, &[5], "k").await.unwrap();
    let bought = core.booking.buy(buyer, core.event(), Some(held.reserve_id), "pay").await.unwrap();
    let other = core.seats(buyer, &[6], "l").await.unwrap();
    scene.depth_is(0).await;
    // Then the next may be as old as Redis itself.
    redis.cli(&["DEL", &stream]);
    let add = |entry: &str, command: serde_json::Value| {
        redis.cli(&["XADD", &stream, entry, "asker", "nobody", "ask", "0", "command.1", &command.to_string()])
    };
    let (ask, request) = (json!({"seats": [7]}), "0".repeat(64));
    add("1-1", json!({"reserve": {"buyer": buyer, "ask": ask, "code": null, "key": "m", "request": request}}));
    add("1-2", json!({"release": {"buyer": buyer, "holds": [other.reserve_id]}}));
    let (order, payment) = (bought.order.order_id, bought.payment.payment_id);
    add("1-3", json!({"settle": {"order": order, "payment": payment, "report": "authorized"}}));
    scene.depth_is(0).await;
    assert_eq!(core.booking.order(order).await.unwrap().unwrap().state, OrderState::Confirmed);
    assert_eq!(core.number("select count(*) from claim where seat_no in (6, 7)").await, 1, "as it was");
    assert_eq!(redis.cli(&["XLEN", &scene.key(":dead")]), "0");
    core.seats(buyer, &[7], "m").await.unwrap();
    core.audit().await;
}

#[tokio::test]
async fn no_more_is_taken_at_once_than_so_many_commands_and_so_many_bytes() {
    let redis = Redis::start().await;
    for number in 1..=5 {
        let command = number.to_string().repeat(600);
        redis.cli(&["XADD", "{e}", "*", "asker", "nobody", "ask", "0", "command.1", &command]);
    }
    let script = include_str!("../../../../booking/src/shell/queue/take.lua");
    let taken = |commands: &str, bytes: &str| {
        let keys = ["EVAL", script, "3", "{e}", "{e}:lane", "{e}:dead"];
        let found = redis.cli(&[&keys[..], &["1", "owner", "60", commands, "10000", bytes, "60"]].concat());
        found.lines().filter(|line| line.len() == 600).count()
    };
    assert_eq!(taken("9", "1000000"), 5);
    assert_eq!(taken("2", "1000000"), 2);
    assert_eq!(taken("9", "1200"), 2, "the third would begin beyond them");
    assert_eq!(taken("9", "1"), 1, "one at least, or it would never come");
}

#[tokio::test]
async fn a_lane_that_cannot_be_read_is_tried_again_after_pauses_that_grow() {
    let redis = Redis::start().await;
    let (database, listing) = (Database::migrated().await, Listing::new("An evening", 10));
    listing.insert(&database).await;
    let client = database.connect().await;
    let currency = async |now: &str| {
        client.batch_execute(&format!("update event set currency = '{now}'")).await.unwrap();
    };
    client.batch_execute("alter table event drop constraint event_currency_check").await.unwrap();
    currency("?").await;
    let settings = Settings { redis: Some(redis.url.clone()), ..settings(&database.url) };
    let core = Core::with(database.clone(), listing, settings).await;
    let asked = ask(&core, core.buyer().await);
    // Each try takes the lane first.
    let tries = async |count: i64| {
        let taken = "select coalesce(max(epoch), 0) from lane";
        until("tries", async || (core.number(taken).await >= count).then(Instant::now)).await
    };
    let (first, sixth) = (tries(1).await, tries(6).await);
    // Half of 0.1, 0.2, 0.4, 0.8 and 1.6 s at least; the first may be seen late.
    assert!(sixth - first > Duration::from_millis(1_400), "{:?}", sixth - first);
    currency("USD").await;
    asked.abort();
    until("it is read", async || core.best(core.buyer().await, 1, "l").await.ok()).await;
    core.audit().await;
}

#[tokio::test]
async fn a_redis_that_forgets_or_dies_costs_time_and_nothing_else() {
    let mut scene = Scene::new(Way::InRedis).await;
    let other = scene.another().await;
    let (buyers, up) = (scene.buyers(2).await, scene.held_up().await);
    let asked = vec![ask(&other, buyers[0]), ask(&scene.core, buyers[1])];
    let began = Instant::now();
    scene.depth_is(2).await;
    scene.redis.as_ref().unwrap().cli(&["FLUSHALL"]);
    drop(up);
    // Whoever waits finds that their command does so no more.
    for answer in answers(asked).await {
        assert!(matches!(answer, Err(ReserveError::Busy)), "{answer:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    for buyer in &buyers {
        other.best(*buyer, 1, "k").await.unwrap();
    }
    assert_eq!(scene.core.number("select count(*) from hold").await, 3, "asked again under the same keys");
    scene.redis.as_mut().unwrap().process.kill().await;
    let refused = other.best(buyers[0], 1, "l").await;
    assert!(matches!(refused, Err(ReserveError::Busy)), "{refused:?}");
    scene.redis.as_mut().unwrap().restart().await;
    until("it goes on", async || other.best(buyers[0], 1, "l").await.ok()).await;
    assert_eq!(scene.core.number("select count(*) from hold").await, 4);
    assert_eq!(scene.core.number("select epoch from lane").await, 1);
    scene.core.audit().await;
}

#[tokio::test]
async fn connections_to_redis_that_fall_silent_are_made_anew() {
    let scene = Scene::new(Way::InRedis).await;
    let port = scene.redis.as_ref().unwrap().url.rsplit(':').next().unwrap().parse().unwrap();
    let wire = Wire::to(port).await;
    let Core { database, listing, .. } = &scene.core;
    let far = Settings { redis: Some(format!("redis://127.0.0.1:{}", wire.port)), ..settings(&database.url) };
    let far = Core::with(database.clone(), listing.clone(), far).await;
    let buyer = far.buyer().await;
    far.best(buyer, 1, "before").await.unwrap();
    wire.silence();
    let began = Instant::now();
    until("it is heard again", async || far.best(buyer, 1, "after").await.ok()).await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(scene.core.number("select count(*) from hold").await, 3);
    scene.core.audit().await;
}
