-- What the indexer streams: an explicit list, never "all tables". `availability` feeds the overlay, the rest the documents.
create publication frontrow for table venue, artist, event, event_artist, event_tier, availability;
