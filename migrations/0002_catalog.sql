-- The catalog: what organizers edit and search shows. Everything here but `layout` is in the publication.
create table venue (
    venue_id uuid primary key,
    name text not null check (length(name) between 1 and 300),
    city text not null check (length(city) between 1 and 200),
    district text,
    region text,
    country text not null check (country ~ '^[A-Z]{2}$'),
    lat double precision check (lat between -90 and 90),
    lon double precision check (lon between -180 and 180),
    timezone text not null check (length(timezone) between 1 and 64),
    version bigint not null default 1,
    updated_at timestamptz not null default now(),
    check ((lat is null) = (lon is null))
);

create table artist (
    artist_id uuid primary key,
    name text not null check (length(name) between 1 and 300),
    version bigint not null default 1,
    updated_at timestamptz not null default now()
);

-- An immutable seat plan under the hash of its bytes (canonical JSON of `model::SeatPlan`).
create table layout (
    layout_hash text primary key,
    name text not null,
    capacity integer not null check (capacity between 1 and 200000),
    plan bytea not null,
    created_at timestamptz not null default now(),
    unique (layout_hash, capacity),
    constraint layout_hash_is_of_the_plan check (layout_hash = encode(sha256(plan), 'hex'))
);

create table event (
    event_id uuid primary key,
    -- Dense number of the event: the index of its cell in every replica's availability overlay.
    slot integer generated always as identity unique,
    organizer_id uuid not null references account,
    venue_id uuid not null references venue,
    title text not null check (length(title) between 1 and 500),
    description text not null default '' check (length(description) <= 20000),
    genres text[] not null default '{}' check (cardinality(genres) <= 16),
    -- [{"composer": text, "title": text, "movement": text?, "conductor": text?}]
    works jsonb not null default '[]' check (jsonb_typeof(works) = 'array'),
    image text,
    popularity integer not null default 0 check (popularity >= 0),
    status text not null default 'scheduled' check (status in ('scheduled', 'postponed', 'cancelled')),
    starts_at timestamptz not null,
    ends_at timestamptz,
    -- The terms of the sale.
    layout_hash text not null,
    capacity integer not null,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    sale_opens_at timestamptz not null,
    sale_closes_at timestamptz not null,
    hold_ttl_s integer not null default 600 check (hold_ttl_s between 1 and 86400),
    buyer_limit integer not null default 8 check (buyer_limit between 1 and 1000),
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check (ends_at is null or ends_at > starts_at),
    check (sale_opens_at < sale_closes_at),
    foreign key (layout_hash, capacity) references layout (layout_hash, capacity),
    -- What a claim points at: seats are numbered below it, so it cannot shrink under a claim.
    unique (event_id, capacity)
);
create index event_organizer on event (organizer_id, starts_at);
create index event_venue on event (venue_id);
create index event_starts on event (starts_at, event_id);

create table event_artist (
    event_id uuid not null references event on delete cascade,
    position smallint not null check (position >= 0),
    artist_id uuid not null references artist,
    -- composer, conductor, orchestra, or the instrument or voice of a soloist
    role text not null check (length(role) between 1 and 100),
    primary key (event_id, position)
);
create index event_artist_artist on event_artist (artist_id);

-- A seat's tier is in the layout; what the tier costs is the event's. A tier without a row is not for sale.
create table event_tier (
    event_id uuid not null references event on delete cascade,
    tier smallint not null check (tier >= 0),
    name text not null check (length(name) between 1 and 100),
    price bigint not null check (price between 0 and 100000000000),
    primary key (event_id, tier)
);
