//! Reads and writes of records: by requests only, each under an operation id that follows from what
//! is written to which version, so that a repeat is the same operation.
//!
//! Never decides what to write.

use super::undo::{PartiesForm, Written};
use super::{Engine, EngineError, Run};
use crate::convert::{Party, PartyChange, Record, RecordChange};
use crate::crm::wire::{SPECIFIC_MAX, SpecificRequest, WireRecord};
use crate::item::{Item, ItemKind};
use crate::mapping::TableMapping;
use crate::property::{Person, Property, PropertyValue};
use offstage_model::entity::Attributes;
use offstage_model::identity::{digest, guid_of};
use offstage_model::query::{Filter, Query};
use offstage_model::request::{message, parameter};
use offstage_model::{Entity, EntityReference, Parameter, Request, Timestamp, Uuid, Value};
use std::collections::BTreeMap;

impl Engine {
    /// Records as they are now, by id; those that do not exist are left out.
    pub(super) fn records(
        &mut self,
        rows: &[EntityReference],
    ) -> Result<BTreeMap<Uuid, Record>, EngineError> {
        let mut records = BTreeMap::new();
        for chunk in rows.chunks(SPECIFIC_MAX) {
            let answer = self.link.specific(&SpecificRequest { rows: chunk.to_vec() })?;
            for found in answer.records {
                records.insert(found.row.id.unwrap_or_default(), record(found));
            }
        }
        Ok(records)
    }

    /// One record as it is now.
    pub(super) fn record(
        &mut self,
        table: &TableMapping,
        id: Uuid,
    ) -> Result<Option<Record>, EngineError> {
        Ok(self.records(&[EntityReference::new(table.table, id)])?.remove(&id))
    }

    /// Changes a record, if it still has the version that was read.
    pub(super) fn write_record(
        &mut self,
        run: &Run,
        map_id: i64,
        record: &Record,
        change: &RecordChange,
    ) -> Result<(), EngineError> {
        let (table, id) = (record.entity.table.clone(), record.entity.id.unwrap_or_default());
        let mut requests = Vec::new();
        if !change.attributes.is_empty() {
            let target = Entity {
                version: record.entity.version,
                attributes: change.attributes.clone(),
                ..Entity::with_id(table.clone(), id)
            };
            let strict = Parameter::Value(Value::Option(1));
            requests.push(Request::update(target).with("ConcurrencyBehavior", strict));
        }
        let row = EntityReference::new(table, id);
        requests.extend(self.party_requests(&row, &change.parties)?);
        let parties = parties_form(&row, record, &change.parties);
        let written = Written::record(&record.entity, &change.attributes, parties);
        self.note_written(run, map_id, &written)?;
        self.send(run, record.entity.version.unwrap_or(0), requests)
    }

    /// Makes a record of an item, with its parties, in one transaction.
    pub(super) fn make_record(
        &mut self,
        run: &Run,
        (map_id, id): (i64, Uuid),
        (table, item): (&TableMapping, &Item),
        change: RecordChange,
    ) -> Result<(), EngineError> {
        let mut attributes = change.attributes;
        attributes.extend(identity(item));
        // A new row is always in its first state; the one that the item shows comes right after.
        let state: Attributes = ["statecode", "statuscode"]
            .into_iter()
            .filter_map(|column| attributes.remove_entry(column))
            .collect();
        attributes.retain(|_, value| !value.is_null());
        let target = Entity { attributes, ..Entity::with_id(table.table, id) };
        let written = Written::Record {
            table: table.table.to_owned(),
            id,
            before: None,
            after: Some(target.attributes.clone()),
            parties: None,
        };
        self.note_written(run, map_id, &written)?;
        self.fresh.insert(map_id, run.run_id);
        let mut requests = vec![Request::create(target)];
        if !state.is_empty() {
            let target = Entity { attributes: state, ..Entity::with_id(table.table, id) };
            requests.push(Request::update(target));
        }
        requests
            .extend(self.party_requests(&EntityReference::new(table.table, id), &change.parties)?);
        self.send(run, 0, requests)
    }

    /// Deletes a record.
    pub(super) fn drop_record(
        &mut self,
        run: &Run,
        map_id: i64,
        record: &Record,
    ) -> Result<(), EngineError> {
        let (table, id) = (record.entity.table.clone(), record.entity.id.unwrap_or_default());
        let row = EntityReference::new(table.clone(), id);
        let taken = record.parties.iter().map(|party| taken_party(&row, party)).collect();
        let written = Written::Record {
            table: table.clone(),
            id,
            before: Some(record.entity.clone()),
            after: None,
            parties: Some(PartiesForm { taken, added: Vec::new() }),
        };
        self.note_written(run, map_id, &written)?;
        let version = record.entity.version.unwrap_or(0);
        let version_cell = Value::BigInt(i64::try_from(version).unwrap_or(i64::MAX));
        let request = Request::delete(&table, id)
            .with("RowVersion", Parameter::Value(version_cell))
            .with("ConcurrencyBehavior", Parameter::Value(Value::Option(1)));
        self.send(run, version, vec![request])
    }

    /// Sends requests as one operation. Its id says what is written to which version: after a lost
    /// answer the same is sent under the same id, and runs once.
    pub(super) fn send(
        &mut self,
        run: &Run,
        version: u64,
        mut requests: Vec<Request>,
    ) -> Result<(), EngineError> {
        let request = match requests.len() {
            0 => return Ok(()),
            1 => requests.remove(0),
            _ => Request::new(message::EXECUTE_TRANSACTION)
                .with(parameter::REQUESTS, Parameter::Requests(requests)),
        };
        let json = serde_json::to_vec(&request).expect("BUG: requests have a JSON form");
        let client = run.client.client;
        let parts: [&[u8]; 4] =
            [b"outlook-write", client.as_bytes(), &version.to_be_bytes(), &json];
        self.link.execute(guid_of(digest(&parts)), &request)?;
        Ok(())
    }

    fn party_requests(
        &mut self,
        activity: &EntityReference,
        parties: &[PartyChange],
    ) -> Result<Vec<Request>, EngineError> {
        let mut requests = Vec::with_capacity(parties.len());
        for party in parties {
            match party {
                PartyChange::Remove { row } => {
                    requests.push(Request::delete("activityparty", *row));
                }
                PartyChange::Add { mask, person } => {
                    let who = self.resolve(person)?;
                    requests.push(Request::create(party_row(activity, (*mask, person), who)));
                }
            }
        }
        Ok(requests)
    }

    /// The user or contact with an address, users first.
    fn resolve(&mut self, person: &Person) -> Result<Option<EntityReference>, EngineError> {
        if person.address.is_empty() {
            return Ok(None);
        }
        let address = || Value::text(person.address.clone());
        let places = [
            ("systemuser", Filter::eq("internalemailaddress", address())),
            (
                "contact",
                Filter::Any(
                    ["emailaddress1", "emailaddress2", "emailaddress3"]
                        .map(|column| Filter::eq(column, address()))
                        .to_vec(),
                ),
            ),
        ];
        for (table, filter) in places {
            if let Some(found) = self.first_match(table, filter)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The first row of a table that a filter shows.
    pub(super) fn first_match(
        &mut self,
        table: &str,
        filter: Filter,
    ) -> Result<Option<EntityReference>, EngineError> {
        let query =
            Query { columns: Some(Vec::new()), top: Some(1), ..Query::matching(table, filter) };
        let request = Request::retrieve_multiple(query);
        let response = self.link.execute(self.random.guid(), &request)?;
        let rows = response.collection().map(|c| c.entities.as_slice()).unwrap_or_default();
        Ok(rows.first().and_then(|row| row.id).map(|id| EntityReference::new(table, id)))
    }
}

/// When a record was last changed.
pub(super) fn modified_on(record: &Record) -> Timestamp {
    match record.entity.value("modifiedon") {
        Value::DateTime(time) => *time,
        _ => Timestamp::default(),
    }
}

fn record(found: WireRecord) -> Record {
    let parties = found.parties.into_iter().map(|party| Party {
        row: party.row,
        mask: party.mask,
        party: party.party,
        name: party.name,
        address: party.address,
    });
    Record { parties: parties.collect(), parent_name: found.parent_name, entity: found.row }
}

/// What a change of participants takes and adds.
fn parties_form(
    activity: &EntityReference,
    record: &Record,
    changes: &[PartyChange],
) -> PartiesForm {
    let mut form = PartiesForm::default();
    for change in changes {
        match change {
            PartyChange::Add { mask, person } => form.added.push(party_id(activity, *mask, person)),
            PartyChange::Remove { row } => {
                let known = record.parties.iter().find(|party| party.row == *row);
                form.taken.extend(known.map(|party| taken_party(activity, party)));
            }
        }
    }
    form
}

/// The row of a participant that is there, for making it again.
fn taken_party(activity: &EntityReference, party: &Party) -> Entity {
    let person = Person { name: party.name.clone(), address: party.address.clone() };
    let row = party_row(activity, (party.mask, &person), party.party.clone());
    Entity { id: Some(party.row), ..row }
}

/// The id of a participant that the engine adds: it follows from who it is.
fn party_id(activity: &EntityReference, mask: i32, person: &Person) -> Uuid {
    let address = person.address.to_lowercase();
    let parts: [&[u8]; 4] = [
        activity.id.as_bytes(),
        &mask.to_be_bytes(),
        address.as_bytes(),
        if address.is_empty() { person.name.as_bytes() } else { b"" },
    ];
    guid_of(digest(&parts))
}

fn party_row(
    activity: &EntityReference,
    (mask, person): (i32, &Person),
    who: Option<EntityReference>,
) -> Entity {
    let text = |text: &str| {
        let cut: String = text.chars().take(200).collect();
        if cut.is_empty() { Value::Null } else { Value::text(cut) }
    };
    Entity::with_id("activityparty", party_id(activity, mask, person))
        .with("activityid", Value::reference(activity.table.clone(), activity.id))
        .with("participationtypemask", Value::Option(mask))
        .with("partyname", text(&person.name))
        .with("addressused", text(&person.address))
        .with("partyid", who.map_or(Value::Null, Value::Reference))
}

/// What a record has of its item once and for all.
fn identity(item: &Item) -> Attributes {
    let text = |property, length_max: usize| {
        let text = item.properties.get(&property).and_then(PropertyValue::as_text)?;
        Some(Value::text(text.chars().take(length_max).collect::<String>()))
    };
    let people = |property| {
        let people = item.properties.get(&property)?.people();
        let texts: Vec<&str> = people.iter().map(|p| p.address.as_str()).collect();
        Some(Value::text(texts.join("; ").chars().take(500).collect::<String>()))
    };
    let sender = || {
        let person = item.properties.get(&Property::Sender)?.people().first()?.clone();
        Some(Value::text(person.address.chars().take(250).collect::<String>()))
    };
    let mut columns = Vec::new();
    match item.kind {
        ItemKind::Appointment => {
            columns.push(("globalobjectid", text(Property::GlobalObjectId, 300)));
        }
        ItemKind::Email => {
            let received = item.properties.contains_key(&Property::ReceivedOn);
            columns.extend([
                ("subject", text(Property::Subject, 200)),
                ("description", text(Property::Body, 2_000)),
                ("messageid", text(Property::MessageId, 320)),
                ("sender", sender()),
                ("torecipients", people(Property::ToRecipients)),
                ("ccrecipients", people(Property::CcRecipients)),
                ("directioncode", Some(Value::Boolean(!received))),
                ("statecode", Some(Value::Option(1))),
                ("statuscode", Some(Value::Option(if received { 4 } else { 3 }))),
            ]);
        }
        ItemKind::Contact | ItemKind::Task => {}
    }
    let set = columns.into_iter().filter_map(|(column, value)| Some((column.to_owned(), value?)));
    set.collect()
}
