//! `offstage go-offline`: brings the data down and works locally from then on.

use crate::error::CliError;
use crate::output::{Output, counted};
use crate::waiting::Waiting;
use crate::workspace::Workspace;
use clap::Args;
use offstage_replication::Progress;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Bring the data down and work locally from now on.
///
/// The first time this adds the offline capability: tables, plug-ins and the user's data. Later it
/// brings only what changed. Interrupted, it goes on where it stopped.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct GoOffline {
    #[command(flatten)]
    #[serde(default)]
    pub(crate) waiting: Waiting,
}

impl GoOffline {
    pub(crate) fn run(
        self,
        workspace: &Workspace,
        progress: &dyn Progress,
    ) -> Result<Output, CliError> {
        let device = workspace.device()?;
        // Who waits for the server wants what it has now.
        let report = if self.waiting.is_set() {
            device.go_offline_fresh(progress)?
        } else {
            device.go_offline(progress)?
        };
        let copy_of = report.copy_of.map(|time| time.to_string());
        let tables: Vec<_> = report
            .tables
            .iter()
            .map(|t| json!({ "table": t.table, "rows": t.upserts, "removals": t.removals }))
            .collect();
        let json = json!({
            "state": "offline",
            "rows": report.rows,
            "removals": report.removals,
            "tables": tables,
            "copyOf": copy_of,
            "skipped": report.skipped,
        });
        let brought = counted(report.rows, "row", "rows");
        let removed = counted(report.removals, "row", "rows");
        let mut output = Output::new(json);
        output = match copy_of {
            Some(time) => {
                output.text(format!("Offline, with the copy of {time}: the server did not answer."))
            }
            None => output.text(format!("Offline. Brought {brought}, removed {removed}.")),
        };
        for skipped in &report.skipped {
            output = output.text(format!(
                "Plug-in '{}' does not run here: {}. {}",
                skipped.package, skipped.reason, skipped.hint
            ));
        }
        Ok(output)
    }
}
