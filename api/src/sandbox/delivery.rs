//! Sends the portal's messages: signed, and again with growing pauses until they are taken. Gives up after a minute, as the
//! receiver asks about silent payments itself.

use super::Sandbox;
use super::record::Payment;
use crate::payment::signature;
use jiff::Timestamp;
use serde_json::json;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Pauses before each repeat.
const PAUSES_MS: [u64; 6] = [250, 1_000, 3_000, 8_000, 20_000, 30_000];

/// Tells the payment's client where it stands, in the background.
pub(super) fn announce(sandbox: &Sandbox, payment: &Payment, stop: &CancellationToken) {
    let message = json!({
        "id": format!("evt_{}", Uuid::new_v4().simple()),
        "ref": payment.reference,
        "state": payment.state,
        "reason": payment.reason,
    });
    let (sender, to, body) = (sandbox.clone(), payment.webhook_url.clone(), message.to_string());
    let deliver = async move { sender.deliver(&to, &body).await };
    let stop = stop.clone();
    sandbox.tracker.spawn(async move { stop.run_until_cancelled(deliver).await });
}

impl Sandbox {
    async fn deliver(&self, to: &str, body: &str) {
        for pause_ms in PAUSES_MS {
            match self.send(to, body).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(%error, "sandbox: a webhook was not taken"),
            }
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        }
    }

    async fn send(&self, to: &str, body: &str) -> Result<(), reqwest::Error> {
        let seal = signature::sign(self.webhook_key(), Timestamp::now().as_second(), body.as_bytes());
        let request = self.http.post(to).header(signature::HEADER, seal).header("content-type", "application/json");
        request.body(body.to_owned()).send().await?.error_for_status()?;
        Ok(())
    }
}
