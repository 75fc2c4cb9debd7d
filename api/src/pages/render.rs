//! Templates to HTML: one environment, compiled once from the embedded files, escaping everything.

use super::{assets, format};
use crate::app::App;
use crate::problem::Problem;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use rust_embed::RustEmbed;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;

#[derive(RustEmbed)]
#[folder = "templates/"]
struct Templates;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Chainable);
    environment.set_loader(|name| {
        let file = Templates::get(name);
        Ok(file.and_then(|file| String::from_utf8(file.data.into_owned()).ok()))
    });
    // Addresses of our own making need no escaping.
    environment
        .add_function("asset", |source: &str| Value::from_safe_string(assets::address(source).unwrap_or_default()));
    environment.add_function("styles", |source: &str| {
        assets::styles(source).into_iter().map(Value::from_safe_string).collect::<Vec<_>>()
    });
    environment
        .add_function("art", |title: &str, genres: &Value| Value::from_safe_string(format::art_address(title, genres)));
    environment.add_filter("sized", format::sized);
    environment.add_filter("absolute", |address: &str, site: &str| format::absolute(site, address));
    environment.add_filter("parts", format::parts);
    environment.add_filter("money", format::money);
    environment.add_filter("count", format::count);
    environment.add_filter("day", format::day);
    environment.add_filter("full_day", format::full_day);
    environment.add_filter("clock", format::clock);
    environment.add_filter("zoned", format::zoned);
    environment
});

/// What a page may do: use what comes from here, nothing written into it. Pictures may be an organizer's, from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https:; \
    font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Who may keep a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cache {
    /// The same bytes for everyone: a shared cache may answer for a second, and stale while it asks again.
    Public,
    /// Somebody's own.
    Private,
}

/// A page, ready to be sent.
#[derive(Debug)]
pub(super) struct Page {
    status: StatusCode,
    html: String,
    cache: Cache,
}

/// Anything that serializes, as templates see it.
pub(super) fn shown(value: impl Serialize) -> Value {
    Value::from(Serde(value))
}

/// Renders a template. Each has `site` (its address and name) and what `values` adds.
///
/// # Errors
/// 500 when the template fails: ours.
pub(super) fn page(app: &App, name: &str, values: Value) -> Result<Page, Problem> {
    let site = context! { site => context! { url => app.public_url.as_str(), name => "Frontrow" }, ..values };
    let html = ENVIRONMENT.get_template(name).and_then(|template| template.render(site));
    let html = html.map_err(|error| Problem::internal(&error))?;
    Ok(Page { status: StatusCode::OK, html, cache: Cache::Private })
}

impl Page {
    /// Sends it with another status.
    pub(super) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Lets shared caches keep it.
    pub(super) fn public(mut self) -> Self {
        self.cache = Cache::Public;
        self
    }

    /// The answer to a request that may already have this page: 304 when its `If-None-Match` names it.
    pub(super) fn for_request(self, headers: &HeaderMap) -> Response {
        let tag = format!("\"{}\"", crate::hex::encode(&Sha256::digest(self.html.as_bytes()).as_slice()[..12]));
        let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let unchanged =
            known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
        let mut response = if unchanged { StatusCode::NOT_MODIFIED.into_response() } else { self.into_response() };
        // A browser takes a 304's headers over into the page it kept, so this one has to carry the page's policy as well.
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let cache = match self.cache {
            Cache::Public => "public, max-age=0, s-maxage=1, stale-while-revalidate=10",
            Cache::Private => "private, no-store",
        };
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
            (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        ];
        (self.status, headers, self.html).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_compiles() {
        let mut names: Vec<_> = Templates::iter().collect();
        names.sort();
        assert!(names.len() >= 3);
        for name in names {
            ENVIRONMENT.get_template(&name).map(|_| ()).unwrap();
        }
    }
}
