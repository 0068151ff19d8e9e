//! `offstage conflicts`: values that two sides changed.

use super::journal::optional_json;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, brief_ids};
use crate::rows::value_json;
use crate::workspace::Workspace;
use clap::Subcommand;
use offstage_model::journal::{EntryState, ReportLine, Verdict};
use offstage_store::{ConflictRow, JournalFilter, Winner};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The most conflicts that are looked at.
const LISTED_MAX: usize = 1_000;

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
}

/// One conflict, wherever it was found.
struct Found {
    entry: u64,
    what: String,
    column: String,
    server: String,
    device: String,
    stands: &'static str,
    json: serde_json::Value,
}

impl Conflicts {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        let mut found = if workspace.is_server() {
            let rows = workspace.store().read()?.conflicts(LISTED_MAX)?;
            rows.iter().map(of_server).collect()
        } else {
            of_device(workspace)?
        };
        if let Self::Show { entry } = self {
            found.retain(|f| f.entry == entry);
            if found.is_empty() {
                let message = format!("Entry {entry} has no conflict.");
                return Err(CliError::new(Exit::NotFound, message)
                    .hint("`offstage conflicts list` shows those that have one."));
            }
        }
        let json: Vec<_> = found.iter().map(|f| f.json.clone()).collect();
        let rows = found
            .into_iter()
            .map(|f| {
                vec![f.entry.to_string(), f.what, f.column, f.server, f.device, f.stands.into()]
            })
            .collect();
        Ok(Output::new(json!({ "conflicts": json })).table(
            &["Entry", "Row", "Column", "Server's value", "Device's value", "Stands"],
            rows,
            "No conflicts.",
        ))
    }
}

fn of_server(row: &ConflictRow) -> Found {
    let stands = match row.winner {
        Winner::Server => "the server's",
        Winner::Client => "the device's",
    };
    Found {
        entry: row.sequence,
        what: brief_ids(&format!("{} {}", row.table, row.row)),
        column: row.column.clone().unwrap_or_else(|| "(the row)".into()),
        server: row.server.to_string(),
        device: row.client.to_string(),
        stands,
        json: json!({
            "id": row.id, "time": row.time.to_string(), "device": row.device,
            "entry": row.sequence, "table": row.table, "row": row.row, "column": row.column,
            "winner": row.winner, "base": value_json(&row.base),
            "server": value_json(&row.server), "client": value_json(&row.client),
            "decidedBy": row.decided_by,
        }),
    }
}

fn of_device(workspace: &Workspace) -> Result<Vec<Found>, CliError> {
    let device = workspace.device()?;
    let filter = JournalFilter {
        states: vec![EntryState::Applied, EntryState::Conflict],
        rows_max: 100_000,
        ..JournalFilter::default()
    };
    let mut found = Vec::new();
    for row in device.journal(&filter)? {
        let lines = device.entry(row.sequence)?.outcome.map(|o| o.report.lines).unwrap_or_default();
        let conflicts = lines
            .into_iter()
            .filter(|line| matches!(line.verdict, Verdict::ServerStands | Verdict::DeviceStands));
        found.extend(conflicts.map(|line| of_line(row.sequence, line)));
        if found.len() >= LISTED_MAX {
            break;
        }
    }
    Ok(found)
}

fn of_line(entry: u64, line: ReportLine) -> Found {
    let text = |v: &Option<offstage_model::Value>| v.as_ref().map(ToString::to_string);
    Found {
        entry,
        what: brief_ids(&line.operation),
        column: line.column.clone().unwrap_or_else(|| "(the row)".into()),
        server: text(&line.server).unwrap_or_default(),
        device: text(&line.offline).unwrap_or_default(),
        stands: match line.verdict {
            Verdict::ServerStands => "the server's",
            _ => "the device's",
        },
        json: json!({
            "entry": entry, "operation": line.operation, "column": line.column,
            "server": optional_json(line.server.as_ref()),
            "client": optional_json(line.offline.as_ref()),
        }),
    }
}
