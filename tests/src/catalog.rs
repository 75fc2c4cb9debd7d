//! A small catalog by plain SQL: an organizer, a venue, an artist, a plan of n seats, an event that is on sale.

use crate::Database;
use model::{ArtistId, EventId, Row, Seat, SeatPlan, Section, UserId, VenueId};

/// What one event stands on. Change fields between [`Listing::new`] and [`Listing::insert`].
#[derive(Clone, Debug)]
pub struct Listing {
    /// The event.
    pub event: EventId,
    /// Who may edit it.
    pub organizer: UserId,
    /// Where it is.
    pub venue: VenueId,
    /// Who plays, as `conductor`.
    pub artist: ArtistId,
    /// The event's title.
    pub title: String,
    /// Seats of its plan: rows of ten.
    pub seats: u32,
    /// What each costs, in cents of USD.
    pub price: i64,
    /// How long a hold lives.
    pub hold_ttl_s: i32,
    /// Seats one buyer may have.
    pub buyer_limit: i32,
    /// Starts so many days from now; on sale since yesterday and until then.
    pub days_ahead: i32,
}

impl Listing {
    /// A listing of fresh ids; nothing is stored yet.
    #[must_use]
    pub fn new(title: &str, seats: u32) -> Self {
        Self {
            event: EventId::new(),
            organizer: UserId::new(),
            venue: VenueId::new(),
            artist: ArtistId::new(),
            title: title.to_owned(),
            seats,
            price: 5_000,
            hold_ttl_s: 600,
            buyer_limit: 8,
            days_ahead: 30,
        }
    }

    /// Stores all of it in one transaction.
    pub async fn insert(&self, database: &Database) {
        let mut client = database.connect().await;
        let (hash, bytes) = plan(self.seats).canonical().unwrap();
        let transaction = client.transaction().await.unwrap();
        let seats = i32::try_from(self.seats).unwrap();
        let email = format!("{}@example.test", self.organizer);
        let account = "insert into account (user_id, email, name, role, password_hash)
            values ($1, $2, 'Organizer', 'organizer', '!')";
        transaction.execute(account, &[&self.organizer.0, &email]).await.unwrap();
        let venue = "insert into venue (venue_id, name, city, region, country, lat, lon, timezone)
            values ($1, 'Test Hall', 'New York', 'NY', 'US', 40.7724, -73.9835, 'America/New_York')";
        transaction.execute(venue, &[&self.venue.0]).await.unwrap();
        let artist = "insert into artist (artist_id, name) values ($1, 'Test Conductor')";
        transaction.execute(artist, &[&self.artist.0]).await.unwrap();
        let layout = "insert into layout (layout_hash, name, capacity, plan) values ($1, 'Test plan', $2, $3)
            on conflict do nothing";
        transaction.execute(layout, &[&hash, &seats, &bytes]).await.unwrap();
        let event =
            "insert into event (event_id, organizer_id, venue_id, title, genres, starts_at, layout_hash, capacity,
                currency, sale_opens_at, sale_closes_at, hold_ttl_s, buyer_limit)
            values ($1, $2, $3, $4, '{Orchestral}', now() + make_interval(days => $5), $6, $7, 'USD',
                now() - interval '1 day', now() + make_interval(days => $5), $8, $9)";
        let terms: [&(dyn tokio_postgres::types::ToSql + Sync); 9] = [
            &self.event.0,
            &self.organizer.0,
            &self.venue.0,
            &self.title,
            &self.days_ahead,
            &hash,
            &seats,
            &self.hold_ttl_s,
            &self.buyer_limit,
        ];
        transaction.execute(event, &terms).await.unwrap();
        let plays = "insert into event_artist (event_id, position, artist_id, role) values ($1, 0, $2, 'conductor')";
        transaction.execute(plays, &[&self.event.0, &self.artist.0]).await.unwrap();
        let tier = "insert into event_tier (event_id, tier, name, price) values ($1, 0, 'Standard', $2)";
        transaction.execute(tier, &[&self.event.0, &self.price]).await.unwrap();
        transaction.commit().await.unwrap();
    }
}

/// Stores an event on sale with `seats` seats and gives what it stands on.
pub async fn on_sale(database: &Database, title: &str, seats: u32) -> Listing {
    let listing = Listing::new(title, seats);
    listing.insert(database).await;
    listing
}

/// One section of one tier, rows of ten.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a few hundred rows of ten are exact in any float")]
pub fn plan(seats: u32) -> SeatPlan {
    let seat = |seat_no: u32| Seat {
        seat_no,
        label: (seat_no % 10 + 1).to_string(),
        x: (seat_no % 10) as f32 * 0.6,
        y: 4.0 + (seat_no / 10) as f32,
        tier: 0,
        accessible: false,
    };
    let row = |first: u32| Row {
        label: (first / 10 + 1).to_string(),
        seats: (first..seats.min(first + 10)).map(seat).collect(),
    };
    let rows: Vec<Row> = (0..seats).step_by(10).map(row).collect();
    SeatPlan {
        name: format!("Test plan of {seats}"),
        width: 8.0,
        height: 6.0 + rows.len() as f32,
        stage: [0.0, 0.0, 8.0, 3.0],
        tiers: vec!["Standard".into()],
        sections: vec![Section { name: "Stalls".into(), general_admission: false, rows }],
    }
    .checked()
    .unwrap()
}
