-- The line for seats that come back, in the order in which the event's lane let people in. An offer is a hold made for who waited, with
-- more time than a hold has.
alter table event add column offer_ttl_s integer not null default 1800 check (offer_ttl_s between 60 and 604800);

create table waiting (
    event_id uuid not null,
    place bigint not null check (place >= 1),
    -- Not a foreign key, as a hold's is none.
    user_id uuid not null,
    seq bigint not null,
    want jsonb not null,
    state text not null default 'waiting' check (state in ('waiting', 'offered', 'left')),
    hold_id uuid,
    joined_at timestamptz not null default clock_timestamp(),
    -- The mail that tells of the offer: written by who sends it.
    mail_attempts integer not null default 0 check (mail_attempts >= 0),
    mail_not_before timestamptz not null default clock_timestamp(),
    mailed_at timestamptz,
    primary key (event_id, place),
    constraint waiting_offer_is_a_hold check ((state = 'offered') = (hold_id is not null)),
    constraint waiting_one_offer unique (event_id, hold_id),
    foreign key (event_id, seq) references lane_log (event_id, seq),
    foreign key (event_id, hold_id) references hold (event_id, hold_id)
) with (fillfactor = 50);
create unique index waiting_one_place on waiting (event_id, user_id) where state = 'waiting';
create index waiting_user on waiting (user_id) where state = 'offered';
create index waiting_line on waiting (event_id, place) where state = 'waiting';
create index waiting_mail on waiting (mail_not_before) where state = 'offered' and mailed_at is null;

-- Who comes later stands behind everyone before, and what is offered at once is theirs.
create function waiting_at_the_end() returns trigger language plpgsql as $$
begin
    if exists (select from waiting where event_id = new.event_id and place >= new.place) then
        raise exception 'place % is not behind the line', new.place using errcode = 'integrity_constraint_violation';
    end if;
    if new.hold_id is not null and not exists (
        select from hold h where h.event_id = new.event_id and h.hold_id = new.hold_id and h.user_id = new.user_id)
    then
        raise exception 'a place in line is left once, for an offer to who had it' using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end $$;
create trigger waiting_start before insert on waiting for each row execute function waiting_at_the_end();

-- A place stays its person's, and is left once: by going, or for an offer made to that person.
create function waiting_ends_once() returns trigger language plpgsql as $$
begin
    if (new.event_id, new.place, new.user_id, new.seq, new.want, new.joined_at)
            is distinct from (old.event_id, old.place, old.user_id, old.seq, old.want, old.joined_at)
        or (old.state <> 'waiting' and (new.state, new.hold_id) is distinct from (old.state, old.hold_id))
        or (new.hold_id is distinct from old.hold_id and not exists (
            select from hold h where h.event_id = new.event_id and h.hold_id = new.hold_id and h.user_id = new.user_id))
    then
        raise exception 'a place in line is left once, for an offer to who had it' using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end $$;
create trigger waiting_step before update on waiting for each row execute function waiting_ends_once();
create trigger waiting_no_delete before delete on waiting for each row execute function refuse_change();
create trigger waiting_no_truncate before truncate on waiting for each statement execute function refuse_change();
