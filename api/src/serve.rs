//! Starting and stopping the process, in a written order.

use crate::account::{LoginGate, Passwords};
use crate::app::{App, Parts};
use crate::catalog::Layouts;
use crate::cli::{DatabaseArgs, DemoArgs, ServeArgs};
use crate::config::{self, Config};
use crate::demo::Demo;
use crate::session::Sessions;
use crate::{console, router};
use anyhow::Context as _;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio_util::sync::CancellationToken;

/// Serves until SIGINT or SIGTERM.
///
/// # Errors
/// A sentence that says what to do.
pub async fn run(args: ServeArgs) -> anyhow::Result<()> {
    let config = Config::load(&args)?;
    let listener =
        tokio::net::TcpListener::bind(config.addr).await.with_context(|| format!("listen on {}", config.addr))?;
    let addr = listener.local_addr()?;
    let public_url = config.public_url.clone().unwrap_or_else(|| format!("http://{addr}"));
    let pool = connect(config.database_url.expose()).await?;
    let stop = CancellationToken::new();
    let app = App::new(Parts {
        config,
        public_url,
        pool,
        passwords: Passwords::new(2)?,
        login_gate: LoginGate::default(),
        sessions: Sessions::default(),
        layouts: Layouts::default(),
        stop: stop.clone(),
    });
    console::say(&format!("ready http://{addr}"));
    axum::serve(listener, router::router(app).into_make_service_with_connect_info::<std::net::SocketAddr>())
        .with_graceful_shutdown(stop.cancelled_owned())
        .await?;
    Ok(())
}

/// Brings the database's tables to this version.
///
/// # Errors
/// A sentence that says what to do.
pub async fn migrate(args: &DatabaseArgs) -> anyhow::Result<()> {
    let url = config::database_url(args.database_url.as_deref())?;
    let pool = connect(url.expose()).await?;
    sqlx::migrate!("../migrations").run(&pool).await.context("migrate the database")?;
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

async fn connect(url: &str) -> anyhow::Result<PgPool> {
    PgPoolOptions::new().max_connections(16).connect(url).await.context("connect to Postgres")
}
