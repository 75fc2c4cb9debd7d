-- Who may buy before the sale opens to everybody: whoever has a code of an open presale, or is in a group that it is open to.

-- Accounts that an organizer keeps together, such as season subscribers.
create table member_group (
    group_id uuid primary key,
    organizer_id uuid not null references account,
    name text not null check (length(name) between 1 and 100),
    created_at timestamptz not null default now(),
    constraint member_group_name unique (organizer_id, name)
);

create table group_member (
    group_id uuid not null references member_group on delete cascade,
    user_id uuid not null references account on delete cascade,
    added_at timestamptz not null default now(),
    primary key (group_id, user_id)
);
create index group_member_user on group_member (user_id);

-- The groups a presale is open to.
create table presale_group (
    event_id uuid not null,
    position smallint not null,
    group_id uuid not null references member_group on delete cascade,
    primary key (event_id, position, group_id),
    foreign key (event_id, position) references event_presale on delete cascade
);
create index presale_group_group on presale_group (group_id);

-- What an organizer gives away to be typed in: it opens a presale, so often and for so many seats. It counts holds that are live or sold;
-- money that goes back later makes no use undone.
create table sale_code (
    event_id uuid not null references event on delete cascade,
    code text not null constraint sale_code_code check (code ~ '^[A-Z0-9][A-Z0-9-]{2,39}$'),
    -- The presale it opens, if any.
    presale smallint,
    uses_max integer check (uses_max >= 1),
    seats_max integer check (seats_max >= 1),
    valid_from timestamptz,
    valid_until timestamptz,
    uses integer not null default 0,
    seats integer not null default 0,
    created_at timestamptz not null default clock_timestamp(),
    primary key (event_id, code),
    foreign key (event_id, presale) references event_presale (event_id, position) on delete set null (presale),
    constraint sale_code_valid check (valid_from < valid_until),
    constraint sale_code_uses check (uses >= 0 and (uses_max is null or uses <= uses_max)),
    constraint sale_code_seats check (seats >= 0 and (seats_max is null or seats <= seats_max))
) with (fillfactor = 50);

alter table hold add column code text, add constraint hold_code foreign key (event_id, code) references sale_code;

create function hold_stays_as_made() returns trigger language plpgsql as $$
begin
    raise exception 'hold % stays as it was made', new.hold_id using errcode = 'integrity_constraint_violation', constraint = tg_name;
end $$;
create trigger hold_keeps_its_code before update on hold for each row when (new.code is distinct from old.code)
    execute function hold_stays_as_made();

-- The counts follow the holds, whoever writes them: once a statement, so that a batch which frees a use and takes it again stays within
-- the limit.
create function holds_count_their_codes() returns trigger language plpgsql as $$
begin
    if not exists (select from written where code is not null) then
        return null;
    end if;
    if tg_op = 'INSERT' then
        update sale_code c set uses = c.uses + more.uses, seats = c.seats + more.seats
        from (select event_id, code, count(*) as uses, sum(cardinality(seat_nos)) as seats from written
            where code is not null and state in ('held', 'sold') group by event_id, code) as more
        where c.event_id = more.event_id and c.code = more.code;
    else
        update sale_code c set uses = c.uses + more.uses, seats = c.seats + more.seats
        from (select event_id, code, sum(step) as uses, sum(step * cardinality(seat_nos)) as seats
            from (select w.event_id, w.code, w.seat_nos,
                    (w.state in ('held', 'sold'))::integer - (r.state in ('held', 'sold'))::integer as step
                from written w join replaced r using (event_id, hold_id) where w.code is not null) as steps
            group by event_id, code) as more
        where c.event_id = more.event_id and c.code = more.code and (more.uses <> 0 or more.seats <> 0);
    end if;
    return null;
end $$;
create trigger hold_codes after insert on hold referencing new table as written
    for each statement execute function holds_count_their_codes();
create trigger hold_codes_moved after update on hold referencing new table as written old table as replaced
    for each statement execute function holds_count_their_codes();

-- All of it is terms of the sale: a lane that decided on others is fenced out.
create trigger event_presale_terms after insert or update or delete on event_presale for each row execute function terms_changed();
create trigger presale_group_terms after insert or update or delete on presale_group for each row execute function terms_changed();
create trigger sale_code_terms after insert or delete on sale_code for each row execute function terms_changed();
create trigger sale_code_terms_changed after update on sale_code for each row
    when ((old.presale, old.uses_max, old.seats_max, old.valid_from, old.valid_until)
        is distinct from (new.presale, new.uses_max, new.seats_max, new.valid_from, new.valid_until))
    execute function terms_changed();

create function members_changed() returns trigger language plpgsql as $$
begin
    -- In key order, so that two changes do not wait for each other.
    perform from lane l where l.event_id in (
        select p.event_id from presale_group p where p.group_id in (select group_id from changed)) order by l.event_id for no key update;
    update lane l set terms = terms + 1 where l.event_id in (
        select p.event_id from presale_group p where p.group_id in (select group_id from changed));
    return null;
end $$;
create trigger group_member_joins after insert on group_member referencing new table as changed
    for each statement execute function members_changed();
create trigger group_member_leaves after delete on group_member referencing old table as changed
    for each statement execute function members_changed();
