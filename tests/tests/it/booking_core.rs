//! The booking core on a real Postgres, without HTTP: holds, expiry, repeats, orders, payments, the live seat map.
//!
//! What the lane decides is also looked up in the tables, and `lane_log` must chain without a gap after every test.

mod lease;
mod payments;
mod queue;
mod refunds;
mod seat_map;
mod silence;
mod strangers;
mod tickets;
mod trouble;

use booking::{Ask, BestAvailable, Booking, Closed, Reservation, ReserveError, ReserveRequest, Settings, TicketKey};
use model::{EventId, SeatNo, UserId};
use tests::catalog::Listing;
use tests::{Database, until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A booking core of one's own with an event on sale.
pub(crate) struct Core {
    pub(crate) database: Database,
    pub(crate) booking: Booking,
    pub(crate) listing: Listing,
    tracker: TaskTracker,
    stop: CancellationToken,
}

/// The usual settings over this database.
pub(crate) fn settings(url: &str) -> Settings {
    let endpoint = indexer::Endpoint::parse(url).unwrap();
    Settings::new(endpoint.config, endpoint.tls, TicketKey::from_seed(&[7; 32]).unwrap())
}

impl Core {
    pub(crate) async fn of(listing: Listing) -> Self {
        let database = Database::migrated().await;
        listing.insert(&database).await;
        let settings = settings(&database.url);
        Self::with(database, listing, settings).await
    }

    /// Over a listing that is there, with settings of its own.
    pub(crate) async fn with(database: Database, listing: Listing, settings: Settings) -> Self {
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let settings = Settings { sweep_s: 1, ..settings };
        let booking = Booking::open(settings, database.pool().await, tracker.clone(), stop.clone()).await.unwrap();
        Self { database, booking, listing, tracker, stop }
    }

    /// Another core on the same database, as another process has one.
    pub(crate) async fn another(&self) -> Self {
        Self::with(self.database.clone(), self.listing.clone(), settings(&self.database.url)).await
    }

    /// Stops in order.
    pub(crate) async fn stopped(self) -> (Database, Listing) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
        (self.database, self.listing)
    }

    /// 30 seats at 50 USD, eight a buyer.
    pub(crate) async fn new() -> Self {
        Self::of(Listing::new("An evening", 30)).await
    }

    /// The same database under a new core, as after a restart.
    pub(crate) async fn restarted(self) -> Self {
        let (database, listing) = self.stopped().await;
        let settings = settings(&database.url);
        Self::with(database, listing, settings).await
    }

    pub(crate) fn event(&self) -> EventId {
        self.listing.event
    }

    pub(crate) async fn buyer(&self) -> UserId {
        let buyer = UserId::new();
        let sql = "insert into account (user_id, email, name, password_hash) values ($1, $2, 'Buyer', '!')";
        let email = format!("{buyer}@example.test");
        self.database.connect().await.execute(sql, &[&buyer.0, &email]).await.unwrap();
        buyer
    }

    pub(crate) async fn seats(&self, buyer: UserId, seats: &[SeatNo], key: &str) -> Result<Reservation, ReserveError> {
        let request = ReserveRequest { event: self.event(), ask: Ask::Seats(seats.to_vec()), code: None };
        self.booking.reserve(buyer, request, key).await
    }

    pub(crate) async fn best(&self, buyer: UserId, quantity: u32, key: &str) -> Result<Reservation, ReserveError> {
        let ask = Ask::Best(BestAvailable { quantity, ..BestAvailable::default() });
        self.booking.reserve(buyer, ReserveRequest { event: self.event(), ask, code: None }, key).await
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.database.number(sql).await
    }

    /// The log has no gap and the counts follow from the claims.
    pub(crate) async fn audit(&self) {
        let gaps =
            "select count(*) from lane l where seq <> (select count(*) from lane_log g where g.event_id = l.event_id)";
        assert_eq!(self.number(gaps).await, 0, "the log has a gap");
        let astray = "select count(*) from availability a where seats_left <>
            seats_total - (select count(*) from claim c where c.event_id = a.event_id)";
        assert_eq!(self.number(astray).await, 0, "availability does not follow the claims");
        let quotas = "select count(*) from buyer_quota q where seats <> (select count(*) from claim c join hold h
            using (event_id, hold_id) where h.event_id = q.event_id and h.user_id = q.user_id)";
        assert_eq!(self.number(quotas).await, 0, "a quota does not follow the claims");
    }
}

pub(crate) fn numbers(reservation: &Reservation) -> Vec<SeatNo> {
    reservation.seats.iter().map(|seat| seat.seat_no).collect()
}

#[tokio::test]
async fn named_seats_are_held_all_or_none() {
    let core = Core::new().await;
    let (one, other) = (core.buyer().await, core.buyer().await);
    let held = core.seats(one, &[4, 3], "k").await.unwrap();
    assert_eq!(numbers(&held), [3, 4]);
    assert_eq!((held.total, held.seats[0].label.as_str(), held.seats[0].row.as_str()), (10_000, "4", "1"));
    assert_eq!(core.number("select count(*) from claim where kind = 0").await, 2);
    let refused = core.seats(other, &[4, 5], "k").await.unwrap_err();
    assert!(matches!(refused, ReserveError::SeatsTaken { ref seats } if seats == &[4]), "{refused:?}");
    let refused = core.seats(other, &[29, 30], "l").await.unwrap_err();
    assert!(matches!(refused, ReserveError::BadSeat { ref seats } if seats == &[30]), "{refused:?}");
    assert_eq!(core.number("select count(*) from claim").await, 2);
    assert_eq!(core.number("select seats_left::bigint from availability").await, 28);
    core.audit().await;
}

#[tokio::test]
async fn a_repeat_answers_the_same_also_after_a_restart() {
    let core = Core::new().await;
    let (one, other) = (core.buyer().await, core.buyer().await);
    let first = core.best(one, 2, "k").await.unwrap();
    assert_eq!(core.best(one, 2, "k").await.unwrap(), first);
    assert!(matches!(core.best(one, 3, "k").await, Err(ReserveError::KeyReused)));
    let taken = core.seats(other, &numbers(&first), "k").await.unwrap_err();
    core.booking.release(one, core.event()).await.unwrap();
    assert_eq!(format!("{:?}", core.seats(other, &numbers(&first), "k").await.unwrap_err()), format!("{taken:?}"));
    let core = core.restarted().await;
    assert_eq!(core.best(one, 2, "k").await.unwrap(), first);
    assert!(matches!(core.best(one, 3, "k").await, Err(ReserveError::KeyReused)));
    assert_eq!(core.number("select count(*) from hold").await, 1);
    core.audit().await;
}

#[tokio::test]
async fn a_buyer_has_a_limit_and_gets_it_back_by_letting_go() {
    let core = Core::new().await;
    let buyer = core.buyer().await;
    core.best(buyer, 6, "a").await.unwrap();
    assert!(matches!(core.best(buyer, 3, "b").await, Err(ReserveError::LimitReached { limit: 8 })));
    assert_eq!(core.booking.holds(buyer, core.event()).await.unwrap().len(), 1);
    assert_eq!(core.booking.release(buyer, core.event()).await.unwrap(), 1);
    assert_eq!(core.booking.release(buyer, core.event()).await.unwrap(), 0);
    assert_eq!(core.number("select count(*) from claim").await, 0);
    core.best(buyer, 8, "c").await.unwrap();
    core.audit().await;
}

#[tokio::test]
async fn a_hold_is_extended_once() {
    let core = Core::new().await;
    let buyer = core.buyer().await;
    assert!(matches!(core.booking.extend(buyer, core.event()).await, Err(booking::ExtendError::NoHold)));
    let first = core.best(buyer, 2, "k").await.unwrap();
    let extended = core.booking.extend(buyer, core.event()).await.unwrap();
    assert!(extended[0].expires_at > first.expires_at);
    assert_eq!(core.booking.extend(buyer, core.event()).await.unwrap(), extended);
    assert_eq!(core.booking.holds(buyer, core.event()).await.unwrap(), extended);
    assert_eq!(core.best(buyer, 2, "k").await.unwrap(), first, "the first answer");
    core.audit().await;
}

#[tokio::test]
async fn an_expired_hold_frees_its_seats_with_and_without_a_lane() {
    let mut listing = Listing::new("Soon over", 10);
    listing.hold_ttl_s = 1;
    let core = Core::of(listing).await;
    let buyer = core.buyer().await;
    let held = core.best(buyer, 4, "k").await.unwrap();
    until("the hold expired", async || (core.number("select count(*) from claim").await == 0).then_some(())).await;
    assert_eq!(core.number("select count(*) from hold where state = 'expired'").await, 1);
    let late = core.booking.buy(buyer, core.event(), Some(held.reserve_id), "pay").await;
    assert!(matches!(late, Err(booking::BuyError::HoldExpired)), "{late:?}");
    core.best(buyer, 4, "l").await.unwrap();
    let core = core.restarted().await;
    until("the sweeper freed them", async || (core.number("select count(*) from claim").await == 0).then_some(()))
        .await;
    core.audit().await;
}

#[tokio::test]
async fn an_event_is_reserved_only_while_it_is_on_sale() {
    let core = Core::new().await;
    let buyer = core.buyer().await;
    let client = core.database.connect().await;
    core.best(buyer, 1, "before").await.unwrap();
    for (change, why) in [
        ("sale_opens_at = now() + interval '1 day'", Closed::Soon),
        ("sale_opens_at = now() - interval '2 days', sale_closes_at = now() - interval '1 day'", Closed::Over),
        ("status = 'cancelled', sale_closes_at = now() + interval '1 day'", Closed::Cancelled),
    ] {
        client.batch_execute(&format!("update event set {change}")).await.unwrap();
        // The lane is loaded: it learns of the change by its fence, or looks within a fraction of a second.
        until("the change is felt", async || match core.best(buyer, 9, &uuid::Uuid::now_v7().to_string()).await {
            Err(ReserveError::NotOnSale { closed, .. }) if closed == why => Some(()),
            _ => None,
        })
        .await;
    }
    let nowhere = ReserveRequest { event: EventId::new(), ask: Ask::Seats(vec![0]), code: None };
    assert!(matches!(core.booking.reserve(buyer, nowhere, "k").await, Err(ReserveError::NoSuchEvent)));
    core.audit().await;
}

#[tokio::test]
async fn many_buyers_at_once_get_each_seat_once() {
    let core = Core::of(Listing::new("Crowded", 40)).await;
    let client = core.database.connect().await;
    client
        .batch_execute(
            "insert into account (user_id, email, name, password_hash)
            select gen_random_uuid(), 'crowd' || n || '@example.test', 'Buyer', '!' from generate_series(1, 100) n",
        )
        .await
        .unwrap();
    let buyers = client.query("select user_id from account where name = 'Buyer'", &[]).await.unwrap();
    let asks = buyers.iter().map(|row| core.best(UserId(row.get(0)), 2, "k"));
    let answers = futures::future::join_all(asks).await;
    let held: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
    assert_eq!(held.len(), 20);
    assert!(answers.iter().all(|answer| matches!(answer, Ok(_) | Err(ReserveError::NotEnoughSeats))));
    let mut seats: Vec<SeatNo> = held.iter().flat_map(|reservation| numbers(reservation)).collect();
    seats.sort_unstable();
    assert_eq!(seats, (0..40).collect::<Vec<_>>());
    assert_eq!(core.number("select seats_left::bigint from availability").await, 0);
    core.audit().await;
}
