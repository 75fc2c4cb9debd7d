//! Starting and stopping the process, in a written order.

use crate::account::{self, Passwords};
use crate::app::{App, Parts};
use crate::catalog::Layouts;
use crate::cli::{AuditArgs, DatabaseArgs, DemoArgs, ReconcileArgs, Role, ServeArgs};
use crate::config::{self, Config, Secret};
use crate::demo::Demo;
use crate::find::{Answers, Degraded};
use crate::indexing::{self, Indexing};
use crate::limit::Limits;
use crate::mail::{self, Mailer};
use crate::payment::{self, Providers, sandbox, signature, stripe};
use crate::reconcile::{self, Walk};
use crate::sandbox::Sandbox;
use crate::session::Sessions;
use crate::upload::Album;
use crate::{console, database, idempotency, notification, router, vectors};
use anyhow::Context as _;
use axum::serve::ListenerExt as _;
use booking::{Booking, PaymentBooks, TicketKey};
use indexer::Endpoint;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use search::replica::{self, Replica};
use search::store::Store;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Argon2 hashes at once: more would take memory and cores from everyone else.
const HASHES_AT_ONCE: usize = 2;
/// Look-ups of unknown events in Postgres at once.
const MISSES_AT_ONCE: usize = 8;
/// Seat maps followed at once.
const STREAMS_MAX: usize = 20_000;
/// Bytes of an answer that wait in the system for their turn to be sent.
#[cfg(target_os = "linux")]
const UNSENT_BYTES_MAX: u32 = 64 << 10;
/// How long answers under way may take to end, and then the rooms.
const STOP_HTTP_S: u64 = 2;
const STOP_ROOMS_S: u64 = 2;

/// What runs, and the tokens that stop it: `soft` ends answers and workers, `hard` the rooms beneath them.
struct Tasks {
    soft: CancellationToken,
    hard: CancellationToken,
    workers: TaskTracker,
    rooms: TaskTracker,
}

/// Serves until SIGINT or SIGTERM.
///
/// Starts in this order: 1 settings, the port and the table of word vectors, so that what is wrong with them is said first; 2 Postgres and its tables;
/// 3 the indexer; 4 the replica; 5 the booking core; 6 workers; 7 HTTP; 8 once the replica is ready, the line `ready URL`.
///
/// Stops in this order, within five seconds: 1 HTTP takes no more, streams end, answers under way are finished; 2 workers; 3 the
/// booking core answers what it decided; 4 replica and indexer; 5 the connections.
///
/// # Errors
/// A sentence that says what to do.
pub async fn run(args: ServeArgs) -> anyhow::Result<()> {
    let config = Config::load(&args)?;
    let listener = TcpListener::bind(config.addr).await.with_context(|| {
        format!(
            "cannot listen on {}: choose another address with --addr HOST:PORT (port 0 picks a free one)",
            config.addr
        )
    })?;
    #[cfg(target_os = "linux")]
    keep_little_unsent(&listener);
    let addr = listener.local_addr()?;
    let table = vectors::open(&config.vectors)?;
    let url = config.database_url.expose().to_owned();
    let pool = database::connect(&url).await?;
    database::check(&pool, config.role == Role::All).await?;
    let tasks = Tasks {
        soft: CancellationToken::new(),
        hard: CancellationToken::new(),
        workers: TaskTracker::new(),
        rooms: TaskTracker::new(),
    };
    let booking = match config.role {
        Role::All | Role::Gateway => {
            let endpoint = Endpoint::parse(&url)?;
            let seed = signature::seed(config.secret.expose(), "tickets");
            let settings = booking::Settings::new(endpoint.config, endpoint.tls, TicketKey::from_seed(&seed)?);
            let redis = config.redis.as_ref().map(|redis| redis.expose().to_owned());
            let settings = booking::Settings { redis, ..settings };
            let opened = Booking::open(settings, pool.clone(), tasks.rooms.clone(), tasks.hard.clone());
            Some(Box::pin(opened).await?)
        }
        Role::Search => None,
    };
    let store = open_store(&config)?;
    let indexing = start_indexer(&config, &store, &tasks);
    let options = replica::Options { table, ..replica::Options::of(&store) };
    let replica = Replica::open(store.clone(), config.data.join("replica"), options)?;
    tasks.rooms.spawn(follow(replica.clone(), tasks.hard.clone()));
    let app = assemble(config, addr, pool, (replica, booking, indexing), &tasks)?;
    start_workers(&app, &tasks)?;
    // An answer leaves at once, not when the last one was acknowledged.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps Nagle's algorithm");
        }
    });
    let http = axum::serve(listener, router::router(app.clone())?.into_make_service_with_connect_info::<SocketAddr>());
    let http = tokio::spawn(http.with_graceful_shutdown(tasks.soft.clone().cancelled_owned()).into_future());
    let served = until_stopped(&app).await;
    stop(&app, &tasks, http).await;
    served
}

/// Has the system take no more than [`UNSENT_BYTES_MAX`] for a connection beyond what is on its way: else it takes megabytes, and who
/// reads slowly is told of seats as they were long ago.
#[cfg(target_os = "linux")]
fn keep_little_unsent(listener: &TcpListener) {
    if let Err(error) = socket2::SockRef::from(listener).set_tcp_notsent_lowat(UNSENT_BYTES_MAX) {
        tracing::debug!(%error, "connections keep as much unsent as the system likes");
    }
}

/// Says `ready` when it is, then waits for the signal. An indexer that ends before that ends the process: something is wrong that
/// a person has to see to. One that ends later fails no search and is started again.
async fn until_stopped(app: &App) -> anyhow::Result<()> {
    let mut interrupted = std::pin::pin!(interrupted());
    let mut shown = app.replica.shown();
    let ready = async {
        while !app.replica.ready() {
            // The first view may name the position zero: looked at again, not only told.
            tokio::time::timeout(LOOK_AGAIN, shown.changed()).await.ok();
        }
    };
    tokio::select! {
        outcome = &mut interrupted => return outcome,
        why = ended(app.indexing.clone()) => anyhow::bail!(why),
        () = ready => console::say(&format!("ready {}", app.public_url)),
    }
    interrupted.await
}

/// Starts this process's own indexer, if it has one.
fn start_indexer(config: &Config, store: &Store, tasks: &Tasks) -> watch::Receiver<Indexing> {
    let (state, seen) = watch::channel(Indexing::Elsewhere);
    if config.role == Role::All {
        let settings = indexer::Settings {
            database_url: config.database_url.expose().to_owned(),
            store: store.clone(),
            work_dir: config.data.join("indexer"),
            slot: config.slot.clone(),
        };
        tasks.rooms.spawn(indexing::run(settings, state, tasks.hard.clone()));
    }
    seen
}

/// Why the indexer ended; never, when there is none or it runs on.
async fn ended(mut indexing: watch::Receiver<Indexing>) -> String {
    let seen = indexing.wait_for(|state| state.fault().is_some()).await.ok();
    match seen.and_then(|state| state.fault().map(str::to_owned)) {
        Some(why) => why,
        None => std::future::pending().await,
    }
}

fn open_store(config: &Config) -> anyhow::Result<Store> {
    let store = Store::open(&config.store)?;
    match &config.redis {
        Some(redis) => Ok(store.with_redis(redis.expose())?),
        None => Ok(store),
    }
}

async fn follow(replica: Replica, stop: CancellationToken) {
    replica.run(stop).await;
}

fn assemble(
    config: Config,
    addr: SocketAddr,
    pool: sqlx::PgPool,
    (replica, booking, indexing): (Replica, Option<Booking>, watch::Receiver<Indexing>),
    tasks: &Tasks,
) -> anyhow::Result<App> {
    let here = here(addr);
    let public_url = config.public_url.clone().unwrap_or_else(|| here.clone());
    let key = |purpose| Secret::new(signature::derive(config.secret.expose(), purpose));
    let (api_key, webhook_key) = (key("sandbox api"), key("sandbox webhook"));
    let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).no_proxy().build()?;
    let providers = providers(&config, &here)?;
    let album = Album::new(Store::open(&config.images)?, config.cdn_url.as_deref());
    Ok(App::new(Parts {
        album,
        public_url,
        pool,
        replica,
        indexing,
        answers: Answers::default(),
        degraded: Degraded::default(),
        misses: Semaphore::new(MISSES_AT_ONCE),
        booking,
        providers,
        sandbox: Sandbox::new(api_key, webhook_key, http, tasks.workers.clone()),
        limits: Limits::new(&config.rates, config.proxies.clone()),
        config,
        passwords: Passwords::new(HASHES_AT_ONCE)?,
        sessions: Sessions::default(),
        layouts: Layouts::default(),
        payments_due: Notify::new(),
        streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        figures: figures()?,
        tracker: tasks.workers.clone(),
        stop: tasks.soft.clone(),
    }))
}

/// The built-in portal at `here`, which signs and is called with keys of this installation; and Stripe, if it is set up.
fn providers(config: &Config, here: &str) -> anyhow::Result<Providers> {
    let key = |purpose| Secret::new(signature::derive(config.secret.expose(), purpose));
    let (keys, webhook) = ((key("sandbox api"), key("sandbox webhook")), format!("{here}/payment/webhook/sandbox"));
    let sandbox = sandbox::Client::new(format!("{here}/sandbox/v1"), keys, webhook)?;
    let installation = signature::derive(config.secret.expose(), "payments of this installation");
    let mark = installation.chars().take(16).collect();
    let stripe = config.stripe.clone().map(|settings| stripe::Client::new(settings, mark)).transpose()?;
    Ok(Providers::new(sandbox, stripe))
}

/// Latency is counted in buckets from half a millisecond to half a minute, the size of a batch in powers of four.
fn figures() -> anyhow::Result<PrometheusHandle> {
    const BUCKETS_S: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
    const BATCH_BUCKETS: [f64; 7] = [1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 2_048.0];
    let batch = Matcher::Full("booking_batch_commands".to_owned());
    let builder = PrometheusBuilder::new().set_buckets(&BUCKETS_S)?.set_buckets_for_metric(batch, &BATCH_BUCKETS)?;
    Ok(builder.install_recorder()?)
}

/// How this process reaches itself: the built-in payment provider is called over HTTP like any other.
fn here(addr: SocketAddr) -> String {
    if addr.ip().is_unspecified() { format!("http://127.0.0.1:{}", addr.port()) } else { format!("http://{addr}") }
}

fn start_workers(app: &App, tasks: &Tasks) -> anyhow::Result<()> {
    tasks.workers.spawn(app.sessions.clone().listen(app.pool.clone(), tasks.soft.clone()));
    tasks.workers.spawn(sweep(app.clone()));
    if let Some(booking) = app.booking.clone() {
        tasks.workers.spawn(payment::run_worker(app.clone(), booking));
        if let Some(settings) = &app.config.mail {
            let mailer = Mailer::open(settings, &app.public_url)?;
            tasks.workers.spawn(mail::run(app.clone(), mailer));
        }
    }
    Ok(())
}

/// How often readiness is looked at when nothing is told.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Folds up figures, removes ended sessions and old idempotency keys, a batch a minute.
async fn sweep(app: App) {
    let mut minute = tokio::time::interval(Duration::from_mins(1));
    while app.stop.run_until_cancelled(minute.tick()).await.is_some() {
        app.figures.run_upkeep();
        let swept = async {
            let mut db = app.pool.acquire().await?;
            account::sweep(&mut db).await?;
            notification::sweep(&mut db).await?;
            drop(db);
            idempotency::sweep(&app.pool).await
        };
        if let Err(error) = swept.await {
            tracing::warn!(%error, "sweep");
        }
    }
}

async fn interrupted() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        outcome = tokio::signal::ctrl_c() => outcome?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

async fn stop(app: &App, tasks: &Tasks, http: tokio::task::JoinHandle<std::io::Result<()>>) {
    tracing::info!("stopping");
    tasks.soft.cancel();
    let within = |seconds| Duration::from_secs(seconds);
    if tokio::time::timeout(within(STOP_HTTP_S), http).await.is_err() {
        tracing::warn!("answers under way were cut off");
    }
    tasks.workers.close();
    if tokio::time::timeout(within(STOP_HTTP_S), tasks.workers.wait()).await.is_err() {
        tracing::warn!("workers were cut off");
    }
    tasks.hard.cancel();
    tasks.rooms.close();
    if tokio::time::timeout(within(STOP_ROOMS_S), tasks.rooms.wait()).await.is_err() {
        tracing::warn!("rooms were cut off");
    }
    if tokio::time::timeout(within(1), app.pool.close()).await.is_err() {
        tracing::warn!("connections were cut off");
    }
}

/// Brings the database's tables to this version.
///
/// # Errors
/// A sentence that says what to do.
pub async fn migrate(args: &DatabaseArgs) -> anyhow::Result<()> {
    let url = config::database_url(args.database_url.as_deref())?;
    let pool = database::connect(url.expose()).await?;
    database::migrate(&pool).await?;
    Ok(())
}

/// Says whether an event's log and tables agree.
///
/// # Errors
/// A sentence that names the first difference, or says what to do.
pub async fn audit(args: &AuditArgs) -> anyhow::Result<()> {
    let url = config::database_url(args.database.database_url.as_deref())?;
    let pool = database::connect(url.expose()).await?;
    let booking::Audited { entries, facts, head, holds, orders, tickets, claims } =
        booking::audit(&pool, args.event).await.with_context(|| format!("event {}", args.event))?;
    console::say(&format!(
        "event {}: {entries} entries with {facts} decisions, {holds} holds, {orders} orders, {tickets} tickets, {claims} seats held or sold; \
         the tables agree; the log's head is {head}",
        args.event
    ));
    Ok(())
}

/// Says where this installation and its payment providers disagree, and has it put right if asked.
///
/// # Errors
/// When something disagrees in the end, or a sentence that says what to do.
pub async fn reconcile(args: ReconcileArgs) -> anyhow::Result<()> {
    let ReconcileArgs { repair, json, days, grace_s, addr, data, database } = args;
    let config = Config::load(&ServeArgs { role: Role::Gateway, addr, data, database })?;
    let pool = database::connect(config.database_url.expose()).await?;
    let providers = providers(&config, &here(config.addr))?;
    let from = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * i64::from(days));
    let walk = Walk { from, grace_s: grace_s.into(), repairs: repair };
    let books = PaymentBooks::new(pool);
    let found = Box::pin(reconcile::reconcile(&books, &providers, walk)).await?;
    if json {
        console::say(&serde_json::to_string_pretty(&found)?);
    } else {
        found.findings.iter().for_each(|finding| console::say(&finding.to_string()));
        console::say(&format!(
            "{} payments compared, {} named by providers, {} disagree, {} of them put right",
            found.payments,
            found.named_there,
            found.findings.len(),
            found.findings.iter().filter(|finding| finding.repaired).count()
        ));
    }
    let standing = found.findings.iter().filter(|finding| !finding.repaired).count();
    anyhow::ensure!(standing == 0, "{standing} payments disagree with their provider");
    Ok(())
}

/// Loads the demo.
///
/// # Errors
/// A sentence that says what to do.
pub async fn demo(args: DemoArgs) -> anyhow::Result<()> {
    let url = config::database_url(args.database.database_url.as_deref())?;
    let data = config::data_dir(args.data.as_deref())?;
    let demo = Demo { database_url: url.expose().to_owned(), data, events: args.events };
    let loaded = demo.load().await?;
    console::say(&format!("{} demo events, {} of them new", loaded.events, loaded.events_added));
    Ok(())
}
