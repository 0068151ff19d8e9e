//! SQLite: connections, hardening, durability and error mapping. The only file that knows rusqlite.
//!
//! WAL with synchronous=FULL: the only fast pair of settings that lost no acknowledged commit under
//! simulated power cuts (`quality.md`). A connection is never used again after an I/O error.

use super::{RowSink, Session};
use crate::StoreError;
use crate::fence::Fence;
use offstage_query::{SqlValue, text};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, ToSql, ffi};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// `PRAGMA application_id`: "OFFS".
pub(crate) const APPLICATION_ID: i64 = 0x4F46_4653;
/// SQLite 3.51.3 mends a bug by which a WAL reset damages the file.
const LIBRARY_VERSION_MIN: i32 = 3_051_003;
const STATEMENT_CACHE: usize = 256;
/// The longest value, in bytes: a 1 MiB text of four-byte characters, and room for journal entries.
const LENGTH_MAX: i32 = 64 * 1024 * 1024;
const SQL_LENGTH_MAX: i32 = 1024 * 1024;
/// How long SQLite itself waits for a lock; only a checkpoint ever holds one.
const BUSY_TIMEOUT_MS: u64 = 5_000;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Write,
    Read,
    /// Of a side file, which chooses per transaction whether the disk is waited for.
    Side,
}

/// One SQLite connection.
pub(crate) struct Sqlite {
    connection: Connection,
    path: Arc<PathBuf>,
    fence: FenceSlot,
}

/// The fence around the query that runs, where the authorizer sees it.
type FenceSlot = Arc<Mutex<Option<Fence>>>;

/// A fence that stands until this is dropped.
struct Raised(FenceSlot);

impl Raised {
    fn new(slot: &FenceSlot, fence: Fence) -> Self {
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(fence);
        Self(Arc::clone(slot))
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Sqlite {
    /// Opens a connection to an existing file.
    pub(crate) fn open(path: &Arc<PathBuf>, purpose: Purpose) -> Result<Self, StoreError> {
        check_library()?;
        // No SQLITE_OPEN_URI: a file name is a file name. No CREATE: the caller makes the file.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path.as_path(), flags)
            .map_err(|error| map_error(path, error))?;
        let fence = FenceSlot::default();
        configure(&mut connection, purpose, &fence).map_err(|error| map_error(path, error))?;
        Ok(Self { connection, path: Arc::clone(path), fence })
    }

    /// The integer that a pragma of this file's own text returns.
    pub(crate) fn pragma(&self, name: &str) -> Result<i64, StoreError> {
        self.connection
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(|error| map_error(&self.path, error))
    }

    /// How many tables the file has.
    pub(crate) fn table_count(&mut self) -> Result<i64, StoreError> {
        let mut count = 0;
        self.query("SELECT COUNT(*) FROM sqlite_schema", &[], &mut |row| {
            count = row[0].as_i64().unwrap_or(0);
            Ok(())
        })?;
        Ok(count)
    }

    /// Runs a check of the whole file; `thorough` also compares indexes with rows.
    pub(crate) fn check(&mut self, thorough: bool) -> Result<(), StoreError> {
        let sql = if thorough { "PRAGMA integrity_check(5)" } else { "PRAGMA quick_check(1)" };
        let mut findings = Vec::new();
        self.query(sql, &[], &mut |row| {
            findings.extend(row[0].as_text().filter(|t| *t != "ok").map(str::to_owned));
            Ok(())
        })?;
        if findings.is_empty() {
            return Ok(());
        }
        let detail = findings.join("; ");
        Err(StoreError::Corrupt { path: self.path.to_path_buf(), detail })
    }

    /// Copies one state of the whole file into the new file `target`; writers go on meanwhile.
    pub(crate) fn copy_to(&self, target: &Path) -> Result<(), StoreError> {
        let failed = |error| map_error(target, error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut copy = Connection::open_with_flags(target, flags).map_err(failed)?;
        copy.execute_batch("PRAGMA synchronous = FULL; PRAGMA fullfsync = 1").map_err(failed)?;
        let backup = Backup::new(&self.connection, &mut copy).map_err(failed)?;
        // All pages in one step, which is one transaction: in several, a writer would make SQLite
        // begin anew again and again.
        match backup.step(-1).map_err(failed)? {
            StepResult::Done => Ok(()),
            _ => Err(StoreError::Busy { waited_ms: BUSY_TIMEOUT_MS }),
        }
    }

    /// Makes the disk full for this connection after some more pages.
    #[cfg(test)]
    pub(crate) fn fill_disk(&mut self) -> rusqlite::Result<()> {
        self.connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?;
        let pages: i64 = self.connection.pragma_query_value(None, "page_count", |r| r.get(0))?;
        self.connection.pragma_update_and_check(None, "max_page_count", pages + 4, |_| Ok(()))
    }

    fn failed(&self, error: rusqlite::Error) -> StoreError {
        map_error(&self.path, error)
    }
}

impl Session for Sqlite {
    fn execute(&mut self, sql: &str, params: &[SqlValue]) -> Result<usize, StoreError> {
        let run = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            bind(&mut statement, params)?;
            statement.raw_execute()
        };
        run().map_err(|error| self.failed(error))
    }

    fn query(
        &mut self,
        sql: &str,
        params: &[SqlValue],
        sink: RowSink<'_>,
    ) -> Result<(), StoreError> {
        let failed = |error| map_error(&self.path, error);
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        bind(&mut statement, params).map_err(failed)?;
        let mut cells = vec![SqlValue::Null; statement.column_count()];
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(failed)? {
            for (i, cell) in cells.iter_mut().enumerate() {
                *cell = read_cell(row.get_ref(i).map_err(failed)?).map_err(failed)?;
            }
            sink(&mut cells)?;
        }
        Ok(())
    }

    fn query_within(
        &mut self,
        fence: Fence,
        sql: &str,
        params: &[SqlValue],
        sink: RowSink<'_>,
    ) -> Result<(), StoreError> {
        let _raised = Raised::new(&self.fence, fence);
        // Its own text in the cache of statements: one that was compiled without a fence is not used.
        self.query(&format!("/*within*/{sql}"), params, sink)
    }

    fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        self.connection.execute_batch(sql).map_err(|error| self.failed(error))
    }

    fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    fn is_unique_violation(error: &StoreError) -> bool {
        matches!(
            error,
            StoreError::Database {
                code: ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_UNIQUE,
                ..
            }
        )
    }
}

fn check_library() -> Result<(), StoreError> {
    let found = rusqlite::version_number();
    if found < LIBRARY_VERSION_MIN {
        return Err(StoreError::OldDatabaseLibrary { found, wanted: LIBRARY_VERSION_MIN });
    }
    Ok(())
}

fn configure(
    connection: &mut Connection,
    purpose: Purpose,
    fence: &FenceSlot,
) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_TIMEOUT_MS))?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    // Plans that do not depend on values: otherwise SQLite compiles many statements anew each time
    // their parameters change, and the statement cache is for nothing.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LENGTH_MAX)?;
    connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, SQL_LENGTH_MAX)?;
    connection.set_limit(Limit::SQLITE_LIMIT_WORKER_THREADS, 0)?;
    register_text(connection)?;
    // The page size of a new file only; must come before WAL.
    connection.execute_batch(
        "PRAGMA page_size = 4096;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA fullfsync = 1;
         PRAGMA checkpoint_fullfsync = 1;
         PRAGMA mmap_size = 0;
         PRAGMA temp_store = MEMORY;
         PRAGMA cell_size_check = ON;
         PRAGMA foreign_keys = OFF;
         PRAGMA journal_size_limit = 67108864;",
    )?;
    connection.execute_batch(match purpose {
        Purpose::Write | Purpose::Side => "PRAGMA cache_size = -16384;",
        Purpose::Read => "PRAGMA cache_size = -4096; PRAGMA query_only = ON;",
    })?;
    let fence = Arc::clone(fence);
    connection.authorizer(Some(move |context: AuthContext<'_>| {
        match &*fence.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(fence) => authorize_within(fence, &context.action),
            None if purpose == Purpose::Side && chooses_flushing(&context.action) => {
                Authorization::Allow
            }
            None => authorize(&context.action),
        }
    }))
}

/// Whether this is `PRAGMA synchronous`.
fn chooses_flushing(action: &AuthAction<'_>) -> bool {
    matches!(action, AuthAction::Pragma { pragma_name: "synchronous", .. })
}

/// What a fenced query may do: read its tables, and compute.
fn authorize_within(fence: &Fence, action: &AuthAction<'_>) -> Authorization {
    match action {
        AuthAction::Select => Authorization::Allow,
        AuthAction::Read { table_name, .. } if fence.allows(table_name) => Authorization::Allow,
        AuthAction::Function { function_name } if *function_name != "load_extension" => {
            Authorization::Allow
        }
        _ => Authorization::Deny,
    }
}

/// All SQL is this program's own; this is the second fence, should a statement ever slip through.
fn authorize(action: &AuthAction<'_>) -> Authorization {
    match action {
        AuthAction::Attach { .. }
        | AuthAction::Detach { .. }
        | AuthAction::CreateVtable { .. }
        | AuthAction::DropVtable { .. }
        | AuthAction::CreateView { .. }
        | AuthAction::CreateTrigger { .. } => Authorization::Deny,
        AuthAction::Pragma { pragma_name, .. } => match *pragma_name {
            "application_id" | "user_version" | "quick_check" | "integrity_check"
            | "table_info" | "wal_checkpoint" => Authorization::Allow,
            _ => Authorization::Deny,
        },
        AuthAction::Function { function_name: "load_extension" } => Authorization::Deny,
        _ => Authorization::Allow,
    }
}

/// A test of a text, such as whether it contains another.
type TextTest = fn(&str, &str) -> bool;

fn register_text(connection: &Connection) -> rusqlite::Result<()> {
    connection.create_collation(text::COLLATION, text::compare)?;
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    let functions: [(&str, TextTest); 3] = [
        ("offstage_contains", text::contains),
        ("offstage_begins", text::begins_with),
        ("offstage_ends", text::ends_with),
    ];
    for (name, test) in functions {
        connection.create_scalar_function(name, 2, flags, move |context: &Context<'_>| {
            // NULL in, NULL out: a search never matches an empty column.
            Ok(match (context.get_raw(0), context.get_raw(1)) {
                (ValueRef::Text(_), ValueRef::Text(_)) => {
                    Some(test(context.get_raw(0).as_str()?, context.get_raw(1).as_str()?))
                }
                _ => None,
            })
        })?;
    }
    Ok(())
}

struct Bound<'a>(&'a SqlValue);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            SqlValue::Null => ToSqlOutput::Owned(Owned::Null),
            SqlValue::Integer(v) => ToSqlOutput::Owned(Owned::Integer(*v)),
            SqlValue::Boolean(v) => ToSqlOutput::Owned(Owned::Integer(i64::from(*v))),
            SqlValue::Real(v) => ToSqlOutput::Owned(Owned::Real(*v)),
            SqlValue::Text(v) => ToSqlOutput::Borrowed(ValueRef::Text(v.as_bytes())),
            SqlValue::Blob(v) => ToSqlOutput::Borrowed(ValueRef::Blob(v)),
            SqlValue::Guid(v) => ToSqlOutput::Borrowed(ValueRef::Blob(v.as_bytes())),
        })
    }
}

fn bind(statement: &mut Statement<'_>, params: &[SqlValue]) -> rusqlite::Result<()> {
    for (i, value) in params.iter().enumerate() {
        statement.raw_bind_parameter(i + 1, Bound(value))?;
    }
    Ok(())
}

fn read_cell(cell: ValueRef<'_>) -> rusqlite::Result<SqlValue> {
    Ok(match cell {
        ValueRef::Null => SqlValue::Null,
        ValueRef::Integer(v) => SqlValue::Integer(v),
        ValueRef::Real(v) => SqlValue::Real(v),
        ValueRef::Text(_) => SqlValue::Text(cell.as_str()?.to_owned()),
        ValueRef::Blob(v) => match <[u8; 16]>::try_from(v) {
            // Nearly every blob is an id; this spares an allocation per cell.
            Ok(bytes) => SqlValue::Guid(offstage_model::Uuid::from_bytes(bytes)),
            Err(_) => SqlValue::Blob(v.to_vec()),
        },
    })
}

fn map_error(path: &Path, error: rusqlite::Error) -> StoreError {
    let path_buf = || path.to_path_buf();
    let rusqlite::Error::SqliteFailure(failure, message) = &error else {
        return StoreError::Database { path: path_buf(), code: -1, message: error.to_string() };
    };
    let detail = || message.clone().unwrap_or_else(|| failure.to_string());
    match failure.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            StoreError::Busy { waited_ms: BUSY_TIMEOUT_MS }
        }
        ErrorCode::DiskFull => StoreError::DiskFull { path: path_buf() },
        ErrorCode::DatabaseCorrupt => StoreError::Corrupt { path: path_buf(), detail: detail() },
        ErrorCode::NotADatabase => StoreError::NotAStore { path: path_buf() },
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
            StoreError::NotWritable { path: path_buf() }
        }
        ErrorCode::TooBig => StoreError::TooLarge,
        _ => StoreError::Database {
            path: path_buf(),
            code: failure.extended_code,
            message: detail(),
        },
    }
}
