-- What the portal does to a payment beside taking it: test cards bring trouble with them, and one asks for a second proof first.
alter table sandbox.payment drop constraint payment_state_check,
    add constraint payment_state_check check (state in ('open', 'challenged', 'authorized', 'declined', 'captured', 'voided', 'refunded')),
    add column trouble text check (trouble in ('delay', 'duplicate', 'reorder', 'drop', 'outage', 'silence')),
    -- How often it has shown in answers.
    add column troubled integer not null default 0;
