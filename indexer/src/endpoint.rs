//! How Postgres is reached by all who speak to it over tokio-postgres or the replication protocol: a URL, read once, TLS included.
//!
//! `sslmode` means what libpq says it means: `prefer` (the default) and `require` trust any certificate, `verify-ca` wants one signed
//! by an authority of the file `sslrootcert` (the public ones without it), `verify-full` wants the host's name in it as well.
//! Invariant: every connection of a process is encrypted and checked as its URL says; sqlx reads the same two parameters.

use pgwire_replication::{SslMode, TlsConfig};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::path::PathBuf;
use std::sync::Arc;
use tokio_postgres::Config;
use tokio_postgres::config::Host;
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

/// `DATABASE_URL` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// Not a URL, or one without a host or user.
    #[error("DATABASE_URL is not a Postgres URL with a host and a user; it looks like postgres://USER@HOST:PORT/NAME")]
    Url(#[source] Option<tokio_postgres::Error>),
    /// An unknown way of using TLS.
    #[error("DATABASE_URL has sslmode={found}; accepted are disable, prefer, require, verify-ca and verify-full")]
    Mode {
        /// What it says.
        found: String,
    },
    /// The authorities' file is not one.
    #[error("DATABASE_URL names {} as sslrootcert, which holds no readable PEM certificates", file.display())]
    Roots {
        /// The file.
        file: PathBuf,
    },
    /// Certificates cannot be checked.
    #[error("prepare TLS to Postgres")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Where Postgres is, who asks, and how the way there is protected. Holds a password: it is not shown.
#[derive(Clone)]
pub struct Endpoint {
    /// For ordinary connections.
    pub config: Config,
    /// Encrypts them when `config` asks for it.
    pub tls: MakeRustlsConnect,
    /// The same for the replication session.
    pub(crate) replication: TlsConfig,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint")
            .field("place", &self.place())
            .field("tls", &self.replication.mode)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Reads a Postgres URL.
    ///
    /// # Errors
    /// When it is none, or what it says of TLS cannot be done.
    pub fn parse(database_url: &str) -> Result<Self, EndpointError> {
        // Those who take the process's own (sqlx is one) panic where there is none or two to choose from. Installed once, whoever came first.
        ring::default_provider().install_default().ok();
        let mut url = Url::parse(database_url).map_err(|_| EndpointError::Url(None))?;
        let (mut mode, mut roots, mut rest) = (SslMode::Prefer, None, Vec::new());
        for (name, value) in url.query_pairs() {
            match &*name {
                "sslmode" => mode = ssl_mode(&value)?,
                "sslrootcert" => roots = Some(PathBuf::from(&*value)),
                _ => rest.push((name.into_owned(), value.into_owned())),
            }
        }
        url.set_query(None);
        if !rest.is_empty() {
            url.query_pairs_mut().extend_pairs(rest);
        }
        let mut config: Config = url.as_str().parse().map_err(|error| EndpointError::Url(Some(error)))?;
        if config.get_user().is_none() || config.get_hosts().is_empty() {
            return Err(EndpointError::Url(None));
        }
        config.ssl_mode(match mode {
            SslMode::Disable => tokio_postgres::config::SslMode::Disable,
            SslMode::Prefer => tokio_postgres::config::SslMode::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => tokio_postgres::config::SslMode::Require,
        });
        let tls = MakeRustlsConnect::new(client(mode, roots.clone())?);
        let mut endpoint = Self { config, tls, replication: TlsConfig::default() };
        let local = matches!(endpoint.config.get_hosts().first(), Some(Host::Unix(_)));
        endpoint.replication = TlsConfig {
            mode: if local { SslMode::Disable } else { mode },
            ca_pem_path: roots,
            sni_hostname: Some(endpoint.host()),
            ..TlsConfig::default()
        };
        Ok(endpoint)
    }

    /// The database's name: its user's, when the URL names none.
    pub(crate) fn database(&self) -> &str {
        self.config.get_dbname().or_else(|| self.config.get_user()).unwrap_or_default()
    }

    pub(crate) fn host(&self) -> String {
        match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            Some(Host::Unix(folder)) => folder.display().to_string(),
            None => String::new(),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.config.get_ports().first().copied().unwrap_or(5432)
    }

    /// Host and port, for sentences.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.host(), self.port())
    }
}

fn ssl_mode(text: &str) -> Result<SslMode, EndpointError> {
    match text {
        "disable" => Ok(SslMode::Disable),
        "prefer" => Ok(SslMode::Prefer),
        "require" => Ok(SslMode::Require),
        "verify-ca" => Ok(SslMode::VerifyCa),
        "verify-full" => Ok(SslMode::VerifyFull),
        _ => Err(EndpointError::Mode { found: text.to_owned() }),
    }
}

/// The client's half of a handshake that checks what the mode says.
fn client(mode: SslMode, roots: Option<PathBuf>) -> Result<ClientConfig, EndpointError> {
    let provider = Arc::new(ring::default_provider());
    let checked = match mode {
        SslMode::Disable | SslMode::Prefer | SslMode::Require => None,
        SslMode::VerifyCa | SslMode::VerifyFull => {
            let roots = Arc::new(authorities(roots)?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
            Some(verifier.map_err(|error| EndpointError::Tls(error.into()))?)
        }
    };
    let verifier = Verifier { chain: checked, named: matches!(mode, SslMode::VerifyFull), provider };
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&verifier.provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| EndpointError::Tls(error.into()))?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

fn authorities(file: Option<PathBuf>) -> Result<RootCertStore, EndpointError> {
    let Some(file) = file else {
        return Ok(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect());
    };
    let certificates = CertificateDer::pem_file_iter(&file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut roots = RootCertStore::empty();
    match certificates.map(|certificates| roots.add_parsable_certificates(certificates)) {
        Ok((1.., _)) => Ok(roots),
        Ok(_) | Err(_) => Err(EndpointError::Roots { file }),
    }
}

/// Checks a server's certificate as far as the URL's `sslmode` asks.
#[derive(Debug)]
struct Verifier {
    /// Checks the chain of signatures and the name; `None` trusts everyone, as libpq does in the modes below `verify-ca`.
    chain: Option<Arc<WebPkiServerVerifier>>,
    /// Whether the name counts.
    named: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.named => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_keeps_its_other_parameters_and_its_password_to_itself() {
        let url = "postgres://me:s%40cret@db.example:6432/shop?sslmode=require&connect_timeout=5";
        let endpoint = Endpoint::parse(url).unwrap();
        assert_eq!(endpoint.config.get_password(), Some(&b"s@cret"[..]));
        assert_eq!(endpoint.config.get_connect_timeout(), Some(&std::time::Duration::from_secs(5)));
        assert_eq!(endpoint.config.get_ssl_mode(), tokio_postgres::config::SslMode::Require);
        assert_eq!(endpoint.replication.mode, SslMode::Require);
        assert_eq!(format!("{endpoint:?}"), r#"Endpoint { place: "db.example:6432", tls: Require, .. }"#);
    }

    #[test]
    fn what_cannot_be_done_is_refused_in_a_sentence() {
        for (url, sentence) in [
            ("shop", "looks like postgres://"),
            ("postgres:///shop", "with a host and a user"),
            ("postgres://me@db/shop?sslmode=always", "sslmode=always; accepted are disable"),
            ("postgres://me@db/shop?sslmode=verify-ca&sslrootcert=/nowhere/ca.pem", "/nowhere/ca.pem as sslrootcert"),
        ] {
            let refused = Endpoint::parse(url).unwrap_err().to_string();
            assert!(refused.contains(sentence), "{url}: {refused}");
        }
    }
}
