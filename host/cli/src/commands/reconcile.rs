//! `offstage reconcile`: what the two runs of an entry made of it.

use super::journal::optional_json;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, brief_ids};
use crate::workspace::Workspace;
use clap::Subcommand;
use offstage_model::Value;
use offstage_model::journal::{ReportLine, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What the two runs of an entry made of it.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reconcile {
    /// Show the report of an entry
    Show {
        /// The entry's number
        entry: u64,
    },
}

impl Reconcile {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        let Self::Show { entry } = self;
        let detail = workspace.device()?.entry(entry)?;
        let Some(outcome) = detail.outcome else {
            return Err(CliError::new(
                Exit::NotFound,
                format!("Entry {entry} was not played back yet."),
            )
            .hint("`offstage go-online` plays the journal back."));
        };
        let report = &outcome.report;
        let lines: Vec<_> = report.lines.iter().map(line_json).collect();
        let json = json!({
            "entry": entry, "state": outcome.state, "stepsRun": report.steps_run,
            "lines": lines, "omitted": report.omitted, "serverOnly": detail.outside,
        });
        let rows = report.lines.iter().map(line_cells).collect();
        let ran = match report.steps_run.len() {
            0 => "No step ran on the server.".to_owned(),
            _ => format!("Ran on the server: {}.", report.steps_run.join(", ")),
        };
        let mut output = Output::new(json).text(ran).table(
            &["Step", "Operation", "Column", "Verdict", "Offline", "Server"],
            rows,
            "Plug-ins changed nothing in either run, or both runs agree.",
        );
        if !detail.outside.is_empty() {
            let rows: Vec<String> =
                detail.outside.iter().map(|row| format!("{} {}", row.table, row.id)).collect();
            output = output.text(format!(
                "On the server only, outside of what this device takes offline: {}.",
                brief_ids(&rows.join(", "))
            ));
        }
        Ok(output)
    }
}

/// A line for programs.
pub(crate) fn line_json(line: &ReportLine) -> serde_json::Value {
    json!({
        "step": line.step, "operation": line.operation, "column": line.column,
        "verdict": line.verdict, "offline": optional_json(line.offline.as_ref()),
        "server": optional_json(line.server.as_ref()),
    })
}

fn line_cells(line: &ReportLine) -> Vec<String> {
    let text = |value: &Option<Value>| value.as_ref().map(ToString::to_string).unwrap_or_default();
    vec![
        if line.step.is_empty() { "(your request)".into() } else { line.step.clone() },
        brief_ids(&line.operation),
        line.column.clone().unwrap_or_default(),
        verdict_text(line.verdict).to_owned(),
        text(&line.offline),
        text(&line.server),
    ]
}

/// The verdict as people read it.
pub(crate) fn verdict_text(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Paired => "same in both, kept once",
        Verdict::CarriedOver => "only offline, carried over",
        Verdict::Dropped => "only offline, dropped",
        Verdict::AddedByServer => "only on the server",
        Verdict::Differs => "differs, the server's stands",
        Verdict::ServerStands => "both changed it, the server's stands",
        Verdict::DeviceStands => "both changed it, the device's stands",
    }
}
