//! Orders undone on a real Postgres: what is true at once, what follows by the outbox, what is refused.

use super::Core;
use booking::{
    Checkout, EffectTopic, ExchangeError, OrderState, RefundBy, RefundError, Report, ReserveError, TicketState,
};
use model::{SeatNo, UserId};
use tests::until;

const BOOKS: &str = "select md5(string_agg(t, '|' order by t)) from (
    select o::text t from orders o union all select c::text from claim c union all select k::text from ticket k
    union all select p::text from payment p union all select x::text from outbox x union all select q::text from buyer_quota q
    union all select l::text from lane_log l) rows";

impl Core {
    /// Seats sold to a buyer; the provider knows the payment as `reference` and has yet to take the money.
    async fn sold(&self, buyer: UserId, seats: &[SeatNo], reference: &str) -> Checkout {
        let held = self.seats(buyer, seats, &format!("seats {reference}")).await.unwrap();
        let checkout = self.booking.buy(buyer, self.event(), Some(held.reserve_id), reference).await.unwrap();
        self.booking
            .payment_opened(checkout.payment.payment_id, "sandbox", reference, "http://portal.test")
            .await
            .unwrap();
        self.reported(reference, Report::Authorized).await;
        checkout
    }

    async fn reported(&self, reference: &str, report: Report) {
        self.booking.payment_reported("sandbox", reference, report).await.unwrap();
    }

    /// The outbox's due effects, carried out.
    async fn carried_out(&self) -> Vec<(EffectTopic, String)> {
        let mut effects = Vec::new();
        for effect in self.booking.due_effects(10).await.unwrap() {
            self.booking.effect_done(effect.id).await.unwrap();
            effects.push((effect.topic, effect.dedup));
        }
        effects
    }

    async fn order_state(&self, checkout: &Checkout) -> OrderState {
        self.booking.order(checkout.order.order_id).await.unwrap().unwrap().state
    }

    /// A digest of every row a refund may touch.
    async fn books(&self) -> String {
        self.database.connect().await.query_one(BOOKS, &[]).await.unwrap().get(0)
    }

    async fn sql(&self, sql: &str) {
        self.database.connect().await.batch_execute(sql).await.unwrap();
    }
}

#[tokio::test]
async fn a_refund_kills_tickets_and_frees_seats_before_the_money_goes_back_once() {
    let core = Core::new().await;
    let (buyer, next) = (core.buyer().await, core.buyer().await);
    let sold = core.sold(buyer, &[3, 4], "p1").await;
    core.reported("p1", Report::Captured).await;
    core.carried_out().await;
    core.booking.refund(sold.order.order_id, RefundBy::Seller).await.unwrap();
    core.booking.refund(sold.order.order_id, RefundBy::Seller).await.unwrap();
    assert_eq!(core.order_state(&sold).await, OrderState::Refunding);
    let tickets = core.booking.tickets(buyer, None).await.unwrap();
    assert!(tickets.len() == 2 && tickets.iter().all(|ticket| ticket.state == TicketState::Void));
    assert_eq!(core.number("select seats_left::bigint from availability").await, 30);
    core.audit().await;
    core.sold(next, &[4], "p2").await;
    core.audit().await;
    // Leased and then nothing: whoever carried it out has died, and it comes up again under the same key.
    let key = format!("refund:{}", sold.payment.payment_id);
    let leased = core.booking.due_effects(10).await.unwrap();
    assert!(leased.iter().any(|effect| (effect.topic, &effect.dedup) == (EffectTopic::Refund, &key)));
    core.sql("update outbox set not_before = clock_timestamp() where sent_at is null").await;
    let core = core.restarted().await;
    assert!(core.carried_out().await.contains(&(EffectTopic::Refund, key)));
    core.reported("p1", Report::Refunded).await;
    core.reported("p1", Report::Refunded).await;
    assert_eq!(core.order_state(&sold).await, OrderState::Refunded);
    assert_eq!(core.number("select refunded from payment where provider_ref = 'p1'").await, 10_000);
    assert_eq!(core.number("select count(*) from outbox where topic = 'refund'").await, 1);
    assert_eq!(core.number("select count(*) from ticket where seat_no = 4 and state = 'valid'").await, 1);
    core.audit().await;
}

#[tokio::test]
async fn money_on_its_way_in_goes_back_when_it_is_here() {
    let core = Core::new().await;
    let buyer = core.buyer().await;
    let sold = core.sold(buyer, &[0], "p1").await;
    core.booking.refund(sold.order.order_id, RefundBy::Seller).await.unwrap();
    assert_eq!(core.carried_out().await, [(EffectTopic::Capture, format!("capture:{}", sold.payment.payment_id))]);
    core.reported("p1", Report::Captured).await;
    assert_eq!(core.order_state(&sold).await, OrderState::Refunding);
    assert_eq!(core.carried_out().await, [(EffectTopic::Refund, format!("refund:{}", sold.payment.payment_id))]);
    core.reported("p1", Report::Refunded).await;
    assert_eq!(core.order_state(&sold).await, OrderState::Refunded);
    core.audit().await;
}

#[tokio::test]
async fn a_buyer_gives_back_only_what_the_event_allows_and_is_still_theirs() {
    let core = Core::new().await;
    let (buyer, friend) = (core.buyer().await, core.buyer().await);
    let sold = core.sold(buyer, &[0, 1], "p1").await;
    core.reported("p1", Report::Captured).await;
    let unpaid = core.seats(buyer, &[5], "unpaid").await.unwrap();
    let unpaid = core.booking.buy(buyer, core.event(), Some(unpaid.reserve_id), "pay later").await.unwrap();
    let order = sold.order.order_id;
    let ask = async || core.booking.refund(order, RefundBy::Buyer(buyer)).await;
    let books = core.books().await;
    assert!(matches!(ask().await, Err(RefundError::NotAllowed { until: None })));
    core.sql("update event set refundable_until = now() - interval '1 minute'").await;
    // A refusal may rest on terms a fraction of a second old.
    let over = async || matches!(ask().await, Err(RefundError::NotAllowed { until: Some(_) })).then_some(());
    until("the change is felt", over).await;
    core.sql("update event set refundable_until = now() + interval '1 day'").await;
    core.sql(&format!("update ticket set holder = '{friend}', generation = 2 where seat_no = 0")).await;
    let passed_on = core.books().await;
    assert_ne!(passed_on, books);
    assert!(matches!(ask().await, Err(RefundError::TicketsGone { ref tickets }) if tickets.len() == 1));
    let unpaid = core.booking.refund(unpaid.order.order_id, RefundBy::Seller).await;
    assert!(matches!(unpaid, Err(RefundError::NotPaid)));
    let nothing = core.booking.refund(model::OrderId::new(), RefundBy::Seller).await;
    assert!(matches!(nothing, Err(RefundError::NoSuchOrder)));
    assert_eq!(core.books().await, passed_on, "a refusal changes nothing");
    core.sql(&format!("update ticket set holder = '{buyer}', generation = 3 where seat_no = 0")).await;
    until("the change is felt", async || ask().await.is_ok().then_some(())).await;
    assert_eq!(core.order_state(&sold).await, OrderState::Refunding);
    core.audit().await;
}

#[tokio::test]
async fn a_cancelled_event_gives_every_order_back() {
    let core = Core::new().await;
    let (one, other) = (core.buyer().await, core.buyer().await);
    let captured = core.sold(one, &[0, 1], "p1").await;
    core.reported("p1", Report::Captured).await;
    let confirmed = core.sold(other, &[2], "p2").await;
    assert_eq!(core.booking.refund_cancelled(10).await.unwrap(), 0);
    core.sql("update event set status = 'cancelled'").await;
    assert_eq!(core.booking.refund_cancelled(1).await.unwrap(), 1);
    let core = core.restarted().await;
    assert_eq!(core.booking.refund_cancelled(10).await.unwrap(), 1);
    assert_eq!(core.booking.refund_cancelled(10).await.unwrap(), 0);
    core.reported("p2", Report::Captured).await;
    for (checkout, reference) in [(&captured, "p1"), (&confirmed, "p2")] {
        core.reported(reference, Report::Refunded).await;
        assert_eq!(core.order_state(checkout).await, OrderState::Refunded);
    }
    assert_eq!(core.number("select sum(refunded)::bigint from payment").await, 15_000);
    assert_eq!(core.number("select count(*) from claim").await, 0);
    let closed = core.seats(one, &[0], "closed").await;
    assert!(matches!(closed, Err(ReserveError::NotOnSale { .. })));
    core.audit().await;
}

#[tokio::test]
async fn tickets_that_go_just_then_are_named_and_cost_nobody_else_anything() {
    let core = Core::new().await;
    let (buyer, friend, other) = (core.buyer().await, core.buyer().await, core.buyer().await);
    let (sold, used) = (core.sold(buyer, &[0, 1], "p1").await, core.sold(buyer, &[2], "p2").await);
    for reference in ["p1", "p2"] {
        core.reported(reference, Report::Captured).await;
    }
    core.sql("update event set refundable_until = now() + interval '1 day'").await;
    // Passed on, and let in, in transactions that are not over yet.
    let going = core.database.connect().await;
    let change = format!(
        "begin; update ticket set holder = '{friend}', generation = 2 where seat_no = 0;
        update ticket set state = 'used', used_at = clock_timestamp() where seat_no = 2"
    );
    going.batch_execute(&change).await.unwrap();
    let waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
        and query like 'update ticket%'";
    let gone = async {
        until("a batch meets them", async || (core.number(waits).await == 1).then_some(())).await;
        going.batch_execute("commit").await.unwrap();
    };
    let (given, back, held, ()) = futures::join!(
        core.booking.exchange(sold.order.order_id, buyer, (vec![0], vec![9])),
        core.booking.refund(used.order.order_id, RefundBy::Buyer(buyer)),
        core.seats(other, &[5], "k"),
        gone
    );
    let ticket = async |checkout: &Checkout| {
        core.booking.order(checkout.order.order_id).await.unwrap().unwrap().tickets[0].ticket_id
    };
    let (passed_on, let_in) = (ticket(&sold).await, ticket(&used).await);
    assert!(matches!(given, Err(ExchangeError::TicketsGone { ref tickets }) if tickets == &[passed_on]), "{given:?}");
    assert!(matches!(back, Err(RefundError::TicketsGone { ref tickets }) if tickets == &[let_in]), "{back:?}");
    held.unwrap();
    // What is still theirs goes.
    core.booking.exchange(sold.order.order_id, buyer, (vec![1], vec![9])).await.unwrap();
    assert_eq!(core.number("select count(*) from claim where seat_no in (0, 2, 5, 9)").await, 4);
    core.audit().await;
}
