//! Writes and removals of files that plug-ins asked for, until the disk has them: in the transaction
//! of the operation, so that they are gone when it is rolled back. Never touches a disk.

use crate::{StoreError, Tx};
use offstage_query::SqlValue;

pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS os_file_effect (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    package TEXT NOT NULL,
    directory TEXT NOT NULL,
    path TEXT NOT NULL,
    contents BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS os_file_effect_path ON os_file_effect (directory, path);";

/// A change of a file that is still to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEffect {
    /// Its place in the order.
    pub number: u64,
    /// The package that asked for it.
    pub package: String,
    /// The granted directory's name.
    pub directory: String,
    /// The path below it.
    pub path: String,
    /// The whole content; `None` removes the file.
    pub contents: Option<Vec<u8>>,
}

impl Tx {
    /// Adds a change of a file after those that are there, in place of an earlier one of the same
    /// file: only the last content counts.
    ///
    /// # Errors
    /// The database fails.
    pub fn put_file_effect(
        &mut self,
        package: &str,
        directory: &str,
        path: &str,
        contents: Option<Vec<u8>>,
    ) -> Result<(), StoreError> {
        let sql = "DELETE FROM os_file_effect WHERE directory = ?1 AND path = ?2";
        self.sql_execute(sql, &[SqlValue::text(directory), SqlValue::text(path)])?;
        let sql = "INSERT INTO os_file_effect (package, directory, path, contents)
                   VALUES (?1, ?2, ?3, ?4)";
        let params = [
            SqlValue::text(package),
            SqlValue::text(directory),
            SqlValue::text(path),
            contents.map_or(SqlValue::Null, SqlValue::Blob),
        ];
        self.sql_execute(sql, &params)?;
        Ok(())
    }

    /// The last change of a file that is still to be made: its content, or its removal.
    ///
    /// # Errors
    /// The database fails.
    pub fn file_effect(
        &mut self,
        directory: &str,
        path: &str,
    ) -> Result<Option<Option<Vec<u8>>>, StoreError> {
        let sql = "SELECT contents FROM os_file_effect WHERE directory = ?1 AND path = ?2
                   ORDER BY number DESC LIMIT 1";
        let params = [SqlValue::text(directory), SqlValue::text(path)];
        self.sql_row("file effect", sql, &params, |cells| cells.opt_bytes())
    }

    /// Paths of a directory with changes that are still to be made, each with the size that it will
    /// have; `None`: it will be gone.
    ///
    /// # Errors
    /// The database fails.
    pub fn file_effect_sizes(
        &mut self,
        directory: &str,
    ) -> Result<Vec<(String, Option<u64>)>, StoreError> {
        let sql = "SELECT path, LENGTH(contents) FROM os_file_effect AS e WHERE directory = ?1
                   AND number = (SELECT MAX(number) FROM os_file_effect
                     WHERE directory = e.directory AND path = e.path) ORDER BY path";
        self.sql_rows("file effect", sql, &[SqlValue::text(directory)], |cells| {
            Ok((cells.text()?, cells.opt_unsigned()?))
        })
    }

    /// The next changes after the one of the number `after`, in order.
    ///
    /// # Errors
    /// The database fails.
    pub fn file_effects(
        &mut self,
        after: u64,
        rows_max: usize,
    ) -> Result<Vec<FileEffect>, StoreError> {
        let sql = "SELECT number, package, directory, path, contents FROM os_file_effect
                   WHERE number > ?1 ORDER BY number LIMIT ?2";
        let after = SqlValue::Integer(i64::try_from(after).unwrap_or(i64::MAX));
        self.sql_rows("file effect", sql, &[after, crate::cells::limit(rows_max)], |cells| {
            Ok(FileEffect {
                number: cells.unsigned()?,
                package: cells.text()?,
                directory: cells.text()?,
                path: cells.text()?,
                contents: cells.opt_bytes()?,
            })
        })
    }

    /// Says that the disk has a change.
    ///
    /// # Errors
    /// The database fails.
    pub fn remove_file_effect(&mut self, number: u64) -> Result<(), StoreError> {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let sql = "DELETE FROM os_file_effect WHERE number = ?1";
        self.sql_execute(sql, &[SqlValue::Integer(number)])?;
        Ok(())
    }
}
