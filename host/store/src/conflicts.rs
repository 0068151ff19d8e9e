//! The conflict log: for every column that two sides changed, all three values and who won. The
//! losing value is never lost.

use crate::cells::{limit, optional, to_json};
use crate::{StoreError, Tx};
use offstage_model::value::Timestamp;
use offstage_model::{Uuid, Value};
use offstage_query::SqlValue;
use serde::{Deserialize, Serialize};

pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS os_conflict (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    tbl TEXT NOT NULL,
    row BLOB NOT NULL,
    device BLOB,
    document TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS os_conflict_row ON os_conflict (tbl, row);";

/// Who won.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Winner {
    /// The value that the server had.
    Server,
    /// The value that the device brought.
    Client,
}

/// One column that two sides changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConflictRow {
    /// The id of the log row.
    pub id: Uuid,
    /// When it was decided.
    pub time: Timestamp,
    /// The device.
    pub device: Uuid,
    /// The epoch of its entry; 0 in a log of before epochs were kept here.
    #[serde(default)]
    pub epoch: u64,
    /// The sequence of its entry in that epoch.
    pub sequence: u64,
    /// The table.
    pub table: String,
    /// The row.
    pub row: Uuid,
    /// The column; `None` when it is about the whole row.
    pub column: Option<String>,
    /// Who won.
    pub winner: Winner,
    /// The value that both sides started from.
    pub base: Value,
    /// The server's value.
    pub server: Value,
    /// The device's value.
    pub client: Value,
    /// The policy or resolver that decided.
    pub decided_by: String,
}

impl Tx {
    /// Adds to the conflict log.
    ///
    /// # Errors
    /// The database fails.
    pub fn put_conflict(&mut self, conflict: &ConflictRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO os_conflict (id, tbl, row, device, document)
                   VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO NOTHING";
        let device = Some(conflict.device).filter(|d| !d.is_nil());
        let params = [
            SqlValue::Guid(conflict.id),
            SqlValue::text(&conflict.table),
            SqlValue::Guid(conflict.row),
            optional(device, SqlValue::Guid),
            to_json("conflict", conflict)?,
        ];
        self.sql_execute(sql, &params)?;
        Ok(())
    }

    /// The conflict log, the newest first.
    ///
    /// # Errors
    /// The database fails.
    pub fn conflicts(&mut self, rows_max: usize) -> Result<Vec<ConflictRow>, StoreError> {
        let sql = "SELECT document FROM os_conflict ORDER BY number DESC LIMIT ?1";
        self.sql_rows("conflict", sql, &[limit(rows_max)], |cells| cells.json())
    }

    /// The conflict log of one row, the newest first.
    ///
    /// # Errors
    /// The database fails.
    pub fn conflicts_of(
        &mut self,
        table: &str,
        row: Uuid,
        rows_max: usize,
    ) -> Result<Vec<ConflictRow>, StoreError> {
        let sql = "SELECT document FROM os_conflict WHERE tbl = ?1 AND row = ?2
                   ORDER BY number DESC LIMIT ?3";
        let params = [SqlValue::text(table), SqlValue::Guid(row), limit(rows_max)];
        self.sql_rows("conflict", sql, &params, |cells| cells.json())
    }
}
