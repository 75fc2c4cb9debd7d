-- Seats that somebody holds or bought keep their meaning: an event's plan and currency cannot change under a claim. The lane's row
-- is what both sides lock: a batch that is writing claims is waited for, one that decided on the old plan is fenced out by `terms`.
create function event_keeps_its_plan() returns trigger language plpgsql as $$
begin
    insert into lane (event_id) values (new.event_id) on conflict do nothing;
    perform from lane where event_id = new.event_id for update;
    if exists (select from claim where event_id = new.event_id) then
        raise exception 'event % has seats held or sold on its plan', new.event_id
            using errcode = 'integrity_constraint_violation', constraint = 'event_keeps_its_plan';
    end if;
    return new;
end $$;
create trigger event_keeps_its_plan before update on event for each row
    when ((old.layout_hash, old.capacity, old.currency) is distinct from (new.layout_hash, new.capacity, new.currency))
    execute function event_keeps_its_plan();
