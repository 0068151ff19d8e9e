//! Who may sign in, as the store has it: clients with secrets and devices with keys.
//!
//! The only file of this crate that knows how the store keeps them. Never changes an account.

use super::disabled;
use crate::constant_time;
use offstage_model::{Fault, Randomness, Uuid, Value};
use offstage_pipeline::Caller;
use offstage_store::{Principal, Store, Tx};

/// The setting that holds the key of access tokens: 32 bytes in hex.
const SIGNING_SECRET: &str = "token.signing-secret";
/// How a stored secret begins; names the hash, so that another one can come later.
const SHA256_PREFIX: &str = "sha256:";

/// The form in which the store keeps a client's secret ([`Principal::secret_hash`]).
///
/// One round of SHA-256 is enough because secrets are made by the program from 32 random bytes;
/// people do not choose them.
#[must_use]
pub fn secret_hash(secret: &str) -> String {
    format!("{SHA256_PREFIX}{}", hex::encode(constant_time::hash(secret.as_bytes())))
}

/// The rights of a principal at this moment.
pub(super) struct Account {
    caller: Caller,
    is_disabled: bool,
}

impl Account {
    /// The caller.
    ///
    /// # Errors
    /// The principal is disabled.
    pub(super) fn enabled(self) -> Result<Caller, Fault> {
        if self.is_disabled { Err(disabled(&self.caller.name)) } else { Ok(self.caller) }
    }
}

/// Somebody who signs in with a secret.
pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret_hash: Option<[u8; 32]>,
    pub(super) account: Account,
}

/// A device, which signs in with a key.
pub(super) struct Device {
    pub(super) public_key: Option<[u8; 32]>,
    pub(super) account: Account,
}

/// The client with this id.
pub(super) fn client(store: &Store, id: &str) -> Result<Option<Client>, Fault> {
    let mut tx = store.read()?;
    let Some(principal) = tx.principal_by_client(id)? else { return Ok(None) };
    let secret_hash = principal.secret_hash.as_deref().and_then(parse_hash);
    Ok(Some(Client { id: id.to_owned(), secret_hash, account: account(&mut tx, principal)? }))
}

/// The device with this id, unless it was revoked or its user is gone.
pub(super) fn device(store: &Store, id: Uuid) -> Result<Option<Device>, Fault> {
    let mut tx = store.read()?;
    let Some(device) = tx.device(id)?.filter(|device| !device.revoked) else { return Ok(None) };
    let Some(principal) = tx.principal(device.user)? else { return Ok(None) };
    let public_key = device.public_key.and_then(|key| key.try_into().ok());
    Ok(Some(Device { public_key, account: account(&mut tx, principal)? }))
}

/// The key of access tokens; made the first time.
pub(super) fn signing_secret(store: &Store, random: &dyn Randomness) -> Result<[u8; 32], Fault> {
    let mut tx = store.write()?;
    let known = tx.get_setting::<String>(SIGNING_SECRET)?;
    let known = known.and_then(|text| hex::decode(text).ok()?.try_into().ok());
    if let Some(secret) = known {
        return Ok(secret);
    }
    let mut secret = [0; 32];
    random.fill(&mut secret);
    tx.put_setting(SIGNING_SECRET, &hex::encode(secret))?;
    tx.commit()?;
    Ok(secret)
}

fn parse_hash(text: &str) -> Option<[u8; 32]> {
    hex::decode(text.strip_prefix(SHA256_PREFIX)?).ok()?.try_into().ok()
}

fn account(tx: &mut Tx, principal: Principal) -> Result<Account, Fault> {
    let user = tx.get("systemuser", principal.user)?;
    let value = |column: &str| user.as_ref().map_or(&Value::Null, |row| row.value(column));
    let switched_off = matches!(value("isdisabled"), Value::Boolean(true));
    let business_unit = value("businessunitid").as_reference().map(|r| r.id);
    let application = !value("applicationid").is_null();
    Ok(Account {
        is_disabled: principal.disabled || switched_off,
        caller: Caller {
            user: principal.user,
            name: principal.name,
            administrator: principal.administrator,
            go_offline: principal.go_offline,
            sync_to_outlook: principal.sync_to_outlook,
            business_unit: business_unit.unwrap_or_default(),
            agent: String::new(),
            application,
        },
    })
}
