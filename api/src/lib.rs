//! Frontrow over HTTP: accounts, catalog, search, booking, payment, pages.
//!
//! The only room that knows HTTP. It owns the process: `cli` parses, `serve` starts and stops everything in a written order.
//! It never decides about seats (`booking` does) and never reads the index's files (`search` does).

pub mod account;
pub mod app;
pub mod buy;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod console;
pub mod database;
pub mod demo;
pub mod door;
pub mod edge;
pub mod extract;
pub mod find;
pub mod hex;
pub mod idempotency;
pub mod indexing;
pub mod limit;
pub mod line;
pub mod mail;
pub mod notification;
pub mod openapi;
pub mod ops;
pub mod order;
pub mod pages;
pub mod payment;
pub mod problem;
pub mod reconcile;
pub mod report;
pub mod reserve;
pub mod router;
pub mod sandbox;
pub mod saved_search;
pub mod seats;
pub mod serve;
pub mod session;
pub mod shared_body;
pub mod ticket;
pub mod upload;
pub mod vectors;
pub mod waiting;
