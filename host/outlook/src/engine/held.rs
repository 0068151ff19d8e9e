//! Changes that wait for a person: looked at, let go on, tied to a record, or dropped.
//!
//! Nothing waits that was not put there with a reason.

use super::duplicates::{APPROVED, HELD_DUPLICATE};
use super::report::Report;
use super::undo::HELD_UNDONE;
use super::{Engine, EngineError, Trigger};
use crate::item::EntryId;
use crate::link::{LinkProperties, LinkState};
use crate::mail_store::ItemPatch;
use crate::mapping::of_object_type;
use offstage_model::{EntityReference, Fault, Timestamp, Uuid, code};
use offstage_store::{CachedChange, ChangeCode, Mapping, MappingKey};

/// A change that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldView {
    /// The number of the pair.
    pub pair: i64,
    /// Why it waits: `deletions`, `duplicate`, `refused`, `failing` or `undone`.
    pub kind: String,
    /// The reason.
    pub reason: String,
    /// The record's table.
    pub table: &'static str,
    /// The record.
    pub record: Uuid,
    /// The item.
    pub item: Option<String>,
}

impl Engine {
    /// The changes that wait.
    ///
    /// # Errors
    /// The cache fails.
    pub fn held(&mut self) -> Result<Vec<HeldView>, EngineError> {
        let found = self.cache.write(|tx| {
            let mut found = Vec::new();
            for change in tx.changes()?.into_iter().filter(|change| change.held.is_some()) {
                if let Some(mapping) = tx.mapping(MappingKey::Map(change.map_id))? {
                    found.push((change, mapping));
                }
            }
            Ok(found)
        })?;
        let views = found.into_iter().filter_map(|(change, mapping)| {
            Some(HeldView {
                pair: mapping.map_id,
                kind: change.held?,
                reason: change.reason.unwrap_or_default(),
                table: of_object_type(mapping.object_type)?.table,
                record: mapping.crm_id,
                item: mapping.entry_id,
            })
        });
        Ok(views.collect())
    }

    /// Lets changes go on: deletions are made, a duplicate becomes a record of its own, what was
    /// refused is tried again, an undone pair is brought in step from what is there. `None` releases all of them.
    ///
    /// # Errors
    /// There is no such change.
    pub fn release(&mut self, pair: Option<i64>) -> Result<Report, EngineError> {
        for (mut change, _) in self.waiting(pair)? {
            change.held = None;
            change.reason = Some(APPROVED.to_owned());
            change.attempts = 0;
            change.next_attempt = Timestamp::default();
            self.cache.write(|tx| tx.put_change(&change))?;
        }
        self.synchronise(Trigger::Manual)
    }

    /// Ties a duplicate to the record that was found.
    ///
    /// # Errors
    /// The change does not wait for that.
    pub fn tie_duplicate(&mut self, pair: i64) -> Result<Report, EngineError> {
        let (mut change, mut mapping) = self.waiting(Some(pair))?.remove(0);
        let found = change.reason.as_deref().and_then(reference);
        let Some(found) = found.filter(|_| change.held.as_deref() == Some(HELD_DUPLICATE)) else {
            let text = format!("The change of pair {pair} is no duplicate.");
            return Err(Fault::new(code::WRONG_STATE, text)
                .hint("`offstage outlook held list` shows why each one waits.")
                .into());
        };
        let object_type = mapping.object_type;
        let taken = self.cache.write(|tx| tx.mapping(MappingKey::Record(found.id, object_type)))?;
        if let Some(other) = taken.filter(|other| other.linked && other.entry_id.is_some()) {
            let text =
                format!("The record {found} is tied to another item, pair {}.", other.map_id);
            return Err(Fault::new(code::WRONG_STATE, text)
                .hint("Un-track that item first, or let this one have a record of its own: `offstage outlook held release` with its number.")
                .into());
        }
        mapping.crm_id = found.id;
        change.held = None;
        change.reason = None;
        self.cache.write(|tx| {
            // What was left of a pair that has no item.
            if let Some(other) = tx.mapping(MappingKey::Record(found.id, object_type))? {
                tx.forget(other.map_id)?;
            }
            tx.put_mapping(&mapping)?;
            tx.put_change(&change)
        })?;
        self.synchronise(Trigger::Manual)
    }

    /// Drops changes: a deletion is not passed on and the pair is un-linked, and so is an undone one,
    /// which would otherwise be brought in step again; any other change is forgotten until the next
    /// one.
    ///
    /// # Errors
    /// There is no such change.
    pub fn drop_held(&mut self, pair: Option<i64>) -> Result<usize, EngineError> {
        let waiting = self.waiting(pair)?;
        let count = waiting.len();
        for (change, mut mapping) in waiting {
            let deletes = change.outlook == ChangeCode::Delete || change.crm == ChangeCode::Delete;
            let never_made = change.outlook == ChangeCode::Create && mapping.change_key.is_none();
            let undone = change.held.as_deref() == Some(HELD_UNDONE);
            if deletes || never_made || undone {
                mapping.linked = false;
            }
            if never_made {
                self.take_wish_back(&mapping)?;
            }
            self.cache.write(|tx| {
                tx.put_mapping(&mapping)?;
                tx.remove_change(mapping.map_id)
            })?;
        }
        Ok(count)
    }

    /// An item that nothing was made of is not to be tracked any more: otherwise the next scan would
    /// ask again.
    fn take_wish_back(&mut self, mapping: &Mapping) -> Result<(), EngineError> {
        if !self.store.capabilities().custom_properties {
            return Ok(());
        }
        let Some(id) = mapping.entry_id.as_deref().map(EntryId::new) else { return Ok(()) };
        let item = self.items(std::slice::from_ref(&id))?.pop().flatten();
        let Some(item) = item.filter(|item| item.link.state == Some(LinkState::Pending)) else {
            return Ok(());
        };
        let patch = ItemPatch { link: Some(LinkProperties::default()), ..ItemPatch::default() };
        let expected = self.condition(&item).cloned();
        self.store.update(&id, expected.as_ref(), &patch)?;
        Ok(())
    }

    fn waiting(&mut self, pair: Option<i64>) -> Result<Vec<(CachedChange, Mapping)>, EngineError> {
        let found = self.cache.write(|tx| {
            let mut found = Vec::new();
            for change in tx.changes()? {
                let wanted = change.held.is_some() && pair.is_none_or(|pair| pair == change.map_id);
                if wanted && let Some(mapping) = tx.mapping(MappingKey::Map(change.map_id))? {
                    found.push((change, mapping));
                }
            }
            Ok(found)
        })?;
        match (found.is_empty(), pair) {
            (true, Some(pair)) => {
                let text = format!("No change of pair {pair} waits.");
                Err(Fault::new(code::NOT_FOUND, text)
                    .hint("`offstage outlook held list` shows those that do.")
                    .into())
            }
            _ => Ok(found),
        }
    }

    /// The pair of an item.
    pub(super) fn pair_of(&mut self, id: &EntryId) -> Result<Option<Mapping>, EngineError> {
        Ok(self.cache.write(|tx| tx.mapping(MappingKey::Item(id.as_str())))?)
    }
}

/// Reads `table(id)`.
fn reference(text: &str) -> Option<EntityReference> {
    let (table, id) = text.strip_suffix(')')?.split_once('(')?;
    Some(EntityReference::new(table, Uuid::parse_str(id).ok()?))
}
