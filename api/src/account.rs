//! Accounts: create, read, change, sign in, sign out.
//!
//! Invariant: an unknown email and a wrong password are the same answer in the same time. Tokens and passwords are never logged.

mod password;
mod record;

pub use password::Passwords;
pub use record::{Account, Role, by_token};
