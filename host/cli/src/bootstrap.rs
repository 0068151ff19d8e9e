//! The first start of a server: its organization, root business unit and administrator, in one
//! transaction.
//!
//! Never changes them later. Shows a secret once and keeps only its hash.

use crate::error::CliError;
use crate::machine::{SystemRandom, random_hex};
use offstage_model::{Entity, Fault, Randomness as _, Uuid, Value, code};
use offstage_pipeline::{Caller, Organization, Pipeline, settings};
use offstage_server::secret_hash;
use offstage_store::{Principal, Tx, WriteStamp};

/// The setting that names the administrator's user.
const ADMINISTRATOR: &str = "administrator";
/// What the program calls itself in traces.
const AGENT: &str = concat!("offstage/", env!("CARGO_PKG_VERSION"));

/// What somebody signs in with.
pub(crate) struct Secret {
    /// The client id.
    pub(crate) client_id: String,
    /// The secret, in clear; the store has its hash only.
    pub(crate) client_secret: String,
}

impl Secret {
    /// A new client id and secret, set in `principal`.
    pub(crate) fn make(principal: &mut Principal) -> Self {
        let secret =
            Self { client_id: SystemRandom.guid().to_string(), client_secret: random_hex::<32>() };
        principal.client_id = Some(secret.client_id.clone());
        principal.secret_hash = Some(secret_hash(&secret.client_secret));
        secret
    }
}

/// Sets a server's store up; does nothing when it is set up already.
pub(crate) fn set_up(pipeline: &Pipeline, organization: &str) -> Result<(), CliError> {
    let mut tx = pipeline.store().write()?;
    if tx.get_setting::<Uuid>(ADMINISTRATOR)?.is_some() {
        return Ok(());
    }
    let (unit, user) = (SystemRandom.guid(), SystemRandom.guid());
    let stamp = WriteStamp { time: pipeline.clock().now(), device: Uuid::nil(), sequence: 0 };
    let unit_row = Entity::with_id("businessunit", unit)
        .with("name", Value::text(organization))
        .with("isdisabled", Value::Boolean(false));
    let user_row = Entity::with_id("systemuser", user)
        .with("fullname", Value::text("Administrator"))
        .with("domainname", Value::text("administrator"))
        .with("businessunitid", Value::reference("businessunit", unit))
        .with("isdisabled", Value::Boolean(false));
    for row in [unit_row, user_row] {
        tx.insert(&completed(row, user, &stamp), &stamp)?;
    }
    tx.put_principal(&Principal {
        user,
        name: "Administrator".into(),
        administrator: true,
        go_offline: true,
        sync_to_outlook: true,
        disabled: false,
        client_id: None,
        secret_hash: None,
    })?;
    let organization = Organization { id: SystemRandom.guid(), name: organization.to_owned() };
    tx.put_setting(settings::ORGANIZATION, &organization)?;
    tx.put_setting(ADMINISTRATOR, &user)?;
    tx.commit()?;
    pipeline.set_organization(organization)?;
    Ok(())
}

/// What the platform sets in a row that is made; the pipeline does it for all others.
fn completed(row: Entity, user: Uuid, stamp: &WriteStamp) -> Entity {
    row.with("createdon", Value::DateTime(stamp.time))
        .with("modifiedon", Value::DateTime(stamp.time))
        .with("createdby", Value::reference("systemuser", user))
        .with("modifiedby", Value::reference("systemuser", user))
        .with("statecode", Value::Option(0))
        .with("statuscode", Value::Option(1))
}

/// The administrator, as whom commands run in the server's own directory.
pub(crate) fn administrator(pipeline: &Pipeline) -> Result<Caller, CliError> {
    let mut tx = pipeline.store().read()?;
    let principal = administrator_principal(&mut tx)?;
    let row = tx.get("systemuser", principal.user)?;
    let unit = row.and_then(|r| r.value("businessunitid").as_reference().map(|unit| unit.id));
    Ok(Caller {
        user: principal.user,
        name: principal.name,
        administrator: true,
        go_offline: true,
        sync_to_outlook: true,
        business_unit: unit.unwrap_or_default(),
        agent: AGENT.into(),
        application: false,
    })
}

fn administrator_principal(tx: &mut Tx) -> Result<Principal, CliError> {
    let user: Option<Uuid> = tx.get_setting(ADMINISTRATOR)?;
    let principal = user.map(|user| tx.principal(user)).transpose()?.flatten();
    principal.ok_or_else(|| {
        Fault::new(code::STORE_UNUSABLE, "The server's store was never set up.")
            .hint("Run `offstage serve` on this directory first.")
            .into()
    })
}

/// Credentials for the administrator, when there are none yet.
pub(crate) fn first_secret(pipeline: &Pipeline) -> Result<Option<Secret>, CliError> {
    let mut tx = pipeline.store().write()?;
    let mut principal = administrator_principal(&mut tx)?;
    if principal.client_id.is_some() {
        return Ok(None);
    }
    let secret = Secret::make(&mut principal);
    tx.put_principal(&principal)?;
    tx.commit()?;
    Ok(Some(secret))
}
