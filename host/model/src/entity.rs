//! Entities: a table name, an id and the attributes that somebody names.
//!
//! Never knows which columns a table has; an entity may hold any subset.

use crate::{EntityReference, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Attribute values by column, in column order, so that equal entities have equal JSON.
pub type Attributes = BTreeMap<String, Value>;

/// One row, or the part of it that a request is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// The table's logical name.
    pub table: String,
    /// The row's id; absent in a create that leaves it to the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// The row version, where the row was read from a store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// An alternate key that addresses the row instead of `id`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub key: Attributes,
    /// The columns that are present; `Value::Null` clears one.
    #[serde(default)]
    pub attributes: Attributes,
}

impl Entity {
    /// An empty entity of `table`.
    pub fn new(table: impl Into<String>) -> Self {
        Self { table: table.into(), ..Self::default() }
    }

    /// An empty entity that names the row `id`.
    pub fn with_id(table: impl Into<String>, id: Uuid) -> Self {
        Self { id: Some(id), ..Self::new(table) }
    }

    /// Sets a column; for building entities in one expression.
    #[must_use]
    pub fn with(mut self, column: impl Into<String>, value: Value) -> Self {
        self.attributes.insert(column.into(), value);
        self
    }

    /// The value of a column; `Null` when it is absent.
    #[must_use]
    pub fn value(&self, column: &str) -> &Value {
        static NULL: Value = Value::Null;
        self.attributes.get(column).unwrap_or(&NULL)
    }

    /// The text of a column.
    #[must_use]
    pub fn text(&self, column: &str) -> Option<&str> {
        self.value(column).as_text()
    }

    /// The reference to this row, when it has an id.
    #[must_use]
    pub fn reference(&self) -> Option<EntityReference> {
        self.id.map(|id| EntityReference::new(self.table.clone(), id))
    }

    /// A copy with the named columns only; `None` keeps all.
    #[must_use]
    pub fn project(&self, columns: Option<&[String]>) -> Self {
        let Some(columns) = columns else {
            return self.clone();
        };
        let attributes = columns
            .iter()
            .filter_map(|c| self.attributes.get(c).map(|v| (c.clone(), v.clone())))
            .collect();
        Self { attributes, ..self.clone() }
    }
}

/// The answer of a query: one page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EntityCollection {
    /// The queried table.
    pub table: String,
    /// The rows of this page.
    pub entities: Vec<Entity>,
    /// Whether another page follows.
    #[serde(default)]
    pub more_records: bool,
    /// Opaque text that asks for the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paging_cookie: Option<String>,
    /// All rows that match, when it was asked for; counted up to 5,000 ([W17]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_count: Option<u64>,
}
