//! What the server remembers of devices: how far each one is, and the receipt of each entry and of
//! each online operation. A receipt is written in the transaction of its effects.

use crate::cells::{Cells, from_word, optional, word};
use crate::{StoreError, Tx};
use offstage_model::Uuid;
use offstage_model::journal::{ChainHash, EntryState};
use offstage_model::value::Timestamp;
use offstage_query::SqlValue;

pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS os_device (
    id BLOB NOT NULL PRIMARY KEY,
    user BLOB NOT NULL,
    name TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    last_sequence INTEGER NOT NULL,
    last_hash TEXT NOT NULL,
    last_time INTEGER NOT NULL,
    acknowledged INTEGER NOT NULL,
    token TEXT,
    previous_token TEXT,
    offset_ms INTEGER,
    last_seen INTEGER NOT NULL,
    revoked INTEGER NOT NULL,
    public_key BLOB
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS os_receipt (
    device BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    hash TEXT NOT NULL,
    operation BLOB NOT NULL,
    state TEXT NOT NULL,
    outcome BLOB,
    PRIMARY KEY (device, epoch, sequence)
) STRICT;
CREATE INDEX IF NOT EXISTS os_receipt_attention ON os_receipt (device, epoch, sequence)
    WHERE state IN ('conflict', 'rejected', 'blocked');
CREATE INDEX IF NOT EXISTS os_receipt_operation ON os_receipt (operation);
CREATE TABLE IF NOT EXISTS os_online_receipt (
    operation BLOB NOT NULL PRIMARY KEY,
    hash TEXT NOT NULL,
    response BLOB NOT NULL,
    time INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS os_online_receipt_time ON os_online_receipt (time);";

const DEVICE_COLUMNS: &str = "id, user, name, epoch, last_sequence, last_hash, last_time, acknowledged, \
                              token, previous_token, offset_ms, last_seen, revoked, public_key";
const RECEIPT_COLUMNS: &str = "device, epoch, sequence, hash, operation, state, outcome";

/// A device as the server knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRow {
    /// The device; never used again for another one.
    pub id: Uuid,
    /// The user whose device it is.
    pub user: Uuid,
    /// What the user calls it.
    pub name: String,
    /// Its epoch.
    pub epoch: u64,
    /// The sequence of the last entry that has a receipt.
    pub last_sequence: u64,
    /// The chain hash of that entry.
    pub last_hash: ChainHash,
    /// When that entry was made, as far as `latest` is concerned; the next one is not older.
    pub last_time: Timestamp,
    /// The device has every outcome up to this sequence.
    pub acknowledged: u64,
    /// The token of its next PostSync.
    pub token: Option<String>,
    /// The token before, for a device that did not get the answer.
    pub previous_token: Option<String>,
    /// Server clock minus device clock, in milliseconds, once it was measured.
    pub offset_ms: Option<i64>,
    /// When it was last heard of.
    pub last_seen: Timestamp,
    /// It may not come back.
    pub revoked: bool,
    /// The key by which it proves who it is.
    pub public_key: Option<Vec<u8>>,
}

impl DeviceRow {
    /// A device that has not sent anything.
    #[must_use]
    pub fn new(id: Uuid, user: Uuid, name: impl Into<String>, now: Timestamp) -> Self {
        Self {
            id,
            user,
            name: name.into(),
            epoch: 1,
            last_sequence: 0,
            last_hash: ChainHash::new(),
            last_time: Timestamp(0),
            acknowledged: 0,
            token: None,
            previous_token: None,
            offset_ms: None,
            last_seen: now,
            revoked: false,
            public_key: None,
        }
    }
}

/// The receipt of one journal entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The device.
    pub device: Uuid,
    /// Its epoch.
    pub epoch: u64,
    /// The entry's sequence.
    pub sequence: u64,
    /// The hash of the entry's frozen bytes.
    pub hash: ChainHash,
    /// The root operation.
    pub operation: Uuid,
    /// What became of the entry.
    pub state: EntryState,
    /// The outcome as it was sent, byte for byte; `None` once it was acknowledged and forgotten.
    pub outcome: Option<Vec<u8>>,
}

/// The receipt of one online operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnlineReceipt {
    /// The hash of the request.
    pub hash: String,
    /// The answer, byte for byte.
    pub response: Vec<u8>,
}

impl Tx {
    /// A device.
    ///
    /// # Errors
    /// The database fails.
    pub fn device(&mut self, id: Uuid) -> Result<Option<DeviceRow>, StoreError> {
        let sql = format!("SELECT {DEVICE_COLUMNS} FROM os_device WHERE id = ?1");
        self.sql_row("device", &sql, &[SqlValue::Guid(id)], read_device)
    }

    /// All devices, by id.
    ///
    /// # Errors
    /// The database fails.
    pub fn devices(&mut self) -> Result<Vec<DeviceRow>, StoreError> {
        let sql = format!("SELECT {DEVICE_COLUMNS} FROM os_device ORDER BY id");
        self.sql_rows("device", &sql, &[], read_device)
    }

    /// Adds a device or takes the place of what is known of it.
    ///
    /// # Errors
    /// The database fails.
    pub fn put_device(&mut self, device: &DeviceRow) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT INTO os_device ({DEVICE_COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
             ON CONFLICT (id) DO UPDATE SET user = excluded.user, name = excluded.name,
               epoch = excluded.epoch, last_sequence = excluded.last_sequence,
               last_hash = excluded.last_hash, last_time = excluded.last_time,
               acknowledged = excluded.acknowledged,
               token = excluded.token, previous_token = excluded.previous_token,
               offset_ms = excluded.offset_ms, last_seen = excluded.last_seen,
               revoked = excluded.revoked, public_key = excluded.public_key"
        );
        let params = [
            SqlValue::Guid(device.id),
            SqlValue::Guid(device.user),
            SqlValue::text(&device.name),
            SqlValue::unsigned(device.epoch),
            SqlValue::unsigned(device.last_sequence),
            SqlValue::text(&device.last_hash),
            SqlValue::Integer(device.last_time.0),
            SqlValue::unsigned(device.acknowledged),
            optional(device.token.as_deref(), SqlValue::text),
            optional(device.previous_token.as_deref(), SqlValue::text),
            optional(device.offset_ms, SqlValue::Integer),
            SqlValue::Integer(device.last_seen.0),
            SqlValue::Boolean(device.revoked),
            optional(device.public_key.clone(), SqlValue::Blob),
        ];
        self.sql_execute(&sql, &params)?;
        Ok(())
    }

    /// The receipt of an entry.
    ///
    /// # Errors
    /// The database fails.
    pub fn receipt(
        &mut self,
        device: Uuid,
        epoch: u64,
        sequence: u64,
    ) -> Result<Option<Receipt>, StoreError> {
        let sql = format!(
            "SELECT {RECEIPT_COLUMNS} FROM os_receipt
             WHERE device = ?1 AND epoch = ?2 AND sequence = ?3"
        );
        let params =
            [SqlValue::Guid(device), SqlValue::unsigned(epoch), SqlValue::unsigned(sequence)];
        self.sql_row("receipt", &sql, &params, read_receipt)
    }

    /// Writes the receipt of an entry.
    ///
    /// # Errors
    /// [`StoreError::DuplicateSystemRow`] when the entry has one: a receipt is final.
    pub fn put_receipt(&mut self, receipt: &Receipt) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT INTO os_receipt ({RECEIPT_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (device, epoch, sequence) DO NOTHING"
        );
        let params = [
            SqlValue::Guid(receipt.device),
            SqlValue::unsigned(receipt.epoch),
            SqlValue::unsigned(receipt.sequence),
            SqlValue::text(&receipt.hash),
            SqlValue::Guid(receipt.operation),
            word(&receipt.state)?,
            optional(receipt.outcome.clone(), SqlValue::Blob),
        ];
        match self.sql_execute(&sql, &params)? {
            0 => Err(StoreError::DuplicateSystemRow { what: "receipt" }),
            _ => Ok(()),
        }
    }

    /// Forgets the outcomes of applied entries that the device acknowledged; returns how many. The
    /// rest of those receipts stays, and refused entries keep everything: later entries may depend
    /// on them.
    ///
    /// # Errors
    /// The database fails.
    pub fn forget_receipts(
        &mut self,
        device: Uuid,
        epoch: u64,
        through: u64,
    ) -> Result<usize, StoreError> {
        let sql = "UPDATE os_receipt SET outcome = NULL
                   WHERE device = ?1 AND epoch = ?2 AND sequence <= ?3
                     AND state = 'applied' AND outcome IS NOT NULL";
        let params =
            [SqlValue::Guid(device), SqlValue::unsigned(epoch), SqlValue::unsigned(through)];
        self.sql_execute(sql, &params)
    }

    /// The receipts of a device's refused entries, in order.
    ///
    /// # Errors
    /// The database fails.
    pub fn attention_receipts(&mut self, device: Uuid) -> Result<Vec<Receipt>, StoreError> {
        let sql = format!(
            "SELECT {RECEIPT_COLUMNS} FROM os_receipt WHERE device = ?1
               AND state IN ('conflict', 'rejected', 'blocked') ORDER BY epoch, sequence"
        );
        self.sql_rows("receipt", &sql, &[SqlValue::Guid(device)], read_receipt)
    }

    /// The receipt of an online operation.
    ///
    /// # Errors
    /// The database fails.
    pub fn online_receipt(&mut self, operation: Uuid) -> Result<Option<OnlineReceipt>, StoreError> {
        let sql = "SELECT hash, response FROM os_online_receipt WHERE operation = ?1";
        self.sql_row("receipt", sql, &[SqlValue::Guid(operation)], |cells| {
            Ok(OnlineReceipt { hash: cells.text()?, response: cells.bytes()? })
        })
    }

    /// Writes the receipt of an online operation.
    ///
    /// # Errors
    /// [`StoreError::DuplicateSystemRow`] when it has one.
    pub fn put_online_receipt(
        &mut self,
        operation: Uuid,
        hash: &str,
        response: &[u8],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO os_online_receipt (operation, hash, response, time)
                   VALUES (?1, ?2, ?3, ?4) ON CONFLICT (operation) DO NOTHING";
        let params = [
            SqlValue::Guid(operation),
            SqlValue::text(hash),
            SqlValue::Blob(response.to_vec()),
            SqlValue::Integer(now.0),
        ];
        match self.sql_execute(sql, &params)? {
            0 => Err(StoreError::DuplicateSystemRow { what: "receipt" }),
            _ => Ok(()),
        }
    }
}

fn read_device(cells: &mut Cells<'_>) -> Result<DeviceRow, StoreError> {
    Ok(DeviceRow {
        id: cells.guid()?,
        user: cells.guid()?,
        name: cells.text()?,
        epoch: cells.unsigned()?,
        last_sequence: cells.unsigned()?,
        last_hash: cells.text()?,
        last_time: cells.time()?,
        acknowledged: cells.unsigned()?,
        token: cells.opt_text()?,
        previous_token: cells.opt_text()?,
        offset_ms: cells.opt_integer()?,
        last_seen: cells.time()?,
        revoked: cells.boolean()?,
        public_key: cells.opt_bytes()?,
    })
}

fn read_receipt(cells: &mut Cells<'_>) -> Result<Receipt, StoreError> {
    Ok(Receipt {
        device: cells.guid()?,
        epoch: cells.unsigned()?,
        sequence: cells.unsigned()?,
        hash: cells.text()?,
        operation: cells.guid()?,
        state: from_word("receipt", cells.text()?)?,
        outcome: cells.opt_bytes()?,
    })
}
