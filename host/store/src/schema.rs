//! The system tables, and the SQL of each catalog table, written once per catalog.
//!
//! Every module with tables of its own contributes its definitions to [`SYSTEM_TABLES`].

use crate::{
    StoreError, aliases, autonumbers, captures, changes, conflicts, file_effects, journal,
};
use crate::{outbox, principals, receipts, registration, settings, sync, traces, violations};
use offstage_model::metadata::{Column, Table};
use offstage_model::{Catalog, Fault};
use offstage_query::Layout;
use offstage_query::physical::{VERSION_COLUMN, quoted, table_name, target_column};
use std::collections::HashMap;
use std::sync::Arc;

/// The definitions of all system tables; each is safe to run again.
pub(crate) const SYSTEM_TABLES: &[&str] = &[
    settings::TABLES,
    changes::TABLES,
    journal::TABLES,
    receipts::TABLES,
    traces::TABLES,
    captures::TABLES,
    registration::TABLES,
    principals::TABLES,
    conflicts::TABLES,
    aliases::TABLES,
    autonumbers::TABLES,
    sync::TABLES,
    violations::TABLES,
    file_effects::TABLES,
    outbox::TABLES,
];

/// The hidden column with the stamp of a row's creation.
pub(crate) const CREATED_COLUMN: &str = "os_created";
/// The hidden column with the stamps of columns that changed since.
pub(crate) const STAMPS_COLUMN: &str = "os_stamps";

/// A catalog with the SQL of its tables.
pub(crate) struct Schema {
    pub(crate) catalog: Arc<Catalog>,
    plans: HashMap<String, Arc<TablePlan>>,
}

impl Schema {
    pub(crate) fn new(catalog: Catalog) -> Result<Self, StoreError> {
        let plans = catalog
            .tables
            .values()
            .map(|table| Ok((table.name.clone(), Arc::new(TablePlan::new(table)?))))
            .collect::<Result<_, Fault>>()?;
        Ok(Self { catalog: Arc::new(catalog), plans })
    }

    pub(crate) fn plan(&self, table: &str) -> Result<Arc<TablePlan>, StoreError> {
        match self.plans.get(table) {
            Some(plan) => Ok(Arc::clone(plan)),
            None => Err(StoreError::Query(Fault::unknown_table(table))),
        }
    }
}

/// One column as it is stored.
pub(crate) struct StoredColumn {
    pub(crate) name: String,
    pub(crate) column: Column,
    pub(crate) target: Option<String>,
}

/// The SQL of one table. All texts depend on the catalog only.
pub(crate) struct TablePlan {
    pub(crate) table: Table,
    /// The quoted SQL name.
    pub(crate) sql_name: String,
    /// The quoted primary id column.
    pub(crate) id: String,
    /// All columns but the primary id, in the order of `insert`.
    pub(crate) columns: Vec<StoredColumn>,
    pub(crate) layout: Layout,
    /// Parameters: id, version, created, then the cells of all columns.
    pub(crate) insert: String,
    /// As `insert`; takes the place of a row that is there.
    pub(crate) replace: String,
    pub(crate) get: String,
    pub(crate) exists: String,
    pub(crate) delete: String,
    pub(crate) stamps: String,
}

impl TablePlan {
    fn new(table: &Table) -> Result<Self, Fault> {
        let columns: Vec<StoredColumn> = table
            .columns
            .iter()
            .filter(|(name, _)| **name != table.primary_id)
            .map(|(name, column)| StoredColumn {
                name: name.clone(),
                column: column.clone(),
                target: target_column(name, column),
            })
            .collect();
        let (sql_name, id) = (table_name(&table.name), quoted(&table.primary_id));
        let mut names = vec![id.clone(), VERSION_COLUMN.to_owned(), CREATED_COLUMN.to_owned()];
        for c in &columns {
            names.push(quoted(&c.name));
            names.extend(c.target.as_deref().map(quoted));
        }
        let marks: Vec<String> = (1..=names.len()).map(|n| format!("?{n}")).collect();
        let insert =
            format!("INSERT INTO {sql_name} ({}) VALUES ({})", names.join(", "), marks.join(", "));
        let assignments: Vec<String> =
            names[1..].iter().map(|name| format!("{name} = excluded.{name}")).collect();
        let replace =
            format!("{insert} ON CONFLICT ({id}) DO UPDATE SET {}", assignments.join(", "));
        let layout = Layout::new(table, None)?;
        let list = layout.select_list(&table.primary_id, "a0");
        Ok(Self {
            get: format!("SELECT {list} FROM {sql_name} AS a0 WHERE a0.{id} = ?1"),
            exists: format!("SELECT 1 FROM {sql_name} WHERE {id} = ?1"),
            delete: format!("DELETE FROM {sql_name} WHERE {id} = ?1"),
            stamps: format!(
                "SELECT {VERSION_COLUMN}, {CREATED_COLUMN}, {STAMPS_COLUMN} FROM {sql_name} WHERE {id} = ?1"
            ),
            table: table.clone(),
            sql_name,
            id,
            columns,
            layout,
            insert,
            replace,
        })
    }

    /// The stored column of this name.
    pub(crate) fn column(&self, name: &str) -> Result<&StoredColumn, StoreError> {
        // `columns` is sorted: it comes from a BTreeMap.
        self.columns
            .binary_search_by(|c| c.name.as_str().cmp(name))
            .map(|at| &self.columns[at])
            .map_err(|_| StoreError::Query(Fault::unknown_column(&self.table.name, name)))
    }
}
