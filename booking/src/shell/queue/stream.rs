//! An event's queue as a stream in Redis: any process asks, whoever has the lane decides, for all in the stream's order.
//!
//! What is in the stream is not answered. A lane reads from its beginning, and takes a command out together with telling its answer,
//! once what it came to is committed; so what a dead owner left comes first, and reading moves nothing that an owner which slept
//! through its end could steal. Such a one is fenced out here as it is in Postgres: by the epoch.

use super::redis::{Bell, Question, Redis};
use super::{Bounds, Line, Queue, Queued, Taken};
use crate::failure::Failure;
use crate::lane::Command;
use crate::shell::backlog::{Backlog, Turn};
use crate::shell::{Answer, Refused, Weight};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use model::EventId;
use parking_lot::Mutex;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ASK: &str = include_str!("ask.lua");
const TAKE: &str = include_str!("take.lua");
const IS_WAITING: &str = "return #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])";

/// How a command is written: JSON by the names of today. One that is written otherwise is a command of tomorrow.
const ENCODING: &str = "command.1";
/// The longest anybody waits for an answer: more than a lane takes to change hands.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// When nothing is begun any more: who is about to be told that the event is busy is not to have got something after all.
const BEGIN_MAX: Duration = Duration::from_secs(9);
/// How often whoever waits looks whether their command still does, and how long an answer may be on its way.
const LOOK: Duration = Duration::from_secs(1);
const ON_ITS_WAY_MAX: Duration = Duration::from_millis(200);
/// How often a lane looks without having heard the bell.
const LOOK_UNRUNG: Duration = Duration::from_millis(500);
/// Before Redis is asked again after it failed, or the lane after it was overtaken.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// Lanes that may end with a command among their first that nobody waits for, before it is taken for the cause.
const TRIES_MAX: u32 = 5;
/// How long Redis keeps a stream nobody asks by, and who had a lane.
const STREAM_KEPT_S: u32 = 3_600;
const LANE_KEPT_S: u32 = 86_400;
/// How long the dead are kept after the last one.
const DEAD_KEPT_S: u32 = 7 * 86_400;
/// Bytes of commands taken at once.
const TAKE_BYTES: usize = 4 << 20;

/// What takes a command and never answers: why it is dead.
#[derive(Debug, thiserror::Error)]
enum Dead {
    #[error("{0} lanes ended before it was answered")]
    EndsLanes(u32),
    #[error("it is written as {0:?}, which this program does not know")]
    Unknown(String),
}

/// Both ends of an event's stream.
pub(super) fn open(
    redis: &Arc<Redis>,
    event: EventId,
    bounds: Bounds,
    backlog: &Arc<Backlog>,
) -> (Arc<dyn Queue>, Box<dyn Line>) {
    let (names, weight) = (Names::of(event), Arc::<Mutex<Option<Weight>>>::default());
    let queue = StreamQueue {
        redis: Arc::clone(redis),
        names: names.clone(),
        bounds,
        weight: Arc::clone(&weight),
        backlog: Arc::clone(backlog),
    };
    let bell = redis.bell(names.stream.clone());
    let line = StreamLine { redis: Arc::clone(redis), names, bounds, bell, weight, answered: Arc::default(), epoch: 0 };
    (Arc::new(queue), Box::new(line))
}

/// An event's keys, in one slot of a cluster.
#[derive(Clone, Debug)]
struct Names {
    stream: String,
    lane: String,
    dead: String,
}

impl Names {
    fn of(event: EventId) -> Self {
        let stream = format!("frontrow:queue:{{{event}}}");
        Self { lane: format!("{stream}:lane"), dead: format!("{stream}:dead"), stream }
    }
}

#[derive(Debug)]
struct StreamQueue {
    redis: Arc<Redis>,
    names: Names,
    bounds: Bounds,
    /// Of the whole stream, while the lane is served here.
    weight: Arc<Mutex<Option<Weight>>>,
    backlog: Arc<Backlog>,
}

impl Queue for StreamQueue {
    fn ask(&self, command: Command, turn: Turn) -> BoxFuture<'_, Result<Result<Answer, Refused>, Command>> {
        async move {
            let answer = self.put(&command).await;
            drop(turn);
            Ok(answer.unwrap_or(Err(Refused::Busy)))
        }
        .boxed()
    }

    fn weight(&self) -> Weight {
        self.weight.lock().unwrap_or_else(|| self.backlog.weight())
    }
}

impl StreamQueue {
    /// `None` when the stream is full, or no answer came.
    async fn put(&self, command: &Command) -> Option<Result<Answer, Refused>> {
        let mut question = self.redis.question();
        let keys = vec![self.names.stream.clone(), self.names.lane.clone()];
        let arguments = vec![
            self.bounds.queue_max.to_string(),
            STREAM_KEPT_S.to_string(),
            self.redis.channel().to_owned(),
            question.number.to_string(),
            ENCODING.to_owned(),
            serde_json::to_string(command).ok()?,
        ];
        let entry = match self.redis.run::<Option<String>>(ASK, keys, arguments).await {
            Ok(Some(entry)) => entry,
            Ok(None) => {
                metrics::counter!("booking_busy_total").increment(1);
                return None;
            }
            Err(error) => {
                tracing::debug!(%error, "a command was not queued");
                return None;
            }
        };
        let answer = tokio::time::timeout(ANSWER_MAX, self.answer_to(&mut question, &entry)).await.ok()??;
        serde_json::from_str(&answer).inspect_err(|error| tracing::warn!(%error, "an answer is unreadable")).ok()
    }

    /// The answer; `None` once the command is out of the stream and no answer was heard.
    async fn answer_to(&self, question: &mut Question, entry: &str) -> Option<String> {
        loop {
            if let Ok(answer) = tokio::time::timeout(LOOK, &mut *question).await {
                return answer;
            }
            let keys = vec![self.names.stream.clone()];
            if self.redis.run::<i64>(IS_WAITING, keys, vec![entry.to_owned()]).await.is_ok_and(|waiting| waiting == 0) {
                return tokio::time::timeout(ON_ITS_WAY_MAX, &mut *question).await.ok()?;
            }
        }
    }
}

/// A command that is answered, and not yet taken out of the stream.
#[derive(Clone, Debug)]
struct Answered {
    entry: String,
    asker: String,
    message: String,
    /// Why it is put to the dead; empty when it is not.
    why_dead: String,
}

struct StreamLine {
    redis: Arc<Redis>,
    names: Names,
    bounds: Bounds,
    bell: Bell,
    weight: Arc<Mutex<Option<Weight>>>,
    answered: Arc<Mutex<Vec<Answered>>>,
    /// The last in which the lane was served here.
    epoch: i64,
}

/// A command as the stream has it: its entry's id, asker, number, encoding, itself, the lanes that tried it, and its age in
/// milliseconds by Redis's clock.
type Entry = [String; 7];

impl Line for StreamLine {
    fn take<'a>(&'a mut self, epoch: i64, queue: &'a mut Vec<Queued>) -> BoxFuture<'a, Taken> {
        self.epoch = epoch;
        async move {
            loop {
                // Ages are told later than this, so nobody is taken to wait for longer than they do.
                let asked_at = Instant::now();
                match self.exchange().await {
                    Ok(Some(entries)) if entries.is_empty() => {
                        tokio::time::timeout(LOOK_UNRUNG, self.bell.rung()).await.ok();
                    }
                    Ok(Some(entries)) => {
                        queue.extend(entries.into_iter().filter_map(|entry| self.queued(entry, asked_at)));
                        if !queue.is_empty() {
                            return Taken::Commands;
                        }
                    }
                    Ok(None) => {
                        tokio::time::sleep(RETRY_PAUSE).await;
                        return Taken::Overtaken;
                    }
                    Err(error) => {
                        tracing::debug!(%error, "a stream was not read");
                        tokio::time::sleep(RETRY_PAUSE).await;
                    }
                }
            }
        }
        .boxed()
    }

    fn lose(&mut self) {
        self.answered.lock().clear();
        *self.weight.lock() = None;
    }

    fn turn_away(&mut self) -> BoxFuture<'_, ()> {
        std::future::pending().boxed()
    }

    fn close<'a>(&'a mut self, _: &'a mut Vec<Queued>) -> BoxFuture<'a, ()> {
        async move {
            if !self.answered.lock().is_empty()
                && let Err(error) = self.exchange().await
            {
                tracing::info!(%error, "answers were not told; who has the lane next tells them");
            }
            *self.weight.lock() = None;
        }
        .boxed()
    }
}

impl StreamLine {
    /// Tells what is answered and reads what is oldest; `None` when the epoch is over.
    async fn exchange(&self) -> Result<Option<Vec<Entry>>, fred::error::Error> {
        let answered = self.answered.lock().clone();
        let count = answered.len();
        let keys = vec![self.names.stream.clone(), self.names.lane.clone(), self.names.dead.clone()];
        let mut arguments = vec![
            self.epoch.to_string(),
            self.redis.channel().to_owned(),
            LANE_KEPT_S.to_string(),
            self.bounds.batch_max.to_string(),
            ANSWER_MAX.as_millis().to_string(),
            TAKE_BYTES.to_string(),
            DEAD_KEPT_S.to_string(),
        ];
        for Answered { entry, asker, message, why_dead } in answered {
            arguments.extend([entry, asker, message, why_dead]);
        }
        let found: Vec<String> = self.redis.run(TAKE, keys, arguments).await?;
        // An epoch that is over tells nothing: its commands are another's to answer, those that it committed too.
        self.answered.lock().drain(..count);
        let mut found = found.into_iter();
        let (Some(depth), Some(oldest_ms)) = (found.next(), found.next()) else { return Ok(None) };
        let (depth, oldest_ms): (usize, u64) = (depth.parse().unwrap_or(0), oldest_ms.parse().unwrap_or(0));
        #[expect(clippy::cast_precision_loss, reason = "a queue is far shorter than 2^52")]
        let fill = depth as f64 / self.bounds.queue_max as f64;
        *self.weight.lock() = Some(Weight { depth, fill, oldest: Duration::from_millis(oldest_ms) });
        let mut entries = Vec::with_capacity(found.len() / 7);
        while let Some(entry) = found.next() {
            let mut part = || found.next().unwrap_or_default();
            entries.push([entry, part(), part(), part(), part(), part(), part()]);
        }
        Ok(Some(entries))
    }

    /// A command to be decided; one that cannot be, or had better not be, is answered here.
    fn queued(&self, [entry, asker, number, encoding, command, tries, age_ms]: Entry, at: Instant) -> Option<Queued> {
        let answered = Arc::clone(&self.answered);
        let reply = move |answer: Result<Answer, Refused>| {
            let mut why_dead = String::new();
            if let Err(Refused::Failed(failure)) = &answer {
                metrics::counter!("booking_queue_dead_total").increment(1);
                why_dead = failure.cause();
            }
            let message = format!("{number} {}", serde_json::to_string(&answer).unwrap_or_default());
            answered.lock().push(Answered { entry, asker, message, why_dead });
        };
        let tries: u32 = tries.parse().unwrap_or(0);
        let command = match serde_json::from_str(&command) {
            Ok(_) if tries > TRIES_MAX => Err(Failure::new(Dead::EndsLanes(tries - 1))),
            Ok(command) if encoding == ENCODING => Ok(command),
            Err(error) if encoding == ENCODING => Err(Failure::new(error)),
            _ => Err(Failure::new(Dead::Unknown(encoding))),
        };
        match command {
            Ok(command) => {
                let age = Duration::from_millis(age_ms.parse().unwrap_or(0));
                let late_at = at + BEGIN_MAX.saturating_sub(age);
                Some(Queued { late_at: Some(late_at), ..Queued::new(command, reply) })
            }
            Err(failure) => {
                let error = &failure as &dyn Error;
                tracing::warn!(queue = self.names.stream, error, "a command is put to the dead");
                reply(Err(Refused::Failed(failure)));
                None
            }
        }
    }
}
