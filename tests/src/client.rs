//! An HTTP client as a visitor has one: cookies, or a bearer token, and an idempotency key where a call takes one.

use crate::Database;
use model::UserId;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use uuid::Uuid;

/// A visitor. Clones share cookies.
#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    token: Option<String>,
    http: reqwest::Client,
}

/// What came back: the body as JSON where it is JSON, else null, and always as text.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, if JSON.
    pub json: Value,
    /// The body as it came.
    pub text: String,
}

impl Answer {
    /// Fails the test unless the status is `code`; gives the JSON body.
    #[track_caller]
    #[must_use]
    pub fn expect(self, code: u16) -> Value {
        assert_eq!(self.status.as_u16(), code, "{}", self.text);
        self.json
    }

    /// Fails the test unless this is the problem `/problem/{name}` with status `code`; gives the JSON body.
    #[track_caller]
    #[must_use]
    pub fn problem(self, code: u16, name: &str) -> Value {
        assert_eq!(self.status.as_u16(), code, "{}", self.text);
        assert_eq!(self.json["type"], format!("/problem/{name}"), "{}", self.text);
        self.json
    }
}

impl Client {
    /// A visitor of the site at `base`, nobody yet.
    #[must_use]
    pub fn new(base: &str) -> Self {
        let http = reqwest::Client::builder()
            .cookie_store(true)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_mins(1))
            .build()
            .unwrap();
        Self { base: base.trim_end_matches('/').to_owned(), token: None, http }
    }

    /// A new person who is registered and logged in by bearer token.
    pub async fn registered(base: &str) -> Self {
        let email = format!("buyer-{}@example.test", Uuid::now_v7().simple());
        let password = "correct horse battery staple";
        let nobody = Self::new(base);
        let user = json!({"email": email, "password": password, "name": "A Buyer"});
        nobody.post("/user", &user).await.expect(201).as_object().unwrap();
        nobody.logged_in(&email, password).await
    }

    /// The person of these credentials, by bearer token, with a cookie jar of its own.
    pub async fn logged_in(&self, email: &str, password: &str) -> Self {
        let visitor = Self::new(&self.base);
        let session = visitor.post("/login", &json!({"email": email, "password": password})).await.expect(200);
        Self { token: Some(session["token"].as_str().unwrap().to_owned()), ..Self::new(&self.base) }
    }

    /// A new person with a session, made by SQL: without the time that a password's hash takes.
    pub async fn with_session(base: &str, database: &Database) -> Self {
        let user = UserId::new();
        let account = "insert into account (user_id, email, name, password_hash) values ($1, $2, 'Buyer', '!')";
        let email = format!("{user}@example.test");
        database.connect().await.execute(account, &[&user.0, &email]).await.unwrap();
        Self::session_of(user, base, database).await
    }

    /// Someone who is there, with a session made by SQL.
    pub async fn session_of(user: UserId, base: &str, database: &Database) -> Self {
        let token = format!("session-{}", Uuid::now_v7().simple());
        let client = database.connect().await;
        let session =
            "insert into session (token_hash, user_id, expires_at) values ($1, $2, now() + interval '1 hour')";
        client.execute(session, &[&Sha256::digest(&token).to_vec(), &user.0]).await.unwrap();
        Self { token: Some(token), ..Self::new(base) }
    }

    /// The same person on another server.
    #[must_use]
    pub fn at(&self, base: &str) -> Self {
        Self { token: self.token.clone(), ..Self::new(base) }
    }

    /// Where it visits.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The bearer token, once logged in.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// A request to be built further; `path` may carry a query, or be a whole URL.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::POST, path).json(body)).await
    }

    /// PUT of JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::PUT, path).json(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path)).await
    }

    /// POST of JSON under an idempotency key.
    pub async fn post_once(&self, path: &str, body: &Value, key: &str) -> Answer {
        send(self.request(Method::POST, path).header("Idempotency-Key", key).json(body)).await
    }

    /// POST of JSON under a fresh idempotency key.
    pub async fn post_new(&self, path: &str, body: &Value) -> Answer {
        self.post_once(path, body, &Uuid::now_v7().to_string()).await
    }
}

/// Sends what was built and reads the whole answer.
async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer { status, headers, json, text }
}
