//! The webhook's signature: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`, as payment providers commonly sign.
//!
//! The time is under the signature and must be near now, so that a message overheard cannot be replayed later.

use crate::hex;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// How far the signed time may be from now.
const TOLERANCE_S: i64 = 300;

/// The header that carries it.
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

/// Whether the value is of this body, this key and these minutes. Compares in constant time.
pub(crate) fn is_genuine(key: &str, value: &str, now_s: i64, body: &[u8]) -> bool {
    let part = |name: &str| value.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
    let (Some(at_s), Some(seal)) = (part("t").and_then(|t| t.parse::<i64>().ok()), part("v1").and_then(hex::decode))
    else {
        return false;
    };
    let near = at_s.abs_diff(now_s) <= TOLERANCE_S.unsigned_abs();
    near && subtle::ConstantTimeEq::ct_eq(mac(key.as_bytes(), &signed(at_s, body)).as_slice(), &seal).into()
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
    }

    #[test]
    fn purposes_have_keys_of_their_own() {
        assert_ne!(derive("s", "a"), derive("s", "b"));
    }
}
