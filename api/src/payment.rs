//! Payment: the providers' HTTP, their signed webhooks, and the workers that finish what a crash or a silence left.
//!
//! Money moves only by the outbox that booking writes; this module carries it out and reports back. It never decides.

mod message;
mod provider;
pub(crate) mod signature;
mod webhook;
mod worker;

pub(crate) use message::Message;
pub(crate) use provider::{Act, Foreign, Standing};
pub use provider::{NewPayment, Opened, Provider, ProviderError, Providers, sandbox, stripe};
pub use webhook::router;
pub use worker::run as run_worker;
