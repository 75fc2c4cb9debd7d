//! What a catalog write takes and answers beside its body: `If-Match`, `ETag`, `Frontrow-Lsn`.

use crate::database;
use crate::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Response};
use model::Lsn;
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;

/// The response header that names the write's place in the log.
pub const LSN_HEADER: HeaderName = HeaderName::from_static("frontrow-lsn");

/// A row that was written, on its way out.
#[derive(Debug)]
pub struct Written<T> {
    status: StatusCode,
    version: i64,
    lsn: Lsn,
    body: T,
}

impl<T> Written<T> {
    /// To be made right after the commit, on the same connection: its log position is at or after the commit's.
    ///
    /// # Errors
    /// When the database fails; what was committed stays so.
    pub async fn after_commit(
        db: &mut PgConnection,
        status: StatusCode,
        version: i64,
        body: T,
    ) -> Result<Self, Problem> {
        let lsn = database::log_end(db).await?;
        Ok(Self { status, version, lsn, body })
    }
}

impl<T: Serialize> IntoResponse for Written<T> {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(self.body)).into_response();
        let headers = response.headers_mut();
        if let Ok(etag) = HeaderValue::try_from(format!("\"{}\"", self.version)) {
            headers.insert(header::ETAG, etag);
        }
        if let Ok(lsn) = HeaderValue::try_from(self.lsn.to_string()) {
            headers.insert(LSN_HEADER, lsn);
        }
        response
    }
}

/// The versions an `If-Match` accepts. An `ETag` is `"<row version>"`, or `"<row version>.<more>"` where the answer shows more
/// than the row: only the row's version counts for a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// No header, or `*`.
    Any,
    /// One of these.
    Versions(Vec<i64>),
}

impl IfMatch {
    /// Refuses a version the client has not seen.
    ///
    /// # Errors
    /// 412 `version-mismatch` with the present version.
    pub fn check(&self, version: i64) -> Result<(), Problem> {
        match self {
            Self::Versions(seen) if !seen.contains(&version) => {
                Err(Problem::new(StatusCode::PRECONDITION_FAILED, "version-mismatch", "It was changed meanwhile")
                    .detail("read it again and repeat the change with the new ETag")
                    .with("version", json!(version)))
            }
            Self::Versions(_) | Self::Any => Ok(()),
        }
    }

    fn parse(text: &str) -> Self {
        if text.trim() == "*" {
            return Self::Any;
        }
        let version = |tag: &str| {
            let tag = tag.trim().trim_start_matches("W/").trim_matches('"');
            tag.split('.').next().and_then(|version| version.parse().ok())
        };
        Self::Versions(text.split(',').filter_map(version).collect())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(match parts.headers.get(header::IF_MATCH) {
            None => Self::Any,
            Some(value) => Self::parse(value.to_str().unwrap_or_default()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_version_that_was_seen_matches() {
        assert_eq!(IfMatch::parse("*"), IfMatch::Any);
        let seen = IfMatch::parse("\"3\", W/\"4.17\"");
        assert_eq!(seen, IfMatch::Versions(vec![3, 4]));
        assert!(seen.check(4).is_ok());
        assert_eq!(seen.check(5).unwrap_err().status(), StatusCode::PRECONDITION_FAILED);
        assert!(IfMatch::parse("\"rubbish\"").check(1).is_err());
    }
}
