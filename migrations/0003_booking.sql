-- The booking core. Every key starts with the event, so the tables distribute by event unchanged. The constraints, not the
-- program, make a second sale of a seat impossible: each is tried by the rogue SQL suite.

-- One lane per event, made when it is first used. (epoch, seq) is the fence: a batch says which it follows.
create table lane (
    event_id uuid primary key references event,
    epoch bigint not null default 0 check (epoch >= 0),
    seq bigint not null default 0 check (seq >= 0),
    -- The hash of the log's last entry; 32 zero bytes before the first.
    head bytea not null default decode(repeat('00', 32), 'hex') check (length(head) = 32),
    -- Raised by every change of the event's terms or prices: a batch that decided on old terms is fenced out.
    terms bigint not null default 0,
    owner text,
    lease_until timestamptz,
    log_seq bigint generated always as (nullif(seq, 0)) stored
) with (fillfactor = 50);

create table lane_log (
    event_id uuid not null references lane,
    seq bigint not null check (seq >= 1),
    epoch bigint not null,
    at timestamptz not null default clock_timestamp(),
    payload bytea not null,
    prev_hash bytea not null,
    hash bytea not null,
    prev_seq bigint generated always as (case when seq > 1 then seq - 1 end) stored,
    primary key (event_id, seq),
    unique (event_id, seq, hash),
    constraint lane_log_chain foreign key (event_id, prev_seq, prev_hash) references lane_log (event_id, seq, hash),
    constraint lane_log_first check (seq > 1 or prev_hash = decode(repeat('00', 32), 'hex')),
    constraint lane_log_hash check (hash = sha256(prev_hash || uuid_send(event_id) || int8send(seq) || payload))
);

-- A lane stands on its last log entry: it cannot advance without writing one.
alter table lane add constraint lane_stands_on_its_log
    foreign key (event_id, log_seq, head) references lane_log (event_id, seq, hash) deferrable initially deferred;

create table hold (
    event_id uuid not null,
    hold_id uuid not null,
    -- Not a foreign key: it would lock the buyer's account row in every hold. Orders and tickets have one.
    user_id uuid not null,
    seq bigint not null,
    idem_key text not null check (length(idem_key) between 1 and 200),
    request_hash bytea not null check (length(request_hash) = 32),
    -- What was asked for and what it costs, kept when the claims are gone: a repeat answers from it, a late payment reclaims by it.
    seat_nos integer[] not null,
    prices bigint[] not null,
    total bigint not null check (total >= 0),
    state text not null default 'held' check (state in ('held', 'sold', 'released', 'expired')),
    created_at timestamptz not null default clock_timestamp(),
    -- What the first answer said; `expires_at` moves when the hold is extended.
    first_expires_at timestamptz not null,
    expires_at timestamptz not null check (expires_at >= first_expires_at),
    extended boolean not null default false,
    primary key (event_id, hold_id),
    constraint hold_has_seats check (cardinality(seat_nos) > 0 and cardinality(prices) = cardinality(seat_nos)),
    constraint hold_idempotency unique (event_id, user_id, idem_key),
    foreign key (event_id, seq) references lane_log (event_id, seq)
) with (fillfactor = 50);
create index hold_live on hold (event_id) where state = 'held';

create table orders (
    event_id uuid not null,
    order_id uuid not null,
    hold_id uuid not null,
    user_id uuid not null references account,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    total bigint not null check (total >= 0),
    state text not null default 'pending' check (state in
        ('pending', 'authorized', 'confirmed', 'captured', 'expired', 'voided', 'refunding', 'refunded')),
    expires_at timestamptz not null,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    primary key (event_id, order_id),
    unique (event_id, hold_id),
    foreign key (event_id, hold_id) references hold (event_id, hold_id)
) with (fillfactor = 50);
create index orders_order on orders (order_id);
create index orders_user on orders (user_id, created_at);
create index orders_open on orders (expires_at) where state in ('pending', 'authorized', 'confirmed', 'refunding');

-- The distributed lock: at most one row per (event, seat). kind 0 is held, 1 is sold.
create table claim (
    event_id uuid not null,
    seat_no integer not null,
    capacity integer not null,
    kind smallint not null check (kind in (0, 1)),
    hold_id uuid not null,
    order_id uuid,
    seq bigint not null,
    tier smallint not null,
    price bigint not null check (price >= 0),
    primary key (event_id, seat_no),
    unique (event_id, seat_no, kind, order_id),
    constraint claim_seat_on_the_plan check (seat_no >= 0 and seat_no < capacity),
    constraint claim_sold_names_its_order check ((kind = 1) = (order_id is not null)),
    foreign key (event_id, capacity) references event (event_id, capacity),
    foreign key (event_id, hold_id) references hold (event_id, hold_id),
    foreign key (event_id, order_id) references orders (event_id, order_id),
    foreign key (event_id, seq) references lane_log (event_id, seq)
) with (fillfactor = 50);

create table ticket (
    event_id uuid not null,
    ticket_id uuid not null,
    seat_no integer not null,
    order_id uuid not null,
    holder uuid not null references account,
    generation integer not null default 1 check (generation >= 1),
    code text not null check (length(code) >= 20),
    state text not null default 'valid' check (state in ('valid', 'used', 'void')),
    live_kind smallint generated always as (case when state <> 'void' then 1 end) stored,
    created_at timestamptz not null default clock_timestamp(),
    primary key (event_id, ticket_id),
    unique (event_id, code),
    foreign key (event_id, order_id) references orders (event_id, order_id),
    -- A live ticket stands on its sold claim: the claim cannot be deleted, re-pointed or unsold under it.
    constraint ticket_stands_on_its_claim foreign key (event_id, seat_no, live_kind, order_id)
        references claim (event_id, seat_no, kind, order_id)
);
create unique index ticket_one_live on ticket (event_id, seat_no) where state <> 'void';
create index ticket_id on ticket (ticket_id);
create index ticket_order on ticket (event_id, order_id);
create index ticket_holder on ticket (holder, event_id);

create table buyer_quota (
    event_id uuid not null,
    user_id uuid not null,
    seats integer not null,
    seat_limit integer not null,
    primary key (event_id, user_id),
    constraint buyer_quota_limit check (seats between 0 and seat_limit)
) with (fillfactor = 50);

-- What search's overlay is fed from; written in the transaction of the batch, or of the change of terms. `version` is the lane's
-- seq and terms together: either makes it grow.
create table availability (
    event_id uuid primary key references event,
    slot integer not null unique references event (slot),
    version bigint not null,
    seats_total integer not null check (seats_total > 0),
    seats_left integer not null,
    -- The lowest price among the seats left; null when none is.
    price_min bigint,
    check (seats_left between 0 and seats_total),
    check ((seats_left = 0) = (price_min is null))
) with (fillfactor = 50);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'integrity_constraint_violation';
end $$;
create trigger lane_log_append_only before update or delete on lane_log for each row execute function refuse_change();
create trigger lane_log_no_truncate before truncate on lane_log for each statement execute function refuse_change();
create trigger ticket_no_delete before delete on ticket for each row execute function refuse_change();
create trigger ticket_no_truncate before truncate on ticket for each statement execute function refuse_change();

-- A log entry is the lane's own, at the lane's present place: a paused old owner can write none.
create function lane_log_is_fenced() returns trigger language plpgsql as $$
begin
    if not exists (select from lane where event_id = new.event_id and epoch = new.epoch and seq = new.seq and head = new.hash) then
        raise exception 'lane_log entry % of epoch % does not follow the lane', new.seq, new.epoch
            using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end $$;
create trigger lane_log_fence before insert on lane_log for each row execute function lane_log_is_fenced();

create function lane_only_advances() returns trigger language plpgsql as $$
begin
    if new.event_id <> old.event_id or new.epoch < old.epoch or new.seq < old.seq or new.seq > old.seq + 1
        or new.terms < old.terms or (new.seq = old.seq and new.head <> old.head)
    then
        raise exception 'a lane only advances' using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end $$;
create trigger lane_advances before update on lane for each row execute function lane_only_advances();

-- A hold ends once, and by time only when the database's clock says so. An expired one can still be sold: a payment that came late.
create function hold_ends_once() returns trigger language plpgsql as $$
begin
    if (new.event_id, new.hold_id, new.user_id, new.seq, new.idem_key, new.request_hash, new.seat_nos, new.prices, new.total)
        is distinct from (old.event_id, old.hold_id, old.user_id, old.seq, old.idem_key, old.request_hash, old.seat_nos, old.prices, old.total)
        or not (new.state = old.state or old.state = 'held' or (old.state, new.state) = ('expired', 'sold'))
        or new.expires_at < old.expires_at or (new.expires_at > old.expires_at and (old.extended or not new.extended))
        or (old.state = 'held' and new.state = 'expired' and old.expires_at > clock_timestamp())
    then
        raise exception 'a hold cannot go from % to %', old.state, new.state using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end $$;
create trigger hold_step before update on hold for each row execute function hold_ends_once();

-- An order starts pending, with its hold's buyer and price.
create function order_is_of_its_hold() returns trigger language plpgsql as $$
begin
    if new.state <> 'pending' or not exists (
        select from hold h where h.event_id = new.event_id and h.hold_id = new.hold_id and h.user_id = new.user_id and h.total = new.total)
    then
        raise exception 'an order starts pending and costs what its hold costs' using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end $$;
create trigger order_start before insert on orders for each row execute function order_is_of_its_hold();

-- A ticket never changes its seat or order, a void one never lives again, and voiding follows a refund or a void.
create function ticket_keeps_its_seat() returns trigger language plpgsql as $$
begin
    if (new.event_id, new.ticket_id, new.seat_no, new.order_id) is distinct from (old.event_id, old.ticket_id, old.seat_no, old.order_id)
        or new.generation < old.generation or (old.state = 'void' and new.state <> 'void')
        or (old.state = 'used' and new.state = 'valid')
        or (new.state = 'void' and old.state <> 'void' and not exists (
            select from orders o where o.event_id = new.event_id and o.order_id = new.order_id and o.state in ('refunding', 'refunded', 'voided')))
    then
        raise exception 'a ticket keeps its seat' using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end $$;
create trigger ticket_keeps before update on ticket for each row execute function ticket_keeps_its_seat();

-- The order's life, as its enum in the program has it: no other step is taken by anyone.
create function order_takes_a_legal_step() returns trigger language plpgsql as $$
begin
    if (new.event_id, new.order_id, new.hold_id, new.user_id, new.currency, new.total)
        is distinct from (old.event_id, old.order_id, old.hold_id, old.user_id, old.currency, old.total)
        or not (new.state = old.state or (old.state, new.state) in (
            ('pending', 'authorized'), ('pending', 'expired'), ('expired', 'authorized'), ('authorized', 'confirmed'), ('authorized', 'voided'),
            ('confirmed', 'captured'), ('confirmed', 'refunding'), ('captured', 'refunding'), ('refunding', 'refunded')))
    then
        raise exception 'an order cannot go from % to %', old.state, new.state using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end $$;
create trigger order_step before update on orders for each row execute function order_takes_a_legal_step();

create function terms_changed() returns trigger language plpgsql as $$
begin
    update lane set terms = terms + 1 where event_id = coalesce(new.event_id, old.event_id);
    return null;
end $$;
create trigger event_terms after update on event for each row
    when (old.* is distinct from new.*) execute function terms_changed();
create trigger event_tier_terms after insert or update or delete on event_tier for each row execute function terms_changed();
