//! Compares the copy with the server, per table and down to the rows that differ. Changes nothing.

use super::Device;
use crate::progress::Progress;
use crate::wire::{DigestRequest, DigestRowsRequest};
use offstage_model::query::Filter;
use offstage_model::{Fault, Uuid};
use offstage_store::{Tx, row_digest};
use std::collections::{BTreeMap, BTreeSet};

/// Rows that are named per table.
const DIFFERENCES_MAX: usize = 1_000;
/// Local ids that are read at once.
const PAGE: u32 = 10_000;

/// A table whose copy differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDifference {
    /// The table.
    pub table: String,
    /// Rows here.
    pub local_rows: u64,
    /// Rows that the server shows to this device.
    pub server_rows: u64,
    /// The rows that differ, the first 1,000.
    pub rows: Vec<RowDifference>,
}

/// A row that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowDifference {
    /// The row.
    pub id: Uuid,
    /// It is here.
    pub local: bool,
    /// The server shows it to this device.
    pub server: bool,
    /// An entry that is not decided yet touched it, which explains the difference.
    pub pending: bool,
}

impl Device {
    /// Compares the copy with what the server shows to this device now. An empty answer means that
    /// both hold the same. Rows that the server changed after the last refresh differ, rightly.
    ///
    /// # Errors
    /// The server does not answer.
    pub fn verify(&self, progress: &dyn Progress) -> Result<Vec<TableDifference>, Fault> {
        let device = self.identity()?.device;
        progress.start("Comparing tables", None);
        let server: BTreeMap<String, (u64, String)> = self
            .0
            .link
            .digest(&DigestRequest { device })?
            .into_iter()
            .map(|digest| (digest.table, (digest.rows, digest.digest)))
            .collect();
        let tables: BTreeSet<String> =
            self.0.pipeline.catalog().tables.keys().chain(server.keys()).cloned().collect();
        let mut differences = Vec::new();
        for table in tables {
            let local = self.local_digest(&table)?;
            let expected = server.get(&table).cloned();
            let same = match &expected {
                Some(expected) => local == *expected,
                None => local.0 == 0,
            };
            if !same {
                let server_rows = expected.map_or(0, |(rows, _)| rows);
                let rows = self.rows_that_differ(device, &table)?;
                differences.push(TableDifference { table, local_rows: local.0, server_rows, rows });
            }
            progress.advance(1);
        }
        progress.finish();
        Ok(differences)
    }

    fn local_digest(&self, table: &str) -> Result<(u64, String), Fault> {
        if !self.0.pipeline.catalog().tables.contains_key(table) {
            return Ok((0, String::new()));
        }
        let mut tx = self.0.pipeline.store().read()?;
        let (rows, digest) = tx.table_digest(table, None, None)?;
        Ok((rows, hex(&digest)))
    }

    fn rows_that_differ(&self, device: Uuid, table: &str) -> Result<Vec<RowDifference>, Fault> {
        let request = DigestRowsRequest { device, table: table.to_owned() };
        let server: BTreeMap<Uuid, String> =
            self.0.link.digest_rows(&request)?.into_iter().map(|r| (r.id, r.digest)).collect();
        if !self.0.pipeline.catalog().tables.contains_key(table) {
            return Ok(Vec::new());
        }
        let mut tx = self.0.pipeline.store().read()?;
        let local = local_rows(&mut tx, table)?;
        let ids: BTreeSet<&Uuid> = server.keys().chain(local.keys()).collect();
        let mut differences = Vec::new();
        for id in ids {
            if server.get(id) == local.get(id) {
                continue;
            }
            if differences.len() >= DIFFERENCES_MAX {
                break;
            }
            differences.push(RowDifference {
                id: *id,
                local: local.contains_key(id),
                server: server.contains_key(id),
                pending: !tx.pending_effects(table, *id)?.is_empty(),
            });
        }
        Ok(differences)
    }
}

fn local_rows(tx: &mut Tx, table: &str) -> Result<BTreeMap<Uuid, String>, Fault> {
    let all = Filter::All(Vec::new());
    let mut rows = BTreeMap::new();
    let mut last = None;
    loop {
        let ids = tx.shown_ids(table, &all, Uuid::nil(), (last, PAGE))?;
        let Some(end) = ids.last().copied() else { return Ok(rows) };
        for id in ids {
            if let Some(row) = tx.get(table, id)? {
                rows.insert(id, hex(&row_digest(&row)));
            }
        }
        last = Some(end);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
