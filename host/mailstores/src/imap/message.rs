//! From the beginning of a message to the properties of an e-mail.
//!
//! Never fails: what cannot be read is absent, and what was cut off is not there.

use mail_parser::{Address, DateTime, MessageParser};
use offstage_model::Timestamp;
use offstage_outlook::{Person, Properties, Property, PropertyValue};

use super::connection::{Fetched, Role};

/// People of one field that are taken; a message to a crowd stays readable.
const PEOPLE_MAX: usize = 1_000;

/// The properties of a message in a folder of this role.
pub(super) fn properties(fetched: &Fetched, role: Role) -> Properties {
    let mut found = Properties::new();
    let Some(message) = MessageParser::new().parse(&fetched.bytes) else { return found };
    let mut put = |property: Property, value: Option<PropertyValue>| {
        let value = value.as_ref().and_then(PropertyValue::canonical);
        found.extend(value.map(|value| (property, value)));
    };
    let text = |text: Option<&str>| text.map(PropertyValue::text);
    put(Property::Subject, text(message.subject()));
    put(Property::Body, text(message.body_text(0).as_deref()));
    let message_id = message.message_id().map(|id| format!("<{id}>"));
    put(Property::MessageId, text(message_id.as_deref()));
    put(Property::Sender, people(message.from()).or_else(|| people(message.sender())));
    put(Property::ToRecipients, people(message.to()));
    put(Property::CcRecipients, people(message.cc()));
    let came = fetched.came.and_then(time);
    let sent = message.date().filter(|date| date.is_valid()).map(DateTime::to_timestamp);
    let sent = sent.and_then(time).or(came);
    if !fetched.draft && role != Role::Drafts {
        put(Property::SentOn, sent.map(PropertyValue::Time));
        let received = came.filter(|_| role == Role::Received);
        put(Property::ReceivedOn, received.map(PropertyValue::Time));
    }
    found
}

/// A time that a record can keep.
fn time(seconds: i64) -> Option<Timestamp> {
    const YEAR_9999: i64 = 253_370_764_800;
    (0..YEAR_9999).contains(&seconds).then(|| Timestamp(seconds * 1_000))
}

fn people(field: Option<&Address<'_>>) -> Option<PropertyValue> {
    let people = field?
        .iter()
        .take(PEOPLE_MAX)
        .map(|one| Person::new(one.name().unwrap_or_default(), one.address().unwrap_or_default()));
    Some(PropertyValue::People(people.collect()))
}
