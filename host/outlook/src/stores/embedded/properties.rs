//! Properties and ties in the stored form: tags, named properties, recipients, and the copies of
//! values that MAPI keeps under other names.
//!
//! Never touches a tag that it does not write.

use crate::item::{FileTime, ItemKind};
use crate::link::{LinkProperties, names};
use crate::property::{
    MapiName, Person, Properties, Property, PropertySet, PropertyType, PropertyValue,
};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use offstage_model::Timestamp;
use offstage_query::SqlValue;
use offstage_store::{MailboxFile, MailboxItem, StoreError};
use std::collections::BTreeMap;

const PT_LONG: u32 = 0x0003;
const PT_BOOLEAN: u32 = 0x000B;
const PT_UNICODE: u32 = 0x001F;
const PT_SYSTIME: u32 = 0x0040;
const PT_MV_UNICODE: u32 = 0x101F;
/// Stands between the texts of a multi-value property.
const SEPARATOR: char = '\u{0}';

/// The tags of all known properties in one mailbox.
pub(super) struct Names {
    tags: BTreeMap<Property, u32>,
    links: BTreeMap<&'static str, u32>,
    mirrors: Mirrors,
}

/// Tags that follow others.
struct Mirrors {
    reminder_set: u32,
    percent_complete: u32,
    task_complete: u32,
    date_completed: u32,
}

impl Names {
    /// Looks all names up, and makes those that are new.
    pub(super) fn new(file: &mut MailboxFile) -> Result<Self, StoreError> {
        let mut tags = BTreeMap::new();
        for property in Property::ALL {
            let id = match property.mapi() {
                MapiName::Tag(id) => id,
                MapiName::Lid(set, lid) => file.named(set.guid(), Some(lid), None)?,
                MapiName::Text(..) | MapiName::Recipients(_) => continue,
            };
            tags.insert(*property, u32::from(id) << 16 | mapi_type(property.kind()));
        }
        let mut links = BTreeMap::new();
        for name in names::ALL {
            let id = file.named(PropertySet::PublicStrings.guid(), None, Some(name))?;
            links.insert(name, u32::from(id) << 16 | PT_UNICODE);
        }
        let mut task = |lid, kind| {
            let id = file.named(PropertySet::Task.guid(), Some(lid), None)?;
            Ok::<u32, StoreError>(u32::from(id) << 16 | kind)
        };
        let (percent_complete, task_complete, date_completed) =
            (task(0x8102, 0x0005)?, task(0x811C, PT_BOOLEAN)?, task(0x810F, PT_SYSTIME)?);
        let reminder_set = file.named(PropertySet::Common.guid(), Some(0x8503), None)?;
        let reminder_set = u32::from(reminder_set) << 16 | PT_BOOLEAN;
        let mirrors = Mirrors { reminder_set, percent_complete, task_complete, date_completed };
        Ok(Self { tags, links, mirrors })
    }

    /// The tag of the id that a tie names.
    pub(super) fn entry_id_tag(&self) -> u32 {
        self.links[names::ENTRY_ID]
    }

    /// The columns of a contents table that show the tie.
    pub(super) fn scan_columns(&self) -> [u32; 2] {
        [self.links[names::CRM_ID], self.links[names::LINK_STATE]]
    }

    /// The tie of such columns.
    pub(super) fn scan_link(&self, values: &[Option<SqlValue>]) -> LinkProperties {
        let texts = [names::CRM_ID, names::LINK_STATE].into_iter().zip(values);
        let texts = texts.filter_map(|(name, value)| Some((name, value.as_ref()?.as_text()?)));
        LinkProperties::from_named(texts)
    }

    /// The tie of a message.
    pub(super) fn link(&self, item: &MailboxItem) -> LinkProperties {
        let texts = self.links.iter().filter_map(|(name, tag)| {
            let (_, value) = item.properties.iter().find(|(known, _)| known == tag)?;
            Some((*name, value.as_text()?))
        });
        LinkProperties::from_named(texts)
    }

    /// Writes the tie of a message whole.
    pub(super) fn write_link(&self, item: &mut MailboxItem, link: &LinkProperties) {
        item.properties.retain(|(tag, _)| !self.links.values().any(|known| known == tag));
        for (name, value) in link.to_named() {
            item.properties.push((self.links[name], SqlValue::Text(value)));
        }
    }

    /// The properties of a message.
    pub(super) fn read(&self, kind: ItemKind, item: &MailboxItem) -> Properties {
        let cell = |tag: u32| item.properties.iter().find(|(t, _)| *t == tag).map(|(_, v)| v);
        let all_day = self.tags.get(&Property::AllDay).and_then(|tag| cell(*tag));
        let whole_days = all_day.and_then(SqlValue::as_bool).unwrap_or(false);
        let mut properties = Properties::new();
        for (property, tag) in &self.tags {
            let Some(value) = cell(*tag) else { continue };
            let read = match property.kind() {
                PropertyType::People => {
                    let name = cell(name_tag(*property)).and_then(SqlValue::as_text);
                    let address = value.as_text().unwrap_or_default();
                    let person = Person::new(name.unwrap_or_default(), address);
                    Some(PropertyValue::People(vec![person]))
                }
                other => read_value(other, value, whole_days),
            };
            properties.extend(read.map(|value| (*property, value)));
        }
        let (to, cc) = if kind == ItemKind::Appointment {
            (Property::RequiredAttendees, Property::OptionalAttendees)
        } else {
            (Property::ToRecipients, Property::CcRecipients)
        };
        for (property, wanted) in [(to, 1), (cc, 2)] {
            let people: Vec<Person> = item
                .recipients
                .iter()
                .filter(|(kind, ..)| *kind == wanted)
                .map(|(_, name, address)| Person::new(name.clone(), address.clone()))
                .collect();
            if !people.is_empty() {
                properties.insert(property, PropertyValue::People(people));
            }
        }
        properties
    }

    /// Writes some properties of a message; `None` clears one.
    pub(super) fn write(
        &self,
        item: &mut MailboxItem,
        changes: &BTreeMap<Property, Option<PropertyValue>>,
        now: Timestamp,
    ) {
        for (property, value) in changes {
            if let MapiName::Recipients(kind) = property.mapi() {
                item.recipients.retain(|(known, ..)| *known != kind);
                let people = value.as_ref().map(PropertyValue::people).unwrap_or_default();
                let rows = people.iter().map(|p| (kind, p.name.clone(), p.address.clone()));
                item.recipients.extend(rows);
                continue;
            }
            let Some(tag) = self.tags.get(property) else { continue };
            set(item, *tag, value.as_ref().and_then(cell_of));
            self.follow(item, *property, value.as_ref(), now);
        }
    }

    /// Keeps the copies of a value in step with it.
    fn follow(
        &self,
        item: &mut MailboxItem,
        property: Property,
        value: Option<&PropertyValue>,
        now: Timestamp,
    ) {
        match property {
            Property::Organizer | Property::Sender => {
                let person = value.map(PropertyValue::people).and_then(<[Person]>::first);
                set(item, name_tag(property), person.map(|p| SqlValue::Text(p.name.clone())));
            }
            Property::Birthday => set(item, 0x3A42_0040, value.and_then(cell_of)),
            Property::Anniversary => set(item, 0x3A41_0040, value.and_then(cell_of)),
            Property::WebPage => set(item, 0x3A51_001F, value.and_then(cell_of)),
            Property::ReminderTime => {
                set(item, self.mirrors.reminder_set, Some(SqlValue::Boolean(value.is_some())));
            }
            Property::TaskStatus => {
                let complete = value.and_then(PropertyValue::as_integer) == Some(2);
                let percent = if complete { 1.0 } else { 0.0 };
                // The day on which it was completed, not that of the last edit.
                let known =
                    item.properties.iter().find(|(tag, _)| *tag == self.mirrors.date_completed);
                let date = known.map_or_else(
                    || SqlValue::Integer(FileTime::from(now).0),
                    |(_, date)| date.clone(),
                );
                set(item, self.mirrors.percent_complete, Some(SqlValue::Real(percent)));
                set(item, self.mirrors.task_complete, Some(SqlValue::Boolean(complete)));
                set(item, self.mirrors.date_completed, complete.then_some(date));
            }
            _ => {}
        }
    }
}

fn set(item: &mut MailboxItem, tag: u32, value: Option<SqlValue>) {
    item.properties.retain(|(known, _)| *known != tag);
    item.properties.extend(value.map(|value| (tag, value)));
}

/// The tag of a person's name beside their address.
fn name_tag(property: Property) -> u32 {
    match property {
        Property::Organizer => 0x0042_001F,
        _ => 0x0C1A_001F,
    }
}

fn mapi_type(kind: PropertyType) -> u32 {
    match kind {
        PropertyType::Text | PropertyType::People => PT_UNICODE,
        PropertyType::Texts => PT_MV_UNICODE,
        PropertyType::Integer => PT_LONG,
        PropertyType::Boolean => PT_BOOLEAN,
        PropertyType::Time | PropertyType::Date | PropertyType::TimeOrDate => PT_SYSTIME,
    }
}

fn read_value(kind: PropertyType, value: &SqlValue, whole_days: bool) -> Option<PropertyValue> {
    let time = |value: &SqlValue| value.as_i64().map(|ticks| FileTime(ticks).timestamp());
    match kind {
        PropertyType::Text => value.as_text().map(PropertyValue::text),
        PropertyType::Texts => {
            let texts = value.as_text()?.split(SEPARATOR).map(str::to_owned);
            Some(PropertyValue::Texts(texts.collect()))
        }
        PropertyType::Integer => {
            value.as_i64().and_then(|n| i32::try_from(n).ok()).map(PropertyValue::Integer)
        }
        PropertyType::Boolean => value.as_bool().map(PropertyValue::Boolean),
        PropertyType::Date => date(time(value)?).map(PropertyValue::Date),
        PropertyType::TimeOrDate if whole_days => date(time(value)?).map(PropertyValue::Date),
        PropertyType::Time | PropertyType::TimeOrDate => time(value).map(PropertyValue::Time),
        PropertyType::People => None,
    }
}

/// A date is kept as its midnight, as if that were UTC.
fn date(time: Timestamp) -> Option<Date> {
    let instant = jiff::Timestamp::from_millisecond(time.0).ok()?;
    Some(instant.to_zoned(TimeZone::UTC).date())
}

fn cell_of(value: &PropertyValue) -> Option<SqlValue> {
    let ticks = |time: Timestamp| SqlValue::Integer(FileTime::from(time).0);
    Some(match value {
        // An empty text is absent.
        PropertyValue::Text(text) if text.is_empty() => return None,
        PropertyValue::Text(text) => SqlValue::text(text),
        PropertyValue::Texts(texts) => SqlValue::Text(texts.join(&SEPARATOR.to_string())),
        PropertyValue::Integer(number) => SqlValue::Integer(i64::from(*number)),
        PropertyValue::Boolean(yes) => SqlValue::Boolean(*yes),
        PropertyValue::Time(time) => ticks(*time),
        PropertyValue::Date(date) => {
            let midnight = date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond();
            ticks(Timestamp(midnight))
        }
        PropertyValue::People(people) => SqlValue::text(&*people.first()?.address),
    })
}
