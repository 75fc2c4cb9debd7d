//! The provider's REST over plain HTTP. Every call that acts carries an idempotency key: repeating it acts once.

use booking::Report;
use model::Currency;
use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::config::Secret;

/// How long one call may take.
const CALL_TIMEOUT_S: u64 = 10;

/// A client of the sandbox provider. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Provider {
    http: reqwest::Client,
    /// Where its REST is, without a trailing slash.
    base: String,
    key: Secret,
    webhook_url: String,
}

/// What the provider needs to open a payment.
#[derive(Clone, Debug)]
pub struct NewPayment {
    /// Minor units.
    pub amount: i64,
    /// Of `amount`.
    pub currency: Currency,
    /// What the buyer reads in the portal.
    pub description: String,
    /// Where the portal sends the buyer afterwards.
    pub return_url: String,
}

/// A payment open at the provider.
#[derive(Clone, Debug, Deserialize)]
pub struct Opened {
    /// The provider's name for it.
    #[serde(rename = "ref")]
    pub provider_ref: String,
    /// Where the buyer pays.
    pub portal_url: String,
}

/// Why a call to the provider came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// No answer, or one that makes no sense: what was asked for may have been done.
    #[error("call the payment provider")]
    Unreachable(#[from] reqwest::Error),
    /// It cannot now; it may later.
    #[error("the payment provider answered {status}: {title}")]
    NotNow {
        /// Its status.
        status: u16,
        /// Its words.
        title: String,
    },
    /// It never will: the payment is not one it can do that with.
    #[error("the payment provider refused with {status}: {title}")]
    Refused {
        /// Its status.
        status: u16,
        /// Its words.
        title: String,
    },
}

#[derive(Serialize)]
struct CreateBody<'a> {
    amount: i64,
    currency: Currency,
    description: &'a str,
    return_url: &'a str,
    webhook_url: &'a str,
}

#[derive(Deserialize)]
struct Payment {
    state: String,
    #[serde(default)]
    reason: Option<String>,
}

/// What to do with an authorised payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Capture,
    Void,
    Refund,
}

impl Provider {
    /// A client that calls `base` and has reports sent to `webhook_url`.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(base: String, key: Secret, webhook_url: String) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(CALL_TIMEOUT_S))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { http, base, key, webhook_url })
    }

    /// Opens a payment; the same idempotency key opens the same one.
    ///
    /// # Errors
    /// When the provider does not answer or refuses.
    pub async fn open(&self, idempotency_key: &str, new: &NewPayment) -> Result<Opened, ProviderError> {
        let body = CreateBody {
            amount: new.amount,
            currency: new.currency,
            description: &new.description,
            return_url: &new.return_url,
            webhook_url: &self.webhook_url,
        };
        let request = self.http.post(format!("{}/payments", self.base)).json(&body);
        let response = request.bearer_auth(self.key.expose()).header("idempotency-key", idempotency_key).send().await?;
        Ok(accepted(response).await?.json().await?)
    }

    /// Where a payment stands; `None` while the buyer has not decided.
    pub(super) async fn ask(&self, provider_ref: &str) -> Result<Option<Report>, ProviderError> {
        let request = self.http.get(format!("{}/payments/{provider_ref}", self.base)).bearer_auth(self.key.expose());
        let payment: Payment = accepted(request.send().await?).await?.json().await?;
        Ok(report(&payment.state, payment.reason))
    }

    /// Captures, voids or refunds.
    pub(super) async fn act(&self, act: Act, provider_ref: &str, idempotency_key: &str) -> Result<(), ProviderError> {
        let verb = match act {
            Act::Capture => "capture",
            Act::Void => "void",
            Act::Refund => "refund",
        };
        let request = self.http.post(format!("{}/payments/{provider_ref}/{verb}", self.base));
        let response = request.bearer_auth(self.key.expose()).header("idempotency-key", idempotency_key).send().await?;
        accepted(response).await?;
        Ok(())
    }
}

async fn accepted(response: reqwest::Response) -> Result<reqwest::Response, ProviderError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let title = response.text().await?.chars().take(200).collect();
    let status = status.as_u16();
    Err(match status {
        // Not the payment's fault: a wrong key, too much at once, a fault of the provider's.
        401 | 403 | 408 | 429 | 500.. => ProviderError::NotNow { status, title },
        _ => ProviderError::Refused { status, title },
    })
}

/// A provider's state as booking understands it.
pub(super) fn report(state: &str, reason: Option<String>) -> Option<Report> {
    match state {
        "authorized" => Some(Report::Authorized),
        "declined" => Some(Report::Declined { reason: reason.unwrap_or_else(|| "declined".to_owned()) }),
        "captured" => Some(Report::Captured),
        "refunded" => Some(Report::Refunded),
        "voided" => Some(Report::Voided),
        _ => None,
    }
}
