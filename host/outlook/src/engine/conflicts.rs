//! Conflicts: both sides had changed the same field, and one value was lost. Each is noted with both
//! values; a person may take the other one afterwards.
//!
//! To take a value is an edit of the item, merged at once by the same plan as any other: conditional
//! on both sides, a run of its own with its report, and undone as a run. Never overwrites what was
//! changed since.

use super::pair::Pair;
use super::report::Report;
use super::{Engine, EngineError, Run, Trigger};
use crate::convert::{Record, crm_form, item_patch, item_state, record_state};
use crate::item::{EntryId, Item, ItemKind};
use crate::mail_store::ItemPatch;
use crate::mapping::{TableMapping, of_object_type};
use crate::original;
use crate::plan::{Decision, Winner};
use crate::property::{Property, PropertyValue};
use crate::state::{Changes, State};
use offstage_model::{EntityReference, Fault, Uuid, code};
use offstage_store::{CachedChange, MappingKey, NoteRow};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fmt;

/// The kind of a note about a conflict.
const KIND: &str = "conflict";

/// One side of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The item.
    Outlook,
    /// The record.
    Crm,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outlook => "Outlook",
            Self::Crm => "the CRM",
        })
    }
}

/// What a note of a conflict keeps for the taking; both states are OriginalXML of its fields only.
#[derive(Deserialize)]
struct Kept {
    kind: String,
    record: Uuid,
    field: Option<String>,
    properties: Option<Vec<String>>,
    outlook_xml: Option<String>,
    crm_xml: Option<String>,
}

/// A conflict as it is taken up again.
struct Conflict {
    number: i64,
    field: String,
    properties: Vec<Property>,
    outlook: State,
    crm: State,
}

impl Conflict {
    fn value(&self, side: Side, property: Property) -> Option<&PropertyValue> {
        match side {
            Side::Outlook => self.outlook.get(property),
            Side::Crm => self.crm.get(property),
        }
    }

    /// Whether a state shows, in the form that a record can hold, the values of a side.
    fn shows(&self, table: &TableMapping, state: &State, side: Side) -> bool {
        self.properties.iter().all(|property| {
            crm_form(table, *property, state.get(*property)).value
                == crm_form(table, *property, self.value(side, *property)).value
        })
    }
}

impl Engine {
    /// Notes the decisions by which a value was lost: one note each, with both values.
    pub(super) fn note_conflicts(
        &mut self,
        run: &Run,
        pair: &Pair,
        conflicts: &[Decision],
    ) -> Result<(), EngineError> {
        for decision in conflicts {
            let (mut outlook, mut crm) = (State::default(), State::default());
            let (mut fields, mut texts) = (Vec::new(), Vec::new());
            for view in &decision.fields {
                outlook.set(view.property, view.outlook.clone());
                crm.set(view.property, view.crm.clone());
                if view.outlook == view.crm {
                    continue;
                }
                let text = |value: &Option<PropertyValue>| {
                    value.as_ref().map(ToString::to_string).unwrap_or_default()
                };
                let (ours, theirs) = (text(&view.outlook), text(&view.crm));
                texts.push(format!("{}: Outlook had '{ours}', the CRM '{theirs}'", view.property));
                fields.push(json!({
                    "field": view.property.name(), "base": text(&view.base),
                    "outlook": ours, "crm": theirs,
                }));
            }
            let names: Vec<&str> = decision.fields.iter().map(|v| v.property.name()).collect();
            let stood = if decision.winner == Winner::Outlook { Side::Outlook } else { Side::Crm };
            let table = pair.table.table;
            let more = json!({
                "field": decision.group.name(), "stood": stood, "fields": fields,
                "properties": names, "outlook_xml": original::write(table, &outlook, 0),
                "crm_xml": original::write(table, &crm, 0),
            });
            let text = format!("{}; {}.", texts.join("; "), decision.why);
            self.note_with(run, pair, (KIND, Some(&text)), more)?;
        }
        Ok(())
    }

    /// Takes the value that one side had in a conflict, on both sides. A run of its own.
    ///
    /// # Errors
    /// There is no such conflict; the value was changed since on either side; the pair is not tied
    /// any more; the mailbox is only read; the server or the mailbox does not answer.
    pub fn take(&mut self, note: i64, side: Side) -> Result<Report, EngineError> {
        let row = self.cache.write(|tx| tx.note(note))?;
        let (conflict, record) = conflict(note, row.as_ref())?;
        let map_id = row.and_then(|row| row.map_id).unwrap_or_default();
        let run = self.new_run(0, false)?;
        let (mut pair, item, record) = self.both_of(&run, map_id, record, note)?;
        let patch = self.patch_of(&run, &pair, (&item, &record), (&conflict, side))?;
        self.run_with((Trigger::Manual, false), |engine, run, report| {
            let item = engine.write_item(run, map_id, &item, patch)?;
            let mut done = engine.merge(run, &mut pair, (item, record))?;
            done.reason = Some(format!("{}: what {side} had is taken by hand", conflict.field));
            engine.note_about(run, &pair, "taken", done.reason.as_deref())?;
            report.pairs.push(done);
            engine.settle(run, report)
        })
    }

    /// The pair of a conflict with both of its sides as they are now.
    fn both_of(
        &mut self,
        run: &Run,
        map_id: i64,
        record: Uuid,
        note: i64,
    ) -> Result<(Pair, Item, Record), EngineError> {
        let gone = || {
            wrong_state(format!("The two sides of conflict {note} are not tied any more."))
                .hint("Edit the side that is left.")
        };
        let mapping = self.cache.write(|tx| tx.mapping(MappingKey::Map(map_id)))?;
        let mapping = mapping.filter(|m| m.linked && m.crm_id == record).ok_or_else(gone)?;
        let table = of_object_type(mapping.object_type).ok_or_else(gone)?;
        if table.kind != ItemKind::Email && !run.client.is_primary() {
            let text = "Contacts, tasks and appointments are the primary client's.";
            return Err(wrong_state(text.to_owned()).hint("Take the value there.").into());
        }
        let change = self.cache.write(|tx| tx.change(map_id))?;
        if let Some(held) = change.as_ref().and_then(|change| change.held.as_deref()) {
            let text = format!("Another change of the pair waits for a person ({held}).");
            return Err(wrong_state(text).hint("`offstage outlook held list` shows it.").into());
        }
        let id = mapping.entry_id.as_deref().map(EntryId::new).ok_or_else(gone)?;
        let item = self.items(&[id])?.pop().flatten().ok_or_else(gone)?;
        let row = EntityReference::new(table.table, record);
        let record = self.records(&[row])?.remove(&record).ok_or_else(gone)?;
        let change = change.unwrap_or_else(|| CachedChange { map_id, ..CachedChange::default() });
        Ok((Pair { mapping, change, table }, item, record))
    }

    /// What to write to the item, as its user would; empty when it is there. Both sides must still
    /// have one of the two values.
    fn patch_of(
        &self,
        run: &Run,
        pair: &Pair,
        (item, record): (&Item, &Record),
        (conflict, side): (&Conflict, Side),
    ) -> Result<ItemPatch, EngineError> {
        if !self.store.capabilities().writes {
            let fault = wrong_state("The mail store is only read: its item stays.".to_owned());
            return Err(fault.hint("Change the record, or the item in its own program.").into());
        }
        let ours = item_state(pair.table, item);
        let theirs = record_state(pair.table, record, &run.options);
        let known = |state: &State| {
            [Side::Outlook, Side::Crm].iter().any(|side| conflict.shows(pair.table, state, *side))
        };
        for (state, place) in [(&ours, Side::Outlook), (&theirs, Side::Crm)] {
            if !known(state) {
                let text = format!(
                    "Conflict {}: {} was changed since in {place}; nothing is taken.",
                    conflict.number, conflict.field
                );
                let fault = Fault::new(code::CONFLICT, text);
                return Err(fault.hint("Edit it there; it synchronises as any change.").into());
            }
        }
        let changes: Changes = conflict
            .properties
            .iter()
            .map(|property| (*property, conflict.value(side, *property).cloned()))
            .filter(|(property, value)| ours.get(*property) != value.as_ref())
            .collect();
        Ok(if changes.is_empty() { ItemPatch::default() } else { item_patch(&changes, Some(item)) })
    }
}

fn conflict(number: i64, row: Option<&NoteRow>) -> Result<(Conflict, Uuid), EngineError> {
    let missing = || {
        Fault::new(code::NOT_FOUND, format!("There is no conflict {number}."))
            .hint("`offstage outlook notes list --conflicts` shows them.")
    };
    let json = &row.ok_or_else(missing)?.json;
    let kept: Kept = serde_json::from_str(json).map_err(|_| missing())?;
    if kept.kind != KIND {
        return Err(missing().into());
    }
    let older = || {
        wrong_state(format!("Conflict {number} was noted by an older version, without its values."))
            .hint("Edit the item or the record.")
    };
    let state = |xml: Option<String>| {
        let read = original::read(&xml.ok_or_else(older)?).map_err(|_| older())?;
        Ok::<State, Fault>(read.state)
    };
    let names = kept.properties.ok_or_else(older)?;
    let properties: Option<Vec<Property>> = names.iter().map(|n| Property::named(n)).collect();
    let conflict = Conflict {
        number,
        field: kept.field.ok_or_else(older)?,
        properties: properties.ok_or_else(older)?,
        outlook: state(kept.outlook_xml)?,
        crm: state(kept.crm_xml)?,
    };
    Ok((conflict, kept.record))
}

fn wrong_state(text: String) -> Fault {
    Fault::new(code::WRONG_STATE, text)
}
