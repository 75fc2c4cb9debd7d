//! `frontrow audit`: a whole story agrees; whatever a superuser changes behind the constraints' backs is named, exit code 1.

use crate::booking_core::Core;
use booking::Report;
use model::{EventId, UserId};
use std::process::Output;
use tests::{Database, binary};

/// The program, as an operator runs it.
async fn audit(database: &Database, event: EventId) -> Output {
    let mut command = tokio::process::Command::new(binary("frontrow"));
    command.args(["audit", &event.to_string(), "--database-url", &database.url]).env_remove("DATABASE_URL");
    command.output().await.unwrap()
}

/// A story with every kind of ending: sold, held, released, extended, declined, voided for nothing.
async fn story(core: &Core) -> UserId {
    let (one, other) = (core.buyer().await, core.buyer().await);
    let held = core.seats(one, &[0, 1], "a").await.unwrap();
    let bought = core.booking.buy(one, core.event(), Some(held.reserve_id), "pay").await.unwrap();
    core.booking.payment_opened(bought.payment.payment_id, "sandbox", "ref", "http://portal").await.unwrap();
    core.booking.payment_reported("sandbox", "ref", Report::Authorized).await.unwrap();
    core.booking.payment_reported("sandbox", "ref", Report::Captured).await.unwrap();
    core.seats(other, &[5], "a").await.unwrap();
    core.booking.release(other, core.event()).await.unwrap();
    let kept = core.best(other, 3, "b").await.unwrap();
    core.booking.extend(other, core.event()).await.unwrap();
    let declined = core.booking.buy(other, core.event(), Some(kept.reserve_id), "pay").await.unwrap();
    core.booking.payment_opened(declined.payment.payment_id, "sandbox", "no", "http://portal").await.unwrap();
    core.booking.payment_reported("sandbox", "no", Report::Declined { reason: "no".into() }).await.unwrap();
    other
}

#[tokio::test]
async fn a_receipt_says_the_place_in_a_log_that_agrees_with_the_tables() {
    let core = Core::new().await;
    let other = story(&core).await;
    let held = core.seats(other, &[20], "receipt").await.unwrap();
    assert_eq!(core.seats(other, &[20], "receipt").await.unwrap().receipt, held.receipt);
    let listed = core.booking.holds(other, core.event()).await.unwrap();
    assert_eq!(listed.last().unwrap(), &held);
    let order = core.booking.buy(other, core.event(), Some(held.reserve_id), "order").await.unwrap().order;
    assert_eq!(order.receipt, held.receipt);
    let client = core.database.connect().await;
    let entry = client
        .query_one("select encode(hash, 'hex'), payload from lane_log where seq = $1", &[&held.receipt.seq])
        .await
        .unwrap();
    assert_eq!(held.receipt.hash.to_string(), entry.get::<_, String>(0));
    let payload = String::from_utf8(entry.get(1)).unwrap();
    assert!(payload.contains(&held.reserve_id.to_string()), "{payload}");
    let core = core.restarted().await;
    assert_eq!(core.seats(other, &[20], "receipt").await.unwrap(), held, "also after a restart");

    let entries = core.number("select seq from lane").await;
    let agreed = audit(&core.database, core.event()).await;
    let said = String::from_utf8(agreed.stdout).unwrap();
    assert!(agreed.status.success(), "{}", String::from_utf8_lossy(&agreed.stderr));
    assert!(
        said.contains(&format!("{entries} entries")) && said.contains("4 holds, 3 orders, 2 tickets, 6 seats"),
        "{said}"
    );
    let nobody = audit(&core.database, EventId::new()).await;
    assert_eq!(nobody.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("there is no such event"));
}

/// What is done behind the constraints' backs, and what the audit says of it.
const CORRUPTIONS: [(&str, &str); 14] = [
    (
        "update lane_log set payload = replace(encode(payload, 'escape'), '\"seats\":[0,1]', '\"seats\":[0,2]')::bytea where seq = 1",
        "entry 1 of the log: its hash is not that of what it says",
    ),
    (
        "update lane_log set payload = '[]', hash = sha256(prev_hash || uuid_send(event_id) || int8send(seq) || '[]') where seq = 1",
        "entry 2 of the log: the hash before it is not that of the entry before it",
    ),
    ("delete from lane_log where seq = 2", "entry 2 of the log: it is not there, and later ones are"),
    (
        "delete from lane_log where seq = (select max(seq) from lane_log)",
        "the lane stands on it, the log ends elsewhere",
    ),
    ("delete from claim where seat_no = 1", "claim seat 000001: the log has it, the table does not"),
    (
        "insert into claim select event_id, 29, capacity, kind, hold_id, order_id, seq, tier, price from claim where seat_no = 0",
        "claim seat 000029: the table has it, the log does not",
    ),
    ("update claim set price = 1 where seat_no = 0", "claim seat 000000: price is 1, by the log 5000"),
    ("update claim set kind = 0, order_id = null where seat_no = 0", "claim seat 000000: kind is 0, by the log 1"),
    (
        "update hold set total = 1, prices = '{1,0}' where seat_nos = '{0,1}'",
        "prices is [1, 0], by the log [5000, 5000]",
    ),
    ("update hold set state = 'held' where state = 'released'", "state is held, by the log released"),
    ("update orders set state = 'refunded' where state = 'captured'", "state is refunded, by the log captured"),
    ("update ticket set state = 'void' where seat_no = 1", "live is false, by the log true"),
    ("update buyer_quota set seats = 7 where seats = 3", "seats is 7, by the log 3"),
    (
        "update availability set seats_left = seats_left - 1",
        "availability of the event: seats_left is 24, by the log 25",
    ),
];

#[tokio::test]
async fn whatever_is_changed_behind_the_constraints_is_named() {
    let core = Core::new().await;
    story(&core).await;
    let event = core.event();
    let (database, _) = core.stopped().await;
    let client = database.connect().await;
    client.batch_execute("alter table lane_log drop constraint lane_log_hash").await.unwrap();
    client.batch_execute("set session_replication_role = replica").await.unwrap();
    client.batch_execute("create schema kept").await.unwrap();
    let tables = ["lane_log", "claim", "hold", "orders", "ticket", "buyer_quota", "availability"];
    for table in tables {
        client.batch_execute(&format!("create table kept.{table} as table {table}")).await.unwrap();
    }
    for (corruption, named) in CORRUPTIONS {
        client.batch_execute(corruption).await.unwrap();
        let found = audit(&database, event).await;
        let said = String::from_utf8_lossy(&found.stderr).into_owned();
        assert_eq!(found.status.code(), Some(1), "{corruption}: {said}");
        assert!(said.contains(named), "{corruption}: {said}");
        for table in tables {
            let columns = "select string_agg(quote_ident(attname), ',' order by attnum) from pg_attribute
                where attrelid = $1::text::regclass and attnum > 0 and not attisdropped and attgenerated = ''";
            let columns: String = client.query_one(columns, &[&table]).await.unwrap().get(0);
            let restore =
                format!("delete from {table}; insert into {table} ({columns}) select {columns} from kept.{table}");
            client.batch_execute(&restore).await.unwrap();
        }
    }
    assert!(audit(&database, event).await.status.success(), "all is as it was");
}
