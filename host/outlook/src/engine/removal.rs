//! Deletions, un-tracking and filter exits: the facts of a pair, the rule, and what it asks for.
//!
//! A deletion never takes away what somebody else changed meanwhile: the change stays, and the
//! report says so.

use super::crash::crash_point;
use super::merge::{choice, is_organizer, owner};
use super::pair::Pair;
use super::report::{PairReport, Word};
use super::{Engine, EngineError, Run};
use crate::convert::Record;
use crate::item::{EntryId, Item};
use crate::link::{LinkProperties, LinkState};
use crate::mail_store::ItemPatch;
use crate::original;
use crate::property::{Property, PropertyValue};
use crate::rules::{DeletionFacts, Event, Outcome, deletion};
use offstage_model::{EntityReference, Timestamp, Value};
use offstage_store::ChangeCode;

impl Engine {
    /// The item of a pair was deleted in Outlook.
    pub(super) fn item_deleted(
        &mut self,
        run: &Run,
        pair: &mut Pair,
        record: Option<Record>,
    ) -> Result<PairReport, EngineError> {
        let Some(record) = record else { return self.forgotten(run, pair) };
        let facts = self.facts(run, pair, Some(&record), false);
        let (outcome, rule) = deletion(pair.table.kind, Event::DeletedInOutlook, &facts);
        // The version tells, and not whether the change was noted: it may be newer than the notes, or
        // of a kind that is switched off.
        let changed = record.entity.version.unwrap_or(0) > pair.mapping.crm_version;
        if outcome == Outcome::DeleteRecord && changed {
            // Deleted on one side, changed on the other: the change is kept, in both.
            pair.mapping.entry_id = None;
            pair.mapping.change_key = None;
            let mut report = self.bring(run, pair, &record)?;
            report.reason = Some(
                "It was deleted in Outlook and changed in the CRM: the change is kept.".to_owned(),
            );
            self.note_about(run, pair, "delete-against-change", report.reason.as_deref())?;
            return Ok(report);
        }
        self.carry_out(run, pair, (outcome, rule.map(|r| r.paper)), (None, Some(record)))
    }

    /// An item was un-tracked.
    pub(super) fn untracked(
        &mut self,
        run: &Run,
        pair: &mut Pair,
        (item, record): (Option<Item>, Option<Record>),
    ) -> Result<PairReport, EngineError> {
        let asked = pair.change.outlook == ChangeCode::UntrackAndDelete;
        let facts = self.facts(run, pair, record.as_ref(), asked);
        let (outcome, rule) = deletion(pair.table.kind, Event::UntrackedInOutlook, &facts);
        self.carry_out(run, pair, (outcome, rule.map(|r| r.paper)), (item, record))
    }

    /// The record was deleted in the CRM, or left the user's filter.
    pub(super) fn record_gone(
        &mut self,
        run: &Run,
        pair: &mut Pair,
        (item, record): (Option<Item>, Option<Record>),
    ) -> Result<PairReport, EngineError> {
        let facts = self.facts(run, pair, record.as_ref(), false);
        let (outcome, rule) = deletion(pair.table.kind, Event::DeletedInCrm, &facts);
        let paper = rule.map(|rule| rule.paper);
        match (item, record) {
            (None, None) => self.forgotten(run, pair),
            // It left the filter because it is over: Outlook hears of that before they part.
            (Some(item), Some(record)) if outcome == Outcome::Unlink => {
                let merged = self.merge(run, pair, (item, record.clone()))?;
                let item = self.reread(&pair.mapping.entry_id)?;
                let mut report =
                    self.carry_out(run, pair, (outcome, paper), (item, Some(record)))?;
                report.fields = merged.fields;
                Ok(report)
            }
            (Some(item), record)
                if outcome == Outcome::DeleteItem && self.changed_in_outlook(pair, &item) =>
            {
                let mut report =
                    self.carry_out(run, pair, (Outcome::Unlink, paper), (Some(item), record))?;
                report.reason = Some(
                    "It was deleted in the CRM and changed in Outlook: the item is kept."
                        .to_owned(),
                );
                self.note_about(run, pair, "delete-against-change", report.reason.as_deref())?;
                Ok(report)
            }
            (item, record) => self.carry_out(run, pair, (outcome, paper), (item, record)),
        }
    }

    /// The item's key tells; where none is known, as after a move, what was noted does.
    fn changed_in_outlook(&self, pair: &Pair, item: &Item) -> bool {
        match pair.mapping.change_key.as_deref() {
            Some(known) => known != item.change_key.as_str(),
            None => pair.change.outlook == ChangeCode::Update,
        }
    }

    fn reread(&mut self, id: &Option<String>) -> Result<Option<Item>, EngineError> {
        let Some(id) = id.as_deref().map(EntryId::new) else { return Ok(None) };
        Ok(self.items(&[id])?.pop().flatten())
    }

    /// What the rules want to know of a pair. Of a record that is gone, the last state counts.
    pub(super) fn facts(
        &self,
        run: &Run,
        pair: &Pair,
        record: Option<&Record>,
        asked: bool,
    ) -> DeletionFacts {
        let base = pair.mapping.original_xml.as_deref().and_then(|xml| original::read(xml).ok());
        let based = |property| base.as_ref().and_then(|base| base.state.get(property)).cloned();
        let start = match record.map(|record| record.entity.value("scheduledstart").clone()) {
            Some(Value::DateTime(time)) => Some(time),
            Some(_) => None,
            None => match based(Property::Start) {
                Some(PropertyValue::Time(time)) => Some(time),
                Some(PropertyValue::Date(day)) => Timestamp::parse(&day.to_string()).ok(),
                _ => None,
            },
        };
        let state = record.map(|record| choice(record, "statecode"));
        let done = || based(Property::TaskStatus) == Some(PropertyValue::Integer(2));
        DeletionFacts {
            asked,
            open_or_scheduled: state.is_none_or(|state| matches!(state, 0 | 3)),
            starts_in_future: start
                .is_some_and(|start| start > run.now.plus_ms(run.client.skew_ms)),
            owner: record.map_or(pair.mapping.owner, owner) == Some(run.client.user),
            organizer: record.map_or(pair.mapping.organizer, |record| is_organizer(run, record)),
            // A cancelled one is over as well.
            completed: state.map_or_else(done, |state| state != 0),
        }
    }

    fn carry_out(
        &mut self,
        run: &Run,
        pair: &mut Pair,
        (outcome, paper): (Outcome, Option<&str>),
        (item, record): (Option<Item>, Option<Record>),
    ) -> Result<PairReport, EngineError> {
        let word = match outcome {
            // It stays in a store that is only read.
            Outcome::DeleteItem if !self.store.capabilities().writes => Word::Unlinked,
            Outcome::DeleteRecord if record.is_some() => Word::DeletedRecord,
            Outcome::DeleteItem if item.is_some() => Word::DeletedItem,
            _ => Word::Unlinked,
        };
        let mut report = pair.report(word);
        report.reason = paper.map(str::to_owned);
        if run.dry {
            return Ok(report);
        }
        match (word, &item, &record) {
            (Word::DeletedRecord, item, Some(record)) => {
                self.drop_record(run, pair.mapping.map_id, record)?;
                crash_point!("pair.record-deleted");
                if let Some(item) = item {
                    self.loosen(run, pair, item)?;
                }
            }
            (Word::DeletedItem, Some(item), _) => {
                self.drop_item(run, pair.mapping.map_id, item)?;
                crash_point!("pair.item-deleted");
                pair.mapping.deleted_locally = true;
            }
            (_, Some(item), _) => self.loosen(run, pair, item)?,
            _ => {}
        }
        self.part(run, pair, record.is_some() && word != Word::DeletedRecord)?;
        Ok(report)
    }

    /// Takes the tie of an item: it was tracked.
    fn loosen(&mut self, run: &Run, pair: &mut Pair, item: &Item) -> Result<(), EngineError> {
        let link = LinkProperties {
            crm_id: Some(pair.mapping.crm_id),
            state: Some(LinkState::WasTracked),
            organization: Some(run.client.organization),
            object_type: Some(pair.table.object_type),
            ..LinkProperties::default()
        };
        if item.link == link {
            return Ok(());
        }
        let patch = ItemPatch { link: Some(link), ..ItemPatch::default() };
        let written = self.write_item(run, pair.mapping.map_id, item, patch)?;
        pair.mapping.change_key = Some(written.change_key.as_str().to_owned());
        Ok(())
    }

    /// Linked = 0: the pair is kept, so that a later change of the record does not make it again.
    fn part(&mut self, run: &Run, pair: &mut Pair, record_stays: bool) -> Result<(), EngineError> {
        if pair.mapping.manual && record_stays {
            self.link.track(&crate::crm::wire::TrackRequest {
                client: run.client.client,
                row: EntityReference::new(pair.table.table, pair.mapping.crm_id),
                track: false,
            })?;
        }
        pair.mapping.linked = false;
        pair.mapping.manual = false;
        let mapping = pair.mapping.clone();
        self.cache.write(|tx| {
            tx.put_mapping(&mapping)?;
            tx.remove_change(mapping.map_id)
        })?;
        Ok(())
    }
}
