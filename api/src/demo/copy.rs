//! Rows in the text format of COPY, and sending them.

use bytes::Bytes;
use futures::SinkExt as _;
use jiff::Timestamp;
use std::fmt::Write as _;
use tokio_postgres::{Client, Transaction};
use uuid::Uuid;

/// Rows for one table, in the order of its column list.
#[derive(Debug)]
pub(super) struct Rows {
    sql: &'static str,
    text: String,
    column: bool,
}

impl Rows {
    /// No rows yet for `copy … from stdin`.
    pub(super) fn new(sql: &'static str) -> Self {
        Self { sql, text: String::new(), column: false }
    }

    fn tab(&mut self) {
        if std::mem::replace(&mut self.column, true) {
            self.text.push('\t');
        }
    }

    /// A text column.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.tab();
        for c in text.chars() {
            self.escaped(c);
        }
        self
    }

    /// A text column that may be null.
    pub(super) fn optional(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => self.null(),
        }
    }

    /// A null.
    pub(super) fn null(&mut self) -> &mut Self {
        self.tab();
        self.text.push_str("\\N");
        self
    }

    /// A number, an id or an instant: nothing in it needs an escape.
    pub(super) fn plain(&mut self, value: impl Plain + Copy) -> &mut Self {
        self.tab();
        // Writing to a string cannot fail.
        let _written = write!(self.text, "{value}");
        self
    }

    /// A text array.
    pub(super) fn array(&mut self, items: &[&str]) -> &mut Self {
        let quoted: Vec<String> =
            items.iter().map(|item| format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\""))).collect();
        self.text(&format!("{{{}}}", quoted.join(",")))
    }

    /// Bytes.
    pub(super) fn bytea(&mut self, bytes: &[u8]) -> &mut Self {
        self.tab();
        self.text.push_str("\\\\x");
        self.text.push_str(&crate::hex::encode(bytes));
        self
    }

    /// The row is whole.
    pub(super) fn end(&mut self) {
        self.text.push('\n');
        self.column = false;
    }

    fn escaped(&mut self, c: char) {
        match c {
            '\\' => self.text.push_str("\\\\"),
            '\n' => self.text.push_str("\\n"),
            '\r' => self.text.push_str("\\r"),
            '\t' => self.text.push_str("\\t"),
            '\0' => {}
            c => self.text.push(c),
        }
    }

    /// Sends the rows.
    pub(super) async fn send(self, transaction: &Transaction<'_>) -> Result<(), tokio_postgres::Error> {
        if self.text.is_empty() {
            return Ok(());
        }
        let mut sink = Box::pin(transaction.copy_in::<_, Bytes>(self.sql).await?);
        sink.send(Bytes::from(self.text)).await?;
        sink.as_mut().finish().await?;
        Ok(())
    }
}

/// What is written without an escape.
pub(super) trait Plain: std::fmt::Display {}
impl Plain for Uuid {}
impl Plain for Timestamp {}
impl Plain for i64 {}
impl Plain for i32 {}
impl Plain for u32 {}
impl Plain for usize {}
impl Plain for f64 {}

/// Which of `ids` a statement does not find; it selects ids from the array `$1`.
pub(super) async fn missing(client: &Client, sql: &str, ids: &[Uuid]) -> Result<Vec<bool>, tokio_postgres::Error> {
    let found = client.query(sql, &[&ids]).await?;
    let found: std::collections::HashSet<Uuid> = found.iter().map(|row| row.get(0)).collect();
    Ok(ids.iter().map(|id| !found.contains(id)).collect())
}
