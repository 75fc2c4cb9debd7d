//! Orders and payments: declines and second tries, reports that come twice, late or out of order, tickets.

use super::Core;
use booking::{Checkout, EffectTopic, OrderState, PaymentState, Report, TicketState};
use model::{OrderId, UserId};
use tests::catalog::Listing;
use tests::until;

impl Core {
    async fn checkout(&self, buyer: UserId, key: &str) -> Checkout {
        self.booking.buy(buyer, self.event(), None, key).await.unwrap()
    }

    /// An attempt that the provider knows as `reference`.
    async fn opened(&self, buyer: UserId, reference: &str) -> Checkout {
        let checkout = self.checkout(buyer, reference).await;
        self.booking
            .payment_opened(checkout.payment.payment_id, "sandbox", reference, "http://portal.test")
            .await
            .unwrap();
        checkout
    }

    async fn report(&self, reference: &str, report: Report) {
        self.booking.payment_reported("sandbox", reference, report).await.unwrap();
    }

    async fn state(&self, order: OrderId) -> OrderState {
        self.booking.order(order).await.unwrap().unwrap().state
    }

    /// Carries out what is due and gives what that was.
    async fn effects(&self) -> Vec<(EffectTopic, String)> {
        let mut effects = Vec::new();
        for effect in self.booking.due_effects(10).await.unwrap() {
            self.booking.effect_done(effect.id).await.unwrap();
            effects.push((effect.topic, effect.payment.provider_ref.unwrap()));
        }
        effects
    }
}

#[tokio::test]
async fn a_decline_is_followed_by_another_try_and_tickets() {
    let core = Core::new().await;
    let buyer = core.buyer().await;
    let held = core.best(buyer, 2, "k").await.unwrap();
    let first = core.opened(buyer, "p1").await;
    assert_eq!((first.order.state, first.order.total, first.payment.amount), (OrderState::Pending, 10_000, 10_000));
    assert_eq!(core.checkout(buyer, "another key").await.payment.payment_id, first.payment.payment_id, "still open");
    core.report("p1", Report::Declined { reason: "insufficient_funds".into() }).await;
    let second = core.opened(buyer, "p2").await;
    assert_eq!(second.order.order_id, first.order.order_id);
    assert_ne!(second.payment.payment_id, first.payment.payment_id);
    assert_eq!(core.checkout(buyer, "p1").await.payment.payment_id, first.payment.payment_id, "the key's first answer");
    core.report("p2", Report::Authorized).await;
    core.report("p2", Report::Authorized).await;
    core.report("p1", Report::Declined { reason: "late".into() }).await;
    let order = core.booking.order(first.order.order_id).await.unwrap().unwrap();
    assert_eq!(order.state, OrderState::Confirmed);
    assert_eq!(order.attempts[0].state, PaymentState::Declined { reason: "insufficient_funds".into() });
    assert_eq!(order.attempts[1].state, PaymentState::Capturing);
    assert_eq!(core.effects().await, [(EffectTopic::Capture, "p2".into())]);
    assert_eq!(core.effects().await, []);
    core.report("p2", Report::Captured).await;
    core.report("p2", Report::Authorized).await;
    assert_eq!(core.state(order.order_id).await, OrderState::Captured);
    let tickets = core.booking.tickets(buyer, Some(core.event())).await.unwrap();
    let seats: Vec<_> = tickets.iter().map(|ticket| ticket.seat_no).collect();
    assert_eq!(seats, super::numbers(&held));
    assert!(
        tickets.iter().all(|ticket| ticket.state == TicketState::Valid && ticket.code.as_ref().unwrap().len() == 135)
    );
    assert_eq!(core.booking.ticket(tickets[0].ticket_id).await.unwrap().unwrap(), tickets[0]);
    let again = core.booking.buy(buyer, core.event(), Some(held.reserve_id), "again").await.unwrap();
    assert_eq!((again.order.order_id, again.order.state), (order.order_id, OrderState::Captured));
    assert_eq!(core.number("select count(*) from claim where kind = 1").await, 2);
    core.audit().await;
    let core = core.restarted().await;
    let again = core.booking.buy(buyer, core.event(), Some(held.reserve_id), "anew").await.unwrap();
    assert_eq!((again.order.order_id, again.payment.payment_id), (order.order_id, second.payment.payment_id));
}

/// Two seats whose first attempt `p1` was declined and whose second, `p2`, is authorised; the first one's checkout.
async fn paid_at_the_second_attempt() -> (Core, Checkout) {
    let core = Core::new().await;
    let buyer = core.buyer().await;
    core.best(buyer, 2, "k").await.unwrap();
    let first = core.opened(buyer, "p1").await;
    core.report("p1", Report::Declined { reason: "no".into() }).await;
    core.opened(buyer, "p2").await;
    core.report("p2", Report::Authorized).await;
    (core, first)
}

#[tokio::test]
async fn two_payments_of_one_order_take_the_money_once() {
    let (core, first) = paid_at_the_second_attempt().await;
    // The first attempt's portal was still open in another tab.
    core.report("p1", Report::Authorized).await;
    let mut effects = core.effects().await;
    effects.sort_by_key(|(_, reference)| reference.clone());
    assert_eq!(effects, [(EffectTopic::Void, "p1".into()), (EffectTopic::Capture, "p2".into())]);
    core.report("p1", Report::Voided).await;
    core.report("p2", Report::Captured).await;
    let order = core.booking.order(first.order.order_id).await.unwrap().unwrap();
    assert_eq!(order.state, OrderState::Captured);
    assert_eq!(order.attempts[0].state, PaymentState::Voided);
    assert_eq!((order.attempts[1].state.clone(), order.tickets.len()), (PaymentState::Captured, 2));
    core.audit().await;
}

#[tokio::test]
async fn a_late_unasked_capture_of_another_attempt_goes_back() {
    let (core, first) = paid_at_the_second_attempt().await;
    core.report("p2", Report::Captured).await;
    core.report("p1", Report::Captured).await;
    core.report("p1", Report::Captured).await;
    let mut effects = core.effects().await;
    effects.sort_by_key(|(_, reference)| reference.clone());
    assert_eq!(effects, [(EffectTopic::Refund, "p1".into()), (EffectTopic::Capture, "p2".into())]);
    let order = core.booking.order(first.order.order_id).await.unwrap().unwrap();
    assert_eq!((&order.attempts[0].state, order.attempts[0].refunded), (&PaymentState::Returning, 0));
    core.report("p1", Report::Refunded).await;
    let order = core.booking.order(first.order.order_id).await.unwrap().unwrap();
    assert_eq!((&order.attempts[0].state, order.attempts[0].refunded), (&PaymentState::Returned, 10_000));
    assert_eq!((order.state, &order.attempts[1].state), (OrderState::Captured, &PaymentState::Captured));
    core.audit().await;
    booking::audit(&core.database.pool().await, core.event()).await.unwrap();
}

#[tokio::test]
async fn a_void_that_money_overtook_becomes_a_refund() {
    let (core, _, checkout) = expired().await;
    let other = core.buyer().await;
    core.seats(other, &[1], "k").await.unwrap();
    core.report("p1", Report::Authorized).await;
    assert_eq!(core.effects().await, [(EffectTopic::Void, "p1".into())]);
    core.report("p1", Report::Captured).await;
    assert_eq!(core.effects().await, [(EffectTopic::Refund, "p1".into())]);
    core.report("p1", Report::Refunded).await;
    let order = core.booking.order(checkout.order.order_id).await.unwrap().unwrap();
    assert_eq!((order.state, &order.attempts[0].state), (OrderState::Voided, &PaymentState::Returned));
    booking::audit(&core.database.pool().await, core.event()).await.unwrap();
}

#[tokio::test]
async fn a_sold_order_without_its_money_gives_its_seats_back() {
    let core = Core::new().await;
    let (buyer, next) = (core.buyer().await, core.buyer().await);
    core.seats(buyer, &[3, 4], "k").await.unwrap();
    let checkout = core.opened(buyer, "p1").await;
    core.report("p1", Report::Authorized).await;
    core.report("p1", Report::Voided).await;
    let order = core.booking.order(checkout.order.order_id).await.unwrap().unwrap();
    assert_eq!((order.state, &order.attempts[0].state), (OrderState::Refunded, &PaymentState::Voided));
    assert!(order.tickets.iter().all(|ticket| ticket.state == TicketState::Void));
    core.seats(next, &[3, 4], "k").await.unwrap();
    core.audit().await;
    booking::audit(&core.database.pool().await, core.event()).await.unwrap();
}

#[tokio::test]
async fn an_effect_refused_for_good_is_due_no_more_and_says_why() {
    let core = Core::new().await;
    let buyer = core.buyer().await;
    core.best(buyer, 1, "k").await.unwrap();
    core.opened(buyer, "p1").await;
    core.report("p1", Report::Authorized).await;
    let effect = core.booking.due_effects(10).await.unwrap().remove(0);
    core.booking.effect_failed(effect.id, "silence").await.unwrap();
    assert_eq!(core.number("select count(*) from outbox where failure = 'silence' and dead_at is null").await, 1);
    core.booking.effect_refused(effect.id, "no such payment").await.unwrap();
    core.database.connect().await.batch_execute("update outbox set not_before = clock_timestamp()").await.unwrap();
    assert_eq!(core.booking.due_effects(10).await.unwrap(), []);
    let dead =
        "select count(*) from outbox where failure = 'no such payment' and dead_at is not null and sent_at is null";
    assert_eq!(core.number(dead).await, 1);
}

/// One buyer's order whose hold is over.
async fn expired() -> (Core, UserId, Checkout) {
    let mut listing = Listing::new("Soon over", 10);
    listing.hold_ttl_s = 1;
    let core = Core::of(listing).await;
    let buyer = core.buyer().await;
    core.seats(buyer, &[0, 1], "k").await.unwrap();
    let checkout = core.opened(buyer, "p1").await;
    let order = checkout.order.order_id;
    until("the order expired", async || (core.state(order).await == OrderState::Expired).then_some(())).await;
    (core, buyer, checkout)
}

#[tokio::test]
async fn a_late_payment_gets_its_seats_if_they_are_free() {
    let (core, buyer, checkout) = expired().await;
    let core = core.restarted().await;
    core.report("p1", Report::Authorized).await;
    assert_eq!(core.state(checkout.order.order_id).await, OrderState::Confirmed);
    assert_eq!(core.booking.tickets(buyer, None).await.unwrap().len(), 2);
    assert_eq!(core.effects().await, [(EffectTopic::Capture, "p1".into())]);
    core.audit().await;
}

#[tokio::test]
async fn a_late_payment_is_let_go_when_the_seats_are_gone() {
    let (core, buyer, checkout) = expired().await;
    let other = core.buyer().await;
    core.seats(other, &[1], "k").await.unwrap();
    core.report("p1", Report::Authorized).await;
    assert_eq!(core.state(checkout.order.order_id).await, OrderState::Voided);
    assert_eq!(core.booking.tickets(buyer, None).await.unwrap(), []);
    assert_eq!(core.effects().await, [(EffectTopic::Void, "p1".into())]);
    core.report("p1", Report::Voided).await;
    core.report("p1", Report::Authorized).await;
    assert_eq!(core.state(checkout.order.order_id).await, OrderState::Voided);
    core.audit().await;
}

#[tokio::test]
async fn a_late_payment_is_let_go_when_plan_or_currency_are_others() {
    let other_plan = "insert into layout (layout_hash, name, capacity, plan) select encode(sha256(convert_to(p, 'UTF8')), 'hex'), 'Other', 10,
            convert_to(p, 'UTF8') from (select replace(convert_from(plan, 'UTF8'), 'Stalls', 'Gallery') p from layout) l;
        update event set layout_hash = (select layout_hash from layout where name = 'Other')";
    for change in [other_plan, "update event set currency = 'EUR'"] {
        let (core, buyer, checkout) = expired().await;
        let first = core.seats(buyer, &[0, 1], "k").await.unwrap();
        core.database.connect().await.batch_execute(change).await.unwrap();
        core.report("p1", Report::Authorized).await;
        assert_eq!(core.state(checkout.order.order_id).await, OrderState::Voided, "{change}");
        assert_eq!(core.effects().await, [(EffectTopic::Void, "p1".into())]);
        assert_eq!(core.number("select count(*) from claim").await, 0);
        let order = core.booking.order(checkout.order.order_id).await.unwrap().unwrap();
        assert_eq!(order.seats, first.seats, "an order tells its seats by the plan it was made under");
        assert_eq!(core.seats(buyer, &[0, 1], "k").await.unwrap(), first, "and a repeat answers the same");
        core.audit().await;
        let core = core.restarted().await;
        assert_eq!(core.seats(buyer, &[0, 1], "k").await.unwrap(), first);
    }
}

#[tokio::test]
async fn a_payment_of_what_its_buyer_let_go_is_let_go() {
    let core = Core::new().await;
    let buyer = core.buyer().await;
    core.best(buyer, 2, "k").await.unwrap();
    let checkout = core.opened(buyer, "p1").await;
    core.booking.release(buyer, core.event()).await.unwrap();
    assert_eq!(core.state(checkout.order.order_id).await, OrderState::Expired);
    core.report("p1", Report::Authorized).await;
    assert_eq!(core.state(checkout.order.order_id).await, OrderState::Voided);
    assert_eq!(core.effects().await, [(EffectTopic::Void, "p1".into())]);
    core.audit().await;
}

#[tokio::test]
async fn what_costs_nothing_is_had_at_once() {
    let mut listing = Listing::new("Open day", 10);
    listing.price = 0;
    let core = Core::of(listing).await;
    let buyer = core.buyer().await;
    core.best(buyer, 3, "k").await.unwrap();
    let checkout = core.checkout(buyer, "pay").await;
    assert_eq!((checkout.order.state, &checkout.payment.state), (OrderState::Captured, &PaymentState::Captured));
    assert_eq!(checkout.order.tickets.len(), 3);
    assert_eq!(core.number("select count(*) from outbox").await, 0);
    assert_eq!(core.checkout(buyer, "pay").await, checkout, "a repeat that names no hold");
    core.best(buyer, 1, "more").await.unwrap();
    assert_eq!(core.checkout(buyer, "pay").await, checkout, "also with other seats in hand");
    core.booking.release(buyer, core.event()).await.unwrap();
    core.audit().await;
    let core = core.restarted().await;
    assert_eq!(core.checkout(buyer, "pay").await, checkout, "also when the lane was loaded anew");
}

#[tokio::test]
async fn a_key_stands_for_one_request_whatever_it_asks() {
    let core = Core::new().await;
    let buyer = core.buyer().await;
    let held = core.best(buyer, 1, "seats").await.unwrap();
    let buy = async |core: &Core, key: &str| core.booking.buy(buyer, core.event(), None, key).await;
    assert!(matches!(buy(&core, "seats").await, Err(booking::BuyError::KeyReused)));
    let checkout = buy(&core, "money").await.unwrap();
    assert!(matches!(core.best(buyer, 1, "money").await, Err(booking::ReserveError::KeyReused)));
    let core = core.restarted().await;
    assert!(matches!(buy(&core, "seats").await, Err(booking::BuyError::KeyReused)));
    assert!(matches!(core.best(buyer, 1, "money").await, Err(booking::ReserveError::KeyReused)));
    assert_eq!(buy(&core, "money").await.unwrap(), checkout);
    assert_eq!(core.best(buyer, 1, "seats").await.unwrap(), held);
    assert_eq!(core.number("select count(*) from hold").await + core.number("select count(*) from payment").await, 2);
    core.audit().await;
}

#[tokio::test]
async fn an_attempt_without_a_word_is_asked_about_once_per_pause() {
    let core = Core::new().await;
    let buyer = core.buyer().await;
    core.best(buyer, 1, "k").await.unwrap();
    let checkout = core.opened(buyer, "p1").await;
    let due = until("due", async || {
        let due = core.booking.payments_to_poll(1, 10).await.unwrap();
        (!due.is_empty()).then_some(due)
    })
    .await;
    assert_eq!(due[0].payment_id, checkout.payment.payment_id);
    assert_eq!(core.booking.payments_to_poll(60, 10).await.unwrap(), []);
    let entry = booking::InboxEntry {
        provider: "sandbox".into(),
        provider_event_id: "e1".into(),
        body: serde_json::json!({"n": 1}),
    };
    assert!(core.booking.inbox_store(&entry).await.unwrap());
    assert!(!core.booking.inbox_store(&entry).await.unwrap());
    assert_eq!(core.booking.inbox_due(10).await.unwrap(), [entry]);
    core.booking.inbox_done("sandbox", "e1").await.unwrap();
    assert_eq!(core.number("select count(*) from webhook_inbox where done_at is null").await, 0);
    let unknown = core.booking.payment_reported("sandbox", "nobody", Report::Authorized).await;
    assert!(matches!(unknown, Err(booking::ReportError::UnknownPayment)), "{unknown:?}");
}
