-- What a batch's rows stand on is the same for all of them: one log entry, one plan. Foreign keys look it up anew for each row, a third
-- of what a hold costs the database; these triggers look it up once a statement. They lose nothing: the log is append-only, so an entry
-- that was there stays there; an event stays as long as its lane and log, and its plan cannot change under claims
-- (event_keeps_its_plan). Each is named as the foreign key it stands for.
create function stands_on_its_log_entry() returns trigger language plpgsql as $$
begin
    if exists (select from (select distinct event_id, seq from written) w
        where not exists (select from lane_log l where l.event_id = w.event_id and l.seq = w.seq))
    then
        raise exception 'a row of % stands on no entry of its lane''s log', tg_table_name
            using errcode = 'foreign_key_violation', constraint = tg_table_name || '_event_id_seq_fkey';
    end if;
    return null;
end $$;

create function claim_is_on_its_plan() returns trigger language plpgsql as $$
declare
    plans bigint;
    found_plans bigint;
begin
    select count(*) into plans from (select distinct event_id, capacity from written) w;
    -- Locked as a foreign key locks: the plan cannot change before the claim is there to be seen.
    perform from event e where (e.event_id, e.capacity) in (select event_id, capacity from written) for key share of e;
    get diagnostics found_plans = row_count;
    if found_plans < plans then
        raise exception 'a claim is on another plan than its event'
            using errcode = 'foreign_key_violation', constraint = 'claim_event_id_capacity_fkey';
    end if;
    return null;
end $$;

create trigger hold_log after insert on hold referencing new table as written
    for each statement execute function stands_on_its_log_entry();
create trigger claim_log after insert on claim referencing new table as written
    for each statement execute function stands_on_its_log_entry();
create trigger claim_log_moved after update on claim referencing new table as written
    for each statement execute function stands_on_its_log_entry();
create trigger claim_plan after insert on claim referencing new table as written
    for each statement execute function claim_is_on_its_plan();
create trigger claim_plan_moved after update on claim referencing new table as written
    for each statement execute function claim_is_on_its_plan();

alter table hold drop constraint hold_event_id_seq_fkey;
alter table claim drop constraint claim_event_id_seq_fkey, drop constraint claim_event_id_capacity_fkey;
