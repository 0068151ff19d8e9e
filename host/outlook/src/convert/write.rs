//! Changes of a state as changes of a record, and as a patch of an item.
//!
//! Names only the columns and properties that change. Never sends anything.

use super::form::split_lines;
use super::read::{Party, Record};
use super::status::{shown_state, task_state};
use crate::item::Item;
use crate::link::Regarding;
use crate::mail_store::ItemPatch;
use crate::mapping::{Direction, FieldMapping, Form, TableMapping};
use crate::property::{Person, Property, PropertyValue};
use crate::state::Changes;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use offstage_model::entity::Attributes;
use offstage_model::{Timestamp, Uuid, Value};

/// One party to add or to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartyChange {
    /// Somebody new.
    Add {
        /// The participation type.
        mask: i32,
        /// Who.
        person: Person,
    },
    /// The row of somebody who is not there any more.
    Remove {
        /// The row of `activityparty`.
        row: Uuid,
    },
}

/// What to change of a record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordChange {
    /// Columns.
    pub attributes: Attributes,
    /// Parties of an activity.
    pub parties: Vec<PartyChange>,
}

impl RecordChange {
    /// Whether nothing is to be changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty() && self.parties.is_empty()
    }
}

/// The changes as a patch of an item; `regarding` is a part of its tie.
#[must_use]
pub fn item_patch(changes: &Changes, item: Option<&Item>) -> ItemPatch {
    let mut properties = changes.clone();
    let about = properties.remove(&Property::Regarding);
    let link = about.map(|about| {
        let mut link = item.map(|item| item.link.clone()).unwrap_or_default();
        let text = about.as_ref().and_then(PropertyValue::as_text);
        link.regarding = text.and_then(Regarding::parse);
        link
    });
    ItemPatch { properties, link }
}

/// The changes as changes of a record; `record` is the record as it is now, if there is one.
#[must_use]
pub fn record_change(
    mapping: &TableMapping,
    changes: &Changes,
    record: Option<&Record>,
    zone: &TimeZone,
) -> RecordChange {
    let mut change = RecordChange::default();
    for (property, value) in changes {
        let Some(field) = mapping.field(*property) else { continue };
        if field.direction == Direction::Both {
            write_field(mapping, field, value.as_ref(), (record, zone), &mut change);
        }
    }
    change
}

fn write_field(
    mapping: &TableMapping,
    field: &FieldMapping,
    value: Option<&PropertyValue>,
    (record, zone): (Option<&Record>, &TimeZone),
    change: &mut RecordChange,
) {
    let mut put = |column: &str, value: Value| {
        change.attributes.insert(column.to_owned(), value);
    };
    let column = field.columns.first().copied().unwrap_or_default();
    let choice = value.and_then(PropertyValue::as_integer);
    match field.form {
        Form::Lines => {
            let text = value.and_then(PropertyValue::as_text).unwrap_or_default();
            let (lines, _) = split_lines(field, text);
            for (number, column) in field.columns.iter().enumerate() {
                let line = lines.get(number).filter(|line| !line.is_empty());
                put(column, line.map_or(Value::Null, Value::text));
            }
        }
        Form::TaskStatus => {
            let (state, status) = task_state(mapping.table, choice.unwrap_or_default());
            put("statecode", Value::Option(state));
            if let Some(status) = status {
                put("statuscode", Value::Option(status));
            }
        }
        Form::ShowTimeAs => {
            let (state, status) = shown_state(choice.unwrap_or(2));
            put("statecode", Value::Option(state));
            put("statuscode", Value::Option(status));
        }
        Form::Parties(mask) => {
            let people = value.map(PropertyValue::people).unwrap_or_default();
            let known = record.map(|record| record.parties.as_slice()).unwrap_or_default();
            change.parties.extend(party_changes(mask, people, known));
        }
        Form::Day => {
            let before = record.map_or(&Value::Null, |record| record.entity.value(column));
            put(column, day_value(value, before, zone));
        }
        Form::Priority => put(column, Value::Option(choice.unwrap_or(1))),
        Form::Regarding => {
            let text = value.and_then(PropertyValue::as_text);
            let about = text.and_then(Regarding::parse);
            put(column, about.map_or(Value::Null, |about| Value::reference(about.table, about.id)));
        }
        _ => put(column, plain(value)),
    }
}

fn plain(value: Option<&PropertyValue>) -> Value {
    match value {
        None => Value::Null,
        Some(PropertyValue::Text(text)) => Value::text(text.clone()),
        Some(PropertyValue::Texts(texts)) => Value::text(texts.join(", ")),
        Some(PropertyValue::Integer(number)) => Value::Integer(*number),
        Some(PropertyValue::Boolean(yes)) => Value::Boolean(*yes),
        Some(PropertyValue::Time(time)) => Value::DateTime(*time),
        Some(PropertyValue::Date(date)) => Value::DateTime(midnight(*date, &TimeZone::UTC)),
        Some(PropertyValue::People(_)) => Value::Null,
    }
}

/// A new day keeps the time of day that the record has; without one it is midnight in the zone.
fn day_value(value: Option<&PropertyValue>, before: &Value, zone: &TimeZone) -> Value {
    let Some(PropertyValue::Date(date)) = value else { return Value::Null };
    let kept = match before {
        Value::DateTime(time) => jiff::Timestamp::from_millisecond(time.0).ok(),
        _ => None,
    };
    let at = kept.map(|time| time.to_zoned(zone.clone()).time()).unwrap_or_default();
    let moment = date.to_datetime(at).to_zoned(zone.clone());
    moment.map_or(Value::Null, |at| Value::DateTime(Timestamp(at.timestamp().as_millisecond())))
}

fn midnight(date: Date, zone: &TimeZone) -> Timestamp {
    let start = date.to_zoned(zone.clone()).map(|at| at.timestamp().as_millisecond());
    Timestamp(start.unwrap_or_default())
}

fn party_changes(mask: i32, people: &[Person], known: &[Party]) -> Vec<PartyChange> {
    let same = |person: &Person, party: &Party| {
        if person.address.is_empty() {
            party.address.is_empty() && party.name == person.name
        } else {
            party.address.eq_ignore_ascii_case(&person.address)
        }
    };
    let of_mask: Vec<&Party> = known.iter().filter(|party| party.mask == mask).collect();
    let gone = of_mask
        .iter()
        .filter(|party| !people.iter().any(|person| same(person, party)))
        .map(|party| PartyChange::Remove { row: party.row });
    let new = people
        .iter()
        .filter(|person| !of_mask.iter().any(|party| same(person, party)))
        .map(|person| PartyChange::Add { mask, person: person.clone() });
    gone.chain(new).collect()
}
