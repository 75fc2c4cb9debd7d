//! The reading half of search, which therefore owns the index's format.
//!
//! `schema` and `document` say what is indexed, `store`, `manifest` and `availability` how it travels, `Replica` keeps a local
//! copy that never goes backwards, `View` answers from one moment of it, by words and, where there is a table of `vectors`, by what
//! they mean. Nothing here writes an index or speaks to Postgres.

pub mod answer;
mod arrivals;
pub mod availability;
mod bits;
mod columns;
pub mod document;
#[cfg(test)]
mod fixture;
pub mod fold;
pub mod manifest;
mod names;
mod overlay;
pub mod presence;
pub mod replica;
pub mod request;
pub mod schema;
pub mod store;
pub mod synonyms;
pub mod vectors;
mod view;

pub use arrivals::{Arrivals, ArrivalsError};
pub use replica::Replica;
pub use request::{BadParameter, Request};
pub use view::{SearchError, View};
