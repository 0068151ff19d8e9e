//! Undoing a run: every write of it was noted before it was made, and is taken back as far as the
//! value is still the one that was written.
//!
//! Both sides go back, and the pairs wait for a person, because the next run would do the same again.

use super::{Engine, EngineError, Run};
use crate::convert::Options;
use crate::item::{EntryId, FolderId, Item, ItemKind};
use crate::link::LinkProperties;
use crate::mail_store::{ItemPatch, NewItem};
use crate::mapping::of_object_type;
use crate::original;
use crate::property::Properties;
use crate::state::State;
use jiff::tz::TimeZone;
use offstage_model::entity::Attributes;
use offstage_model::{Entity, EntityReference, Fault, Request, Uuid, code};
use offstage_store::{CachedChange, MappingKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The word under which undone pairs wait.
pub(super) const HELD_UNDONE: &str = "undone";

/// An item, as it is kept for undoing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ItemForm {
    entry_id: String,
    kind: String,
    folder: String,
    xml: String,
    link: Vec<(String, String)>,
}

impl ItemForm {
    fn of(item: &Item) -> Self {
        let mut state = State::default();
        for (property, value) in &item.properties {
            state.set(*property, Some(value.clone()));
        }
        let named = item.link.to_named();
        Self {
            entry_id: item.entry_id.as_str().to_owned(),
            kind: item.kind.name().to_owned(),
            folder: item.folder.as_str().to_owned(),
            xml: original::write(item.kind.name(), &state, 0),
            link: named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }

    fn state(&self) -> State {
        original::read(&self.xml).unwrap_or_default().state
    }

    fn link(&self) -> LinkProperties {
        LinkProperties::from_named(self.link.iter().map(|(n, v)| (n.as_str(), v.as_str())))
    }
}

/// One write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Written {
    /// Of an item: absent before when it was made, absent after when it was deleted.
    Item { before: Option<Box<ItemForm>>, after: Option<Box<ItemForm>> },
    /// Of OriginalXML in the cache: what it was.
    Base { before: Option<String> },
    /// Of a record.
    Record { table: String, id: Uuid, before: Option<Entity>, after: Option<Attributes> },
}

impl Written {
    pub(super) fn item(before: Option<&Item>, after: Option<&Item>) -> Self {
        let form = |item: &Item| Box::new(ItemForm::of(item));
        Self::Item { before: before.map(form), after: after.map(form) }
    }

    pub(super) fn record(before: &Entity, after: &Attributes) -> Self {
        Self::Record {
            table: before.table.clone(),
            id: before.id.unwrap_or_default(),
            before: Some(before.clone()),
            after: Some(after.clone()),
        }
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("BUG: an undo entry has a JSON form")
    }
}

/// What undoing came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UndoReport {
    /// The run.
    pub run: i64,
    /// Writes that were taken back.
    pub undone: usize,
    /// What was not taken back, and why.
    pub left: Vec<String>,
}

impl Engine {
    /// Undoes a run.
    ///
    /// # Errors
    /// There is no such run, or it was undone; the server or the mailbox does not answer, and what
    /// is left can be undone by a repeat.
    pub fn undo(&mut self, run_id: i64) -> Result<UndoReport, EngineError> {
        let runs = self.cache.write(|tx| tx.runs(usize::MAX))?;
        let known = runs.into_iter().find(|run| run.run_id == run_id);
        let known = known.ok_or_else(|| {
            Fault::new(code::NOT_FOUND, format!("There is no run {run_id}."))
                .hint("`offstage outlook status` shows the last runs.")
        })?;
        if known.undone {
            let text = format!("Run {run_id} was undone already.");
            return Err(Fault::new(code::WRONG_STATE, text).into());
        }
        let run = self.undo_run()?;
        let mut report = UndoReport { run: run_id, ..UndoReport::default() };
        let mut pairs = BTreeSet::new();
        for row in self.cache.write(|tx| tx.undo_rows(run_id))? {
            let written: Written = serde_json::from_str(&row.json)
                .map_err(|source| EngineError::Unreadable { what: "undo entry", source })?;
            let left = match &written {
                Written::Item { before, after } => {
                    self.undo_item(row.map_id, before.as_deref(), after.as_deref())?
                }
                Written::Base { before } => {
                    self.undo_base(row.map_id, before.clone())?;
                    continue;
                }
                Written::Record { table, id, before, after } => {
                    let row = EntityReference::new(table.clone(), *id);
                    self.undo_record(&run, &row, before.as_ref(), after.as_ref())?
                }
            };
            pairs.insert(row.map_id);
            match left {
                None => report.undone += 1,
                Some(reason) => report.left.push(reason),
            }
        }
        for map_id in pairs {
            self.hold_undone(map_id, run_id)?;
        }
        self.cache.write(|tx| tx.mark_undone(run_id))?;
        Ok(report)
    }

    fn undo_run(&mut self) -> Result<Run, EngineError> {
        let client = self.client()?.ok_or_else(super::not_registered)?;
        let now = self.clock.now();
        let options = Options { zone: TimeZone::UTC, update_company: false };
        let settings = self.settings()?;
        Ok(Run { client, settings, options, run_id: 0, dry: false, now })
    }

    fn undo_item(
        &mut self,
        map_id: i64,
        before: Option<&ItemForm>,
        after: Option<&ItemForm>,
    ) -> Result<Option<String>, EngineError> {
        match (before, after) {
            (Some(before), Some(after)) => self.unpatch(before, after),
            (None, Some(after)) => {
                let id = EntryId::new(after.entry_id.clone());
                let Some(item) = self.items(std::slice::from_ref(&id))?.pop().flatten() else {
                    return Ok(None);
                };
                if ItemForm::of(&item).xml != after.xml {
                    return Ok(Some(format!("The item {id} was changed since; it stays.")));
                }
                let expected = self.condition(&item).cloned();
                self.store.delete(&id, expected.as_ref())?;
                Ok(None)
            }
            (Some(before), None) => {
                let Some(kind) = ItemKind::named(&before.kind) else { return Ok(None) };
                let properties: Properties =
                    before.state().values().map(|(p, value)| (p, value.clone())).collect();
                let made = self.store.create(&NewItem {
                    kind,
                    folder: Some(FolderId::new(before.folder.clone())),
                    properties,
                    link: LinkProperties { entry_id: None, ..before.link() },
                    transaction: self.random.guid(),
                })?;
                self.cache.write(|tx| {
                    let Some(mut mapping) = tx.mapping(MappingKey::Map(map_id))? else {
                        return Ok(());
                    };
                    mapping.entry_id = Some(made.entry_id.as_str().to_owned());
                    mapping.linked = true;
                    mapping.deleted_locally = false;
                    tx.put_mapping(&mapping).map(drop)
                })?;
                Ok(None)
            }
            (None, None) => Ok(None),
        }
    }

    /// Puts back every property that still has the value that was written.
    fn unpatch(
        &mut self,
        before: &ItemForm,
        after: &ItemForm,
    ) -> Result<Option<String>, EngineError> {
        let id = EntryId::new(after.entry_id.clone());
        let Some(item) = self.items(std::slice::from_ref(&id))?.pop().flatten() else {
            return Ok(Some(format!("The item {id} is gone.")));
        };
        let (old, new, now) = (before.state(), after.state(), ItemForm::of(&item).state());
        let mut patch = ItemPatch::default();
        let mut kept = Vec::new();
        for property in crate::property::Property::ALL {
            let property = *property;
            if old.get(property) == new.get(property) {
                continue;
            }
            if now.get(property) == new.get(property) {
                patch.properties.insert(property, old.get(property).cloned());
            } else {
                kept.push(property.name());
            }
        }
        patch.link = Some(before.link());
        let expected = self.condition(&item).cloned();
        self.store.update(&id, expected.as_ref(), &patch)?;
        Ok((!kept.is_empty())
            .then(|| format!("The item {id} was changed since; {} stays.", kept.join(", "))))
    }

    fn undo_base(&mut self, map_id: i64, before: Option<String>) -> Result<(), EngineError> {
        self.cache.write(|tx| {
            if let Some(mut mapping) = tx.mapping(MappingKey::Map(map_id))? {
                mapping.original_xml = before;
                tx.put_mapping(&mapping)?;
            }
            Ok(())
        })?;
        Ok(())
    }

    fn undo_record(
        &mut self,
        run: &Run,
        row: &EntityReference,
        before: Option<&Entity>,
        after: Option<&Attributes>,
    ) -> Result<Option<String>, EngineError> {
        let table =
            crate::mapping::of_table(&row.table).ok_or_else(|| Fault::unknown_table(&row.table))?;
        let now = self.record(table, row.id)?.map(|record| record.entity);
        let version = now.as_ref().and_then(|now| now.version).unwrap_or(0);
        let request = match (before, after, &now) {
            (Some(before), Some(after), Some(now)) => {
                let same = |column: &String| {
                    let new = after.get(column).cloned().unwrap_or_default();
                    now.value(column).same(&new)
                };
                let (back, kept): (Vec<&String>, Vec<&String>) =
                    after.keys().partition(|column| same(column));
                let mut target = Entity::with_id(&*row.table, row.id);
                for column in back {
                    target.attributes.insert(column.clone(), before.value(column).clone());
                }
                if !target.attributes.is_empty() {
                    self.send(run, version, vec![Request::update(target)])?;
                }
                let names: Vec<&str> = kept.iter().map(|column| column.as_str()).collect();
                return Ok((!names.is_empty())
                    .then(|| format!("{row} was changed since; {} stays.", names.join(", "))));
            }
            (None, Some(_), Some(_)) => Request::delete(&row.table, row.id),
            (Some(before), None, None) => {
                let mut target = before.clone();
                target.version = None;
                let system = ["createdon", "modifiedon", "createdby", "modifiedby"];
                target.attributes.retain(|column, _| !system.contains(&column.as_str()));
                Request::create(target)
            }
            (Some(_), Some(_), None) => return Ok(Some(format!("{row} is gone."))),
            _ => return Ok(None),
        };
        self.send(run, version, vec![request])?;
        Ok(None)
    }

    /// An undone pair waits: the next run would do the same again.
    fn hold_undone(&mut self, map_id: i64, run_id: i64) -> Result<(), EngineError> {
        let mapping = self.cache.write(|tx| tx.mapping(MappingKey::Map(map_id)))?;
        let Some(mapping) = mapping else { return Ok(()) };
        if of_object_type(mapping.object_type).is_none() {
            return Ok(());
        }
        self.cache.write(|tx| {
            let known = tx.change(map_id)?;
            let mut change =
                known.unwrap_or_else(|| CachedChange { map_id, ..CachedChange::default() });
            change.outlook = offstage_store::ChangeCode::Update;
            change.held = Some(HELD_UNDONE.to_owned());
            change.reason = Some(format!("run {run_id} was undone"));
            tx.put_change(&change)
        })?;
        Ok(())
    }
}
