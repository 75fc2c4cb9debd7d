-- Money: attempts to pay an order, what providers told us, what we still have to tell them.
create table payment (
    event_id uuid not null,
    payment_id uuid not null,
    order_id uuid not null,
    provider text not null check (provider in ('sandbox')),
    provider_ref text,
    portal_url text,
    -- The buyer's Idempotency-Key: pressing "pay" twice makes one attempt.
    idem_key text not null check (length(idem_key) between 1 and 200),
    amount bigint not null check (amount >= 0),
    refunded bigint not null default 0,
    state text not null default 'created' check (state in
        ('created', 'authorized', 'declined', 'capturing', 'captured', 'voiding', 'voided')),
    reason text,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    -- When the provider was last asked how it stands.
    polled_at timestamptz,
    primary key (event_id, payment_id),
    unique (provider, provider_ref),
    constraint payment_idempotency unique (event_id, order_id, idem_key),
    constraint payment_reason_of_refusal check ((state = 'declined') <= (reason is not null)),
    foreign key (event_id, order_id) references orders (event_id, order_id),
    constraint payment_refund_within_capture check (refunded between 0 and case when state = 'captured' then amount else 0 end)
);
create unique index payment_one_capture on payment (event_id, order_id) where state in ('capturing', 'captured');
create index payment_id on payment (payment_id);
create index payment_open on payment (created_at) where state in ('created', 'authorized', 'capturing', 'voiding');

-- An attempt starts unpaid and asks for its order's price; each step is one the program's enum has.
create function payment_takes_a_legal_step() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if new.state <> 'created' or not exists (
            select from orders o where o.event_id = new.event_id and o.order_id = new.order_id and o.total = new.amount)
        then
            raise exception 'a payment starts unpaid and asks for its order''s price' using errcode = 'integrity_constraint_violation';
        end if;
    elsif (new.event_id, new.payment_id, new.order_id, new.provider, new.amount, new.idem_key)
        is distinct from (old.event_id, old.payment_id, old.order_id, old.provider, old.amount, old.idem_key)
        or new.provider_ref is distinct from coalesce(old.provider_ref, new.provider_ref) or new.refunded < old.refunded
        or not (new.state = old.state or (old.state, new.state) in (
            ('created', 'authorized'), ('created', 'declined'), ('created', 'voided'), ('declined', 'authorized'), ('declined', 'voided'),
            ('authorized', 'capturing'), ('authorized', 'voiding'), ('capturing', 'captured'), ('voiding', 'voided')))
    then
        raise exception 'a payment cannot go from % to %', old.state, new.state using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end $$;
create trigger payment_step before insert or update on payment for each row execute function payment_takes_a_legal_step();

create table webhook_inbox (
    provider text not null,
    provider_event_id text not null,
    body jsonb not null,
    received_at timestamptz not null default clock_timestamp(),
    -- Not looked at before: a message about a payment we do not know yet waits here.
    not_before timestamptz not null default clock_timestamp(),
    done_at timestamptz,
    primary key (provider, provider_event_id)
);
create index webhook_inbox_open on webhook_inbox (not_before) where done_at is null;

create table outbox (
    outbox_id bigint generated always as identity primary key,
    event_id uuid not null,
    topic text not null check (topic in ('capture', 'void', 'refund')),
    -- Also the provider's idempotency key: sending twice acts once.
    dedup text not null unique,
    payment_id uuid not null,
    created_at timestamptz not null default clock_timestamp(),
    attempts integer not null default 0,
    not_before timestamptz not null default clock_timestamp(),
    sent_at timestamptz,
    foreign key (event_id, payment_id) references payment (event_id, payment_id)
);
create index outbox_open on outbox (not_before) where sent_at is null;

-- The sandbox portal's own books, as a foreign provider would keep them: nothing of ours references them.
create schema sandbox;
create table sandbox.payment (
    ref text primary key,
    idempotency_key text not null unique,
    amount bigint not null check (amount >= 0),
    currency text not null,
    description text not null,
    return_url text not null,
    webhook_url text not null,
    state text not null default 'open' check (state in ('open', 'authorized', 'declined', 'captured', 'voided', 'refunded')),
    reason text,
    created_at timestamptz not null default now()
);
