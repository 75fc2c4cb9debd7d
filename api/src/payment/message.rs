//! What a provider's message comes to, as the inbox keeps it until the worker has dealt with it.

use model::PaymentId;
use serde::{Deserialize, Serialize};

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Message {
    /// The payment of this reference stands so.
    Stands {
        /// The provider's id of the message.
        id: String,
        #[serde(rename = "ref")]
        provider_ref: String,
        state: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Something happened to one of our payments: how it stands is asked, so that no order of messages matters.
    Moved {
        /// The message's id.
        id: String,
        payment: PaymentId,
    },
}

impl Message {
    /// The id by which a repeat is known.
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Stands { id, .. } | Self::Moved { id, .. } => id,
        }
    }
}
