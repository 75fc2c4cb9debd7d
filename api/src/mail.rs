//! Mail to people, through SMTP: what their saved searches have found, and seats they waited for. Off unless `FRONTROW_SMTP` names a server.
//!
//! The table of matches is the outbox. A match stands in one mail, a mail is sent once: its row is leased before and marked after, and
//! its `Message-ID` is the same at every try, so that even a crash between the server's word and ours shows one mail.

mod letter;
mod offers;
mod table;
mod worker;

pub use worker::run;

use crate::config::Secret;
use crate::payment::signature;
use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use model::SearchId;
use reqwest::Url;
use std::time::Duration;

/// The longest a server may take over one step; less than a lease.
const SMTP_TIMEOUT: Duration = Duration::from_secs(20);

/// Where mail goes out, and in whose name.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `smtp://…` or `smtps://…`, with a password perhaps.
    pub url: Secret,
    /// The sender; `None` is `frontrow@` the public address's host.
    pub from: Option<Mailbox>,
}

/// A server to hand mail to.
#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// Mail cannot be sent with these settings.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is not one of an SMTP server.
    #[error("FRONTROW_SMTP is not smtp://USER:PASSWORD@HOST:PORT (with ?tls=required for STARTTLS) or smtps://…")]
    Url(#[from] lettre::transport::smtp::Error),
    /// There is no sender.
    #[error("no sender can be made of the public address; set FRONTROW_MAIL_FROM")]
    From(#[from] lettre::address::AddressError),
}

impl Mailer {
    /// Checks the settings; nothing is connected yet.
    ///
    /// # Errors
    /// When they name no server or no sender.
    pub fn open(settings: &Settings, public_url: &str) -> Result<Self, OpenError> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(settings.url.expose())?;
        let from = match &settings.from {
            Some(from) => from.clone(),
            None => Mailbox::new(Some("Frontrow".to_owned()), format!("frontrow@{}", domain(public_url)).parse()?),
        };
        Ok(Self { transport: transport.timeout(Some(SMTP_TIMEOUT)).build(), from })
    }
}

/// The public address's host, if it has a name.
fn domain(public_url: &str) -> String {
    let host = Url::parse(public_url).ok().and_then(|url| url.domain().map(str::to_owned));
    host.unwrap_or_else(|| "localhost".to_owned())
}

/// What the link in a search's mails carries: who has it may stop them.
#[must_use]
pub fn key(secret: &Secret, search: SearchId) -> String {
    signature::derive(&signature::derive(secret.expose(), "unsubscribe"), &search.to_string())
}

/// Whether a key is the search's. Compares in constant time.
#[must_use]
pub fn is_key(secret: &Secret, search: SearchId, key: &str) -> bool {
    subtle::ConstantTimeEq::ct_eq(self::key(secret, search).as_bytes(), key.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(url: &str, public_url: &str) -> Option<String> {
        let settings = Settings { url: Secret::new(url.into()), from: None };
        Mailer::open(&settings, public_url).ok().map(|mailer| mailer.from.to_string())
    }

    #[tokio::test]
    async fn mail_comes_from_the_public_address() {
        assert_eq!(sender("smtp://127.0.0.1:25", "https://seats.test"), Some("Frontrow <frontrow@seats.test>".into()));
        assert_eq!(sender("smtps://a:b@mx.test", "http://127.0.0.1:80"), Some("Frontrow <frontrow@localhost>".into()));
        assert_eq!(sender("http://mx.test", "https://seats.test"), None);
    }

    #[test]
    fn a_key_is_of_one_search() {
        let (secret, search) = (Secret::new("s".into()), SearchId::new());
        assert!(is_key(&secret, search, &key(&secret, search)));
        assert!(!is_key(&secret, SearchId::new(), &key(&secret, search)));
        assert!(!is_key(&secret, search, ""));
    }
}
