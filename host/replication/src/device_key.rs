//! The key of a device: an Ed25519 pair with which a device proves to its server who it is, without
//! a secret that both sides know.
//!
//! The private half stays in the data directory (PKCS#8 PEM, the form of `openssl genpkey
//! -algorithm ed25519`); the public half goes to the server once, in
//! [`crate::wire::ConnectRequest::public_key`]. To sign in, the device sends a client assertion
//! (RFC 7523) to `POST /offstage/v1/token`:
//!
//! ```text
//! grant_type=client_credentials
//! client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer
//! client_assertion=<DeviceKey::client_assertion>
//! ```
//!
//! Never reads or writes a file, and never shows the private half in `Debug` or an error.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use ed25519_dalek::{Signer as _, SigningKey};
use offstage_model::{Randomness, Timestamp, Uuid};
use std::fmt;

/// `client_assertion_type` of the token request.
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion is good for, in seconds; the server takes up to 300.
pub const ASSERTION_LIFETIME_S: i64 = 120;
/// How far back an assertion begins to be valid, in seconds, for clocks that differ a little.
const SKEW_S: i64 = 60;

/// Why a text is not a device key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the text is not an Ed25519 private key in PKCS#8 PEM form (as `openssl genpkey -algorithm ed25519` makes it)"
)]
pub struct InvalidDeviceKey;

/// The audience of assertions to the server of an organization.
///
/// It names the organization and not an address, so that a server at another address cannot make
/// use of an assertion that was meant for this one unless it claims to be the same organization.
#[must_use]
pub fn audience(organization: Uuid) -> String {
    format!("urn:offstage:organization:{organization}")
}

/// A device's key pair.
#[derive(Clone)]
pub struct DeviceKey(SigningKey);

impl DeviceKey {
    /// A new key from `random`.
    #[must_use]
    pub fn generate(random: &dyn Randomness) -> Self {
        let mut seed = [0; 32];
        random.fill(&mut seed);
        Self(SigningKey::from_bytes(&seed))
    }

    /// Reads the file form.
    ///
    /// # Errors
    /// Anything but an Ed25519 key.
    pub fn from_pem(text: &str) -> Result<Self, InvalidDeviceKey> {
        SigningKey::from_pkcs8_pem(text).map(Self).map_err(|_| InvalidDeviceKey)
    }

    /// The file form: PKCS#8 PEM. Keep it readable by its owner only.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let pem = self.0.to_pkcs8_pem(LineEnding::LF);
        pem.expect("BUG: an Ed25519 key always has a PKCS#8 form").to_string()
    }

    /// The public half, 32 bytes in hex.
    #[must_use]
    pub fn public_key(&self) -> String {
        self.0.verifying_key().to_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The signature of `bytes`.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }

    /// A signed statement that this is `device`, for the token endpoint of `organization`; good
    /// once, and for [`ASSERTION_LIFETIME_S`] from `now`. `id` must be fresh.
    #[must_use]
    pub fn client_assertion(
        &self,
        device: Uuid,
        organization: Uuid,
        now: Timestamp,
        id: Uuid,
    ) -> String {
        let now_s = now.0.div_euclid(1_000);
        let claims = serde_json::json!({
            "iss": device,
            "sub": device,
            "aud": audience(organization),
            "jti": id,
            "nbf": now_s - SKEW_S,
            "iat": now_s,
            "exp": now_s + ASSERTION_LIFETIME_S,
        });
        let header = URL_SAFE_NO_PAD.encode(br#"{"alg":"EdDSA","typ":"JWT"}"#);
        let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
        let signed = format!("{header}.{payload}");
        let signature = URL_SAFE_NO_PAD.encode(self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({})", self.public_key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;
    impl Randomness for Sevens {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }

    #[test]
    fn the_file_form_comes_back_as_the_same_key() {
        let key = DeviceKey::generate(&Sevens);
        let pem = key.to_pem();
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert_eq!(DeviceKey::from_pem(&pem).unwrap().public_key(), key.public_key());
        assert_eq!(
            DeviceKey::from_pem("-----BEGIN PRIVATE KEY-----").unwrap_err(),
            InvalidDeviceKey
        );
    }

    #[test]
    fn debug_shows_the_public_half_only() {
        let key = DeviceKey::generate(&Sevens);
        assert_eq!(format!("{key:?}"), format!("DeviceKey({})", key.public_key()));
    }

    #[test]
    fn an_assertion_has_three_parts_and_names_the_device() {
        let key = DeviceKey::generate(&Sevens);
        let (device, organization) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let text = key.client_assertion(device, organization, Timestamp(0), Uuid::from_u128(3));
        let parts: Vec<&str> = text.split('.').collect();
        assert_eq!(parts.len(), 3);
        let claims = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["sub"], device.to_string());
        assert_eq!(claims["exp"], ASSERTION_LIFETIME_S);
    }
}
