//! Duplicates found when an item is tracked: appointments by global id and e-mail by message id are
//! the same thing and are tied; contacts by address or full name wait for a person.
//!
//! Never a modal: what was found is a note, and the CLI shows it.

use super::pair::Pair;
use super::report::{PairReport, Word};
use super::{Engine, EngineError, Run};
use crate::item::{Item, ItemKind};
use crate::property::{Property, PropertyValue};
use offstage_model::query::Filter;
use offstage_model::{EntityReference, Value};
use offstage_store::MappingKey;
use serde_json::{Value as Json, json};

/// The word under which such a pair waits.
pub(super) const HELD_DUPLICATE: &str = "duplicate";
/// What a person writes to have a record made all the same.
pub(super) const APPROVED: &str = "approved";

impl Engine {
    /// Looks for a record that is the item already; `None` when there is none.
    pub(super) fn duplicate(
        &mut self,
        run: &Run,
        pair: &mut Pair,
        item: &Item,
    ) -> Result<Option<PairReport>, EngineError> {
        if pair.change.reason.as_deref() == Some(APPROVED) {
            return Ok(None);
        }
        let Some((filter, same)) = rule(item) else { return Ok(None) };
        let Some(found) = self.first_match(pair.table.table, filter)? else { return Ok(None) };
        let taken = self
            .cache
            .write(|tx| tx.mapping(MappingKey::Record(found.id, pair.table.object_type)))?;
        if same && taken.is_none() {
            return self.tie_to(run, pair, item, &found).map(Some);
        }
        let mut report = pair.report(Word::Held);
        report.reason = Some(format!("The CRM has it already: {found}."));
        if !run.dry {
            let mut change = pair.change.clone();
            change.held = Some(HELD_DUPLICATE.to_owned());
            change.reason = Some(found.to_string());
            self.cache.write(|tx| tx.put_change(&change))?;
            self.note_about(run, pair, HELD_DUPLICATE, report.reason.as_deref())?;
        }
        Ok(Some(report))
    }

    /// Ties an item to a record that exists, and merges the two.
    pub(super) fn tie_to(
        &mut self,
        run: &Run,
        pair: &mut Pair,
        item: &Item,
        found: &EntityReference,
    ) -> Result<PairReport, EngineError> {
        if run.dry {
            return Ok(pair.report(Word::Linked));
        }
        pair.mapping.crm_id = found.id;
        let mapping = pair.mapping.clone();
        self.cache.write(|tx| tx.put_mapping(&mapping))?;
        let Some(record) = self.record(pair.table, found.id)? else {
            return self.record_gone(run, pair, (Some(item.clone()), None));
        };
        let mut report = self.merge(run, pair, (item.clone(), record))?;
        report.done = Word::Linked;
        self.track_on_server(run, pair)?;
        Ok(report)
    }

    /// Adds a note for people about a pair.
    pub(super) fn note_about(
        &mut self,
        run: &Run,
        pair: &Pair,
        kind: &str,
        text: Option<&str>,
    ) -> Result<(), EngineError> {
        self.note_with(run, pair, (kind, text), json!({}))
    }

    /// The same with more to keep.
    pub(super) fn note_with(
        &mut self,
        run: &Run,
        pair: &Pair,
        (kind, text): (&str, Option<&str>),
        more: Json,
    ) -> Result<(), EngineError> {
        if run.dry {
            return Ok(());
        }
        let mut note = json!({
            "kind": kind, "text": text, "table": pair.table.table,
            "record": pair.mapping.crm_id, "item": pair.mapping.entry_id, "run": run.run_id,
        });
        if let (Json::Object(note), Json::Object(more)) = (&mut note, more) {
            note.extend(more);
        }
        let (now, map_id) = (run.now, pair.mapping.map_id);
        Ok(self.cache.write(|tx| tx.add_note(now, Some(map_id), &note.to_string()))?)
    }

    /// Notes the texts that a record does not hold whole.
    pub(super) fn note_truncated(
        &mut self,
        run: &Run,
        pair: &Pair,
        report: &PairReport,
    ) -> Result<(), EngineError> {
        if report.truncated.is_empty() {
            return Ok(());
        }
        let text = format!("The CRM holds only the beginning of: {}.", report.truncated.join(", "));
        self.note_about(run, pair, "truncated", Some(&text))
    }
}

/// How an item is looked for, and whether what is found is the same thing for sure.
fn rule(item: &Item) -> Option<(Filter, bool)> {
    let text = |property| {
        let text = item.properties.get(&property).and_then(PropertyValue::as_text)?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    match item.kind {
        ItemKind::Appointment => {
            let id = text(Property::GlobalObjectId)?;
            Some((Filter::eq("globalobjectid", Value::text(id)), true))
        }
        ItemKind::Email => {
            Some((Filter::eq("messageid", Value::text(text(Property::MessageId)?)), true))
        }
        ItemKind::Contact => {
            let addresses = [Property::Email1, Property::Email2, Property::Email3];
            let mut parts: Vec<Filter> = addresses
                .into_iter()
                .filter_map(text)
                .map(|address| Filter::eq("emailaddress1", Value::text(address)))
                .collect();
            let names: Vec<String> =
                [Property::FirstName, Property::LastName].into_iter().filter_map(text).collect();
            if names.len() == 2 {
                parts.push(Filter::eq("fullname", Value::text(names.join(" "))));
            }
            (!parts.is_empty()).then_some((Filter::Any(parts), false))
        }
        ItemKind::Task => None,
    }
}
