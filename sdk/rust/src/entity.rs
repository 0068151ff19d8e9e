//! Rows, references to rows, and result sets.
//!
//! A row never loads what is missing: it holds what the request or the query gave it.

use rust_decimal::Decimal;

use crate::error::DataError;
use crate::guid::Guid;
use crate::query::ColumnSet;
use crate::timestamp::Timestamp;
use crate::value::Value;

/// A reference to one row. `name` is its primary name where the host knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EntityReference {
    /// The logical name of the table.
    pub table: String,
    /// The row's id.
    pub id: Guid,
    /// The row's primary name, for people to read.
    pub name: Option<String>,
}

impl EntityReference {
    /// Makes a reference without a name.
    pub fn new(table: impl Into<String>, id: Guid) -> Self {
        Self { table: table.into(), id, name: None }
    }

    /// Tells whether both name the same row, whatever name they show.
    pub fn is_same_row(&self, other: &Self) -> bool {
        self.table == other.table && self.id == other.id
    }

    /// Returns the name to show: the primary name, or the id where no name is known.
    pub fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.id.to_string())
    }
}

/// A row, or part of one: the columns that a request sets or a query returned.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Entity {
    /// The logical name of the table.
    pub table: String,
    /// The row's id; absent before it is saved.
    pub id: Option<Guid>,
    /// The row version, in rows that the host returned.
    pub row_version: Option<u64>,
    attributes: Vec<(String, Value)>,
}

impl Entity {
    /// Makes a row without columns.
    pub fn new(table: impl Into<String>) -> Self {
        Self { table: table.into(), ..Self::default() }
    }

    /// Makes a row that has an id, as for an update.
    pub fn with_id(table: impl Into<String>, id: Guid) -> Self {
        Self { table: table.into(), id: Some(id), ..Self::default() }
    }

    /// Sets a column and returns the row, to build one in a chain.
    #[must_use]
    pub fn with(mut self, column: &str, value: impl Into<Value>) -> Self {
        self.set(column, value);
        self
    }

    /// Sets a column. `None` and [`Value::Null`] clear it.
    pub fn set(&mut self, column: &str, value: impl Into<Value>) {
        let value = value.into();
        match self.attributes.iter_mut().find(|(name, _)| name == column) {
            Some((_, held)) => *held = value,
            None => self.attributes.push((column.to_owned(), value)),
        }
    }

    /// Takes a column out, so that the request no longer mentions it.
    pub fn remove(&mut self, column: &str) -> Option<Value> {
        let at = self.attributes.iter().position(|(name, _)| name == column)?;
        Some(self.attributes.remove(at).1)
    }

    /// Returns a column's value, [`Value::Null`] included; `None` if the column is not mentioned.
    pub fn get(&self, column: &str) -> Option<&Value> {
        self.attributes.iter().find(|(name, _)| name == column).map(|(_, value)| value)
    }

    /// Tells whether the column is mentioned, even as null.
    pub fn contains(&self, column: &str) -> bool {
        self.get(column).is_some()
    }

    /// Lists the columns and values in the order they were set.
    pub fn attributes(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.attributes.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns the columns and values.
    pub fn into_attributes(self) -> impl ExactSizeIterator<Item = (String, Value)> {
        self.attributes.into_iter()
    }

    /// Returns a reference to the row.
    ///
    /// # Errors
    /// [`DataError::MissingId`] if the row has no id yet.
    pub fn reference(&self) -> Result<EntityReference, DataError> {
        let id = self.id.ok_or_else(|| DataError::MissingId { table: self.table.clone() })?;
        Ok(EntityReference::new(self.table.clone(), id))
    }

    /// Returns this row with `changes` laid over it: what the row will be after an update.
    #[must_use]
    pub fn overlaid_with(&self, changes: &Self) -> Self {
        let mut merged = self.clone();
        merged.id = changes.id.or(self.id);
        for (column, value) in changes.attributes() {
            merged.set(column, value.clone());
        }
        merged
    }

    /// Returns the row with only the columns of the set.
    #[must_use]
    pub fn select(&self, columns: &ColumnSet) -> Self {
        let mut selected = self.clone();
        selected.attributes.retain(|(column, _)| columns.contains(column));
        selected
    }

    /// Returns the error for a column that must have a value and has none.
    pub fn missing(&self, column: &str) -> DataError {
        DataError::MissingColumn { table: self.table.clone(), column: column.to_owned() }
    }

    fn typed<'a, T>(
        &'a self,
        column: &str,
        expected: &'static str,
        pick: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, DataError> {
        let Some(value) = self.get(column).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        pick(value).map(Some).ok_or_else(|| DataError::WrongColumnType {
            table: self.table.clone(),
            column: column.to_owned(),
            expected,
            found: value.kind(),
        })
    }
}

macro_rules! typed_getters {
    ($($(#[$doc:meta])* $name:ident -> $type:ty, $kind:literal: $pattern:pat => $made:expr;)+) => {
        /// Typed readers. Each returns `None` if the column is absent or null.
        ///
        /// # Errors
        /// [`DataError::WrongColumnType`] if the column holds another type.
        impl Entity {
            $($(#[$doc])*
            pub fn $name(&self, column: &str) -> Result<Option<$type>, DataError> {
                self.typed(column, $kind, |value| match value {
                    $pattern => Some($made),
                    _ => None,
                })
            })+
        }
    };
}

typed_getters! {
    /// Reads a yes/no column.
    boolean -> bool, "boolean": Value::Boolean(value) => *value;
    /// Reads a whole number.
    integer -> i32, "integer": Value::Integer(value) => *value;
    /// Reads a big integer.
    big_int -> i64, "big integer": Value::BigInt(value) => *value;
    /// Reads a decimal number.
    decimal -> Decimal, "decimal": Value::Decimal(value) => *value;
    /// Reads a floating-point number.
    double -> f64, "double": Value::Double(value) => *value;
    /// Reads an amount of money.
    money -> Decimal, "money": Value::Money(value) => *value;
    /// Reads a string or memo.
    text -> &str, "text": Value::Text(value) => value.as_str();
    /// Reads a date and time.
    date_time -> Timestamp, "date-time": Value::DateTime(value) => *value;
    /// Reads a picklist, state or status value.
    option_value -> i32, "option value": Value::OptionValue(value) => *value;
    /// Reads the values of a multi-select picklist.
    option_values -> &[i32], "option values": Value::OptionValues(value) => value.as_slice();
    /// Reads a lookup, customer or owner.
    lookup -> &EntityReference, "reference": Value::Reference(value) => value;
    /// Reads a unique identifier.
    guid -> Guid, "unique identifier": Value::Guid(value) => *value;
    /// Reads an image or file.
    bytes -> &[u8], "bytes": Value::Bytes(value) => value.as_slice();
}

/// One page of rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EntityCollection {
    /// The logical name of the table.
    pub table: String,
    /// The rows.
    pub entities: Vec<Entity>,
    /// Whether there are rows after these.
    pub more_records: bool,
    /// Where the next page starts; given back in [`crate::Query::page_after`].
    pub paging_cookie: Option<String>,
    /// How many rows the query finds in all, if it asked for that.
    pub total_count: Option<u64>,
}

impl IntoIterator for EntityCollection {
    type Item = Entity;
    type IntoIter = std::vec::IntoIter<Entity>;

    fn into_iter(self) -> Self::IntoIter {
        self.entities.into_iter()
    }
}
