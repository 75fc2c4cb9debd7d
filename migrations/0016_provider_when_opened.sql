-- Who takes the money is known when an attempt is opened there, with the name it has there; an order of nothing needs nobody.
alter table payment drop constraint payment_provider_check, alter column provider drop not null, disable trigger payment_step;
update payment set provider = null where provider_ref is null;
alter table payment enable trigger payment_step;
alter table payment add constraint payment_provider_check check (provider in ('sandbox', 'stripe')),
    add constraint payment_opened_at_a_provider check ((provider is null) = (provider_ref is null));

create or replace function payment_takes_a_legal_step() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if new.state <> 'created' or not exists (
            select from orders o where o.event_id = new.event_id and o.order_id = new.order_id and o.total = new.amount)
        then
            raise exception 'a payment starts unpaid and asks for its order''s price' using errcode = 'integrity_constraint_violation';
        end if;
    elsif (new.event_id, new.payment_id, new.order_id, new.amount, new.idem_key)
        is distinct from (old.event_id, old.payment_id, old.order_id, old.amount, old.idem_key)
        or new.provider is distinct from coalesce(old.provider, new.provider)
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
