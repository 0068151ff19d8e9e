//! Captured runs of plug-ins: frozen documents with what is needed to find them.
//!
//! Rows are written after a rollback in a transaction of their own, so these are plain functions;
//! what is kept is bounded by [`Tx::prune_captures`]. Never looks into a document.

use crate::cells::{Cells, limit, optional};
use crate::{StoreError, Tx};
use offstage_model::Uuid;
use offstage_model::value::Timestamp;
use offstage_query::SqlValue;

pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS os_capture (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    time INTEGER NOT NULL,
    step TEXT NOT NULL,
    place TEXT NOT NULL,
    operation BLOB NOT NULL,
    package TEXT NOT NULL,
    failed INTEGER NOT NULL,
    imported INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    document BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS os_capture_operation ON os_capture (operation);";

const COLUMNS: &str = "id, time, step, place, operation, package, failed, imported, bytes";

/// What is known of a captured run without its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureRow {
    /// The capture's id.
    pub id: Uuid,
    /// When the run started.
    pub time: Timestamp,
    /// The step's stable key.
    pub step: String,
    /// Where the run was: `online`, `offline` or `playback`.
    pub place: String,
    /// The root operation.
    pub operation: Uuid,
    /// The package.
    pub package: String,
    /// The run failed.
    pub failed: bool,
    /// It came from a file.
    pub imported: bool,
    /// The size of the document.
    pub bytes: u64,
}

/// Which captures to list.
#[derive(Clone, Debug, Default)]
pub struct CaptureFilter {
    /// Of this step.
    pub step: Option<String>,
    /// Of this root operation.
    pub operation: Option<Uuid>,
    /// Failed runs only.
    pub failed: bool,
}

impl Tx {
    /// Adds a capture; one with the same id is kept as it is, and `false` is returned.
    ///
    /// # Errors
    /// The database fails.
    pub fn put_capture(&mut self, row: &CaptureRow, document: &[u8]) -> Result<bool, StoreError> {
        let sql = format!(
            "INSERT INTO os_capture ({COLUMNS}, document)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (id) DO NOTHING"
        );
        let params = [
            SqlValue::Guid(row.id),
            SqlValue::Integer(row.time.0),
            SqlValue::text(&row.step),
            SqlValue::text(&row.place),
            SqlValue::Guid(row.operation),
            SqlValue::text(&row.package),
            SqlValue::Boolean(row.failed),
            SqlValue::Boolean(row.imported),
            SqlValue::unsigned(document.len() as u64),
            SqlValue::Blob(document.to_vec()),
        ];
        Ok(self.sql_execute(&sql, &params)? > 0)
    }

    /// Captures without their documents, the newest first.
    ///
    /// # Errors
    /// The database fails.
    pub fn captures(
        &mut self,
        filter: &CaptureFilter,
        rows_max: usize,
    ) -> Result<Vec<CaptureRow>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM os_capture
             WHERE (?2 IS NULL OR step = ?2) AND (?3 IS NULL OR operation = ?3)
               AND (?4 = 0 OR failed = 1)
             ORDER BY number DESC LIMIT ?1"
        );
        let params = [
            limit(rows_max),
            optional(filter.step.as_deref(), SqlValue::text),
            optional(filter.operation, SqlValue::Guid),
            SqlValue::Boolean(filter.failed),
        ];
        self.sql_rows("capture", &sql, &params, read_capture)
    }

    /// The document of a capture.
    ///
    /// # Errors
    /// The database fails.
    pub fn capture_document(&mut self, id: Uuid) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT document FROM os_capture WHERE id = ?1";
        self.sql_row("capture", sql, &[SqlValue::Guid(id)], |cells| cells.bytes())
    }

    /// The documents of all captures of a root operation, the oldest first.
    ///
    /// # Errors
    /// The database fails.
    pub fn capture_documents(&mut self, operation: Uuid) -> Result<Vec<Vec<u8>>, StoreError> {
        let sql = "SELECT document FROM os_capture WHERE operation = ?1 ORDER BY number";
        self.sql_rows("capture", sql, &[SqlValue::Guid(operation)], |cells| cells.bytes())
    }

    /// Keeps the newest captures: at most `count_max` of them, with at most `bytes_max` bytes of
    /// documents together. Returns how many went.
    ///
    /// # Errors
    /// The database fails.
    pub fn prune_captures(
        &mut self,
        count_max: usize,
        bytes_max: u64,
    ) -> Result<usize, StoreError> {
        let sql = "DELETE FROM os_capture WHERE number IN (
                     SELECT number FROM (
                       SELECT number,
                              ROW_NUMBER() OVER (ORDER BY number DESC) AS place,
                              SUM(bytes) OVER (ORDER BY number DESC) AS total
                       FROM os_capture)
                     WHERE place > ?1 OR total > ?2)";
        self.sql_execute(sql, &[limit(count_max), SqlValue::unsigned(bytes_max)])
    }
}

fn read_capture(cells: &mut Cells<'_>) -> Result<CaptureRow, StoreError> {
    Ok(CaptureRow {
        id: cells.guid()?,
        time: cells.time()?,
        step: cells.text()?,
        place: cells.text()?,
        operation: cells.guid()?,
        package: cells.text()?,
        failed: cells.boolean()?,
        imported: cells.boolean()?,
        bytes: cells.unsigned()?,
    })
}
