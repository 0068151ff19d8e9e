//! `offstage conflicts`: values that two sides changed, which one stands, and how to take the other.
//!
//! Never removes a conflict from the log: what was decided stays known.

use super::journal::optional_json;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, brief_ids};
use crate::rows::value_json;
use crate::workspace::Workspace;
use clap::{Subcommand, ValueEnum};
use offstage_model::journal::{EntryState, ReportLine, Verdict};
use offstage_model::request::{message, parameter};
use offstage_model::{Entity, EntityReference, Parameter, Request, Uuid, Value};
use offstage_replication::Silent;
use offstage_store::{ConflictRow, JournalFilter, Winner};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

/// The most conflicts that are listed, the newest.
const LISTED_MAX: usize = 1_000;
/// The most that are looked through for those of one entry.
const SEARCHED_MAX: usize = 1_000_000;

/// Values that two sides changed, and which one stands. No value is ever lost.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Conflicts {
    /// List them: on a server all, on a device those of its own entries
    List,
    /// Show those of one journal entry with all values
    Show {
        /// The entry's number
        entry: u64,
    },
    /// Take one side's values: an ordinary update, under the rules of the plug-ins
    Resolve {
        /// The entry's number
        entry: u64,
        /// Whose values to take
        #[arg(long, value_name = "SIDE")]
        take: Side,
        /// Only these columns, separated by commas
        #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
        columns: Option<Vec<String>>,
        /// The device whose entry it is, where the server knows the number from several
        #[arg(long, value_name = "ID")]
        device: Option<Uuid>,
        /// The epoch of the entry, where the device began anew and has the number again
        #[arg(long, value_name = "N")]
        epoch: Option<u64>,
    },
}

/// One of the two sides that changed a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Side {
    /// The value that the server had
    Server,
    /// The value that the device brought
    Device,
}

impl Side {
    const fn stands(self) -> &'static str {
        match self {
            Self::Server => "the server's",
            Self::Device => "the device's",
        }
    }
}

/// One conflict, wherever it was found.
struct Found {
    entry: u64,
    /// The device and its epoch, on a server.
    device: Option<Uuid>,
    epoch: Option<u64>,
    row: Option<EntityReference>,
    what: String,
    column: Option<String>,
    server_value: Option<Value>,
    device_value: Option<Value>,
    stands: Side,
    json: serde_json::Value,
}

impl Conflicts {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        match self {
            Self::List => Ok(list(&find(workspace, None)?)),
            Self::Show { entry } => Ok(list(&of_entry(workspace, entry)?)),
            Self::Resolve { entry, take, columns, device, epoch } => {
                let mut found = of_entry(workspace, entry)?;
                found.retain(|f| device.is_none() || f.device == device);
                one_device(&found)?;
                found.retain(|f| epoch.is_none() || f.epoch == epoch);
                one_epoch(&found)?;
                let changes = changes(entry, &found, take, columns.as_deref())?;
                resolve(workspace, take, changes)
            }
        }
    }
}

fn list(found: &[Found]) -> Output {
    let json: Vec<_> = found.iter().map(|f| f.json.clone()).collect();
    let text = |v: &Option<Value>| v.as_ref().map(ToString::to_string).unwrap_or_default();
    let rows = found
        .iter()
        .map(|f| {
            vec![
                f.entry.to_string(),
                f.what.clone(),
                f.column.clone().unwrap_or_else(|| "(the row)".into()),
                text(&f.server_value),
                text(&f.device_value),
                f.stands.stands().into(),
            ]
        })
        .collect();
    Output::new(json!({ "conflicts": json })).table(
        &["Entry", "Row", "Column", "Server's value", "Device's value", "Stood"],
        rows,
        "No conflicts.",
    )
}

/// The conflicts of an entry, or the newest of all; the newest first.
fn find(workspace: &Workspace, entry: Option<u64>) -> Result<Vec<Found>, CliError> {
    if !workspace.is_server() {
        return of_device(workspace, entry);
    }
    let rows_max = if entry.is_some() { SEARCHED_MAX } else { LISTED_MAX };
    let mut rows = workspace.store().read()?.conflicts(rows_max)?;
    rows.retain(|row| entry.is_none_or(|entry| row.sequence == entry));
    Ok(rows.into_iter().map(of_server).collect())
}

fn of_entry(workspace: &Workspace, entry: u64) -> Result<Vec<Found>, CliError> {
    let found = find(workspace, Some(entry))?;
    if found.is_empty() {
        let message = format!("Entry {entry} has no conflict that was decided.");
        return Err(CliError::new(Exit::NotFound, message).hint(
            "`offstage conflicts list` shows those that have one. An entry in state conflict waits \
             for `offstage journal retry`, `edit` or `discard`.",
        ));
    }
    Ok(found)
}

/// Entries of several devices have the same numbers.
fn one_device(found: &[Found]) -> Result<(), CliError> {
    let mut devices: Vec<Uuid> = found.iter().filter_map(|f| f.device).collect();
    devices.sort_unstable();
    devices.dedup();
    match devices.as_slice() {
        [] if found.is_empty() => {
            Err(CliError::new(Exit::NotFound, "That device has no such entry.")
                .hint("`offstage --json conflicts list` names the devices."))
        }
        [] | [_] => Ok(()),
        several => {
            let ids: Vec<String> = several.iter().map(ToString::to_string).collect();
            let message =
                format!("Several devices have an entry of that number: {}.", ids.join(", "));
            Err(CliError::new(Exit::Usage, message).hint("Say which one with `--device ID`."))
        }
    }
}

/// A device that began a new epoch has its numbers again: another entry, about other rows.
fn one_epoch(found: &[Found]) -> Result<(), CliError> {
    let mut epochs: Vec<u64> = found.iter().filter_map(|f| f.epoch).collect();
    epochs.sort_unstable();
    epochs.dedup();
    match epochs.as_slice() {
        [] if found.is_empty() => {
            Err(CliError::new(Exit::NotFound, "There is no such entry in that epoch.")
                .hint("`offstage --json conflicts list` names the epochs."))
        }
        [] | [_] => Ok(()),
        several => {
            let numbers: Vec<String> = several.iter().map(ToString::to_string).collect();
            let message = format!(
                "The device has an entry of that number in several epochs: {}.",
                numbers.join(", ")
            );
            Err(CliError::new(Exit::Usage, message).hint("Say which one with `--epoch N`."))
        }
    }
}

/// The values of one side, by row.
fn changes(
    entry: u64,
    found: &[Found],
    take: Side,
    columns: Option<&[String]>,
) -> Result<Vec<Entity>, CliError> {
    let mut changes: BTreeMap<(&str, Uuid), Entity> = BTreeMap::new();
    for conflict in found {
        let (Some(row), Some(column)) = (&conflict.row, &conflict.column) else { continue };
        if columns.is_some_and(|columns| !columns.contains(column)) {
            continue;
        }
        let value = match take {
            Side::Server => &conflict.server_value,
            Side::Device => &conflict.device_value,
        };
        let empty = || Entity::with_id(&row.table, row.id);
        let target = changes.entry((&row.table, row.id)).or_insert_with(empty);
        // The newest first: a column that was decided twice is what it was the last time.
        target
            .attributes
            .entry(column.clone())
            .or_insert_with(|| value.clone().unwrap_or_default());
    }
    let decided = |column: &String| found.iter().any(|f| f.column.as_ref() == Some(column));
    if let Some(other) = columns.unwrap_or_default().iter().find(|column| !decided(column)) {
        let message = format!("Entry {entry} has no conflict in column '{other}'.");
        let hint = format!("`offstage conflicts show {entry}` lists its columns.");
        return Err(CliError::new(Exit::NotFound, message).hint(hint));
    }
    if changes.is_empty() {
        let message = format!("The conflicts of entry {entry} are not about single values.");
        return Err(CliError::new(Exit::NotFound, message)
            .hint(format!("`offstage reconcile show {entry}` says what was decided.")));
    }
    Ok(changes.into_values().collect())
}

/// Updates what is not so already; several rows change together or not at all.
fn resolve(workspace: &Workspace, take: Side, changes: Vec<Entity>) -> Result<Output, CliError> {
    let mut requests = Vec::new();
    let mut taken = Vec::new();
    for mut target in changes {
        let columns: Vec<String> = target.attributes.keys().cloned().collect();
        let id = target.id.unwrap_or_default();
        let now =
            workspace.execute(Request::retrieve(&target.table, id, Some(columns)), &Silent)?;
        if let Some(now) = now.entity() {
            target.attributes.retain(|column, value| !now.value(column).same(value));
        }
        for (column, value) in &target.attributes {
            taken.push(json!({
                "table": target.table, "row": id, "column": column, "value": value_json(value),
            }));
        }
        if !target.attributes.is_empty() {
            requests.push(Request::update(target));
        }
    }
    let output = Output::new(json!({ "take": take, "changed": taken }));
    let Some(first) = requests.pop() else {
        return Ok(output.text(format!("Nothing to do: {} values are there.", take.stands())));
    };
    let request = if requests.is_empty() {
        first
    } else {
        requests.push(first);
        Request::new(message::EXECUTE_TRANSACTION)
            .with(parameter::REQUESTS, Parameter::Requests(requests))
    };
    workspace.execute(request, &Silent)?;
    Ok(output.text(format!("Taken: {} value of {} column(s).", take.stands(), taken.len())))
}

fn of_server(row: ConflictRow) -> Found {
    let json = json!({
        "id": row.id, "time": row.time.to_string(), "device": row.device,
        "epoch": row.epoch, "entry": row.sequence, "table": row.table, "row": row.row, "column": row.column,
        "winner": row.winner, "base": value_json(&row.base),
        "server": value_json(&row.server), "client": value_json(&row.client),
        "decidedBy": row.decided_by,
    });
    Found {
        entry: row.sequence,
        device: Some(row.device),
        epoch: Some(row.epoch),
        what: brief_ids(&format!("{} {}", row.table, row.row)),
        row: Some(EntityReference::new(row.table, row.row)),
        column: row.column,
        server_value: Some(row.server),
        device_value: Some(row.client),
        stands: match row.winner {
            Winner::Server => Side::Server,
            Winner::Client => Side::Device,
        },
        json,
    }
}

fn of_device(workspace: &Workspace, entry: Option<u64>) -> Result<Vec<Found>, CliError> {
    let device = workspace.device()?;
    let filter = JournalFilter {
        states: vec![EntryState::Applied, EntryState::Conflict],
        rows_max: 100_000,
        ..JournalFilter::default()
    };
    let mut found = Vec::new();
    for row in device.journal(&filter)? {
        if entry.is_some_and(|entry| row.sequence != entry) {
            continue;
        }
        let lines = device.entry(row.sequence)?.outcome.map(|o| o.report.lines).unwrap_or_default();
        let conflicts = lines
            .into_iter()
            .filter(|line| matches!(line.verdict, Verdict::ServerStands | Verdict::DeviceStands));
        found.extend(conflicts.map(|line| of_line(row.sequence, line)));
        if entry.is_none() && found.len() >= LISTED_MAX {
            break;
        }
    }
    Ok(found)
}

fn of_line(entry: u64, line: ReportLine) -> Found {
    let json = json!({
        "entry": entry, "operation": line.operation, "column": line.column,
        "table": line.row.as_ref().map(|row| &row.table),
        "row": line.row.as_ref().map(|row| row.id),
        "server": optional_json(line.server.as_ref()),
        "client": optional_json(line.offline.as_ref()),
    });
    Found {
        entry,
        device: None,
        epoch: None,
        what: brief_ids(&line.operation),
        row: line.row,
        column: line.column,
        server_value: line.server,
        device_value: line.offline,
        stands: match line.verdict {
            Verdict::ServerStands => Side::Server,
            _ => Side::Device,
        },
        json,
    }
}
