//! `offstage delete`: removes a row.

use crate::error::CliError;
use crate::output::Output;
use crate::values::row_id;
use crate::workspace::Workspace;
use clap::Args;
use offstage_model::Request;
use offstage_replication::Progress;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Remove a row.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Delete {
    /// The table's logical name
    table: String,
    /// The row's id
    id: String,
}

impl Delete {
    pub(crate) fn run(
        self,
        workspace: &Workspace,
        progress: &dyn Progress,
    ) -> Result<Output, CliError> {
        let id = row_id(&self.id)?;
        workspace.look_up(|catalog| Ok(catalog.table(&self.table).map(drop)?))?;
        workspace.execute(Request::delete(&self.table, id), progress)?;
        Ok(Output::new(json!({ "table": self.table, "id": id })).text("Removed."))
    }
}
