-- The last place that somebody had is looked up by each who joins the line, and everybody's when the event's lane is read.
create index waiting_person on waiting (event_id, user_id, place);
