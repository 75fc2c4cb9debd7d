//! A private Redis that keeps nothing.

use crate::Process;
use std::net::TcpListener;
use std::process::Command;

/// A running Redis.
pub struct Redis {
    /// The program.
    pub process: Process,
    /// Where it is.
    pub url: String,
    port: u16,
}

impl Redis {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { process: serve(port).await, url: format!("redis://127.0.0.1:{port}"), port }
    }

    /// What it answers to a command, a line for each part.
    #[expect(clippy::must_use_candidate, reason = "some commands are told, not asked")]
    pub fn cli(&self, command: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(command).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it again where it was, after its end.
    pub async fn restart(&mut self) {
        self.process = serve(self.port).await;
    }
}

async fn serve(port: u16) -> Process {
    let port = port.to_string();
    let args = ["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no", "--logfile", ""];
    let process = Process::spawn(Command::new("redis-server").args(args).current_dir(std::env::temp_dir()));
    crate::until("Redis answers", || async { tokio::net::TcpStream::connect(format!("127.0.0.1:{port}")).await.ok() })
        .await;
    process
}
