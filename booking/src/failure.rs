//! What went wrong beneath an operation, shared by all the requests of one batch.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// The database, or what it holds, failed an operation. Cheap to clone: one batch's failure answers each of its requests.
#[derive(Clone)]
pub struct Failure(Arc<dyn Error + Send + Sync>);

impl Failure {
    /// Keeps `cause` as the source.
    pub(crate) fn new(cause: impl Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(cause))
    }

    /// What lies beneath it, in words.
    pub(crate) fn cause(&self) -> String {
        let causes = std::iter::successors(self.source(), |error| (*error).source());
        causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }
}

/// A failure as another process is told of it: in words.
pub(crate) mod told {
    use super::Failure;
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Elsewhere(String);

    pub(crate) fn serialize<S: Serializer>(failure: &Failure, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&failure.cause())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Failure, D::Error> {
        String::deserialize(from).map(|cause| Failure::new(Elsewhere(cause)))
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the booking core's database")
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.0.as_ref())
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::new(error)
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::new(error)
    }
}
