-- Tickets at the door. A ticket's code is signed, not stored: it follows from its event, id and generation, and a copy of this table opens
-- no door.
alter table ticket drop column code, add column used_at timestamptz;
update ticket set used_at = created_at where state = 'used';
alter table ticket
    add constraint ticket_used_says_when check ((state = 'used') <= (used_at is not null) and (state = 'valid') <= (used_at is null));

-- As before, and: it changes hands with a new generation, so that the old code is dead; only while it is valid; and once used it was so
-- at one instant.
create or replace function ticket_keeps_its_seat() returns trigger language plpgsql as $$
begin
    if (new.event_id, new.ticket_id, new.seat_no, new.order_id) is distinct from (old.event_id, old.ticket_id, old.seat_no, old.order_id)
        or new.generation < old.generation or (old.state = 'void' and new.state <> 'void')
        or (old.state = 'used' and new.state = 'valid')
        or (new.state = 'void' and old.state <> 'void' and not exists (
            select from orders o where o.event_id = new.event_id and o.order_id = new.order_id and o.state in ('refunding', 'refunded', 'voided')))
    then
        raise exception 'a ticket keeps its seat' using errcode = 'integrity_constraint_violation';
    end if;
    if (new.holder <> old.holder and new.generation = old.generation)
        or ((new.holder, new.generation) is distinct from (old.holder, old.generation) and old.state <> 'valid')
    then
        raise exception 'a ticket changes hands while it is valid, under a new code' using errcode = 'integrity_constraint_violation';
    end if;
    if old.used_at is not null and new.used_at is distinct from old.used_at then
        raise exception 'a ticket is used once' using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end $$;
