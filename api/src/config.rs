//! The settings: command line over environment over default, checked once at start. The only file that reads the environment.
//!
//! A bad setting names itself and says what is accepted. Secrets never show in `Debug`.

use crate::cli::{Role, ServeArgs};
use crate::limit::{Proxies, Rates};
use crate::mail;
use crate::payment::stripe;
use indexer::Endpoint;
use rand::Rng as _;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Text that never shows in logs.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself, for the one call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What a serving process is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which parts run here.
    pub role: Role,
    /// Where to listen.
    pub addr: SocketAddr,
    /// Directory of everything this process keeps on disk.
    pub data: PathBuf,
    /// Postgres.
    pub database_url: Secret,
    /// The address people type, without a trailing slash; `None` until the port is known.
    pub public_url: Option<String>,
    /// Object store of the index, as a URL.
    pub store: String,
    /// Object store of pictures, as a URL.
    pub images: String,
    /// The address of a CDN in front of `/image/`, without a trailing slash.
    pub cdn_url: Option<String>,
    /// The file of the table of word vectors.
    pub vectors: Vectors,
    /// Redis, by which processes hear of each other's publications; `None` leaves it to polling.
    pub redis: Option<Secret>,
    /// The indexer's replication slot; `None` is named after the database.
    pub slot: Option<String>,
    /// This installation's secret: keys for webhooks and the sandbox portal are derived from it.
    pub secret: Secret,
    /// How much anyone may ask and write.
    pub rates: Rates,
    /// Proxies that are believed about whom they ask for.
    pub proxies: Proxies,
    /// Where mail goes out; `None` sends none.
    pub mail: Option<mail::Settings>,
    /// Stripe, which then takes new payments; `None` leaves them to the built-in sandbox portal.
    pub stripe: Option<stripe::Settings>,
}

/// Where the table of word vectors is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vectors {
    /// In the data directory, if anybody fetched it.
    Usual(PathBuf),
    /// Where `FRONTROW_VECTORS` says, where it has to be.
    Named(PathBuf),
}

impl Vectors {
    /// Where they are for a data directory.
    #[must_use]
    pub fn of(data: &Path) -> Self {
        env("FRONTROW_VECTORS").map_or_else(|| Self::Usual(data.join("vectors")), |path| Self::Named(path.into()))
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Usual(path) | Self::Named(path) => path,
        }
    }
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No database was named.
    #[error("no database: set DATABASE_URL or --database-url to postgres://USER@HOST:PORT/NAME")]
    NoDatabase,
    /// The database's URL is none, or asks for what cannot be done.
    #[error(transparent)]
    Database(#[from] indexer::EndpointError),
    /// A value is not accepted.
    #[error("{name} is {value:?}; accepted is {accepted}")]
    Bad {
        /// The setting.
        name: &'static str,
        /// What it was.
        value: String,
        /// What it may be.
        accepted: &'static str,
    },
    /// The data directory cannot be used.
    #[error("use {path} as the data directory")]
    Data {
        /// The directory or file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// The database's URL from the flag or `DATABASE_URL`.
///
/// # Errors
/// When neither is set, or it is no Postgres URL that can be used.
pub fn database_url(flag: Option<&str>) -> Result<Secret, ConfigError> {
    let url = flag.map(str::to_owned).or_else(|| env("DATABASE_URL")).ok_or(ConfigError::NoDatabase)?;
    Endpoint::parse(&url)?;
    Ok(Secret(url))
}

/// The data directory from the flag or `FRONTROW_DATA`; made when missing.
///
/// # Errors
/// When it cannot be made.
pub fn data_dir(flag: Option<&Path>) -> Result<PathBuf, ConfigError> {
    let path = flag.map(Path::to_owned).or_else(|| env("FRONTROW_DATA").map(PathBuf::from));
    let path = path.unwrap_or_else(|| PathBuf::from("data"));
    std::fs::create_dir_all(&path)
        .and_then(|()| path.canonicalize())
        .map_err(|source| ConfigError::Data { path: path.clone(), source })
}

impl Config {
    /// Reads and checks everything `serve` needs.
    ///
    /// # Errors
    /// Names the first setting that is wrong.
    pub fn load(args: &ServeArgs) -> Result<Self, ConfigError> {
        let addr = args.addr.clone().or_else(|| env("FRONTROW_ADDR")).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
        let resolved = addr.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
        let addr = resolved.ok_or(ConfigError::Bad { name: "FRONTROW_ADDR", value: addr, accepted: "HOST:PORT" })?;
        let data = data_dir(args.data.as_deref())?;
        let public_url = env("FRONTROW_PUBLIC_URL").map(|url| check_site("FRONTROW_PUBLIC_URL", url)).transpose()?;
        let cdn_url = env("FRONTROW_CDN_URL").map(|url| check_site("FRONTROW_CDN_URL", url)).transpose()?;
        let store = env("FRONTROW_STORE").unwrap_or_else(|| format!("file://{}", data.join("store").display()));
        Ok(Self {
            role: args.role,
            addr,
            database_url: database_url(args.database.database_url.as_deref())?,
            public_url,
            images: env("FRONTROW_IMAGES").unwrap_or_else(|| format!("file://{}", data.join("images").display())),
            cdn_url,
            store,
            vectors: Vectors::of(&data),
            redis: env("FRONTROW_REDIS").map(Secret),
            slot: env("FRONTROW_SLOT"),
            secret: secret(&data)?,
            rates: parsed("FRONTROW_LIMITS", RATES_ACCEPTED)?,
            proxies: parsed("FRONTROW_TRUSTED_PROXIES", "addresses and networks, such as 127.0.0.1,10.0.0.0/8")?,
            mail: mail()?,
            stripe: stripe()?,
            data,
        })
    }
}

/// Whether each line of the log is a JSON object: `FRONTROW_LOG=json`.
#[must_use]
pub fn log_is_json() -> bool {
    env("FRONTROW_LOG").is_some_and(|format| format == "json")
}

const RATES_ACCEPTED: &str = "off, or any of search=3000/10s,account=200/10s,address=2000/10s,sign-in=20/60s with numbers of yours, or off for one";

/// A setting's value, or the default of its type.
fn parsed<T: FromStr + Default>(name: &'static str, accepted: &'static str) -> Result<T, ConfigError> {
    let Some(value) = env(name) else { return Ok(T::default()) };
    value.parse().map_err(|_| ConfigError::Bad { name, value, accepted })
}

fn check_site(name: &'static str, url: String) -> Result<String, ConfigError> {
    let accepted = "https://HOST or http://HOST:PORT, without a path";
    let host =
        url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).map(|rest| rest.trim_end_matches('/'));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => {
            Ok(url.trim_end_matches('/').to_owned())
        }
        _ => Err(ConfigError::Bad { name, value: url, accepted }),
    }
}

/// `FRONTROW_SMTP` and who writes; that the server can be one is seen when it is opened.
fn mail() -> Result<Option<mail::Settings>, ConfigError> {
    let accepted = "an address such as Frontrow <tickets@example.org>";
    let sender =
        |value: String| value.parse().map_err(|_| ConfigError::Bad { name: "FRONTROW_MAIL_FROM", value, accepted });
    let from = env("FRONTROW_MAIL_FROM").map(sender).transpose()?;
    Ok(env("FRONTROW_SMTP").map(|url| mail::Settings { url: Secret::new(url), from }))
}

/// `FRONTROW_STRIPE_KEY` and `FRONTROW_STRIPE_WEBHOOK_SECRET`: both, or Stripe takes no payments here.
fn stripe() -> Result<Option<stripe::Settings>, ConfigError> {
    let (key, webhook_key) = (env("FRONTROW_STRIPE_KEY"), env("FRONTROW_STRIPE_WEBHOOK_SECRET"));
    let url = env("FRONTROW_STRIPE_URL").map(|url| check_site("FRONTROW_STRIPE_URL", url)).transpose()?;
    let bad = |name, accepted| ConfigError::Bad { name, value: "…".to_owned(), accepted };
    match (key, webhook_key) {
        (None, None) => Ok(None),
        (Some(key), _) if !key.starts_with("sk_") && !key.starts_with("rk_") => {
            Err(bad("FRONTROW_STRIPE_KEY", "a secret key sk_… or a restricted key rk_…"))
        }
        (Some(key), Some(webhook_key)) if webhook_key.starts_with("whsec_") => Ok(Some(stripe::Settings {
            key: Secret(key),
            webhook_key: Secret(webhook_key),
            url: url.unwrap_or_else(|| "https://api.stripe.com".to_owned()),
        })),
        (Some(_), _) => Err(bad(
            "FRONTROW_STRIPE_WEBHOOK_SECRET",
            "the endpoint's signing secret whsec_…, beside FRONTROW_STRIPE_KEY",
        )),
        (None, Some(_)) => Err(bad("FRONTROW_STRIPE_KEY", "set as well, beside FRONTROW_STRIPE_WEBHOOK_SECRET")),
    }
}

/// `FRONTROW_SECRET`, or one made at the first start and kept in the data directory.
fn secret(data: &Path) -> Result<Secret, ConfigError> {
    if let Some(secret) = env("FRONTROW_SECRET") {
        if secret.len() < 32 {
            let value = "…".to_owned();
            return Err(ConfigError::Bad { name: "FRONTROW_SECRET", value, accepted: "at least 32 characters" });
        }
        return Ok(Secret(secret));
    }
    let path = data.join("secret");
    let kept = keep_secret(&path).map_err(|source| ConfigError::Data { path, source })?;
    Ok(Secret(kept))
}

fn keep_secret(path: &Path) -> std::io::Result<String> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let mut bytes = [0_u8; 32];
            rand::rng().fill_bytes(&mut bytes);
            let secret = crate::hex::encode(&bytes);
            file.write_all(secret.as_bytes())?;
            file.sync_all()?;
            Ok(secret)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            std::fs::read_to_string(path).map(|text| text.trim().to_owned())
        }
        Err(error) => Err(error),
    }
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_shows() {
        assert_eq!(format!("{:?}", Secret::new("hush".into())), "…");
    }

    #[test]
    fn the_secret_outlives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let first = keep_secret(&path).unwrap();
        assert_eq!(first.len(), 64);
        assert_eq!(keep_secret(&path).unwrap(), first);
    }

    #[test]
    fn a_bad_public_url_is_refused() {
        assert!(check_site("FRONTROW_PUBLIC_URL", "frontrow.test".into()).is_err());
        assert!(check_site("FRONTROW_PUBLIC_URL", "https://frontrow.test/app".into()).is_err());
        assert_eq!(
            check_site("FRONTROW_PUBLIC_URL", "https://frontrow.test/".into()).unwrap(),
            "https://frontrow.test"
        );
    }
}
