//! `offstage status`: where this data directory stands.

use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, counted, grouped, yes_no};
use crate::workspace::Workspace;
use clap::Args;
use offstage_replication::Device;
use offstage_store::ViolationRow;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Show state, user, open entries, last sync, and plug-ins that do not run here.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Status {}

impl Status {
    #[expect(clippy::unused_self, reason = "every command runs on its arguments")]
    pub(crate) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        if workspace.is_server() { of_server(workspace) } else { of_device(workspace.device()?) }
    }
}

fn of_server(workspace: &Workspace) -> Result<Output, CliError> {
    let (pipeline, administrator) = workspace.server()?;
    let organization = pipeline.organization();
    let registry = pipeline.registry()?;
    let suspended = pipeline.suspended()?;
    let devices = workspace.store().read()?.devices()?;
    let catalog = workspace.catalog();
    let json = json!({
        "role": "server",
        "organization": { "id": organization.id, "name": organization.name },
        "user": administrator.name,
        "metadataVersion": catalog.version,
        "tables": catalog.tables.len(),
        "packages": registry.packages.len(),
        "steps": registry.steps.len(),
        "devices": devices.len(),
        "skipped": registry.skipped,
        "suspended": suspended,
    });
    let output = Output::new(json).pairs(vec![
        ("Role", "server".into()),
        ("Organization", organization.name),
        ("Tables", format!("{} (metadata version {})", catalog.tables.len(), catalog.version)),
        (
            "Plug-ins",
            format!("{} packages, {} steps", registry.packages.len(), registry.steps.len()),
        ),
        ("Devices", devices.len().to_string()),
    ]);
    Ok(show_suspended(skipped(output, &registry.skipped), &suspended))
}

/// The status of a device.
pub(crate) fn of_device(device: &Device) -> Result<Output, CliError> {
    let status = device.status()?;
    let suspended = device.pipeline().suspended()?;
    let journal = status.journal;
    let last_sync = status.last_sync.map(|time| time.to_string());
    let json = json!({
        "role": "device",
        "state": status.state,
        "device": status.device,
        "name": status.name,
        "organization": { "id": status.organization.id, "name": status.organization.name },
        "user": { "id": status.user.user, "name": status.user.name },
        "offlineCapable": status.offline_capable,
        "lastSync": last_sync,
        "clockOffsetMs": status.offset_ms,
        "journal": {
            "pending": journal.pending, "sent": journal.sent, "applied": journal.applied,
            "conflict": journal.conflict, "rejected": journal.rejected,
            "blocked": journal.blocked, "discarded": journal.discarded,
        },
        "attention": status.attention,
        "unknownWrites": status.unknown_writes,
        "skipped": status.skipped,
        "suspended": suspended,
    });
    let mut pairs = vec![
        ("State", status.state.text().to_owned()),
        ("User", status.user.name.clone()),
        ("Organization", status.organization.name.clone()),
        ("Device", format!("{} ({})", status.name, status.device)),
        ("Can go offline", yes_no(status.offline_capable)),
        ("Last sync", last_sync.unwrap_or_else(|| "never".into())),
        (
            "Journal",
            format!("{} waiting, {} applied", grouped(journal.open()), grouped(journal.applied)),
        ),
    ];
    if status.attention > 0 {
        let text = counted(status.attention, "entry needs", "entries need");
        pairs
            .push(("Attention", format!("{text} a decision: `offstage journal list --attention`")));
    }
    if status.unknown_writes > 0 {
        let count = grouped(status.unknown_writes);
        pairs.push((
            "Unknown",
            format!("{count} online writes without an answer; the next sync asks"),
        ));
    }
    let exit = if status.attention > 0 { Exit::Attention } else { Exit::Done };
    let output = skipped(Output::new(json).pairs(pairs), &status.skipped);
    Ok(show_suspended(output, &suspended).exit(exit))
}

fn skipped(output: Output, skipped: &[offstage_pipeline::SkippedPackage]) -> Output {
    if skipped.is_empty() {
        return output;
    }
    let rows =
        skipped.iter().map(|s| vec![s.package.clone(), s.reason.clone(), s.hint.clone()]).collect();
    output.text("\nPlug-ins that do not run here:").table(
        &["Package", "Why", "What to do"],
        rows,
        "",
    )
}

fn show_suspended(output: Output, suspended: &[ViolationRow]) -> Output {
    if suspended.is_empty() {
        return output;
    }
    let rows = suspended
        .iter()
        .map(|row| {
            let resume = format!("`offstage plugin resume {}`", row.package);
            vec![row.package.clone(), suspension(row), resume]
        })
        .collect();
    output.text("\nSuspended plug-ins; what needs their steps is refused:").table(
        &["Package", "Why", "What to do"],
        rows,
        "",
    )
}

/// Why a package is suspended, in one line.
pub(crate) fn suspension(row: &ViolationRow) -> String {
    let since = row.suspended.map(|time| format!(", since {time}")).unwrap_or_default();
    format!("the sandbox ended {} runs in a row{since}", row.count)
}
