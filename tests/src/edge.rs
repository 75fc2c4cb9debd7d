//! What stands in front of Frontrow at a CDN's edge: a real nginx or Varnish with the configuration of `deploy/`, before a given origin.

use crate::{Process, repository, until};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A running cache.
pub struct Edge {
    /// Where it answers: `http://127.0.0.1:PORT`.
    pub base: String,
    /// The program.
    pub process: Process,
    _dir: TempDir,
}

/// Where the configurations say that Frontrow is.
const ORIGIN: &str = "127.0.0.1:8080";

impl Edge {
    /// nginx with `deploy/nginx.conf`.
    pub async fn nginx(origin: &str) -> Self {
        Self::start(|dir, port| {
            let ours = configuration("nginx.conf").replace(ORIGIN, authority(origin));
            let ours = ours.replace("listen 80;", &format!("listen 127.0.0.1:{port};"));
            fs::write(dir.join("frontrow.conf"), ours).unwrap();
            let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|kind| format!("{kind}_temp_path {kind};"))
                .join("\n");
            let whole = format!(
                "daemon off; pid nginx.pid; error_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}include frontrow.conf;\n}}\n"
            );
            fs::write(dir.join("nginx.conf"), whole).unwrap();
            let mut command = Command::new("nginx");
            command.arg("-p").arg(dir).arg("-c").arg(dir.join("nginx.conf")).args(["-e", "stderr"]);
            command
        })
        .await
    }

    /// Varnish with `deploy/varnish.vcl`.
    pub async fn varnish(origin: &str) -> Self {
        Self::start(|dir, port| {
            let (host, origin_port) = authority(origin).split_once(':').unwrap();
            let ours = configuration("varnish.vcl")
                .replace("\"127.0.0.1\"", &format!("{host:?}"))
                .replace("\"8080\"", &format!("{origin_port:?}"));
            fs::write(dir.join("frontrow.vcl"), ours).unwrap();
            let mut command = Command::new("varnishd");
            command.arg("-F").arg("-n").arg(dir.join("work")).arg("-f").arg(dir.join("frontrow.vcl"));
            command.args(["-j", "none", "-s", "malloc,64m", "-a"]).arg(format!("127.0.0.1:{port}"));
            command
        })
        .await
    }

    async fn start(command: impl FnOnce(&Path, u16) -> Command) -> Self {
        let dir = TempDir::with_prefix("frontrow-edge-").unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Process::spawn(&mut command(dir.path(), port));
        let edge = Self { base: format!("http://127.0.0.1:{port}"), process, _dir: dir };
        let address = format!("{}/healthz", edge.base);
        until("the edge answers", async || {
            reqwest::get(&address).await.ok().filter(|answer| answer.status().is_success())
        })
        .await;
        edge
    }
}

fn configuration(name: &str) -> String {
    fs::read_to_string(repository().join("deploy").join(name)).unwrap()
}

fn authority(origin: &str) -> &str {
    origin.trim_start_matches("http://")
}
