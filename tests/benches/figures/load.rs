//! A closed-loop HTTP/1.1 load generator over kept-alive connections, small enough not to be what is measured.
//!
//! Each connection sends its next request when the last answer is read whole, or when its time has come at a given rate; then
//! latency counts from that time, whether a connection was free or not. Answers must carry Content-Length.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Makes the n-th request of the run, whole (head and body), or `None` to stop.
pub(crate) type Requests = Arc<dyn Fn(u64) -> Option<Vec<u8>> + Send + Sync>;

/// What a run saw.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Answers by status.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// Each answer's latency, sorted.
    pub(crate) latencies: Vec<Duration>,
    /// Wall time from the first request to the last answer.
    pub(crate) elapsed: Duration,
}

impl Outcome {
    /// Answers of a status per second.
    pub(crate) fn per_s(&self, status: u16) -> f64 {
        let count = self.statuses.get(&status).copied().unwrap_or(0);
        count as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that a share of the answers (0 to 1) did not exceed, in milliseconds.
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        super::quantile_ms(&self.latencies, share)
    }
}

/// Runs `connections` closed loops for at most `limit`.
pub(crate) async fn run(
    addr: SocketAddr,
    connections: usize,
    limit: Duration,
    requests: Requests,
) -> anyhow::Result<Outcome> {
    drive(addr, (connections, None), limit, requests).await
}

/// Runs so many requests per second on as many connections for at most `limit`.
pub(crate) async fn paced(
    addr: SocketAddr,
    (connections, per_s): (usize, f64),
    limit: Duration,
    requests: Requests,
) -> anyhow::Result<Outcome> {
    drive(addr, (connections, Some(per_s)), limit, requests).await
}

async fn drive(
    addr: SocketAddr,
    (connections, per_s): (usize, Option<f64>),
    limit: Duration,
    requests: Requests,
) -> anyhow::Result<Outcome> {
    let start = Instant::now();
    let course = Arc::new(Course { counter: AtomicU64::new(0), start, end: start + limit, per_s, requests });
    let loops: Vec<_> = (0..connections).map(|_| tokio::spawn(connection(addr, Arc::clone(&course)))).collect();
    let mut whole = Outcome::default();
    for one in loops {
        let part = one.await??;
        for (status, count) in part.statuses {
            *whole.statuses.entry(status).or_default() += count;
        }
        whole.latencies.extend(part.latencies);
    }
    whole.elapsed = start.elapsed();
    whole.latencies.sort_unstable();
    Ok(whole)
}

/// What the connections of a run share.
struct Course {
    counter: AtomicU64,
    start: Instant,
    end: Instant,
    per_s: Option<f64>,
    requests: Requests,
}

impl Course {
    /// The next request, and when it is due.
    fn next(&self) -> Option<(Vec<u8>, Instant)> {
        let n = self.counter.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let due = self.per_s.map_or(now, |per_s| self.start + Duration::from_secs_f64(n as f64 / per_s));
        (now < self.end && due < self.end).then(|| (self.requests)(n)).flatten().map(|request| (request, due))
    }
}

async fn connection(addr: SocketAddr, course: Arc<Course>) -> anyhow::Result<Outcome> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(64 * 1024);
    let mut outcome = Outcome::default();
    while let Some((request, due)) = course.next() {
        if course.per_s.is_some() {
            tokio::time::sleep_until(due.into()).await;
        }
        stream.write_all(&request).await?;
        let (status, _) = read_answer(&mut stream, &mut buffer).await?;
        outcome.latencies.push(due.elapsed());
        *outcome.statuses.entry(status).or_default() += 1;
    }
    Ok(outcome)
}

/// Reads one whole answer: its status and body. The buffer is left empty.
pub(crate) async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<(u16, Vec<u8>)> {
    buffer.clear();
    loop {
        if let Some(head) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            let text = std::str::from_utf8(&buffer[..head])?;
            let mut lines = text.split("\r\n");
            let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or("0").parse()?;
            let length: usize = lines
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(Ok(0), |(_, value)| value.trim().parse())?;
            while buffer.len() < head + 4 + length {
                anyhow::ensure!(stream.read_buf(buffer).await? > 0, "the server closed the connection");
            }
            return Ok((status, buffer.split_off(head + 4)));
        }
        anyhow::ensure!(stream.read_buf(buffer).await? > 0, "the server closed the connection");
    }
}

/// A GET request's bytes.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

/// A POST request's bytes with a JSON body, a bearer token and an idempotency key.
pub(crate) fn post(path: &str, token: &str, key: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
