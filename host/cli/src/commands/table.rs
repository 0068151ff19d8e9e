//! `offstage table`: tables and their columns.

use crate::error::CliError;
use crate::output::{Output, yes_no};
use crate::values::FileArgument;
use crate::workspace::Workspace;
use clap::Subcommand;
use offstage_model::metadata::{Column, DefinitionFile, RequiredLevel};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Tables and their columns.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Table {
    /// List the tables
    List,
    /// Show the columns of a table
    Show {
        /// The table's logical name
        table: String,
    },
    /// Add tables and columns from a definition file (server)
    Add {
        /// The definition file
        file: FileArgument,
    },
}

impl Table {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        match self {
            Self::List => Ok(list(workspace)),
            Self::Show { table } => show(workspace, &table),
            Self::Add { file } => add(workspace, &file),
        }
    }
}

fn list(workspace: &Workspace) -> Output {
    let catalog = workspace.catalog();
    let mut rows = Vec::new();
    let mut json = Vec::new();
    for table in catalog.tables.values() {
        rows.push(vec![
            table.name.clone(),
            table.display_name().to_owned(),
            table.set.clone(),
            table.columns.len().to_string(),
            yes_no(table.offline),
        ]);
        json.push(json!({
            "name": table.name, "label": table.display_name(), "set": table.set,
            "columns": table.columns.len(), "offline": table.offline,
        }));
    }
    Output::new(json!({ "version": catalog.version, "tables": json })).table(
        &["Table", "Label", "Web API set", "Columns", "Offline"],
        rows,
        "No tables.",
    )
}

fn show(workspace: &Workspace, name: &str) -> Result<Output, CliError> {
    let catalog = workspace.catalog();
    let table = catalog.table(name)?;
    let rows = table
        .columns
        .iter()
        .map(|(name, column)| {
            let kind = format!("{:?}", column.kind).to_lowercase();
            vec![name.clone(), kind, column.label.clone(), details(column)]
        })
        .collect();
    Ok(Output::new(json!(table)).table(&["Column", "Type", "Label", "Details"], rows, ""))
}

fn details(column: &Column) -> String {
    let mut parts = Vec::new();
    if column.required == RequiredLevel::System {
        parts.push("required".to_owned());
    }
    if column.system {
        parts.push("set by the platform".to_owned());
    }
    if !column.targets.is_empty() {
        parts.push(format!("to {}", column.targets.join(", ")));
    }
    if !column.choices.is_empty() {
        let choices: Vec<String> =
            column.choices.iter().map(|c| format!("{} {}", c.value, c.label)).collect();
        parts.push(choices.join(", "));
    }
    if column.kind.is_text() {
        parts.push(format!("up to {} characters", column.length_max()));
    }
    parts.join("; ")
}

fn add(workspace: &Workspace, file: &FileArgument) -> Result<Output, CliError> {
    let (pipeline, administrator) = workspace.server()?;
    let definition: DefinitionFile = serde_json::from_slice(&file.read()?).map_err(|error| {
        CliError::usage(format!("'{}' is no definition file: {error}.", file.0.display()))
            .hint("It holds `tables`, `extend` and `relationships`; see sample-plugins/tables.")
    })?;
    let before = workspace.catalog().version;
    let catalog = pipeline.define(administrator, definition)?;
    let text = if catalog.version == before {
        "Nothing new; all of it was there already.".to_owned()
    } else {
        format!("Added. The metadata version is {} now.", catalog.version)
    };
    Ok(Output::new(json!({ "version": catalog.version, "changed": catalog.version != before }))
        .text(text))
}
