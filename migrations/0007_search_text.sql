-- Other names an artist is known by: indexed into the events that name the artist.
alter table artist add column aliases text[] not null default '{}'
    check (cardinality(aliases) <= 32 and array_position(aliases, null) is null);

alter table event
    -- `starts_at` is then only when it is expected to be.
    add column date_tba boolean not null default false,
    -- Above 0, pinned: before all others by relevance, the greatest first.
    add column boost smallint not null default 0 check (boost between 0 and 100);

-- Times before the public sale in which some may buy.
create table event_presale (
    event_id uuid not null references event on delete cascade,
    position smallint not null check (position >= 0),
    name text not null check (length(name) between 1 and 100),
    opens_at timestamptz not null,
    closes_at timestamptz not null,
    primary key (event_id, position),
    check (opens_at < closes_at)
);

-- Who searches for `term` finds what any of `means` finds too. A term is kept as search folds it; a meaning is as `q` has it.
create table synonym (
    synonym_id uuid primary key,
    term text not null unique check (length(term) between 1 and 200),
    means text[] not null check (cardinality(means) between 1 and 20 and array_position(means, null) is null),
    version bigint not null default 1,
    updated_at timestamptz not null default now()
);

alter publication frontrow add table event_presale, synonym;
