//! The door to a database: what every other module is written on. Never holds SQL of its own.

pub(crate) mod sqlite;

use crate::StoreError;
use crate::fence::Fence;
use offstage_query::SqlValue;

/// Takes one row; the cells may be moved out.
pub(crate) type RowSink<'a> = &'a mut dyn FnMut(&mut [SqlValue]) -> Result<(), StoreError>;

/// One connection.
pub(crate) trait Session: Send {
    /// Runs one statement and returns how many rows it changed.
    fn execute(&mut self, sql: &str, params: &[SqlValue]) -> Result<usize, StoreError>;
    /// Runs one query and hands every row to `sink`.
    fn query(
        &mut self,
        sql: &str,
        params: &[SqlValue],
        sink: RowSink<'_>,
    ) -> Result<(), StoreError>;
    /// Runs one query that reads what `fence` allows and nothing else; it changes nothing.
    fn query_within(
        &mut self,
        fence: Fence,
        sql: &str,
        params: &[SqlValue],
        sink: RowSink<'_>,
    ) -> Result<(), StoreError>;
    /// Runs statements without parameters, for definitions and transaction control.
    fn batch(&mut self, sql: &str) -> Result<(), StoreError>;
    /// Whether a transaction is open. The database may have ended it by itself after an error.
    fn in_transaction(&self) -> bool;
    /// Whether the error says that a unique index refused a row.
    fn is_unique_violation(error: &StoreError) -> bool
    where
        Self: Sized;
}
