//! `offstage update`: changes a row.

use crate::error::CliError;
use crate::output::Output;
use crate::values::{Assignment, attributes, row_id};
use crate::workspace::Workspace;
use clap::Args;
use offstage_model::{Entity, Request};
use offstage_replication::Progress;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Change a row.
///
/// Values are typed by metadata; `COL=` clears a column, `COL=@FILE` reads a file.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Update {
    /// The table's logical name
    table: String,
    /// The row's id
    id: String,
    /// The columns with their new values
    #[arg(value_name = "COL=VALUE", required = true)]
    values: Vec<Assignment>,
}

impl Update {
    pub(crate) fn run(
        self,
        workspace: &Workspace,
        progress: &dyn Progress,
    ) -> Result<Output, CliError> {
        let id = row_id(&self.id)?;
        let mut row = Entity::with_id(&self.table, id);
        row.attributes =
            workspace.look_up(|catalog| attributes(catalog, &self.table, &self.values))?;
        workspace.execute(Request::update(row), progress)?;
        Ok(Output::new(json!({ "table": self.table, "id": id })).text("Changed."))
    }
}
