//! The plug-in trace log. Rows are written after a rollback in a transaction of their own, so these
//! are plain functions; what is kept is bounded by [`Tx::prune_traces`].

use crate::cells::{Cells, limit, optional};
use crate::{StoreError, Tx};
use offstage_model::Uuid;
use offstage_model::value::Timestamp;
use offstage_query::SqlValue;

pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS os_trace (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    time INTEGER NOT NULL,
    typename TEXT NOT NULL,
    message TEXT NOT NULL,
    tbl TEXT NOT NULL,
    row BLOB,
    stage INTEGER NOT NULL,
    mode INTEGER NOT NULL,
    depth INTEGER NOT NULL,
    correlation BLOB NOT NULL,
    request BLOB NOT NULL,
    operation BLOB NOT NULL,
    step TEXT NOT NULL,
    trace TEXT NOT NULL,
    exception TEXT,
    duration_us INTEGER NOT NULL,
    fuel INTEGER NOT NULL,
    memory INTEGER NOT NULL,
    offline INTEGER NOT NULL,
    playback INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS os_trace_correlation ON os_trace (correlation);";

const COLUMNS: &str = "id, time, typename, message, tbl, row, stage, mode, depth, correlation, \
                       request, operation, step, trace, exception, duration_us, fuel, memory, \
                       offline, playback";

/// One run of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceRow {
    /// The id of the trace row.
    pub id: Uuid,
    /// When the run started.
    pub time: Timestamp,
    /// The plug-in type.
    pub typename: String,
    /// The message.
    pub message: String,
    /// The table; empty when there is none.
    pub table: String,
    /// The row.
    pub row: Option<Uuid>,
    /// 10, 20, 30 or 40.
    pub stage: u32,
    /// 0 synchronous, 1 asynchronous.
    pub mode: u32,
    /// The depth of the operation.
    pub depth: u32,
    /// The chain of operations.
    pub correlation: Uuid,
    /// The request.
    pub request: Uuid,
    /// The root operation.
    pub operation: Uuid,
    /// The step's stable key.
    pub step: String,
    /// What the plug-in wrote.
    pub trace: String,
    /// Why the run failed.
    pub exception: Option<String>,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// Fuel used.
    pub fuel: u64,
    /// The peak of memory used, in bytes.
    pub memory: u64,
    /// The run was on a device that was offline.
    pub offline: bool,
    /// The run was part of playback.
    pub playback: bool,
}

/// Which trace rows to list.
#[derive(Clone, Debug, Default)]
pub struct TraceFilter {
    /// Of this message.
    pub message: Option<String>,
    /// Of this table.
    pub table: Option<String>,
    /// Of this plug-in type.
    pub typename: Option<String>,
    /// Of this step.
    pub step: Option<String>,
    /// Of this chain of operations.
    pub correlation: Option<Uuid>,
    /// Of this root operation.
    pub operation: Option<Uuid>,
    /// Failed runs only.
    pub failed: bool,
    /// Not before this time.
    pub since: Option<Timestamp>,
}

impl Tx {
    /// Adds a trace row.
    ///
    /// # Errors
    /// The database fails.
    pub fn put_trace(&mut self, row: &TraceRow) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT INTO os_trace ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
               ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20) ON CONFLICT (id) DO NOTHING"
        );
        let params = [
            SqlValue::Guid(row.id),
            SqlValue::Integer(row.time.0),
            SqlValue::text(&row.typename),
            SqlValue::text(&row.message),
            SqlValue::text(&row.table),
            optional(row.row, SqlValue::Guid),
            SqlValue::Integer(i64::from(row.stage)),
            SqlValue::Integer(i64::from(row.mode)),
            SqlValue::Integer(i64::from(row.depth)),
            SqlValue::Guid(row.correlation),
            SqlValue::Guid(row.request),
            SqlValue::Guid(row.operation),
            SqlValue::text(&row.step),
            SqlValue::text(&row.trace),
            optional(row.exception.as_deref(), SqlValue::text),
            SqlValue::unsigned(row.duration_us),
            SqlValue::unsigned(row.fuel),
            SqlValue::unsigned(row.memory),
            SqlValue::Boolean(row.offline),
            SqlValue::Boolean(row.playback),
        ];
        self.sql_execute(&sql, &params)?;
        Ok(())
    }

    /// Trace rows, the newest first.
    ///
    /// # Errors
    /// The database fails.
    pub fn traces(
        &mut self,
        filter: &TraceFilter,
        rows_max: usize,
    ) -> Result<Vec<TraceRow>, StoreError> {
        let text = |v: &Option<String>| v.as_deref().map(SqlValue::text);
        let wanted = [
            ("message =", text(&filter.message)),
            ("tbl =", text(&filter.table)),
            ("typename =", text(&filter.typename)),
            ("step =", text(&filter.step)),
            ("correlation =", filter.correlation.map(SqlValue::Guid)),
            ("operation =", filter.operation.map(SqlValue::Guid)),
            ("time >=", filter.since.map(|t| SqlValue::Integer(t.0))),
        ];
        let mut params = vec![limit(rows_max)];
        let mut sql = format!("SELECT {COLUMNS} FROM os_trace WHERE 1=1");
        for (comparison, value) in wanted {
            if let Some(value) = value {
                params.push(value);
                sql.push_str(&format!(" AND {comparison} ?{}", params.len()));
            }
        }
        if filter.failed {
            sql.push_str(" AND exception IS NOT NULL");
        }
        sql.push_str(" ORDER BY number DESC LIMIT ?1");
        self.sql_rows("trace row", &sql, &params, read_trace)
    }

    /// A trace row.
    ///
    /// # Errors
    /// The database fails.
    pub fn trace(&mut self, id: Uuid) -> Result<Option<TraceRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM os_trace WHERE id = ?1");
        self.sql_row("trace row", &sql, &[SqlValue::Guid(id)], read_trace)
    }

    /// Keeps the newest `keep` trace rows; returns how many went.
    ///
    /// # Errors
    /// The database fails.
    pub fn prune_traces(&mut self, keep: usize) -> Result<usize, StoreError> {
        let sql = "DELETE FROM os_trace
                   WHERE number <= (SELECT COALESCE(MAX(number), 0) FROM os_trace) - ?1";
        self.sql_execute(sql, &[limit(keep)])
    }
}

fn read_trace(cells: &mut Cells<'_>) -> Result<TraceRow, StoreError> {
    Ok(TraceRow {
        id: cells.guid()?,
        time: cells.time()?,
        typename: cells.text()?,
        message: cells.text()?,
        table: cells.text()?,
        row: cells.opt_guid()?,
        stage: cells.small()?,
        mode: cells.small()?,
        depth: cells.small()?,
        correlation: cells.guid()?,
        request: cells.guid()?,
        operation: cells.guid()?,
        step: cells.text()?,
        trace: cells.text()?,
        exception: cells.opt_text()?,
        duration_us: cells.unsigned()?,
        fuel: cells.unsigned()?,
        memory: cells.unsigned()?,
        offline: cells.boolean()?,
        playback: cells.boolean()?,
    })
}
