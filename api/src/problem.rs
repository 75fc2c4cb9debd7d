//! Every error as it leaves over HTTP: RFC 9457 `application/problem+json`.
//!
//! The only `IntoResponse` for errors. The body of a 5xx is generic and its cause is logged here, once; a 4xx says what to change.

use crate::account::PasswordError;
use crate::payment::ProviderError;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use booking::{
    BuyError, CheckInError, ExchangeError, ExtendError, Failure, JoinError, RefundError, ReleaseError, ReserveError,
    SalesError, SeatsError, TransferError,
};
use search::BadParameter;
use serde_json::{Map, Value, json};

/// An error on its way out.
#[derive(Debug)]
pub struct Problem(Box<Body>);

#[derive(Debug)]
struct Body {
    status: StatusCode,
    name: &'static str,
    title: &'static str,
    fields: Map<String, Value>,
    retry_after_s: Option<u32>,
    headers: HeaderMap,
}

impl Problem {
    /// A problem named `/problem/<name>`.
    #[must_use]
    pub fn new(status: StatusCode, name: &'static str, title: &'static str) -> Self {
        Self(Box::new(Body { status, name, title, fields: Map::new(), retry_after_s: None, headers: HeaderMap::new() }))
    }

    /// Says what to change.
    #[must_use]
    pub fn detail(self, detail: impl Into<String>) -> Self {
        self.with("detail", json!(detail.into()))
    }

    /// A member of the problem's own.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.0.fields.insert(name.to_owned(), value);
        self
    }

    /// Tells the client when to come again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// A header of the problem's own; what is no header's value is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers.insert(name, value);
        }
        self
    }

    /// The status it leaves with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable name in `type`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// The body as it is sent.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut body = Map::new();
        body.insert("type".into(), format!("/problem/{}", self.0.name).into());
        body.insert("title".into(), self.0.title.into());
        body.insert("status".into(), self.0.status.as_u16().into());
        body.extend(self.0.fields.clone());
        Value::Object(body)
    }

    /// 500: ours, not the client's. Logs the cause with everything under it.
    #[must_use]
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut causes = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        tracing::error!(error = %error, causes = causes.join(": "), "request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side")
    }

    /// 404 with a name of its own.
    #[must_use]
    pub fn not_found(name: &'static str, title: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, name, title)
    }

    /// 401: no session, or a dead one.
    #[must_use]
    pub fn no_session() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "no-session", "Sign in first")
    }

    /// 403: signed in, but not allowed.
    #[must_use]
    pub fn forbidden(detail: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not yours to do").detail(detail)
    }

    /// 422 with one field's message.
    #[must_use]
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::invalid_fields(&[(field.to_owned(), message.into())])
    }

    /// 422 with each field's message.
    #[must_use]
    pub fn invalid_fields(errors: &[(String, String)]) -> Self {
        let errors: Vec<Value> =
            errors.iter().map(|(field, message)| json!({"field": field, "message": message})).collect();
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Some fields are not acceptable")
            .with("errors", Value::Array(errors))
    }

    /// 503: try again soon.
    #[must_use]
    pub fn busy(detail: &str, retry_after_s: u32) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Not right now").detail(detail).retry_after(retry_after_s)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, body) = (self.status(), self.body().to_string());
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.extend(self.0.headers);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.0.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// What a problem looks like, for the API's description.
#[derive(utoipa::ToSchema)]
#[schema(title = "Problem")]
#[expect(dead_code, reason = "a schema, never a value")]
pub struct ProblemBody {
    /// `/problem/<name>`: stable, what a client decides by.
    r#type: String,
    /// What happened, for people.
    title: String,
    /// The HTTP status again.
    status: u16,
    /// What to change.
    detail: Option<String>,
}

/// Whether the database refused because of this constraint.
#[must_use]
pub fn violates(error: &sqlx::Error, constraint: &str) -> bool {
    error.as_database_error().is_some_and(|refusal| refusal.constraint() == Some(constraint))
}

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Stopping => Self::busy("this server is stopping", 1),
            PasswordError::Busy => Self::busy("too many people are signing in at once", 2),
            error @ PasswordError::Argon2(_) => Self::internal(&error),
        }
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut => {
                tracing::warn!("no database connection came free in time");
                Self::busy("the database is busy", 1)
            }
            error => Self::internal(&error),
        }
    }
}

impl From<garde::Report> for Problem {
    fn from(report: garde::Report) -> Self {
        let errors: Vec<_> =
            report.iter().map(|(path, error)| (path.to_string(), error.message().to_string())).collect();
        Self::invalid_fields(&errors)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::internal(&failure)
    }
}

fn no_such_event() -> Problem {
    Problem::not_found("no-such-event", "There is no such event")
}

/// 404: there is none, or none of theirs.
#[must_use]
pub fn no_such_order() -> Problem {
    Problem::not_found("no-such-order", "There is no such order")
}

fn not_now() -> Problem {
    Problem::busy("this event cannot be served here at this moment; try again", 1)
}

/// 422: the key came before with something else.
#[must_use]
pub fn key_reused() -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "key-reused", "This Idempotency-Key was used for another request")
}

/// 409: the key came before, and its request has no answer yet.
#[must_use]
pub fn in_progress() -> Problem {
    Problem::new(StatusCode::CONFLICT, "in-progress", "The first request with this key is still running").retry_after(1)
}

/// 410: the seats went back.
#[must_use]
pub fn hold_expired() -> Problem {
    Problem::new(StatusCode::GONE, "hold-expired", "You hold no seats of this event any more")
        .detail("reserve seats again")
}

impl From<ReserveError> for Problem {
    fn from(error: ReserveError) -> Self {
        let conflict = |name, title| Self::new(StatusCode::CONFLICT, name, title);
        match error {
            ReserveError::NoSuchEvent => no_such_event(),
            ReserveError::BadAsk { field, must } => Self::invalid(&field, must),
            ReserveError::BadSeat { seats } => {
                Self::invalid("seats", "not on sale at this event").with("seats", json!(seats))
            }
            ReserveError::SeatsTaken { seats } => {
                conflict("seats-taken", "Somebody was faster").with("seats", json!(seats))
            }
            ReserveError::NotEnoughSeats => conflict("not-enough-seats", "Fewer seats than that are free"),
            ReserveError::LimitReached { limit } => {
                conflict("limit-reached", "No more seats for you at this event").with("limit", json!(limit))
            }
            ReserveError::NotOnSale { opens_at, closed } => conflict("not-on-sale", "This event is not on sale now")
                .with("opens_at", json!(opens_at))
                .with("closed", json!(closed)),
            ReserveError::Code(why) => {
                let refused = conflict("code-refused", "This code is of no use here");
                let said = json!(why);
                said.as_object()
                    .into_iter()
                    .flatten()
                    .fold(refused, |refused, (name, is)| refused.with(name, is.clone()))
            }
            ReserveError::KeyReused => key_reused(),
            ReserveError::InProgress => in_progress(),
            ReserveError::Busy => not_now(),
            ReserveError::Failed(failure) => failure.into(),
        }
    }
}

impl From<ExtendError> for Problem {
    fn from(error: ExtendError) -> Self {
        match error {
            ExtendError::NoHold => hold_expired(),
            ExtendError::Busy => not_now(),
            ExtendError::Failed(failure) => failure.into(),
        }
    }
}

impl From<ReleaseError> for Problem {
    fn from(error: ReleaseError) -> Self {
        match error {
            ReleaseError::Busy => not_now(),
            ReleaseError::Failed(failure) => failure.into(),
        }
    }
}

impl From<BuyError> for Problem {
    fn from(error: BuyError) -> Self {
        match error {
            BuyError::NoSuchEvent => no_such_event(),
            BuyError::HoldExpired => hold_expired(),
            BuyError::KeyReused => key_reused(),
            BuyError::InProgress => in_progress(),
            BuyError::Busy => not_now(),
            BuyError::Failed(failure) => failure.into(),
        }
    }
}

impl From<JoinError> for Problem {
    fn from(error: JoinError) -> Self {
        let conflict = |name, title| Self::new(StatusCode::CONFLICT, name, title);
        match error {
            JoinError::NoSuchEvent => no_such_event(),
            JoinError::SeatsLeft => conflict("seats-left", "There is nothing to wait for: these seats can be had"),
            JoinError::InLine => conflict("in-line", "You wait for something else; leave the line first"),
            JoinError::LineFull => conflict("line-full", "So many wait that nobody more is let in line"),
            JoinError::BadAsk { field, must } => Self::invalid(&field, must),
            JoinError::LimitReached { limit } => ReserveError::LimitReached { limit }.into(),
            JoinError::NotOnSale { opens_at, closed } => ReserveError::NotOnSale { opens_at, closed }.into(),
            JoinError::Busy => not_now(),
            JoinError::Failed(failure) => failure.into(),
        }
    }
}

impl From<RefundError> for Problem {
    fn from(error: RefundError) -> Self {
        let conflict = |name, title| Self::new(StatusCode::CONFLICT, name, title);
        match error {
            RefundError::NoSuchOrder => no_such_order(),
            RefundError::NotPaid => conflict("not-paid", "Nothing was paid for this order"),
            RefundError::NotAllowed { until } => {
                conflict("not-refundable", "This event gives buyers no money back now").with("until", json!(until))
            }
            RefundError::TicketsGone { tickets } => conflict("tickets-gone", "A ticket was used or passed on")
                .detail("only an order whose tickets are all yours and unused can be given back")
                .with("tickets", json!(tickets)),
            RefundError::Busy => not_now(),
            RefundError::Failed(failure) => failure.into(),
        }
    }
}

impl From<ExchangeError> for Problem {
    fn from(error: ExchangeError) -> Self {
        let conflict = |name, title| Self::new(StatusCode::CONFLICT, name, title);
        match error {
            ExchangeError::NoSuchOrder => no_such_order(),
            ExchangeError::NotPaid => conflict("not-paid", "Nothing was paid for this order"),
            ExchangeError::BadAsk { field, must } => Self::invalid(&field, must),
            ExchangeError::BadSeat { seats } => {
                Self::invalid("take", "not on sale at this event").with("seats", json!(seats))
            }
            ExchangeError::SeatsTaken { seats } => {
                conflict("seats-taken", "Somebody was faster").with("seats", json!(seats))
            }
            ExchangeError::OtherPrice => conflict("other-price", "These seats have another price")
                .detail("a seat goes for one that costs what was paid for it"),
            ExchangeError::NotOnSale { closed } => {
                conflict("not-on-sale", "This event is not on sale now").with("closed", json!(closed))
            }
            ExchangeError::TicketsGone { tickets } => conflict("tickets-gone", "A ticket was used or passed on")
                .detail("only seats whose tickets are yours and unused can be exchanged")
                .with("tickets", json!(tickets)),
            ExchangeError::Busy => not_now(),
            ExchangeError::Failed(failure) => failure.into(),
        }
    }
}

/// 404: there is none, or none of theirs.
#[must_use]
pub fn no_such_ticket() -> Problem {
    Problem::not_found("no-such-ticket", "There is no such ticket")
}

fn already_used(at: jiff::Timestamp) -> Problem {
    Problem::new(StatusCode::CONFLICT, "already-used", "This ticket has let somebody in").with("at", json!(at))
}

impl From<TransferError> for Problem {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::NoSuchTicket => no_such_ticket(),
            TransferError::AlreadyUsed { at } => already_used(at),
            TransferError::Failed(failure) => failure.into(),
        }
    }
}

impl From<CheckInError> for Problem {
    fn from(error: CheckInError) -> Self {
        let dead = |reason: &str, detail: &str| {
            let problem = Self::new(StatusCode::GONE, "dead-code", "This code opens no door any more");
            problem.detail(detail).with("reason", json!(reason))
        };
        match error {
            CheckInError::NoSuchTicket => crate::door::bad_code(),
            CheckInError::PassedOn => dead("passed-on", "the ticket was passed on; its holder has a newer code"),
            CheckInError::Void => dead("void", "the ticket was given back"),
            CheckInError::AlreadyUsed { at } => already_used(at),
            CheckInError::Failed(failure) => failure.into(),
        }
    }
}

impl From<SalesError> for Problem {
    fn from(error: SalesError) -> Self {
        match error {
            SalesError::NoSuchEvent => no_such_event(),
            SalesError::Failed(failure) => failure.into(),
        }
    }
}

impl From<SeatsError> for Problem {
    fn from(error: SeatsError) -> Self {
        match error {
            SeatsError::NoSuchEvent => no_such_event(),
            SeatsError::Failed(failure) => failure.into(),
        }
    }
}

impl From<ProviderError> for Problem {
    fn from(error: ProviderError) -> Self {
        tracing::warn!(error = %error, cause = ?std::error::Error::source(&error), "payment provider");
        Self::new(StatusCode::BAD_GATEWAY, "provider-unavailable", "The payment provider does not answer")
            .detail("nothing was taken; try again with the same Idempotency-Key")
            .retry_after(2)
    }
}

impl From<BadParameter> for Problem {
    fn from(error: BadParameter) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-parameter", "A parameter is not accepted")
            .detail(error.to_string())
            .with("parameter", json!(error.name))
            .with("accepted", json!(error.accepted))
    }
}
