//! The counters of auto-number columns. A number is taken in the transaction of the row that gets
//! it, so none is lost or given twice.

use crate::{StoreError, Tx};
use offstage_query::SqlValue;

pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS os_autonumber (
    tbl TEXT NOT NULL,
    col TEXT NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (tbl, col)
) STRICT, WITHOUT ROWID;";

impl Tx {
    /// Takes the next number of a column; the first one is 1.
    ///
    /// # Errors
    /// The database fails.
    pub fn next_autonumber(&mut self, table: &str, column: &str) -> Result<u64, StoreError> {
        let sql = "INSERT INTO os_autonumber (tbl, col, last) VALUES (?1, ?2, 1)
                   ON CONFLICT (tbl, col) DO UPDATE SET last = last + 1 RETURNING last";
        let params = [SqlValue::text(table), SqlValue::text(column)];
        let number = self.sql_row("auto-number", sql, &params, |cells| cells.unsigned())?;
        number.ok_or(StoreError::UnreadableSystemRow { what: "auto-number" })
    }
}
