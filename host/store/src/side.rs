//! A SQLite file beside the store, with one connection and tables of its own: the sync cache of the
//! Outlook engine and the embedded mailbox.
//!
//! One program at a time, by a lock. Everything happens in a transaction that is written whole or
//! not at all. Never holds rows of catalog tables.

use crate::backend::sqlite::{Purpose, Sqlite};
use crate::backend::{RowSink, Session};
use crate::cells::Cells;
use crate::{StoreError, location};
use offstage_query::SqlValue;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a side file is.
pub(crate) struct SideKind {
    /// `PRAGMA application_id`.
    pub(crate) application_id: i64,
    /// `PRAGMA user_version`; a newer file is refused.
    pub(crate) format: i64,
    /// The definitions; each is safe to run again.
    pub(crate) tables: &'static str,
}

/// An open side file.
pub(crate) struct SideFile {
    session: Sqlite,
    /// Released after the connection is closed: fields drop in order.
    _lock: File,
}

impl std::fmt::Debug for SideFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SideFile").finish_non_exhaustive()
    }
}

impl SideFile {
    /// Opens the file, and makes it if it is missing; its folder must exist.
    pub(crate) fn open(path: &Path, kind: &SideKind) -> Result<Self, StoreError> {
        let lock = location::claim(path)?;
        let path = Arc::new(path.to_path_buf());
        let mut session = Sqlite::open(&path, Purpose::Side)?;
        check_format(&path, &mut session, kind)?;
        let mut file = Self { session, _lock: lock };
        file.transaction(|tx| {
            tx.batch(kind.tables)?;
            tx.batch(&format!(
                "PRAGMA application_id = {}; PRAGMA user_version = {}",
                kind.application_id, kind.format
            ))
        })?;
        Ok(file)
    }

    /// Runs `work` in a transaction: all of it is kept, or with an error nothing.
    pub(crate) fn transaction<T>(
        &mut self,
        work: impl FnOnce(&mut SideTx<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.session.batch("BEGIN IMMEDIATE")?;
        let result = work(&mut SideTx { session: &mut self.session });
        let result = result.and_then(|value| self.session.batch("COMMIT").map(|()| value));
        if result.is_err() && self.session.in_transaction() {
            self.session.batch("ROLLBACK")?;
        }
        result
    }

    /// As [`SideFile::transaction`], without waiting for the disk. The end of the process takes
    /// nothing back; a loss of power may take back the last ones, the latest first, as far as the
    /// last transaction that waited.
    pub(crate) fn unflushed_transaction<T>(
        &mut self,
        work: impl FnOnce(&mut SideTx<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.session.batch("PRAGMA synchronous = NORMAL")?;
        let result = self.transaction(work);
        self.session.batch("PRAGMA synchronous = FULL")?;
        result
    }
}

fn check_format(
    path: &Arc<PathBuf>,
    session: &mut Sqlite,
    kind: &SideKind,
) -> Result<(), StoreError> {
    let (id, found) = (session.pragma("application_id")?, session.pragma("user_version")?);
    if id == 0 && found == 0 && session.table_count()? == 0 {
        return Ok(());
    }
    if id != kind.application_id {
        return Err(StoreError::NotAStore { path: path.to_path_buf() });
    }
    if found > kind.format {
        let (path, supported) = (path.to_path_buf(), kind.format);
        return Err(StoreError::NewerFormat { path, found, supported });
    }
    Ok(())
}

/// A transaction of a side file.
pub(crate) struct SideTx<'a> {
    session: &'a mut Sqlite,
}

impl SideTx<'_> {
    /// Runs statements without parameters.
    pub(crate) fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        self.session.batch(sql)
    }

    /// Runs a statement; returns how many rows it changed.
    pub(crate) fn execute(&mut self, sql: &str, params: &[SqlValue]) -> Result<usize, StoreError> {
        self.session.execute(sql, params)
    }

    /// Runs a query and collects what `read` makes of its rows; `what` names them in errors.
    pub(crate) fn rows<T>(
        &mut self,
        what: &'static str,
        sql: &str,
        params: &[SqlValue],
        mut read: impl FnMut(&mut Cells<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        let sink: RowSink<'_> = &mut |cells| {
            found.push(read(&mut Cells::new(what, cells))?);
            Ok(())
        };
        self.session.query(sql, params, sink)?;
        Ok(found)
    }

    /// The first row of a query.
    pub(crate) fn row<T>(
        &mut self,
        what: &'static str,
        sql: &str,
        params: &[SqlValue],
        read: impl FnMut(&mut Cells<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.rows(what, sql, params, read)?.into_iter().next())
    }

    /// The id that the last insert gave.
    pub(crate) fn last_id(&mut self) -> Result<i64, StoreError> {
        let id = self.row("id", "SELECT last_insert_rowid()", &[], |cells| cells.integer())?;
        Ok(id.unwrap_or_default())
    }
}
