//! Accounts: create, read, change, sign in, sign out.
//!
//! Invariant: an unknown email and a wrong password are the same answer in the same time. Tokens and passwords are never logged.

mod password;
mod record;
mod token;

pub use password::{PasswordError, Passwords};
pub use record::{Account, Role, addressee, by_email, by_token, name, names};
pub use token::{SESSION_TTL_S, sweep};

use crate::app::App;
use crate::extract::Json;
use crate::limit::Network;
use crate::line::{Line, line};
use crate::problem::{Problem, ProblemBody, violates};
use crate::session::{self, Session};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use garde::Validate;
use jiff::Timestamp;
use record::Changes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The accounts' routes.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create, read, change)).routes(routes!(sign_in)).routes(routes!(sign_out))
}

/// What `POST /user` takes.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    #[garde(email, length(chars, max = 254))]
    email: String,
    #[garde(length(chars, min = 10, max = 1000))]
    #[schema(min_length = 10)]
    password: String,
    #[garde(custom(line(200)))]
    name: Line,
}

/// What `PUT /user` takes; a new email or password needs the current password.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct AccountChange {
    #[garde(inner(custom(line(200))))]
    name: Option<Line>,
    #[garde(email, length(chars, max = 254))]
    email: Option<String>,
    #[garde(length(chars, min = 10, max = 1000))]
    password: Option<String>,
    #[garde(length(chars, max = 1000))]
    current_password: Option<String>,
}

/// What `POST /login` takes.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    #[garde(length(chars, max = 1000))]
    email: String,
    #[garde(length(chars, max = 1000))]
    password: String,
}

/// A fresh session.
#[derive(Serialize, ToSchema)]
struct SignedIn {
    /// Bearer token; also set as a cookie.
    token: String,
    expires_at: Timestamp,
    user: Account,
}

/// An email as it is kept.
#[must_use]
pub fn normalised(email: &str) -> String {
    email.trim().to_lowercase()
}

fn email_taken() -> Problem {
    Problem::new(StatusCode::CONFLICT, "email-taken", "There is an account with this email")
}

/// Create an account
#[utoipa::path(post, path = "/user", tag = "accounts", responses(
    (status = 201, body = Account), (status = 409, description = "`email-taken`", body = ProblemBody),
    (status = 422, description = "`invalid`", body = ProblemBody)))]
async fn create(
    State(app): State<App>,
    Json(new): Json<NewAccount>,
) -> Result<(StatusCode, axum::Json<Account>), Problem> {
    let hash = app.passwords.hash(new.password).await?;
    let mut db = app.pool.acquire().await?;
    let account = record::insert(&mut db, &normalised(&new.email), &new.name, &hash).await;
    match account {
        Ok(account) => Ok((StatusCode::CREATED, axum::Json(account))),
        Err(error) if violates(&error, "account_email_key") => Err(email_taken()),
        Err(error) => Err(error.into()),
    }
}

/// Read one's own account
#[utoipa::path(get, path = "/user", tag = "accounts",
    responses((status = 200, body = Account), (status = 401, body = ProblemBody)))]
async fn read(session: Session) -> axum::Json<Account> {
    axum::Json(session.account)
}

/// Change one's own account; a new password ends every other session
#[utoipa::path(put, path = "/user", tag = "accounts", responses(
    (status = 200, body = Account), (status = 401, body = ProblemBody),
    (status = 403, description = "`wrong-password`", body = ProblemBody),
    (status = 409, description = "`email-taken`", body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn change(
    State(app): State<App>,
    session: Session,
    Json(change): Json<AccountChange>,
) -> Result<axum::Json<Account>, Problem> {
    if change.email.is_some() || change.password.is_some() {
        let Some(current) = change.current_password else {
            return Err(Problem::invalid("current_password", "is needed to change the email or the password"));
        };
        prove(&app, &session, current).await?;
    }
    let password_hash = match change.password {
        Some(password) => Some(app.passwords.hash(password).await?),
        None => None,
    };
    let changes =
        Changes { name: change.name.map(String::from), email: change.email.as_deref().map(normalised), password_hash };
    let mut transaction = app.pool.begin().await?;
    let account = match record::update(&mut transaction, session.user_id, &changes).await {
        Err(error) if violates(&error, "account_email_key") => return Err(email_taken()),
        outcome => outcome?,
    };
    if changes.password_hash.is_some() {
        token::delete_others(&mut transaction, session.user_id, &session.token_hash).await?;
    }
    transaction.commit().await?;
    app.sessions.forget_all();
    Ok(axum::Json(account))
}

async fn prove(app: &App, session: &Session, password: String) -> Result<(), Problem> {
    let mut db = app.pool.acquire().await?;
    let stored = record::password_of(&mut db, &session.email).await?.map(|(_, hash)| hash);
    drop(db);
    if app.passwords.check(password, stored).await? {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "wrong-password", "That is not the current password"))
}

/// Sign in: a token for machines, the same token in a cookie for browsers
#[utoipa::path(post, path = "/login", tag = "accounts", responses(
    (status = 200, body = SignedIn), (status = 401, description = "`bad-credentials`", body = ProblemBody),
    (status = 429, description = "`rate-limited`", body = ProblemBody)))]
async fn sign_in(
    State(app): State<App>,
    network: Network,
    Json(credentials): Json<Credentials>,
) -> Result<(HeaderMap, axum::Json<SignedIn>), Problem> {
    let email = normalised(&credentials.email);
    let attempt = app.limits.sign_in.take((session::token_hash(&email), network))?;
    let mut db = app.pool.acquire().await?;
    let known = record::password_of(&mut db, &email).await?;
    drop(db);
    let (account, stored) = known.map_or((None, None), |(account, hash)| (Some(account), Some(hash)));
    let right = app.passwords.check(credentials.password, stored).await?;
    let Some(account) = account.filter(|_| right) else {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "bad-credentials", "Email or password is wrong"));
    };
    attempt.give_back();
    let token = token::fresh();
    let mut db = app.pool.acquire().await?;
    let expires_at = token::insert(&mut db, account.user_id, &session::token_hash(&token)).await?;
    let cookie = session::cookie(&app, &token)?;
    let headers = HeaderMap::from_iter([
        (header::SET_COOKIE, cookie),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]);
    Ok((headers, axum::Json(SignedIn { token, expires_at, user: account })))
}

/// Sign out: the token is dead everywhere at once
#[utoipa::path(post, path = "/logout", tag = "accounts",
    responses((status = 204), (status = 401, body = ProblemBody)))]
async fn sign_out(State(app): State<App>, session: Session) -> Result<(StatusCode, HeaderMap), Problem> {
    let mut db = app.pool.acquire().await?;
    token::delete(&mut db, &session.token_hash).await?;
    app.sessions.forget(&session.token_hash);
    let cookie = session::cookie(&app, "")?;
    Ok((StatusCode::NO_CONTENT, HeaderMap::from_iter([(header::SET_COOKIE, cookie)])))
}
