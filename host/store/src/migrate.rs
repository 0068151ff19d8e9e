//! Brings the SQL tables in line with a catalog: adds tables, columns and indexes, in one
//! transaction with the catalog itself. Never drops anything and never changes a stored value.

use crate::schema::{CREATED_COLUMN, STAMPS_COLUMN, Schema};
use crate::{Role, Store, StoreError, Tx, settings};
use offstage_model::Catalog;
use offstage_model::metadata::{Column, ColumnType, Table};
use offstage_query::physical::{
    HIDDEN_PREFIX, TARGET_SUFFIX, VERSION_COLUMN, quoted, table_name, target_column,
};
use offstage_query::{SqlValue, text};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Migrates an open store to `next`.
pub(crate) fn migrate(store: &Store, next: Catalog) -> Result<(), StoreError> {
    let mut tx = store.write()?;
    check_compatible(tx.catalog(), &next)?;
    apply(&mut tx, &next, store.role())?;
    let schema = Arc::new(Schema::new(next)?);
    tx.commit()?;
    store.set_schema(schema);
    Ok(())
}

/// Creates or completes the SQL tables of a catalog and stores the catalog.
pub(crate) fn apply(tx: &mut Tx, catalog: &Catalog, role: Role) -> Result<(), StoreError> {
    for table in catalog.tables.values() {
        check_names(table)?;
        let known = stored_columns(tx, table)?;
        if known.is_empty() {
            tx.sql_batch(&create_table(table))?;
        } else {
            add_columns(tx, table, &known)?;
        }
        for index in indexes(table, role) {
            tx.sql_batch(&index)?;
        }
    }
    tx.put_setting(settings::CATALOG, catalog)
}

/// Text indexes are sorted by the Unicode tables of the program that wrote them: with other tables
/// they are built anew.
pub(crate) fn refresh_collation(tx: &mut Tx) -> Result<(), StoreError> {
    tx.sql_batch(&format!("REINDEX {}", text::COLLATION))?;
    tx.put_setting(settings::COLLATION, &collation_version())
}

/// The Unicode version that text is folded by, such as "16.0.0".
pub(crate) fn collation_version() -> String {
    let (major, minor, update) = char::UNICODE_VERSION;
    format!("{major}.{minor}.{update}")
}

fn check_compatible(now: &Catalog, next: &Catalog) -> Result<(), StoreError> {
    for table in next.tables.values() {
        let Some(known) = now.tables.get(&table.name) else {
            continue;
        };
        let refuse = |column: &str, reason| {
            Err(StoreError::Migration {
                table: table.name.clone(),
                column: column.to_owned(),
                reason,
            })
        };
        if known.primary_id != table.primary_id {
            return refuse(&table.primary_id, "cannot become the primary id of a known table");
        }
        for (name, column) in &table.columns {
            let Some(before) = known.columns.get(name) else {
                continue;
            };
            if sql_type(before.kind) != sql_type(column.kind)
                || is_text_set(before.kind) != is_text_set(column.kind)
            {
                return refuse(name, "changes its type");
            }
            let scaled = matches!(column.kind, ColumnType::Decimal | ColumnType::Money);
            if scaled && before.scale() != column.scale() {
                return refuse(name, "changes its precision");
            }
        }
    }
    Ok(())
}

fn is_text_set(kind: ColumnType) -> bool {
    kind == ColumnType::MultiSelect
}

fn check_names(table: &Table) -> Result<(), StoreError> {
    let reserved =
        |name: &&String| name.starts_with(HIDDEN_PREFIX) || name.ends_with(TARGET_SUFFIX);
    match table.columns.keys().find(reserved) {
        None => Ok(()),
        Some(column) => Err(StoreError::Migration {
            table: table.name.clone(),
            column: column.clone(),
            reason: "has a name that the store keeps for itself (os_…, …__table)",
        }),
    }
}

fn stored_columns(tx: &mut Tx, table: &Table) -> Result<BTreeSet<String>, StoreError> {
    let name = SqlValue::Text(format!("t_{}", table.name));
    let sql = "SELECT name FROM pragma_table_info(?1)";
    Ok(tx.sql_rows("table", sql, &[name], |cells| cells.text())?.into_iter().collect())
}

fn create_table(table: &Table) -> String {
    let mut sql = format!(
        "CREATE TABLE {} ({} BLOB NOT NULL PRIMARY KEY, {VERSION_COLUMN} INTEGER NOT NULL, \
         {CREATED_COLUMN} TEXT, {STAMPS_COLUMN} TEXT",
        table_name(&table.name),
        quoted(&table.primary_id)
    );
    for (name, column) in columns(table) {
        for definition in definitions(name, column) {
            sql.push_str(", ");
            sql.push_str(&definition);
        }
    }
    sql.push_str(") STRICT");
    sql
}

fn columns(table: &Table) -> impl Iterator<Item = (&String, &Column)> {
    table.columns.iter().filter(|(name, _)| **name != table.primary_id)
}

fn definitions(name: &str, column: &Column) -> Vec<String> {
    let collation =
        if column.kind.is_text() { format!(" COLLATE {}", text::COLLATION) } else { String::new() };
    let mut list = vec![format!("{} {}{collation}", quoted(name), sql_type(column.kind))];
    list.extend(target_column(name, column).map(|target| format!("{} TEXT", quoted(&target))));
    list
}

fn sql_type(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::String | ColumnType::Memo | ColumnType::MultiSelect => "TEXT",
        ColumnType::Integer
        | ColumnType::BigInt
        | ColumnType::Decimal
        | ColumnType::Money
        | ColumnType::Boolean
        | ColumnType::DateTime
        | ColumnType::Picklist
        | ColumnType::State
        | ColumnType::Status => "INTEGER",
        ColumnType::Double => "REAL",
        ColumnType::Lookup
        | ColumnType::Customer
        | ColumnType::Owner
        | ColumnType::UniqueIdentifier
        | ColumnType::Image
        | ColumnType::File => "BLOB",
    }
}

fn add_columns(tx: &mut Tx, table: &Table, known: &BTreeSet<String>) -> Result<(), StoreError> {
    let sql_name = table_name(&table.name);
    for (name, column) in columns(table) {
        let target = target_column(name, column);
        let new = !known.contains(name.as_str());
        if new {
            for definition in definitions(name, column) {
                tx.sql_batch(&format!("ALTER TABLE {sql_name} ADD COLUMN {definition}"))?;
            }
        } else if let Some(target) = target {
            // A lookup that got a second target: its rows refer to the first one.
            let target_sql = quoted(&target);
            if !known.contains(&target) {
                tx.sql_batch(&format!("ALTER TABLE {sql_name} ADD COLUMN {target_sql} TEXT"))?;
            }
            fill_target(tx, table, name, &target_sql)?;
        }
    }
    Ok(())
}

fn fill_target(tx: &mut Tx, table: &Table, name: &str, target: &str) -> Result<(), StoreError> {
    let before = tx.catalog().table(&table.name).ok().and_then(|t| t.column(name));
    let Some(first) = before.and_then(|c| c.targets.first()).cloned() else {
        return Ok(());
    };
    let column = quoted(name);
    tx.sql_execute(
        &format!(
            "UPDATE {} SET {target} = ?1 WHERE {column} IS NOT NULL AND {target} IS NULL",
            table_name(&table.name)
        ),
        &[SqlValue::Text(first)],
    )?;
    Ok(())
}

/// Versions, alternate keys, and lookups that people follow; the audit lookups are not.
fn indexes(table: &Table, role: Role) -> Vec<String> {
    let sql_name = table_name(&table.name);
    let index = |kind: &str, name: &str, on: String| {
        let name = quoted(&format!("i_{}_{name}", table.name));
        format!("CREATE {kind} IF NOT EXISTS {name} ON {sql_name} {on}")
    };
    let mut list = Vec::new();
    if role == Role::Server {
        list.push(index("INDEX", VERSION_COLUMN, format!("({VERSION_COLUMN})")));
    }
    for (name, column) in columns(table) {
        let audit = matches!(name.as_str(), "createdby" | "modifiedby");
        if column.kind.is_reference() && !audit {
            let name_sql = quoted(name);
            list.push(index("INDEX", name, format!("({name_sql}) WHERE {name_sql} IS NOT NULL")));
        }
    }
    for key in &table.keys {
        let columns: Vec<String> = key.columns.iter().map(|c| quoted(c)).collect();
        // While a device takes the server's rows one by one, two may have one key for a moment; its
        // own writes are checked by `rows`.
        let kind = if role == Role::Server { "UNIQUE INDEX" } else { "INDEX" };
        let name = format!("key_{}", key.name);
        list.push(index(kind, &name, format!("({})", columns.join(", "))));
    }
    list
}
