-- What lists by date without the search index need: events without a date are few, and nothing lasts longer than the longest.
create index event_tba on event (event_id) where date_tba;
-- An endless event has no length, and takes none from the others.
create index event_duration on event ((case when isfinite(starts_at) and isfinite(ends_at) then ends_at - starts_at end));
