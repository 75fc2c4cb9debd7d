//! Payment: the provider's HTTP, its signed webhooks, and the workers that finish what a crash or a silence left.
//!
//! Money moves only by the outbox that booking writes; this module carries it out and reports back. It never decides.

mod provider;
pub(crate) mod signature;
mod webhook;
mod worker;

pub use provider::{NewPayment, Opened, Provider, ProviderError};
pub use webhook::router;
pub use worker::run as run_worker;

/// The name of the built-in provider in paths and tables.
pub(crate) const SANDBOX: &str = "sandbox";
