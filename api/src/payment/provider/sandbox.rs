//! The built-in portal as a provider: called over plain HTTP like any other.

use super::{Act, Foreign, ForeignPage, NewPayment, Opened, ProviderError, Standing, client, title_of};
use crate::config::Secret;
use crate::payment::message::Message;
use booking::Report;
use jiff::Timestamp;
use model::{Currency, Money, PaymentId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A client of the portal. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    /// Where its REST is, without a trailing slash.
    base: String,
    key: Secret,
    webhook_key: Secret,
    webhook_url: String,
}

#[derive(Serialize)]
struct Create<'a> {
    amount: i64,
    currency: Currency,
    description: &'a str,
    return_url: &'a str,
    webhook_url: &'a str,
}

#[derive(Deserialize)]
struct Payment {
    #[serde(rename = "ref")]
    provider_ref: String,
    amount: i64,
    currency: Currency,
    state: String,
    #[serde(default)]
    reason: Option<String>,
    portal_url: String,
    /// What it was opened under: our payment's id.
    idempotency_key: String,
    created_at: Timestamp,
}

#[derive(Deserialize)]
struct Page {
    payments: Vec<Payment>,
    next: Option<String>,
}

/// A message as the portal sends it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    id: String,
    #[serde(rename = "ref")]
    provider_ref: String,
    state: String,
    #[serde(default)]
    reason: Option<String>,
}

impl Client {
    /// A client that calls `base` and has messages sent to `webhook_url`, signed with `webhook_key`.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(
        base: String,
        (key, webhook_key): (Secret, Secret),
        webhook_url: String,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self { http: client()?, base, key, webhook_key, webhook_url })
    }

    pub(super) fn webhook_key(&self) -> &str {
        self.webhook_key.expose()
    }

    pub(super) async fn open(&self, payment: PaymentId, new: &NewPayment) -> Result<Opened, ProviderError> {
        let body = Create {
            amount: new.money.minor,
            currency: new.money.currency,
            description: &new.description,
            return_url: &new.return_url,
            webhook_url: &self.webhook_url,
        };
        let request = self.http.post(format!("{}/payments", self.base)).json(&body);
        let payment: Payment = self.answer(request.header("idempotency-key", payment.to_string())).await?;
        Ok(Opened { provider_ref: payment.provider_ref, portal_url: payment.portal_url })
    }

    pub(super) async fn ask(&self, provider_ref: &str) -> Result<Standing, ProviderError> {
        let payment: Payment = self.answer(self.http.get(format!("{}/payments/{provider_ref}", self.base))).await?;
        let money = Money { minor: payment.amount, currency: payment.currency };
        Ok(Standing { report: report(&payment.state, payment.reason), money, holder: payment.provider_ref })
    }

    pub(super) async fn act(&self, act: Act, provider_ref: &str, key: &str) -> Result<(), ProviderError> {
        let verb = match act {
            Act::Capture => "capture",
            Act::Void => "void",
            Act::Refund => "refund",
        };
        let request = self.http.post(format!("{}/payments/{provider_ref}/{verb}", self.base));
        self.answer::<Payment>(request.header("idempotency-key", key)).await.map(|_| ())
    }

    pub(super) async fn list(&self, from: Timestamp, after: Option<&str>) -> Result<ForeignPage, ProviderError> {
        let request = self.http.get(format!("{}/payments", self.base)).query(&[("from", from.to_string())]);
        let page: Page = self.answer(request.query(&after.map(|after| ("after", after)).as_slice())).await?;
        let foreign = page.payments.into_iter().map(|payment| Foreign {
            payment: payment.idempotency_key.parse().ok(),
            report: report(&payment.state, payment.reason),
            holder: payment.provider_ref,
            created_at: payment.created_at,
        });
        Ok(ForeignPage { payments: foreign.collect(), next: page.next })
    }

    async fn answer<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, ProviderError> {
        let response = request.bearer_auth(self.key.expose()).send().await?;
        let status = response.status().as_u16();
        match status {
            200..300 => Ok(response.json().await?),
            // Not the payment's fault: a wrong key, too much at once, a fault of the provider's.
            401 | 403 | 408 | 429 | 500.. => Err(ProviderError::NotNow { status, title: title_of(response).await? }),
            _ => Err(ProviderError::Refused { status, title: title_of(response).await? }),
        }
    }

    pub(super) fn read(body: &[u8]) -> Result<Message, serde_json::Error> {
        let Sent { id, provider_ref, state, reason } = serde_json::from_slice(body)?;
        Ok(Message::Stands { id, provider_ref, state, reason })
    }
}

/// The portal's state as booking understands it.
pub(in crate::payment) fn report(state: &str, reason: Option<String>) -> Option<Report> {
    match state {
        "authorized" => Some(Report::Authorized),
        "declined" => Some(Report::Declined { reason: reason.unwrap_or_else(|| "declined".to_owned()) }),
        "captured" => Some(Report::Captured),
        "refunded" => Some(Report::Refunded),
        "voided" => Some(Report::Voided),
        _ => None,
    }
}
