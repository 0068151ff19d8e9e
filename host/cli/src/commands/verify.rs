//! `offstage verify`: compares the local copy with the server.

use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Output, grouped};
use crate::workspace::Workspace;
use clap::Args;
use offstage_replication::{Progress, RowDifference};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Rows shown per table.
const SHOWN_MAX: usize = 20;

/// Compare the local copy with the server, per table and down to the rows that differ.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Verify {}

impl Verify {
    pub(crate) fn run(
        self,
        workspace: &Workspace,
        progress: &dyn Progress,
    ) -> Result<Output, CliError> {
        let differences = workspace.device()?.verify(progress)?;
        let tables: Vec<_> = differences
            .iter()
            .map(|d| {
                let rows: Vec<_> = d.rows.iter().map(row_json).collect();
                json!({
                    "table": d.table, "localRows": d.local_rows, "serverRows": d.server_rows,
                    "rows": rows,
                })
            })
            .collect();
        let output = Output::new(json!({ "same": differences.is_empty(), "tables": tables }));
        if differences.is_empty() {
            return Ok(output.text("Both sides hold the same."));
        }
        let mut rows = Vec::new();
        for table in &differences {
            let counts = format!("{} / {}", grouped(table.local_rows), grouped(table.server_rows));
            for row in table.rows.iter().take(SHOWN_MAX) {
                rows.push(vec![
                    table.table.clone(),
                    counts.clone(),
                    row.id.to_string(),
                    where_it_is(row).to_owned(),
                ]);
            }
            if table.rows.is_empty() || table.rows.len() > SHOWN_MAX {
                rows.push(vec![table.table.clone(), counts, "…".into(), String::new()]);
            }
        }
        Ok(output
            .text("The two sides differ:")
            .table(&["Table", "Rows here / there", "Row", "How"], rows, "")
            .exit(Exit::Attention))
    }
}

fn row_json(row: &RowDifference) -> serde_json::Value {
    json!({ "id": row.id, "local": row.local, "server": row.server, "pending": row.pending })
}

fn where_it_is(row: &RowDifference) -> &'static str {
    match (row.pending, row.local, row.server) {
        (true, ..) => "an entry is not decided yet",
        (false, true, true) => "other values",
        (false, true, false) => "only here",
        (false, false, _) => "only on the server",
    }
}
