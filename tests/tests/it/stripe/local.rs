//! A Stripe on this machine that is not ours: `localstripe`, which `./test` installs. It keeps `PaymentIntent`s, charges and refunds.

use std::process::Command;
use std::time::Duration;
use tests::{Process, repository};

/// On loopback alone, and without the file that it would share with others.
const SERVE: &str = r#"
import asyncio
from aiohttp import web
from localstripe.resources import store
from localstripe.server import app
store.dump_to_disk = lambda: None
async def serve():
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print("listening", site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()
asyncio.run(serve())
"#;

/// A running one. What it holds goes with it.
pub(super) struct LocalStripe {
    _process: Process,
    /// Where it answers, without a trailing slash.
    pub(super) base: String,
}

impl LocalStripe {
    /// Starts one.
    pub(super) async fn start() -> Self {
        let python = repository().join("target/tools/stripe/bin/python");
        assert!(python.exists(), "localstripe is not installed: bash -c '. .ci/lib.sh && ensure_stripe'");
        let mut process = Process::spawn(Command::new(python).args(["-c", SERVE]));
        let port = process.line("listening ", Duration::from_mins(1)).await;
        Self { _process: process, base: format!("http://127.0.0.1:{port}") }
    }

    /// Has it send its messages to `url`, signed with `secret`.
    pub(super) async fn tell(&self, url: &str, secret: &str) {
        let hook = serde_json::json!({"url": url, "secret": secret});
        let told = reqwest::Client::new().post(format!("{}/_config/webhooks/frontrow", self.base)).json(&hook).send();
        assert!(told.await.unwrap().status().is_success());
    }
}
