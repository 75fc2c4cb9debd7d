//! Stripe's front as its documentation has it, before a `localstripe` that has no Checkout: sessions with their hosted page,
//! idempotency keys on every write, answers that get lost. Everything about money passes through to `localstripe`.

use super::local::LocalStripe;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use uuid::Uuid;

/// What Checkout knows of the parameters we may send; Stripe refuses any other.
const KNOWN: [&str; 14] = [
    "mode",
    "client_reference_id",
    "success_url",
    "cancel_url",
    "payment_method_types[0]",
    "line_items[0][quantity]",
    "line_items[0][price_data][currency]",
    "line_items[0][price_data][unit_amount]",
    "line_items[0][price_data][product_data][name]",
    "payment_intent_data[capture_method]",
    "payment_intent_data[metadata][payment_id]",
    "payment_intent_data[metadata][installation]",
    "metadata[payment_id]",
    "metadata[installation]",
];

type Form = BTreeMap<String, String>;

/// A page to pay at.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) form: Form,
    pub(super) status: &'static str,
    pub(super) intent: Option<String>,
}

#[derive(Default)]
struct Books {
    sessions: BTreeMap<String, Session>,
    /// What was asked under each key, and the first answer.
    keys: HashMap<String, (String, StatusCode, Value)>,
    /// Writes that were carried out, by path.
    done: Vec<String>,
    /// The next write to a path that ends so is carried out, and its answer lost.
    lost: Option<&'static str>,
}

/// The front and what is behind it.
pub(super) struct Stripe {
    pub(super) base: String,
    pub(super) local: LocalStripe,
    books: Arc<Mutex<Books>>,
}

#[derive(Clone)]
struct Front {
    base: String,
    behind: String,
    books: Arc<Mutex<Books>>,
}

impl Stripe {
    pub(super) async fn start() -> Self {
        let local = LocalStripe::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let books = Arc::<Mutex<Books>>::default();
        let front = Front { base: base.clone(), behind: local.base.clone(), books: Arc::clone(&books) };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer).with_state(front)).await });
        Self { base, local, books }
    }

    /// The session of a page.
    pub(super) fn session(&self, portal_url: &str) -> (String, Session) {
        let id = portal_url.rsplit('/').next().unwrap().to_owned();
        let session = self.books.lock().unwrap().sessions[&id].clone();
        (id, session)
    }

    pub(super) fn sessions(&self) -> usize {
        self.books.lock().unwrap().sessions.len()
    }

    /// How many writes to paths that end so were carried out.
    pub(super) fn done(&self, path: &str) -> usize {
        self.books.lock().unwrap().done.iter().filter(|done| done.ends_with(path)).count()
    }

    /// The next write to a path that ends so is carried out, and its answer lost.
    pub(super) fn lose(&self, path: &'static str) {
        self.books.lock().unwrap().lost = Some(path);
    }

    /// A buyer pays on Stripe's page with a payment method; gives the `PaymentIntent`'s id.
    pub(super) async fn pay(&self, portal_url: &str, method: &str) -> String {
        let (id, Session { form, status, .. }) = self.session(portal_url);
        assert_eq!(status, "open");
        let field = |name: &str| form[name].clone();
        let intent = self
            .call(
                "payment_intents",
                &[
                    ("amount", field("line_items[0][price_data][unit_amount]")),
                    ("currency", field("line_items[0][price_data][currency]")),
                    ("capture_method", field("payment_intent_data[capture_method]")),
                    ("metadata[payment_id]", field("payment_intent_data[metadata][payment_id]")),
                    ("metadata[installation]", field("payment_intent_data[metadata][installation]")),
                    ("payment_method", method.to_owned()),
                ],
            )
            .await;
        let intent = intent["id"].as_str().unwrap().to_owned();
        let confirmed = self.call(&format!("payment_intents/{intent}/confirm"), &[]).await;
        let mut books = self.books.lock().unwrap();
        let session = books.sessions.get_mut(&id).unwrap();
        session.intent = Some(intent.clone());
        if confirmed["status"] == "requires_capture" {
            session.status = "complete";
        }
        intent
    }

    /// A call to `localstripe` itself, as Stripe's own page or dashboard makes it.
    pub(super) async fn call(&self, path: &str, form: &[(&str, String)]) -> Value {
        let request = reqwest::Client::new().post(format!("{}/v1/{path}", self.local.base)).bearer_auth("sk_test_page");
        request.form(form).send().await.unwrap().json().await.unwrap()
    }

    /// What `localstripe` has at a path.
    pub(super) async fn look(&self, path: &str) -> Value {
        let request = reqwest::Client::new().get(format!("{}/v1/{path}", self.local.base)).bearer_auth("sk_test_page");
        request.send().await.unwrap().json().await.unwrap()
    }
}

async fn answer(State(front): State<Front>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let bearer = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let versioned = parts.headers.contains_key("stripe-version");
    if !bearer.starts_with("Bearer sk_") || !versioned {
        return refusal(StatusCode::UNAUTHORIZED, "a secret key and a version");
    }
    let path = parts.uri.path_and_query().unwrap().as_str().to_owned();
    if parts.method == Method::GET {
        let (status, json) = front.carry_out(&Method::GET, &path, &parts.headers, &body).await;
        return (status, axum::Json(json)).into_response();
    }
    let Some(key) = parts.headers.get("idempotency-key").map(|key| key.to_str().unwrap().to_owned()) else {
        return refusal(StatusCode::BAD_REQUEST, "a write without an idempotency key");
    };
    let asked = format!("{path} {body:?}");
    let known = front.books.lock().unwrap().keys.get(&key).cloned();
    let (status, json) = match known {
        Some((first, ..)) if first != asked => {
            return refusal(StatusCode::BAD_REQUEST, "the key was used for another request");
        }
        Some((_, status, json)) => (status, json),
        None => {
            let (status, json) = front.carry_out(&parts.method, &path, &parts.headers, &body).await;
            let mut books = front.books.lock().unwrap();
            books.keys.insert(key, (asked, status, json.clone()));
            if status.is_success() {
                books.done.push(path.clone());
            }
            (status, json)
        }
    };
    let lost = {
        let mut books = front.books.lock().unwrap();
        books.lost.take_if(|lost| path.ends_with(*lost)).is_some()
    };
    if lost {
        let broken = stream::once(async { Err::<Bytes, _>(std::io::Error::other("lost")) });
        return Body::from_stream(broken).into_response();
    }
    (status, axum::Json(json)).into_response()
}

fn refusal(status: StatusCode, message: &str) -> Response {
    let error = json!({"error": {"type": "invalid_request_error", "message": message}});
    (status, axum::Json(error)).into_response()
}

impl Front {
    async fn carry_out(&self, method: &Method, path: &str, headers: &HeaderMap, body: &Bytes) -> (StatusCode, Value) {
        match path.strip_prefix("/v1/checkout/sessions") {
            Some("") => self.open(body),
            Some(rest) => self.at(rest.trim_start_matches('/')),
            None => {
                let mut request = reqwest::Client::new().request(method.clone(), format!("{}{path}", self.behind));
                for name in [header::AUTHORIZATION, header::CONTENT_TYPE] {
                    request =
                        request.headers(headers.get(&name).map(|value| (name, value.clone())).into_iter().collect());
                }
                let response = request.body(body.clone()).send().await.unwrap();
                (response.status(), response.json().await.unwrap())
            }
        }
    }

    fn open(&self, body: &Bytes) -> (StatusCode, Value) {
        let form: Form = url_decoded(body);
        let unknown: Vec<_> = form.keys().filter(|name| !KNOWN.contains(&name.as_str())).collect();
        if !unknown.is_empty() || form["mode"] != "payment" || form["payment_intent_data[capture_method]"] != "manual" {
            return (StatusCode::BAD_REQUEST, json!({"error": {"message": format!("unknown parameters {unknown:?}")}}));
        }
        let id = format!("cs_test_{}", Uuid::new_v4().simple());
        let session = Session { form, status: "open", intent: None };
        let shown = self.shown(&id, &session);
        self.books.lock().unwrap().sessions.insert(id, session);
        (StatusCode::OK, shown)
    }

    fn at(&self, path: &str) -> (StatusCode, Value) {
        let (id, expires) = path.strip_suffix("/expire").map_or((path, false), |id| (id, true));
        let mut books = self.books.lock().unwrap();
        let Some(session) = books.sessions.get_mut(id) else {
            return (StatusCode::NOT_FOUND, json!({"error": {"message": "no such session"}}));
        };
        if expires {
            session.status = "expired";
        }
        (StatusCode::OK, self.shown(id, session))
    }

    fn shown(&self, id: &str, session: &Session) -> Value {
        let amount: i64 = session.form["line_items[0][price_data][unit_amount]"].parse().unwrap();
        json!({
            "id": id, "object": "checkout.session", "status": session.status, "payment_intent": session.intent,
            "amount_total": amount, "currency": session.form["line_items[0][price_data][currency]"],
            "url": (session.status == "open").then(|| format!("{}/pay/{id}", self.base)),
        })
    }
}

fn url_decoded(body: &Bytes) -> Form {
    let url = reqwest::Url::parse(&format!("http://form/?{}", std::str::from_utf8(body).unwrap())).unwrap();
    url.query_pairs().into_owned().collect()
}
