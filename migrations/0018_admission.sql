-- A door without a network lets people in and tells later. It names each admission, so that what it tells twice is one; and it says
-- when it was, which is never later than now.
alter table ticket add column admission uuid,
    add constraint ticket_admission_is_a_use check (admission is null or used_at is not null);

create function ticket_is_admitted_once() returns trigger language plpgsql as $$
begin
    if (old.used_at is not null and new.admission is distinct from old.admission) or new.used_at > clock_timestamp() then
        raise exception 'a ticket is used once, and not in the future' using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end $$;
create trigger ticket_admits before update on ticket for each row execute function ticket_is_admitted_once();
