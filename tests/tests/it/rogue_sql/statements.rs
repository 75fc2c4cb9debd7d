//! The wrong statements: what each would do, its SQL, and the name of what refuses it.
//!
//! Words in braces are ids of the scene. Each runs as one transaction, deferred checks included.

/// A log entry of the old epoch, hashed right, after the lane's last.
pub(super) const LOG_ENTRY: &str = "insert into lane_log (event_id, seq, epoch, payload, prev_hash, hash)
    select event_id, seq + 1, {epoch}, '[]', head, sha256(head || uuid_send(event_id) || int8send(seq + 1) || '[]'::bytea)
    from lane where event_id = '{event}'";

/// Seat 0's order is refunded, its ticket voided, its claim freed, and the seat sold to another.
pub(super) const RESALE: &str = "
    update orders set state = 'refunding' where order_id = '{sold_order}';
    update ticket set state = 'void' where order_id = '{sold_order}';
    delete from claim where order_id = '{sold_order}' and kind = 1;
    insert into hold (event_id, hold_id, user_id, seq, idem_key, request_hash, seat_nos, prices, total, first_expires_at, expires_at,
        layout_hash, currency)
    select event_id, '{new}', '{other}', {seq}, 'again', sha256('x'), '{0}', '{5000}', 5000, now() + interval '1 minute',
        now() + interval '1 minute', layout_hash, currency from event;
    insert into orders (event_id, order_id, hold_id, user_id, currency, total, expires_at)
    values ('{event}', '{new}', '{new}', '{other}', 'USD', 5000, now());
    update orders set state = 'authorized' where order_id = '{new}';
    update orders set state = 'confirmed' where order_id = '{new}';
    update hold set state = 'sold' where hold_id = '{new}';
    insert into claim values ('{event}', 0, 30, 1, '{new}', '{new}', {seq}, 0, 5000);
    insert into ticket (event_id, ticket_id, seat_no, order_id, holder)
    values ('{event}', '{new}', 0, '{new}', '{other}');
    update payment set refunded = amount where payment_id = '{sold_payment}';
    update orders set state = 'refunded' where order_id = '{sold_order}'";

type Wrong = (&'static str, &'static str, &'static str);

/// Everything that must not pass.
#[rustfmt::skip]
pub(super) const WRONG: &[Wrong] = &[
    // A seat twice.
    ("claim a sold seat", "insert into claim values ('{event}', 0, 30, 0, '{bare_hold}', null, {seq}, 0, 1)", "claim_pkey"),
    ("claim a held seat", "insert into claim values ('{event}', 2, 30, 0, '{bare_hold}', null, {seq}, 0, 1)", "claim_pkey"),
    ("sell a held seat to another", "insert into claim values ('{event}', 2, 30, 1, '{sold_hold}', '{sold_order}', {seq}, 0, 1)", "claim_pkey"),
    ("move a claim onto a sold seat", "update claim set seat_no = 0 where seat_no = 3", "claim_pkey"),
    ("a second ticket for a sold seat", "insert into ticket (event_id, ticket_id, seat_no, order_id, holder) values ('{event}', '{new}', 0, '{sold_order}', '{other}')", "ticket_one_live"),
    ("a ticket for a held seat", "insert into ticket (event_id, ticket_id, seat_no, order_id, holder) values ('{event}', '{new}', 2, '{pending_order}', '{other}')", "ticket_stands_on_its_claim"),
    ("a ticket for a free seat", "insert into ticket (event_id, ticket_id, seat_no, order_id, holder) values ('{event}', '{new}', 9, '{sold_order}', '{other}')", "ticket_stands_on_its_claim"),
    ("a ticket of another order", "insert into ticket (event_id, ticket_id, seat_no, order_id, holder) values ('{event}', '{new}', 3, '{sold_order}', '{other}')", "ticket_stands_on_its_claim"),
    // A sold claim lost.
    ("delete a claim under a live ticket", "delete from claim where seat_no = 0", "ticket_stands_on_its_claim"),
    ("delete every claim", "delete from claim", "ticket_stands_on_its_claim"),
    ("unsell a claim under a live ticket", "update claim set kind = 0, order_id = null where seat_no = 0", "ticket_stands_on_its_claim"),
    ("give a sold claim to another order", "update claim set order_id = '{pending_order}' where seat_no = 0", "ticket_stands_on_its_claim"),
    ("move a sold claim to another seat", "update claim set seat_no = 20 where seat_no = 0", "ticket_stands_on_its_claim"),
    ("move a sold claim to another event", "update claim set event_id = '{new}' where seat_no = 0", "ticket_stands_on_its_claim"),
    ("truncate the claims", "truncate claim cascade", "ticket is append-only"),
    ("delete a sold hold", "delete from hold where hold_id = '{sold_hold}'", "hold_id_fkey"),
    ("delete a sold order", "delete from orders where order_id = '{sold_order}'", "order_id_fkey"),
    ("delete an event with a lane", "delete from event", "event_id"),
    // Overselling.
    ("a seat off the plan", "insert into claim values ('{event}', 30, 30, 0, '{bare_hold}', null, {seq}, 0, 1)", "claim_seat_on_the_plan"),
    ("a seat below zero", "insert into claim values ('{event}', -1, 30, 0, '{bare_hold}', null, {seq}, 0, 1)", "claim_seat_on_the_plan"),
    ("a plan larger than it is", "insert into claim values ('{event}', 30, 31, 0, '{bare_hold}', null, {seq}, 0, 1)", "claim_event_id_capacity_fkey"),
    ("a capacity that is not the plan's", "update event set capacity = 2", "event_keeps_its_plan"),
    ("a smaller plan under claims", "insert into layout (layout_hash, name, capacity, plan) values (encode(sha256('p'), 'hex'), 'Small', 1, 'p'); update event set layout_hash = encode(sha256('p'), 'hex'), capacity = 1", "event_keeps_its_plan"),
    ("a plan that is not its hash's", "insert into layout (layout_hash, name, capacity, plan) values (encode(sha256('p'), 'hex'), 'Wrong', 1, 'q')", "layout_hash_is_of_the_plan"),
    ("a changed plan under its hash", "update layout set plan = 'q'", "layout_hash_is_of_the_plan"),
    ("a sold claim of no order", "insert into claim values ('{event}', 9, 30, 1, '{bare_hold}', null, {seq}, 0, 1)", "claim_sold_names_its_order"),
    ("a held claim with an order", "insert into claim values ('{event}', 9, 30, 0, '{bare_hold}', '{pending_order}', {seq}, 0, 1)", "claim_sold_names_its_order"),
    ("a claim of an unknown kind", "insert into claim values ('{event}', 9, 30, 2, '{bare_hold}', '{pending_order}', {seq}, 0, 1)", "claim_kind_check"),
    ("a claim of no hold", "insert into claim values ('{event}', 9, 30, 0, '{new}', null, {seq}, 0, 1)", "claim_event_id_hold_id_fkey"),
    ("a claim no log entry decided", "insert into claim values ('{event}', 9, 30, 0, '{bare_hold}', null, {next}, 0, 1)", "claim_event_id_seq_fkey"),
    ("a claim below nothing", "insert into claim values ('{event}', 9, 30, 0, '{bare_hold}', null, {seq}, 0, -1)", "claim_price_check"),
    ("more seats than the buyer may have", "update buyer_quota set seats = 9", "buyer_quota_limit"),
    ("fewer seats than none", "update buyer_quota set seats = -1", "buyer_quota_limit"),
    ("more seats left than there are", "update availability set seats_left = 31", "availability_check"),
    ("fewer seats left than none", "update availability set seats_left = -1", "availability_check"),
    ("sold out at a price", "update availability set seats_left = 0", "availability_check"),
    // The log.
    ("a log entry that follows no lane", LOG_ENTRY, "does not follow the lane"),
    ("a log entry out of the blue", "insert into lane_log (event_id, seq, epoch, payload, prev_hash, hash) values ('{event}', {next} + 5, {epoch}, '', sha256(''), sha256(''))", "does not follow the lane"),
    ("a lane that leaves a gap", "update lane set seq = seq + 2, head = sha256('')", "a lane only advances"),
    ("a lane ahead of its log", "update lane set seq = seq + 1, head = sha256('')", "lane_stands_on_its_log"),
    ("a lane that goes back", "update lane set seq = seq - 1", "a lane only advances"),
    ("an epoch that goes back", "update lane set epoch = epoch - 1", "a lane only advances"),
    ("terms that go back", "update lane set terms = terms - 1", "a lane only advances"),
    ("another head at the same place", "update lane set head = sha256('')", "a lane only advances"),
    ("a log entry of a wrong hash", "update lane set seq = {next}, head = sha256('x'); insert into lane_log (event_id, seq, epoch, payload, prev_hash, hash) select event_id, seq, epoch, '[]', (select hash from lane_log where seq = {seq}), head from lane", "lane_log_hash"),
    ("a log entry that breaks the chain", "update lane set seq = {next}, head = sha256(sha256('x') || uuid_send(event_id) || int8send({next}) || '[]'::bytea); insert into lane_log (event_id, seq, epoch, payload, prev_hash, hash) select event_id, seq, epoch, '[]', sha256('x'), head from lane", "lane_log_chain"),
    ("a rewritten log entry", "update lane_log set payload = '[]'", "lane_log is append-only"),
    ("a deleted log entry", "delete from lane_log where seq = {seq}", "lane_log is append-only"),
    ("a truncated log", "truncate lane_log cascade", "is append-only"),
    ("a deleted lane", "delete from lane", "lane_log_event_id_fkey"),
    // Holds.
    ("a hold expired before its time", "update hold set state = 'expired' where hold_id = '{bare_hold}'", "a hold cannot go"),
    ("a sold hold let go", "update hold set state = 'released' where hold_id = '{sold_hold}'", "a hold cannot go"),
    ("a sold hold held again", "update hold set state = 'held' where hold_id = '{sold_hold}'", "a hold cannot go"),
    ("a hold of other seats", "update hold set seat_nos = '{9}' where hold_id = '{bare_hold}'", "a hold cannot go"),
    ("a ticket of a paid order dead, and no other for it", "update ticket set state = 'void' where ticket_id = '{ticket}'", "order_has_its_seats"),
    ("a seat of a paid order free, and no other for it", "update ticket set state = 'void' where seat_no = 0; delete from claim where seat_no = 0", "order_has_its_seats"),
    ("other seats on paper alone", "update hold set seat_nos = '{9,1}', first_seat_nos = seat_nos where hold_id = '{sold_hold}'", "order_has_its_seats"),
    ("an exchange without its ticket", "update hold set seat_nos = '{9,1}', first_seat_nos = seat_nos where hold_id = '{sold_hold}'; update ticket set state = 'void' where seat_no = 0; delete from claim where seat_no = 0; insert into claim values ('{event}', 9, 30, 1, '{sold_hold}', '{sold_order}', {seq}, 0, 5000)", "order_has_its_seats"),
    ("an exchange that keeps the old seat", "update hold set seat_nos = '{9,1}', first_seat_nos = seat_nos where hold_id = '{sold_hold}'; update ticket set state = 'void' where seat_no = 0; insert into claim values ('{event}', 9, 30, 1, '{sold_hold}', '{sold_order}', {seq}, 0, 5000); insert into ticket (event_id, ticket_id, seat_no, order_id, holder) values ('{event}', '{new}', 9, '{sold_order}', '{owner}')", "order_has_its_seats"),
    ("one seat exchanged for two", "update hold set seat_nos = '{9,8,1}', prices = '{5000,5000,5000}', first_seat_nos = seat_nos where hold_id = '{sold_hold}'", "a hold cannot go"),
    ("first seats that were others", "update hold set seat_nos = '{9,1}', first_seat_nos = '{7,8}' where hold_id = '{sold_hold}'", "a hold cannot go"),
    ("a claim in exchange for somebody's seat", "update hold set seat_nos = '{3,1}', first_seat_nos = seat_nos where hold_id = '{sold_hold}'; update ticket set state = 'void' where seat_no = 0; delete from claim where seat_no = 0; insert into claim values ('{event}', 3, 30, 1, '{sold_hold}', '{sold_order}', {seq}, 0, 5000)", "claim_pkey"),
    ("a cheaper hold", "update hold set total = 1 where hold_id = '{bare_hold}'", "a hold cannot go"),
    ("more time without saying so", "update hold set expires_at = expires_at + interval '1 hour' where hold_id = '{bare_hold}'", "a hold cannot go"),
    ("more time twice", "update hold set expires_at = expires_at + interval '1 hour', extended = true where hold_id = '{bare_hold}'; update hold set expires_at = expires_at + interval '1 hour' where hold_id = '{bare_hold}'", "a hold cannot go"),
    ("a key used twice", "insert into hold (event_id, hold_id, user_id, seq, idem_key, request_hash, seat_nos, prices, total, first_expires_at, expires_at, layout_hash, currency) select event_id, '{new}', user_id, seq, idem_key, request_hash, seat_nos, prices, total, first_expires_at, expires_at, layout_hash, currency from hold where hold_id = '{bare_hold}'", "hold_idempotency"),
    ("a code used once more than it may be", "insert into hold (event_id, hold_id, user_id, seq, idem_key, request_hash, seat_nos, prices, total, first_expires_at, expires_at, layout_hash, currency, code) select event_id, '{new}', user_id, seq, 'again', request_hash, '{9}', prices, total, first_expires_at, expires_at, layout_hash, currency, code from hold where hold_id = '{bare_hold}'", "sale_code_uses"),
    ("a lapsed hold whose code is taken since", "insert into hold (event_id, hold_id, user_id, seq, idem_key, request_hash, seat_nos, prices, total, state, first_expires_at, expires_at, layout_hash, currency, code) select event_id, '{new}', user_id, seq, 'late', request_hash, '{9}', prices, total, 'expired', first_expires_at, expires_at, layout_hash, currency, code from hold where hold_id = '{bare_hold}'; update hold set state = 'sold' where hold_id = '{new}'", "sale_code_uses"),
    ("a code used for more seats than it may be", "update sale_code set uses_max = 9; insert into hold (event_id, hold_id, user_id, seq, idem_key, request_hash, seat_nos, prices, total, first_expires_at, expires_at, layout_hash, currency, code) select event_id, '{new}', user_id, seq, 'again', request_hash, '{9,10}', '{5000,5000}', 10000, first_expires_at, expires_at, layout_hash, currency, code from hold where hold_id = '{bare_hold}'", "sale_code_seats"),
    ("a code with fewer uses than none", "update sale_code set uses = -1", "sale_code_uses"),
    ("a hold with no such code", "insert into hold (event_id, hold_id, user_id, seq, idem_key, request_hash, seat_nos, prices, total, first_expires_at, expires_at, layout_hash, currency, code) select event_id, '{new}', user_id, seq, 'again', request_hash, '{9}', prices, total, first_expires_at, expires_at, layout_hash, currency, 'NONE' from hold where hold_id = '{bare_hold}'", "hold_code"),
    ("a hold that comes to less than its lines", "insert into hold (event_id, hold_id, user_id, seq, idem_key, request_hash, seat_nos, prices, total, first_expires_at, expires_at, layout_hash, currency, extras) select event_id, '{new}', user_id, seq, 'again', request_hash, '{9}', '{5000}', 5000, first_expires_at, expires_at, layout_hash, currency, '[{\"kind\":\"fee\",\"label\":\"x\",\"quantity\":1,\"unit\":250,\"amount\":250}]' from hold where hold_id = '{bare_hold}'", "hold_comes_to_its_lines"),
    ("a line that does not multiply out", "insert into hold (event_id, hold_id, user_id, seq, idem_key, request_hash, seat_nos, prices, total, first_expires_at, expires_at, layout_hash, currency, extras) select event_id, '{new}', user_id, seq, 'again', request_hash, '{9}', '{5000}', 5250, first_expires_at, expires_at, layout_hash, currency, '[{\"kind\":\"fee\",\"label\":\"x\",\"quantity\":2,\"unit\":250,\"amount\":250}]' from hold where hold_id = '{bare_hold}'", "hold_comes_to_its_lines"),
    ("lines that say nothing", "insert into hold (event_id, hold_id, user_id, seq, idem_key, request_hash, seat_nos, prices, total, first_expires_at, expires_at, layout_hash, currency, extras) select event_id, '{new}', user_id, seq, 'again', request_hash, '{9}', '{5000}', 5000, first_expires_at, expires_at, layout_hash, currency, '[{}]' from hold where hold_id = '{bare_hold}'", "hold_comes_to_its_lines"),
    ("another bill for a hold", "update hold set extras = '[]' where hold_id = '{bare_hold}'", "hold_keeps_its_lines"),
    ("a price with everything in below the price", "update event_tier set all_in = 1", "event_tier_all_in"),
    ("a charge reckoned in two ways", "insert into event_charge values ('{event}', 0, 'x', 'fee_share', 1, 1)", "event_charge_reckoned"),
    ("a code that takes off in two ways", "update sale_code set off_amount = 1, off_basis_points = 1", "sale_code_off"),
    ("a hold that gives its code back", "update hold set code = null where hold_id = '{bare_hold}'", "hold_keeps_its_code"),
    ("a used code deleted", "delete from sale_code", "hold_code"),
    ("a hold of no seats", "insert into hold (event_id, hold_id, user_id, seq, idem_key, request_hash, seat_nos, prices, total, first_expires_at, expires_at, layout_hash, currency) values ('{event}', '{new}', '{other}', {seq}, 'x', sha256(''), '{}', '{}', 0, now(), now(), 'h', 'USD')", "hold_has_seats"),
    ("a hold moved to another plan", "update hold set layout_hash = 'x' where hold_id = '{bare_hold}'", "a hold cannot go"),
    ("a hold in another currency", "update hold set currency = 'EUR' where hold_id = '{bare_hold}'", "a hold cannot go"),
    ("an expired hold sold on another plan", "insert into hold select event_id, '{new}', user_id, seq, 'late', request_hash, seat_nos, prices, total, 'expired', created_at, first_expires_at, expires_at, extended, 'x', currency from hold where hold_id = '{bare_hold}'; update hold set state = 'sold' where hold_id = '{new}'", "hold_keeps_its_plan"),
    ("an expired hold sold in another currency", "insert into hold select event_id, '{new}', user_id, seq, 'late', request_hash, seat_nos, prices, total, 'expired', created_at, first_expires_at, expires_at, extended, layout_hash, 'EUR' from hold where hold_id = '{bare_hold}'; update hold set state = 'sold' where hold_id = '{new}'", "hold_keeps_its_plan"),
    // Orders.
    ("an order captured unpaid", "update orders set state = 'captured' where order_id = '{pending_order}'", "an order cannot go from pending to captured"),
    ("an order confirmed unpaid", "update orders set state = 'confirmed' where order_id = '{pending_order}'", "an order cannot go from pending to confirmed"),
    ("a captured order pending again", "update orders set state = 'pending' where order_id = '{sold_order}'", "an order cannot go from captured to pending"),
    ("a captured order expired", "update orders set state = 'expired' where order_id = '{sold_order}'", "an order cannot go from captured to expired"),
    ("a refund nobody began", "update orders set state = 'refunded' where order_id = '{sold_order}'", "an order cannot go from captured to refunded"),
    ("a cheaper order", "update orders set total = 0 where order_id = '{pending_order}'", "an order cannot go"),
    ("an order given to another", "update orders set user_id = '{owner}' where order_id = '{pending_order}'", "an order cannot go"),
    ("an order born captured", "insert into orders (event_id, order_id, hold_id, user_id, currency, total, state, expires_at) values ('{event}', '{new}', '{bare_hold}', '{other}', 'USD', 5000, 'captured', now())", "an order starts pending"),
    ("an order below its hold's price", "insert into orders (event_id, order_id, hold_id, user_id, currency, total, expires_at) values ('{event}', '{new}', '{bare_hold}', '{other}', 'USD', 1, now())", "costs what its hold costs"),
    ("an order of another's hold", "insert into orders (event_id, order_id, hold_id, user_id, currency, total, expires_at) values ('{event}', '{new}', '{bare_hold}', '{owner}', 'USD', 5000, now())", "an order starts pending"),
    ("two orders of one hold", "insert into orders (event_id, order_id, hold_id, user_id, currency, total, expires_at) values ('{event}', '{new}', '{pending_hold}', '{other}', 'USD', 5000, now())", "orders_event_id_hold_id_key"),
    // Tickets.
    ("a ticket void without a refund", "update ticket set state = 'void' where ticket_id = '{ticket}'", "order_has_its_seats"),
    ("a ticket moved to another seat", "update ticket set seat_no = 1 where ticket_id = '{ticket}'", "a ticket keeps its seat"),
    ("a ticket given to another order", "update ticket set order_id = '{pending_order}' where ticket_id = '{ticket}'", "a ticket keeps its seat"),
    ("a resurrected ticket", "update orders set state = 'refunding' where order_id = '{sold_order}'; update ticket set state = 'void' where ticket_id = '{ticket}'; update ticket set state = 'valid' where ticket_id = '{ticket}'", "a ticket keeps its seat"),
    ("a ticket used and good again", "update ticket set state = 'used', used_at = now() where ticket_id = '{ticket}'; update ticket set state = 'valid' where ticket_id = '{ticket}'", "a ticket keeps its seat"),
    ("a ticket's generation that goes back", "update ticket set generation = 2 where ticket_id = '{ticket}'; update ticket set generation = 1 where ticket_id = '{ticket}'", "a ticket keeps its seat"),
    ("a ticket passed on under its old code", "update ticket set holder = '{other}' where ticket_id = '{ticket}'", "a ticket changes hands while it is valid"),
    ("a used ticket passed on", "update ticket set state = 'used', used_at = now() where ticket_id = '{ticket}'; update ticket set holder = '{other}', generation = 2 where ticket_id = '{ticket}'", "a ticket changes hands while it is valid"),
    ("a ticket used at no time", "update ticket set state = 'used' where ticket_id = '{ticket}'", "ticket_used_says_when"),
    ("a good ticket that was used", "update ticket set used_at = now() where ticket_id = '{ticket}'", "ticket_used_says_when"),
    ("a ticket used twice", "update ticket set state = 'used', used_at = now() where ticket_id = '{ticket}'; update ticket set used_at = now() + interval '1 minute' where ticket_id = '{ticket}'", "a ticket is used once"),
    ("a ticket used in the future", "update ticket set state = 'used', used_at = now() + interval '1 minute' where ticket_id = '{ticket}'", "not in the future"),
    ("a used ticket under another admission", "update ticket set state = 'used', used_at = now(), admission = '{new}' where ticket_id = '{ticket}'; update ticket set admission = '{other}' where ticket_id = '{ticket}'", "a ticket is used once"),
    ("an admission that let nobody in", "update ticket set admission = '{new}' where ticket_id = '{ticket}'", "ticket_admission_is_a_use"),
    // The line.
    ("two places in one line", "insert into waiting (event_id, place, user_id, seq, want) values ('{event}', 1, '{owner}', {seq}, '{}'); insert into waiting (event_id, place, user_id, seq, want) values ('{event}', 2, '{owner}', {seq}, '{}')", "waiting_one_place"),
    ("a place before the line", "insert into waiting (event_id, place, user_id, seq, want) values ('{event}', 2, '{other}', {seq}, '{}'); insert into waiting (event_id, place, user_id, seq, want) values ('{event}', 1, '{owner}', {seq}, '{}')", "is not behind the line"),
    ("a place that no entry gave", "insert into waiting (event_id, place, user_id, seq, want) values ('{event}', 1, '{owner}', {next}, '{}')", "waiting_event_id_seq_fkey"),
    ("an offer of nothing", "insert into waiting (event_id, place, user_id, seq, want) values ('{event}', 1, '{owner}', {seq}, '{}'); update waiting set state = 'offered'", "waiting_offer_is_a_hold"),
    ("an offer of another's hold", "insert into waiting (event_id, place, user_id, seq, want) values ('{event}', 1, '{owner}', {seq}, '{}'); update waiting set state = 'offered', hold_id = '{bare_hold}'", "a place in line is left once"),
    ("an offer of another's hold at once", "insert into waiting (event_id, place, user_id, seq, want, state, hold_id) values ('{event}', 1, '{owner}', {seq}, '{}', 'offered', '{bare_hold}')", "a place in line is left once"),
    ("a place left and taken again", "insert into waiting (event_id, place, user_id, seq, want) values ('{event}', 1, '{owner}', {seq}, '{}'); update waiting set state = 'left'; update waiting set state = 'waiting'", "a place in line is left once"),
    ("a place given to another", "insert into waiting (event_id, place, user_id, seq, want) values ('{event}', 1, '{owner}', {seq}, '{}'); update waiting set user_id = '{other}'", "a place in line is left once"),
    ("a place forgotten", "insert into waiting (event_id, place, user_id, seq, want) values ('{event}', 1, '{owner}', {seq}, '{}'); delete from waiting", "waiting is append-only"),
    ("a deleted ticket", "delete from ticket where ticket_id = '{ticket}'", "ticket is append-only"),
    ("truncated tickets", "truncate ticket", "ticket is append-only"),
    // Money.
    ("a second capture of one order", "insert into payment (event_id, payment_id, order_id, amount, idem_key) values ('{event}', '{new}', '{sold_order}', 10000, 'x'); update payment set state = 'authorized' where payment_id = '{new}'; update payment set state = 'capturing' where payment_id = '{new}'", "payment_one_capture"),
    ("more back than was taken", "update payment set refunded = amount + 1 where payment_id = '{sold_payment}'", "payment_refund_within_capture"),
    ("back what was never taken", "update payment set refunded = 1 where payment_id = '{pending_payment}'", "payment_refund_within_capture"),
    ("a refund taken back", "update orders set state = 'refunding' where order_id = '{sold_order}'; update payment set refunded = 5 where payment_id = '{sold_payment}'; update payment set refunded = 0 where payment_id = '{sold_payment}'", "a payment cannot go"),
    ("money back without a refund", "update payment set refunded = amount where payment_id = '{sold_payment}'", "payment_refund_under_way"),
    ("a provider asked for a refund nobody began", "insert into outbox (event_id, topic, dedup, payment_id) values ('{event}', 'refund', 'x', '{sold_payment}')", "outbox_refund_under_way"),
    ("a refund that leaves a ticket", "update orders set state = 'refunding' where order_id = '{sold_order}'; update ticket set state = 'void' where ticket_id = '{ticket}'", "order_refund_takes_its_tickets"),
    ("a refund that keeps the money", "update orders set state = 'refunding' where order_id = '{sold_order}'; update ticket set state = 'void' where order_id = '{sold_order}'; update orders set state = 'refunded' where order_id = '{sold_order}'", "order_refunded_in_full"),
    ("a refund that keeps a part", "update orders set state = 'refunding' where order_id = '{sold_order}'; update ticket set state = 'void' where order_id = '{sold_order}'; update payment set refunded = amount - 1 where payment_id = '{sold_payment}'; update orders set state = 'refunded' where order_id = '{sold_order}'", "order_refunded_in_full"),
    ("a payment captured unauthorised", "update payment set state = 'captured' where payment_id = '{pending_payment}'", "a payment cannot go from created to captured"),
    ("a captured payment void", "update payment set state = 'voided' where payment_id = '{sold_payment}'", "a payment cannot go from captured to voided"),
    ("a payment of another amount", "update payment set amount = 1 where payment_id = '{pending_payment}'", "a payment cannot go"),
    ("a payment born captured", "insert into payment (event_id, payment_id, order_id, amount, idem_key, state) values ('{event}', '{new}', '{pending_order}', 5000, 'x', 'captured')", "a payment starts unpaid"),
    ("a payment below the order's price", "insert into payment (event_id, payment_id, order_id, amount, idem_key) values ('{event}', '{new}', '{pending_order}', 1, 'x')", "asks for its order's price"),
    ("a payment under another's reference", "update payment set provider_ref = 'sold' where payment_id = '{pending_payment}'", "a payment cannot go"),
    ("two payments under one reference", "insert into payment (event_id, payment_id, order_id, provider, amount, idem_key, provider_ref) values ('{event}', '{new}', '{pending_order}', 'sandbox', 5000, 'x', 'sold')", "payment_provider_provider_ref_key"),
    ("one key, two attempts", "insert into payment (event_id, payment_id, order_id, amount, idem_key) values ('{event}', '{new}', '{pending_order}', 5000, 'pending')", "payment_idempotency"),
    ("a payment that goes back and keeps a part", "update payment set state = 'returning' where payment_id = '{pending_payment}'; update payment set state = 'returned', refunded = amount - 1 where payment_id = '{pending_payment}'", "payment_returned_in_full"),
    ("a payment back that was not asked back", "update payment set state = 'returned', refunded = amount where payment_id = '{pending_payment}'", "a payment cannot go from created to returned"),
    ("a captured payment that goes back without its order", "update payment set state = 'returning' where payment_id = '{sold_payment}'", "a payment cannot go from captured to returning"),
    ("an effect given up without a reason", "update outbox set dead_at = now(), sent_at = null", "outbox_dead_says_why"),
    ("a payment opened nowhere under a name", "insert into payment (event_id, payment_id, order_id, amount, idem_key, provider_ref) values ('{event}', '{new}', '{pending_order}', 5000, 'x', 'y')", "payment_opened_at_a_provider"),
    ("a payment moved to another provider", "update payment set provider = 'stripe' where payment_id = '{pending_payment}'", "a payment cannot go"),
    ("one effect twice", "insert into outbox (event_id, topic, dedup, payment_id) select event_id, topic, dedup, payment_id from outbox", "outbox_dedup_key"),
];
