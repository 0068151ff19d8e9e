//! Compiles queries to parameterised SQL. Same input, same text; never a user byte in the text.

mod condition;
mod cookie;
mod filter;
mod operand;
mod page;

pub use condition::navigation;
pub use page::PageReader;

use crate::physical::{VERSION_COLUMN, quoted, table_name};
use crate::{Layout, SqlValue};
use filter::Compiler;
use offstage_model::metadata::{Catalog, ColumnType, Table};
use offstage_model::query::{Filter, Order, PAGE_SIZE_MAX, Query};
use offstage_model::{Fault, Uuid, code};

/// The most sort keys in one query.
pub const ORDERS_MAX: usize = 8;
/// The most columns that a query may name.
pub const COLUMNS_MAX: usize = 500;
/// Matching rows are counted up to this number ([W17]).
pub const TOTAL_COUNT_MAX: u64 = 5_000;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The user that `eq-userid` means.
    pub user: Uuid,
}

/// The database that the SQL is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite with the collation and functions of [`crate::text`] registered.
    Sqlite,
    /// PostgreSQL 14 or newer.
    Postgres,
}

impl Dialect {
    /// The placeholder of the `number`th parameter, from 1.
    #[must_use]
    pub fn placeholder(self, number: usize) -> String {
        match self {
            Self::Sqlite => format!("?{number}"),
            Self::Postgres => format!("${number}"),
        }
    }
}

/// SQL text and its parameters.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The SQL text; same text for queries of the same shape.
    pub sql: String,
    /// The parameters, in the order of their numbers.
    pub params: Vec<SqlValue>,
    /// The logical names of the columns that the entities have.
    pub columns: Vec<String>,
    page: Option<page::PageRules>,
}

impl Statement {
    /// Reads the rows of a statement of [`compile`].
    #[must_use]
    pub fn reader(&self) -> Option<PageReader<'_>> {
        self.page.as_ref().map(PageReader::new)
    }

    fn plain(sql: String, params: Vec<SqlValue>) -> Self {
        Self { sql, params, columns: Vec::new(), page: None }
    }
}

/// The alias of the queried table in compiled SQL.
const ROOT: &str = "a0";

/// Compiles one page of a query; read the rows with [`Statement::reader`].
///
/// # Errors
/// Unknown tables and columns, values that do not fit their column, limits, a foreign cookie.
pub fn compile(
    query: &Query,
    catalog: &Catalog,
    scope: &Scope,
    dialect: Dialect,
) -> Result<Statement, Fault> {
    let table = catalog.table(&query.table)?;
    check_query(query)?;
    let mut layout = Layout::new(table, query.columns.as_deref())?;
    let columns: Vec<String> = layout.names().map(str::to_owned).collect();
    let orders = checked_orders(table, &query.orders)?;
    for order in &orders {
        if let Some(column) = table.column(&order.column) {
            layout.add_hidden(table, &order.column, column);
        }
    }
    let mut compiler = Compiler::new(catalog, *scope, dialect);
    let mut conditions = Vec::new();
    if let Some(filter) = &query.filter {
        conditions.push(compiler.filter(table, ROOT, filter)?);
    }
    let mut page_number = 1;
    if let Some(text) = &query.paging_cookie {
        let cookie = cookie::Cookie::read(text, table, &orders)?;
        page_number = cookie.page.saturating_add(1);
        conditions.push(cookie.after(&mut compiler, table, &orders, ROOT)?);
    }
    // $top beside a page size is ignored ([W17]).
    let paged = query.page_size.is_some() || query.paging_cookie.is_some() || query.top.is_none();
    let wanted = if paged { query.page_size } else { query.top };
    let limit = wanted.unwrap_or(PAGE_SIZE_MAX).min(PAGE_SIZE_MAX);
    let list = layout.select_list(&table.primary_id, ROOT);
    let mut sql = format!("SELECT {list} FROM {} AS {ROOT}", table_name(&table.name));
    push_where(&mut sql, &conditions);
    sql.push_str(&order_by(table, &orders, dialect));
    // One row more tells whether another page follows.
    let fetched = i64::from(limit) + i64::from(paged);
    sql.push_str(&format!(" LIMIT {}", compiler.bind(SqlValue::Integer(fetched))));
    let rules = page::PageRules { layout, orders, limit: limit as usize, paged, page_number };
    Ok(Statement { sql, params: compiler.params, columns, page: Some(rules) })
}

/// Compiles the number of matching rows, counted up to `count_max`; one row with one integer.
///
/// # Errors
/// As [`compile`].
pub fn compile_count(
    query: &Query,
    catalog: &Catalog,
    scope: &Scope,
    dialect: Dialect,
    count_max: u64,
) -> Result<Statement, Fault> {
    let table = catalog.table(&query.table)?;
    let mut compiler = Compiler::new(catalog, *scope, dialect);
    let conditions = compiler.optional(table, ROOT, query.filter.as_ref())?;
    let mut inner = format!("SELECT 1 FROM {} AS {ROOT}", table_name(&table.name));
    push_where(&mut inner, &conditions);
    let limit = compiler.bind(SqlValue::unsigned(count_max));
    let sql = format!("SELECT COUNT(*) FROM ({inner} LIMIT {limit}) AS counted");
    Ok(Statement::plain(sql, compiler.params))
}

/// Compiles the ids and versions of all matching rows, by id; rows of (id, version).
///
/// # Errors
/// As [`compile`].
pub fn compile_ids(
    table: &str,
    filter: Option<&Filter>,
    catalog: &Catalog,
    scope: &Scope,
    dialect: Dialect,
) -> Result<Statement, Fault> {
    let table = catalog.table(table)?;
    let mut compiler = Compiler::new(catalog, *scope, dialect);
    let conditions = compiler.optional(table, ROOT, filter)?;
    let id = quoted(&table.primary_id);
    let mut sql = format!(
        "SELECT {ROOT}.{id}, {ROOT}.{VERSION_COLUMN} FROM {} AS {ROOT}",
        table_name(&table.name)
    );
    push_where(&mut sql, &conditions);
    sql.push_str(&format!(" ORDER BY {ROOT}.{id}"));
    Ok(Statement::plain(sql, compiler.params))
}

/// Compiles whether the row `id` matches; one row when it does, none otherwise.
///
/// # Errors
/// As [`compile`].
pub fn compile_membership(
    table: &str,
    id: Uuid,
    filter: Option<&Filter>,
    catalog: &Catalog,
    scope: &Scope,
    dialect: Dialect,
) -> Result<Statement, Fault> {
    let table = catalog.table(table)?;
    let mut compiler = Compiler::new(catalog, *scope, dialect);
    let row = compiler.bind(SqlValue::Guid(id));
    let mut conditions = vec![format!("{ROOT}.{} = {row}", quoted(&table.primary_id))];
    conditions.extend(compiler.optional(table, ROOT, filter)?);
    let mut sql = format!("SELECT 1 FROM {} AS {ROOT}", table_name(&table.name));
    push_where(&mut sql, &conditions);
    Ok(Statement::plain(sql, compiler.params))
}

/// Compiles a filter as a boolean expression for SQL that the caller writes: `alias` is the alias of
/// the table there, and the values are appended to `params`, numbered from its length.
///
/// # Errors
/// As [`compile`].
pub fn compile_predicate(
    table: &str,
    filter: &Filter,
    (catalog, scope, dialect): (&Catalog, &Scope, Dialect),
    alias: &'static str,
    params: &mut Vec<SqlValue>,
) -> Result<String, Fault> {
    let table = catalog.table(table)?;
    let mut compiler = Compiler::new(catalog, *scope, dialect);
    compiler.params = std::mem::take(params);
    let sql = compiler.filter(table, alias, filter);
    *params = compiler.params;
    sql
}

fn check_query(query: &Query) -> Result<(), Fault> {
    if query.columns.as_ref().is_some_and(|c| c.len() > COLUMNS_MAX) {
        return Err(invalid(format!("A query names at most {COLUMNS_MAX} columns.")));
    }
    if query.page_size == Some(0) || query.top == Some(0) {
        return Err(invalid("A page has at least one row.".to_owned()));
    }
    Ok(())
}

fn checked_orders(table: &Table, orders: &[Order]) -> Result<Vec<Order>, Fault> {
    if orders.len() > ORDERS_MAX {
        return Err(invalid(format!("A query sorts by at most {ORDERS_MAX} columns.")));
    }
    let mut checked: Vec<Order> = Vec::with_capacity(orders.len());
    for order in orders {
        let column = table
            .column(&order.column)
            .ok_or_else(|| Fault::unknown_column(&table.name, &order.column))?;
        if matches!(column.kind, ColumnType::Image | ColumnType::File) {
            return Err(invalid(format!("Rows cannot be sorted by the file '{}'.", order.column)));
        }
        if checked.iter().any(|o| o.column == order.column) {
            continue;
        }
        checked.push(order.clone());
        // Nothing after the unique id changes the order.
        if order.column == table.primary_id {
            break;
        }
    }
    if checked.last().is_none_or(|o| o.column != table.primary_id) {
        checked.push(Order { column: table.primary_id.clone(), descending: false });
    }
    Ok(checked)
}

/// Null sorts as the smallest value, as on the platform and in SQLite.
fn order_by(table: &Table, orders: &[Order], dialect: Dialect) -> String {
    let keys: Vec<String> = orders
        .iter()
        .map(|order| {
            let direction = if order.descending { " DESC" } else { "" };
            let nulls = match (dialect, order.descending, order.column == table.primary_id) {
                (Dialect::Sqlite, ..) | (_, _, true) => "",
                (Dialect::Postgres, false, _) => " NULLS FIRST",
                (Dialect::Postgres, true, _) => " NULLS LAST",
            };
            format!("{}{direction}{nulls}", sort_key(table, &order.column, ROOT, dialect))
        })
        .collect();
    format!(" ORDER BY {}", keys.join(", "))
}

/// The expression by which rows are sorted and pages are cut; both must agree.
fn sort_key(table: &Table, column: &str, alias: &str, dialect: Dialect) -> String {
    let name = format!("{alias}.{}", quoted(column));
    let is_text = table.column(column).is_some_and(|c| c.kind.is_text());
    if is_text && dialect == Dialect::Postgres { format!("lower({name})") } else { name }
}

fn push_where(sql: &mut String, conditions: &[String]) {
    if !conditions.is_empty() {
        sql.push_str(" WHERE ");
        sql.push_str(&conditions.join(" AND "));
    }
}

pub(crate) fn invalid(message: String) -> Fault {
    Fault::new(code::INVALID_QUERY, message)
}
