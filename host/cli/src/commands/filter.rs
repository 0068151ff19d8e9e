//! `offstage filter`: what this device takes offline, or on a server what every device takes.

use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;
use crate::workspace::Workspace;
use clap::{Args, Subcommand};
use offstage_model::query::{Filter as ModelFilter, Operator};
use offstage_model::{Catalog, Fault};
use offstage_query::odata;
use offstage_subscription::{DataFilter, SYSTEM_PREFIX};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What this device takes offline; with --system on a server, what every device takes.
///
/// Several filters of one table are a union.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Filter {
    #[command(subcommand)]
    action: Action,
    /// The filters of every device, on the server's data directory
    #[arg(long, global = true)]
    system: bool,
}

#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Action {
    /// List the filters
    List,
    /// Take more rows of a table; the next sync brings them
    Add {
        /// The table's logical name
        table: String,
        /// Which rows, as OData; all when left out
        #[arg(long, value_name = "ODATA")]
        filter: Option<String>,
        /// The filter's name; the table's when left out
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// Remove a filter; the next sync removes rows that no other one takes
    Remove {
        /// The filter's name
        name: String,
    },
}

impl Filter {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<Output, CliError> {
        let catalog = workspace.catalog();
        if !self.system {
            let device = workspace.device().map_err(|error| {
                error.hint("On a server, `--system` sets what every device takes.")
            })?;
            let mut filters = device.filters()?;
            if self.action.change(&mut filters, &catalog, "")? {
                device.set_filters(filters.clone())?;
            }
            return Ok(list(&filters));
        }
        workspace.server()?;
        let mut tx = workspace.store().write()?;
        let mut filters = offstage_subscription::system_filters(&mut tx).map_err(Fault::from)?;
        if self.action.change(&mut filters, &catalog, SYSTEM_PREFIX)? {
            offstage_subscription::set_system_filters(&mut tx, &filters).map_err(Fault::from)?;
            tx.commit()?;
        }
        Ok(list(&filters))
    }
}

impl Action {
    /// Carries the action out on `filters`; whether it changed them. New names begin with `prefix`.
    fn change(
        self,
        filters: &mut Vec<DataFilter>,
        catalog: &Catalog,
        prefix: &str,
    ) -> Result<bool, CliError> {
        match self {
            Self::List => return Ok(false),
            Self::Add { table, filter, name } => {
                catalog.table(&table)?;
                let filter = filter
                    .filter(|text| !text.trim().is_empty())
                    .map(|text| odata::parse_filter(&text, catalog, &table))
                    .transpose()?;
                let name = name.unwrap_or_else(|| format!("{prefix}{table}"));
                if filters.iter().any(|f| f.name == name) {
                    return Err(CliError::usage(format!("There is a filter '{name}' already."))
                        .hint("Give it another name with --name."));
                }
                filters.push(DataFilter { name, table, filter });
            }
            Self::Remove { name } => {
                let before = filters.len();
                filters.retain(|f| f.name != name);
                if filters.len() == before {
                    let message = format!("There is no filter '{name}'.");
                    return Err(CliError::new(Exit::NotFound, message)
                        .hint("`offstage filter list` shows the filters."));
                }
            }
        }
        Ok(true)
    }
}

fn list(filters: &[DataFilter]) -> Output {
    let rows = filters
        .iter()
        .map(|f| {
            let which = f.filter.as_ref().map_or_else(|| "all rows".to_owned(), words);
            vec![f.name.clone(), f.table.clone(), which]
        })
        .collect();
    Output::new(json!({ "filters": filters })).table(
        &["Filter", "Table", "Rows"],
        rows,
        "Nothing is taken offline.",
    )
}

/// A filter as people read it.
fn words(filter: &ModelFilter) -> String {
    let joined = |parts: &[ModelFilter], word: &str| {
        let parts: Vec<String> = parts.iter().map(words).collect();
        format!("({})", parts.join(word))
    };
    match filter {
        ModelFilter::All(parts) if parts.is_empty() => "all rows".into(),
        ModelFilter::All(parts) => joined(parts, " and "),
        ModelFilter::Any(parts) => joined(parts, " or "),
        ModelFilter::Not(part) => format!("not {}", words(part)),
        ModelFilter::Condition(condition) => {
            let mut column = condition.path.join("/");
            if !column.is_empty() {
                column.push('/');
            }
            column.push_str(&condition.column);
            if condition.operator == Operator::EqualUserId {
                return format!("{column} is you");
            }
            let operator = json!(condition.operator);
            let values: Vec<String> = condition.values.iter().map(ToString::to_string).collect();
            let operator = operator.as_str().unwrap_or_default().replace('-', " ");
            format!("{column} {operator} {}", values.join(", ")).trim_end().to_owned()
        }
    }
}
