//! The integration harness: a private Postgres cluster, the real binaries, an HTTP client, waits for a level.
//!
//! Every failure here is a failed test, so it panics with what happened and where to read on. It never mocks: what a test drives
//! is what a user runs. It never touches a cluster, a process or a directory that it did not make.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a harness fails its test by panicking")]
#![allow(clippy::missing_panics_doc, reason = "every function here may fail its test")]

mod bucket;
pub mod catalog;
mod client;
mod cluster;
mod database;
mod edge;
pub mod history;
mod mail;
mod postgres;
mod process;
mod redis;
mod server;
mod wait;
mod wall_clock;
mod wire;

pub use bucket::Bucket;
pub use client::{Answer, Client};
pub use cluster::postgres_bin;
pub use database::Database;
pub use edge::Edge;
pub use mail::MailSink;
pub use postgres::Postgres;
pub use process::{Process, binary, repository};
pub use redis::Redis;
pub use server::{Indexer, Server};
pub use wait::{DEADLINE, until, until_within};
pub use wall_clock::WallClock;
pub use wire::Wire;
