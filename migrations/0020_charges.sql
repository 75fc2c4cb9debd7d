-- What an event adds to its tickets' prices or says to be in them, what a code takes off, and what each hold came to, line by line.

create table event_charge (
    event_id uuid not null references event on delete cascade,
    position smallint not null check (position >= 0),
    label text not null check (length(label) between 1 and 100),
    how text not null check (how in ('fee_per_ticket', 'fee_per_order', 'fee_share', 'tax_added', 'tax_included')),
    -- Minor units.
    amount bigint check (amount between 0 and 100000000000),
    -- Hundredths of a percent.
    basis_points integer check (basis_points between 0 and 10000),
    primary key (event_id, position),
    constraint event_charge_reckoned check (
        (amount is not null) = (how in ('fee_per_ticket', 'fee_per_order')) and (basis_points is null) = (amount is not null))
);
create trigger event_charge_terms after insert or update or delete on event_charge for each row execute function terms_changed();

-- What one ticket costs, everything in: what is shown and searched. Null: its price.
alter table event_tier add column all_in bigint constraint event_tier_all_in check (all_in > price);

-- What a code takes off each ticket, or each of one tier; never more than its price.
alter table sale_code
    add column off_basis_points integer check (off_basis_points between 1 and 10000),
    add column off_amount bigint check (off_amount between 1 and 100000000000),
    add column tier smallint check (tier >= 0),
    add constraint sale_code_off check (off_basis_points is null or off_amount is null);
drop trigger sale_code_terms_changed on sale_code;
create trigger sale_code_terms_changed after update on sale_code for each row
    when ((old.presale, old.uses_max, old.seats_max, old.valid_from, old.valid_until, old.off_basis_points, old.off_amount, old.tier)
        is distinct from
        (new.presale, new.uses_max, new.seats_max, new.valid_from, new.valid_until, new.off_basis_points, new.off_amount, new.tier))
    execute function terms_changed();

-- Whether lines multiply out, and add up with the tickets' prices to `total`.
create function lines_come_to(total bigint, prices bigint[], extras jsonb) returns boolean immutable language sql as $$
    select coalesce(bool_and((l ->> 'amount')::bigint = (l ->> 'unit')::bigint * (l ->> 'quantity')::bigint), false)
        and coalesce(sum((l ->> 'amount')::bigint), 0) + (select coalesce(sum(price), 0) from unnest(prices) as price) = total
    from jsonb_array_elements(extras) as l
$$;

-- The lines beside the tickets' own: discounts, fees, taxes. Null: there are none, and none of them is looked at.
alter table hold add column extras jsonb,
    add constraint hold_comes_to_its_lines check (extras is null or lines_come_to(total, prices, extras));
create trigger hold_keeps_its_lines before update on hold for each row when (new.extras is distinct from old.extras)
    execute function hold_stays_as_made();
