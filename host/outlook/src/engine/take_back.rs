//! Takes back single writes of a run that is undone.
//!
//! Every write looks first at what is there now, goes under the condition that it still is, and may
//! be repeated. A pair of which one side goes is parted before that: the deletion is the engine's
//! own, and must never be passed on.

use super::crash::crash_point;
use super::undo::{HELD_UNDONE, ItemForm, PartiesForm, UndoReport};
use super::{Engine, EngineError, Run};
use crate::convert::Record;
use crate::item::{EntryId, FolderId, Item, ItemKind};
use crate::link::LinkProperties;
use crate::mail_store::{ItemPatch, MailStoreError, NewItem, Presence};
use crate::mapping::{TableMapping, of_object_type, of_table};
use crate::property::{Properties, Property};
use offstage_model::entity::Attributes;
use offstage_model::identity::{digest, guid_of};
use offstage_model::{Entity, EntityReference, Fault, Parameter, Request, Uuid, Value, code};
use offstage_store::{CachedChange, ChangeCode, Mapping, MappingKey};

/// What the two sides of a pair were when a run had made one of them.
#[derive(Clone, Copy)]
pub(super) struct Stamp<'a> {
    pub(super) change_key: Option<&'a str>,
    pub(super) version: u64,
}

/// A write of a run: of which pair, and its number, the last one first.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub(super) map_id: i64,
    pub(super) number: usize,
}

/// An undoing: the run that is undone, and what it came to so far.
pub(super) struct Undoing {
    pub(super) run: Run,
    pub(super) report: UndoReport,
}

impl Undoing {
    fn left(&mut self, text: String) {
        self.report.left.push(text);
    }

    /// An id that follows from the write, so that a repeat makes the same thing.
    fn id_at(&self, at: At, what: &[u8]) -> Uuid {
        let run = self.run.run_id.to_be_bytes();
        let number = (at.number as u64).to_be_bytes();
        let client = self.run.client.client;
        let parts: [&[u8]; 6] =
            [b"outlook-undo", client.as_bytes(), &run, &at.map_id.to_be_bytes(), &number, what];
        guid_of(digest(&parts))
    }
}

/// An item as an undoing finds it.
enum Found {
    Item(Box<Item>),
    Gone,
    Moved,
    /// The store has it, or does not say, and does not show it.
    Hidden,
}

impl Engine {
    fn find_item(&mut self, id: &EntryId) -> Result<Found, EngineError> {
        if let Some(item) = self.items(std::slice::from_ref(id))?.pop().flatten() {
            return Ok(Found::Item(Box::new(item)));
        }
        Ok(match self.store.presence(std::slice::from_ref(id))?.pop() {
            Some(Presence::Gone) => Found::Gone,
            Some(Presence::Moved(_)) => Found::Moved,
            Some(Presence::There | Presence::Unknown) | None => Found::Hidden,
        })
    }

    /// Deletes an item that the run made.
    pub(super) fn unmake_item(
        &mut self,
        undoing: &mut Undoing,
        at: At,
        after: &ItemForm,
        stamp: Option<Stamp<'_>>,
    ) -> Result<(), EngineError> {
        let id = EntryId::new(after.entry_id.clone());
        let item = match self.find_item(&id)? {
            Found::Gone => None,
            Found::Item(item) => Some(item),
            Found::Moved => {
                undoing.left(format!("The item {id} was moved since; it stays."));
                return Ok(());
            }
            Found::Hidden => {
                undoing.left(format!("The mail store does not show the item {id}; it stays."));
                return Ok(());
            }
        };
        let changed = format!("The item {id} was changed since; it stays.");
        if let Some(item) = &item {
            let pair = self.pair_of(&id)?.is_none_or(|pair| pair.map_id == at.map_id);
            let key = Some(item.change_key.as_str());
            if !pair || stamp.is_none_or(|stamp| stamp.change_key != key) {
                undoing.left(changed);
                return Ok(());
            }
        }
        let known = self.part_undone(at.map_id, |mapping, change| {
            mapping.entry_id = None;
            mapping.change_key = None;
            mapping.original_xml = None;
            mapping.deleted_locally = false;
            mapping.linked = true;
            (change.outlook, change.crm) = (ChangeCode::None, ChangeCode::Create);
        })?;
        crash_point!("undo.parted");
        if let Some(item) = item {
            let expected = self.condition(&item).cloned();
            match self.store.delete(&id, expected.as_ref()) {
                Err(MailStoreError::Conflict { .. }) => {
                    self.rejoin(known)?;
                    undoing.left(changed);
                    return Ok(());
                }
                Err(MailStoreError::Gone { .. }) | Ok(()) => {}
                Err(error) => return Err(error.into()),
            }
            crash_point!("undo.written");
        }
        undoing.report.undone += 1;
        Ok(())
    }

    /// Deletes a record that the run made; the item that it was made of stays, untied.
    pub(super) fn unmake_record(
        &mut self,
        undoing: &mut Undoing,
        at: At,
        row: &EntityReference,
        stamp: Option<Stamp<'_>>,
    ) -> Result<(), EngineError> {
        let table = of_table(&row.table).ok_or_else(|| Fault::unknown_table(&row.table))?;
        let now = self.record(table, row.id)?;
        let version = now.as_ref().map(super::merge::version);
        let changed = format!("{row} was changed since; it stays.");
        if version.is_some_and(|now| stamp.is_none_or(|stamp| stamp.version != now)) {
            undoing.left(changed);
            return Ok(());
        }
        let mapping = self.cache.write(|tx| tx.mapping(MappingKey::Map(at.map_id)))?;
        let item = mapping.and_then(|mapping| mapping.entry_id).map(EntryId::new);
        if let Some(id) = item
            && !self.untie(&id, row.id)?
        {
            undoing.left(format!("The item {id} was changed meanwhile; {row} stays."));
            return Ok(());
        }
        crash_point!("undo.tied");
        // It keeps the id until the record is gone: a run in between would take that for a new one.
        let known = self.part_undone(at.map_id, |mapping, change| {
            mapping.linked = false;
            mapping.change_key = None;
            (change.outlook, change.crm) = (ChangeCode::Create, ChangeCode::None);
        })?;
        crash_point!("undo.parted");
        if let Some(version) = version {
            let request = strict(Request::delete(&row.table, row.id)).with(
                "RowVersion",
                Parameter::Value(Value::BigInt(i64::try_from(version).unwrap_or(i64::MAX))),
            );
            if self.send_if_unchanged(&undoing.run, version, vec![request])?.is_none() {
                self.rejoin(known)?;
                undoing.left(changed);
                return Ok(());
            }
            crash_point!("undo.written");
        }
        let fresh = undoing.id_at(at, b"record");
        self.part_undone(at.map_id, |mapping, change| begin(mapping, change, fresh))?;
        undoing.report.undone += 1;
        Ok(())
    }

    /// Takes the tie to a record from an item; `false` when it was changed in between.
    fn untie(&mut self, id: &EntryId, record: Uuid) -> Result<bool, EngineError> {
        let Found::Item(item) = self.find_item(id)? else { return Ok(true) };
        if !self.store.capabilities().custom_properties || item.link.crm_id != Some(record) {
            return Ok(true);
        }
        let patch = ItemPatch { link: Some(untied(&item.link)), ..ItemPatch::default() };
        self.update_if_unchanged(&item, &patch)
    }

    /// Makes an item again that the run deleted.
    pub(super) fn remake_item(
        &mut self,
        undoing: &mut Undoing,
        at: At,
        before: &ItemForm,
    ) -> Result<(), EngineError> {
        let Some(kind) = ItemKind::named(&before.kind) else { return Ok(()) };
        let mapping = self.cache.write(|tx| tx.mapping(MappingKey::Map(at.map_id)))?;
        let pair = mapping.and_then(|m| Some((of_object_type(m.object_type)?, m.crm_id)));
        let record = match pair {
            Some((table, id)) => self.record(table, id)?,
            None => None,
        };
        let tie = LinkProperties { entry_id: None, ..before.link() };
        let link = if record.is_some() { tie } else { untied(&tie) };
        let carries = self.store.capabilities().custom_properties;
        let properties: Properties =
            before.state().values().map(|(p, value)| (p, value.clone())).collect();
        let made = self.store.create(&NewItem {
            kind,
            folder: Some(FolderId::new(before.folder.clone())),
            properties,
            link: if carries { link } else { LinkProperties::default() },
            transaction: undoing.id_at(at, b"item"),
        })?;
        crash_point!("undo.written");
        let fresh = undoing.id_at(at, b"record");
        self.part_undone(at.map_id, |mapping, change| {
            mapping.entry_id = Some(made.entry_id.as_str().to_owned());
            mapping.change_key = None;
            mapping.deleted_locally = false;
            match record {
                Some(_) => {
                    mapping.linked = true;
                    (change.outlook, change.crm) = (ChangeCode::Update, ChangeCode::None);
                }
                None => begin(mapping, change, fresh),
            }
        })?;
        undoing.left(format!(
            "The item {} is back without what is not kept of one, such as a picture or attachments.",
            made.entry_id
        ));
        undoing.report.undone += 1;
        Ok(())
    }

    /// Makes a record again that the run deleted.
    pub(super) fn remake_record(
        &mut self,
        undoing: &mut Undoing,
        at: At,
        (table, before): (&TableMapping, &Entity),
        parties: Option<&PartiesForm>,
    ) -> Result<(), EngineError> {
        let id = before.id.unwrap_or_default();
        let mapping = self.cache.write(|tx| tx.mapping(MappingKey::Map(at.map_id)))?;
        let item = mapping.and_then(|mapping| mapping.entry_id).map(EntryId::new);
        let gone = match &item {
            Some(id) => matches!(self.find_item(id)?, Found::Gone),
            None => true,
        };
        self.part_undone(at.map_id, |mapping, change| {
            (change.outlook, change.crm) = (ChangeCode::Update, ChangeCode::None);
            if gone {
                // The deletion of the item was passed on by the run: it is not passed on again.
                mapping.entry_id = None;
                mapping.change_key = None;
                (change.outlook, change.crm) = (ChangeCode::None, ChangeCode::Create);
            }
        })?;
        crash_point!("undo.parted");
        if self.record(table, id)?.is_none() {
            let mut target = before.clone();
            target.version = None;
            let system = ["createdon", "modifiedon", "createdby", "modifiedby"];
            target.attributes.retain(|column, _| !system.contains(&column.as_str()));
            // A new row is always in its first state.
            let state: Attributes = ["statecode", "statuscode"]
                .into_iter()
                .filter_map(|column| target.attributes.remove_entry(column))
                .collect();
            let over = state.get("statecode").and_then(Value::as_option) != Some(0);
            let mut requests = vec![Request::create(target)];
            let taken = parties.map(|parties| parties.taken.clone()).unwrap_or_default();
            requests.extend(taken.into_iter().map(Request::create));
            if over && !state.is_empty() {
                let row = Entity { attributes: state, ..Entity::with_id(table.table, id) };
                requests.push(Request::update(row));
            }
            // The version makes it another operation than an earlier undoing of the same record.
            self.send(&undoing.run, before.version.unwrap_or(0), requests)?;
            crash_point!("undo.written");
        }
        undoing.report.undone += 1;
        Ok(())
    }

    /// Puts back every property that still has the value that was written.
    pub(super) fn unpatch(
        &mut self,
        undoing: &mut Undoing,
        before: &ItemForm,
        after: &ItemForm,
    ) -> Result<(), EngineError> {
        let id = EntryId::new(after.entry_id.clone());
        let item = match self.find_item(&id)? {
            Found::Item(item) => item,
            Found::Gone => {
                undoing.left(format!("The item {id} is gone."));
                return Ok(());
            }
            Found::Moved | Found::Hidden => {
                undoing.left(format!("The mail store does not show the item {id}; it stays."));
                return Ok(());
            }
        };
        let (old, new, now) = (before.state(), after.state(), ItemForm::of(&item).state());
        let mut patch = ItemPatch::default();
        let mut kept = Vec::new();
        for property in Property::ALL.iter().copied() {
            let (old, new, now) = (old.get(property), new.get(property), now.get(property));
            // A repeat finds that it went back already.
            if old == new || now == old {
                continue;
            }
            if now == new {
                patch.properties.insert(property, old.cloned());
            } else {
                kept.push(property.name());
            }
        }
        if self.store.capabilities().custom_properties {
            let (old, new, now) = (before.link(), after.link(), &item.link);
            match same_tie(&new, now) || same_tie(&old, now) {
                true => patch.link = Some(old).filter(|old| old != now),
                false => kept.push("what it is tied to"),
            }
        }
        if !patch.is_empty() && !self.update_if_unchanged(&item, &patch)? {
            undoing.left(format!("The item {id} was changed meanwhile; it stays."));
            return Ok(());
        }
        crash_point!("undo.written");
        match kept.is_empty() {
            true => undoing.report.undone += 1,
            false => {
                undoing.left(format!("The item {id} was changed since; {} stays.", kept.join(", ")))
            }
        }
        Ok(())
    }

    /// Puts back every column of a record that still has the value that was written, and its
    /// participants.
    pub(super) fn rewrite_record(
        &mut self,
        undoing: &mut Undoing,
        table: &TableMapping,
        (before, after): (&Entity, &Attributes),
        parties: Option<&PartiesForm>,
    ) -> Result<(), EngineError> {
        let row = EntityReference::new(table.table, before.id.unwrap_or_default());
        let Some(now) = self.record(table, row.id)? else {
            undoing.left(format!("{row} is gone."));
            return Ok(());
        };
        let version = now.entity.version;
        let mut target = Entity { version, ..Entity::with_id(table.table, row.id) };
        let mut kept = Vec::new();
        for (column, new) in after {
            let (old, now) = (before.value(column), now.entity.value(column));
            if now.same(old) {
                continue;
            }
            if now.same(new) {
                target.attributes.insert(column.clone(), old.clone());
            } else {
                kept.push(column.as_str());
            }
        }
        let mut requests = Vec::new();
        if !target.attributes.is_empty() {
            requests.push(strict(Request::update(target)));
        }
        requests.extend(parties.map(|form| back_to(&now, form)).unwrap_or_default());
        if self.send_if_unchanged(&undoing.run, version.unwrap_or(0), requests)?.is_none() {
            undoing.left(format!("{row} was changed meanwhile; it stays."));
            return Ok(());
        }
        crash_point!("undo.written");
        match kept.is_empty() {
            true => undoing.report.undone += 1,
            false => undoing.left(format!("{row} was changed since; {} stays.", kept.join(", "))),
        }
        Ok(())
    }

    /// Sends requests whose condition may fail; `None` when it did.
    fn send_if_unchanged(
        &mut self,
        run: &Run,
        version: u64,
        requests: Vec<Request>,
    ) -> Result<Option<()>, EngineError> {
        match self.send(run, version, requests) {
            Err(EngineError::Crm(fault)) if fault.code == code::VERSION_MISMATCH => Ok(None),
            other => other.map(Some),
        }
    }

    /// Writes an item as it was read; `false` when it was changed in between.
    fn update_if_unchanged(&mut self, item: &Item, patch: &ItemPatch) -> Result<bool, EngineError> {
        let expected = self.condition(item).cloned();
        match self.store.update(&item.entry_id, expected.as_ref(), patch) {
            Ok(_) => Ok(true),
            Err(MailStoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Changes what the cache says of an undone pair; returns what it said.
    fn part_undone(
        &mut self,
        map_id: i64,
        part: impl FnOnce(&mut Mapping, &mut CachedChange),
    ) -> Result<Option<(Mapping, CachedChange)>, EngineError> {
        Ok(self.cache.write(|tx| {
            let Some(mut mapping) = tx.mapping(MappingKey::Map(map_id))? else { return Ok(None) };
            let held = Some(HELD_UNDONE.to_owned());
            let change = tx.change(map_id)?;
            let mut change =
                change.unwrap_or_else(|| CachedChange { map_id, held, ..CachedChange::default() });
            let known = (mapping.clone(), change.clone());
            part(&mut mapping, &mut change);
            tx.put_mapping(&mapping)?;
            tx.put_change(&change)?;
            Ok(Some(known))
        })?)
    }

    /// Takes a parting back.
    fn rejoin(&mut self, known: Option<(Mapping, CachedChange)>) -> Result<(), EngineError> {
        let Some((mapping, change)) = known else { return Ok(()) };
        self.cache.write(|tx| {
            tx.put_mapping(&mapping)?;
            tx.put_change(&change)
        })?;
        Ok(())
    }
}

/// The pair is an item of which no record was made yet. The id is another one: the deletion of the
/// record that was is no business of the pair, and what is made again must be another record.
fn begin(mapping: &mut Mapping, change: &mut CachedChange, fresh: Uuid) {
    mapping.crm_id = fresh;
    mapping.linked = false;
    mapping.crm_version = 0;
    mapping.change_key = None;
    mapping.original_xml = None;
    (change.outlook, change.crm) = (ChangeCode::Create, ChangeCode::None);
}

/// No tie; what the item is about was the user's choice.
fn untied(link: &LinkProperties) -> LinkProperties {
    LinkProperties { regarding: link.regarding.clone(), ..LinkProperties::default() }
}

/// Whether two ties name the same record, in the same state, about the same.
fn same_tie(one: &LinkProperties, other: &LinkProperties) -> bool {
    one.crm_id == other.crm_id && one.state == other.state && one.regarding == other.regarding
}

fn strict(request: Request) -> Request {
    request.with("ConcurrencyBehavior", Parameter::Value(Value::Option(1)))
}

/// The requests that take out again who was added, and bring back who was taken out.
fn back_to(now: &Record, form: &PartiesForm) -> Vec<Request> {
    let there = |id: Uuid| now.parties.iter().any(|party| party.row == id);
    let added = form.added.iter().filter(|id| there(**id));
    let added = added.map(|id| Request::delete("activityparty", *id));
    let taken = form.taken.iter().filter(|row| row.id.is_some_and(|id| !there(id)));
    added.chain(taken.cloned().map(Request::create)).collect()
}
