//! This process's connections to Redis, and its one channel there: it hears the answers to what it asked, and the bell of the
//! lanes it has.
//!
//! Nothing rests on what is heard: an answer that is lost is asked for again under its key, and a lane looks by itself. A
//! connection that has fallen silent is found out and made anew.

use fred::clients::{Client, SubscriberClient};
use fred::interfaces::{ClientLike, EventInterface, LuaInterface, PubsubInterface};
use fred::types::config::{Config, ReconnectPolicy};
use fred::types::{Builder, FromValue};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// How long after a lost connection the next is tried, in milliseconds.
const RECONNECT_MS: u32 = 200;
/// The longest an answer of Redis itself may take.
const COMMAND_MAX: Duration = Duration::from_secs(2);
/// How often this process speaks to itself, and how long it may not hear itself.
const BEAT: Duration = Duration::from_secs(1);
const SILENCE_MAX: Duration = Duration::from_secs(3);
/// Messages not yet looked at; those beyond are lost.
const HEARD_MAX: usize = 16_384;

/// The URL is none of Redis's.
#[derive(Debug, thiserror::Error)]
#[error("FRONTROW_REDIS is a URL such as redis://127.0.0.1:6379")]
pub(crate) struct RedisError(#[from] fred::error::Error);

/// The connections.
pub(crate) struct Redis {
    client: Client,
    channel: String,
    asked: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<String>>>,
    bells: Mutex<HashMap<String, Arc<Notify>>>,
    heard_at: Mutex<Instant>,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl Redis {
    /// Connects, and connects again whenever it must, until `stop`; the client itself until [`Redis::close`]. Waits until answers
    /// are heard, but not for long: a Redis that is away comes back.
    pub(crate) async fn open(
        url: &str,
        tracker: &TaskTracker,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, RedisError> {
        let mut config = Config::from_url(url)?;
        config.fail_fast = false;
        let mut builder = Builder::from_config(config);
        builder.set_policy(ReconnectPolicy::new_constant(0, RECONNECT_MS));
        builder.with_connection_config(|config| {
            config.connection_timeout = COMMAND_MAX;
            config.internal_command_timeout = COMMAND_MAX;
            // What may have been carried out is not sent again: whoever asked may, under the same key.
            config.max_command_attempts = 1;
        });
        builder.with_performance_config(|config| {
            config.default_command_timeout = COMMAND_MAX;
            config.broadcast_channel_capacity = HEARD_MAX;
        });
        let redis = Arc::new(Self {
            client: builder.build()?,
            channel: format!("frontrow:process:{}", Uuid::now_v7()),
            asked: AtomicU64::new(0),
            waiting: Mutex::default(),
            bells: Mutex::default(),
            heard_at: Mutex::new(Instant::now()),
        });
        redis.client.connect();
        let subscriber = builder.build_subscriber_client()?;
        let (hearing, (listens, listening)) = (Arc::clone(&redis), oneshot::channel());
        tracker.spawn(async move {
            let talking = async { futures::join!(hearing.hear(&subscriber, listens), hearing.beat(&subscriber)) };
            stop.run_until_cancelled(Box::pin(talking)).await;
            subscriber.quit().await.ok();
        });
        tokio::time::timeout(COMMAND_MAX, listening).await.ok();
        Ok(redis)
    }

    /// The channel by which this process is told.
    pub(super) fn channel(&self) -> &str {
        &self.channel
    }

    /// Runs a script.
    pub(super) async fn run<R: FromValue>(
        &self,
        script: &'static str,
        keys: Vec<String>,
        arguments: Vec<String>,
    ) -> Result<R, fred::error::Error> {
        self.client.eval(script, keys, arguments).await
    }

    /// A question about to be asked.
    pub(super) fn question(self: &Arc<Self>) -> Question {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let (asker, answer) = oneshot::channel();
        self.waiting.lock().insert(number, asker);
        Question { number, answer, redis: Arc::clone(self) }
    }

    /// The bell of a stream, which rings when there may be something in it.
    pub(super) fn bell(self: &Arc<Self>, stream: String) -> Bell {
        let rung = Arc::<Notify>::default();
        self.bells.lock().insert(stream.clone(), Arc::clone(&rung));
        Bell { stream, rung, redis: Arc::clone(self) }
    }

    /// Closes the client.
    pub(crate) async fn close(&self) {
        self.client.quit().await.ok();
    }

    async fn hear(&self, subscriber: &SubscriberClient, listens: oneshot::Sender<()>) {
        let mut messages = subscriber.message_rx();
        subscriber.connect();
        subscriber.manage_subscriptions();
        while let Err(error) = subscriber.subscribe(self.channel.as_str()).await {
            tracing::warn!(%error, "no answers of lanes elsewhere are heard");
            tokio::time::sleep(BEAT).await;
        }
        listens.send(()).ok();
        loop {
            match messages.recv().await {
                Ok(message) => {
                    *self.heard_at.lock() = Instant::now();
                    self.heard(&message.value.as_str().unwrap_or_default());
                }
                Err(RecvError::Lagged(_)) => self.bells.lock().values().for_each(|bell| bell.notify_one()),
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// An answer with its question's number, the name of a stream whose bell rings, or a beat.
    fn heard(&self, message: &str) {
        if let Some((number, answer)) = message.split_once(' ') {
            let asker = number.parse().ok().and_then(|number: u64| self.waiting.lock().remove(&number));
            // Whoever asked may have gone.
            asker.map(|asker| asker.send(answer.to_owned()));
        } else if let Some(bell) = self.bells.lock().get(message) {
            bell.notify_one();
        }
    }

    /// Speaks to itself. Who cannot, or does not hear it, has lost a connection without knowing.
    async fn beat(&self, subscriber: &SubscriberClient) {
        let mut beats = tokio::time::interval(BEAT);
        loop {
            beats.tick().await;
            let spoke = self.client.publish::<i64, _, _>(self.channel.as_str(), "").await.is_ok();
            let silence = self.heard_at.lock().elapsed();
            if !spoke && self.client.is_connected() {
                tracing::info!("the connection to Redis is made anew");
                self.client.force_reconnection().await.ok();
            } else if spoke && silence > SILENCE_MAX && subscriber.is_connected() {
                tracing::info!(?silence, "the connection that answers are heard by is made anew");
                *self.heard_at.lock() = Instant::now();
                subscriber.force_reconnection().await.ok();
            }
        }
    }
}

/// A question; resolves to its answer, if that is heard.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) number: u64,
    answer: oneshot::Receiver<String>,
    redis: Arc<Redis>,
}

impl Future for Question {
    type Output = Option<String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer).poll(context).map(Result::ok)
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.redis.waiting.lock().remove(&self.number);
    }
}

/// A stream's bell.
#[derive(Debug)]
pub(super) struct Bell {
    stream: String,
    rung: Arc<Notify>,
    redis: Arc<Redis>,
}

impl Bell {
    /// Waits until it rings; one that rang meanwhile counts.
    pub(super) async fn rung(&self) {
        self.rung.notified().await;
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.redis.bells.lock().remove(&self.stream);
    }
}
