//! The integration tests: one binary, one module per subject, each driving the real thing on a private Postgres.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod accounts;
mod audit;
mod bad_database;
mod bad_input;
mod booking_core;
mod browser;
mod catalog_input;
mod cdn;
mod degraded;
mod demo;
mod event_terms;
mod gateways;
mod harness;
mod histories;
mod in_progress;
mod indexer_cases;
mod indexer_chaos;
mod indexer_faults;
mod indexer_generations;
mod indexer_kill;
mod indexer_replicas;
mod indexer_watch;
mod indexer_writes;
mod limits;
mod race;
mod rogue_sql;
mod run_script;
mod saved_search;
mod search_equals_postgres;
mod search_live;
mod serving;
mod store;
mod tidy;
mod tls;
mod whole_path;
