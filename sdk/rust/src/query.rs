//! The query builder: a typed filter tree that becomes the contract's arena of nodes.
//!
//! It never renders text: values stay typed until the host binds them as parameters.

use std::ops::{BitAnd, BitOr, Not};

use crate::value::Value;

/// Which columns to return.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ColumnSet {
    /// Every column that the caller may read.
    #[default]
    All,
    /// These columns.
    Columns(Vec<String>),
}

impl ColumnSet {
    /// Tells whether the set has the column.
    pub fn contains(&self, column: &str) -> bool {
        match self {
            Self::All => true,
            Self::Columns(columns) => columns.iter().any(|name| name == column),
        }
    }
}

impl<const N: usize> From<[&str; N]> for ColumnSet {
    fn from(columns: [&str; N]) -> Self {
        Self::from(columns.as_slice())
    }
}

impl From<&[&str]> for ColumnSet {
    fn from(columns: &[&str]) -> Self {
        Self::Columns(columns.iter().map(|&column| column.to_owned()).collect())
    }
}

impl From<Vec<String>> for ColumnSet {
    fn from(columns: Vec<String>) -> Self {
        Self::Columns(columns)
    }
}

/// How a condition compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Operator {
    Equal,
    NotEqual,
    GreaterThan,
    GreaterEqual,
    LessThan,
    LessEqual,
    IsNull,
    IsNotNull,
    In,
    NotIn,
    Contains,
    BeginsWith,
    EndsWith,
    EqualUserId,
    NotEqualUserId,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Lookup columns to follow from the queried table to the table of `column`; empty: itself.
    pub path: Vec<String>,
    /// The column to compare.
    pub column: String,
    /// How to compare.
    pub operator: Operator,
    /// What to compare with: none, one or many, as the operator needs.
    pub values: Vec<Value>,
}

/// A filter tree. Build it with [`column`] and join with `&`, `|` and `!`.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of these hold. An empty list holds.
    All(Vec<Filter>),
    /// One of these holds. An empty list does not hold.
    Any(Vec<Filter>),
    /// This does not hold.
    Negate(Box<Filter>),
    /// This comparison holds.
    Condition(Condition),
}

impl BitAnd for Filter {
    type Output = Self;

    fn bitand(self, right: Self) -> Self {
        match self {
            Self::All(mut filters) => {
                filters.push(right);
                Self::All(filters)
            }
            left => Self::All(vec![left, right]),
        }
    }
}

impl BitOr for Filter {
    type Output = Self;

    fn bitor(self, right: Self) -> Self {
        match self {
            Self::Any(mut filters) => {
                filters.push(right);
                Self::Any(filters)
            }
            left => Self::Any(vec![left, right]),
        }
    }
}

impl Not for Filter {
    type Output = Self;

    fn not(self) -> Self {
        Self::Negate(Box::new(self))
    }
}

/// Starts a condition on a column of the queried table.
pub fn column(name: &str) -> Column {
    Column { path: Vec::new(), name: name.to_owned() }
}

/// A column to compare; see [`column`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    path: Vec<String>,
    name: String,
}

impl Column {
    /// Takes the column from the table that these lookup columns lead to, the first one first.
    #[must_use]
    pub fn through<const N: usize>(mut self, lookups: [&str; N]) -> Self {
        self.path = lookups.iter().map(|&lookup| lookup.to_owned()).collect();
        self
    }

    fn compare(self, operator: Operator, values: Vec<Value>) -> Filter {
        Filter::Condition(Condition { path: self.path, column: self.name, operator, values })
    }
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident => $operator:ident;)+) => {
        /// Comparisons with one value. A null column satisfies none of them.
        impl Column {
            $($(#[$doc])*
            pub fn $name(self, value: impl Into<Value>) -> Filter {
                self.compare(Operator::$operator, vec![value.into()])
            })+
        }
    };
}

comparisons! {
    /// The column has this value. A lookup compares by id.
    equals => Equal;
    /// The column has another value.
    not_equals => NotEqual;
    /// The column is greater.
    greater_than => GreaterThan;
    /// The column is greater or equal.
    at_least => GreaterEqual;
    /// The column is less.
    less_than => LessThan;
    /// The column is less or equal.
    at_most => LessEqual;
    /// The text has this text anywhere in it.
    contains => Contains;
    /// The text begins with this text.
    begins_with => BeginsWith;
    /// The text ends with this text.
    ends_with => EndsWith;
}

impl Column {
    /// The column has no value.
    pub fn is_null(self) -> Filter {
        self.compare(Operator::IsNull, Vec::new())
    }

    /// The column has a value.
    pub fn is_not_null(self) -> Filter {
        self.compare(Operator::IsNotNull, Vec::new())
    }

    /// The column has one of these values.
    pub fn is_in<V: Into<Value>>(self, values: impl IntoIterator<Item = V>) -> Filter {
        self.compare(Operator::In, values.into_iter().map(Into::into).collect())
    }

    /// The column has none of these values.
    pub fn is_not_in<V: Into<Value>>(self, values: impl IntoIterator<Item = V>) -> Filter {
        self.compare(Operator::NotIn, values.into_iter().map(Into::into).collect())
    }

    /// The column is the user who runs the plug-in.
    pub fn is_current_user(self) -> Filter {
        self.compare(Operator::EqualUserId, Vec::new())
    }

    /// The column is another user.
    pub fn is_not_current_user(self) -> Filter {
        self.compare(Operator::NotEqualUserId, Vec::new())
    }
}

/// One sort key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The column to sort by.
    pub column: String,
    /// Greatest first.
    pub descending: bool,
}

/// A query over one table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    /// The logical name of the table.
    pub table: String,
    /// The columns to return.
    pub columns: ColumnSet,
    /// Which rows; `None` means all.
    pub filter: Option<Filter>,
    /// The sort keys, the most important first.
    pub orders: Vec<Order>,
    /// At most this many rows in all.
    pub top: Option<u32>,
    /// At most this many rows per page.
    pub page_size: Option<u32>,
    /// Where the page starts: the cookie of the page before.
    pub paging_cookie: Option<String>,
    /// Whether to count all rows that match.
    pub total_count: bool,
}

impl Query {
    /// Starts a query for all columns of all rows of a table.
    pub fn new(table: impl Into<String>) -> Self {
        Self { table: table.into(), ..Self::default() }
    }

    /// Returns only these columns.
    #[must_use]
    pub fn columns(mut self, columns: impl Into<ColumnSet>) -> Self {
        self.columns = columns.into();
        self
    }

    /// Adds a filter; several must all hold.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(match self.filter.take() {
            Some(earlier) => earlier & filter,
            None => filter,
        });
        self
    }

    /// Adds a sort key, smallest first.
    #[must_use]
    pub fn order_by(mut self, column: &str) -> Self {
        self.orders.push(Order { column: column.to_owned(), descending: false });
        self
    }

    /// Adds a sort key, greatest first.
    #[must_use]
    pub fn order_by_descending(mut self, column: &str) -> Self {
        self.orders.push(Order { column: column.to_owned(), descending: true });
        self
    }

    /// Returns at most this many rows in all.
    #[must_use]
    pub fn top(mut self, rows: u32) -> Self {
        self.top = Some(rows);
        self
    }

    /// Returns at most this many rows per page.
    #[must_use]
    pub fn page_size(mut self, rows: u32) -> Self {
        self.page_size = Some(rows);
        self
    }

    /// Starts after the page that returned this cookie.
    #[must_use]
    pub fn page_after(mut self, cookie: impl Into<String>) -> Self {
        self.paging_cookie = Some(cookie.into());
        self
    }

    /// Also counts all rows that match.
    #[must_use]
    pub fn with_total_count(mut self) -> Self {
        self.total_count = true;
        self
    }
}
