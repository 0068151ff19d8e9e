//! Subscriptions and SyncEntry: what each device is known to hold, and what was prepared for it.
//!
//! One row of `os_sync_entry` per device and row: `held` is the version that the device acknowledged
//! (0: none), `version` the one prepared for it (0: to be removed), and `number` the place of the
//! prepared change in the device's queue, empty once it is acknowledged. Numbers ascend and are
//! never used twice. Changes no business row.

mod clients;
mod dependence;
mod mark;

pub use clients::OutlookClient;
pub use dependence::{JournalId, RefusedWrite};
pub use mark::{ChildRule, Mark};

use crate::cells::optional;
use crate::{StoreError, Tx};
use offstage_model::{Timestamp, Uuid};
use offstage_query::SqlValue;

/// The tables of this module.
pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS os_subscription (
    device BLOB NOT NULL PRIMARY KEY,
    user_id BLOB NOT NULL,
    filters TEXT NOT NULL,
    token TEXT NOT NULL,
    previous_token TEXT,
    seen INTEGER NOT NULL,
    numbered INTEGER NOT NULL,
    synced_on INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS os_sync_table (
    device BLOB NOT NULL,
    tbl TEXT NOT NULL,
    signature TEXT NOT NULL,
    prepared_to INTEGER NOT NULL,
    PRIMARY KEY (device, tbl)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS os_sync_entry (
    device BLOB NOT NULL,
    tbl TEXT NOT NULL,
    id BLOB NOT NULL,
    held INTEGER NOT NULL,
    version INTEGER NOT NULL,
    number INTEGER,
    PRIMARY KEY (device, tbl, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS os_sync_entry_number
    ON os_sync_entry (device, number) WHERE number IS NOT NULL;
CREATE TABLE IF NOT EXISTS os_outlook_client (
    client BLOB NOT NULL PRIMARY KEY,
    user_id BLOB NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS os_sync_tracked (
    device BLOB NOT NULL,
    tbl TEXT NOT NULL,
    id BLOB NOT NULL,
    track INTEGER NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (device, tbl, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS os_sync_tracked_version ON os_sync_tracked (device, tbl, version);
CREATE TABLE IF NOT EXISTS os_refused_entry (
    device BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (device, epoch, sequence)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS os_refused_order (
    device BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    original INTEGER NOT NULL,
    PRIMARY KEY (device, epoch, sequence)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS os_refused_write (
    device BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    tbl TEXT NOT NULL,
    id BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    kind TEXT NOT NULL,
    columns TEXT NOT NULL,
    PRIMARY KEY (device, epoch, tbl, id, sequence, kind)
) STRICT, WITHOUT ROWID;";

/// A device's subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionRow {
    /// The device.
    pub device: Uuid,
    /// The user whose rows it holds.
    pub user: Uuid,
    /// The data filters, as JSON of the subscription crate.
    pub filters: String,
    /// The current link of the token chain.
    pub token: String,
    /// The link before, until the current one was seen.
    pub previous_token: Option<String>,
    /// Whether the device has presented the current token.
    pub seen: bool,
    /// The last number given to a prepared change.
    pub numbered: u64,
    /// When the device last acknowledged a sync round, on the server's clock; decides nothing here.
    pub synced_on: Timestamp,
}

/// How far one table was prepared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncTableState {
    /// The table.
    pub table: String,
    /// What decided about membership then.
    pub signature: String,
    /// Every change up to this version was looked at.
    pub prepared_to: u64,
}

/// A prepared change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingSync {
    /// Its place in the device's queue.
    pub number: u64,
    /// The table.
    pub table: String,
    /// The row.
    pub id: Uuid,
    /// The version that was prepared; 0 for a removal.
    pub version: u64,
}

impl Tx {
    /// The subscription of a device.
    ///
    /// # Errors
    /// The database fails.
    pub fn subscription(&mut self, device: Uuid) -> Result<Option<SubscriptionRow>, StoreError> {
        let sql = "SELECT user_id, filters, token, previous_token, seen, numbered, synced_on
                   FROM os_subscription WHERE device = ?1";
        self.sql_row("subscription", sql, &[SqlValue::Guid(device)], |cells| {
            Ok(SubscriptionRow {
                device,
                user: cells.guid()?,
                filters: cells.text()?,
                token: cells.text()?,
                previous_token: cells.opt_text()?,
                seen: cells.boolean()?,
                numbered: cells.unsigned()?,
                synced_on: cells.time()?,
            })
        })
    }

    /// Writes a subscription.
    ///
    /// # Errors
    /// The database fails.
    pub fn put_subscription(&mut self, row: &SubscriptionRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO os_subscription
                     (device, user_id, filters, token, previous_token, seen, numbered,
                      synced_on)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                   ON CONFLICT (device) DO UPDATE SET user_id = excluded.user_id,
                     filters = excluded.filters, token = excluded.token,
                     previous_token = excluded.previous_token, seen = excluded.seen,
                     numbered = excluded.numbered, synced_on = excluded.synced_on";
        let params = [
            SqlValue::Guid(row.device),
            SqlValue::Guid(row.user),
            SqlValue::text(&row.filters),
            SqlValue::text(&row.token),
            optional(row.previous_token.as_ref(), SqlValue::text),
            SqlValue::Boolean(row.seen),
            SqlValue::unsigned(row.numbered),
            SqlValue::Integer(row.synced_on.0),
        ];
        self.sql_execute(sql, &params)?;
        Ok(())
    }

    /// How far each table of a device was prepared.
    ///
    /// # Errors
    /// The database fails.
    pub fn sync_tables(&mut self, device: Uuid) -> Result<Vec<SyncTableState>, StoreError> {
        let sql = "SELECT tbl, signature, prepared_to FROM os_sync_table
                   WHERE device = ?1 ORDER BY tbl";
        self.sql_rows("sync state", sql, &[SqlValue::Guid(device)], |cells| {
            Ok(SyncTableState {
                table: cells.text()?,
                signature: cells.text()?,
                prepared_to: cells.unsigned()?,
            })
        })
    }

    /// Notes how far a table was prepared.
    ///
    /// # Errors
    /// The database fails.
    pub fn put_sync_table(
        &mut self,
        device: Uuid,
        state: &SyncTableState,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO os_sync_table (device, tbl, signature, prepared_to)
                   VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (device, tbl) DO UPDATE SET signature = excluded.signature,
                     prepared_to = excluded.prepared_to";
        let params = [
            SqlValue::Guid(device),
            SqlValue::text(&state.table),
            SqlValue::text(&state.signature),
            SqlValue::unsigned(state.prepared_to),
        ];
        self.sql_execute(sql, &params)?;
        Ok(())
    }

    /// What was prepared and not acknowledged: table, rows to bring, rows to remove.
    ///
    /// # Errors
    /// The database fails.
    pub fn sync_counts(&mut self, device: Uuid) -> Result<Vec<(String, u64, u64)>, StoreError> {
        // By default SQLite walks everything that the device holds, because that is sorted by table.
        let sql = "SELECT tbl, SUM(CASE WHEN version = 0 THEN 0 ELSE 1 END),
                     SUM(CASE WHEN version = 0 THEN 1 ELSE 0 END)
                   FROM os_sync_entry INDEXED BY os_sync_entry_number WHERE device = ?1 AND number IS NOT NULL
                   GROUP BY tbl ORDER BY tbl";
        self.sql_rows("sync entry", sql, &[SqlValue::Guid(device)], |cells| {
            Ok((cells.text()?, cells.unsigned()?, cells.unsigned()?))
        })
    }

    /// Prepared changes after number `after`, in order.
    ///
    /// # Errors
    /// The database fails.
    pub fn pending_sync(
        &mut self,
        device: Uuid,
        after: u64,
        rows_max: u32,
    ) -> Result<Vec<PendingSync>, StoreError> {
        let sql = "SELECT number, tbl, id, version FROM os_sync_entry
                   WHERE device = ?1 AND number IS NOT NULL AND number > ?2
                   ORDER BY number LIMIT ?3";
        let params = [
            SqlValue::Guid(device),
            SqlValue::unsigned(after),
            SqlValue::Integer(i64::from(rows_max)),
        ];
        self.sql_rows("sync entry", sql, &params, |cells| {
            Ok(PendingSync {
                number: cells.unsigned()?,
                table: cells.text()?,
                id: cells.guid()?,
                version: cells.unsigned()?,
            })
        })
    }

    /// The device has applied everything through a number.
    ///
    /// # Errors
    /// The database fails.
    pub fn acknowledge_sync(&mut self, device: Uuid, through: u64) -> Result<(), StoreError> {
        let params = [SqlValue::Guid(device), SqlValue::unsigned(through)];
        let removed = "DELETE FROM os_sync_entry WHERE device = ?1
                       AND number IS NOT NULL AND number <= ?2 AND version = 0";
        self.sql_execute(removed, &params)?;
        let held = "UPDATE os_sync_entry SET held = version, number = NULL
                    WHERE device = ?1 AND number IS NOT NULL AND number <= ?2";
        self.sql_execute(held, &params)?;
        Ok(())
    }

    /// The device holds nothing any more; its filters stay.
    ///
    /// # Errors
    /// The database fails.
    pub fn forget_sync_entries(&mut self, device: Uuid) -> Result<(), StoreError> {
        let params = [SqlValue::Guid(device)];
        self.sql_execute("DELETE FROM os_sync_entry WHERE device = ?1", &params)?;
        self.sql_execute("DELETE FROM os_sync_table WHERE device = ?1", &params)?;
        Ok(())
    }
}
