-- Giving money back. The buyer may ask for it until then; null: only who sells may give it.
alter table event add column refundable_until timestamptz;

-- An order that gives its money back has no live ticket, and says so only when all that was taken is back.
create function order_gives_back_whole() returns trigger language plpgsql as $$
begin
    if exists (select from ticket t where t.event_id = new.event_id and t.order_id = new.order_id and t.state <> 'void') then
        raise exception 'order % gives its money back and keeps a ticket', new.order_id
            using errcode = 'integrity_constraint_violation', constraint = 'order_refund_takes_its_tickets';
    end if;
    if new.state = 'refunded' and exists (
        select from payment p where p.event_id = new.event_id and p.order_id = new.order_id
            and p.state in ('capturing', 'captured') and p.refunded < p.amount)
    then
        raise exception 'order % has not given all its money back', new.order_id
            using errcode = 'integrity_constraint_violation', constraint = 'order_refunded_in_full';
    end if;
    return null;
end $$;
create constraint trigger order_gives_back after update on orders deferrable initially deferred for each row
    when (new.state in ('refunding', 'refunded') and new.state <> old.state) execute function order_gives_back_whole();

-- Money goes back, and a provider is asked to give it back, only while its order says so.
create function refund_is_under_way() returns trigger language plpgsql as $$
begin
    if not exists (
        select from payment p join orders o using (event_id, order_id)
        where p.event_id = new.event_id and p.payment_id = new.payment_id and o.state in ('refunding', 'refunded'))
    then
        raise exception 'no refund of payment % is under way', new.payment_id
            using errcode = 'integrity_constraint_violation', constraint = tg_table_name || '_refund_under_way';
    end if;
    return null;
end $$;
create constraint trigger payment_refund after update on payment deferrable initially deferred for each row
    when (new.refunded > old.refunded) execute function refund_is_under_way();
create constraint trigger outbox_refund after insert on outbox deferrable initially deferred for each row
    when (new.topic = 'refund') execute function refund_is_under_way();

-- What a cancelled event has still to give back.
create index event_cancelled on event (event_id) where status = 'cancelled';
create index orders_paid on orders (event_id) where state in ('confirmed', 'captured');
