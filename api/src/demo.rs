//! `frontrow demo`: the concerts of a real orchestra's archive as the coming two seasons, and three people to log in as.
//!
//! Deterministic: the n-th event is the same concert everywhere, so loading again adds only what is missing and changes nothing.
//! It writes through COPY, in order, in bounded memory; it never touches an event that it did not make.

mod archive;
mod calendar;
mod copy;
mod dice;
mod genres;
mod load;
mod logins;
mod nicknames;
mod people;
mod place;
mod plans;
mod programme;
mod season;
mod sold_out;
mod titles;

use crate::account::PasswordError;
use crate::database::{self, DatabaseError};
use indexer::{Endpoint, EndpointError};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use season::Season;
pub use sold_out::SaleError;
use std::path::PathBuf;

/// What to load, and where to.
#[derive(Clone, Debug)]
pub struct Demo {
    /// The database, migrated.
    pub database_url: String,
    /// The data directory: the logins go to `logins.json` in it.
    pub data: PathBuf,
    /// How many events there shall be: the first of the archive's concerts, then variations of them.
    pub events: u32,
}

/// What a load did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Events that were not there before.
    pub events_added: u32,
    /// Demo events that are there now.
    pub events: u32,
}

/// Why a load ended early. What was loaded stays: loading again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The embedded archive is broken.
    #[error("read the embedded archive")]
    Archive(#[source] std::io::Error),
    /// A generated seat plan breaks a rule.
    #[error("generate the seat plans")]
    Plan(#[from] model::PlanError),
    /// The data directory cannot be written.
    #[error("write the demo logins")]
    Logins(#[source] std::io::Error),
    /// A password could not be hashed.
    #[error("make the demo logins")]
    Password(#[from] PasswordError),
    /// The evenings that are sold out could not be sold.
    #[error("sell out some of the demo's evenings")]
    Sale(#[from] SaleError),
    /// The database cannot be used.
    #[error(transparent)]
    Unusable(#[from] DatabaseError),
    /// Its URL cannot be used.
    #[error(transparent)]
    Url(#[from] EndpointError),
    /// The database refused.
    #[error("load the demo into Postgres")]
    Database(#[from] tokio_postgres::Error),
}

impl Demo {
    /// Loads what is missing, with a progress bar on standard error when that is a terminal.
    ///
    /// # Errors
    /// When the database or the data directory refuses.
    pub async fn load(&self) -> Result<Loaded, DemoError> {
        let pool = database::connect(&self.database_url).await?;
        database::check(&pool, true).await?;
        let endpoint = Endpoint::parse(&self.database_url)?;
        let (mut client, connection) = Box::pin(endpoint.config.connect(endpoint.tls.clone())).await?;
        let connection = tokio::spawn(connection);
        let organizer = logins::make(&client, &self.data).await?;
        // A zone east of Greenwich begins its day earlier: from the day after on, no event lies in the past anywhere.
        let now = Timestamp::now().to_zoned(TimeZone::UTC);
        let today = now.tomorrow().map_or(now.date(), |tomorrow| tomorrow.date());
        let records = archive::read().map_err(DemoError::Archive)?;
        let season = Season::of(&records, plans::all()?, today);
        let events_added = load::events(&mut client, &season, organizer, self.events).await?;
        Box::pin(sold_out::sell(&client, pool.clone(), endpoint)).await?;
        pool.close().await;
        drop(client);
        connection.abort();
        Ok(Loaded { events_added, events: self.events })
    }
}
