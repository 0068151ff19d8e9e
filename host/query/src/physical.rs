//! The physical form of tables, columns and values: how the catalog's names and types map to SQL.
//!
//! | type | SQL |
//! |---|---|
//! | text | TEXT, compared without regard to case |
//! | integer, bigint, choice, state, status | INTEGER |
//! | decimal, money | INTEGER of 10^-scale units |
//! | double | REAL |
//! | datetime | INTEGER, milliseconds since 1970 |
//! | boolean | INTEGER 0/1 |
//! | multi-select | TEXT `,1,3,` |
//! | uniqueidentifier | BLOB of 16 bytes |
//! | lookup, customer, owner | BLOB id in `c`; with more than one target TEXT table in `c__table` |
//! | image, file | BLOB |
//!
//! Never runs SQL, and never takes an identifier from anywhere but the catalog.

use crate::SqlValue;
use offstage_model::metadata::{Column, ColumnType, Table};
use offstage_model::value::{EntityReference, Timestamp};
use offstage_model::{Decimal, Entity, Fault, Uuid, Value};

/// The hidden column that holds the row version.
pub const VERSION_COLUMN: &str = "os_version";
/// Columns with this prefix belong to the store.
pub const HIDDEN_PREFIX: &str = "os_";
/// The suffix of the column that holds the table of a reference with more than one target.
pub const TARGET_SUFFIX: &str = "__table";

/// The quoted SQL name of a catalog table.
#[must_use]
pub fn table_name(table: &str) -> String {
    quoted(&bare_table_name(table))
}

/// The SQL name of a catalog table, as a database reports it.
#[must_use]
pub fn bare_table_name(table: &str) -> String {
    format!("t_{table}")
}

/// An identifier in quotes. Catalog names hold no quote; doubling them keeps this safe regardless.
#[must_use]
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The name of the column that holds the target table of `column`, when the column has one.
#[must_use]
pub fn target_column(name: &str, column: &Column) -> Option<String> {
    (column.kind.is_reference() && column.targets.len() > 1)
        .then(|| format!("{name}{TARGET_SUFFIX}"))
}

/// A value that does not have the type of its column, in a row or in a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value of column '{column}' is not a {kind:?}")]
pub struct TypeMismatch {
    /// The column.
    pub column: String,
    /// The column's type.
    pub kind: ColumnType,
}

fn mismatch(name: &str, column: &Column) -> TypeMismatch {
    TypeMismatch { column: name.to_owned(), kind: column.kind }
}

/// The stored form of a value; for references the id, with [`target_of`] as the second cell.
///
/// # Errors
/// A value of another type, or a number that the column's scale cannot hold.
pub fn to_sql(name: &str, column: &Column, value: &Value) -> Result<SqlValue, TypeMismatch> {
    let sql = match (column.kind, value) {
        (_, Value::Null) => SqlValue::Null,
        (kind, Value::Text(v)) if kind.is_text() => SqlValue::Text(v.clone()),
        (ColumnType::Integer, Value::Integer(v))
        | (ColumnType::Picklist | ColumnType::State | ColumnType::Status, Value::Option(v)) => {
            SqlValue::Integer(i64::from(*v))
        }
        (ColumnType::BigInt, Value::BigInt(v)) => SqlValue::Integer(*v),
        (ColumnType::Decimal, Value::Decimal(v)) | (ColumnType::Money, Value::Money(v)) => {
            SqlValue::Integer(scaled(*v, column.scale()).ok_or_else(|| mismatch(name, column))?)
        }
        (ColumnType::Double, Value::Double(v)) if v.is_finite() => SqlValue::Real(*v),
        (ColumnType::Boolean, Value::Boolean(v)) => SqlValue::Boolean(*v),
        (ColumnType::DateTime, Value::DateTime(v)) => SqlValue::Integer(v.0),
        (ColumnType::MultiSelect, Value::Options(v)) => SqlValue::Text(options_text(v)),
        (ColumnType::UniqueIdentifier, Value::Guid(v)) => SqlValue::Guid(*v),
        (kind, Value::Reference(v)) if kind.is_reference() => SqlValue::Guid(v.id),
        (ColumnType::Image | ColumnType::File, Value::Bytes(v)) => SqlValue::Blob(v.clone()),
        _ => return Err(mismatch(name, column)),
    };
    Ok(sql)
}

/// The second cell of a reference: its table, or NULL.
#[must_use]
pub fn target_of(value: &Value) -> SqlValue {
    value.as_reference().map_or(SqlValue::Null, |r| SqlValue::Text(r.table.clone()))
}

/// The value of a cell; `target` is the second cell of a reference with more than one target.
///
/// # Errors
/// A cell that does not have the column's type: the store is damaged or was changed by hand.
pub fn from_sql(
    name: &str,
    column: &Column,
    mut cell: SqlValue,
    target: Option<SqlValue>,
) -> Result<Value, TypeMismatch> {
    let wrong = || mismatch(name, column);
    let small =
        |cell: &SqlValue| cell.as_i64().and_then(|v| i32::try_from(v).ok()).ok_or_else(wrong);
    if cell.is_null() {
        return Ok(Value::Null);
    }
    let decimal = |cell: &SqlValue| {
        let units = cell.as_i64().ok_or_else(wrong)?;
        Ok(Decimal::from_i128_with_scale(i128::from(units), column.scale()).normalize())
    };
    Ok(match column.kind {
        ColumnType::String | ColumnType::Memo => match cell.take() {
            SqlValue::Text(text) => Value::Text(text),
            _ => return Err(wrong()),
        },
        ColumnType::Integer => Value::Integer(small(&cell)?),
        ColumnType::Picklist | ColumnType::State | ColumnType::Status => {
            Value::Option(small(&cell)?)
        }
        ColumnType::BigInt => Value::BigInt(cell.as_i64().ok_or_else(wrong)?),
        ColumnType::Decimal => Value::Decimal(decimal(&cell)?),
        ColumnType::Money => Value::Money(decimal(&cell)?),
        ColumnType::Double => match cell {
            SqlValue::Real(v) => Value::Double(v),
            _ => return Err(wrong()),
        },
        ColumnType::Boolean => Value::Boolean(cell.as_bool().ok_or_else(wrong)?),
        ColumnType::DateTime => Value::DateTime(Timestamp(cell.as_i64().ok_or_else(wrong)?)),
        ColumnType::MultiSelect => {
            let text = cell.as_text().ok_or_else(wrong)?;
            Value::Options(parse_options(text).ok_or_else(wrong)?)
        }
        ColumnType::UniqueIdentifier => Value::Guid(cell.as_guid().ok_or_else(wrong)?),
        ColumnType::Lookup | ColumnType::Customer | ColumnType::Owner => {
            let id = cell.as_guid().ok_or_else(wrong)?;
            let table = match target {
                Some(SqlValue::Text(table)) => table,
                _ => column.targets.first().cloned().ok_or_else(wrong)?,
            };
            Value::Reference(EntityReference { table, id, name: None })
        }
        ColumnType::Image | ColumnType::File => match cell.take() {
            SqlValue::Blob(bytes) => Value::Bytes(bytes),
            // A backend without a GUID type takes every 16 bytes for one.
            SqlValue::Guid(id) => Value::Bytes(id.as_bytes().to_vec()),
            _ => return Err(wrong()),
        },
    })
}

/// The number in units of 10^-scale; `None` when it has more digits than that.
pub(crate) fn scaled(number: Decimal, scale: u32) -> Option<i64> {
    let mut exact = number;
    exact.rescale(scale);
    if exact.scale() != scale || exact != number {
        return None;
    }
    i64::try_from(exact.mantissa()).ok()
}

/// `,1,3,`: ascending, so that equal sets are equal texts.
pub(crate) fn options_text(options: &[i32]) -> String {
    let mut sorted = options.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut text = String::with_capacity(2 + sorted.len() * 4);
    text.push(',');
    for option in sorted {
        text.push_str(&option.to_string());
        text.push(',');
    }
    text
}

fn parse_options(text: &str) -> Option<Vec<i32>> {
    let inner = text.strip_prefix(',')?.strip_suffix(',')?;
    inner.split(',').map(|part| part.parse().ok()).collect()
}

/// Which cells a SELECT returns and how they become an entity: the id, the version, then one or two
/// cells per column.
#[derive(Clone, Debug)]
pub struct Layout {
    table: String,
    columns: Vec<LaidOut>,
    width: usize,
}

#[derive(Clone, Debug)]
struct LaidOut {
    name: String,
    column: Column,
    with_target: bool,
    /// Read for the paging cookie only; not part of the answer.
    hidden: bool,
}

impl Layout {
    /// The layout of `columns` of a table; `None` takes all. The primary id is always
    /// [`Entity::id`] and never an attribute.
    ///
    /// # Errors
    /// [`offstage_model::code::UNKNOWN_COLUMN`].
    pub fn new(table: &Table, columns: Option<&[String]>) -> Result<Self, Fault> {
        let mut layout = Self { table: table.name.clone(), columns: Vec::new(), width: 2 };
        match columns {
            None => {
                for (name, column) in &table.columns {
                    layout.add(table, name, column, false);
                }
            }
            Some(columns) => {
                for name in columns {
                    let column = table
                        .column(name)
                        .ok_or_else(|| Fault::unknown_column(&table.name, name))?;
                    layout.add(table, name, column, false);
                }
            }
        }
        Ok(layout)
    }

    /// Adds a column that is read and left out of the entities.
    pub(crate) fn add_hidden(&mut self, table: &Table, name: &str, column: &Column) {
        self.add(table, name, column, true);
    }

    fn add(&mut self, table: &Table, name: &str, column: &Column, hidden: bool) {
        if name == table.primary_id || self.columns.iter().any(|c| c.name == name) {
            return;
        }
        let with_target = target_column(name, column).is_some();
        self.width += 1 + usize::from(with_target);
        // Only what reading needs; labels and choices would be copied for every query.
        let targets = column.targets.clone();
        let column = Column { precision: column.precision, targets, ..Column::of(column.kind) };
        self.columns.push(LaidOut { name: name.to_owned(), column, with_target, hidden });
    }

    /// The cells of a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The logical names of the columns that the entities have.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().filter(|c| !c.hidden).map(|c| c.name.as_str())
    }

    /// The list after SELECT, with every column qualified by `alias` (text of this crate).
    #[must_use]
    pub fn select_list(&self, primary_id: &str, alias: &str) -> String {
        let mut list = format!("{alias}.{}, {alias}.{VERSION_COLUMN}", quoted(primary_id));
        for c in &self.columns {
            list.push_str(&format!(", {alias}.{}", quoted(&c.name)));
            if c.with_target {
                let target = format!("{}{TARGET_SUFFIX}", c.name);
                list.push_str(&format!(", {alias}.{}", quoted(&target)));
            }
        }
        list
    }

    /// The entity of a row of cells, which are moved out. Empty columns are absent.
    ///
    /// # Errors
    /// Cells that do not fit the columns: the store is damaged.
    pub fn read(&self, cells: &mut [SqlValue]) -> Result<Entity, TypeMismatch> {
        Ok(self.read_with_hidden(cells)?.0)
    }

    /// The entity, and the values of the hidden columns.
    pub(crate) fn read_with_hidden(
        &self,
        cells: &mut [SqlValue],
    ) -> Result<(Entity, Vec<(String, Value)>), TypeMismatch> {
        let wrong = || TypeMismatch { column: "id".to_owned(), kind: ColumnType::UniqueIdentifier };
        if cells.len() != self.width {
            return Err(wrong());
        }
        let id: Uuid = cells[0].as_guid().ok_or_else(wrong)?;
        let mut entity = Entity::with_id(self.table.clone(), id);
        entity.version = cells[1].as_u64();
        let mut hidden = Vec::new();
        let mut next = 2;
        for c in &self.columns {
            let cell = cells[next].take();
            let target = c.with_target.then(|| cells[next + 1].take());
            next += 1 + usize::from(c.with_target);
            if cell.is_null() {
                continue;
            }
            let value = from_sql(&c.name, &c.column, cell, target)?;
            if c.hidden {
                hidden.push((c.name.clone(), value));
            } else {
                entity.attributes.insert(c.name.clone(), value);
            }
        }
        Ok((entity, hidden))
    }
}
