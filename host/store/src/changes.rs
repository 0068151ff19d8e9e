//! Row versions, column stamps and tombstones: what changed, when, and by whom.
//!
//! Versions come from one counter per store and grow in commit order, because there is one writer.

use crate::cells::limit;
use crate::tx::VersionCounter;
use crate::{StoreError, Tx};
use offstage_model::value::Timestamp;
use offstage_model::{Fault, Uuid, code};
use offstage_query::SqlValue;
use offstage_query::physical::VERSION_COLUMN;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS os_counter (
    name TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS os_tombstone (
    tbl TEXT NOT NULL,
    id BLOB NOT NULL,
    version INTEGER NOT NULL,
    time INTEGER NOT NULL,
    device BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (tbl, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS os_tombstone_version ON os_tombstone (tbl, version);";

/// Who writes, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteStamp {
    /// The time of the operation, corrected by the device's offset; what `latest` compares.
    pub time: Timestamp,
    /// The device whose entry is played; nil for every other writer.
    pub device: Uuid,
    /// The sequence of that entry; 0 for every other writer.
    pub sequence: u64,
}

impl WriteStamp {
    /// The stamp of a writer that is not a device.
    #[must_use]
    pub fn server(time: Timestamp) -> Self {
        Self { time, device: Uuid::nil(), sequence: 0 }
    }
}

/// Who wrote something, when, and at which row version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StampForm", into = "StampForm")]
pub struct Stamp {
    /// The row version that the write made.
    pub version: u64,
    /// [`WriteStamp::time`].
    pub time: Timestamp,
    /// [`WriteStamp::device`].
    pub device: Uuid,
    /// [`WriteStamp::sequence`].
    pub sequence: u64,
}

impl Stamp {
    pub(crate) fn new(version: u64, by: &WriteStamp) -> Self {
        Self { version, time: by.time, device: by.device, sequence: by.sequence }
    }
}

/// The stored form: `[version, time]`, and `[version, time, device, sequence]` for a device.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StampForm {
    Device(u64, Timestamp, Uuid, u64),
    Server(u64, Timestamp),
}

impl From<StampForm> for Stamp {
    fn from(form: StampForm) -> Self {
        match form {
            StampForm::Device(version, time, device, sequence) => {
                Self { version, time, device, sequence }
            }
            StampForm::Server(version, time) => {
                Self { version, time, device: Uuid::nil(), sequence: 0 }
            }
        }
    }
}

impl From<Stamp> for StampForm {
    fn from(stamp: Stamp) -> Self {
        if stamp.device.is_nil() {
            Self::Server(stamp.version, stamp.time)
        } else {
            Self::Device(stamp.version, stamp.time, stamp.device, stamp.sequence)
        }
    }
}

/// Who wrote which column of a row; empty on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnStamps {
    /// The row's version.
    pub version: u64,
    /// Who made the row.
    pub created: Option<Stamp>,
    /// Who changed columns after that.
    pub columns: BTreeMap<String, Stamp>,
}

impl ColumnStamps {
    /// Who wrote the column last: whoever changed it, else whoever made the row.
    #[must_use]
    pub fn of(&self, column: &str) -> Option<&Stamp> {
        self.columns.get(column).or(self.created.as_ref())
    }
}

/// A row that changed, or is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The row.
    pub id: Uuid,
    /// The version of the change.
    pub version: u64,
    /// The row is gone.
    pub deleted: bool,
}

/// What is left of a deleted row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The row.
    pub id: Uuid,
    /// Who deleted it, when, at which version.
    pub stamp: Stamp,
}

impl Tx {
    /// The last row version that was given.
    ///
    /// # Errors
    /// The database fails.
    pub fn current_version(&mut self) -> Result<u64, StoreError> {
        if let Some(counter) = self.version {
            return Ok(counter.next);
        }
        let sql = "SELECT value FROM os_counter WHERE name = 'version'";
        Ok(self.sql_row("counter", sql, &[], |cells| cells.unsigned())?.unwrap_or(0))
    }

    /// Gives the next row version. One that a savepoint undoes is never given again.
    pub(crate) fn next_version(&mut self) -> Result<u64, StoreError> {
        let mut counter = match self.version {
            Some(counter) => counter,
            None => {
                let stored = self.current_version()?;
                VersionCounter { stored, next: stored }
            }
        };
        counter.next += 1;
        self.version = Some(counter);
        Ok(counter.next)
    }

    /// Raises the version counter, so that later versions are larger than `version`: after a backup
    /// was restored, versions that devices have seen must not be given again.
    ///
    /// # Errors
    /// The database fails.
    pub fn raise_version(&mut self, version: u64) -> Result<(), StoreError> {
        let stored = self.current_version()?;
        if version > stored {
            let before = self.version.map_or(stored, |c| c.stored);
            self.version = Some(VersionCounter { stored: before, next: version });
        }
        Ok(())
    }

    pub(crate) fn store_version(&mut self) -> Result<(), StoreError> {
        match self.version {
            Some(counter) if counter.next != counter.stored => {
                let sql = "INSERT INTO os_counter (name, value) VALUES ('version', ?1)
                           ON CONFLICT (name) DO UPDATE SET value = excluded.value";
                self.sql_execute(sql, &[SqlValue::unsigned(counter.next)])?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Changed and deleted rows of a table with a version over `after`, by version.
    ///
    /// # Errors
    /// The table is not known; the store keeps no versions (a device).
    pub fn changes(
        &mut self,
        table: &str,
        after: u64,
        rows_max: usize,
    ) -> Result<Vec<Change>, StoreError> {
        if self.role() == crate::Role::Device {
            return Err(StoreError::Query(Fault::new(
                code::WRONG_STATE,
                "A device does not track changes.",
            )));
        }
        let plan = self.plan(table)?;
        // Both halves are limited before they are merged, so that the cost is that of the answer.
        let sql = format!(
            "SELECT id, version, deleted FROM (
               SELECT * FROM (SELECT {id} AS id, {VERSION_COLUMN} AS version, 0 AS deleted
                 FROM {name} WHERE {VERSION_COLUMN} > ?1 ORDER BY {VERSION_COLUMN} LIMIT ?2) AS live
               UNION ALL
               SELECT * FROM (SELECT id, version, 1 AS deleted
                 FROM os_tombstone WHERE tbl = ?3 AND version > ?1 ORDER BY version LIMIT ?2) AS dead
             ) AS both ORDER BY version LIMIT ?2",
            id = plan.id,
            name = plan.sql_name
        );
        let params = [SqlValue::unsigned(after), limit(rows_max), SqlValue::text(table)];
        self.sql_rows("change", &sql, &params, |cells| {
            Ok(Change { id: cells.guid()?, version: cells.unsigned()?, deleted: cells.boolean()? })
        })
    }

    /// The tombstone of a row.
    ///
    /// # Errors
    /// The database fails.
    pub fn tombstone(&mut self, table: &str, id: Uuid) -> Result<Option<Tombstone>, StoreError> {
        let sql = "SELECT version, time, device, sequence FROM os_tombstone
                   WHERE tbl = ?1 AND id = ?2";
        let params = [SqlValue::text(table), SqlValue::Guid(id)];
        self.sql_row("tombstone", sql, &params, |cells| {
            let stamp = Stamp {
                version: cells.unsigned()?,
                time: cells.time()?,
                device: cells.guid()?,
                sequence: cells.unsigned()?,
            };
            Ok(Tombstone { id, stamp })
        })
    }

    pub(crate) fn put_tombstone(
        &mut self,
        table: &str,
        id: Uuid,
        stamp: &Stamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO os_tombstone (tbl, id, version, time, device, sequence)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                   ON CONFLICT (tbl, id) DO UPDATE SET version = excluded.version,
                     time = excluded.time, device = excluded.device, sequence = excluded.sequence";
        let params = [
            SqlValue::text(table),
            SqlValue::Guid(id),
            SqlValue::unsigned(stamp.version),
            SqlValue::Integer(stamp.time.0),
            SqlValue::Guid(stamp.device),
            SqlValue::unsigned(stamp.sequence),
        ];
        self.sql_execute(sql, &params)?;
        Ok(())
    }

    pub(crate) fn clear_tombstone(&mut self, table: &str, id: Uuid) -> Result<(), StoreError> {
        let sql = "DELETE FROM os_tombstone WHERE tbl = ?1 AND id = ?2";
        self.sql_execute(sql, &[SqlValue::text(table), SqlValue::Guid(id)])?;
        Ok(())
    }

    /// Forgets tombstones up to a version that every device has passed; returns how many.
    ///
    /// # Errors
    /// The database fails.
    pub fn prune_tombstones(&mut self, through: u64) -> Result<usize, StoreError> {
        let sql = "DELETE FROM os_tombstone WHERE version <= ?1";
        self.sql_execute(sql, &[SqlValue::unsigned(through)])
    }
}
