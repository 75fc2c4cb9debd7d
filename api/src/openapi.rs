//! The API's description, generated from the handlers, and a page that renders it without script.

use crate::app::App;
use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use minijinja::Environment;
use serde_json::Value;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, LicenseBuilder, OpenApi};

const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=60");
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Why the description cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum DescribeError {
    /// It is not JSON.
    #[error("write the API's description")]
    Json(#[from] serde_json::Error),
    /// The page's template is broken.
    #[error("render the API's page")]
    Page(#[from] minijinja::Error),
}

/// `/openapi.json` and `/docs`.
///
/// # Errors
/// When the description cannot be written or rendered.
pub fn router(mut api: OpenApi) -> Result<Router<App>, DescribeError> {
    api.info = InfoBuilder::new()
        .title("Frontrow")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Search for events; book, pay and hold tickets. Errors are application/problem+json (RFC 9457) with a stable type.",
        ))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").build()))
        .build();
    let components = api.components.get_or_insert_with(Components::new);
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    let cookie = ApiKey::Cookie(ApiKeyValue::new("__Host-session"));
    components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    let mut api = serde_json::to_value(&api)?;
    name_who(&mut api);
    let json = Bytes::from(serde_json::to_vec(&api)?);
    let page = Bytes::from(page(&api)?);
    let document = move || std::future::ready(served("application/json", json.clone()));
    let docs = move || std::future::ready(served("text/html; charset=utf-8", page.clone()));
    Ok(Router::new().route("/openapi.json", get(document)).route("/docs", get(docs)))
}

fn served(content_type: &'static str, body: Bytes) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, CACHE),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, body).into_response()
}

/// An operation that refuses those who are not signed in takes either kind of session; `/login` refuses wrong credentials alone.
fn name_who(api: &mut Value) {
    let paths = api.get_mut("paths").and_then(Value::as_object_mut).into_iter().flatten();
    for (_, methods) in paths.filter(|(path, _)| *path != "/login") {
        for operation in methods.as_object_mut().into_iter().flat_map(|methods| methods.values_mut()) {
            if operation.pointer("/responses/401").is_some()
                && let Some(operation) = operation.as_object_mut()
            {
                operation.insert("security".to_owned(), serde_json::json!([{"token": []}, {"session": []}]));
            }
        }
    }
}

/// One operation as the page lists it.
fn operations(api: &Value) -> Vec<Value> {
    let paths = api.get("paths").and_then(Value::as_object).into_iter().flatten();
    paths
        .flat_map(|(path, methods)| {
            methods.as_object().into_iter().flatten().map(move |(method, operation)| {
                serde_json::json!({
                    "path": path, "method": method.to_uppercase(),
                    "tag": operation.pointer("/tags/0"), "summary": operation.get("summary"),
                    "description": operation.get("description"), "parameters": operation.get("parameters"),
                    "body": operation.pointer("/requestBody/content/application~1json/schema/$ref"),
                    "responses": operation.get("responses"),
                })
            })
        })
        .collect()
}

fn page(api: &Value) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.add_template("docs.html", include_str!("docs.html"))?;
    let (info, schemas) = (api.get("info"), api.pointer("/components/schemas"));
    let what = Described { info, operations: operations(api), schemas };
    environment.get_template("docs.html")?.render(minijinja::Value::from(minijinja::value::Serde(what)))
}

/// What the page's template is given.
#[derive(serde::Serialize)]
struct Described<'a> {
    info: Option<&'a Value>,
    operations: Vec<Value>,
    schemas: Option<&'a Value>,
}
