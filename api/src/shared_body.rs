//! A JSON body that many get: written once, compressed at most once, tagged, the same bytes for everyone.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
use std::sync::OnceLock;

/// Bodies smaller than this are sent as they are.
const GZIP_MIN_BYTES: usize = 512;

/// The body with its tag.
#[derive(Debug)]
pub struct SharedBody {
    json: Bytes,
    gzip: OnceLock<Option<Bytes>>,
    etag: HeaderValue,
}

impl SharedBody {
    /// Takes a body; `tag` is the whole `ETag` with its quotes. A tag that is no header value gives an empty one.
    #[must_use]
    pub fn new(json: impl Into<Bytes>, tag: &str) -> Self {
        let etag = HeaderValue::try_from(tag).unwrap_or_else(|_| HeaderValue::from_static("W/\"\""));
        Self { json: json.into(), gzip: OnceLock::new(), etag }
    }

    /// Compresses now, where that may take its time.
    #[must_use]
    pub fn compressed(self) -> Self {
        self.gzip.get_or_init(|| compress(&self.json));
        self
    }

    /// The body as it was written.
    #[must_use]
    pub fn json(&self) -> &Bytes {
        &self.json
    }

    /// Its tag.
    #[must_use]
    pub fn etag(&self) -> &HeaderValue {
        &self.etag
    }

    /// The body, compressed where that is taken, or 304 when the client has it.
    #[must_use]
    pub fn respond(&self, headers: &HeaderMap, cache_control: &'static str) -> Response {
        let fixed = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::CACHE_CONTROL, HeaderValue::from_static(cache_control)),
            (header::VARY, HeaderValue::from_static("accept-encoding")),
            (header::ETAG, self.etag.clone()),
        ];
        let seen = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        if seen.flat_map(|tags| tags.split(',')).any(|tag| self.is_tagged(tag.trim())) {
            return (StatusCode::NOT_MODIFIED, fixed).into_response();
        }
        let gzip = takes_gzip(headers).then(|| self.gzip.get_or_init(|| compress(&self.json)).as_ref()).flatten();
        match gzip {
            Some(gzip) => (fixed, [(header::CONTENT_ENCODING, "gzip")], Bytes::clone(gzip)).into_response(),
            None => (fixed, Bytes::clone(&self.json)).into_response(),
        }
    }

    /// Compares as RFC 9110 does for `If-None-Match`: weakly.
    fn is_tagged(&self, tag: &str) -> bool {
        let opaque = |tag: &str| tag.trim_start_matches("W/").to_owned();
        tag == "*" || self.etag.to_str().is_ok_and(|own| opaque(own) == opaque(tag))
    }
}

fn compress(json: &[u8]) -> Option<Bytes> {
    if json.len() < GZIP_MIN_BYTES {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(json.len() / 4), Compression::new(4));
    encoder.write_all(json).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    codings.flat_map(|list| list.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        parts.next() == Some("gzip") && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn asked(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[tokio::test]
    async fn who_takes_gzip_gets_the_same_body_compressed() {
        let body = SharedBody::new("[1,2]".repeat(1000), "\"1\"");
        let response = body.respond(&asked(header::ACCEPT_ENCODING, "br;q=1, gzip"), "no-cache");
        assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let mut plain = String::new();
        flate2::read::GzDecoder::new(bytes.as_ref()).read_to_string(&mut plain).unwrap();
        assert_eq!(plain.as_bytes(), body.json());
        let refused = body.respond(&asked(header::ACCEPT_ENCODING, "gzip;q=0"), "no-cache");
        assert!(!refused.headers().contains_key(header::CONTENT_ENCODING));
    }

    #[test]
    fn a_tag_that_was_seen_is_not_modified() {
        let body = SharedBody::new("{}", "W/\"3.ab\"");
        let status = |tags| body.respond(&asked(header::IF_NONE_MATCH, tags), "no-cache").status();
        assert_eq!(status("\"x\", W/\"3.ab\""), StatusCode::NOT_MODIFIED);
        assert_eq!(status("\"3.ab\""), StatusCode::NOT_MODIFIED);
        assert_eq!(status("\"3\""), StatusCode::OK);
    }
}
