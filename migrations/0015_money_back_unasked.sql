-- Money that was taken and that its order cannot have goes back under states of its own: another attempt may have paid the order.
alter table payment drop constraint payment_state_check, drop constraint payment_refund_within_capture;
alter table payment add constraint payment_state_check check (state in
        ('created', 'authorized', 'declined', 'capturing', 'captured', 'voiding', 'voided', 'returning', 'returned')),
    add constraint payment_refund_within_capture check
        (refunded between 0 and case when state in ('captured', 'returning', 'returned') then amount else 0 end),
    add constraint payment_returned_in_full check (state <> 'returned' or refunded = amount);
drop index payment_open;
create index payment_open on payment (created_at) where state in ('created', 'authorized', 'capturing', 'voiding', 'returning');

-- As before, and: what was taken unasked goes back; what was to be captured may turn out to be gone.
create or replace function payment_takes_a_legal_step() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if new.state <> 'created' or not exists (
            select from orders o where o.event_id = new.event_id and o.order_id = new.order_id and o.total = new.amount)
        then
            raise exception 'a payment starts unpaid and asks for its order''s price' using errcode = 'integrity_constraint_violation';
        end if;
    elsif (new.event_id, new.payment_id, new.order_id, new.provider, new.amount, new.idem_key)
        is distinct from (old.event_id, old.payment_id, old.order_id, old.provider, old.amount, old.idem_key)
        or new.provider_ref is distinct from coalesce(old.provider_ref, new.provider_ref) or new.refunded < old.refunded
        or not (new.state = old.state or (old.state, new.state) in (
            ('created', 'authorized'), ('created', 'declined'), ('created', 'voided'), ('created', 'returning'),
            ('declined', 'authorized'), ('declined', 'voided'), ('declined', 'returning'),
            ('authorized', 'capturing'), ('authorized', 'voiding'), ('capturing', 'captured'), ('capturing', 'voided'),
            ('voiding', 'voided'), ('voiding', 'returning'), ('voided', 'returning'), ('returning', 'returned')))
    then
        raise exception 'a payment cannot go from % to %', old.state, new.state using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end $$;

-- As before, or the payment is one that goes back by itself.
create or replace function refund_is_under_way() returns trigger language plpgsql as $$
begin
    if not exists (
        select from payment p join orders o using (event_id, order_id)
        where p.event_id = new.event_id and p.payment_id = new.payment_id
            and (o.state in ('refunding', 'refunded') or p.state in ('returning', 'returned')))
    then
        raise exception 'no refund of payment % is under way', new.payment_id
            using errcode = 'integrity_constraint_violation', constraint = tg_table_name || '_refund_under_way';
    end if;
    return null;
end $$;

-- Why the provider did not do it, the last time; and since when nobody asks any more, for it never will.
alter table outbox add column failure text, add column dead_at timestamptz,
    add constraint outbox_dead_says_why check (dead_at is null or (failure is not null and sent_at is null));
drop index outbox_open;
create index outbox_open on outbox (not_before) where sent_at is null and dead_at is null;
create index outbox_dead on outbox (dead_at) where dead_at is not null;
create index outbox_payment on outbox (payment_id);
