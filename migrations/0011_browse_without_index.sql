-- What lists by date without the search index need: events without a date are few, and nothing lasts longer than the longest.
create index event_tba on event (event_id) where date_tba;
create index event_duration on event ((ends_at - starts_at));
