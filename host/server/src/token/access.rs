//! Access tokens: JWTs signed with HS256 by a key that never leaves the server.
//!
//! The algorithm is pinned: what the token's header says is compared, never obeyed. Every claim is
//! required and typed, and times are checked against the clock that is passed in (attacks J01, J02).

use crate::authority::invalid_token;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use offstage_model::{Fault, Uuid};
use serde::{Deserialize, Serialize};

/// `iss` of every access token.
const ISSUER: &str = "offstage";
/// Clocks within one machine do not differ, but they are set back at times.
const LEEWAY_S: i64 = 5;
/// The longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 4_096;

/// For whom a token was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A client with a secret, by its id.
    Client(String),
    /// A device with a key.
    Device(Uuid),
}

impl Subject {
    fn text(&self) -> String {
        match self {
            Self::Client(id) => format!("client:{id}"),
            Self::Device(id) => format!("device:{id}"),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("client", id) => Some(Self::Client(id.to_owned())),
            ("device", id) => Uuid::parse_str(id).ok().map(Self::Device),
            _ => None,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    jti: Uuid,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// The key that signs and checks access tokens of one organization.
pub(super) struct AccessKey {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    audience: String,
}

impl AccessKey {
    pub(super) fn new(secret: &[u8; 32], organization: Uuid) -> Self {
        let audience = organization.to_string();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[&audience]);
        // Checked below, by the clock that is passed in.
        validation.validate_exp = false;
        Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            validation,
            audience,
        }
    }

    /// A token for `subject`, good for `lifetime_s` from `now_s`.
    pub(super) fn issue(&self, subject: &Subject, id: Uuid, now_s: i64, lifetime_s: i64) -> String {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: self.audience.clone(),
            sub: subject.text(),
            jti: id,
            iat: now_s,
            nbf: now_s,
            exp: now_s.saturating_add(lifetime_s),
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .expect("BUG: plain claims can always be signed with a symmetric key")
    }

    /// For whom a token was made.
    ///
    /// # Errors
    /// Anything that is not a token of this issuer for this organization, good at `now_s`.
    pub(super) fn verify(&self, token: &str, now_s: i64) -> Result<Subject, Fault> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(invalid_token("it is too long"));
        }
        let claims = decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|error| {
                tracing::debug!(%error, "an access token was refused");
                invalid_token("it was not made by this server or was changed")
            })?
            .claims;
        if claims.exp <= now_s {
            return Err(invalid_token("it has expired").hint("Get a new one."));
        }
        if claims.nbf > now_s.saturating_add(LEEWAY_S) {
            return Err(invalid_token("it is not valid yet"));
        }
        Subject::parse(&claims.sub).ok_or_else(|| invalid_token("it names nobody"))
    }
}
