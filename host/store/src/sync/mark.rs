//! PrepareSync in SQL: which rows a device lacks, and which it holds and no longer takes.
//!
//! Set-based, so that a first load is two statements; an incremental one starts from what changed
//! and never walks a table. Changes no business row.

use crate::{StoreError, Tx};
use offstage_model::query::Filter;
use offstage_model::{Catalog, Uuid};
use offstage_query::physical::{VERSION_COLUMN, quoted, table_name, target_column};
use offstage_query::sql::{compile_predicate, navigation};
use offstage_query::{Dialect, Scope, SqlValue};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const DIALECT: Dialect = Dialect::Sqlite;

/// Rows that have a child which a filter shows, such as appointments with the user among the parties.
/// The child is a part of the row, so that its change or removal is a change of the row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildRule {
    /// The child's table.
    pub table: String,
    /// Its lookup to the row.
    pub lookup: String,
    /// Which children count.
    pub filter: Filter,
}

/// What to look at when a table is prepared.
#[derive(Clone, Copy, Debug)]
pub struct Mark<'a> {
    /// The device.
    pub device: Uuid,
    /// The user that `eq-userid` means.
    pub user: Uuid,
    /// The table.
    pub table: &'a str,
    /// Which rows the device takes.
    pub filter: &'a Filter,
    /// It takes rows with such a child too.
    pub children: &'a [ChildRule],
    /// It takes the rows too that it tracks by hand.
    pub tracked: bool,
    /// Look at changes after this version only; `None` looks at every row.
    pub since: Option<u64>,
    /// The last number in use.
    pub numbered: u64,
}

impl Tx {
    /// Numbers the rows of a table that the device lacks, holds in an older version, or holds and no
    /// longer takes. Returns the last number in use.
    ///
    /// # Errors
    /// A filter that does not compile; the database fails.
    pub fn mark_for_sync(&mut self, mark: &Mark<'_>) -> Result<u64, StoreError> {
        let catalog = self.catalog().clone();
        let (sql, params) = upserts(Sql::new(&catalog, mark.user), mark)?;
        self.sql_execute(&sql, &params)?;
        // Rows that ON CONFLICT … WHERE skips use numbers up too, so the row count does not tell.
        let numbered = self.last_sync_number(mark.device, mark.numbered)?;
        let (sql, params) = removals(Sql::new(&catalog, mark.user), &Mark { numbered, ..*mark })?;
        self.sql_execute(&sql, &params)?;
        self.last_sync_number(mark.device, numbered)
    }

    /// Numbers every row of a table that the device holds as to be removed, and forgets the table.
    ///
    /// # Errors
    /// The database fails.
    pub fn mark_table_for_removal(
        &mut self,
        device: Uuid,
        table: &str,
        numbered: u64,
    ) -> Result<u64, StoreError> {
        let (device_cell, table_cell) = (SqlValue::Guid(device), SqlValue::text(table));
        let sql = "INSERT INTO os_sync_entry (device, tbl, id, held, version, number)
                   SELECT device, tbl, id, held, 0, ?3 + ROW_NUMBER() OVER (ORDER BY id)
                   FROM os_sync_entry WHERE device = ?1 AND tbl = ?2 AND version <> 0
                   ON CONFLICT (device, tbl, id) DO UPDATE SET version = 0,
                     number = excluded.number";
        let numbers = SqlValue::unsigned(numbered);
        self.sql_execute(sql, &[device_cell.clone(), table_cell.clone(), numbers])?;
        let forget = "DELETE FROM os_sync_table WHERE device = ?1 AND tbl = ?2";
        self.sql_execute(forget, &[device_cell, table_cell])?;
        self.last_sync_number(device, numbered)
    }

    /// Refuses a filter that does not compile.
    ///
    /// # Errors
    /// What the query compiler says.
    pub fn check_sync_filter(
        &mut self,
        table: &str,
        filter: &Filter,
        user: Uuid,
    ) -> Result<(), StoreError> {
        let catalog = self.catalog().clone();
        Sql::new(&catalog, user).predicate(table, filter).map(drop)
    }

    /// Whether the filter shows a row now.
    ///
    /// # Errors
    /// A filter that does not compile; the database fails.
    pub fn is_shown(
        &mut self,
        table: &str,
        filter: &Filter,
        user: Uuid,
        id: Uuid,
    ) -> Result<bool, StoreError> {
        let catalog = self.catalog().clone();
        let mut sql = Sql::new(&catalog, user);
        let id = sql.bind(SqlValue::Guid(id));
        let text = format!("SELECT 1 WHERE {}", sql.shown(table, filter, &id)?);
        Ok(self.sql_row("row", &text, &sql.params, |_| Ok(()))?.is_some())
    }

    /// The ids of rows that a filter shows, in order: at most `rows_max`, after `after`.
    ///
    /// # Errors
    /// A filter that does not compile; the database fails.
    pub fn shown_ids(
        &mut self,
        table: &str,
        filter: &Filter,
        user: Uuid,
        (after, rows_max): (Option<Uuid>, u32),
    ) -> Result<Vec<Uuid>, StoreError> {
        let catalog = self.catalog().clone();
        let mut sql = Sql::new(&catalog, user);
        let id = quoted(&catalog.table(table)?.primary_id);
        let rule = sql.predicate(table, filter)?;
        let start = match after {
            Some(after) => format!("r.{id} > {} AND", sql.bind(SqlValue::Guid(after))),
            None => String::new(),
        };
        let limit = sql.bind(SqlValue::Integer(i64::from(rows_max)));
        let text = format!(
            "SELECT r.{id} FROM {} AS r WHERE {start} {rule} ORDER BY r.{id} LIMIT {limit}",
            table_name(table)
        );
        self.sql_rows("row", &text, &sql.params, |cells| cells.guid())
    }

    /// The greatest number in the device's queue, or `at_least`.
    fn last_sync_number(&mut self, device: Uuid, at_least: u64) -> Result<u64, StoreError> {
        let sql = "SELECT number FROM os_sync_entry WHERE device = ?1 AND number IS NOT NULL
                   ORDER BY number DESC LIMIT 1";
        let last =
            self.sql_row("sync entry", sql, &[SqlValue::Guid(device)], |cells| cells.unsigned())?;
        Ok(last.unwrap_or(0).max(at_least))
    }
}

/// SQL under construction: text with numbered placeholders, and their values.
struct Sql<'a> {
    catalog: &'a Catalog,
    scope: Scope,
    params: Vec<SqlValue>,
}

impl<'a> Sql<'a> {
    fn new(catalog: &'a Catalog, user: Uuid) -> Self {
        Self { catalog, scope: Scope { user }, params: Vec::new() }
    }

    fn bind(&mut self, value: SqlValue) -> String {
        self.params.push(value);
        DIALECT.placeholder(self.params.len())
    }

    /// `EXISTS` over the row `id` of `table`, which decides by primary key.
    fn shown(&mut self, table: &str, filter: &Filter, id: &str) -> Result<String, StoreError> {
        let primary = quoted(&self.catalog.table(table)?.primary_id);
        let rule = self.predicate(table, filter)?;
        let name = table_name(table);
        Ok(format!("EXISTS (SELECT 1 FROM {name} AS r WHERE r.{primary} = {id} AND {rule})"))
    }

    /// Whether the row `alias` of the mark's table is taken: by the filter, by a child, or by hand.
    fn rule(&mut self, mark: &Mark<'_>, alias: &'static str) -> Result<String, StoreError> {
        let id = quoted(&self.catalog.table(mark.table)?.primary_id);
        let mut parts = vec![self.predicate_of((mark.table, alias), mark.filter)?];
        for rule in mark.children {
            let link = self.child_link(rule, mark.table)?;
            let shown = self.predicate_of((&rule.table, "k"), &rule.filter)?;
            let lookup = quoted(&rule.lookup);
            parts.push(format!(
                "EXISTS (SELECT 1 FROM {} AS k WHERE k.{lookup} = {alias}.{id}{link} AND {shown})",
                table_name(&rule.table)
            ));
        }
        if mark.tracked {
            let device = self.bind(SqlValue::Guid(mark.device));
            let table = self.bind(SqlValue::text(mark.table));
            parts.push(format!(
                "EXISTS (SELECT 1 FROM os_sync_tracked AS m WHERE m.device = {device} \
                 AND m.tbl = {table} AND m.id = {alias}.{id} AND m.track = 1)"
            ));
        }
        Ok(format!("({})", parts.join(" OR ")))
    }

    /// What makes sure that a lookup with several targets means this table; empty with one target.
    fn child_link(&mut self, rule: &ChildRule, table: &str) -> Result<String, StoreError> {
        let column = self.catalog.column(&rule.table, &rule.lookup)?;
        Ok(match target_column(&rule.lookup, column) {
            None => String::new(),
            Some(target) => {
                let table = self.bind(SqlValue::text(table));
                format!(" AND k.{} = {table}", quoted(&target))
            }
        })
    }

    fn predicate_of(
        &mut self,
        (table, alias): (&str, &'static str),
        filter: &Filter,
    ) -> Result<String, StoreError> {
        let door = (self.catalog, &self.scope, DIALECT);
        Ok(compile_predicate(table, filter, door, alias, &mut self.params)?)
    }

    fn predicate(&mut self, table: &str, filter: &Filter) -> Result<String, StoreError> {
        self.predicate_of((table, "r"), filter)
    }

    /// The ids of rows whose membership may have changed after version `since`: the table's own
    /// changed and deleted rows, and the children of changed parents on any path of the filter.
    fn candidates(&mut self, mark: &Mark<'_>, since: u64) -> Result<String, StoreError> {
        let mut parts = vec![self.changed(mark.table, since)?];
        for path in path_prefixes(mark.filter) {
            parts.push(self.children_of_changed(mark.table, &path, since)?);
        }
        for rule in mark.children {
            let link = self.child_link(rule, mark.table)?;
            let after = self.bind(SqlValue::unsigned(since));
            parts.push(format!(
                "SELECT +k.{} AS id FROM {} AS k WHERE k.{VERSION_COLUMN} > {after}{link}",
                quoted(&rule.lookup),
                table_name(&rule.table)
            ));
        }
        if mark.tracked {
            let device = self.bind(SqlValue::Guid(mark.device));
            let table = self.bind(SqlValue::text(mark.table));
            let after = self.bind(SqlValue::unsigned(since));
            parts.push(format!(
                "SELECT id FROM os_sync_tracked \
                 WHERE device = {device} AND tbl = {table} AND version > {after}"
            ));
        }
        Ok(parts.join(" UNION "))
    }

    fn changed(&mut self, table: &str, since: u64) -> Result<String, StoreError> {
        let id = quoted(&self.catalog.table(table)?.primary_id);
        let after = self.bind(SqlValue::unsigned(since));
        let name = self.bind(SqlValue::text(table));
        // The plus keeps SQLite from walking the whole table in the order of its ids, which UNION
        // could use; the few changed rows are sorted instead.
        Ok(format!(
            "SELECT +{id} AS id FROM {} WHERE {VERSION_COLUMN} > {after} \
             UNION SELECT id FROM os_tombstone WHERE tbl = {name} AND version > {after}",
            table_name(table)
        ))
    }

    fn children_of_changed(
        &mut self,
        table: &str,
        path: &[String],
        since: u64,
    ) -> Result<String, StoreError> {
        let Some((segment, rest)) = path.split_first() else {
            return self.changed(table, since);
        };
        let (lookup, parent) = navigation(self.catalog, table, segment)?;
        let (lookup, parent) = (lookup.to_owned(), parent.to_owned());
        let parents = self.children_of_changed(&parent, rest, since)?;
        let id = quoted(&self.catalog.table(table)?.primary_id);
        Ok(format!(
            "SELECT +{id} AS id FROM {} WHERE {} IN ({parents})",
            table_name(table),
            quoted(&lookup)
        ))
    }
}

/// Every non-empty start of every path in the filter: a change of any parent on the way counts.
fn path_prefixes(filter: &Filter) -> BTreeSet<Vec<String>> {
    filter
        .conditions()
        .iter()
        .flat_map(|condition| (1..=condition.path.len()).map(|n| condition.path[..n].to_vec()))
        .collect()
}

/// Rows that the filter shows and that the device does not have in this version.
fn upserts(mut sql: Sql<'_>, mark: &Mark<'_>) -> Result<(String, Vec<SqlValue>), StoreError> {
    let device = sql.bind(SqlValue::Guid(mark.device));
    let table = sql.bind(SqlValue::text(mark.table));
    let numbered = sql.bind(SqlValue::unsigned(mark.numbered));
    let id = quoted(&sql.catalog.table(mark.table)?.primary_id);
    let name = table_name(mark.table);
    // CROSS JOIN makes SQLite walk the few candidates first and never the whole table.
    let from = match mark.since {
        None => format!("{name} AS r WHERE 1=1"),
        Some(since) => {
            let candidates = sql.candidates(mark, since)?;
            format!("({candidates}) AS c CROSS JOIN {name} AS r WHERE r.{id} = c.id")
        }
    };
    let rule = sql.rule(mark, "r")?;
    let text = format!(
        "INSERT INTO os_sync_entry (device, tbl, id, held, version, number) \
         SELECT {device}, {table}, r.{id}, 0, r.{VERSION_COLUMN}, \
         {numbered} + ROW_NUMBER() OVER (ORDER BY r.{id}) FROM {from} AND {rule} \
         ON CONFLICT (device, tbl, id) DO UPDATE SET version = excluded.version, \
         number = excluded.number WHERE os_sync_entry.version <> excluded.version"
    );
    Ok((text, sql.params))
}

/// Rows that the device has or may have got, and that the filter no longer shows.
fn removals(mut sql: Sql<'_>, mark: &Mark<'_>) -> Result<(String, Vec<SqlValue>), StoreError> {
    let device = sql.bind(SqlValue::Guid(mark.device));
    let table = sql.bind(SqlValue::text(mark.table));
    let numbered = sql.bind(SqlValue::unsigned(mark.numbered));
    let from = match mark.since {
        None => "os_sync_entry AS e WHERE".to_owned(),
        Some(since) => {
            let candidates = sql.candidates(mark, since)?;
            format!("({candidates}) AS c CROSS JOIN os_sync_entry AS e WHERE e.id = c.id AND")
        }
    };
    let id = quoted(&sql.catalog.table(mark.table)?.primary_id);
    let (name, rule) = (table_name(mark.table), sql.rule(mark, "r")?);
    let shown = format!("EXISTS (SELECT 1 FROM {name} AS r WHERE r.{id} = e.id AND {rule})");
    let text = format!(
        "INSERT INTO os_sync_entry (device, tbl, id, held, version, number) \
         SELECT e.device, e.tbl, e.id, e.held, 0, \
         {numbered} + ROW_NUMBER() OVER (ORDER BY e.id) FROM {from} \
         e.device = {device} AND e.tbl = {table} AND e.version <> 0 AND NOT {shown} \
         ON CONFLICT (device, tbl, id) DO UPDATE SET version = 0, number = excluded.number"
    );
    Ok((text, sql.params))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Role, Store, StoreOptions};
    use offstage_model::query::Operator;

    type Build = fn(Sql<'_>, &Mark<'_>) -> Result<(String, Vec<SqlValue>), StoreError>;

    #[test]
    fn an_incremental_prepare_never_walks_a_table() {
        let store = Store::in_memory(&StoreOptions::new(Role::Server)).unwrap();
        let mut tx = store.write().unwrap();
        let catalog = tx.catalog().clone();
        let own = Filter::eq("ownerid", offstage_model::Value::Guid(Uuid::nil()));
        let mut parent = own.conditions()[0].clone();
        parent.path = vec!["parentaccountid".into()];
        let filter = Filter::Any(vec![own, Filter::Condition(parent)]);
        let mark = Mark {
            device: Uuid::nil(),
            user: Uuid::nil(),
            table: "account",
            filter: &filter,
            children: &[],
            tracked: false,
            since: Some(1),
            numbered: 0,
        };
        let parties = [ChildRule {
            table: "activityparty".into(),
            lookup: "activityid".into(),
            filter: Filter::condition("partyid", Operator::EqualUserId, Vec::new()),
        }];
        let own = Filter::condition("ownerid", Operator::EqualUserId, Vec::new());
        let appointments =
            Mark { table: "appointment", filter: &own, children: &parties, tracked: true, ..mark };
        for (build, mark) in [
            (upserts as Build, mark),
            (removals, mark),
            (upserts, appointments),
            (removals, appointments),
        ] {
            let (sql, params) = build(Sql::new(&catalog, mark.user), &mark).unwrap();
            let explain = format!("EXPLAIN QUERY PLAN {sql}");
            let plan = tx
                .sql_rows("plan", &explain, &params, |cells| {
                    let _ids = (cells.integer()?, cells.integer()?, cells.integer()?);
                    cells.text()
                })
                .unwrap();
            let walks =
                |line: &&String| line.starts_with("SCAN t_") || line.starts_with("SCAN os_");
            assert_eq!(plan.iter().find(walks), None, "{plan:#?}");
        }
    }
}
