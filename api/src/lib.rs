//! Frontrow over HTTP: accounts, catalog, search, booking, payment, pages.
//!
//! The only room that knows HTTP. It owns the process: `cli` parses, `serve` starts and stops everything in a written order.
//! It never decides about seats (`booking` does) and never reads the index's files (`search` does).

pub mod account;
pub mod app;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod console;
pub mod demo;
pub mod extract;
pub mod hex;
pub mod pages;
pub mod problem;
pub mod router;
pub mod serve;
pub mod session;
