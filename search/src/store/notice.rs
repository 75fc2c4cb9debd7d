//! News that the store has changed: within the process by a watch, between processes by Redis's publish and subscribe.
//!
//! A notice says only that it is worth looking. Lost, late or doubled ones change nothing but when somebody looks.

use fred::clients::{Client, SubscriberClient};
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::config::Config;
use fred::types::{Builder, config::ReconnectPolicy};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

/// How long after a lost connection the next is tried, in milliseconds.
const RECONNECT_MS: u32 = 500;

/// The URL is none of Redis's.
#[derive(Debug, thiserror::Error)]
#[error("FRONTROW_REDIS is a URL such as redis://127.0.0.1:6379")]
pub struct NoticeError(#[from] fred::error::Error);

#[derive(Debug)]
pub(super) struct Notices {
    /// Of this store among those that one Redis serves.
    channel: String,
    told: watch::Sender<u64>,
    heard: watch::Sender<u64>,
    travelling: Mutex<Option<DropGuard>>,
}

impl Notices {
    pub(super) fn new(store_url: &str) -> Self {
        Self {
            channel: format!("frontrow:store:{store_url}"),
            told: watch::Sender::new(0),
            heard: watch::Sender::new(0),
            travelling: Mutex::new(None),
        }
    }

    /// A change was made here.
    pub(super) fn tell(&self) {
        self.told.send_modify(|tick| *tick += 1);
        self.heard.send_modify(|tick| *tick += 1);
    }

    /// Ticks with each change made here or heard of.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.heard.subscribe()
    }

    /// Sends what is told here and hears what others tell, until the store's last handle goes.
    pub(super) fn travel_by(&self, redis_url: &str) -> Result<(), NoticeError> {
        let mut config = Config::from_url(redis_url)?;
        config.fail_fast = false;
        let mut builder = Builder::from_config(config);
        builder.set_policy(ReconnectPolicy::new_constant(0, RECONNECT_MS));
        let (sender, subscriber) = (builder.build()?, builder.build_subscriber_client()?);
        let stop = CancellationToken::new();
        let me = Uuid::now_v7().to_string();
        let sending = send(sender, (self.channel.clone(), me.clone()), self.told.subscribe());
        let hearing = hear(subscriber, (self.channel.clone(), me), self.heard.clone());
        tokio::spawn(stop.clone().run_until_cancelled_owned(sending));
        tokio::spawn(stop.clone().run_until_cancelled_owned(hearing));
        *self.travelling.lock() = Some(stop.drop_guard());
        Ok(())
    }
}

/// One message for however many changes there were since the last. One that cannot be sent is dropped: readers poll.
async fn send(client: Client, (channel, me): (String, String), mut told: watch::Receiver<u64>) {
    let _connection = client.connect();
    while told.changed().await.is_ok() {
        if let Err(error) = client.publish::<i64, _, _>(channel.as_str(), me.as_str()).await {
            tracing::debug!(%error, "a notice was not sent");
        }
    }
}

async fn hear(client: SubscriberClient, (channel, me): (String, String), heard: watch::Sender<u64>) {
    let mut messages = client.message_rx();
    let _connection = client.connect();
    let _subscriptions = client.manage_subscriptions();
    if let Err(error) = client.subscribe(channel.as_str()).await {
        tracing::warn!(%error, "no notices are heard; the store is polled");
    }
    loop {
        match messages.recv().await {
            Ok(message) if message.value.as_str().is_some_and(|sender| sender == me) => {}
            // Some were missed: worth a look all the same.
            Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => heard.send_modify(|tick| *tick += 1),
            Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
        }
    }
}
