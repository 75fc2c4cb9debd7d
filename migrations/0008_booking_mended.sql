-- A process's lease on the lanes it owns. For liveness alone: when it has run out another process may take them, and the fence
-- (epoch, seq) sees to it that the old owner then writes nothing.
create table lane_owner (
    owner text primary key,
    lease_until timestamptz not null
) with (fillfactor = 50);
alter table lane drop column lease_until;

-- What gives a hold's seat numbers and prices their meaning, kept with it: a repeat describes its seats by it, and a payment that
-- comes late gets them back only on the same plan and in the same currency.
alter table hold add column layout_hash text, add column currency text check (length(currency) = 3);
update hold h set layout_hash = e.layout_hash,
    currency = coalesce((select o.currency from orders o where o.event_id = h.event_id and o.hold_id = h.hold_id), e.currency)
    from event e where e.event_id = h.event_id;
alter table hold alter column layout_hash set not null, alter column currency set not null;

create or replace function hold_ends_once() returns trigger language plpgsql as $$
begin
    if (new.event_id, new.hold_id, new.user_id, new.seq, new.idem_key, new.request_hash, new.seat_nos, new.prices, new.total,
            new.layout_hash, new.currency)
        is distinct from (old.event_id, old.hold_id, old.user_id, old.seq, old.idem_key, old.request_hash, old.seat_nos, old.prices,
            old.total, old.layout_hash, old.currency)
        or not (new.state = old.state or old.state = 'held' or (old.state, new.state) = ('expired', 'sold'))
        or new.expires_at < old.expires_at or (new.expires_at > old.expires_at and (old.extended or not new.extended))
        or (old.state = 'held' and new.state = 'expired' and old.expires_at > clock_timestamp())
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

-- An Idempotency-Key counts per account and event, as it does for holds.
delete from idempotency;
alter table idempotency add column event_id uuid not null, drop constraint idempotency_pkey,
    add primary key (event_id, user_id, key);
