-- Seats of a paid order changed for others at the same price, all of it or nothing: old tickets dead, old seats free, new ones sold.

-- The seats it was made with, once it has others: what its first answer said.
alter table hold add column first_seat_nos integer[];

-- As before, and: a sold hold's seats may be changed, one for one, for what they cost; it keeps word of its first ones.
create or replace function hold_ends_once() returns trigger language plpgsql as $$
begin
    if (new.event_id, new.hold_id, new.user_id, new.seq, new.idem_key, new.request_hash, new.prices, new.total, new.layout_hash,
            new.currency)
        is distinct from (old.event_id, old.hold_id, old.user_id, old.seq, old.idem_key, old.request_hash, old.prices, old.total,
            old.layout_hash, old.currency)
        or not (new.state = old.state or old.state = 'held' or (old.state, new.state) = ('expired', 'sold'))
        or new.expires_at < old.expires_at or (new.expires_at > old.expires_at and (old.extended or not new.extended))
        or (old.state = 'held' and new.state = 'expired' and old.expires_at > clock_timestamp())
        or ((new.seat_nos, new.first_seat_nos) is distinct from (old.seat_nos, old.first_seat_nos) and (old.state, new.state,
            cardinality(new.seat_nos), new.first_seat_nos) is distinct from ('sold', 'sold', cardinality(old.seat_nos),
            coalesce(old.first_seat_nos, old.seat_nos)))
    then
        raise exception 'a hold cannot go from % to %', old.state, new.state using errcode = 'integrity_constraint_violation';
    end if;
    -- Held, its claims keep the event as it is. Expired, nothing did.
    if old.state = 'expired' and new.state = 'sold' then
        perform from event e where e.event_id = new.event_id and e.layout_hash = new.layout_hash and e.currency = new.currency
            for share;
        if not found then
            raise exception 'hold % is of another plan or currency than event %', new.hold_id, new.event_id
                using errcode = 'integrity_constraint_violation', constraint = 'hold_keeps_its_plan';
        end if;
    end if;
    return new;
end $$;

-- As before, and: a ticket of a paid order may die, too, if the order has all its seats when the transaction ends.
create or replace function ticket_keeps_its_seat() returns trigger language plpgsql as $$
begin
    if (new.event_id, new.ticket_id, new.seat_no, new.order_id) is distinct from (old.event_id, old.ticket_id, old.seat_no, old.order_id)
        or new.generation < old.generation or (old.state = 'void' and new.state <> 'void')
        or (old.state = 'used' and new.state = 'valid')
        or (new.state = 'void' and old.state <> 'void' and not exists (
            select from orders o where o.event_id = new.event_id and o.order_id = new.order_id and (o.state in
                ('refunding', 'refunded', 'voided') or (o.state in ('confirmed', 'captured') and old.state = 'valid'))))
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

-- A paid order has the seats its hold says: a sold claim and a live ticket for each, and no other.
create function order_has_its_seats(of_event uuid, of_order uuid) returns void language plpgsql as $$
begin
    if exists (
        select from orders o join hold h using (event_id, hold_id), lateral (select array(select unnest(h.seat_nos) order by 1) as due) d
        where o.event_id = of_event and o.order_id = of_order and o.state in ('confirmed', 'captured')
            and (array(select c.seat_no from claim c where c.event_id = o.event_id and c.order_id = o.order_id and c.kind = 1 order by 1)
                    is distinct from d.due
                or array(select t.seat_no from ticket t where t.event_id = o.event_id and t.order_id = o.order_id and t.state <> 'void'
                    order by 1) is distinct from d.due))
    then
        raise exception 'order % has not the seats that it paid for', of_order
            using errcode = 'integrity_constraint_violation', constraint = 'order_has_its_seats';
    end if;
end $$;

create function hold_seats_are_had() returns trigger language plpgsql as $$
begin
    perform order_has_its_seats(o.event_id, o.order_id) from orders o where o.event_id = new.event_id and o.hold_id = new.hold_id;
    return null;
end $$;
create function ticket_leaves_a_whole() returns trigger language plpgsql as $$
begin
    perform order_has_its_seats(new.event_id, new.order_id);
    return null;
end $$;
create function claim_leaves_a_whole() returns trigger language plpgsql as $$
begin
    perform order_has_its_seats(old.event_id, old.order_id);
    return null;
end $$;
create constraint trigger hold_seats_had after update on hold deferrable initially deferred for each row
    when (new.seat_nos is distinct from old.seat_nos) execute function hold_seats_are_had();
create constraint trigger ticket_whole after update on ticket deferrable initially deferred for each row
    when (new.state = 'void' and old.state <> 'void') execute function ticket_leaves_a_whole();
create constraint trigger claim_whole after delete on claim deferrable initially deferred for each row
    when (old.kind = 1) execute function claim_leaves_a_whole();
