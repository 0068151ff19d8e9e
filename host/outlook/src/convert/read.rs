//! What a record says, and what an item says, as states.
//!
//! Never writes, and never asks a store or a server for more.

use super::form::{join_lines, split_list};
use super::status::{BUSY, NOT_STARTED, STATE_COMPLETED, shown_as, task_status};
use crate::item::Item;
use crate::mapping::{FieldMapping, Form, TableMapping};
use crate::property::{Person, Property, PropertyValue};
use crate::state::State;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use offstage_model::{Entity, EntityReference, Timestamp, Uuid, Value};

/// Milliseconds in a minute.
const MINUTE_MS: i64 = 60_000;
/// Minutes in a day.
const DAY_MINUTES: i64 = 24 * 60;

/// What conversions depend on besides their input.
#[derive(Clone, Debug)]
pub struct Options {
    /// The user's zone: the days of tasks are days there.
    pub zone: TimeZone,
    /// "Update the Company Field for Outlook Contacts" (Appendix C).
    pub update_company: bool,
}

/// A party of an activity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// The row of `activityparty`.
    pub row: Uuid,
    /// The participation type.
    pub mask: i32,
    /// The user, contact or account, where it is one.
    pub party: Option<EntityReference>,
    /// What people call it.
    pub name: String,
    /// Its address.
    pub address: String,
}

/// A record with what belongs to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The row.
    pub entity: Entity,
    /// The parties of an activity.
    pub parties: Vec<Party>,
    /// The name of the parent account of a contact.
    pub parent_name: Option<String>,
}

/// What an item says. It speaks of every field of its mapping.
#[must_use]
pub fn item_state(mapping: &TableMapping, item: &Item) -> State {
    let mut state = State::default();
    for field in mapping.fields {
        let property = field.property;
        let value = match field.form {
            Form::Regarding => {
                item.link.regarding.as_ref().map(|about| PropertyValue::text(about.to_string()))
            }
            _ => item.properties.get(&property).cloned(),
        };
        // What Outlook takes for granted when a property is absent.
        let value = match (field.form, value) {
            (Form::Priority, None) => Some(PropertyValue::Integer(1)),
            (Form::TaskStatus, None) => Some(PropertyValue::Integer(NOT_STARTED)),
            (Form::ShowTimeAs, None) => Some(PropertyValue::Integer(BUSY)),
            (Form::Boolean, Some(PropertyValue::Boolean(false))) => None,
            (_, value) => value,
        };
        state.set(property, value);
    }
    set_duration(mapping, &mut state);
    state
}

/// What a record says. It says nothing about a field whose columns are absent from `known`, when
/// that is given, nor about what a setting switches off.
#[must_use]
pub fn record_state(mapping: &TableMapping, record: &Record, options: &Options) -> State {
    let mut state = State::default();
    for field in mapping.fields {
        if field.form == Form::ParentName && !options.update_company {
            continue;
        }
        if field.form == Form::ShowTimeAs && option(record, "statecode") == STATE_COMPLETED {
            continue;
        }
        state.set(field.property, field_value(mapping, field, record, options));
    }
    settle_end(mapping, record, &mut state);
    set_duration(mapping, &mut state);
    state
}

fn field_value(
    mapping: &TableMapping,
    field: &FieldMapping,
    record: &Record,
    options: &Options,
) -> Option<PropertyValue> {
    let entity = &record.entity;
    let first = field.columns.first().map_or(&Value::Null, |column| entity.value(column));
    let text = |value: &Value| value.as_text().map(str::to_owned);
    match field.form {
        Form::Text => text(first).map(PropertyValue::Text),
        Form::TextList => split_list(&text(first)?),
        Form::Lines => {
            let line = |column: &&str| entity.text(column).unwrap_or_default().to_owned();
            join_lines(&field.columns.iter().map(line).collect::<Vec<_>>())
        }
        Form::Date => Some(PropertyValue::Date(date_in(moment(first)?, &TimeZone::UTC)?)),
        Form::Day => Some(PropertyValue::Date(date_in(moment(first)?, &options.zone)?)),
        Form::TimeOfDay => time_of_day(moment(first)?, &options.zone),
        Form::Moment => {
            let whole_days = matches!(entity.value("isalldayevent"), Value::Boolean(true));
            let time = moment(first)?;
            Some(if whole_days {
                PropertyValue::Date(date_in(time, &TimeZone::UTC)?)
            } else {
                PropertyValue::Time(time)
            })
        }
        Form::Number => first.as_option().map(PropertyValue::Integer),
        Form::Boolean => {
            matches!(first, Value::Boolean(true)).then_some(PropertyValue::Boolean(true))
        }
        Form::Priority => Some(PropertyValue::Integer(first.as_option().unwrap_or(1))),
        Form::TaskStatus => {
            let (state, status) = (option(record, "statecode"), option(record, "statuscode"));
            Some(PropertyValue::Integer(task_status(mapping.table, state, status)))
        }
        Form::ShowTimeAs => shown_as(option(record, "statecode"), option(record, "statuscode"))
            .map(PropertyValue::Integer),
        Form::Parties(mask) => {
            let of_mask = record.parties.iter().filter(|party| party.mask == mask);
            let people = of_mask.map(|p| Person::new(p.name.clone(), p.address.clone()));
            Some(PropertyValue::People(people.collect()))
        }
        Form::Regarding => {
            first.as_reference().map(|r| PropertyValue::text(format!("{}:{}", r.table, r.id)))
        }
        Form::ParentName => record.parent_name.clone().map(PropertyValue::Text),
    }
}

fn option(record: &Record, column: &str) -> i32 {
    record.entity.value(column).as_option().unwrap_or_default()
}

fn moment(value: &Value) -> Option<Timestamp> {
    match value {
        Value::DateTime(time) => Some(*time),
        _ => None,
    }
}

/// The date of a time in a zone; `None` outside of the range of dates.
pub(super) fn date_in(time: Timestamp, zone: &TimeZone) -> Option<Date> {
    let instant = jiff::Timestamp::from_millisecond(time.0).ok()?;
    Some(instant.to_zoned(zone.clone()).date())
}

/// The time, when it is not midnight: only then "a task has due time set".
fn time_of_day(time: Timestamp, zone: &TimeZone) -> Option<PropertyValue> {
    let instant = jiff::Timestamp::from_millisecond(time.0).ok()?;
    let at = instant.to_zoned(zone.clone()).time();
    (at != jiff::civil::Time::midnight()).then_some(PropertyValue::Time(time))
}

/// A record with a start and a duration and no end has an end all the same.
fn settle_end(mapping: &TableMapping, record: &Record, state: &mut State) {
    if mapping.field(Property::Duration).is_none() || state.get(Property::End).is_some() {
        return;
    }
    let minutes = record.entity.value("scheduleddurationminutes").as_option().unwrap_or_default();
    let end = match state.get(Property::Start) {
        Some(PropertyValue::Time(start)) => {
            Some(PropertyValue::Time(start.plus_ms(i64::from(minutes) * MINUTE_MS)))
        }
        Some(PropertyValue::Date(day)) => {
            let days = (i64::from(minutes) / DAY_MINUTES).max(1);
            day.checked_add(jiff::Span::new().days(days)).ok().map(PropertyValue::Date)
        }
        _ => None,
    };
    state.set(Property::End, end);
}

/// The duration follows from start and end, so that the three never disagree.
fn set_duration(mapping: &TableMapping, state: &mut State) {
    if mapping.field(Property::Duration).is_none() {
        return;
    }
    let minutes = match (state.get(Property::Start), state.get(Property::End)) {
        (Some(PropertyValue::Time(start)), Some(PropertyValue::Time(end))) => {
            Some(end.0.saturating_sub(start.0).max(0) / MINUTE_MS)
        }
        (Some(PropertyValue::Date(start)), Some(PropertyValue::Date(end))) => {
            end.since(*start).ok().map(|span| i64::from(span.get_days()).max(0) * DAY_MINUTES)
        }
        _ => None,
    };
    let minutes = minutes.and_then(|minutes| i32::try_from(minutes).ok());
    state.set(Property::Duration, minutes.map(PropertyValue::Integer));
}
