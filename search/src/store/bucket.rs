//! A bucket of Amazon S3, or of whatever speaks its protocol with conditional writes, as an object store.
//!
//! What it has taken is durable. A compare-and-set is a write on the condition of an `ETag`, or of there being nothing; when the answer
//! to one is lost and it is sent again, it may be refused because of itself. So each carries a name of its own, and a refusal looks whose
//! the present object is.

use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{
    Attribute, AttributeValue, Attributes, BackoffConfig, ClientOptions, Error, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions, PutPayload, RetryConfig, UpdateVersion,
};
use std::borrow::Cow;
use std::time::Duration;
use uuid::Uuid;

/// Metadata of an object that names the compare-and-set that wrote it.
const ATTEMPT: Attribute = Attribute::Metadata(Cow::Borrowed("attempt"));

/// A bucket that does not answer is given up so soon: whoever asks tries again, and says so meanwhile.
const RETRIES_MAX: usize = 5;
const RETRY_TIMEOUT: Duration = Duration::from_secs(15);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Bucket {
    objects: PrefixStore<AmazonS3>,
}

impl Bucket {
    pub(super) fn open(bucket: &str, prefix: &str) -> Result<Self, Error> {
        let retry = RetryConfig {
            backoff: BackoffConfig { init_backoff: Duration::from_millis(50), ..BackoffConfig::default() },
            max_retries: RETRIES_MAX,
            retry_timeout: RETRY_TIMEOUT,
        };
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_retry(retry);
        // What the environment says of HTTP is the client's too.
        let endpoint = ["AWS_ENDPOINT", "AWS_ENDPOINT_URL"].into_iter().find_map(|name| std::env::var(name).ok());
        let options = ClientOptions::new().with_timeout(REQUEST_TIMEOUT);
        builder = builder.with_client_options(options);
        if endpoint.is_some_and(|url| url.starts_with("http://")) {
            builder = builder.with_allow_http(true);
        }
        Ok(Self { objects: PrefixStore::new(builder.build()?, prefix) })
    }

    pub(super) fn objects(&self) -> &dyn ObjectStore {
        &self.objects
    }

    pub(super) async fn get_tagged(&self, path: &str) -> Result<Option<(Bytes, Bytes)>, Error> {
        let found = match self.objects.get(&Path::from(path)).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            found => found?,
        };
        let tag = found.meta.e_tag.clone().map(Bytes::from).ok_or_else(|| no_tag(path))?;
        Ok(Some((found.bytes().await?, tag)))
    }

    /// The new tag, or none when the object is not what was expected.
    pub(super) async fn swap(&self, path: &str, expected: Option<&Bytes>, new: Bytes) -> Result<Option<Bytes>, Error> {
        let mode = match expected {
            None => PutMode::Create,
            Some(tag) => {
                let e_tag = Some(String::from_utf8_lossy(tag).into_owned());
                PutMode::Update(UpdateVersion { e_tag, version: None })
            }
        };
        let attempt = AttributeValue::from(Uuid::now_v7().to_string());
        let attributes = Attributes::from_iter([(ATTEMPT, attempt.clone())]);
        let options = PutOptions { mode, attributes, ..PutOptions::default() };
        let put = self.objects.put_opts(&Path::from(path), PutPayload::from_bytes(new), options).await;
        match put {
            Ok(done) => done.e_tag.map(|tag| Some(Bytes::from(tag))).ok_or_else(|| no_tag(path)),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => self.tag_of(path, &attempt).await,
            Err(error) => Err(error),
        }
    }

    /// The present object's tag if this attempt wrote it.
    async fn tag_of(&self, path: &str, attempt: &AttributeValue) -> Result<Option<Bytes>, Error> {
        let found = match self.objects.get(&Path::from(path)).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            found => found?,
        };
        if found.attributes.get(&ATTEMPT) != Some(attempt) {
            return Ok(None);
        }
        found.meta.e_tag.map(|tag| Some(Bytes::from(tag))).ok_or_else(|| no_tag(path))
    }
}

fn no_tag(path: &str) -> Error {
    Error::Generic { store: "S3", source: format!("no ETag came with {path}").into() }
}
