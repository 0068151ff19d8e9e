//! `offstage create`: makes a row.

use crate::error::CliError;
use crate::output::Output;
use crate::values::{Assignment, attributes, row_id};
use crate::workspace::Workspace;
use clap::Args;
use offstage_model::{Entity, Request};
use offstage_replication::Progress;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Make a row.
///
/// Values are typed by metadata: `birthdate=1990-02-28`, `parentcustomerid=account:ID`,
/// `statuscode=5` or its label, `notes=@FILE` reads a file.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Create {
    /// The table's logical name
    table: String,
    /// The columns with their values
    #[arg(value_name = "COL=VALUE")]
    values: Vec<Assignment>,
    /// The row's id; a fresh one when left out
    #[arg(long, value_name = "ID")]
    id: Option<String>,
}

impl Create {
    pub(crate) fn run(
        self,
        workspace: &Workspace,
        progress: &dyn Progress,
    ) -> Result<Output, CliError> {
        let mut row = Entity::new(&self.table);
        row.id = self.id.as_deref().map(row_id).transpose()?;
        row.attributes =
            workspace.look_up(|catalog| attributes(catalog, &self.table, &self.values))?;
        let given = row.id;
        let response = workspace.execute(Request::create(row), progress)?;
        let id = response.id().or(given).unwrap_or_default();
        Ok(Output::new(json!({ "table": self.table, "id": id })).text(id.to_string()))
    }
}
