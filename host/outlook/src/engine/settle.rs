//! Pairs that are in step: what both sides are now is noted in the cache, and the change is done.
//!
//! Where a store answers a write with what was sent, the items of a chunk are read again first, all
//! at once, and their notes are one transaction. A crash before that leaves the changes, and the next
//! run finds nothing to do but to note them. Never takes for the last synchronised state what
//! somebody else wrote meanwhile.

use super::merge::{is_organizer, owner, version};
use super::pair::Pair;
use super::record_door::modified_on;
use super::report::Report;
use super::undo::Written;
use super::{Engine, EngineError, Run};
use crate::convert::{Record, item_state};
use crate::item::{EntryId, Item};
use crate::mail_store::{ItemPatch, MailStoreError, NewItem};
use crate::original;
use crate::property::Property;
use offstage_store::{CachedChange, ChangeCode, Mapping, UndoRow};
use std::collections::{BTreeMap, BTreeSet};

/// What was written in a chunk, by a store that answers with what was sent.
#[derive(Default)]
pub(super) struct Sent {
    items: BTreeMap<EntryId, SentItem>,
    waiting: Vec<Waiting>,
}

/// What was written of an item.
#[derive(Default)]
struct SentItem {
    made: bool,
    properties: BTreeSet<Property>,
}

/// A pair whose item is to be read again.
struct Waiting {
    pair: Pair,
    item: Item,
    record: Record,
    sent: SentItem,
}

/// What is noted of a pair.
struct Note {
    mapping: Mapping,
    /// What is left to do.
    left: Option<CachedChange>,
}

impl Sent {
    /// An item was changed.
    pub(super) fn changed(&mut self, id: &EntryId, patch: &ItemPatch) {
        let item = self.items.entry(id.clone()).or_default();
        item.properties.extend(patch.properties.keys().copied());
    }

    /// An item was made.
    pub(super) fn made(&mut self, id: &EntryId, new: &NewItem) {
        let properties = new.properties.keys().copied().collect();
        self.items.insert(id.clone(), SentItem { made: true, properties });
    }
}

impl Engine {
    /// The pair is in step; noted now, or when its item was read again.
    pub(super) fn in_step(
        &mut self,
        run: &Run,
        pair: &mut Pair,
        item: &Item,
        record: &Record,
    ) -> Result<(), EngineError> {
        if let Some(sent) = self.sent.items.remove(&item.entry_id) {
            let (pair, item, record) = (pair.clone(), item.clone(), record.clone());
            self.sent.waiting.push(Waiting { pair, item, record, sent });
            return Ok(());
        }
        let note = self.note_of(run, pair, item, record);
        self.keep_notes(vec![note])
    }

    /// Reads again what was written in a chunk, and notes the pairs.
    pub(super) fn settle(&mut self, run: &Run, report: &mut Report) -> Result<(), EngineError> {
        let Sent { waiting, .. } = std::mem::take(&mut self.sent);
        let ids: Vec<EntryId> = waiting.iter().map(|one| one.item.entry_id.clone()).collect();
        let stored = self.items(&ids)?;
        let mut notes = Vec::with_capacity(waiting.len());
        for (mut one, stored) in waiting.into_iter().zip(stored) {
            match self.settled(run, &mut one, stored) {
                Ok(note) => notes.push(note),
                Err(error) => {
                    let failed = self.failed(run, &one.pair, &error)?;
                    let known = report.pairs.iter_mut().find(|pair| pair.pair == failed.pair);
                    if let Some(known) = known {
                        (known.done, known.reason) = (failed.done, failed.reason);
                    }
                }
            }
        }
        // What was written last while an item was settled needs no further look.
        self.sent = Sent::default();
        self.keep_notes(notes)
    }

    /// One pair with its item as it is stored: where the store made something else of a value, that
    /// is what was synchronised.
    fn settled(
        &mut self,
        run: &Run,
        one: &mut Waiting,
        stored: Option<Item>,
    ) -> Result<Note, EngineError> {
        let Waiting { pair, item, record, sent } = one;
        let Some(mut stored) = stored else {
            return Err(MailStoreError::Gone { entry_id: item.entry_id.clone() }.into());
        };
        if sent.made {
            let map_id = pair.mapping.map_id;
            let json = Written::item(None, Some(&stored)).to_json();
            self.made.push((run.run_id, UndoRow { map_id, json }));
        }
        if stored.change_key != item.change_key {
            // Somebody wrote after us; the next scan sees a key that is not the one noted here.
            return Ok(self.note_of(run, pair, item, record));
        }
        let now = item_state(pair.table, &stored);
        let known = self.base(&pair.mapping, item).unwrap_or_default();
        let mut base = known.clone();
        for property in sent.properties.iter().filter(|property| now.speaks_of(**property)) {
            base.set(*property, now.get(*property).cloned());
        }
        if base != known {
            let xml = original::write(pair.table.table, &base, version(record));
            pair.mapping.original_xml = Some(xml.clone());
            if self.writes_ties_alone(run) {
                let mut link = stored.link.clone();
                link.original_xml = Some(xml);
                let patch = ItemPatch { link: Some(link), ..ItemPatch::default() };
                stored = self.write_item(run, pair.mapping.map_id, &stored, patch)?;
            }
        }
        Ok(self.note_of(run, pair, &stored, record))
    }

    fn note_of(&self, run: &Run, pair: &mut Pair, item: &Item, record: &Record) -> Note {
        let mapping = &mut pair.mapping;
        mapping.entry_id = Some(item.entry_id.as_str().to_owned());
        mapping.folder = Some(item.folder.as_str().to_owned());
        mapping.change_key = Some(item.change_key.as_str().to_owned());
        mapping.outlook_ticks = item.modified.map(|time| time.0);
        mapping.crm_version = version(record);
        mapping.verified = Some(run.now);
        mapping.linked = true;
        mapping.owner = owner(record);
        mapping.organizer = is_organizer(run, record);
        if !self.store.capabilities().custom_properties {
            mapping.regarding = item.link.regarding.as_ref().map(ToString::to_string);
        }
        let mapping = mapping.clone();
        // A plug-in of the server may have changed what was just written: that is a change again.
        let base = self.base(&mapping, item);
        let left = self.plan_pair(run, pair, base.as_ref(), (item, record));
        // What a store made of a value in its own way is no reason to write it once more.
        let rewritten = self.store.capabilities().rewrites;
        let settled = left.to_crm.is_empty() && (left.to_outlook.is_empty() || rewritten);
        let left = (!settled).then(|| CachedChange {
            crm: ChangeCode::Update,
            crm_time: Some(modified_on(record)),
            crm_version: mapping.crm_version,
            ..CachedChange::default()
        });
        Note { mapping, left }
    }

    fn keep_notes(&mut self, notes: Vec<Note>) -> Result<(), EngineError> {
        if notes.is_empty() {
            return Ok(());
        }
        let made = std::mem::take(&mut self.made);
        let fresh = &mut self.fresh;
        self.cache.write_unflushed(|tx| {
            for (run_id, row) in &made {
                tx.add_undo(*run_id, row)?;
            }
            for Note { mapping, left } in notes {
                let map_id = tx.put_mapping(&mapping)?;
                tx.remove_change(map_id)?;
                if let Some(run_id) = fresh.remove(&map_id) {
                    let (change_key, version) = (mapping.change_key, mapping.crm_version);
                    let json = Written::InStep { change_key, version }.to_json();
                    tx.add_undo(run_id, &UndoRow { map_id, json })?;
                }
                if let Some(change) = left {
                    tx.put_change(&CachedChange { map_id, ..change })?;
                }
            }
            Ok(())
        })?;
        Ok(())
    }
}
