//! The statements of a lane's transaction, prepared once per connection. Every list comes as arrays: one statement per table.
//!
//! State guards stand in the `where` clauses and again in the schema; the rows affected are counted by the writer.

use tokio_postgres::{Client, Error, Statement};

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident: $sql:literal;)*) => {
        /// The prepared statements of one connection.
        pub(super) struct Statements {
            $($(#[$doc])* pub(super) $name: Statement,)*
        }

        impl Statements {
            /// Prepares all of them in one round trip.
            pub(super) async fn prepare(client: &Client) -> Result<Self, Error> {
                let ($($name,)*) = futures::try_join!($(client.prepare($sql),)*)?;
                Ok(Self { $($name,)* })
            }
        }
    };
}

statements! {
    /// The fence: nobody else took the lane, no batch came between, the terms are those decided on.
    advance: "update lane set seq = $4::bigint, head = $5
        where event_id = $1 and epoch = $2 and seq = $4::bigint - 1 and terms = $3 returning clock_timestamp()";
    log: "insert into lane_log (event_id, seq, epoch, payload, prev_hash, hash) values ($1, $2, $3, $4, $5, $6)";
    hold_insert: "insert into hold (event_id, hold_id, user_id, seq, idem_key, request_hash, seat_nos, prices, total, state,
            first_expires_at, expires_at, extended, layout_hash, currency, code, extras)
        select $1, u.hold_id, u.user_id, $2, u.idem_key, u.request_hash, u.seat_nos::integer[], u.prices::bigint[], u.total,
            u.state, u.first_expires_at, coalesce(u.extended_to, u.first_expires_at), u.extended_to is not null, $13, $14,
            u.code, u.extras::jsonb
        from unnest($3::uuid[], $4::uuid[], $5::text[], $6::bytea[], $7::text[], $8::text[], $9::bigint[], $10::text[],
            $11::timestamptz[], $12::timestamptz[], $15::text[], $16::text[])
            as u (hold_id, user_id, idem_key, request_hash, seat_nos, prices, total, state, first_expires_at, extended_to, code, extras)";
    hold_update: "update hold h set state = coalesce(u.state, h.state), expires_at = coalesce(u.extended_to, h.expires_at),
            extended = h.extended or u.extended_to is not null
        from unnest($2::uuid[], $3::text[], $4::timestamptz[]) as u (hold_id, state, extended_to)
        where h.event_id = $1 and h.hold_id = u.hold_id and (h.state = 'held' or (h.state = 'expired' and u.state = 'sold'))
            and (u.state is distinct from 'expired' or h.expires_at <= clock_timestamp())";
    /// What a sold hold's seats went for; its first ones stay on record.
    hold_exchange: "update hold h set seat_nos = u.seat_nos::integer[], first_seat_nos = coalesce(h.first_seat_nos, h.seat_nos)
        from unnest($2::uuid[], $3::text[]) as u (hold_id, seat_nos)
        where h.event_id = $1 and h.hold_id = u.hold_id and h.state = 'sold'";
    order_insert: "insert into orders (event_id, order_id, hold_id, user_id, currency, total, expires_at)
        select $1, u.order_id, u.hold_id, u.user_id, $6, u.total, h.expires_at
        from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[]) as u (order_id, hold_id, user_id, total)
        join hold h on h.event_id = $1 and h.hold_id = u.hold_id and h.expires_at > clock_timestamp()";
    order_expiry: "update orders o set expires_at = u.expires_at, updated_at = clock_timestamp()
        from unnest($2::uuid[], $3::timestamptz[]) as u (hold_id, expires_at)
        where o.event_id = $1 and o.hold_id = u.hold_id and o.state = 'pending'";
    claim_delete: "delete from claim c using unnest($2::integer[], $3::uuid[]) as u (seat_no, hold_id)
        where c.event_id = $1 and c.seat_no = u.seat_no and c.hold_id = u.hold_id and c.kind = 0";
    claim_insert: "insert into claim (event_id, seat_no, capacity, kind, hold_id, order_id, seq, tier, price)
        select $1, u.seat_no, $2, case when u.order_id is null then 0 else 1 end, u.hold_id, u.order_id, $3, u.tier, u.price
        from unnest($4::integer[], $5::uuid[], $6::uuid[], $7::smallint[], $8::bigint[])
            as u (seat_no, hold_id, order_id, tier, price)";
    claim_sell: "update claim c set kind = 1, order_id = u.order_id, seq = $2
        from unnest($3::integer[], $4::uuid[], $5::uuid[]) as u (seat_no, hold_id, order_id)
        where c.event_id = $1 and c.seat_no = u.seat_no and c.hold_id = u.hold_id and c.kind = 0";
    claim_free: "delete from claim c using unnest($2::integer[], $3::uuid[]) as u (seat_no, order_id)
        where c.event_id = $1 and c.seat_no = u.seat_no and c.order_id = u.order_id and c.kind = 1";
    order_step: "update orders o set state = $3::text, updated_at = clock_timestamp()
        where o.event_id = $1 and o.order_id = any($2) and (o.state, $3::text) in (('pending', 'authorized'), ('pending', 'expired'),
            ('expired', 'authorized'), ('authorized', 'confirmed'), ('authorized', 'voided'), ('confirmed', 'captured'),
            ('confirmed', 'refunding'), ('captured', 'refunding'), ('refunding', 'refunded'))";
    payment_insert: "insert into payment (event_id, payment_id, order_id, amount, idem_key)
        select $1, u.payment_id, u.order_id, u.amount, u.idem_key
        from unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::text[]) as u (payment_id, order_id, amount, idem_key)";
    payment_step: "update payment p set state = $4::text, reason = coalesce(u.reason, p.reason), updated_at = clock_timestamp(),
            refunded = case when $4::text = 'returned' then p.amount else p.refunded end
        from unnest($2::uuid[], $3::text[]) as u (payment_id, reason)
        where p.event_id = $1 and p.payment_id = u.payment_id and (p.state, $4::text) in (('created', 'authorized'),
            ('created', 'declined'), ('created', 'voided'), ('created', 'returning'), ('declined', 'authorized'),
            ('declined', 'voided'), ('declined', 'returning'), ('authorized', 'capturing'), ('authorized', 'voiding'),
            ('capturing', 'captured'), ('capturing', 'voided'), ('voiding', 'voided'), ('voiding', 'returning'),
            ('voided', 'returning'), ('returning', 'returned'))";
    payment_refund: "update payment p set refunded = p.amount, updated_at = clock_timestamp()
        where p.event_id = $1 and p.payment_id = any($2) and p.state = 'captured' and p.refunded = 0";
    ticket_insert: "insert into ticket (event_id, ticket_id, seat_no, order_id, holder, state)
        select $1, u.ticket_id, u.seat_no, u.order_id, u.holder, u.state
        from unnest($2::uuid[], $3::integer[], $4::uuid[], $5::uuid[], $6::text[]) as u (ticket_id, seat_no, order_id, holder, state)";
    /// A ticket that was used or passed on stops its buyer's refund: then fewer rows are touched than should be.
    ticket_void: "update ticket t set state = 'void' from unnest($2::uuid[], $3::uuid[]) as u (order_id, only_of)
        where t.event_id = $1 and t.order_id = u.order_id and t.state <> 'void'
            and (u.only_of is null or (t.state = 'valid' and t.holder = u.only_of))";
    /// A ticket that was used or passed on stops the exchange of its seat.
    ticket_give: "update ticket t set state = 'void' from unnest($2::uuid[], $3::integer[], $4::uuid[]) as u (order_id, seat_no, holder)
        where t.event_id = $1 and t.order_id = u.order_id and t.seat_no = u.seat_no and t.state = 'valid' and t.holder = u.holder";
    /// Tickets of orders that are not their buyers' to give back any more.
    ticket_gone: "select t.order_id, t.seat_no, t.ticket_id from unnest($2::uuid[], $3::uuid[]) as u (order_id, holder)
        join ticket t on t.event_id = $1 and t.order_id = u.order_id
        where t.state = 'used' or (t.state = 'valid' and t.holder <> u.holder)";
    outbox_insert: "insert into outbox (event_id, topic, dedup, payment_id)
        select $1, u.topic, u.topic || ':' || u.payment_id, u.payment_id
        from unnest($2::text[], $3::uuid[]) as u (topic, payment_id)";
    waiting_insert: "insert into waiting (event_id, place, user_id, seq, want, state, hold_id)
        select $1, u.place, u.user_id, $2, u.want::jsonb, u.state, u.hold_id
        from unnest($3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::uuid[]) as u (place, user_id, want, state, hold_id)
        order by u.place";
    waiting_leave: "update waiting w set state = case when u.hold_id is null then 'left' else 'offered' end, hold_id = u.hold_id,
            mail_not_before = clock_timestamp()
        from unnest($2::bigint[], $3::uuid[]) as u (place, hold_id)
        where w.event_id = $1 and w.place = u.place and w.state = 'waiting'";
    quota_upsert: "insert into buyer_quota (event_id, user_id, seats, seat_limit)
        select $1, u.user_id, u.seats, greatest($2::integer, u.seats) from unnest($3::uuid[], $4::integer[]) as u (user_id, seats)
        on conflict (event_id, user_id) do update set seats = excluded.seats, seat_limit = excluded.seat_limit";
    availability_upsert: "insert into availability (event_id, slot, version, seats_total, seats_left, price_min)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (event_id) do update set version = excluded.version, seats_total = excluded.seats_total,
            seats_left = excluded.seats_left, price_min = excluded.price_min
        where availability.version < excluded.version";
    lane_make: "insert into lane (event_id) select event_id from event where event_id = $1 on conflict do nothing";
    lane_take: "update lane l set epoch = epoch + 1, owner = $2 where event_id = $1 and (owner is null or owner = $2
            or not exists (select from lane_owner o where o.owner = l.owner and o.lease_until > clock_timestamp()))
        returning epoch, seq, head, terms, clock_timestamp()";
    /// How many milliseconds the lane's owner has left.
    lane_left: "select ceil(extract(epoch from o.lease_until - clock_timestamp()) * 1000)::bigint
        from lane l left join lane_owner o using (owner) where l.event_id = $1";
    lane_give_up: "update lane set owner = null where event_id = $1 and epoch = $2 and owner = $3";
    /// Nobody reads the leases of processes that ended long ago.
    lease_renew: "with forgotten as (delete from lane_owner where owner <> $1 and lease_until < clock_timestamp() - interval '1 hour')
        insert into lane_owner (owner, lease_until) values ($1, clock_timestamp() + make_interval(secs => $2))
        on conflict (owner) do update set lease_until = excluded.lease_until";
    lease_end: "delete from lane_owner where owner = $1";
    event_exists: "select from event where event_id = $1";
    lane_look: "select epoch, seq, terms from lane where event_id = $1";
    event_terms: "select slot, layout_hash, capacity, currency, sale_opens_at, sale_closes_at, hold_ttl_s, buyer_limit, status,
            refundable_until, offer_ttl_s
        from event where event_id = $1";
    event_tiers: "select tier, price from event_tier where event_id = $1";
    event_presales: "select position, opens_at, closes_at from event_presale where event_id = $1 order by position";
    /// Nobody needs to be a member once everybody may buy.
    presale_members: "select p.position, m.user_id from event e join event_presale p using (event_id)
            join presale_group using (event_id, position) join group_member m using (group_id)
        where e.event_id = $1 and e.sale_opens_at > clock_timestamp() and p.closes_at > clock_timestamp()";
    event_charges: "select label, how, amount, basis_points from event_charge where event_id = $1 order by position";
    sale_codes: "select code, presale, valid_from, valid_until, uses_max, seats_max, uses, seats, off_basis_points, off_amount, tier
        from sale_code where event_id = $1";
    layout_plan: "select plan from layout where layout_hash = $1";
    hold_live: "select hold_id, user_id, seat_nos, prices, code, extras::text, expires_at, extended, state, layout_hash, currency from hold
        where event_id = $1 and state = 'held' order by hold_id";
    hold_recent: "select h.user_id, h.idem_key, h.request_hash, h.hold_id, coalesce(h.first_seat_nos, h.seat_nos) as seat_nos, h.prices, h.code, h.extras::text, h.first_expires_at,
            h.layout_hash, h.currency, h.seq, g.hash
        from hold h join lane_log g on g.event_id = h.event_id and g.seq = h.seq
        where h.event_id = $1 and h.created_at > clock_timestamp() - interval '24 hours' order by h.created_at desc limit $2";
    hold_by_key: "select h.user_id, h.idem_key, h.request_hash, h.hold_id, coalesce(h.first_seat_nos, h.seat_nos) as seat_nos, h.prices, h.code, h.extras::text, h.first_expires_at,
            h.layout_hash, h.currency, h.seq, g.hash
        from hold h join unnest($2::uuid[], $3::text[]) as u (user_id, idem_key) on h.user_id = u.user_id and h.idem_key = u.idem_key
        join lane_log g on g.event_id = h.event_id and g.seq = h.seq
        where h.event_id = $1";
    claim_sold: "select seat_no from claim where event_id = $1 and kind = 1";
    quota_all: "select user_id, seats from buyer_quota where event_id = $1 and seats > 0";
    waiting_line: "select place, user_id, want::text from waiting where event_id = $1 and state = 'waiting' order by place";
    waiting_last: "select user_id, max(place) from waiting where event_id = $1 group by user_id";
    order_find: "select o.order_id, o.state as order_state, h.hold_id, h.user_id, h.seat_nos, h.prices, h.code, h.extras::text, h.expires_at, h.extended,
            h.state, h.layout_hash, h.currency
        from orders o join hold h on h.event_id = o.event_id and h.hold_id = o.hold_id
        where o.event_id = $1 and (o.order_id = any($2) or o.hold_id = any($3))";
    payment_find: "select order_id, payment_id, idem_key, state from payment
        where event_id = $1 and order_id = any($2) order by order_id, payment_id";
    payment_recent: "select o.user_id, p.idem_key, p.order_id, p.payment_id
        from payment p join orders o on o.event_id = p.event_id and o.order_id = p.order_id
        where p.event_id = $1 and p.created_at > clock_timestamp() - interval '24 hours' order by p.created_at desc limit $2";
    payment_by_key: "select o.user_id, p.idem_key, p.order_id, p.payment_id from unnest($2::uuid[], $3::text[]) as u (user_id, idem_key)
        join orders o on o.event_id = $1 and o.user_id = u.user_id
        join payment p on p.event_id = $1 and p.order_id = o.order_id and p.idem_key = u.idem_key";
}

impl std::fmt::Debug for Statements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Statements").finish_non_exhaustive()
    }
}
