//! Works on pairs: reads both sides of a chunk at once, decides what kind of work each one is, and
//! notes what failed for the next attempt.
//!
//! One pair that fails does not stop the others.

use super::crash::crash_point;
use super::error::Next;
use super::merge::version;
use super::observe::{attach, is_tied_elsewhere};
use super::report::{PairReport, Report, Word};
use super::{Engine, EngineError, Run};
use crate::convert::{Record, item_patch, item_state, record_change, record_state};
use crate::item::{EntryId, FolderId, Item, ItemKind};
use crate::link::LinkProperties;
use crate::mail_store::{ItemPatch, MailStoreError, NewItem, Presence};
use crate::mapping::{TableMapping, of_object_type};
use crate::original;
use crate::property::Property;
use crate::state::{Changes, State};
use offstage_model::EntityReference;
use offstage_store::{CachedChange, ChangeCode, Mapping, MappingKey};
use std::collections::BTreeMap;

/// The wait after the first failed attempt; it doubles from there.
const WAIT_FIRST_MS: i64 = 60_000;
/// The longest wait.
const WAIT_MAX_MS: i64 = 6 * 3_600_000;
/// After so many attempts a pair waits for a person.
const ATTEMPTS_MAX: u32 = 12;

/// A pair that is worked on.
#[derive(Clone)]
pub(super) struct Pair {
    pub(super) mapping: Mapping,
    pub(super) change: CachedChange,
    pub(super) table: &'static TableMapping,
}

impl Pair {
    pub(super) fn report(&self, done: Word) -> PairReport {
        PairReport {
            pair: self.mapping.map_id,
            item: self.mapping.entry_id.clone(),
            table: self.table.table,
            record: self.mapping.crm_id,
            done,
            reason: None,
            fields: Vec::new(),
            truncated: Vec::new(),
        }
    }
}

impl Engine {
    /// Works on a chunk of changes.
    pub(super) fn work_on(
        &mut self,
        run: &Run,
        changes: &[CachedChange],
        report: &mut Report,
    ) -> Result<(), EngineError> {
        let pairs = self.pairs(run, changes)?;
        let rows: Vec<EntityReference> =
            pairs.iter().map(|p| EntityReference::new(p.table.table, p.mapping.crm_id)).collect();
        let mut records = self.records(&rows)?;
        let ids: Vec<EntryId> =
            pairs.iter().filter_map(|p| p.mapping.entry_id.as_deref().map(EntryId::new)).collect();
        let items = self.items(&ids)?;
        let mut items: BTreeMap<EntryId, Option<Item>> = ids.into_iter().zip(items).collect();
        for mut pair in pairs {
            let entry_id = pair.mapping.entry_id.as_deref().map(EntryId::new);
            let item = entry_id.and_then(|id| items.remove(&id)).flatten();
            let record = records.remove(&pair.mapping.crm_id);
            let done = match self.work_on_pair(run, &mut pair, (item, record)) {
                Ok(done) => done,
                Err(error) if error.is_crash() => return Err(error),
                Err(error) => {
                    let stops = error.next() == Next::Stop;
                    let done = self.failed(run, &pair, &error)?;
                    report.pairs.push(done);
                    if stops {
                        return Err(error);
                    }
                    continue;
                }
            };
            report.pairs.push(done);
        }
        self.settle(run, report)
    }

    /// The pairs of changes that are this client's business.
    pub(super) fn pairs(
        &mut self,
        run: &Run,
        changes: &[CachedChange],
    ) -> Result<Vec<Pair>, EngineError> {
        let mut pairs = Vec::with_capacity(changes.len());
        for change in changes {
            let mapping = self.cache.write(|tx| tx.mapping(MappingKey::Map(change.map_id)))?;
            let Some(mapping) = mapping else { continue };
            let Some(table) = of_object_type(mapping.object_type) else { continue };
            let mail = table.kind == ItemKind::Email;
            if mail || run.client.is_primary() {
                pairs.push(Pair { mapping, change: change.clone(), table });
            }
        }
        Ok(pairs)
    }

    fn work_on_pair(
        &mut self,
        run: &Run,
        pair: &mut Pair,
        (item, record): (Option<Item>, Option<Record>),
    ) -> Result<PairReport, EngineError> {
        use ChangeCode as C;
        match (pair.change.outlook, pair.change.crm) {
            (C::Untrack | C::UntrackAndDelete, _) => self.untracked(run, pair, (item, record)),
            (C::Delete, _) if item.is_none() => self.item_missing(run, pair, record),
            (_, C::Delete) => self.record_gone(run, pair, (item, record)),
            (C::Create, _) => self.promote(run, pair, (item, record)),
            _ => match (item, record) {
                (Some(item), Some(record)) => self.merge(run, pair, (item, record)),
                (None, Some(record)) if pair.mapping.entry_id.is_none() => {
                    match self.has_got_an_item(pair)? {
                        // The next run brings the two in step.
                        true => Ok(pair.report(Word::Linked)),
                        false => self.bring(run, pair, &record),
                    }
                }
                // It was there when the change was noted.
                (None, Some(record)) => self.item_missing(run, pair, Some(record)),
                (item, None) => self.record_gone(run, pair, (item, None)),
            },
        }
    }

    /// The store gave no item. That it is deleted is only what the store says when it is asked for
    /// that: it may have an item that it cannot read, or leave one out.
    fn item_missing(
        &mut self,
        run: &Run,
        pair: &mut Pair,
        record: Option<Record>,
    ) -> Result<PairReport, EngineError> {
        let id = pair.mapping.entry_id.as_deref().map(EntryId::new);
        let presence = match &id {
            Some(id) => self.store.presence(std::slice::from_ref(id))?.pop(),
            None => Some(Presence::Gone),
        };
        let store = self.store.name();
        match presence {
            Some(Presence::Gone) if pair.change.outlook == ChangeCode::Delete => {
                self.item_deleted(run, pair, record)
            }
            Some(Presence::Gone) => self.note_deletion(run, pair),
            Some(Presence::There) => {
                let id = id.unwrap_or_else(|| EntryId::new(""));
                Err(self.unread(&id)?.into())
            }
            Some(Presence::Moved(_) | Presence::Unknown) | None => {
                let detail = "it does not say whether the item is still there".to_owned();
                Err(MailStoreError::Transient { store, detail }.into())
            }
        }
    }

    /// The item is gone and nobody had told: the next run carries it out, after all deletions were
    /// counted, since many of them wait for a person.
    fn note_deletion(&mut self, run: &Run, pair: &mut Pair) -> Result<PairReport, EngineError> {
        pair.change.outlook = ChangeCode::Delete;
        pair.change.reason = None;
        pair.change.next_attempt = run.now;
        if !run.dry {
            let change = pair.change.clone();
            self.cache.write(|tx| tx.put_change(&change))?;
        }
        let mut report = pair.report(Word::Retried);
        report.reason = Some("The item is gone; the next run carries the deletion out.".to_owned());
        Ok(report)
    }

    /// Makes an item of a record.
    pub(super) fn bring(
        &mut self,
        run: &Run,
        pair: &mut Pair,
        record: &Record,
    ) -> Result<PairReport, EngineError> {
        if !self.takes().contains(&pair.table.kind) {
            return self.forgotten(run, pair);
        }
        let mut report = pair.report(Word::CreatedItem);
        let mut state = record_state(pair.table, record, &run.options);
        if self.hides_attendees(run, pair.table.kind) {
            for property in
                [Property::RequiredAttendees, Property::OptionalAttendees, Property::Organizer]
            {
                state.silence(property);
            }
        }
        if run.dry {
            report.reason = Some(first_line(&state));
            return Ok(report);
        }
        let changes: Changes = state.values().map(|(p, value)| (p, Some(value.clone()))).collect();
        let patch = item_patch(&changes, None);
        let properties = patch.properties.into_iter().filter_map(|(p, v)| Some((p, v?))).collect();
        let before = patch.link.unwrap_or_default();
        let xml = original::write(pair.table.table, &state, version(record));
        let link = self.tie(run, (&pair.mapping, pair.table), (&before, None), xml);
        let carries = self.store.capabilities().custom_properties;
        let made = self.make_item(
            run,
            pair.mapping.map_id,
            &NewItem {
                kind: pair.table.kind,
                folder: pair.mapping.folder.as_deref().map(FolderId::new),
                properties,
                link: if carries { link.clone() } else { LinkProperties::default() },
                transaction: pair.mapping.crm_id,
            },
        )?;
        crash_point!("pair.item-created");
        // Where the store rewrites, the base is what it holds now.
        if self.store.capabilities().rewrites {
            let stored = item_state(pair.table, &made);
            for property in changes.keys() {
                state.set(*property, stored.get(*property).cloned());
            }
        }
        let xml = original::write(pair.table.table, &state, version(record));
        pair.mapping.original_xml = Some(xml.clone());
        report.item = Some(made.entry_id.to_string());
        let made =
            if carries { self.tie_again(run, pair, made, xml)? } else { Item { link, ..made } };
        self.in_step(run, pair, &made, record)?;
        Ok(report)
    }

    /// A tie names the id of its item, and the state that the store made of it: known only now.
    fn tie_again(
        &mut self,
        run: &Run,
        pair: &Pair,
        made: Item,
        xml: String,
    ) -> Result<Item, EngineError> {
        let mut link = made.link.clone();
        link.entry_id = Some(made.entry_id.clone());
        link.original_xml = Some(xml);
        if link == made.link {
            return Ok(made);
        }
        let patch = ItemPatch { link: Some(link), ..ItemPatch::default() };
        self.write_item(run, pair.mapping.map_id, &made, patch)
    }

    /// A tracked item becomes a record, or is tied to the one that it was or is.
    fn promote(
        &mut self,
        run: &Run,
        pair: &mut Pair,
        (item, record): (Option<Item>, Option<Record>),
    ) -> Result<PairReport, EngineError> {
        // It was tracked, and deleted before anything was made of it; or it is not understood.
        let Some(item) = item else { return self.item_missing(run, pair, None) };
        if is_tied_elsewhere(&pair.mapping, (item.link.state, item.link.crm_id)) {
            return self.adopt(run, pair, &item);
        }
        // "Draft e-mails are never placed in CRM": its sending is a change that is seen then.
        if item.kind == ItemKind::Email && !item.properties.contains_key(&Property::SentOn) {
            return self.forgotten(run, pair);
        }
        if let Some(record) = record {
            let mut report = self.merge(run, pair, (item, record))?;
            report.done = Word::Linked;
            self.track_on_server(run, pair)?;
            return Ok(report);
        }
        if let Some(other) = self.duplicate(run, pair, &item)? {
            return Ok(other);
        }
        self.begin_anew(run, pair)?;
        let mut report = pair.report(Word::CreatedRecord);
        let state = item_state(pair.table, &item);
        if run.dry {
            report.reason = Some(first_line(&state));
            return Ok(report);
        }
        let changes: Changes = state.values().map(|(p, value)| (p, Some(value.clone()))).collect();
        let held = crate::plan::plan(
            pair.table,
            &crate::plan::Sides {
                base: None,
                outlook: &state,
                crm: &blank(pair.table),
                outlook_time: run.now,
                crm_time: offstage_model::Timestamp(i64::MIN),
            },
        );
        report.truncated = held.truncated.iter().map(|property| property.name()).collect();
        let mut fitting = changes;
        fitting.extend(held.to_crm);
        let change = record_change(pair.table, &fitting, None, &run.options.zone);
        let ids = (pair.mapping.map_id, pair.mapping.crm_id);
        self.make_record(run, ids, (pair.table, &item), change)?;
        crash_point!("pair.record-created");
        self.track_on_server(run, pair)?;
        let Some(record) = self.record(pair.table, pair.mapping.crm_id)? else {
            return self.record_gone(run, pair, (Some(item), None));
        };
        // What was made is merged at once: it ties the item and writes OriginalXML.
        let merged = self.merge(run, pair, (item, record))?;
        report.item = merged.item;
        self.note_truncated(run, pair, &report)?;
        Ok(report)
    }

    /// A pair that had no item was found to have one by the work on another pair of this run.
    fn has_got_an_item(&mut self, pair: &Pair) -> Result<bool, EngineError> {
        let now = self.cache.write(|tx| tx.mapping(MappingKey::Map(pair.mapping.map_id)))?;
        Ok(now.is_some_and(|now| now.entry_id.is_some()))
    }

    /// The record that the pair had is gone, and the item is tracked again: another record, with an
    /// id of its own. The id is kept before the record is made, so that a repeat makes the same one.
    fn begin_anew(&mut self, run: &Run, pair: &mut Pair) -> Result<(), EngineError> {
        if run.dry || pair.mapping.original_xml.is_none() {
            return Ok(());
        }
        pair.mapping.crm_id = self.random.guid();
        pair.mapping.original_xml = None;
        pair.mapping.crm_version = 0;
        let mapping = pair.mapping.clone();
        self.cache.write(|tx| tx.put_mapping(&mapping))?;
        Ok(())
    }

    /// Another client of the mailbox has made the record meanwhile: the pair is that one.
    fn adopt(&mut self, run: &Run, pair: &Pair, item: &Item) -> Result<PairReport, EngineError> {
        let mut report = pair.report(Word::Linked);
        report.reason = Some("Another client of the mailbox has made its record.".to_owned());
        let Some(record) = item.link.crm_id.filter(|_| !run.dry) else { return Ok(report) };
        report.record = record;
        let (map_id, object_type) = (pair.mapping.map_id, pair.table.object_type);
        self.cache.write(|tx| {
            tx.forget(map_id)?;
            let known = tx.mapping(MappingKey::Record(record, object_type))?;
            let mut mapping = known.unwrap_or_else(|| Mapping::new(record, object_type));
            attach(&mut mapping, &item.folder, item.entry_id.as_str());
            let map_id = tx.put_mapping(&mapping)?;
            // The next run brings the two in step.
            let known = tx.change(map_id)?;
            let mut change =
                known.unwrap_or_else(|| CachedChange { map_id, ..CachedChange::default() });
            change.outlook = ChangeCode::Update;
            tx.put_change(&change)
        })?;
        Ok(report)
    }

    /// What the user tracked stays in Outlook whatever the filter says.
    pub(super) fn track_on_server(&mut self, run: &Run, pair: &Pair) -> Result<(), EngineError> {
        if run.dry {
            return Ok(());
        }
        self.link.track(&crate::crm::wire::TrackRequest {
            client: run.client.client,
            row: EntityReference::new(pair.table.table, pair.mapping.crm_id),
            track: true,
        })?;
        Ok(())
    }

    pub(super) fn forgotten(&mut self, run: &Run, pair: &Pair) -> Result<PairReport, EngineError> {
        if !run.dry {
            self.cache.write(|tx| tx.forget(pair.mapping.map_id))?;
        }
        let mut report = pair.report(Word::Unlinked);
        report.reason = Some("Nothing is left on either side.".to_owned());
        Ok(report)
    }

    /// Notes a failed attempt: the pair is tried again later, or waits for a person.
    pub(super) fn failed(
        &mut self,
        run: &Run,
        pair: &Pair,
        error: &EngineError,
    ) -> Result<PairReport, EngineError> {
        let mut change = pair.change.clone();
        change.attempts += 1;
        change.reason = Some(error.to_string());
        let doubled = WAIT_FIRST_MS << change.attempts.saturating_sub(1).min(16);
        let mut wait_ms = doubled.min(WAIT_MAX_MS);
        let mut word = Word::Retried;
        match error.next() {
            Next::Person => change.held = Some("refused".to_owned()),
            Next::Gone => change.outlook = ChangeCode::Delete,
            Next::Again(Some(asked)) => {
                wait_ms = wait_ms.max(i64::try_from(asked.as_millis()).unwrap_or(WAIT_MAX_MS));
            }
            Next::Again(None) if change.attempts >= ATTEMPTS_MAX => {
                change.held = Some("failing".to_owned());
            }
            // The server's or the store's trouble, not the pair's.
            Next::Stop => change.attempts -= 1,
            Next::Again(None) => {}
        }
        if change.held.is_some() {
            word = Word::Held;
        }
        change.next_attempt =
            if error.next() == Next::Stop { run.now } else { run.now.plus_ms(wait_ms) };
        if !run.dry {
            self.cache.write(|tx| tx.put_change(&change))?;
        }
        let mut report = pair.report(word);
        report.reason = change.reason;
        Ok(report)
    }
}

/// A record of which every field is empty.
fn blank(table: &TableMapping) -> State {
    let mut state = State::default();
    for field in table.fields {
        state.set(field.property, None);
    }
    state
}

/// What a person knows an item by.
fn first_line(state: &State) -> String {
    let names = [Property::Subject, Property::FirstName, Property::LastName, Property::Email1];
    let texts: Vec<String> =
        names.iter().filter_map(|name| Some(state.get(*name)?.to_string())).take(2).collect();
    texts.join(" ")
}
