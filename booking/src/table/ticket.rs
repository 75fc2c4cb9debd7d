//! `ticket`: the right to one seat each.

use super::Unreadable;
use crate::code::{TicketCode, TicketKey};
use crate::failure::Failure;
use crate::lane::house::House;
use crate::order::{Admission, Ticket, TicketState};
use jiff::Timestamp;
use model::{EventId, OrderId, TicketId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

/// A row as the statements below select it.
#[derive(Debug)]
pub(crate) struct TicketRow {
    pub(crate) event_id: Uuid,
    pub(crate) ticket_id: Uuid,
    pub(crate) seat_no: i32,
    pub(crate) order_id: Uuid,
    pub(crate) holder: Uuid,
    pub(crate) generation: i32,
    pub(crate) used_at: Option<jiff_sqlx::Timestamp>,
    pub(crate) state: String,
    pub(crate) created_at: jiff_sqlx::Timestamp,
    pub(crate) layout_hash: String,
}

impl TicketRow {
    /// The ticket, its seat described by its plan, its code signed.
    pub(crate) fn describe(self, house: &House, key: &TicketKey) -> Result<Ticket, Failure> {
        let state = match self.state.as_str() {
            "valid" => TicketState::Valid,
            "used" => TicketState::Used,
            "void" => TicketState::Void,
            _ => return Err(Failure::new(Unreadable("ticket.state"))),
        };
        let (event, ticket) = (EventId(self.event_id), TicketId(self.ticket_id));
        let generation = u32::try_from(self.generation).map_err(Failure::new)?;
        let code = (state != TicketState::Void).then(|| key.write(TicketCode { event, ticket, generation }));
        let seat = house.describe(super::seat_no(self.seat_no), 0);
        Ok(Ticket {
            ticket_id: ticket,
            event_id: event,
            order_id: OrderId(self.order_id),
            holder: UserId(self.holder),
            seat_no: seat.seat_no,
            label: seat.label,
            section: seat.section,
            row: seat.row,
            state,
            code,
            generation,
            used_at: self.used_at.map(jiff_sqlx::Timestamp::to_jiff),
            created_at: self.created_at.to_jiff(),
        })
    }
}

/// A holder's tickets, of one event or all, by event and seat.
pub(crate) async fn of_holder(
    connection: &mut PgConnection,
    holder: UserId,
    event: Option<EventId>,
) -> sqlx::Result<Vec<TicketRow>> {
    sqlx::query_as!(
        TicketRow,
        r#"select t.event_id, t.ticket_id, t.seat_no, t.order_id, t.holder, t.generation, t.state, t.used_at,
            t.created_at, e.layout_hash
        from ticket t join event e using (event_id)
        where t.holder = $1 and ($2::uuid is null or t.event_id = $2) order by e.starts_at, t.event_id, t.seat_no, t.ticket_id"#,
        holder.0,
        event.map(|event| event.0)
    )
    .fetch_all(connection)
    .await
}

/// An order's tickets, by seat.
pub(crate) async fn of_order(
    connection: &mut PgConnection,
    event: EventId,
    order: OrderId,
) -> sqlx::Result<Vec<TicketRow>> {
    sqlx::query_as!(
        TicketRow,
        "select t.event_id, t.ticket_id, t.seat_no, t.order_id, t.holder, t.generation, t.state, t.used_at,
            t.created_at, e.layout_hash
        from ticket t join event e using (event_id)
        where t.event_id = $1 and t.order_id = $2 order by t.seat_no, t.ticket_id",
        event.0,
        order.0
    )
    .fetch_all(connection)
    .await
}

/// One ticket.
pub(crate) async fn by_id(connection: &mut PgConnection, ticket: TicketId) -> sqlx::Result<Option<TicketRow>> {
    sqlx::query_as!(
        TicketRow,
        "select t.event_id, t.ticket_id, t.seat_no, t.order_id, t.holder, t.generation, t.state, t.used_at,
            t.created_at, e.layout_hash
        from ticket t join event e using (event_id) where t.ticket_id = $1",
        ticket.0
    )
    .fetch_optional(connection)
    .await
}

/// Gives a valid ticket to another, under a new generation; false when it is not `from`'s or not valid.
pub(crate) async fn transfer(
    connection: &mut PgConnection,
    ticket: TicketId,
    from: UserId,
    to: UserId,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update ticket set holder = $3, generation = generation + 1 where ticket_id = $1 and holder = $2 and state = 'valid'",
        ticket.0,
        from.0,
        to.0
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Marks a valid ticket used, or finds that this very admission did; none when it is not valid or of another generation.
pub(crate) async fn check_in(
    connection: &mut PgConnection,
    code: TicketCode,
    admission: Option<Admission>,
) -> sqlx::Result<Option<Timestamp>> {
    let at = sqlx::query_scalar!(
        r#"with let_in as (
            update ticket set state = 'used', used_at = least($4, clock_timestamp()), admission = $5
            where event_id = $1 and ticket_id = $2 and generation::bigint = $3 and state = 'valid' returning used_at)
        select used_at as "used_at!" from let_in
        union all
        select used_at from ticket
        where event_id = $1 and ticket_id = $2 and generation::bigint = $3 and state = 'used' and admission = $5"#,
        code.event.0,
        code.ticket.0,
        i64::from(code.generation),
        admission.map(|admission| jiff_sqlx::Timestamp::from(admission.at)) as Option<jiff_sqlx::Timestamp>,
        admission.map(|admission| admission.id)
    )
    .fetch_optional(connection)
    .await?;
    Ok(at.map(jiff_sqlx::Timestamp::to_jiff))
}

/// An event's tickets that are not void, by seat.
pub(crate) async fn live(connection: &mut PgConnection, event: EventId) -> sqlx::Result<Vec<TicketRow>> {
    sqlx::query_as!(
        TicketRow,
        "select t.event_id, t.ticket_id, t.seat_no, t.order_id, t.holder, t.generation, t.state, t.used_at,
            t.created_at, e.layout_hash
        from ticket t join event e using (event_id) where t.event_id = $1 and t.state <> 'void' order by t.seat_no",
        event.0
    )
    .fetch_all(connection)
    .await
}

/// A ticket as a report sees it.
#[derive(Debug)]
pub(crate) struct SoldRow {
    pub(crate) day: jiff_sqlx::Date,
    pub(crate) seat_no: i32,
    pub(crate) price: i64,
    pub(crate) state: String,
    pub(crate) layout_hash: String,
}

/// Every seat an event ever sold, by its last ticket: when in its venue's zone, for what. One that went for another is that one's.
pub(crate) async fn sold(connection: &mut PgConnection, event: EventId) -> sqlx::Result<Vec<SoldRow>> {
    sqlx::query_as!(
        SoldRow,
        r#"select distinct on (t.order_id, t.seat_no) (t.created_at at time zone v.timezone)::date as "day!: jiff_sqlx::Date", t.seat_no,
            h.prices[array_position(h.seat_nos, t.seat_no)] as "price!", t.state, h.layout_hash
        from ticket t join orders o using (event_id, order_id) join hold h using (event_id, hold_id)
            join event e using (event_id) join venue v using (venue_id)
        where t.event_id = $1 and t.seat_no = any(h.seat_nos) order by t.order_id, t.seat_no, t.created_at desc"#,
        event.0
    )
    .fetch_all(connection)
    .await
}

/// What an event is sold in.
pub(crate) async fn currency(connection: &mut PgConnection, event: EventId) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("select currency from event where event_id = $1", event.0).fetch_optional(connection).await
}
