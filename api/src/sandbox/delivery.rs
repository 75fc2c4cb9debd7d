//! Sends the portal's messages: signed, and again with growing pauses until they are taken. Gives up after a minute, as the
//! receiver asks about silent payments itself.

use super::Sandbox;
use super::card::Trouble;
use super::record::Payment;
use crate::payment::signature;
use jiff::Timestamp;
use serde_json::json;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Pauses before each repeat.
const PAUSES_MS: [u64; 6] = [250, 1_000, 3_000, 8_000, 20_000, 30_000];

/// How late a message is that is late; and one that others are to overtake, though nobody asks before five seconds have passed.
const LATE: Duration = Duration::from_secs(3);
const OVERTAKEN: Duration = Duration::from_secs(12);

/// Tells the payment's client where it stands, in the background, with the trouble it is in.
pub(super) fn announce(sandbox: &Sandbox, payment: &Payment, stop: &CancellationToken) {
    let (pause, copies) = match payment.trouble.as_deref().and_then(Trouble::parse) {
        Some(Trouble::Drop) => return,
        Some(Trouble::Delay) => (LATE, 1),
        Some(Trouble::Reorder) if payment.state == "authorized" => (OVERTAKEN, 1),
        Some(Trouble::Duplicate) => (Duration::ZERO, 2),
        Some(Trouble::Reorder | Trouble::Outage | Trouble::Silence) | None => (Duration::ZERO, 1),
    };
    let message = json!({
        "id": format!("evt_{}", Uuid::new_v4().simple()),
        "ref": payment.reference,
        "state": payment.state,
        "reason": payment.reason,
    });
    let (sender, to, body) = (sandbox.clone(), payment.webhook_url.clone(), message.to_string());
    let deliver = async move {
        tokio::time::sleep(pause).await;
        for _ in 0..copies {
            sender.deliver(&to, &body).await;
        }
    };
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
