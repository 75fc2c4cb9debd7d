//! The built files of `web/dist`, embedded: their names carry their content's hash, so a browser keeps them for ever.

use crate::problem::Problem;
use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

#[derive(RustEmbed)]
#[folder = "web/dist/"]
struct Dist;

/// One entry of the manifest the build writes.
#[derive(Deserialize)]
struct Chunk {
    file: String,
    #[serde(default)]
    css: Vec<String>,
}

static MANIFEST: LazyLock<HashMap<String, Chunk>> = LazyLock::new(|| {
    let file = Dist::get("manifest.json").map(|file| file.data).unwrap_or_default();
    serde_json::from_slice(&file).unwrap_or_default()
});

/// The address of what the build made of a source file; `None` for a file it did not see.
pub(super) fn address(source: &str) -> Option<String> {
    MANIFEST.get(source).map(|chunk| format!("/assets/{}", chunk.file))
}

/// The style sheets that a script entry brings.
pub(super) fn styles(source: &str) -> Vec<String> {
    let chunk = MANIFEST.get(source);
    chunk.map(|chunk| chunk.css.iter().map(|name| format!("/assets/{name}")).collect()).unwrap_or_default()
}

/// `GET /assets/{name}`.
pub(super) async fn serve(Path(name): Path<String>) -> Result<Response, Problem> {
    let file = Dist::get(&name).ok_or_else(no_such_asset)?;
    Ok(answer(&name, file, "public, max-age=31536000, immutable"))
}

/// What the build made of a source file, under an address that stays: asked for anew each time.
pub(super) fn fresh(source: &str) -> Result<Response, Problem> {
    let name = MANIFEST.get(source).map(|chunk| chunk.file.as_str()).unwrap_or_default();
    let file = Dist::get(name).ok_or_else(no_such_asset)?;
    Ok(answer(name, file, "no-cache"))
}

fn no_such_asset() -> Problem {
    Problem::not_found("no-such-asset", "There is no such file")
}

/// `GET /favicon.ico`: browsers take an SVG here too.
pub(super) async fn favicon() -> Result<Response, Problem> {
    let file = Dist::get("mark.svg").ok_or_else(no_such_asset)?;
    Ok(answer("mark.svg", file, "public, max-age=86400"))
}

/// `GET /robots.txt`: concerts are public, people's own pages are not.
pub(super) async fn robots() -> &'static str {
    "User-agent: *\nDisallow: /account\nDisallow: /door/\nDisallow: /orders/\nDisallow: /tickets\nDisallow: /sandbox/\n"
}

fn answer(name: &str, file: EmbeddedFile, cache: &'static str) -> Response {
    let bytes = match file.data {
        Cow::Borrowed(bytes) => bytes::Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type(name))),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
    ];
    (headers, bytes).into_response()
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_was_built_and_is_embedded() {
        for source in ["src/site.ts", "src/search.tsx", "src/event.tsx", "src/order.tsx", "src/account.ts"] {
            let address = address(source).unwrap();
            let name = address.strip_prefix("/assets/").unwrap();
            assert!(Dist::get(name).is_some(), "{source}");
        }
        assert_eq!(styles("src/site.ts").len(), 1);
        assert_eq!(address("src/nothing.ts"), None);
    }
}
