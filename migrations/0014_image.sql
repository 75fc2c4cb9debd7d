-- Pictures organizers sent. The bytes are in the image store, under `content`; an event's own `image` is an address.
create table image (
    image_id uuid primary key,
    owner uuid not null references account,
    event_id uuid references event,
    -- New with every file that is sent, so that no bytes are ever another's.
    content uuid not null unique,
    -- SHA-256 of the largest size as it is kept.
    hash text not null check (hash ~ '^[0-9a-f]{64}$'),
    width integer not null check (width > 0),
    height integer not null check (height > 0),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index image_event on image (event_id);
