//! The seam between orders and those who take money: open a payment, ask how it stands, capture, let go, give back; and the
//! messages they send. Every call that acts carries an idempotency key: repeating it acts once.

pub mod sandbox;
pub mod stripe;

use super::message::Message;
use super::signature;
use booking::Report;
use jiff::Timestamp;
use model::{Money, PaymentId};
use std::time::Duration;

/// How long one call may take.
const CALL_TIMEOUT_S: u64 = 10;
/// Of a provider's words, so many letters are kept.
const TITLE_MAX: usize = 200;

/// Someone who takes money. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Provider {
    /// The built-in portal.
    Sandbox(sandbox::Client),
    /// Stripe, by its hosted Checkout.
    Stripe(stripe::Client),
}

/// Those who take this installation's money: one takes new payments, each sees to those it has.
#[derive(Clone, Debug)]
pub struct Providers {
    sandbox: Provider,
    stripe: Option<Provider>,
}

/// What a provider needs to open a payment.
#[derive(Clone, Debug)]
pub struct NewPayment {
    /// How much.
    pub money: Money,
    /// What the buyer reads in the portal.
    pub description: String,
    /// Where the portal sends the buyer afterwards.
    pub return_url: String,
}

/// A payment open at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The provider's name for it.
    pub provider_ref: String,
    /// Where the buyer pays.
    pub portal_url: String,
}

/// How a payment stands at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// `None` while the buyer has not decided.
    pub(crate) report: Option<Report>,
    /// How much it is of.
    pub(crate) money: Money,
    /// The provider's name for what holds the money.
    pub(crate) holder: String,
}

/// A payment as the provider's own books have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Foreign {
    /// The payment of ours that it says it is of.
    pub(crate) payment: Option<PaymentId>,
    /// The provider's name for what holds the money.
    pub(crate) holder: String,
    /// How it stands.
    pub(crate) report: Option<Report>,
    /// When it was made there.
    pub(crate) created_at: Timestamp,
}

/// Some of them, and where to read on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForeignPage {
    /// Of this installation.
    pub(crate) payments: Vec<Foreign>,
    /// None when these were the last.
    pub(crate) next: Option<String>,
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

/// What to do with a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Capture,
    Void,
    Refund,
}

impl Providers {
    /// The portal, and Stripe where it is set up.
    #[must_use]
    pub fn new(sandbox: sandbox::Client, stripe: Option<stripe::Client>) -> Self {
        Self { sandbox: Provider::Sandbox(sandbox), stripe: stripe.map(Provider::Stripe) }
    }

    /// Who takes new payments.
    #[must_use]
    pub fn for_new(&self) -> &Provider {
        self.stripe.as_ref().unwrap_or(&self.sandbox)
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Provider> {
        [Some(&self.sandbox), self.stripe.as_ref()].into_iter().flatten()
    }

    /// The one of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Provider> {
        self.all().find(|provider| provider.name() == name)
    }
}

impl Provider {
    /// Its name in paths and tables.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sandbox(_) => "sandbox",
            Self::Stripe(_) => "stripe",
        }
    }

    /// Opens a payment; opening it again opens the same one.
    ///
    /// # Errors
    /// When the provider does not answer or refuses.
    pub async fn open(&self, payment: PaymentId, new: &NewPayment) -> Result<Opened, ProviderError> {
        match self {
            Self::Sandbox(client) => client.open(payment, new).await,
            Self::Stripe(client) => client.open(payment, new).await,
        }
    }

    /// How a payment stands.
    ///
    /// # Errors
    /// When the provider does not answer, or knows no such payment.
    pub(crate) async fn ask(&self, provider_ref: &str) -> Result<Standing, ProviderError> {
        match self {
            Self::Sandbox(client) => client.ask(provider_ref).await,
            Self::Stripe(client) => client.ask(provider_ref).await,
        }
    }

    /// Captures, lets go or gives back.
    pub(crate) async fn act(&self, act: Act, provider_ref: &str, key: &str) -> Result<(), ProviderError> {
        match self {
            Self::Sandbox(client) => client.act(act, provider_ref, key).await,
            Self::Stripe(client) => client.act(act, provider_ref, key).await,
        }
    }

    /// Lets go or gives back what no payment of ours knows, by the provider's own name for it.
    pub(crate) async fn act_on_holder(&self, act: Act, holder: &str, key: &str) -> Result<(), ProviderError> {
        match self {
            Self::Sandbox(client) => client.act(act, holder, key).await,
            Self::Stripe(client) => client.act_on_intent(act, holder, key).await,
        }
    }

    /// What the provider's own books have of this installation since an instant, after a place in them.
    pub(crate) async fn list(&self, from: Timestamp, after: Option<&str>) -> Result<ForeignPage, ProviderError> {
        match self {
            Self::Sandbox(client) => client.list(from, after).await,
            Self::Stripe(client) => client.list(from, after).await,
        }
    }

    /// The header that carries a message's signature.
    pub(super) fn signature_header(&self) -> &'static str {
        match self {
            Self::Sandbox(_) => signature::HEADER,
            Self::Stripe(_) => "stripe-signature",
        }
    }

    /// Whether a message is this provider's, and of these minutes.
    pub(super) fn is_genuine(&self, signature: &str, body: &[u8]) -> bool {
        let key = match self {
            Self::Sandbox(client) => client.webhook_key(),
            Self::Stripe(client) => client.webhook_key(),
        };
        signature::is_genuine(key, signature, Timestamp::now().as_second(), body)
    }

    /// What a genuine message comes to; `None` when it is of nothing of ours.
    pub(super) fn read(&self, body: &[u8]) -> Result<Option<Message>, serde_json::Error> {
        match self {
            Self::Sandbox(_) => sandbox::Client::read(body).map(Some),
            Self::Stripe(client) => client.read(body),
        }
    }
}

/// How providers are called: no redirects, no proxy, no wait without end.
fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .timeout(Duration::from_secs(CALL_TIMEOUT_S))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
}

async fn title_of(response: reqwest::Response) -> Result<String, reqwest::Error> {
    Ok(response.text().await?.chars().take(TITLE_MAX).collect())
}
