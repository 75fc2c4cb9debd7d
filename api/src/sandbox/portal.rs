//! The portal's page: what it costs, a card form with the test cards beside it, and a page for each way it can end.
//!
//! The page says plainly that it is a test portal. It carries no script and loads nothing.

use super::card::{Card, Trouble};
use super::delivery;
use super::record::{self, Payment};
use crate::app::App;
use crate::extract::{self, Name};
use crate::problem::Problem;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use minijinja::{Environment, context};
use model::Money;
use std::sync::LazyLock;

static PAGES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut pages = Environment::new();
    if let Err(error) = pages.add_template("pay.html", include_str!("pay.html")) {
        tracing::error!(%error, "the portal's page does not parse");
    }
    pages
});

pub(super) fn router() -> Router<App> {
    Router::new().route("/sandbox/pay/{ref}", get(show).post(pay))
}

async fn show(State(app): State<App>, Name(reference): Name) -> Result<Response, Problem> {
    let payment = find(&app, &reference).await?;
    page(&payment, "", StatusCode::OK)
}

async fn find(app: &App, reference: &str) -> Result<Payment, Problem> {
    let payment = record::find(&app.pool, reference).await?;
    payment.ok_or_else(|| Problem::not_found("no-such-payment", "There is no such payment"))
}

async fn pay(State(app): State<App>, Name(reference): Name, request: Request) -> Result<Response, Problem> {
    let form = extract::body(request, extract::BODY_BYTES_MAX).await?;
    if let Some(proof) = field(&form, "proof") {
        let (to, reason) =
            if proof == "given" { ("authorized", None) } else { ("declined", Some("authentication_failed")) };
        let proven = record::step(&app.pool, &reference, &["challenged"], to, reason).await?;
        return finish(&app, &reference, proven).await;
    }
    let number = field(&form, "card").ok_or_else(|| Problem::invalid("card", "is needed"))?;
    let paid = match Card::of(&number) {
        Card::Succeeds(trouble) => record::authorize(&app.pool, &reference, trouble.map(Trouble::as_str)).await?,
        Card::Declines => record::step(&app.pool, &reference, &["open"], "declined", Some("card_declined")).await?,
        Card::Challenges => {
            record::step(&app.pool, &reference, &["open"], "challenged", None).await?;
            return Ok(Redirect::to(&format!("/sandbox/pay/{reference}")).into_response());
        }
        Card::TimesOut => return page(&find(&app, &reference).await?, "timeout", StatusCode::GATEWAY_TIMEOUT),
        Card::Unknown => return page(&find(&app, &reference).await?, "unknown", StatusCode::UNPROCESSABLE_ENTITY),
    };
    finish(&app, &reference, paid).await
}

/// Tells the client and sends the buyer back to it.
async fn finish(app: &App, reference: &str, stepped: Option<Payment>) -> Result<Response, Problem> {
    let Some(payment) = stepped else {
        // Pressed twice, or finished elsewhere: the page shows how it stands.
        return page(&find(app, reference).await?, "", StatusCode::OK);
    };
    delivery::announce(&app.sandbox, &payment, &app.stop);
    Ok(Redirect::to(&payment.return_url).into_response())
}

/// One field of an urlencoded form.
fn field(form: &[u8], name: &str) -> Option<String> {
    let form = std::str::from_utf8(form).ok()?;
    let value = form.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))?.1;
    // A card number's only encoded character is the space between groups of digits.
    Some(value.replace('+', " ").replace("%20", " "))
}

fn page(payment: &Payment, notice: &str, status: StatusCode) -> Result<Response, Problem> {
    let currency = payment.currency.parse().map_err(|error: model::ParseCurrencyError| Problem::internal(&error))?;
    let amount = Money { minor: payment.amount, currency }.to_string();
    let rendered = PAGES.get_template("pay.html").and_then(|template| {
        template.render(context! {
            amount, notice,
            cards => Card::all().collect::<Vec<_>>(),
            description => &payment.description,
            state => &payment.state,
            return_url => &payment.return_url,
            reference => &payment.reference,
        })
    });
    let html = rendered.map_err(|error| Problem::internal(&error))?;
    let mut response = (status, Html(html)).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy(&payment.return_url)?);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The form may lead back to where the buyer came from, and nowhere else.
fn policy(return_url: &str) -> Result<HeaderValue, Problem> {
    let origin: String = return_url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let plain = origin.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';' && byte != b',');
    let origin = if plain { origin.as_str() } else { "" };
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self' {origin}; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).map_err(|error| Problem::internal(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_s_field_is_found_and_its_spaces_are_spaces() {
        assert_eq!(field(b"name=A&card=4000+0000%200000+0002", "card").unwrap(), "4000 0000 0000 0002");
        assert_eq!(field(b"name=A", "card"), None);
    }

    #[test]
    fn the_page_shows_the_amount_and_every_test_card() {
        let payment = Payment {
            reference: "pay_1".into(),
            amount: 1250,
            currency: "USD".into(),
            description: "Order <1>".into(),
            return_url: "https://frontrow.test/orders/1".into(),
            webhook_url: String::new(),
            state: "open".into(),
            reason: None,
            idempotency_key: "key".into(),
            trouble: None,
            created_at: jiff_sqlx::ToSqlx::to_sqlx(jiff::Timestamp::UNIX_EPOCH),
        };
        let response = page(&payment, "", StatusCode::OK).unwrap();
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("form-action 'self' https://frontrow.test;"));
    }
}
