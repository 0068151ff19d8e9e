//! `offstage device`: the server's devices.

use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, grouped, yes_no};
use crate::values::row_id;
use crate::workspace::Workspace;
use clap::Subcommand;
use offstage_model::Uuid;
use offstage_model::journal::Outcome;
use offstage_store::{DeviceRow, Receipt, Tx};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The server's devices: who is behind, what is stuck and why.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Device {
    /// List the devices
    List,
    /// Show a device, and its entries that need a decision
    Show {
        /// The device's id
        id: String,
    },
    /// Never let a device in again
    Revoke {
        /// The device's id
        id: String,
    },
}

impl Device {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        workspace.server()?;
        match self {
            Self::List => list(&mut workspace.store().read()?),
            Self::Show { id } => show(&mut workspace.store().read()?, row_id(&id)?),
            Self::Revoke { id } => {
                let mut tx = workspace.store().write()?;
                let mut device = find(&mut tx, row_id(&id)?)?;
                device.revoked = true;
                tx.put_device(&device)?;
                tx.commit()?;
                Ok(Output::new(json!({ "revoked": device.id })).text("Revoked."))
            }
        }
    }
}

fn find(tx: &mut Tx, id: Uuid) -> Result<DeviceRow, CliError> {
    tx.device(id)?.ok_or_else(|| {
        CliError::new(Exit::NotFound, format!("There is no device {id}."))
            .hint("`offstage device list` shows the devices.")
    })
}

fn user_name(tx: &mut Tx, user: Uuid) -> Result<String, CliError> {
    Ok(tx.principal(user)?.map_or_else(|| user.to_string(), |p| p.name))
}

fn device_json(device: &DeviceRow, user: &str, stuck: usize) -> serde_json::Value {
    json!({
        "id": device.id, "name": device.name, "user": { "id": device.user, "name": user },
        "epoch": device.epoch, "lastSequence": device.last_sequence,
        "acknowledged": device.acknowledged, "lastSeen": device.last_seen.to_string(),
        "clockOffsetMs": device.offset_ms, "revoked": device.revoked, "needAttention": stuck,
    })
}

fn list(tx: &mut Tx) -> Result<Output, CliError> {
    let mut rows = Vec::new();
    let mut json = Vec::new();
    for device in tx.devices()? {
        let user = user_name(tx, device.user)?;
        let stuck = tx.attention_receipts(device.id)?.len();
        json.push(device_json(&device, &user, stuck));
        rows.push(vec![
            device.id.to_string(),
            device.name,
            user,
            device.last_seen.to_string(),
            grouped(device.last_sequence),
            stuck.to_string(),
            yes_no(device.revoked),
        ]);
    }
    Ok(Output::new(json!({ "devices": json })).table(
        &["Device", "Name", "User", "Last seen", "Entries", "Refused", "Revoked"],
        rows,
        "No devices yet; `offstage connect URL` makes one.",
    ))
}

fn show(tx: &mut Tx, id: Uuid) -> Result<Output, CliError> {
    let device = find(tx, id)?;
    let user = user_name(tx, device.user)?;
    let receipts = tx.attention_receipts(id)?;
    let mut json = device_json(&device, &user, receipts.len());
    let mut rows = Vec::new();
    let mut refused = Vec::new();
    for receipt in &receipts {
        let reason = reason(receipt);
        refused
            .push(json!({ "entry": receipt.sequence, "state": receipt.state, "reason": reason }));
        let state = super::journal::word(receipt.state).to_owned();
        rows.push(vec![receipt.sequence.to_string(), state, reason]);
    }
    json["refused"] = json!(refused);
    let offset = device.offset_ms.map_or_else(|| "unknown".into(), |ms| format!("{ms} ms"));
    let pairs = vec![
        ("Device", format!("{} ({})", device.name, device.id)),
        ("User", user),
        ("Last seen", device.last_seen.to_string()),
        ("Entries played", grouped(device.last_sequence)),
        ("Acknowledged", grouped(device.acknowledged)),
        ("Clock offset", offset),
        ("Revoked", yes_no(device.revoked)),
    ];
    Ok(Output::new(json).pairs(pairs).text("").table(
        &["Entry", "State", "Why"],
        rows,
        "No entry was refused.",
    ))
}

fn reason(receipt: &Receipt) -> String {
    let outcome = receipt.outcome.as_deref();
    let outcome = outcome.and_then(|bytes| serde_json::from_slice::<Outcome>(bytes).ok());
    outcome.and_then(|o| o.fault).map(|f| f.message).unwrap_or_default()
}
