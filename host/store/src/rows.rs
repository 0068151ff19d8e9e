//! Rows of catalog tables: create, read, change, remove. Values are checked before they get here;
//! a value of the wrong type is refused, nothing else is judged.

use crate::backend::Session as _;
use crate::backend::sqlite::Sqlite;
use crate::cells::{limit, to_json};
use crate::changes::Stamp;
use crate::schema::{STAMPS_COLUMN, TablePlan};
use crate::{ColumnStamps, Role, StoreError, Tx, WriteStamp};
use offstage_model::entity::Attributes;
use offstage_model::query::Filter;
use offstage_model::{Entity, Uuid, Value};
use offstage_query::physical::{VERSION_COLUMN, quoted, target_of, to_sql};
use offstage_query::{Dialect, Layout, Scope, SqlValue, sql};
use std::collections::BTreeMap;

/// The highest number of ids that [`Tx::children`] returns at once.
const CHILDREN_MAX: usize = 100_000;

impl Tx {
    /// Adds a row and returns its version: on a server a new one, on a device 0 until the server
    /// has the row.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`], [`StoreError::DuplicateKey`], an unknown table or column, a value
    /// of the wrong type.
    pub fn insert(&mut self, row: &Entity, stamp: &WriteStamp) -> Result<u64, StoreError> {
        let plan = self.plan(&row.table)?;
        let id = row_id(row)?;
        check_columns(&plan, &row.attributes)?;
        let server = self.role() == Role::Server;
        if !server {
            self.check_keys(&plan, id, &row.attributes, None)?;
        }
        let (version, created) = if server {
            let version = self.next_version()?;
            (version, to_json("stamp", &Stamp::new(version, stamp))?)
        } else {
            (0, SqlValue::Null)
        };
        let params = row_params(&plan, id, version, created, &row.attributes)?;
        if let Err(error) = self.sql_execute(&plan.insert, &params) {
            return Err(self.explain_duplicate(error, &plan, id, &row.attributes));
        }
        if server {
            self.clear_tombstone(&row.table, id)?;
        }
        Ok(version)
    }

    /// A row with all its columns; empty columns are absent, and the primary id is
    /// [`Entity::id`] only.
    ///
    /// # Errors
    /// The table is not known; the stored row is damaged.
    pub fn get(&mut self, table: &str, id: Uuid) -> Result<Option<Entity>, StoreError> {
        let plan = self.plan(table)?;
        self.read_one(&plan.get, table, id, &plan.layout)
    }

    /// A row with some of its columns.
    ///
    /// # Errors
    /// As [`Tx::get`]; a column is not known.
    pub fn get_columns(
        &mut self,
        table: &str,
        id: Uuid,
        columns: &[String],
    ) -> Result<Option<Entity>, StoreError> {
        let plan = self.plan(table)?;
        let layout = Layout::new(&plan.table, Some(columns))?;
        let list = layout.select_list(&plan.table.primary_id, "a0");
        let sql = format!("SELECT {list} FROM {} AS a0 WHERE a0.{} = ?1", plan.sql_name, plan.id);
        self.read_one(&sql, table, id, &layout)
    }

    fn read_one(
        &mut self,
        sql: &str,
        table: &str,
        id: Uuid,
        layout: &Layout,
    ) -> Result<Option<Entity>, StoreError> {
        let mut found = None;
        self.sql_query(sql, &[SqlValue::Guid(id)], &mut |cells| {
            let unreadable = |source| StoreError::Unreadable { table: table.to_owned(), source };
            found = Some(layout.read(cells).map_err(unreadable)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// Whether the row exists.
    ///
    /// # Errors
    /// The table is not known.
    pub fn exists(&mut self, table: &str, id: Uuid) -> Result<bool, StoreError> {
        let plan = self.plan(table)?;
        let found = self.sql_row("row", &plan.exists, &[SqlValue::Guid(id)], |_| Ok(()))?;
        Ok(found.is_some())
    }

    /// The row's version: on a device the last one that the server gave it.
    ///
    /// # Errors
    /// The table is not known.
    pub fn version(&mut self, table: &str, id: Uuid) -> Result<Option<u64>, StoreError> {
        let plan = self.plan(table)?;
        let sql = format!("SELECT {VERSION_COLUMN} FROM {} WHERE {} = ?1", plan.sql_name, plan.id);
        self.sql_row("row version", &sql, &[SqlValue::Guid(id)], |cells| cells.unsigned())
    }

    /// Who wrote which column of the row.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRow`]; the table is not known.
    pub fn stamps(&mut self, table: &str, id: Uuid) -> Result<ColumnStamps, StoreError> {
        let plan = self.plan(table)?;
        let found = self.sql_row("stamp", &plan.stamps, &[SqlValue::Guid(id)], |cells| {
            Ok(ColumnStamps {
                version: cells.unsigned()?,
                created: cells.opt_json()?,
                columns: cells.opt_json::<BTreeMap<String, Stamp>>()?.unwrap_or_default(),
            })
        })?;
        found.ok_or_else(|| StoreError::NoSuchRow { table: table.to_owned(), id })
    }

    /// Changes columns of a row and returns its version: on a server a new one, on a device the last
    /// one that the server gave it.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRow`], [`StoreError::DuplicateKey`], an unknown table or column, a value
    /// of the wrong type.
    pub fn update(
        &mut self,
        table: &str,
        id: Uuid,
        changes: &Attributes,
        stamp: &WriteStamp,
    ) -> Result<u64, StoreError> {
        let plan = self.plan(table)?;
        let mut stamps = self.stamps(table, id)?;
        if self.role() == Role::Device {
            self.check_keys(&plan, id, changes, Some(id))?;
            self.set_columns(&plan, id, changes, Vec::new())?;
            return Ok(stamps.version);
        }
        let version = self.next_version()?;
        let written = Stamp::new(version, stamp);
        for column in changes.keys().filter(|c| **c != plan.table.primary_id) {
            stamps.columns.insert(column.clone(), written);
        }
        let hidden = vec![
            (VERSION_COLUMN, SqlValue::unsigned(version)),
            (STAMPS_COLUMN, to_json("stamp", &stamps.columns)?),
        ];
        self.set_columns(&plan, id, changes, hidden)?;
        Ok(version)
    }

    /// Sets columns of a device's row without anything else: the values of pending entries laid over
    /// what the server sent. Does nothing when the row is not there.
    ///
    /// # Errors
    /// An unknown table or column, a value of the wrong type.
    pub fn apply_overlay(
        &mut self,
        table: &str,
        id: Uuid,
        values: &Attributes,
    ) -> Result<(), StoreError> {
        let plan = self.plan(table)?;
        match self.set_columns(&plan, id, values, Vec::new()) {
            Err(StoreError::NoSuchRow { .. }) => Ok(()),
            other => other,
        }
    }

    fn set_columns(
        &mut self,
        plan: &TablePlan,
        id: Uuid,
        changes: &Attributes,
        hidden: Vec<(&str, SqlValue)>,
    ) -> Result<(), StoreError> {
        let mut assignments = String::new();
        let mut params = vec![SqlValue::Guid(id)];
        let mut assign = |name: &str, value: SqlValue| {
            params.push(value);
            let comma = if assignments.is_empty() { "" } else { ", " };
            assignments.push_str(&format!("{comma}{name} = ?{}", params.len()));
        };
        for (name, value) in hidden {
            assign(name, value);
        }
        for (name, value) in changes.iter().filter(|(name, _)| **name != plan.table.primary_id) {
            let stored = plan.column(name)?;
            assign(&quoted(name), cell(plan, name, &stored.column, value)?);
            if let Some(target) = &stored.target {
                assign(&quoted(target), target_of(value));
            }
        }
        if assignments.is_empty() {
            return Ok(());
        }
        let sql = format!("UPDATE {} SET {assignments} WHERE {} = ?1", plan.sql_name, plan.id);
        match self.sql_execute(&sql, &params) {
            Ok(0) => Err(StoreError::NoSuchRow { table: plan.table.name.clone(), id }),
            Ok(_) => Ok(()),
            Err(error) => Err(self.explain_duplicate(error, plan, id, changes)),
        }
    }

    /// Removes a row; on a server a tombstone stays.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRow`]; the table is not known.
    pub fn delete(&mut self, table: &str, id: Uuid, stamp: &WriteStamp) -> Result<(), StoreError> {
        let plan = self.plan(table)?;
        if self.sql_execute(&plan.delete, &[SqlValue::Guid(id)])? == 0 {
            return Err(StoreError::NoSuchRow { table: table.to_owned(), id });
        }
        if self.role() == Role::Server {
            let version = self.next_version()?;
            self.put_tombstone(table, id, &Stamp::new(version, stamp))?;
        }
        Ok(())
    }

    /// The row with these values of an alternate key, or of any columns. A null finds nothing.
    ///
    /// # Errors
    /// An unknown table or column, a value that cannot be compared.
    pub fn find_by_key(
        &mut self,
        table: &str,
        key: &Attributes,
    ) -> Result<Option<Uuid>, StoreError> {
        if key.is_empty() || key.values().any(Value::is_null) {
            return Ok(None);
        }
        let parts = key.iter().map(|(name, value)| Filter::eq(name.clone(), value.clone()));
        let filter = Filter::All(parts.collect());
        let catalog = self.catalog().clone();
        let nobody = Scope { user: Uuid::nil() };
        let statement = sql::compile_ids(table, Some(&filter), &catalog, &nobody, Dialect::Sqlite)?;
        let sql = format!("{} LIMIT 1", statement.sql);
        self.sql_row("row", &sql, &statement.params, |cells| cells.guid())
    }

    /// The ids of rows whose `lookup` refers to `parent`, by id, at most `rows_max`.
    ///
    /// # Errors
    /// An unknown table or column.
    pub fn children(
        &mut self,
        table: &str,
        lookup: &str,
        parent: Uuid,
        rows_max: usize,
    ) -> Result<Vec<Uuid>, StoreError> {
        let plan = self.plan(table)?;
        plan.column(lookup)?;
        let sql = format!(
            "SELECT {id} FROM {} WHERE {} = ?1 ORDER BY {id} LIMIT ?2",
            plan.sql_name,
            quoted(lookup),
            id = plan.id
        );
        let params = [SqlValue::Guid(parent), limit(rows_max.min(CHILDREN_MAX))];
        self.sql_rows("row", &sql, &params, |cells| cells.guid())
    }

    /// Puts a row as the server sent it in place of what is there: its version is kept, columns that
    /// it does not have become empty, and nothing is tracked. For the replica applier only.
    ///
    /// # Errors
    /// An unknown table or column, a value of the wrong type.
    pub fn put_replica(&mut self, row: &Entity) -> Result<(), StoreError> {
        let plan = self.plan(&row.table)?;
        let id = row_id(row)?;
        check_columns(&plan, &row.attributes)?;
        let version = row.version.unwrap_or(0);
        let params = row_params(&plan, id, version, SqlValue::Null, &row.attributes)?;
        match self.sql_execute(&plan.replace, &params) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.explain_duplicate(error, &plan, id, &row.attributes)),
        }
    }

    /// Removes a row that the server no longer sends; returns whether it was there. For the replica
    /// applier only.
    ///
    /// # Errors
    /// The table is not known.
    pub fn remove_replica(&mut self, table: &str, id: Uuid) -> Result<bool, StoreError> {
        let plan = self.plan(table)?;
        Ok(self.sql_execute(&plan.delete, &[SqlValue::Guid(id)])? > 0)
    }

    /// Refuses values of an alternate key that another row has: devices have no unique index.
    fn check_keys(
        &mut self,
        plan: &TablePlan,
        id: Uuid,
        changes: &Attributes,
        stored: Option<Uuid>,
    ) -> Result<(), StoreError> {
        for key in &plan.table.keys {
            if !key.columns.iter().any(|c| changes.contains_key(c)) {
                continue;
            }
            let mut values: Attributes = match stored {
                Some(id) => self
                    .get_columns(&plan.table.name, id, &key.columns)?
                    .map(|row| row.attributes)
                    .unwrap_or_default(),
                None => Attributes::new(),
            };
            for column in &key.columns {
                if let Some(value) = changes.get(column) {
                    values.insert(column.clone(), value.clone());
                }
            }
            if values.len() < key.columns.len() {
                continue;
            }
            let found = self.find_by_key(&plan.table.name, &values)?;
            if let Some(other) = found.filter(|other| *other != id) {
                let (table, key) = (plan.table.name.clone(), key.name.clone());
                return Err(StoreError::DuplicateKey { table, key, other });
            }
        }
        Ok(())
    }

    /// Says which id or key a unique index refused; SQLite itself names columns only.
    fn explain_duplicate(
        &mut self,
        error: StoreError,
        plan: &TablePlan,
        id: Uuid,
        changes: &Attributes,
    ) -> StoreError {
        if !Sqlite::is_unique_violation(&error) {
            return error;
        }
        let table = plan.table.name.clone();
        match self.exists(&table, id) {
            Err(lost) => return lost,
            // An update's own row exists and is no duplicate; its keys tell.
            Ok(stored) => {
                let own = stored.then_some(id);
                match self.check_keys(plan, id, changes, own) {
                    Err(duplicate) => return duplicate,
                    Ok(()) if stored => return StoreError::Duplicate { table, id },
                    Ok(()) => {}
                }
            }
        }
        error
    }
}

fn row_id(row: &Entity) -> Result<Uuid, StoreError> {
    row.id.ok_or_else(|| StoreError::MissingId { table: row.table.clone() })
}

fn check_columns(plan: &TablePlan, attributes: &Attributes) -> Result<(), StoreError> {
    attributes
        .keys()
        .filter(|name| **name != plan.table.primary_id)
        .try_for_each(|name| plan.column(name).map(drop))
}

fn row_params(
    plan: &TablePlan,
    id: Uuid,
    version: u64,
    created: SqlValue,
    attributes: &Attributes,
) -> Result<Vec<SqlValue>, StoreError> {
    let mut params = Vec::with_capacity(3 + plan.columns.len() * 2);
    params.extend([SqlValue::Guid(id), SqlValue::unsigned(version), created]);
    for stored in &plan.columns {
        let value = attributes.get(&stored.name).unwrap_or(&Value::Null);
        params.push(cell(plan, &stored.name, &stored.column, value)?);
        if stored.target.is_some() {
            params.push(target_of(value));
        }
    }
    Ok(params)
}

fn cell(
    plan: &TablePlan,
    name: &str,
    column: &offstage_model::metadata::Column,
    value: &Value,
) -> Result<SqlValue, StoreError> {
    let wrong = |source| StoreError::Value { table: plan.table.name.clone(), source };
    to_sql(name, column, value).map_err(wrong)
}
