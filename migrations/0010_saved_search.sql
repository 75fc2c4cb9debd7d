-- Searches that people keep, and what each has found since: told in the app and by mail, each event once.
create table saved_search (
    search_id uuid primary key,
    user_id uuid not null references account on delete cascade,
    -- Which of the person's places it takes: nobody keeps more than there are.
    place smallint not null check (place between 1 and 50),
    name text not null check (length(name) between 1 and 200),
    -- A query string of GET /event.
    query text not null check (length(query) between 1 and 2000),
    -- Whether it may send mail.
    mails boolean not null default true,
    created_at timestamptz not null default now(),
    constraint saved_search_place unique (user_id, place),
    constraint saved_search_query unique (user_id, query)
);

-- One mail tells of everything that a search found since the mail before. Its id is the mail's Message-ID, the same at every try.
create table saved_search_mail (
    mail_id uuid primary key,
    search_id uuid not null references saved_search on delete cascade,
    attempts integer not null default 0 check (attempts >= 0),
    not_before timestamptz not null default now(),
    created_at timestamptz not null default now(),
    sent_at timestamptz,
    unique (search_id, mail_id)
);
create index saved_search_mail_due on saved_search_mail (not_before) where sent_at is null;

-- Written by the indexer: the key is why nobody is told of an event twice.
create table saved_search_match (
    match_id bigint generated always as identity unique,
    search_id uuid not null references saved_search on delete cascade,
    event_id uuid not null references event on delete cascade,
    matched_at timestamptz not null default now(),
    read_at timestamptz,
    mail_id uuid,
    primary key (search_id, event_id),
    constraint saved_search_match_mail foreign key (search_id, mail_id)
        references saved_search_mail (search_id, mail_id) on delete set null (mail_id)
);
create index saved_search_match_event on saved_search_match (event_id);
create index saved_search_match_unread on saved_search_match (search_id) where read_at is null;
create index saved_search_match_unmailed on saved_search_match (matched_at) where mail_id is null;

-- The indexer runs the searches: it needs to know what is asked, not who asks.
alter publication frontrow add table saved_search (search_id, query);
