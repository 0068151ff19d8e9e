//! `offstage query`: lists rows.

use crate::error::CliError;
use crate::output::{Output, grouped};
use crate::rows::{cell, list_columns, row_json};
use crate::workspace::Workspace;
use clap::Args;
use offstage_model::{Catalog, Fault, Query as ModelQuery, Request, code};
use offstage_query::odata;
use offstage_replication::Progress;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Rows shown when nobody says how many.
const TOP_DEFAULT: u32 = 50;

/// List rows.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Query {
    /// The table's logical name
    table: String,
    /// Which rows, as OData: "lastname eq 'Alvarez' and creditlimit gt 1000"
    #[arg(long, value_name = "ODATA")]
    filter: Option<String>,
    /// The columns, separated by commas
    #[arg(long, value_name = "COLUMNS")]
    select: Option<String>,
    /// The order: "lastname, createdon desc"
    #[arg(long, value_name = "COLUMNS")]
    order: Option<String>,
    /// The first rows only
    #[arg(long, value_name = "N", default_value_t = TOP_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=5000))]
    top: u32,
    /// Count all rows that match, up to 5,000
    #[arg(long)]
    count: bool,
}

impl Query {
    pub(crate) fn run(
        self,
        workspace: &Workspace,
        progress: &dyn Progress,
    ) -> Result<Output, CliError> {
        let query = workspace.look_up(|catalog| self.model(catalog))?;
        let catalog = workspace.catalog();
        let table = catalog.table(&self.table)?;
        let columns = query.columns.clone().unwrap_or_default();
        let response = workspace.execute(Request::retrieve_multiple(query), progress)?;
        let page = response
            .collection()
            .ok_or_else(|| Fault::new(code::INTERNAL, "The answer to the query has no rows."))?;
        let shown = page.entities.len();
        let json = json!({
            "rows": page.entities.iter().map(row_json).collect::<Vec<_>>(),
            "more": page.more_records,
            "count": page.total_count,
        });
        let mut headers = vec!["id"];
        headers.extend(columns.iter().filter(|c| **c != table.primary_id).map(String::as_str));
        let rows = page
            .entities
            .iter()
            .map(|row| {
                let id = row.id.map(|id| id.to_string()).unwrap_or_default();
                let cells = headers.iter().skip(1).map(|column| cell(&catalog, row, column));
                std::iter::once(id).chain(cells).collect()
            })
            .collect();
        let mut output = Output::new(json).table(&headers, rows, "No rows.");
        if let Some(count) = page.total_count {
            output = output.text(format!("{} rows match.", grouped(count)));
        }
        if page.more_records {
            output = output.text(format!("The first {shown}; `--top N` shows more."));
        }
        Ok(output)
    }

    fn model(&self, catalog: &Catalog) -> Result<ModelQuery, CliError> {
        catalog.table(&self.table)?;
        let given = |text: &Option<String>| text.clone().filter(|t| !t.trim().is_empty());
        let mut query = ModelQuery::all(&self.table);
        query.columns = Some(match given(&self.select) {
            Some(text) => odata::parse_select(&text, catalog, &self.table)?,
            None => list_columns(catalog, &self.table),
        });
        if let Some(text) = given(&self.filter) {
            query.filter = Some(odata::parse_filter(&text, catalog, &self.table)?);
        }
        if let Some(text) = given(&self.order) {
            query.orders = odata::parse_order(&text, catalog, &self.table)?;
        }
        // A page, because a count goes with pages only.
        query.page_size = Some(self.top);
        query.total_count = self.count;
        Ok(query)
    }
}
