//! Digests of what a device should hold: the rows that the filters show now, whatever SyncEntry
//! says. So a mistake in the bookkeeping shows.

use crate::SyncError;
use crate::filters::subset;
use crate::sync::{effective, known};
use offstage_model::Uuid;
use offstage_model::query::Filter;
use offstage_store::{Tx, row_digest};
use serde::{Deserialize, Serialize};

/// Ids that are looked up at once.
const PAGE: u32 = 10_000;

/// The rows of one table, as a number and a digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDigest {
    /// The table.
    pub table: String,
    /// Rows.
    pub rows: u64,
    /// The digest of all of them, in hex; equal for equal rows.
    pub digest: String,
}

/// One row, as a digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowDigest {
    /// The row.
    pub id: Uuid,
    /// Its version.
    pub version: u64,
    /// The digest of its values, in hex.
    pub digest: String,
}

/// The digest of every table that the device takes.
///
/// # Errors
/// [`SyncError::UnknownDevice`], a failing store.
pub fn digest(tx: &mut Tx, device: Uuid) -> Result<Vec<TableDigest>, SyncError> {
    let row = known(tx, device)?;
    let catalog = tx.catalog().clone();
    let mut digests = Vec::new();
    for (table, filter) in subset(&effective(tx, &row)?, &catalog) {
        let ids = shown(tx, &table, &filter, row.user)?;
        let (rows, digest) = tx.table_digest(&table, Some(&ids), None)?;
        digests.push(TableDigest { table, rows, digest: hex(&digest) });
    }
    Ok(digests)
}

/// The digest of every row of one table that the device takes; none for a table that it does not.
///
/// # Errors
/// [`SyncError::UnknownDevice`], a failing store.
pub fn digest_rows(tx: &mut Tx, device: Uuid, table: &str) -> Result<Vec<RowDigest>, SyncError> {
    let row = known(tx, device)?;
    let catalog = tx.catalog().clone();
    let Some(filter) = subset(&effective(tx, &row)?, &catalog).remove(table) else {
        return Ok(Vec::new());
    };
    let mut digests = Vec::new();
    for id in shown(tx, table, &filter, row.user)? {
        if let Some(entity) = tx.get(table, id)? {
            let version = entity.version.unwrap_or(0);
            digests.push(RowDigest { id, version, digest: hex(&row_digest(&entity)) });
        }
    }
    Ok(digests)
}

fn shown(tx: &mut Tx, table: &str, filter: &Filter, user: Uuid) -> Result<Vec<Uuid>, SyncError> {
    let mut ids: Vec<Uuid> = Vec::new();
    loop {
        let page = tx.shown_ids(table, filter, user, (ids.last().copied(), PAGE))?;
        let last = page.len() < PAGE as usize;
        ids.extend(page);
        if last {
            return Ok(ids);
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
