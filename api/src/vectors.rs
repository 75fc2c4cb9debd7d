//! The table of word vectors: `frontrow vectors fetch` brings it, `serve` opens it.
//!
//! Nothing of it is part of this program or its repository: the package's file is named by its SHA-256, and what comes is converted to the
//! search's own form, licence and all. Without the table searches go by words alone.

mod wheel;

use crate::cli::FetchArgs;
use crate::config::Vectors;
use crate::{config, console};
use anyhow::Context as _;
use reqwest::{Client, Url};
use search::vectors::{Table, TableError};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The package's page in the Python Package Index's JSON form (PEP 691).
const PAGE: &str = "https://pypi.org/simple/wordllama/";
const PAGE_FORM: &str = "application/vnd.pypi.simple.v1+json";
/// The file taken, of release 0.4.0.post1: numbers and vocabulary are the same in all of the release's wheels.
const SHA256: &str = "42c2c88907ace0b0681ac6f9092d6a300a6409a5d2d61071a3fb5e7159370c97";
/// More than the file has.
const WHEEL_BYTES_MAX: usize = 64 << 20;
const FETCH_MAX: Duration = Duration::from_mins(5);

/// The package could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It did not come over the network.
    #[error(
        "fetch the package; on a machine without a network give a wheel of it: frontrow vectors fetch --wheel FILE"
    )]
    Network(#[from] reqwest::Error),
    /// Its page names the file no more.
    #[error("the package's page {PAGE} has no file with SHA-256 {SHA256}")]
    Gone,
    /// Its page gives an address that is none.
    #[error("the package's page {PAGE} gives {url:?} as an address")]
    Address {
        /// What it gives.
        url: String,
    },
    /// What came is something else.
    #[error("what came from {url} has another SHA-256 than {SHA256}; nothing of it was used")]
    Other {
        /// From where.
        url: Url,
    },
    /// A given wheel cannot be read.
    #[error("read {path}")]
    Wheel {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Opens the table for a process that serves; none when nobody fetched it, which the log says.
///
/// # Errors
/// When there is a file that is no table, or a named one is missing.
pub fn open(vectors: &Vectors) -> anyhow::Result<Option<Arc<Table>>> {
    let path = vectors.path().display();
    match (Table::open(vectors.path()), vectors) {
        (Ok(table), _) => {
            tracing::info!(%path, "searches find what was meant, too, by {}", table.origin().name);
            Ok(Some(Arc::new(table)))
        }
        (Err(TableError::Io(error)), Vectors::Usual(_)) if error.kind() == std::io::ErrorKind::NotFound => {
            tracing::info!(%path, "no table of word vectors: searches go by words alone; one comes by: frontrow vectors fetch");
            Ok(None)
        }
        (Err(error), _) => Err(anyhow::Error::new(error).context(format!("open {path}"))),
    }
}

/// Fetches the table, or takes it out of a given wheel, and puts it where [`open`] looks; says where it is from and its licence.
///
/// # Errors
/// A sentence that says what to do.
pub async fn fetch(args: &FetchArgs) -> anyhow::Result<()> {
    let vectors = Vectors::of(&config::data_dir(args.data.as_deref())?);
    let (bytes, source) = match &args.wheel {
        Some(path) => {
            let read = std::fs::read(path);
            (read.map_err(|source| FetchError::Wheel { path: path.clone(), source })?, path.display().to_string())
        }
        None => download().await?,
    };
    let table = wheel::table(&bytes, source).context("take the table out of the wheel")?;
    table.write(vectors.path()).with_context(|| format!("write {}", vectors.path().display()))?;
    let origin = table.origin();
    console::say(&format!("{} from {}, under this licence:\n\n{}", origin.name, origin.source, origin.licence.trim()));
    console::say(&format!("\nwritten to {}; a server takes it when it starts", vectors.path().display()));
    Ok(())
}

/// The package's one file, checked, and its address.
async fn download() -> Result<(Vec<u8>, String), FetchError> {
    #[derive(Deserialize)]
    struct Page {
        files: Vec<File>,
    }
    #[derive(Deserialize)]
    struct File {
        url: String,
        hashes: Hashes,
    }
    #[derive(Deserialize)]
    struct Hashes {
        sha256: Option<String>,
    }
    let client = Client::builder().timeout(FETCH_MAX).build()?;
    let page = client.get(PAGE).header("accept", PAGE_FORM).send().await?.error_for_status()?;
    let base = page.url().clone();
    let Page { files } = page.json().await?;
    let file = files.into_iter().find(|file| file.hashes.sha256.as_deref() == Some(SHA256)).ok_or(FetchError::Gone)?;
    let url = base.join(&file.url).map_err(|_| FetchError::Address { url: file.url })?;
    let mut answer = client.get(url.clone()).send().await?.error_for_status()?;
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await?.filter(|chunk| bytes.len() + chunk.len() <= WHEEL_BYTES_MAX) {
        bytes.extend(chunk);
    }
    if crate::hex::encode(&Sha256::digest(&bytes)) == SHA256 {
        Ok((bytes, url.to_string()))
    } else {
        Err(FetchError::Other { url })
    }
}
