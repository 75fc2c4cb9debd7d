//! A few evenings that are sold out, and a few that nearly are: sold seat by seat through the booking core, to guests who pay at the sandbox
//! portal's own books. Nothing here writes a booking table by itself.

use super::DemoError;
use booking::{
    Ask, BadSeed, Booking, BuyError, Effect, Failure, OpenError, Report, ReportError, ReserveError, ReserveRequest,
    TicketKey,
};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use indexer::Endpoint;
use model::{EventId, SeatNo, UserId};
use sqlx::PgPool;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Seats sold of each evening's 500.
const SOLD: [u32; 8] = [500, 500, 500, 500, 500, 492, 470, 420];
/// Seats in one purchase; no demo event that is sold out allows fewer.
const PURCHASE: u32 = 8;
/// Purchases under way at once.
const AT_ONCE: usize = 64;

/// Why the demo could not sell.
#[derive(Debug, thiserror::Error)]
pub enum SaleError {
    /// The booking core does not open.
    #[error("open the booking core")]
    Open(#[from] OpenError),
    /// Seats were refused.
    #[error("hold seats")]
    Reserve(#[from] ReserveError),
    /// An order was refused.
    #[error("order seats")]
    Buy(#[from] BuyError),
    /// A payment was refused.
    #[error("settle a payment")]
    Report(#[from] ReportError),
    /// No key could be made.
    #[error("make a ticket key")]
    Key(#[from] BadSeed),
    /// The booking core failed.
    #[error("keep a payment")]
    Payment(#[from] Failure),
}

/// Sells what is not sold yet.
pub(super) async fn sell(client: &Client, pool: PgPool, endpoint: Endpoint) -> Result<(), DemoError> {
    let evenings = evenings(client).await?;
    if evenings.is_empty() {
        return Ok(());
    }
    let guests = guests(client).await?;
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    // No code leaves this process: the tickets are signed by whoever shows them.
    let ticket_key = TicketKey::from_seed(&rand::random::<[u8; 32]>()).map_err(SaleError::Key)?;
    let settings = booking::Settings::new(endpoint.config, endpoint.tls, ticket_key);
    let booking =
        Box::pin(Booking::open(settings, pool, tracker.clone(), stop.clone())).await.map_err(SaleError::Open)?;
    for (event, seats) in evenings {
        let purchases = (0..seats).step_by(PURCHASE as usize).zip(&guests);
        let purchases = purchases
            .map(|(first, guest)| purchase(&booking, client, *guest, event, first..seats.min(first + PURCHASE)));
        stream::iter(purchases).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    }
    capture(&booking, client).await?;
    stop.cancel();
    tracker.close();
    tracker.wait().await;
    Ok(())
}

/// Which evenings to sell, and how many seats of each: rooms of 500 that are on sale and that nobody has booked.
async fn evenings(client: &Client) -> Result<Vec<(EventId, u32)>, DemoError> {
    // By the tickets: seats that an interrupted load only held come back, and its evening is no sold-out one.
    let sold = "select count(*) from (select from ticket t join event e using (event_id)
        where e.capacity = 500 and t.state <> 'void' group by event_id having count(*) >= 420) evening";
    let sold: i64 = client.query_one(sold, &[]).await?.get(0);
    let open = "select event_id from event e where capacity = 500 and buyer_limit >= 8
            and sale_opens_at < now() and sale_closes_at > now() + interval '14 days'
            and not exists (select from availability a where a.event_id = e.event_id)
        order by event_id limit $1";
    let wanted = SOLD.iter().skip(usize::try_from(sold).unwrap_or(SOLD.len()));
    let limit = i64::try_from(wanted.len()).unwrap_or(0);
    let found = client.query(open, &[&limit]).await?;
    Ok(found.iter().map(|row| EventId(row.get(0))).zip(wanted.copied()).collect())
}

/// Enough guests for one evening; they have no password, so nobody can log in as one.
async fn guests(client: &Client) -> Result<Vec<UserId>, DemoError> {
    let sql = "insert into account (user_id, email, name, role, password_hash)
            select gen_random_uuid(), 'guest-' || n || '@frontrow.test', 'Guest ' || n, 'attendee', '!'
            from generate_series(1, $1::integer) n
        on conflict (email) do update set name = excluded.name returning user_id";
    let count = i32::try_from(500 / PURCHASE + 1).unwrap_or(0);
    Ok(client.query(sql, &[&count]).await?.iter().map(|row| UserId(row.get(0))).collect())
}

/// Holds, orders, pays.
async fn purchase(
    booking: &Booking,
    client: &Client,
    guest: UserId,
    event: EventId,
    seats: std::ops::Range<SeatNo>,
) -> Result<(), DemoError> {
    let first = seats.start;
    let key = |thing: &str| format!("demo-{thing}-{first}");
    let ask = ReserveRequest { event, ask: Ask::Seats(seats.collect()), code: None };
    let held = booking.reserve(guest, ask, &key("seats")).await.map_err(SaleError::Reserve)?;
    let bought = booking.buy(guest, event, Some(held.reserve_id), &key("order")).await.map_err(SaleError::Buy)?;
    let reference = format!("demo-{}", bought.payment.payment_id);
    let sql = "insert into sandbox.payment (ref, idempotency_key, amount, currency, description, return_url, webhook_url, state)
        values ($1, $1, $2, $3, 'Demo', '/tickets', '/payment/webhook/sandbox', 'authorized')";
    client.execute(sql, &[&reference, &bought.payment.amount, &bought.payment.currency.as_str()]).await?;
    booking
        .payment_opened(bought.payment.payment_id, "sandbox", &reference, "/tickets")
        .await
        .map_err(SaleError::Payment)?;
    booking.payment_reported("sandbox", &reference, Report::Authorized).await.map_err(SaleError::Report)?;
    Ok(())
}

/// Takes the money of the demo's own payments, as the server's worker does; anyone else's are left to that.
async fn capture(booking: &Booking, client: &Client) -> Result<(), DemoError> {
    loop {
        let effects = booking.due_effects(256).await.map_err(SaleError::Payment)?;
        if effects.is_empty() {
            return Ok(());
        }
        let ours = effects.iter().filter_map(|effect| {
            Some((effect, effect.payment.provider_ref.as_deref().filter(|reference| reference.starts_with("demo-"))?))
        });
        stream::iter(ours.map(|(effect, reference)| captured(booking, client, effect, reference)))
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
    }
}

async fn captured(booking: &Booking, client: &Client, effect: &Effect, reference: &str) -> Result<(), DemoError> {
    let sql = "update sandbox.payment set state = 'captured' where ref = $1 and state = 'authorized'";
    client.execute(sql, &[&reference]).await?;
    booking.payment_reported("sandbox", reference, Report::Captured).await.map_err(SaleError::Report)?;
    booking.effect_done(effect.id).await.map_err(SaleError::Payment)?;
    Ok(())
}
