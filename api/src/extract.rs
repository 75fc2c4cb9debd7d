//! What handlers take from a request, refused as problems: strict JSON, ids in paths, the idempotency key.

use crate::problem::Problem;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::{HeaderMap, StatusCode, header, request::Parts};
use bytes::Bytes;
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::str::FromStr;

/// The largest JSON body: 1 MiB.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// How deep JSON may nest; nothing we accept needs more.
const NESTING_MAX: usize = 32;

/// A JSON body: UTF-8, at most 1 MiB, not nested beyond reason, no unknown field (by `deny_unknown_fields` on `T`), valid by garde.
#[derive(Clone, Debug)]
pub struct Json<T>(pub T);

impl<S, T> FromRequest<S> for Json<T>
where
    S: Send + Sync,
    T: DeserializeOwned + garde::Validate<Context = ()>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = json_body(request, BODY_BYTES_MAX).await?;
        let value: T = parse(&bytes)?;
        value.validate()?;
        Ok(Self(value))
    }
}

/// A JSON body whose every field may be left out, and which may therefore be left out itself.
#[derive(Clone, Debug)]
pub struct JsonOrNothing<T>(pub T);

impl<S, T> FromRequest<S> for JsonOrNothing<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Default + garde::Validate<Context = ()>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let says_json = is_json(request.headers());
        let bytes = body(request, BODY_BYTES_MAX).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        if !says_json {
            return Err(not_json());
        }
        let value: T = parse(&bytes)?;
        value.validate()?;
        Ok(Self(value))
    }
}

fn not_json() -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", "The body must be JSON")
        .detail("send content-type: application/json")
}

/// Reads a whole body that says it is JSON, within the limit.
///
/// # Errors
/// 415 for another content type; 413 when it is larger; 400 when the connection broke.
pub async fn json_body(request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    if !is_json(request.headers()) {
        return Err(not_json());
    }
    body(request, bytes_max).await
}

/// Reads a whole body within the limit.
///
/// # Errors
/// 413 when it is larger; 400 when the connection broke.
pub async fn body(request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    axum::body::to_bytes(request.into_body(), bytes_max).await.map_err(|error| {
        let mut causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
        if causes.any(<dyn std::error::Error>::is::<LengthLimitError>) {
            return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large")
                .with("limit_bytes", json!(bytes_max));
        }
        Problem::new(StatusCode::BAD_REQUEST, "bad-body", "The body could not be read")
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// Parses strict JSON.
///
/// # Errors
/// 400 `bad-json` for what is no JSON; 422 `invalid` for JSON of another shape.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, "bad-json", "The body is not JSON").detail(detail);
    let text = std::str::from_utf8(bytes).map_err(|error| bad(error.to_string()))?;
    if nesting(text) > NESTING_MAX {
        return Err(bad(format!("nested deeper than {NESTING_MAX}")));
    }
    if holds_nul(text) {
        return Err(bad("a string holds U+0000, which no field takes".to_owned()));
    }
    // Serde's structs would take a list of their fields' values too.
    if !text.trim_start().starts_with('{') {
        serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| bad(error.to_string()))?;
        return Err(Problem::invalid("", "the body is an object"));
    }
    serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Problem::invalid(&field_at_fault::<T>(text), error.to_string()),
        _ => bad(error.to_string()),
    })
}

/// Where in a body that is no `T` the fault is, as garde names places: `tiers[0].price`. Only asked of a body that was refused,
/// since keeping track of the place costs more than parsing.
fn field_at_fault<T: DeserializeOwned>(text: &str) -> String {
    let Err(error) = serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_str(text)) else {
        return String::new();
    };
    let path = Some(error.path().to_string()).filter(|path| path != ".").unwrap_or_default();
    let message = error.inner().to_string();
    // A missing field has no place of its own: serde puts it between backticks.
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    match missing {
        Some(field) if path.is_empty() => field.to_owned(),
        Some(field) => format!("{path}.{field}"),
        None => path,
    }
}

/// The deepest bracket, strings aside.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Whether a string writes `\u0000`: Postgres's text cannot hold it.
fn holds_nul(text: &str) -> bool {
    text.match_indices("u0000").any(|(at, _)| {
        let before = text.as_bytes().iter().take(at).rev().take_while(|byte| **byte == b'\\').count();
        before % 2 == 1
    })
}

/// The one id in the path. What is no id names nothing: 404 by the caller's own look-up, or 400 here when it is no UUID.
#[derive(Clone, Copy, Debug)]
pub struct Id<T>(pub T);

impl<S, T> FromRequestParts<S> for Id<T>
where
    S: Send + Sync,
    T: FromStr,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let bad = || Problem::new(StatusCode::BAD_REQUEST, "bad-id", "Not an id").detail("an id is a UUID");
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| bad())?;
        text.parse().map(Self).map_err(|_| bad())
    }
}

/// The one text in the path; what is no UTF-8 names nothing.
#[derive(Clone, Debug)]
pub struct Name(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::not_found("no-such-path", "There is nothing at this path"))?;
        if text.contains('\0') {
            return Err(Problem::not_found("no-such-path", "There is nothing at this path"));
        }
        Ok(Self(text))
    }
}

/// An id in the path, and after it a text.
#[derive(Clone, Debug)]
pub struct IdAndName<T>(pub T, pub String);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for IdAndName<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let nothing = || Problem::not_found("no-such-path", "There is nothing at this path");
        let Path((id, name)) =
            Path::<(String, String)>::from_request_parts(parts, state).await.map_err(|_| nothing())?;
        match id.parse() {
            Ok(id) if !name.contains('\0') => Ok(Self(id, name)),
            Ok(_) => Err(nothing()),
            Err(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "bad-id", "Not an id").detail("an id is a UUID")),
        }
    }
}

/// The `Idempotency-Key` header: 1 to 200 visible ASCII characters.
#[derive(Clone, Debug)]
pub struct IdempotencyKey(pub String);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let key = parts.headers.get("idempotency-key").and_then(|value| value.to_str().ok()).map(str::trim);
        match key {
            Some(key) if (1..=200).contains(&key.len()) => Ok(Self(key.to_owned())),
            _ => Err(Problem::new(StatusCode::BAD_REQUEST, "no-idempotency-key", "An Idempotency-Key is required")
                .detail("send Idempotency-Key: 1 to 200 characters, a new one for each thing you want done")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_strings_do_not_nest() {
        assert_eq!(nesting(r#"{"a":"[[[\"[["}"#), 1);
        assert_eq!(nesting("[[[]],[]]"), 3);
    }

    #[test]
    fn nul_is_seen_behind_an_odd_number_of_backslashes() {
        assert!(holds_nul(r#""a\u0000""#));
        assert!(!holds_nul(r#""a\\u0000""#));
        assert!(holds_nul(r#""\\\u0000""#));
        assert!(!holds_nul(r#""u0000""#));
    }

    #[test]
    fn a_refused_field_is_named_by_its_place() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Body {
            #[expect(dead_code, reason = "only parsed")]
            tiers: Vec<Tier>,
        }
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Tier {
            #[expect(dead_code, reason = "only parsed")]
            price: i64,
        }
        for (body, field) in [
            (r"{}", "tiers"),
            (r#"{"tiers":7}"#, "tiers"),
            (r#"{"tiers":[{"price":1},{"price":"free"}]}"#, "tiers[1].price"),
            (r#"{"tiers":[{"price":1e999}]}"#, ""),
            (r#"{"tiers":[{}]}"#, "tiers[0].price"),
            (r#"{"tiers":[{"price":1,"name":""}]}"#, "tiers[0].name"),
            (r#"{"tiers":[],"color":1}"#, "color"),
        ] {
            let problem = parse::<Body>(body.as_bytes()).unwrap_err();
            assert_eq!(problem.body()["errors"][0]["field"].as_str().unwrap_or_default(), field, "{body}");
        }
    }

    #[test]
    fn a_tower_of_brackets_is_refused_before_parsing() {
        let tower = "[".repeat(100_000);
        let problem = parse::<serde_json::Value>(tower.as_bytes()).unwrap_err();
        assert_eq!((problem.status(), problem.name()), (StatusCode::BAD_REQUEST, "bad-json"));
    }
}
