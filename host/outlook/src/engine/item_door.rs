//! Writes of items: conditional where the store can, noted for undoing before they are made.
//!
//! Never decides what to write.

use super::undo::Written;
use super::{Engine, EngineError, Run};
use crate::item::{ChangeKey, EntryId, Item};
use crate::link::{LinkProperties, LinkState, Regarding};
use crate::mail_store::{ItemPatch, MailStoreError, NewItem};
use crate::mapping::TableMapping;
use offstage_store::Mapping;

impl Engine {
    /// Items as they are now; `None` for one that is gone. Where items cannot carry their tie, it
    /// is the cache's.
    pub(super) fn items(&mut self, ids: &[EntryId]) -> Result<Vec<Option<Item>>, EngineError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut items = self.store.read(ids)?;
        if !self.store.capabilities().custom_properties {
            for item in items.iter_mut().flatten() {
                let mapping = self.pair_of(&item.entry_id)?;
                item.link = mapping.as_ref().map(cached_tie).unwrap_or_default();
            }
        }
        Ok(items)
    }

    /// The tie of an item to its record.
    pub(super) fn tie(
        &self,
        run: &Run,
        (mapping, table): (&Mapping, &TableMapping),
        (before, item): (&LinkProperties, Option<&EntryId>),
        original_xml: String,
    ) -> LinkProperties {
        LinkProperties {
            crm_id: Some(mapping.crm_id),
            state: Some(LinkState::Tracked),
            organization: Some(run.client.organization),
            object_type: Some(table.object_type),
            entry_id: item.cloned(),
            regarding: before.regarding.clone(),
            original_xml: Some(original_xml),
        }
    }

    /// Changes an item, if it is still as it was read.
    pub(super) fn write_item(
        &mut self,
        run: &Run,
        map_id: i64,
        item: &Item,
        mut patch: ItemPatch,
    ) -> Result<Item, EngineError> {
        let before = item.link.clone();
        let capabilities = self.store.capabilities().clone();
        // Kept in the cache with the note that the pair is in step.
        let kept = if capabilities.custom_properties { None } else { patch.link.take() };
        let as_sent = (capabilities.answers_as_sent).then(|| patched(item, &patch).properties);
        let with_tie = |mut item: Item| {
            // What the store made of an earlier write is looked at when the item is read again.
            if let Some(properties) = as_sent {
                item.properties = properties;
            }
            if let Some(link) = kept {
                item.link = link;
            } else if !capabilities.custom_properties {
                item.link = before.clone();
            }
            item
        };
        if patch.is_empty() {
            return Ok(with_tie(item.clone()));
        }
        if !patch.properties.is_empty() {
            let after = patched(item, &patch);
            self.note_written(run, map_id, &Written::item(Some(item), Some(&after)))?;
        }
        let id = &item.entry_id;
        if capabilities.answers_as_sent {
            self.sent.changed(id, &patch);
        }
        if capabilities.conditional_write {
            return Ok(with_tie(self.store.update(id, Some(&item.change_key), &patch)?));
        }
        let now = self.items(std::slice::from_ref(id))?.pop().flatten();
        match now {
            None => Err(MailStoreError::Gone { entry_id: id.clone() }.into()),
            Some(now) if now.change_key != item.change_key => {
                Err(MailStoreError::Conflict { entry_id: id.clone() }.into())
            }
            Some(_) => Ok(with_tie(self.store.update(id, None, &patch)?)),
        }
    }

    /// Makes an item.
    pub(super) fn make_item(
        &mut self,
        run: &Run,
        map_id: i64,
        new: &NewItem,
    ) -> Result<Item, EngineError> {
        let made = self.store.create(new)?;
        self.fresh.insert(map_id, run.run_id);
        if self.store.capabilities().answers_as_sent {
            self.sent.made(&made.entry_id, new);
            return Ok(made);
        }
        // Kept with the note that the pair is in step, in one transaction.
        let json = Written::item(None, Some(&made)).to_json();
        self.made.push((run.run_id, offstage_store::UndoRow { map_id, json }));
        Ok(made)
    }

    /// Deletes an item, if it is still as it was read.
    pub(super) fn drop_item(
        &mut self,
        run: &Run,
        map_id: i64,
        item: &Item,
    ) -> Result<(), EngineError> {
        self.note_written(run, map_id, &Written::item(Some(item), None))?;
        let expected = self.condition(item);
        Ok(self.store.delete(&item.entry_id, expected)?)
    }

    /// The key on which a write of the item depends, where the store can do that.
    pub(super) fn condition<'a>(&self, item: &'a Item) -> Option<&'a ChangeKey> {
        self.store.capabilities().conditional_write.then_some(&item.change_key)
    }

    pub(super) fn note_written(
        &mut self,
        run: &Run,
        map_id: i64,
        written: &Written,
    ) -> Result<(), EngineError> {
        let row = offstage_store::UndoRow { map_id, json: written.to_json() };
        Ok(self.cache.write_unflushed(|tx| tx.add_undo(run.run_id, &row))?)
    }
}

/// The tie that the cache keeps for an item that cannot carry it.
fn cached_tie(mapping: &Mapping) -> LinkProperties {
    if !mapping.linked {
        return LinkProperties::default();
    }
    LinkProperties {
        crm_id: Some(mapping.crm_id),
        state: Some(LinkState::Tracked),
        object_type: Some(mapping.object_type),
        entry_id: mapping.entry_id.as_deref().map(EntryId::new),
        regarding: mapping.regarding.as_deref().and_then(Regarding::parse),
        original_xml: mapping.original_xml.clone(),
        ..LinkProperties::default()
    }
}

/// The item as it will be.
fn patched(item: &Item, patch: &ItemPatch) -> Item {
    let mut after = item.clone();
    for (property, value) in &patch.properties {
        match value {
            Some(value) => drop(after.properties.insert(*property, value.clone())),
            None => drop(after.properties.remove(property)),
        }
    }
    if let Some(link) = &patch.link {
        after.link = link.clone();
    }
    after
}
