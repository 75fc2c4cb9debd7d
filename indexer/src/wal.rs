//! Messages of the `pgoutput` plugin, protocol version 1, text format (Postgres's manual, "Logical Replication Message Formats").
//!
//! Bytes in, messages out: no I/O, and no input makes it panic. Transaction boundaries come from the connection, not from here.

mod decode;

pub(crate) use decode::decode;

use bytes::Bytes;

/// One column's value in a row of the stream or of a `COPY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// SQL null.
    Null,
    /// A value stored out of line (TOAST) that the statement did not touch: it is what it was.
    Unchanged,
    /// The type's text form.
    Text(Bytes),
}

/// A row's values in the order of its relation's columns.
pub(crate) type Tuple = Vec<Cell>;

/// A table's shape as the stream announces it, before its first row and again after each change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Relation {
    /// Its oid; rows refer to it.
    pub(crate) id: u32,
    /// Its schema.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
    /// Column names in the order of the tuples.
    pub(crate) columns: Vec<String>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// A table's shape.
    Relation(Relation),
    /// A new row.
    Insert {
        /// Its table.
        relation: u32,
        /// Its values.
        new: Tuple,
    },
    /// A changed row.
    Update {
        /// Its table.
        relation: u32,
        /// The old key or row, sent only when the key changed or the table's replica identity is full.
        old: Option<Tuple>,
        /// The values now.
        new: Tuple,
    },
    /// A deleted row.
    Delete {
        /// Its table.
        relation: u32,
        /// Its key; the other columns are null.
        old: Tuple,
    },
    /// Tables emptied by one statement.
    Truncate {
        /// The tables.
        relations: Vec<u32>,
    },
    /// A type's name or an origin: of no use here.
    Ignored,
}

/// The bytes are not a message of the protocol.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The message ends too early.
    #[error("a replication message ends early")]
    Truncated,
    /// A tag that version 1 does not have.
    #[error("unknown replication message {0:#04x}")]
    Tag(u8),
    /// Text that is not UTF-8.
    #[error("a replication message holds text that is not UTF-8")]
    Utf8,
}
