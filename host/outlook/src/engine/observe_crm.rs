//! Observes the CRM: PrepareSync, GetSyncData, the rows committed in the cache, and only then
//! PostSync.
//!
//! The paper's text has PostSync before the rows are kept; its graphic has this order, in which a
//! crash loses nothing. Reads no column but id and timestamp.

use super::crash::crash_point;
use super::{CLIENT, Engine, EngineError, Run};
use crate::crm::wire::{ChangedRow, DataRequest, PAGE_ROWS_MAX, PostRequest, PrepareRequest};
use crate::item::ItemKind;
use crate::mapping::of_table;
use offstage_model::Timestamp;
use offstage_store::{CacheTx, CachedChange, ChangeCode, Mapping, MappingKey, StoreError};

impl Engine {
    /// Fetches and notes what changed; returns how many rows.
    pub(super) fn observe_crm(&mut self, run: &mut Run) -> Result<u64, EngineError> {
        let (client, token) = (run.client.client, run.client.token.clone());
        let counts = self.link.prepare(&PrepareRequest { client, token: token.clone() })?;
        let expected: u64 = counts.iter().map(|count| count.upserts + count.removals).sum();
        if expected == 0 {
            return Ok(0);
        }
        #[cfg(feature = "negative-control")]
        if super::crash::posts_early() {
            return self.observe_in_the_order_of_the_text(run);
        }
        let takes = self.takes();
        let (mut after, mut noted) = (0, 0);
        loop {
            let (token, limit) = (token.clone(), PAGE_ROWS_MAX);
            let page = self.link.data(&DataRequest { client, token, after, limit })?;
            self.cache
                .write(|tx| page.rows.iter().try_for_each(|row| note_row(tx, row, &takes)))?;
            crash_point!("crm.page-noted");
            noted += page.rows.len() as u64;
            after = page.through;
            if !page.more {
                break;
            }
        }
        crash_point!("crm.before-post");
        let answer = self.link.post(&PostRequest { client, token, through: after })?;
        crash_point!("crm.after-post");
        run.client.token = answer.token;
        let client = run.client.clone();
        self.keep(CLIENT, &client)?;
        Ok(noted)
    }

    /// The kinds of which the mail store takes new items.
    pub(super) fn takes(&self) -> Vec<ItemKind> {
        let capabilities = self.store.capabilities();
        if capabilities.writes { capabilities.kinds.clone() } else { Vec::new() }
    }

    /// PostSync before the rows are kept, as the paper's text has it. Wrong on purpose: a crash in
    /// between loses them, and the campaign that looks for that must find it.
    #[cfg(feature = "negative-control")]
    fn observe_in_the_order_of_the_text(&mut self, run: &mut Run) -> Result<u64, EngineError> {
        let (client, token) = (run.client.client, run.client.token.clone());
        let (mut after, mut rows) = (0, Vec::new());
        loop {
            let (token, limit) = (token.clone(), PAGE_ROWS_MAX);
            let page = self.link.data(&DataRequest { client, token, after, limit })?;
            rows.extend(page.rows);
            after = page.through;
            if !page.more {
                break;
            }
        }
        let answer = self.link.post(&PostRequest { client, token, through: after })?;
        run.client.token = answer.token;
        let client = run.client.clone();
        self.keep(CLIENT, &client)?;
        crash_point!("crm.after-post");
        let takes = self.takes();
        self.cache.write(|tx| rows.iter().try_for_each(|row| note_row(tx, row, &takes)))?;
        Ok(rows.len() as u64)
    }
}

/// Notes a row, unless it is new and of a kind of which the mail store takes no items.
fn note_row(
    tx: &mut CacheTx<'_, '_>,
    row: &ChangedRow,
    takes: &[ItemKind],
) -> Result<(), StoreError> {
    let Some(table) = of_table(&row.row.table) else { return Ok(()) };
    let known = tx.mapping(MappingKey::Record(row.row.id, table.object_type))?;
    let (mapping, code) = match known {
        // Nothing of it is in Outlook.
        None if row.version == 0 || !takes.contains(&table.kind) => return Ok(()),
        None => (Mapping::new(row.row.id, table.object_type), ChangeCode::Create),
        Some(known) if row.version == 0 => {
            if !known.linked {
                return Ok(());
            }
            (known, ChangeCode::Delete)
        }
        // The engine's own write, or something that was merged already.
        Some(known) if row.version <= known.crm_version => return Ok(()),
        // The engine removed the item because the record had gone; the record is back.
        Some(mut known) if !known.linked && known.deleted_locally => {
            known.linked = true;
            known.deleted_locally = false;
            known.entry_id = None;
            known.change_key = None;
            known.original_xml = None;
            (known, ChangeCode::Create)
        }
        // Un-linked for good, unless it is tracked again.
        Some(known) if !known.linked => return Ok(()),
        Some(known) => (known, ChangeCode::Update),
    };
    let map_id = tx.put_mapping(&mapping)?;
    let change = tx.change(map_id)?;
    let mut change = change.unwrap_or_else(|| CachedChange { map_id, ..CachedChange::default() });
    if !(change.crm == ChangeCode::Create && code == ChangeCode::Update) {
        change.crm = code;
    }
    change.crm_time = row.modified.or(change.crm_time);
    change.crm_version = change.crm_version.max(row.version);
    change.attempts = 0;
    change.next_attempt = Timestamp::default();
    tx.put_change(&change)
}
