//! `offstage go-online`: plays the journal back and works on the server from then on.

use super::journal;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, counted, grouped};
use crate::waiting::Waiting;
use crate::workspace::Workspace;
use clap::Args;
use offstage_replication::Progress;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Play the journal back on the server, then work there from now on.
///
/// Ends with exit code 5 when entries need a decision. Interrupted, it goes on where it stopped.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct GoOnline {
    #[command(flatten)]
    #[serde(default)]
    pub(crate) waiting: Waiting,
}

impl GoOnline {
    pub(crate) fn run(
        self,
        workspace: &Workspace,
        progress: &dyn Progress,
    ) -> Result<Output, CliError> {
        let device = workspace.device()?;
        let report = device.go_online(progress)?;
        let counts = report.counts;
        let attention = device.attention()?;
        let json = json!({
            "state": "online",
            "counts": counts,
            "rows": report.rows,
            "removals": report.removals,
            "attention": attention.iter().map(journal::attention_json).collect::<Vec<_>>(),
        });
        let mut text = format!("Online. {}", counted(counts.applied, "entry", "entries"));
        text.push_str(" applied");
        let others = [
            (counts.conflict, "in conflict"),
            (counts.rejected, "rejected"),
            (counts.blocked, "blocked"),
            (counts.discarded, "withdrawn"),
        ];
        for (count, what) in others {
            if count > 0 {
                text.push_str(&format!(", {} {what}", grouped(count)));
            }
        }
        let output = Output::new(json).text(format!("{text}."));
        if attention.is_empty() {
            return Ok(output);
        }
        let output = output.text("\nThese need a decision:");
        let output = journal::attention_table(output, &attention).text(
            "Retry, edit or discard one: `offstage journal retry N`, `edit N COL=VALUE`, `discard N`.",
        );
        Ok(output.exit(Exit::Attention))
    }
}
