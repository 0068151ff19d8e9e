//! `offstage get`: shows a row.

use crate::error::CliError;
use crate::output::{Block, Output};
use crate::rows::{cell, is_noise, row_json};
use crate::values::row_id;
use crate::workspace::Workspace;
use clap::Args;
use offstage_model::{Fault, Request, code};
use offstage_replication::Progress;
use serde::{Deserialize, Serialize};

/// Show a row.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Get {
    /// The table's logical name
    table: String,
    /// The row's id
    id: String,
    /// The columns to show, separated by commas
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    select: Option<Vec<String>>,
    /// Show system columns and empty ones too
    #[arg(long)]
    all: bool,
}

impl Get {
    pub(crate) fn run(
        self,
        workspace: &Workspace,
        progress: &dyn Progress,
    ) -> Result<Output, CliError> {
        let id = row_id(&self.id)?;
        workspace.look_up(|catalog| {
            catalog.table(&self.table)?;
            for column in self.select.iter().flatten() {
                catalog.column(&self.table, column)?;
            }
            Ok(())
        })?;
        let catalog = workspace.catalog();
        let table = catalog.table(&self.table)?;
        let request = Request::retrieve(&self.table, id, self.select.clone());
        let response = workspace.execute(request, progress)?;
        let row = response
            .entity()
            .ok_or_else(|| Fault::new(code::INTERNAL, "The answer to the request has no row."))?;
        let every = self.all || self.select.is_some();
        let pairs: Vec<(String, String)> = row
            .attributes
            .iter()
            .filter(|(name, value)| {
                let noise = table.column(name).is_some_and(is_noise);
                every || (!noise && !value.is_null())
            })
            .map(|(name, _)| (name.clone(), cell(&catalog, row, name)))
            .collect();
        Ok(Output::new(row_json(row)).block(Block::Pairs(pairs)))
    }
}
