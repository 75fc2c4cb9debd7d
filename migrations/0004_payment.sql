-- Money: attempts to pay an order, what providers told us, what we still have to tell them.
create table payment (
    event_id uuid not null,
    payment_id uuid not null,
    order_id uuid not null,
    provider text not null check (provider in ('sandbox')),
    provider_ref text,
    portal_url text,
    amount bigint not null check (amount >= 0),
    refunded bigint not null default 0,
    state text not null default 'created' check (state in
        ('created', 'authorized', 'declined', 'capturing', 'captured', 'voiding', 'voided')),
    reason text,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    primary key (event_id, payment_id),
    unique (provider, provider_ref),
    foreign key (event_id, order_id) references orders (event_id, order_id),
    constraint payment_refund_within_capture check (refunded between 0 and case when state = 'captured' then amount else 0 end)
);
create unique index payment_one_capture on payment (event_id, order_id) where state in ('capturing', 'captured');
create index payment_order on payment (event_id, order_id);
create index payment_open on payment (created_at) where state in ('created', 'authorized', 'capturing', 'voiding');

create table webhook_inbox (
    provider text not null,
    provider_event_id text not null,
    body jsonb not null,
    received_at timestamptz not null default clock_timestamp(),
    done_at timestamptz,
    primary key (provider, provider_event_id)
);
create index webhook_inbox_open on webhook_inbox (received_at) where done_at is null;

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
