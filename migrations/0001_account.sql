-- People and their sessions. A session token is stored only as its SHA-256: a leaked table opens no account.
create table account (
    user_id uuid primary key,
    email text not null check (email = lower(email) and email like '%_@_%' and length(email) <= 254),
    name text not null check (length(name) between 1 and 200),
    role text not null default 'attendee' check (role in ('attendee', 'organizer', 'admin')),
    password_hash text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint account_email_key unique (email)
);

create table session (
    token_hash bytea primary key check (length(token_hash) = 32),
    user_id uuid not null references account on delete cascade,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null check (expires_at > created_at)
);
create index session_of_user on session (user_id);

-- The first answer to a write that carried an Idempotency-Key; `status` is null while the first runs.
create table idempotency (
    user_id uuid not null references account on delete cascade,
    key text not null check (length(key) between 1 and 200),
    request_hash bytea not null check (length(request_hash) = 32),
    status smallint,
    body jsonb,
    created_at timestamptz not null default now(),
    primary key (user_id, key),
    check ((status is null) = (body is null))
);
