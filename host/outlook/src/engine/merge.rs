//! Brings one pair in step: the plan, then CRM to Outlook, then Outlook to CRM, OriginalXML after
//! each.
//!
//! A crash after any write leaves a pair that the same plan, made again, brings to the same end.

use super::crash::crash_point;
use super::pair::Pair;
use super::record_door::modified_on;
use super::report::{PairReport, Word};
use super::undo::Written;
use super::{Engine, EngineError, Run};
use crate::convert::{Record, item_patch, item_state, record_change, record_state};
use crate::item::{FileTime, Item, ItemKind};
use crate::link::LinkProperties;
use crate::mail_store::ItemPatch;
use crate::original;
use crate::plan::{Plan, Sides, plan};
use crate::property::Property;
use crate::rules::ClientRole;
use crate::state::State;
use offstage_model::{Timestamp, Value};
use offstage_store::{CachedChange, Mapping};

/// A pair is merged at most so often in one run: a plug-in may change what was written.
const PASSES_MAX: usize = 3;

impl Engine {
    /// Merges an item and a record that both exist.
    pub(super) fn merge(
        &mut self,
        run: &Run,
        pair: &mut Pair,
        (item, record): (Item, Record),
    ) -> Result<PairReport, EngineError> {
        let (mut item, mut record) = (item, record);
        let mut report = pair.report(Word::Unchanged);
        report.item = Some(item.entry_id.to_string());
        let mut conflicts = Vec::new();
        for pass in 0..PASSES_MAX {
            let base = self.base(&pair.mapping, &item);
            let plan = self.plan_pair(run, pair, base.as_ref(), (&item, &record));
            if pass == 0 {
                report.take_plan(&plan);
                conflicts = plan.decisions.iter().filter(|d| d.is_conflict()).cloned().collect();
                if plan.leaves_item {
                    report.reason = Some("The mail store is only read: the item stays.".to_owned());
                }
            }
            if run.dry {
                report.done = if plan.is_empty() { Word::Unchanged } else { Word::Merged };
                return Ok(report);
            }
            let first = plan.is_empty();
            if !first {
                report.done = Word::Merged;
            }
            if !first {
                let before = Written::Base { before: pair.mapping.original_xml.clone() };
                self.note_written(run, pair.mapping.map_id, &before)?;
            }
            item = self.write_outlook(run, pair, (item, &record), &plan)?;
            let before = record.clone();
            record = self.write_crm(run, pair, record, &plan)?;
            item = self.keep_base(run, pair, item, &record, &plan)?;
            if before == record || plan.to_crm.is_empty() {
                break;
            }
        }
        self.note_truncated(run, pair, &report)?;
        self.note_conflicts(run, pair, &conflicts)?;
        self.in_step(run, pair, &item, &record)?;
        Ok(report)
    }

    /// The plan of a pair.
    pub(super) fn plan_pair(
        &self,
        run: &Run,
        pair: &Pair,
        base: Option<&State>,
        (item, record): (&Item, &Record),
    ) -> Plan {
        let outlook = item_state(pair.table, item);
        let mut crm = record_state(pair.table, record, &run.options);
        if self.hides_attendees(run, item.kind) {
            for property in
                [Property::RequiredAttendees, Property::OptionalAttendees, Property::Organizer]
            {
                crm.silence(property);
            }
        }
        let sides = Sides {
            base,
            outlook: &outlook,
            crm: &crm,
            outlook_time: self.outlook_time(run, &pair.change, item),
            crm_time: modified_on(record),
        };
        let mut plan = plan(pair.table, &sides);
        if !self.store.capabilities().writes {
            plan.leave_item(&outlook);
        }
        plan
    }

    /// Attendees are not written where that would mail them, unless the user asked for it.
    pub(super) fn hides_attendees(&self, run: &Run, kind: ItemKind) -> bool {
        kind == ItemKind::Appointment
            && self.store.capabilities().sends_invitations
            && !run.settings.send_invitations
    }

    /// When the item was changed, on the server's clock as far as that is known.
    fn outlook_time(&self, run: &Run, change: &CachedChange, item: &Item) -> Timestamp {
        let ticks = change.outlook_ticks.map(FileTime).or(item.modified);
        let time = ticks.map_or(run.now, FileTime::timestamp);
        if self.store.capabilities().server_modification_time {
            time
        } else {
            time.plus_ms(run.client.skew_ms)
        }
    }

    /// The last synchronised state: of the cache, or of the item where that carries a later one,
    /// written by another machine.
    pub(super) fn base(&self, mapping: &Mapping, item: &Item) -> Option<State> {
        let carried = self.store.capabilities().custom_properties;
        let own = item.link.crm_id == Some(mapping.crm_id);
        let on_item = item.link.original_xml.as_deref().filter(|_| carried && own);
        let texts = [mapping.original_xml.as_deref(), on_item];
        let read = texts.into_iter().flatten().filter_map(|text| original::read(text).ok());
        let latest = read.reduce(|cached, carried| {
            if carried.record_version > cached.record_version { carried } else { cached }
        });
        latest.map(|original| original.state)
    }

    /// Whether OriginalXML is written to an item of which nothing else changes.
    pub(super) fn writes_ties_alone(&self, run: &Run) -> bool {
        self.store.capabilities().quiet_ties || run.client.role() == ClientRole::Roaming
    }

    fn write_outlook(
        &mut self,
        run: &Run,
        pair: &Pair,
        (item, record): (Item, &Record),
        plan: &Plan,
    ) -> Result<Item, EngineError> {
        if plan.to_outlook.is_empty() {
            return Ok(item);
        }
        let mut patch = item_patch(&plan.to_outlook, Some(&item));
        let before = patch.link.as_ref().unwrap_or(&item.link).clone();
        let xml = original::write(pair.table.table, &plan.base_between, version(record));
        let at = (&before, Some(&item.entry_id));
        patch.link = Some(self.tie(run, (&pair.mapping, pair.table), at, xml));
        let written = self.write_item(run, pair.mapping.map_id, &item, patch)?;
        crash_point!("pair.item-written");
        Ok(written)
    }

    fn write_crm(
        &mut self,
        run: &Run,
        pair: &Pair,
        record: Record,
        plan: &Plan,
    ) -> Result<Record, EngineError> {
        let change = record_change(pair.table, &plan.to_crm, Some(&record), &run.options.zone);
        if change.is_empty() {
            return Ok(record);
        }
        self.write_record(run, pair.mapping.map_id, &record, &change)?;
        crash_point!("pair.record-written");
        let now = self.record(pair.table, pair.mapping.crm_id)?;
        // Deleted just after: the next run hears of that.
        Ok(now.unwrap_or(record))
    }

    /// Writes OriginalXML to the item and keeps it for the cache. The base is what is stored: of the
    /// item where the store rewrites, and what the record holds.
    fn keep_base(
        &mut self,
        run: &Run,
        pair: &mut Pair,
        item: Item,
        record: &Record,
        plan: &Plan,
    ) -> Result<Item, EngineError> {
        let mut base = plan.base_after.clone();
        if self.store.capabilities().rewrites && !plan.to_outlook.is_empty() {
            let stored = item_state(pair.table, &item);
            for property in plan.to_outlook.keys() {
                base.set(*property, stored.get(*property).cloned());
            }
        }
        let xml = original::write(pair.table.table, &base, version(record));
        pair.mapping.original_xml = Some(xml.clone());
        pair.mapping.owner = owner(record);
        pair.mapping.organizer = is_organizer(run, record);
        let tied =
            self.tie(run, (&pair.mapping, pair.table), (&item.link, Some(&item.entry_id)), xml);
        if same_but_base(&tied, &item.link) {
            let carried =
                item.link.original_xml.as_deref().and_then(|xml| original::read(xml).ok());
            let enough =
                |carried: original::Original| carried.state == base || !self.writes_ties_alone(run);
            if carried.is_some_and(enough) {
                return Ok(item);
            }
        }
        let patch = ItemPatch { link: Some(tied), ..ItemPatch::default() };
        let written = self.write_item(run, pair.mapping.map_id, &item, patch)?;
        crash_point!("pair.base-written");
        Ok(written)
    }
}

/// The row version of a record.
pub(super) fn version(record: &Record) -> u64 {
    record.entity.version.unwrap_or(0)
}

/// Whether two ties differ in nothing but OriginalXML.
fn same_but_base(one: &LinkProperties, other: &LinkProperties) -> bool {
    let but_base = |link: &LinkProperties| LinkProperties { original_xml: None, ..link.clone() };
    but_base(one) == but_base(other)
}

/// The owner of a record, when it is a user.
pub(super) fn owner(record: &Record) -> Option<offstage_model::Uuid> {
    let owner = record.entity.value("ownerid").as_reference()?;
    (owner.table == "systemuser").then_some(owner.id)
}

/// Whether the user is the organizer of an appointment.
pub(super) fn is_organizer(run: &Run, record: &Record) -> bool {
    let address = run.client.address.as_deref();
    record.parties.iter().filter(|party| party.mask == 7).any(|party| {
        let user = party.party.as_ref().is_some_and(|p| p.id == run.client.user);
        user || address.is_some_and(|address| party.address.eq_ignore_ascii_case(address))
    })
}

/// The value of a choice column.
pub(super) fn choice(record: &Record, column: &str) -> i32 {
    match record.entity.value(column) {
        Value::Option(choice) => *choice,
        _ => 0,
    }
}
