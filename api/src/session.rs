//! Who is asking: sessions from a cookie or a bearer token, and the roles handlers ask for.
//!
//! Invariant: an unsafe method carried by a cookie must come from this site itself (`Sec-Fetch-Site`, else `Origin`); a bearer
//! token proves intent by itself. Tokens are 256 random bits; the database knows only their SHA-256.

mod cache;

pub use cache::Sessions;

use crate::account::{self, Account, Role};
use crate::app::App;
use crate::problem::Problem;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use axum_extra::extract::cookie::CookieJar;
use model::UserId;
use sha2::{Digest as _, Sha256};
use std::ops::Deref;

/// The cookie's name over TLS: the prefix makes browsers insist on `Secure`, `Path=/` and no `Domain`.
const COOKIE_SECURE: &str = "__Host-session";
/// The cookie's name on plain http, for development on localhost.
const COOKIE_PLAIN: &str = "session";

/// The session cookie's name on this site.
#[must_use]
pub fn cookie_name(app: &App) -> &'static str {
    if app.is_secure() { COOKIE_SECURE } else { COOKIE_PLAIN }
}

/// The cookie that carries `token`; an empty token makes the browser drop it.
///
/// # Errors
/// Never for a token of ours.
pub fn cookie(app: &App, token: &str) -> Result<HeaderValue, Problem> {
    let (name, secure) = if app.is_secure() { (COOKIE_SECURE, "; Secure") } else { (COOKIE_PLAIN, "") };
    let max_age = if token.is_empty() { 0 } else { account::SESSION_TTL_S };
    let cookie = format!("{name}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}{secure}");
    HeaderValue::from_str(&cookie).map_err(|error| Problem::internal(&error))
}

/// What the database keeps of a token.
#[must_use]
pub fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Anyone signed in. Take `Option<Session>` where signing in is optional.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who.
    pub account: Account,
    /// The token's hash: the session's key.
    pub token_hash: [u8; 32],
}

/// Someone who buys: anyone signed in.
#[derive(Clone, Debug)]
pub struct Buyer {
    /// Who.
    pub id: UserId,
}

/// An organizer or an admin.
#[derive(Clone, Debug)]
pub struct Organizer(pub Account);

/// An admin.
#[derive(Clone, Debug)]
pub struct Admin(pub Account);

impl Deref for Session {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.account
    }
}

impl Organizer {
    /// Whether they may change what belongs to `owner`.
    #[must_use]
    pub fn owns(&self, owner: UserId) -> bool {
        self.0.role == Role::Admin || self.0.user_id == owner
    }
}

enum Token<'a> {
    Bearer(&'a str),
    Cookie(String),
}

fn token<'a>(headers: &'a HeaderMap, app: &App) -> Option<Token<'a>> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| Token::Bearer(token.trim()));
    }
    let jar = CookieJar::from_headers(headers);
    jar.get(cookie_name(app)).map(|cookie| Token::Cookie(cookie.value().to_owned()))
}

/// Refuses an unsafe request that another site made the browser send.
///
/// # Errors
/// 403 `cross-site`.
pub fn refuse_cross_site(parts: &Parts, app: &App) -> Result<(), Problem> {
    if parts.method.is_safe() {
        return Ok(());
    }
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let ours = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let host = text("host").unwrap_or_default();
            origin == app.public_url || origin.split_once("://").is_some_and(|(_, authority)| authority == host)
        }
        // Neither header: no browser of this decade, so no ambient authority to abuse.
        (None, None) => true,
    };
    if ours {
        Ok(())
    } else {
        Err(Problem::new(StatusCode::FORBIDDEN, "cross-site", "This request came from another site"))
    }
}

impl Session {
    /// Counts a write for its account, before anything of its body is read.
    fn counted(account: Account, token_hash: [u8; 32], parts: &Parts, app: &App) -> Result<Self, Problem> {
        if !parts.method.is_safe() {
            app.limits.account.take(account.user_id)?;
        }
        Ok(Self { account, token_hash })
    }
}

impl OptionalFromRequestParts<App> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>, Problem> {
        let token = match token(&parts.headers, app) {
            None => return Ok(None),
            Some(Token::Bearer(token)) => token.to_owned(),
            Some(Token::Cookie(token)) => {
                refuse_cross_site(parts, app)?;
                token
            }
        };
        let token_hash = token_hash(&token);
        if let Some(account) = app.sessions.get(&token_hash) {
            return Ok(Some(Self::counted(account, token_hash, parts, app)?));
        }
        let before = app.sessions.before();
        let mut db = app.pool.acquire().await?;
        let account = account::by_token(&mut db, &token_hash).await?;
        drop(db);
        match account {
            Some(account) => {
                app.sessions.remember(token_hash, &account, before);
                Ok(Some(Self::counted(account, token_hash, parts, app)?))
            }
            None => Ok(None),
        }
    }
}

impl FromRequestParts<App> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let session = <Self as OptionalFromRequestParts<App>>::from_request_parts(parts, app).await?;
        session.ok_or_else(Problem::no_session)
    }
}

impl FromRequestParts<App> for Buyer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let session = <Session as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        Ok(Self { id: session.account.user_id })
    }
}

impl FromRequestParts<App> for Organizer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let session = <Session as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        match session.account.role {
            Role::Organizer | Role::Admin => Ok(Self(session.account)),
            Role::Attendee => Err(Problem::forbidden("organizers and admins only")),
        }
    }
}

impl FromRequestParts<App> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let session = <Session as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        match session.account.role {
            Role::Admin => Ok(Self(session.account)),
            Role::Organizer | Role::Attendee => Err(Problem::forbidden("admins only")),
        }
    }
}
