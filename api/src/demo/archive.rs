//! The embedded archive, as it was published: one programme a line. Nothing is interpreted here.

use flate2::read::GzDecoder;
use serde::Deserialize;
use std::io::{self, BufRead, BufReader};

static CONCERTS: &[u8] = include_bytes!("../../data/concerts.jsonl.gz");

/// One programme and the evenings it was given.
#[derive(Debug, Deserialize)]
pub(super) struct Record {
    pub(super) program: String,
    pub(super) orchestra: String,
    pub(super) concerts: Vec<Concert>,
    pub(super) works: Vec<Work>,
}

/// One evening.
#[derive(Debug, Deserialize)]
pub(super) struct Concert {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) venue: Option<String>,
    pub(super) local_date: jiff::civil::Date,
    pub(super) local_time: Option<String>,
    pub(super) city: Option<String>,
    pub(super) district: Option<String>,
    pub(super) region: Option<String>,
    pub(super) country: Option<String>,
    pub(super) lat: Option<f64>,
    pub(super) lon: Option<f64>,
    pub(super) tz: Option<String>,
}

/// One piece, or one movement of it.
#[derive(Debug, Deserialize)]
pub(super) struct Work {
    pub(super) composer: String,
    pub(super) title: String,
    pub(super) movement: Option<String>,
    pub(super) conductor: Option<String>,
    /// Name and instrument or voice; some entries lack one of them.
    #[serde(default)]
    pub(super) soloists: Vec<(Option<String>, Option<String>)>,
}

/// All programmes, in the archive's order.
pub(super) fn read() -> io::Result<Vec<Record>> {
    let lines = BufReader::new(GzDecoder::new(CONCERTS)).lines();
    lines.map(|line| serde_json::from_str(&line?).map_err(io::Error::from)).collect()
}
