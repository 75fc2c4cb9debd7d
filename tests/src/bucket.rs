//! An S3-compatible store on this machine: the emulator `moto`, which `./test` installs, with one bucket.

use crate::{Process, repository};
use std::process::Command;
use std::time::Duration;

/// One request at a time, since the emulator's conditional writes are only then what they promise.
const SERVE: &str = r#"
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=False)
print("listening", server.server_port, flush=True)
server.serve_forever()
"#;

/// A running emulator. What it holds goes with it.
pub struct Bucket {
    /// The emulator.
    pub process: Process,
    /// The URL of a store in its bucket.
    pub url: String,
    endpoint: String,
    /// Where it listens.
    pub port: u16,
}

impl Bucket {
    /// Starts one and makes the bucket.
    pub async fn start() -> Self {
        let python = repository().join("target/tools/s3/bin/python");
        assert!(python.exists(), "the S3 emulator is not installed: bash -c '. .ci/lib.sh && ensure_s3'");
        let mut process = Process::spawn(Command::new(python).args(["-c", SERVE]).env("PYTHONWARNINGS", "ignore"));
        let port: u16 = process.line("listening ", Duration::from_mins(1)).await.parse().unwrap();
        let endpoint = format!("http://127.0.0.1:{port}");
        let made = reqwest::Client::new().put(format!("{endpoint}/frontrow")).send().await.unwrap();
        assert!(made.status().is_success(), "{made:?}");
        Self { process, url: "s3://frontrow/index".to_owned(), endpoint, port }
    }

    /// The environment in which the store's URL means this one.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, &str); 4] {
        [
            ("AWS_ENDPOINT", &self.endpoint),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ]
    }
}
