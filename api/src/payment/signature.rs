//! The webhook's signature: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`, as Stripe signs, and the built-in portal after it.
//!
//! The time is under the signature and must be near now, so that a message overheard cannot be replayed later.

use crate::hex;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// How far the signed time may be from now.
const TOLERANCE_S: i64 = 300;

/// The header that carries the portal's.
pub(crate) const HEADER: &str = "sandbox-signature";

/// A key of its own for each purpose, from the installation's secret.
pub(crate) fn derive(secret: &str, purpose: &str) -> String {
    hex::encode(&seed(secret, purpose))
}

/// 32 secret bytes of its own for each purpose, from the installation's secret.
pub(crate) fn seed(secret: &str, purpose: &str) -> [u8; 32] {
    mac(secret.as_bytes(), purpose.as_bytes())
}

/// The header's value for this body.
pub(crate) fn sign(key: &str, at_s: i64, body: &[u8]) -> String {
    format!("t={at_s},v1={}", hex::encode(&mac(key.as_bytes(), &signed(at_s, body))))
}

/// Whether the value is of this body, this key and these minutes. There may be several signatures: a provider that changes its key
/// signs with the old one too for a while. Compares in constant time.
pub(crate) fn is_genuine(key: &str, value: &str, now_s: i64, body: &[u8]) -> bool {
    let parts = || value.split(',').filter_map(|part| part.trim().split_once('='));
    let at_s = parts().find(|(name, _)| *name == "t").and_then(|(_, at)| at.parse::<i64>().ok());
    let Some(at_s) = at_s.filter(|at_s| at_s.abs_diff(now_s) <= TOLERANCE_S.unsigned_abs()) else { return false };
    let ours = mac(key.as_bytes(), &signed(at_s, body));
    let seals = parts().filter(|(name, _)| *name == "v1").filter_map(|(_, seal)| hex::decode(seal));
    seals.fold(false, |genuine, seal| {
        let equal: bool = subtle::ConstantTimeEq::ct_eq(ours.as_slice(), seal.as_slice()).into();
        genuine | equal
    })
}

fn signed(at_s: i64, body: &[u8]) -> Vec<u8> {
    [at_s.to_string().as_bytes(), b".", body].concat()
}

fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => mac.chain_update(message).finalize().into_bytes().into(),
        // HMAC takes keys of every length.
        Err(_) => [0; 32],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_body_key_and_minutes_are_genuine() {
        let value = sign("key", 1000, b"{}");
        assert!(is_genuine("key", &value, 1000 + TOLERANCE_S, b"{}"));
        assert!(!is_genuine("key", &value, 1001 + TOLERANCE_S, b"{}"));
        assert!(!is_genuine("key", &value, 1000, b"{ }"));
        assert!(!is_genuine("yek", &value, 1000, b"{}"));
        assert!(!is_genuine("key", "t=1000,v1=", 1000, b"{}"));
        assert!(!is_genuine("key", "nonsense", 1000, b"{}"));
        let other = sign("old key", 1000, b"{}");
        let both = format!("{other},{},v0=ff", value.trim_start_matches("t=1000,"));
        assert!(is_genuine("key", &both, 1000, b"{}") && is_genuine("old key", &both, 1000, b"{}"));
        assert!(!is_genuine("yek", &both, 1000, b"{}"));
    }

    #[test]
    fn purposes_have_keys_of_their_own() {
        assert_ne!(derive("s", "a"), derive("s", "b"));
    }
}
