//! Undoing a run: every write of it was noted before it was made, and is taken back as far as the
//! value is still the one that was written.
//!
//! Both sides go back, and the pairs wait for a person, because the next run would do the same again.
//! A stop in the middle is mended by a repeat, which makes nothing twice. Never takes away what was
//! there before the run, nor what somebody changed since.

use super::crash::crash_point;
use super::take_back::{At, Stamp, Undoing};
use super::{Engine, EngineError, Run};
use crate::convert::Options;
use crate::item::Item;
use crate::link::LinkProperties;
use crate::mapping::{of_object_type, of_table};
use crate::original;
use crate::state::State;
use jiff::tz::TimeZone;
use offstage_model::entity::Attributes;
use offstage_model::{Entity, EntityReference, Fault, Uuid, code};
use offstage_store::{CachedChange, ChangeCode, MappingKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The word under which undone pairs wait.
pub(super) const HELD_UNDONE: &str = "undone";

/// An item, as it is kept for undoing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ItemForm {
    pub(super) entry_id: String,
    pub(super) kind: String,
    pub(super) folder: String,
    xml: String,
    link: Vec<(String, String)>,
}

impl ItemForm {
    pub(super) fn of(item: &Item) -> Self {
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

    pub(super) fn state(&self) -> State {
        original::read(&self.xml).unwrap_or_default().state
    }

    pub(super) fn link(&self) -> LinkProperties {
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
    Record {
        table: String,
        id: Uuid,
        before: Option<Entity>,
        after: Option<Attributes>,
        #[serde(default)]
        parties: Option<PartiesForm>,
    },
    /// No write: what the two sides of a pair were when the run had made one of them. Whatever is
    /// later than that was changed by somebody.
    InStep { change_key: Option<String>, version: u64 },
}

/// The participants that a write took from a record, as rows, and the ids of those that it added.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct PartiesForm {
    pub(super) taken: Vec<Entity>,
    pub(super) added: Vec<Uuid>,
}

impl Written {
    pub(super) fn item(before: Option<&Item>, after: Option<&Item>) -> Self {
        let form = |item: &Item| Box::new(ItemForm::of(item));
        Self::Item { before: before.map(form), after: after.map(form) }
    }

    pub(super) fn record(before: &Entity, after: &Attributes, parties: PartiesForm) -> Self {
        Self::Record {
            parties: Some(parties),
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
        let run = self.undo_run(run_id)?;
        let mut pairs: BTreeMap<i64, Vec<(usize, Written)>> = BTreeMap::new();
        for (number, row) in self.cache.write(|tx| tx.undo_rows(run_id))?.into_iter().enumerate() {
            let written: Written = serde_json::from_str(&row.json)
                .map_err(|source| EngineError::Unreadable { what: "undo entry", source })?;
            pairs.entry(row.map_id).or_default().push((number, written));
        }
        // Before anything is written: a run that comes in between leaves them alone.
        self.hold_undone(run_id, pairs.keys())?;
        crash_point!("undo.held");
        let mut undoing = Undoing { run, report: UndoReport { run: run_id, ..Default::default() } };
        for (map_id, rows) in &pairs {
            self.undo_pair(&mut undoing, *map_id, rows)?;
        }
        self.cache.write(|tx| tx.mark_undone(run_id))?;
        Ok(undoing.report)
    }

    fn undo_run(&mut self, run_id: i64) -> Result<Run, EngineError> {
        let client = self.client()?.ok_or_else(super::not_registered)?;
        let now = self.clock.now();
        let options = Options { zone: TimeZone::UTC, update_company: false };
        let settings = self.settings()?;
        Ok(Run { client, settings, options, run_id, dry: false, now })
    }

    /// Takes back the writes of one pair, the last one first. Of what the run made nothing but the
    /// making counts: it goes whole, or stays as it is.
    fn undo_pair(
        &mut self,
        undoing: &mut Undoing,
        map_id: i64,
        rows: &[(usize, Written)],
    ) -> Result<(), EngineError> {
        let made_item = rows
            .iter()
            .any(|(_, written)| matches!(written, Written::Item { before: None, after: Some(_) }));
        let made_record = rows.iter().any(|(_, written)| {
            matches!(written, Written::Record { before: None, after: Some(_), .. })
        });
        let stamp = rows.iter().find_map(|(_, written)| match written {
            Written::InStep { change_key, version } => {
                Some(Stamp { change_key: change_key.as_deref(), version: *version })
            }
            _ => None,
        });
        for (number, written) in rows {
            let at = At { map_id, number: *number };
            match written {
                Written::Item { before: None, after: Some(after) } => {
                    self.unmake_item(undoing, at, after, stamp)?;
                }
                Written::Record { table, id, before: None, after: Some(_), .. } => {
                    let row = EntityReference::new(table.clone(), *id);
                    self.unmake_record(undoing, at, &row, stamp)?;
                }
                Written::Item { before: Some(before), after } if !made_item => match after {
                    Some(after) => self.unpatch(undoing, before, after)?,
                    None => self.remake_item(undoing, at, before)?,
                },
                Written::Record { table, before: Some(before), after, parties, .. }
                    if !made_record =>
                {
                    let table = of_table(table).ok_or_else(|| Fault::unknown_table(table))?;
                    match after {
                        Some(after) => {
                            self.rewrite_record(undoing, table, (before, after), parties.as_ref())?;
                        }
                        None => {
                            self.remake_record(undoing, at, (table, before), parties.as_ref())?
                        }
                    }
                }
                Written::Base { before } if !made_item && !made_record => {
                    self.undo_base(map_id, before.clone())?;
                }
                _ => {}
            }
        }
        Ok(())
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

    /// Undone pairs wait: the next run would do the same again. A repeat leaves those that do.
    fn hold_undone<'a>(
        &mut self,
        run_id: i64,
        pairs: impl Iterator<Item = &'a i64>,
    ) -> Result<(), EngineError> {
        self.cache.write(|tx| {
            for map_id in pairs.copied() {
                let Some(mapping) = tx.mapping(MappingKey::Map(map_id))? else { continue };
                let known = tx.change(map_id)?;
                let mut change =
                    known.unwrap_or_else(|| CachedChange { map_id, ..CachedChange::default() });
                let waits = change.held.as_deref() == Some(HELD_UNDONE);
                if waits || of_object_type(mapping.object_type).is_none() {
                    continue;
                }
                change.outlook = ChangeCode::Update;
                change.held = Some(HELD_UNDONE.to_owned());
                change.reason = Some(format!("run {run_id} was undone"));
                tx.put_change(&change)?;
            }
            Ok(())
        })?;
        Ok(())
    }
}
