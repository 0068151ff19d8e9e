//! How often runs of a package were ended by the sandbox, in a row, and whether it is suspended.
//! Plain rows; never decides how many are too many.

use crate::cells::to_json;
use crate::{StoreError, Tx};
use offstage_model::value::Timestamp;
use offstage_query::SqlValue;
use serde::{Deserialize, Serialize};

pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS os_violation (
    package TEXT NOT NULL PRIMARY KEY,
    document TEXT NOT NULL
) STRICT, WITHOUT ROWID;";

/// Runs of one build of a package that the sandbox ended, since the last run that did not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViolationRow {
    /// The package id.
    pub package: String,
    /// The build that did it; another build starts anew.
    pub sha256: String,
    /// How many there were in a row.
    pub count: u32,
    /// The step of the last one.
    pub step: String,
    /// What the last one did.
    pub reason: String,
    /// When the last one was.
    pub time: Timestamp,
    /// Since when its steps refuse.
    pub suspended: Option<Timestamp>,
}

impl Tx {
    /// A number that changes with every change of these rows.
    ///
    /// # Errors
    /// The database fails.
    pub fn violation_version(&mut self) -> Result<u64, StoreError> {
        let sql = "SELECT value FROM os_counter WHERE name = 'violation'";
        Ok(self.sql_row("counter", sql, &[], |cells| cells.unsigned())?.unwrap_or(0))
    }

    fn violations_changed(&mut self) -> Result<(), StoreError> {
        let sql = "INSERT INTO os_counter (name, value) VALUES ('violation', 1)
                   ON CONFLICT (name) DO UPDATE SET value = os_counter.value + 1";
        self.sql_execute(sql, &[])?;
        Ok(())
    }

    /// All of them, by package.
    ///
    /// # Errors
    /// The database fails.
    pub fn violations(&mut self) -> Result<Vec<ViolationRow>, StoreError> {
        let sql = "SELECT document FROM os_violation ORDER BY package";
        self.sql_rows("violation", sql, &[], |cells| cells.json())
    }

    /// Those of one package.
    ///
    /// # Errors
    /// The database fails.
    pub fn violation(&mut self, package: &str) -> Result<Option<ViolationRow>, StoreError> {
        let sql = "SELECT document FROM os_violation WHERE package = ?1";
        self.sql_row("violation", sql, &[SqlValue::text(package)], |cells| cells.json())
    }

    /// Sets those of one package.
    ///
    /// # Errors
    /// The database fails.
    pub fn put_violation(&mut self, row: &ViolationRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO os_violation (package, document) VALUES (?1, ?2)
                   ON CONFLICT (package) DO UPDATE SET document = excluded.document";
        let params = [SqlValue::text(&row.package), to_json("violation", row)?];
        self.sql_execute(sql, &params)?;
        self.violations_changed()
    }

    /// Forgets those of one package; returns whether there were any.
    ///
    /// # Errors
    /// The database fails.
    pub fn remove_violation(&mut self, package: &str) -> Result<bool, StoreError> {
        let sql = "DELETE FROM os_violation WHERE package = ?1";
        let found = self.sql_execute(sql, &[SqlValue::text(package)])? > 0;
        if found {
            self.violations_changed()?;
        }
        Ok(found)
    }
}
