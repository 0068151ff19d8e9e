//! What refused journal entries would have written, kept on the server so that it can tell which
//! later entries depend on them (`playback.md`, "Found by trying to break it", 10).
//!
//! Forgotten when a superseding entry is applied or the refused one is discarded. Never decides.

use crate::cells::{from_word, to_json, word};
use crate::{StoreError, Tx};
use offstage_model::Uuid;
use offstage_model::journal::EffectKind;
use offstage_query::SqlValue;

/// The journal that an entry belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalId {
    /// The device.
    pub device: Uuid,
    /// Its epoch.
    pub epoch: u64,
}

/// One write of a refused entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedWrite {
    /// The entry.
    pub sequence: u64,
    /// The sequence of the entry that it retries, and so on to the first; its own when it is none.
    /// What a person did first comes first, however often it is retried.
    pub original: u64,
    /// What it would have done to the row.
    pub kind: EffectKind,
    /// The columns that it would have set.
    pub columns: Vec<String>,
}

impl Tx {
    /// Notes that an entry was refused. `original`: see [`RefusedWrite::original`].
    ///
    /// # Errors
    /// The store failed.
    pub fn put_refused_entry(
        &mut self,
        journal: JournalId,
        sequence: u64,
        original: u64,
    ) -> Result<(), StoreError> {
        if original != sequence {
            let [device, epoch, number] = key(journal, sequence);
            self.sql_execute(
                "INSERT INTO os_refused_order (device, epoch, sequence, original) \
                 VALUES (?1, ?2, ?3, ?4) ON CONFLICT (device, epoch, sequence) DO NOTHING",
                &[device, epoch, number, SqlValue::unsigned(original)],
            )?;
        }
        self.sql_execute(
            "INSERT INTO os_refused_entry (device, epoch, sequence) VALUES (?1, ?2, ?3) \
             ON CONFLICT (device, epoch, sequence) DO NOTHING",
            &key(journal, sequence),
        )?;
        Ok(())
    }

    /// Whether an entry was refused, and neither superseded nor discarded since.
    ///
    /// # Errors
    /// The store failed.
    pub fn is_refused(&mut self, journal: JournalId, sequence: u64) -> Result<bool, StoreError> {
        let sql =
            "SELECT 1 FROM os_refused_entry WHERE device = ?1 AND epoch = ?2 AND sequence = ?3";
        Ok(self.sql_row("refused entry", sql, &key(journal, sequence), |_| Ok(()))?.is_some())
    }

    /// The original order of a refused entry: see [`RefusedWrite::original`].
    ///
    /// # Errors
    /// The store failed.
    pub fn refused_order(&mut self, journal: JournalId, sequence: u64) -> Result<u64, StoreError> {
        let sql = "SELECT original FROM os_refused_order \
                   WHERE device = ?1 AND epoch = ?2 AND sequence = ?3";
        let found =
            self.sql_row("refused entry", sql, &key(journal, sequence), |row| row.unsigned())?;
        Ok(found.unwrap_or(sequence))
    }

    /// Notes a write of a refused entry.
    ///
    /// # Errors
    /// The store failed.
    pub fn put_refused_write(
        &mut self,
        journal: JournalId,
        (table, id): (&str, Uuid),
        write: &RefusedWrite,
    ) -> Result<(), StoreError> {
        self.sql_execute(
            "INSERT INTO os_refused_write (device, epoch, tbl, id, sequence, kind, columns) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
             ON CONFLICT (device, epoch, tbl, id, sequence, kind) DO UPDATE SET columns = excluded.columns",
            &[
                SqlValue::Guid(journal.device),
                SqlValue::unsigned(journal.epoch),
                SqlValue::text(table),
                SqlValue::Guid(id),
                SqlValue::unsigned(write.sequence),
                word(&write.kind)?,
                to_json("columns of a refused write", &write.columns)?,
            ],
        )?;
        Ok(())
    }

    /// The writes of refused entries to one row, oldest entry first.
    ///
    /// # Errors
    /// The store failed.
    pub fn refused_writes(
        &mut self,
        journal: JournalId,
        table: &str,
        id: Uuid,
    ) -> Result<Vec<RefusedWrite>, StoreError> {
        self.sql_rows(
            "refused write",
            "SELECT w.sequence, COALESCE(o.original, w.sequence), w.kind, w.columns \
             FROM os_refused_write AS w LEFT JOIN os_refused_order AS o \
               ON o.device = w.device AND o.epoch = w.epoch AND o.sequence = w.sequence \
             WHERE w.device = ?1 AND w.epoch = ?2 AND w.tbl = ?3 AND w.id = ?4 \
             ORDER BY 2, w.sequence",
            &[
                SqlValue::Guid(journal.device),
                SqlValue::unsigned(journal.epoch),
                SqlValue::text(table),
                SqlValue::Guid(id),
            ],
            |row| {
                Ok(RefusedWrite {
                    sequence: row.unsigned()?,
                    original: row.unsigned()?,
                    kind: from_word("kind of a refused write", row.text()?)?,
                    columns: row.json()?,
                })
            },
        )
    }

    /// Forgets a refused entry: another one took its place, or it was discarded.
    ///
    /// # Errors
    /// The store failed.
    pub fn forget_refused(&mut self, journal: JournalId, sequence: u64) -> Result<(), StoreError> {
        for table in ["os_refused_entry", "os_refused_order", "os_refused_write"] {
            let sql =
                format!("DELETE FROM {table} WHERE device = ?1 AND epoch = ?2 AND sequence = ?3");
            self.sql_execute(&sql, &key(journal, sequence))?;
        }
        Ok(())
    }
}

fn key(journal: JournalId, sequence: u64) -> [SqlValue; 3] {
    [
        SqlValue::Guid(journal.device),
        SqlValue::unsigned(journal.epoch),
        SqlValue::unsigned(sequence),
    ]
}
