//! The built-in issuer: `POST /offstage/v1/token` gives access tokens for client credentials, and
//! every request's token is checked here.
//!
//! Never stores or logs a token or a secret; the store has hashes and public keys only.

mod access;
mod assertion;
mod endpoint;
mod principals;

pub use assertion::ASSERTION_LIFETIME_MAX_S;
pub(crate) use endpoint::handle;
pub use principals::secret_hash;

use crate::authority::{Authority, invalid_token, no_token};
use crate::constant_time;
use access::{AccessKey, Subject};
use assertion::Seen;
use offstage_model::{Clock, Fault, Randomness, Uuid, code};
use offstage_pipeline::Caller;
use offstage_store::Store;
use std::sync::{Arc, Mutex, PoisonError};

/// Where tokens are given out.
pub const TOKEN_PATH: &str = "/offstage/v1/token";
/// How long an access token is good for, in seconds.
pub const TOKEN_LIFETIME_S: i64 = 3_600;

/// Issues and checks the tokens of one organization.
pub struct Issuer {
    store: Store,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
    organization: Uuid,
    key: AccessKey,
    seen: Mutex<Seen>,
}

impl Issuer {
    /// The issuer of the organization in `store`. Its signing key is 32 random bytes, made and kept
    /// in the store the first time.
    ///
    /// # Errors
    /// The store cannot be used.
    pub fn open(
        store: Store,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Randomness>,
        organization: Uuid,
    ) -> Result<Self, Fault> {
        let secret = principals::signing_secret(&store, &*random)?;
        let key = AccessKey::new(&secret, organization);
        Ok(Self { store, clock, random, organization, key, seen: Mutex::default() })
    }

    /// A token for a client that knows its secret.
    fn for_secret(&self, client: &str, secret: &str) -> Result<String, Fault> {
        let known = principals::client(&self.store, client)?;
        let given = constant_time::hash(secret.as_bytes());
        // An unknown client takes as long as a wrong secret.
        let expected = known.as_ref().and_then(|c| c.secret_hash).unwrap_or_default();
        let matches = constant_time::equal(&given, &expected);
        match known.filter(|c| matches && c.secret_hash.is_some()) {
            Some(client) => {
                client.account.enabled()?;
                Ok(self.issue(&Subject::Client(client.id)))
            }
            None => Err(refused("the client is not known or its secret is wrong")),
        }
    }

    /// A token for a device that signed an assertion with its key.
    fn for_assertion(&self, assertion: &str) -> Result<String, Fault> {
        let now_s = self.now_s();
        let claimed = assertion::claimed_device(assertion)?;
        let device = principals::device(&self.store, claimed)?
            .ok_or_else(|| refused("the device is not known"))?;
        let key = device.public_key.ok_or_else(|| refused("the device has no key"))?;
        let id = assertion::verify(assertion, claimed, &key, self.organization, now_s)?;
        let fresh = self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(id, now_s);
        if !fresh {
            return Err(refused("the assertion was used before"));
        }
        device.account.enabled()?;
        Ok(self.issue(&Subject::Device(claimed)))
    }

    fn issue(&self, subject: &Subject) -> String {
        self.key.issue(subject, self.random.guid(), self.now_s(), TOKEN_LIFETIME_S)
    }

    fn now_s(&self) -> i64 {
        self.clock.now().0.div_euclid(1_000)
    }
}

impl Authority for Issuer {
    fn authenticate(&self, bearer: Option<&str>) -> Result<Caller, Fault> {
        let token = bearer.ok_or_else(no_token)?;
        let subject = self.key.verify(token, self.now_s())?;
        // Rights are those of this moment, not of the moment when the token was made.
        let known = match &subject {
            Subject::Client(id) => principals::client(&self.store, id)?.map(|c| c.account),
            Subject::Device(id) => principals::device(&self.store, *id)?.map(|d| d.account),
        };
        known.ok_or_else(|| invalid_token("whom it was made for is gone"))?.enabled()
    }
}

/// The client may not have a token.
fn refused(reason: &str) -> Fault {
    Fault::new(code::UNAUTHORIZED, format!("The sign-in was refused: {reason}."))
}

/// The principal is switched off.
fn disabled(name: &str) -> Fault {
    Fault::new(code::PRIVILEGE_DENIED, format!("The account '{name}' is disabled."))
        .hint("An administrator can enable it.")
}
