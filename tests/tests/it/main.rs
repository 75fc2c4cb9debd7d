//! The integration tests: one binary, one module per subject, each driving the real thing on a private Postgres.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod booking_core;
mod harness;
mod rogue_sql;
mod search_equals_postgres;
mod tidy;
