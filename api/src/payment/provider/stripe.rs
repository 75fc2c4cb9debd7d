//! Stripe over its REST: a Checkout page of Stripe's own, so that no card and no foreign script comes near this site; its
//! `PaymentIntent` is authorised there and captured by us (`capture_method=manual`).
//!
//! Writes carry idempotency keys. A message of Stripe's only says that something happened: how a payment stands is asked.

use super::{Act, Foreign, ForeignPage, NewPayment, Opened, ProviderError, Standing, client, title_of};
use crate::config::Secret;
use crate::hex;
use crate::payment::message::Message;
use booking::Report;
use jiff::Timestamp;
use model::{Currency, Money, PaymentId};
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;

/// The version of Stripe's API that this is written against, whatever the account's default is.
const VERSION: &str = "2024-06-20";
/// What each of our objects there carries: the payment it is of, and whose payment that is.
const PAYMENT: &str = "payment_id";
const INSTALLATION: &str = "installation";

/// How to reach Stripe, from the environment.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `sk_…`, or a restricted `rk_…`.
    pub key: Secret,
    /// `whsec_…`: what its messages are signed with.
    pub webhook_key: Secret,
    /// Where its REST is, without a trailing slash.
    pub url: String,
}

/// A client of Stripe. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    settings: Settings,
    /// Marks our objects: others may use the same account.
    installation: String,
}

type Form = Vec<(&'static str, String)>;

#[derive(Deserialize)]
struct Session {
    id: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    payment_intent: Option<String>,
    amount_total: i64,
    currency: String,
}

#[derive(Deserialize)]
struct Intent {
    id: String,
    created: i64,
    #[serde(default)]
    metadata: HashMap<String, String>,
    status: String,
    #[serde(default)]
    latest_charge: Option<Charge>,
    #[serde(default)]
    last_payment_error: Option<Failure>,
}

#[derive(Deserialize)]
struct Charge {
    refunded: bool,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    decline_code: Option<String>,
}

#[derive(Deserialize)]
struct Refund {
    status: Option<String>,
}

#[derive(Deserialize)]
struct List {
    data: Vec<Intent>,
    has_more: bool,
}

/// An answer of which only the status matters.
#[derive(Deserialize)]
struct Whatever {}

#[derive(Deserialize)]
struct Event {
    id: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    metadata: Option<HashMap<String, String>>,
}

impl Client {
    /// A client whose objects carry `installation`.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(settings: Settings, installation: String) -> Result<Self, reqwest::Error> {
        Ok(Self { http: client()?, settings, installation })
    }

    pub(super) fn webhook_key(&self) -> &str {
        self.settings.webhook_key.expose()
    }

    pub(super) async fn open(&self, payment: PaymentId, new: &NewPayment) -> Result<Opened, ProviderError> {
        let form = self.checkout(payment, new)?;
        // The payment's key, for this page: asking for another address to come back to is another question, and nobody ever sees
        // the page of the first one.
        let digest = Sha256::digest(format!("{form:?}"));
        let key = format!("open:{payment}:{}", hex::encode(&digest[..8]));
        let session: Session = self.post("checkout/sessions", &key, &form).await?;
        let portal_url =
            session.url.ok_or(ProviderError::Refused { status: 200, title: "a session without a page".into() })?;
        Ok(Opened { provider_ref: session.id, portal_url })
    }

    fn checkout(&self, payment: PaymentId, new: &NewPayment) -> Result<Form, ProviderError> {
        let (payment_id, installation) = (payment.to_string(), &self.installation);
        Ok(vec![
            ("mode", "payment".into()),
            ("client_reference_id", payment_id.clone()),
            ("success_url", new.return_url.clone()),
            ("cancel_url", new.return_url.clone()),
            ("payment_method_types[0]", "card".into()),
            ("line_items[0][quantity]", "1".into()),
            ("line_items[0][price_data][currency]", new.money.currency.as_str().to_lowercase()),
            ("line_items[0][price_data][unit_amount]", amount(new.money)?.to_string()),
            ("line_items[0][price_data][product_data][name]", new.description.clone()),
            ("payment_intent_data[capture_method]", "manual".into()),
            ("payment_intent_data[metadata][payment_id]", payment_id.clone()),
            ("payment_intent_data[metadata][installation]", installation.clone()),
            ("metadata[payment_id]", payment_id),
            ("metadata[installation]", installation.clone()),
        ])
    }

    pub(super) async fn ask(&self, provider_ref: &str) -> Result<Standing, ProviderError> {
        let session = self.session(provider_ref).await?;
        let money = money(session.amount_total, &session.currency)?;
        let report = match &session.payment_intent {
            _ if session.status.as_deref() == Some("expired") => Some(Report::Voided),
            Some(intent) => {
                report(&self.get::<Intent>(&format!("payment_intents/{intent}?expand[]=latest_charge")).await?)
            }
            None => None,
        };
        Ok(Standing { report, money, holder: session.payment_intent.unwrap_or(session.id) })
    }

    /// Stripe's newest first, until they are older than asked for.
    pub(super) async fn list(&self, from: Timestamp, after: Option<&str>) -> Result<ForeignPage, ProviderError> {
        let after = after.map(|after| format!("&starting_after={after}")).unwrap_or_default();
        let page: List = self.get(&format!("payment_intents?limit=100&expand[]=data.latest_charge{after}")).await?;
        let last = page.data.last().filter(|last| page.has_more && last.created >= from.as_second());
        let next = last.map(|last| last.id.clone());
        let ours = page.data.into_iter().filter(|intent| intent.metadata.get(INSTALLATION) == Some(&self.installation));
        let foreign = ours.map(|intent| Foreign {
            payment: intent.metadata.get(PAYMENT).and_then(|payment| payment.parse().ok()),
            report: report(&intent),
            created_at: Timestamp::from_second(intent.created).unwrap_or_default(),
            holder: intent.id,
        });
        Ok(ForeignPage { payments: foreign.collect(), next })
    }

    pub(super) async fn act(&self, act: Act, provider_ref: &str, key: &str) -> Result<(), ProviderError> {
        let Session { status, payment_intent, .. } = self.session(provider_ref).await?;
        match (act, payment_intent) {
            // Stripe lets nobody cancel what an open page has: the page ends, and that with it.
            (Act::Void, _) if status.as_deref() == Some("open") => {
                self.write(&format!("checkout/sessions/{provider_ref}/expire"), key).await
            }
            (act, Some(intent)) => self.act_on_intent(act, &intent, key).await,
            (Act::Capture | Act::Void | Act::Refund, None) => {
                Err(ProviderError::Refused { status: 404, title: "nobody paid on that page".into() })
            }
        }
    }

    pub(super) async fn act_on_intent(&self, act: Act, intent: &str, key: &str) -> Result<(), ProviderError> {
        match act {
            Act::Capture => self.write(&format!("payment_intents/{intent}/capture"), key).await,
            Act::Void => self.write(&format!("payment_intents/{intent}/cancel"), key).await,
            Act::Refund => {
                let refund: Refund = self.post("refunds", key, &vec![("payment_intent", intent.to_owned())]).await?;
                match refund.status.as_deref() {
                    Some("failed" | "canceled") => {
                        Err(ProviderError::Refused { status: 200, title: "the refund failed".into() })
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// A write that takes nothing, and of whose answer only the status matters.
    async fn write(&self, path: &str, key: &str) -> Result<(), ProviderError> {
        self.post::<Whatever>(path, key, &Form::new()).await.map(|_| ())
    }

    /// Whatever happened to a payment of ours: that it did.
    pub(super) fn read(&self, body: &[u8]) -> Result<Option<Message>, serde_json::Error> {
        let Event { id, data } = serde_json::from_slice(body)?;
        let marks = data.object.metadata.unwrap_or_default();
        let ours = marks.get(INSTALLATION) == Some(&self.installation);
        let payment = marks.get(PAYMENT).filter(|_| ours).and_then(|payment| payment.parse().ok());
        Ok(payment.map(|payment| Message::Moved { id, payment }))
    }

    async fn session(&self, provider_ref: &str) -> Result<Session, ProviderError> {
        self.get(&format!("checkout/sessions/{provider_ref}")).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ProviderError> {
        self.answer(self.http.get(format!("{}/v1/{path}", self.settings.url))).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, key: &str, form: &Form) -> Result<T, ProviderError> {
        let request = self.http.post(format!("{}/v1/{path}", self.settings.url)).header("idempotency-key", key);
        self.answer(request.form(form)).await
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ProviderError> {
        let request = request.bearer_auth(self.settings.key.expose()).header("stripe-version", VERSION);
        let response = request.send().await?;
        let status = response.status().as_u16();
        match status {
            200..300 => Ok(response.json().await?),
            // 409: the first request under the same key still runs.
            401 | 403 | 408 | 409 | 429 | 500.. => {
                Err(ProviderError::NotNow { status, title: title_of(response).await? })
            }
            _ => Err(ProviderError::Refused { status, title: title_of(response).await? }),
        }
    }
}

/// A `PaymentIntent`'s status as booking understands it.
fn report(intent: &Intent) -> Option<Report> {
    match intent.status.as_str() {
        "requires_capture" => Some(Report::Authorized),
        "succeeded" if intent.latest_charge.as_ref().is_some_and(|charge| charge.refunded) => Some(Report::Refunded),
        "succeeded" => Some(Report::Captured),
        "canceled" => Some(Report::Voided),
        "requires_payment_method" => intent.last_payment_error.as_ref().map(|failure| {
            let reason = failure.decline_code.as_ref().or(failure.code.as_ref());
            Report::Declined { reason: reason.map_or("declined", String::as_str).to_owned() }
        }),
        _ => None,
    }
}

/// So many of Stripe's units are so many of ours: it counts in ISO 4217's minor units, but for what it calls special cases.
fn ratio(currency: Currency) -> (i64, i64) {
    match currency.as_str() {
        "ISK" | "UGX" => (100, 1),
        "MGA" => (1, 100),
        _ => (1, 1),
    }
}

/// As Stripe counts it.
fn amount(money: Money) -> Result<i64, ProviderError> {
    let (theirs, ours) = ratio(money.currency);
    let whole = money.minor.checked_mul(theirs).filter(|amount| amount % ours == 0).map(|amount| amount / ours);
    whole.ok_or_else(|| ProviderError::Refused { status: 400, title: format!("Stripe cannot take {money}") })
}

/// As we count it.
fn money(amount: i64, currency: &str) -> Result<Money, ProviderError> {
    let currency: Currency = currency
        .to_uppercase()
        .parse()
        .map_err(|error: model::ParseCurrencyError| ProviderError::Refused { status: 200, title: error.to_string() })?;
    let (theirs, ours) = ratio(currency);
    Ok(Money { minor: amount.saturating_mul(ours) / theirs, currency })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripe() -> Client {
        let settings = Settings {
            key: Secret::new("sk_test".into()),
            webhook_key: Secret::new("whsec".into()),
            url: "http://localhost".into(),
        };
        Client::new(settings, "here".into()).unwrap()
    }

    fn intent(mut json: serde_json::Value) -> Option<Report> {
        (json["id"], json["created"]) = ("pi_1".into(), 1.into());
        report(&serde_json::from_value(json).unwrap())
    }

    #[test]
    fn each_status_is_a_report() {
        use serde_json::json;
        assert_eq!(intent(json!({"status": "requires_payment_method"})), None);
        let declined = json!({"status": "requires_payment_method",
            "last_payment_error": {"code": "card_declined", "decline_code": "insufficient_funds"}});
        assert_eq!(intent(declined), Some(Report::Declined { reason: "insufficient_funds".into() }));
        assert_eq!(intent(json!({"status": "requires_action"})), None);
        assert_eq!(
            intent(json!({"status": "requires_capture", "latest_charge": {"refunded": false}})),
            Some(Report::Authorized)
        );
        assert_eq!(
            intent(json!({"status": "succeeded", "latest_charge": {"refunded": false}})),
            Some(Report::Captured)
        );
        assert_eq!(intent(json!({"status": "succeeded", "latest_charge": {"refunded": true}})), Some(Report::Refunded));
        assert_eq!(intent(json!({"status": "canceled"})), Some(Report::Voided));
    }

    #[test]
    fn only_messages_of_our_payments_are_ours() {
        let payment = PaymentId::new();
        let message = |installation: &str| {
            let marks = serde_json::json!({"payment_id": payment, "installation": installation});
            serde_json::json!({"id": "evt_1", "type": "charge.refunded", "data": {"object": {"metadata": marks}}})
                .to_string()
        };
        let ours = Message::Moved { id: "evt_1".into(), payment };
        assert_eq!(stripe().read(message("here").as_bytes()).unwrap(), Some(ours));
        assert_eq!(stripe().read(message("elsewhere").as_bytes()).unwrap(), None);
        assert_eq!(stripe().read(br#"{"id": "evt_2", "data": {"object": {"id": "cus_1"}}}"#).unwrap(), None);
        assert!(stripe().read(b"{}").is_err());
    }

    #[test]
    fn currencies_are_counted_as_stripe_does() {
        for (code, minor, theirs) in
            [("USD", 1_250, 1_250), ("JPY", 1_250, 1_250), ("ISK", 1_250, 125_000), ("MGA", 1_200, 12)]
        {
            let ours = Money { minor, currency: code.parse().unwrap() };
            assert_eq!(amount(ours).unwrap(), theirs);
            assert_eq!(money(theirs, &code.to_lowercase()).unwrap(), ours);
        }
        assert!(amount(Money { minor: 1_250, currency: "MGA".parse().unwrap() }).is_err(), "ariary has no cents there");
    }
}
