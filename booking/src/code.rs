//! A ticket's code: what the door reads. Signed, so that nobody can make one, and a door without a network can still tell.
//!
//! 37 bytes (version, event, ticket, generation) and their Ed25519 signature (RFC 8032), in unpadded base64url. The signature says that
//! the ticket was issued here; whether it is still good only the tables know: a transfer raises its generation, and a code of an older
//! one is dead.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{EventId, TicketId};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use std::sync::Arc;
use uuid::Uuid;

/// The first byte of what is signed.
const VERSION: u8 = 1;
const SIGNED_BYTES: usize = 1 + 16 + 16 + 4;
const SIGNATURE_BYTES: usize = 64;

/// What tickets are signed with; every process that serves one installation has the same. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TicketKey(Arc<Ed25519KeyPair>);

/// The seed makes no key.
#[derive(Debug, thiserror::Error)]
#[error("a ticket key is made of 32 bytes")]
pub struct BadSeed;

/// What a code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketCode {
    /// Of which event.
    pub event: EventId,
    /// Which ticket.
    pub ticket: TicketId,
    /// How many times it had changed hands, and one.
    pub generation: u32,
}

impl TicketKey {
    /// The key of 32 secret bytes.
    ///
    /// # Errors
    /// When there are more or fewer.
    pub fn from_seed(seed: &[u8]) -> Result<Self, BadSeed> {
        Ed25519KeyPair::from_seed_unchecked(seed).map(|pair| Self(Arc::new(pair))).map_err(|_| BadSeed)
    }

    /// What a door checks signatures with.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// The code of a ticket; always the same for the same words.
    pub(crate) fn write(&self, code: TicketCode) -> String {
        let mut bytes = Vec::with_capacity(SIGNED_BYTES + SIGNATURE_BYTES);
        bytes.push(VERSION);
        bytes.extend_from_slice(code.event.0.as_bytes());
        bytes.extend_from_slice(code.ticket.0.as_bytes());
        bytes.extend_from_slice(&code.generation.to_be_bytes());
        let signature = self.0.sign(&bytes);
        bytes.extend_from_slice(signature.as_ref());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What a code says, if it was written with this key.
    pub(crate) fn read(&self, code: &str) -> Option<TicketCode> {
        let bytes = URL_SAFE_NO_PAD.decode(code).ok().filter(|bytes| bytes.len() == SIGNED_BYTES + SIGNATURE_BYTES)?;
        let (signed, signature) = bytes.split_at(SIGNED_BYTES);
        UnparsedPublicKey::new(&ED25519, self.public()).verify(signed, signature).ok()?;
        let (version, rest) = signed.split_first()?;
        let (event, rest) = rest.split_at(16);
        let (ticket, generation) = rest.split_at(16);
        let generation = u32::from_be_bytes(generation.try_into().ok()?);
        let (event, ticket) = (EventId(Uuid::from_slice(event).ok()?), TicketId(Uuid::from_slice(ticket).ok()?));
        (*version == VERSION).then_some(TicketCode { event, ticket, generation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code() -> TicketCode {
        TicketCode { event: EventId(Uuid::from_u128(7)), ticket: TicketId(Uuid::from_u128(8)), generation: 3 }
    }

    #[test]
    fn a_code_says_what_was_signed_and_nobody_else_can_sign() {
        let (key, other) = (TicketKey::from_seed(&[7; 32]).unwrap(), TicketKey::from_seed(&[8; 32]).unwrap());
        let written = key.write(code());
        assert_eq!(written, key.write(code()));
        assert_eq!(key.read(&written), Some(code()));
        assert_eq!(other.read(&written), None);
        assert_eq!(key.read(&other.write(code())), None);
        assert!(TicketKey::from_seed(&[7; 31]).is_err());
    }

    proptest! {
        #[test]
        fn a_code_with_anything_changed_is_none(at in 0_usize..SIGNED_BYTES + SIGNATURE_BYTES, flip in 1_u8..=255) {
            let key = TicketKey::from_seed(&[7; 32]).unwrap();
            let mut bytes = URL_SAFE_NO_PAD.decode(key.write(code())).unwrap();
            bytes[at] ^= flip;
            prop_assert_eq!(key.read(&URL_SAFE_NO_PAD.encode(bytes)), None);
        }

        #[test]
        fn any_text_is_read_without_harm(text in ".{0,200}") {
            prop_assert_eq!(TicketKey::from_seed(&[7; 32]).unwrap().read(&text), None);
        }
    }
}
