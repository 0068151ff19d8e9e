//! Client assertions of devices: JWTs signed with EdDSA by the device's own key (RFC 7523).
//!
//! The algorithm is pinned and the key is the one that the device row holds; nothing in the token's
//! header chooses either. An assertion is good once.

use super::refused;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use offstage_model::{Fault, Uuid, code};
use offstage_replication::device_key::audience;
use serde::Deserialize;
use std::collections::HashMap;

/// The longest time an assertion may be good for, in seconds.
pub const ASSERTION_LIFETIME_MAX_S: i64 = 300;
/// How far clocks of device and server may differ, in seconds.
const SKEW_MAX_S: i64 = 300;
/// The longest assertion that is looked at, in bytes.
const ASSERTION_BYTES_MAX: usize = 4_096;
/// Used assertions that are remembered; more sign-ins at once are refused.
const SEEN_MAX: usize = 100_000;

#[derive(Debug, Deserialize)]
struct Claims {
    iss: Uuid,
    sub: Uuid,
    jti: Uuid,
    iat: i64,
    exp: i64,
}

/// The device that an assertion claims to come from. Not to be believed before [`verify`].
///
/// # Errors
/// Text that is no assertion.
pub(super) fn claimed_device(assertion: &str) -> Result<Uuid, Fault> {
    if assertion.len() > ASSERTION_BYTES_MAX {
        return Err(refused("the assertion is too long"));
    }
    jsonwebtoken::dangerous::insecure_decode_claims::<Claims>(assertion)
        .map(|claims| claims.sub)
        .map_err(|_| refused("the assertion cannot be read"))
}

/// Checks an assertion of `device`; answers its id.
///
/// # Errors
/// Another key or algorithm, another audience, missing claims, or times that do not fit.
pub(super) fn verify(
    assertion: &str,
    device: Uuid,
    public_key: &[u8; 32],
    organization: Uuid,
    now_s: i64,
) -> Result<Uuid, Fault> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_audience(&[audience(organization)]);
    // Checked below, by the clock that is passed in.
    validation.validate_exp = false;
    let key = DecodingKey::from_ed_der(public_key);
    let claims = decode::<Claims>(assertion, &key, &validation)
        .map_err(|error| {
            tracing::debug!(%device, %error, "a client assertion was refused");
            refused("the assertion was not signed by the device for this organization")
        })?
        .claims;
    if claims.sub != device || claims.iss != device {
        return Err(refused("the assertion names another device"));
    }
    // The lifetime is measured between the device's own two times, the expiry by the server's
    // clock with room for clocks that differ: a device in the field must be able to sign in to
    // learn by how much its clock is off.
    if claims.exp.saturating_sub(claims.iat) > ASSERTION_LIFETIME_MAX_S {
        return Err(refused("the assertion is good for more than 300 seconds"));
    }
    if claims.exp.saturating_add(SKEW_MAX_S) <= now_s {
        return Err(refused("the assertion has expired").hint("Check the device's clock."));
    }
    if claims.iat > now_s.saturating_add(SKEW_MAX_S) {
        return Err(refused("the assertion is from the future").hint("Check the device's clock."));
    }
    Ok(claims.jti)
}

/// The ids of assertions that were used, for as long as they could be used again.
#[derive(Debug, Default)]
pub(super) struct Seen {
    until_s: HashMap<Uuid, i64>,
}

impl Seen {
    /// Remembers an id; `false` when it was used before or too many are remembered.
    pub(super) fn insert(&mut self, id: Uuid, now_s: i64) -> bool {
        self.until_s.retain(|_, until_s| *until_s > now_s);
        if self.until_s.len() >= SEEN_MAX || self.until_s.contains_key(&id) {
            return false;
        }
        let lifetime_s = ASSERTION_LIFETIME_MAX_S + 2 * SKEW_MAX_S;
        self.until_s.insert(id, now_s.saturating_add(lifetime_s));
        true
    }
}

/// The fault for a token request that does not say who asks.
pub(super) fn no_credentials() -> Fault {
    Fault::new(code::INVALID_ARGUMENT, "The request has no client credentials.")
        .hint("Send client_id and client_secret, or client_assertion_type and client_assertion.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_good_once_and_is_forgotten_when_it_cannot_be_used() {
        let mut seen = Seen::default();
        assert!(seen.insert(Uuid::nil(), 0));
        assert!(!seen.insert(Uuid::nil(), 899));
        assert!(seen.insert(Uuid::nil(), 900));
    }
}
