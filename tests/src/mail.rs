//! A real SMTP server that keeps what it is given: aiosmtpd, on loopback, with a Maildir that goes with it.

use crate::{Process, repository, until};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use tempfile::TempDir;

/// A running server.
pub struct MailSink {
    _process: Process,
    kept: TempDir,
}

impl MailSink {
    /// An address of 127.0.0.1 that nobody listens on.
    #[must_use]
    pub fn free_address() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    /// Starts it there and waits until it takes mail.
    pub async fn start(address: SocketAddr) -> Self {
        let script = ["-c", ". .ci/lib.sh && ensure_mail_sink"];
        let found = Command::new("bash").args(script).current_dir(repository()).output().unwrap();
        let python = String::from_utf8(found.stdout).unwrap();
        assert!(found.status.success(), "no SMTP server here: {}", String::from_utf8_lossy(&found.stderr));
        let kept = TempDir::with_prefix("frontrow-mail-").unwrap();
        let mut command = Command::new(python.trim());
        command.args(["-m", "aiosmtpd", "-n", "-l", &address.to_string(), "-c", "aiosmtpd.handlers.Mailbox"]);
        let process = Process::spawn(command.arg(kept.path().join("box")));
        until("an SMTP server", || async { TcpStream::connect(address).ok() }).await;
        Self { _process: process, kept }
    }

    /// Every mail so far, as text, its body's quoted-printable undone.
    #[must_use]
    pub fn mails(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.kept.path().join("box/new")) else { return Vec::new() };
        let text = |path| plain(&std::fs::read(path).unwrap_or_default());
        entries.map(|entry| text(entry.unwrap().path())).collect()
    }
}

/// The headers as they are, and the body without RFC 2045's quoted-printable.
fn plain(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw).replace("\r\n", "\n");
    let (headers, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    format!("{headers}\n\n{}", unquoted(&body.replace("=\n", "")))
}

fn unquoted(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = code.filter(|digits| digits.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b)));
        let coded = code.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'=');
        bytes.push(coded.unwrap_or(*first));
        rest = if coded.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
