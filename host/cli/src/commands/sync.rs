//! `offstage sync`: refreshes the local copy while online.

use crate::error::CliError;
use crate::output::{Output, counted};
use crate::waiting::Waiting;
use crate::workspace::Workspace;
use clap::Args;
use offstage_replication::Progress;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Refresh the local copy while online.
///
/// Also sends entries that were retried or discarded meanwhile.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Sync {
    #[command(flatten)]
    #[serde(default)]
    pub(crate) waiting: Waiting,
}

impl Sync {
    pub(crate) fn run(
        self,
        workspace: &Workspace,
        progress: &dyn Progress,
    ) -> Result<Output, CliError> {
        let report = workspace.device()?.sync(progress)?;
        let brought = counted(report.rows, "row", "rows");
        let removed = counted(report.removals, "row", "rows");
        Ok(Output::new(json!({ "rows": report.rows, "removals": report.removals }))
            .text(format!("Brought {brought}, removed {removed}.")))
    }
}
