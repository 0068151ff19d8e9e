//! Observes the mailbox: notifications as hints, the contents tables as the truth.
//!
//! What was seen is noted in the cache together with the place where the scan stopped, so that a
//! crash in between sees it again. Writes no item.

use super::crash::crash_point;
use super::left_alone::LeftAloneView;
use super::report::{PairReport, Report, Word};
use super::{Engine, EngineError, Run};
use crate::item::{EntryId, FileTime, Folder, FolderId, Item, ItemKind};
use crate::link::{LinkProperties, LinkState};
use crate::mail_store::{ItemPatch, NotificationKind, Presence, ScanMark, ScanRow};
use crate::mapping::{TABLES, of_kind, of_object_type};
use offstage_store::{CacheTx, CachedChange, ChangeCode, Mapping, MappingKey, StoreError};
use std::collections::BTreeSet;

/// Items that are read at once when a contents table does not show their ties.
const READ_MAX: usize = 200;

/// A row of a contents table with what is known about its tie.
struct Seen {
    row: ScanRow,
    link: LinkProperties,
    /// The item whose tie this one carries is still there: this is a copy.
    copy: bool,
}

impl Engine {
    /// Scans every folder that is this client's business; returns how many rows were looked at.
    pub(super) fn observe_outlook(
        &mut self,
        run: &Run,
        report: &mut Report,
    ) -> Result<u64, EngineError> {
        self.take_hints()?;
        let folders = self.store.folders()?;
        let mut looked_at = 0;
        for folder in folders {
            if folder.kind == ItemKind::Email || run.client.is_primary() {
                looked_at += self.scan_folder(run, &folder, report)?;
            }
        }
        Ok(looked_at)
    }

    /// A notification of a deletion moves the item to the front of those that are looked for, and
    /// they are looked for now. Everything else the scan finds.
    fn take_hints(&mut self) -> Result<(), EngineError> {
        let notes = self.store.notifications()?;
        let deleted: Vec<EntryId> = notes
            .into_iter()
            .filter(|note| matches!(note.kind, NotificationKind::Deleted | NotificationKind::Moved))
            .map(|note| note.entry_id)
            .collect();
        self.look_for(&deleted)
    }

    /// Asks whether items are there, and notes the deletions of those that are not.
    pub(super) fn look_for(&mut self, ids: &[EntryId]) -> Result<(), EngineError> {
        let known = self.cache.write(|tx| {
            let mut known = Vec::new();
            for id in ids {
                known.extend(tx.mapping(MappingKey::Item(id.as_str()))?);
            }
            Ok(known)
        })?;
        self.verify(known)
    }

    fn scan_folder(
        &mut self,
        run: &Run,
        folder: &Folder,
        report: &mut Report,
    ) -> Result<u64, EngineError> {
        let key = folder.id.as_str();
        let mark = self.cache.write(|tx| tx.mark(key))?.map(ScanMark);
        let scan = self.store.scan(&folder.id, mark.as_ref())?;
        let told: BTreeSet<String> = scan
            .rows
            .iter()
            .map(|row| &row.entry_id)
            .chain(&scan.removed)
            .map(|id| id.as_str().to_owned())
            .collect();
        let seen = self.with_ties(scan.rows, run)?;
        let over = |known: &LeftAloneView| {
            known.folder == key && (scan.complete || told.contains(&known.item))
        };
        self.note_left_alone(over, report)?;
        let count = seen.len() as u64;
        for copy in seen.iter().filter(|seen| seen.copy) {
            self.free_copy(run, folder.kind, copy, report)?;
        }
        let random = std::sync::Arc::clone(&self.random);
        let now = run.now;
        self.cache.write_unflushed(|tx| {
            for seen in seen.iter().filter(|seen| !seen.copy) {
                let at = seen.row.modified.unwrap_or_else(|| FileTime::from(now));
                let fresh = (random.guid(), at.0);
                note_row(tx, folder, seen, fresh)?;
            }
            // A dry run must not hide what it saw from the next one; noting it twice does no harm.
            tx.put_mark(key, &scan.mark.0)
        })?;
        crash_point!("outlook.folder-noted");
        self.look_for(&scan.removed)?;
        Ok(count)
    }

    /// Reads the ties that the contents table does not show, and tells copies from originals.
    fn with_ties(&mut self, rows: Vec<ScanRow>, run: &Run) -> Result<Vec<Seen>, EngineError> {
        let mut seen = Vec::with_capacity(rows.len());
        for chunk in rows.chunks(READ_MAX) {
            let known = self.cache.write(|tx| {
                chunk
                    .iter()
                    .map(|row| tx.mapping(MappingKey::Item(row.entry_id.as_str())))
                    .collect::<Result<Vec<_>, _>>()
            })?;
            for (row, known) in chunk.iter().zip(known) {
                let shown = row.link.as_ref().map(|link| LinkProperties {
                    crm_id: link.crm_id,
                    state: link.state,
                    ..LinkProperties::default()
                });
                let mut seen_row =
                    Seen { row: row.clone(), link: shown.unwrap_or_default(), copy: false };
                // Only an item that is not known and carries a tie needs to be read.
                let tied = row.link.as_ref().is_none_or(|link| link.crm_id.is_some());
                if known.is_none() && tied && self.store.capabilities().custom_properties {
                    let item = self.store.read(std::slice::from_ref(&row.entry_id))?.pop();
                    let Some(item) = item.flatten() else { continue };
                    seen_row.link = item.link.clone();
                    seen_row.copy = self.is_copy(&item, run)?;
                }
                seen.push(seen_row);
            }
        }
        Ok(seen)
    }

    /// Copying an item copies its tie. The original is the one whose id the tie names, as long as
    /// it is there.
    fn is_copy(&mut self, item: &Item, run: &Run) -> Result<bool, EngineError> {
        let Some(original) = &item.link.entry_id else { return Ok(false) };
        let foreign = item.link.organization.is_some_and(|o| o != run.client.organization);
        if *original == item.entry_id || foreign || item.link.state == Some(LinkState::Pending) {
            return Ok(false);
        }
        let presence = self.store.presence(std::slice::from_ref(original))?.pop();
        Ok(match presence {
            Some(Presence::There) => true,
            Some(Presence::Moved(id)) => id != item.entry_id,
            _ => false,
        })
    }

    /// Takes the tie of its original from a copy: from now on it is an item like any other.
    fn free_copy(
        &mut self,
        run: &Run,
        kind: ItemKind,
        copy: &Seen,
        report: &mut Report,
    ) -> Result<(), EngineError> {
        report.pairs.push(PairReport {
            pair: 0,
            item: Some(copy.row.entry_id.to_string()),
            table: of_kind(kind).table,
            record: copy.link.crm_id.unwrap_or_default(),
            done: Word::CopyFreed,
            reason: Some("It is a copy of an item that is tied to the record.".to_owned()),
            fields: Vec::new(),
            truncated: Vec::new(),
        });
        if run.dry {
            return Ok(());
        }
        let patch = ItemPatch { link: Some(LinkProperties::default()), ..ItemPatch::default() };
        self.store.update(&copy.row.entry_id, None, &patch)?;
        Ok(())
    }
}

/// Notes what one item says, as the contents table would.
pub(super) fn note_item(
    tx: &mut CacheTx<'_, '_>,
    folder: &Folder,
    item: &Item,
    fresh: (offstage_model::Uuid, i64),
) -> Result<(), StoreError> {
    let row = ScanRow {
        entry_id: item.entry_id.clone(),
        change_key: item.change_key.clone(),
        modified: item.modified,
        link: None,
    };
    note_row(tx, folder, &Seen { row, link: item.link.clone(), copy: false }, fresh)
}

/// Notes what one row of a contents table says.
fn note_row(
    tx: &mut CacheTx<'_, '_>,
    folder: &Folder,
    seen: &Seen,
    (fresh, ticks): (offstage_model::Uuid, i64),
) -> Result<(), StoreError> {
    let entry_id = seen.row.entry_id.as_str();
    if let Some(mapping) = tx.mapping(MappingKey::Item(entry_id))? {
        let link = (seen.link.state, seen.link.crm_id);
        if !is_tied_elsewhere(&mapping, link) {
            return note_known(tx, mapping, seen, ticks);
        }
        tx.forget(mapping.map_id)?;
    }
    match (seen.link.state, seen.link.crm_id) {
        (Some(LinkState::Pending), crm_id) => {
            // A record that the item was tied to before is taken up again.
            let known = find(tx, folder.kind, crm_id, seen.link.object_type)?;
            let object_type = of_kind(folder.kind).object_type;
            let mut mapping =
                known.unwrap_or_else(|| Mapping::new(crm_id.unwrap_or(fresh), object_type));
            attach(&mut mapping, &folder.id, entry_id);
            mapping.manual = true;
            note(tx, &mapping, ChangeCode::Create, ticks)
        }
        (Some(LinkState::Tracked), Some(crm_id)) => {
            let known = find(tx, folder.kind, Some(crm_id), seen.link.object_type)?;
            let object_type = seen.link.object_type.filter(|code| {
                of_object_type(*code).is_some_and(|table| table.kind == folder.kind)
            });
            let object_type = object_type.unwrap_or(of_kind(folder.kind).object_type);
            let mut mapping = known.unwrap_or_else(|| Mapping::new(crm_id, object_type));
            if mapping.map_id != 0 && !mapping.linked {
                return Ok(());
            }
            attach(&mut mapping, &folder.id, entry_id);
            note(tx, &mapping, ChangeCode::Update, ticks)
        }
        _ => Ok(()),
    }
}

/// Another client has made the record of an item of which this one has made none yet.
pub(super) fn is_tied_elsewhere(
    mapping: &Mapping,
    (state, crm_id): (Option<LinkState>, Option<offstage_model::Uuid>),
) -> bool {
    let other = crm_id.is_some_and(|id| id != mapping.crm_id);
    state == Some(LinkState::Tracked) && other && mapping.change_key.is_none()
}

/// The item of a pair is this one from now on.
pub(super) fn attach(mapping: &mut Mapping, folder: &FolderId, entry_id: &str) {
    mapping.entry_id = Some(entry_id.to_owned());
    mapping.folder = Some(folder.as_str().to_owned());
    mapping.change_key = None;
    mapping.linked = true;
    mapping.deleted_locally = false;
    mapping.visited = true;
}

fn find(
    tx: &mut CacheTx<'_, '_>,
    kind: ItemKind,
    crm_id: Option<offstage_model::Uuid>,
    object_type: Option<i32>,
) -> Result<Option<Mapping>, StoreError> {
    let Some(crm_id) = crm_id else { return Ok(None) };
    let codes = TABLES.iter().filter(|table| table.kind == kind).map(|table| table.object_type);
    for code in object_type.into_iter().chain(codes) {
        if let Some(found) = tx.mapping(MappingKey::Record(crm_id, code))? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn note_known(
    tx: &mut CacheTx<'_, '_>,
    mut mapping: Mapping,
    seen: &Seen,
    ticks: i64,
) -> Result<(), StoreError> {
    let key = seen.row.change_key.as_str();
    mapping.visited = true;
    let code = match seen.link.state {
        Some(LinkState::Pending) if !mapping.linked => {
            mapping.linked = true;
            mapping.manual = true;
            ChangeCode::Create
        }
        Some(LinkState::WasTracked) if mapping.linked => ChangeCode::Untrack,
        // What the engine wrote itself is no change.
        _ if !mapping.linked || mapping.change_key.as_deref() == Some(key) => {
            tx.put_mapping(&mapping)?;
            return Ok(());
        }
        _ => ChangeCode::Update,
    };
    note(tx, &mapping, code, ticks)
}

/// Notes a change of the item of a pair beside what is known of its record.
pub(super) fn note(
    tx: &mut CacheTx<'_, '_>,
    mapping: &Mapping,
    code: ChangeCode,
    ticks: i64,
) -> Result<(), StoreError> {
    let map_id = tx.put_mapping(mapping)?;
    let known = tx.change(map_id)?;
    let mut change = known.unwrap_or_else(|| CachedChange { map_id, ..CachedChange::default() });
    // What the user decided is not undone by a later change of the item.
    let stronger = matches!(
        (change.outlook, code),
        (
            ChangeCode::Untrack | ChangeCode::UntrackAndDelete,
            ChangeCode::Update | ChangeCode::Untrack
        ) | (ChangeCode::Create, ChangeCode::Update)
    );
    if !stronger {
        change.outlook = code;
    }
    change.outlook_ticks = Some(ticks.max(change.outlook_ticks.unwrap_or(i64::MIN)));
    // Something new is tried at once, even when an earlier attempt failed.
    change.attempts = 0;
    change.next_attempt = offstage_model::Timestamp::default();
    tx.put_change(&change)
}
