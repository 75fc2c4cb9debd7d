//! One table's rows out of `COPY … TO STDOUT` in text format (Postgres's manual, "COPY", File Formats), a few batches ahead of their reader.

use crate::row::Table;
use crate::source::Connection;
use crate::wal::{Cell, Tuple};
use bytes::{BufMut, Bytes, BytesMut};
use futures::StreamExt;
use memchr::{memchr, memchr_iter};
use std::pin::pin;
use std::vec;
use tokio::sync::mpsc;

const BATCH_LINES: usize = 512;
const BATCHES_AHEAD: usize = 4;

/// A table could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// Postgres failed.
    #[error("read from Postgres")]
    Postgres(#[from] tokio_postgres::Error),
    /// A line is not of the format.
    #[error("a line of COPY has an unknown form")]
    Format,
}

/// A table's rows in key order.
pub(crate) struct Lines {
    columns: Vec<String>,
    batches: mpsc::Receiver<Result<Vec<Bytes>, tokio_postgres::Error>>,
    batch: vec::IntoIter<Bytes>,
}

impl Lines {
    /// Begins the copy within the connection's transaction. It ends with its reader.
    pub(crate) async fn open(connection: Connection, table: Table) -> Result<Self, LinesError> {
        let columns = table.columns();
        let keys = match table {
            Table::EventArtist | Table::EventPresale => "event_id, position",
            Table::EventTier => "event_id, tier",
            Table::Venue => "venue_id",
            Table::Artist => "artist_id",
            Table::Synonym => "synonym_id",
            Table::Event | Table::Availability => "event_id",
            Table::SavedSearch => "search_id",
        };
        let list = columns.join(", ");
        let sql = format!("copy (select {list} from public.{} order by {keys}) to stdout", table.name());
        let stream = connection.client.copy_out(&sql).await?;
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        tokio::spawn(async move {
            // The connection lives as long as its stream.
            let _connection = connection;
            let mut chunks = pin!(stream.ready_chunks(BATCH_LINES));
            while let Some(chunk) = chunks.next().await {
                if sender.send(chunk.into_iter().collect()).await.is_err() {
                    return;
                }
            }
        });
        let columns = columns.iter().map(|&name| name.to_owned()).collect();
        Ok(Self { columns, batches, batch: Vec::new().into_iter() })
    }

    /// The names of the columns, in the order of the tuples.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Replaces `row` by the next one; false when there is none. Blocking; not for an async task.
    pub(crate) fn next_into(&mut self, row: &mut Tuple) -> Result<bool, LinesError> {
        loop {
            if let Some(line) = self.batch.next() {
                parse(&line, row)?;
                return if row.len() == self.columns.len() { Ok(true) } else { Err(LinesError::Format) };
            }
            match self.batches.blocking_recv() {
                Some(batch) => self.batch = batch?.into_iter(),
                None => return Ok(false),
            }
        }
    }
}

fn parse(line: &Bytes, row: &mut Tuple) -> Result<(), LinesError> {
    row.clear();
    let end = line.len() - usize::from(line.ends_with(b"\n"));
    let mut start = 0;
    for at in memchr_iter(b'\t', line).chain([end]) {
        let field = line.slice(start..at);
        start = at + 1;
        row.push(match field.as_ref() {
            b"\\N" => Cell::Null,
            escaped if memchr(b'\\', escaped).is_some() => Cell::Text(unescape(escaped)?),
            _ => Cell::Text(field),
        });
    }
    Ok(())
}

/// `COPY` itself writes only these escapes.
fn unescape(field: &[u8]) -> Result<Bytes, LinesError> {
    let mut out = BytesMut::with_capacity(field.len());
    let mut bytes = field.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'\\' {
            out.put_u8(byte);
            continue;
        }
        out.put_u8(match bytes.next().ok_or(LinesError::Format)? {
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 11,
            b'f' => 12,
            b'r' => b'\r',
            &other => other,
        });
    }
    Ok(out.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_and_unescaped() {
        let text = |text: &'static str| Cell::Text(Bytes::from_static(text.as_bytes()));
        let mut row = vec![Cell::Unchanged];
        parse(&Bytes::from_static(b"a\t\\N\tb\\tc\\\\N\\n\t\n"), &mut row).unwrap();
        assert_eq!(row, [text("a"), Cell::Null, text("b\tc\\N\n"), text("")]);
        assert!(matches!(parse(&Bytes::from_static(b"a\\\n"), &mut row), Err(LinesError::Format)));
    }
}
