//! `indexer status` for people: aligned columns, one fact a line.

use indexer::Status;
use std::fmt::Write as _;

/// The whole of it as text.
pub(crate) fn of(status: &Status) -> String {
    let mut text = lines(&facts(status));
    if !status.points.is_empty() {
        let rows = status
            .points
            .iter()
            .map(|point| vec![point.generation.to_string(), point.seq.to_string(), format!("{:.0}", point.at)]);
        text += "\ncan be rolled back to\n";
        text += &lines(&with_header(&["generation", "publication", "at"], rows));
    }
    if !status.replicas.is_empty() {
        let rows = status.replicas.iter().map(|replica| {
            let there = &replica.presence;
            let ready = if there.ready { "ready" } else { "not ready" };
            vec![
                there.host.clone(),
                there.pid.to_string(),
                there.generation.to_string(),
                there.seq.to_string(),
                there.lsn.to_string(),
                ready.to_owned(),
                format!("{} ms ago", replica.age_ms),
            ]
        });
        let header = ["replica", "process", "generation", "publication", "position", "state", "seen"];
        text += "\n";
        text += &lines(&with_header(&header, rows));
    }
    text
}

fn facts(status: &Status) -> Vec<Vec<String>> {
    let fact = |name: &str, value: String| vec![name.to_owned(), value];
    let mut facts = vec![fact("slot", format!("{} ({})", status.slot, status.slot_state))];
    if let (Some(lag_bytes), Some(confirmed)) = (status.lag_bytes, status.confirmed) {
        let durable = status.lag_ms.map_or_else(String::new, |ms| format!(", {ms:.0} ms from commit to durable"));
        facts.push(fact("lag", format!("{lag_bytes} bytes after {confirmed}{durable}")));
    }
    if let Some(slot) = &status.reindexing {
        facts.push(fact("reindex", format!("under way, or to be taken up, at {slot}")));
    }
    match &status.index {
        None => facts.push(fact("index", "none".to_owned())),
        Some(index) => {
            facts.push(fact("generation", format!("{} (epoch {})", index.generation, index.epoch)));
            facts.push(fact("publication", format!("{} at {}", index.seq, index.lsn)));
            facts.push(fact("segments", index.segments.to_string()));
            facts.push(fact("documents", index.documents.to_string()));
            facts.push(fact("size", format!("{} bytes", index.bytes)));
        }
    }
    facts
}

fn with_header(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Vec<Vec<String>> {
    let header = header.iter().map(|&name| name.to_owned()).collect();
    std::iter::once(header).chain(rows).collect()
}

/// Columns as wide as their widest cell, two spaces apart.
fn lines(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|row| Some(row.get(column)?.chars().count())).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            if write!(line, "{cell:<width$}  ").is_err() {
                return text;
            }
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use indexer::{IndexStatus, ReplicaStatus};
    use model::Lsn;
    use search::presence::Presence;

    #[test]
    fn columns_are_aligned() {
        let replica = |host: &str, seq| ReplicaStatus {
            presence: Presence { host: host.into(), pid: 7, generation: 2, seq, lsn: Lsn(0x20), ready: seq > 9 },
            age_ms: 40,
        };
        let status = Status {
            slot: "frontrow_shop".into(),
            slot_state: "streaming",
            lag_bytes: Some(16),
            lag_ms: Some(31.4),
            confirmed: Some(Lsn(0x10)),
            reindexing: None,
            index: Some(IndexStatus {
                generation: 2,
                seq: 10,
                epoch: 3,
                lsn: Lsn(0x20),
                segments: 4,
                documents: 90,
                bytes: 1_000,
            }),
            points: Vec::new(),
            replicas: vec![replica("a", 10), replica("machine-b", 9)],
        };
        let expected = "\
slot         frontrow_shop (streaming)
lag          16 bytes after 0/10, 31 ms from commit to durable
generation   2 (epoch 3)
publication  10 at 0/20
segments     4
documents    90
size         1000 bytes

replica    process  generation  publication  position  state      seen
a          7        2           10           0/20      ready      40 ms ago
machine-b  7        2           9            0/20      not ready  40 ms ago
";
        assert_eq!(of(&status), expected);
    }
}
