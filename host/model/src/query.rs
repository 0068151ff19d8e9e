//! The one query model: what QueryExpression, OData and (later) FetchXML are turned into.
//!
//! Never holds SQL; `offstage-query` compiles it.

use crate::Value;
use serde::{Deserialize, Serialize};

/// The largest page, and the default one (Dataverse Web API, "Page results").
pub const PAGE_SIZE_MAX: u32 = 5_000;
/// The deepest nesting of a filter.
pub const FILTER_DEPTH_MAX: usize = 16;
/// The most conditions in one filter (platform limit: 500).
pub const CONDITIONS_MAX: usize = 500;
/// The most lookups that one condition may follow to a parent.
pub const PATH_MAX: usize = 4;
/// The most values in one `in` list.
pub const IN_VALUES_MAX: usize = 2_000;

/// A query on one table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// The table's logical name.
    pub table: String,
    /// The columns to return; `None` asks for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// Which rows; `None` means every row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// The order; the primary id is always added as the last one, so that pages do not overlap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<Order>,
    /// The first rows only; not together with paging.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<u32>,
    /// Rows per page, at most [`PAGE_SIZE_MAX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_size: Option<u32>,
    /// The cookie of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paging_cookie: Option<String>,
    /// Whether to count all matching rows.
    #[serde(default)]
    pub total_count: bool,
}

impl Query {
    /// All rows and columns of `table`.
    pub fn all(table: impl Into<String>) -> Self {
        Self { table: table.into(), ..Self::default() }
    }

    /// The rows of `table` that match `filter`.
    pub fn matching(table: impl Into<String>, filter: Filter) -> Self {
        Self { filter: Some(filter), ..Self::all(table) }
    }
}

/// A filter tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// All parts hold; true when empty.
    All(Vec<Filter>),
    /// One part holds at least; false when empty.
    Any(Vec<Filter>),
    /// The part does not hold.
    Not(Box<Filter>),
    /// One comparison.
    Condition(Condition),
}

impl Filter {
    /// `column operator values` on the queried table itself.
    pub fn condition(column: impl Into<String>, operator: Operator, values: Vec<Value>) -> Self {
        Self::Condition(Condition { path: Vec::new(), column: column.into(), operator, values })
    }

    /// `column = value`.
    pub fn eq(column: impl Into<String>, value: Value) -> Self {
        Self::condition(column, Operator::Equal, vec![value])
    }

    /// Every condition of the tree, in order.
    #[must_use]
    pub fn conditions(&self) -> Vec<&Condition> {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().flat_map(Filter::conditions).collect()
            }
            Self::Not(part) => part.conditions(),
            Self::Condition(condition) => vec![condition],
        }
    }
}

/// One comparison of a column with values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Lookup columns to follow, parent by parent, to the table that has `column`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
    /// The column's logical name.
    pub column: String,
    /// How to compare.
    pub operator: Operator,
    /// None, one or (for `In`, `NotIn`) many values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Value>,
}

/// Comparison operators (FetchXML names in brackets). Text compares without regard to case; null
/// never matches an ordering operator and matches the negative ones (cases.md, contested 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operator {
    /// [eq]
    Equal,
    /// [ne]
    NotEqual,
    /// [gt]
    GreaterThan,
    /// [ge]
    GreaterEqual,
    /// [lt]
    LessThan,
    /// [le]
    LessEqual,
    /// [null]
    IsNull,
    /// [not-null]
    IsNotNull,
    /// [in]; an empty list matches nothing
    In,
    /// [not-in]; an empty list matches everything
    NotIn,
    /// [like %x%]
    Contains,
    /// [begins-with]
    BeginsWith,
    /// [ends-with]
    EndsWith,
    /// [eq-userid]: the caller of the query
    EqualUserId,
    /// [ne-userid]
    NotEqualUserId,
}

/// One sort key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The column's logical name.
    pub column: String,
    /// Largest first.
    #[serde(default)]
    pub descending: bool,
}
