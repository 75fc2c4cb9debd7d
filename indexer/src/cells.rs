//! A row's values by column name, out of Postgres's text forms.
//!
//! The stream and `COPY` print alike (one session setting fixes dates and floats), so both are read here. What the database may hold
//! but Rust's types cannot (`infinity`, year 200000) is brought to the nearest value rather than refused: one row must never stop the stream.

use crate::wal::Cell;
use jiff::Timestamp;
use std::str::FromStr;
use uuid::Uuid;

/// Settings of every session that prints rows for us.
pub(crate) const SESSION_OPTIONS: &str = "-c datestyle=ISO -c timezone=UTC -c extra_float_digits=1 -c bytea_output=hex \
     -c idle_session_timeout=0 -c idle_in_transaction_session_timeout=0 -c statement_timeout=0 -c lock_timeout=0";

/// A row does not fit what the indexer knows of its table.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CellError {
    /// The publication's table lacks a column, or the publication has a column list.
    #[error("column {column} is missing from the publication: apply the migrations of this version")]
    Missing {
        /// The column.
        column: &'static str,
    },
    /// A value is not of the column's type.
    #[error("column {column} holds {value:?}")]
    Value {
        /// The column.
        column: &'static str,
        /// What stands there.
        value: String,
    },
    /// A value was left out as unchanged, but the index has no earlier one.
    #[error("column {column} is unchanged from a row that the index does not have")]
    Unknown {
        /// The column.
        column: &'static str,
    },
}

/// One row: names and values side by side.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    columns: &'a [String],
    cells: &'a [Cell],
}

impl<'a> Row<'a> {
    pub(crate) fn new(columns: &'a [String], cells: &'a [Cell]) -> Self {
        Self { columns, cells }
    }

    fn cell(&self, column: &'static str) -> Result<&'a Cell, CellError> {
        let at = self.columns.iter().position(|name| name == column);
        at.and_then(|at| self.cells.get(at)).ok_or(CellError::Missing { column })
    }

    /// The value of a column that cannot be null. `previous` stands in for an unchanged one.
    pub(crate) fn value<T: PgText + Clone>(&self, column: &'static str, previous: Option<&T>) -> Result<T, CellError> {
        if let (Cell::Unchanged, Some(previous)) = (self.cell(column)?, previous) {
            return Ok(previous.clone());
        }
        self.nullable(column, None)?.ok_or(CellError::Value { column, value: "null".into() })
    }

    /// The value of a column that may be null.
    pub(crate) fn nullable<T: PgText + Clone>(
        &self,
        column: &'static str,
        previous: Option<&Option<T>>,
    ) -> Result<Option<T>, CellError> {
        match self.cell(column)? {
            Cell::Null => Ok(None),
            Cell::Unchanged => previous.cloned().ok_or(CellError::Unknown { column }),
            Cell::Text(bytes) => {
                let text = std::str::from_utf8(bytes).ok();
                text.and_then(T::parse).map(Some).ok_or_else(|| {
                    let value = String::from_utf8_lossy(bytes).chars().take(80).collect();
                    CellError::Value { column, value }
                })
            }
        }
    }

    /// The value of a key column, which is never null nor unchanged.
    pub(crate) fn key<T: PgText + Clone>(&self, column: &'static str) -> Result<T, CellError> {
        self.value(column, None)
    }
}

/// A type with a Postgres text form.
pub(crate) trait PgText: Sized {
    /// Reads it; `None` when the text is not of the type.
    fn parse(text: &str) -> Option<Self>;
}

macro_rules! from_str {
    ($($type:ty),*) => {$(
        impl PgText for $type {
            fn parse(text: &str) -> Option<Self> {
                <$type>::from_str(text).ok()
            }
        }
    )*};
}
from_str!(
    u8,
    i16,
    i32,
    i64,
    u16,
    u32,
    u64,
    f64,
    Uuid,
    String,
    model::Currency,
    model::EventId,
    model::VenueId,
    model::ArtistId,
    model::SearchId
);

impl PgText for bool {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "t" => Some(true),
            "f" => Some(false),
            _ => None,
        }
    }
}

impl PgText for Timestamp {
    fn parse(text: &str) -> Option<Self> {
        if let Ok(at) = text.parse::<Self>() {
            return Some(at);
        }
        let looks_like_one = text.starts_with(|c: char| c.is_ascii_digit()) || text.ends_with("infinity");
        let before = text.ends_with("BC") || text.starts_with('-');
        looks_like_one.then_some(if before { Self::MIN } else { Self::MAX })
    }
}

/// `{a,"b c",NULL}`; nulls are dropped, inner dimensions flattened.
impl PgText for Vec<String> {
    fn parse(text: &str) -> Option<Self> {
        let body = text.split_once("]={").map_or(text, |(_, body)| body);
        let mut elements = Vec::new();
        let mut element = String::new();
        let (mut quoted, mut was_quoted) = (false, false);
        let mut chars = body.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => element.push(chars.next()?),
                '"' => (quoted, was_quoted) = (!quoted, true),
                '{' | '}' | ',' if !quoted => {
                    let value = std::mem::take(&mut element);
                    if was_quoted || !(value.is_empty() || value == "NULL") {
                        elements.push(value);
                    }
                    was_quoted = false;
                }
                c => element.push(c),
            }
        }
        (!quoted && body.ends_with('}')).then_some(elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    #[test]
    fn instants_as_postgres_prints_them() {
        let at = |text| <Timestamp as PgText>::parse(text).map(|at| at.to_string());
        assert_eq!(at("2026-11-23 22:57:31.5+00"), Some("2026-11-23T22:57:31.5Z".into()));
        assert_eq!(at("2026-11-23 22:57:31-05:30"), Some("2026-11-24T04:27:31Z".into()));
        assert_eq!(at("infinity"), Some(Timestamp::MAX.to_string()));
        assert_eq!(at("-infinity"), Some(Timestamp::MIN.to_string()));
        assert_eq!(at("20000-01-01 00:00:00+00"), Some(Timestamp::MAX.to_string()));
        assert_eq!(at("0044-03-15 00:00:00+00 BC"), Some(Timestamp::MIN.to_string()));
        assert_eq!(at("yesterday"), None);
    }

    #[test]
    fn arrays_as_postgres_prints_them() {
        let list = |text| <Vec<String> as PgText>::parse(text);
        assert_eq!(list("{}"), Some(vec![]));
        assert_eq!(
            list(r#"{a,"b c","d\"e","",NULL,"NULL"}"#),
            Some(["a", "b c", "d\"e", "", "NULL"].map(String::from).to_vec())
        );
        assert_eq!(list("[0:1]={a,b}"), Some(vec!["a".into(), "b".into()]));
        assert_eq!(list("{{a,b},{c,d}}"), Some(["a", "b", "c", "d"].map(String::from).to_vec()));
        assert_eq!(list("{\"a"), None);
    }

    #[test]
    fn an_unchanged_value_is_the_previous_one() {
        let columns = vec!["title".to_owned()];
        let previous = "Requiem".to_owned();
        let row = Row::new(&columns, &[Cell::Unchanged]);
        assert_eq!(row.value("title", Some(&previous)), Ok(previous));
        assert_eq!(row.value::<String>("title", None), Err(CellError::Unknown { column: "title" }));
        assert_eq!(row.value::<String>("genre", None), Err(CellError::Missing { column: "genre" }));
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String) {
            let _list = <Vec<String> as PgText>::parse(&text);
            let _at = <Timestamp as PgText>::parse(&text);
            let columns = vec!["n".to_owned()];
            let cells = [Cell::Text(Bytes::from(text))];
            let _n = Row::new(&columns, &cells).value::<i32>("n", None);
        }
    }
}
