//! Between Graph's JSON and the properties of items.
//!
//! What Graph has no field for travels as an extended property with its MAPI tag. Days are taken as
//! they are written: no zone moves them. Never sends personal data that OriginalXML would carry.

use jiff::civil::Date;
use offstage_model::Timestamp;
use offstage_outlook::link::names;
use offstage_outlook::{ItemKind, LinkProperties, Person, Properties, Property, PropertyValue};
use serde_json::{Map, Value, json};

use super::exceptions::Series;
use super::recurrence;
use crate::codec::zone::Zone;

/// PS_PUBLIC_STRINGS, as extended properties name it.
const STRINGS: &str = "String {00020329-0000-0000-C000-000000000046} Name ";
/// Names the attempt that made an item.
pub(super) const TRANSACTION: &str = "offstageTransaction";
/// The open extension of a task, which cannot carry extended properties.
pub(super) const EXTENSION: &str = "net.offstage.link";

/// Properties that are one text of an item.
const CONTACT_TEXTS: &[(Property, &str)] = &[
    (Property::AssistantName, "assistantName"),
    (Property::FirstName, "givenName"),
    (Property::LastName, "surname"),
    (Property::MiddleName, "middleName"),
    (Property::Title, "title"),
    (Property::Nickname, "nickName"),
    (Property::JobTitle, "jobTitle"),
    (Property::Department, "department"),
    (Property::Company, "companyName"),
    (Property::ManagerName, "manager"),
    (Property::Spouse, "spouseName"),
    (Property::WebPage, "businessHomePage"),
    (Property::YomiFirstName, "yomiGivenName"),
    (Property::YomiLastName, "yomiSurname"),
    (Property::MobileTelephone, "mobilePhone"),
    (Property::Body, "personalNotes"),
];
/// Properties that are the first of several texts.
const FIRSTS: &[(Property, &str)] =
    &[(Property::BusinessTelephone, "businessPhones"), (Property::HomeTelephone, "homePhones")];
const EMAILS: [Property; 3] = [Property::Email1, Property::Email2, Property::Email3];
const ADDRESS: &[(Property, &str)] = &[
    (Property::MailingStreet, "street"),
    (Property::MailingCity, "city"),
    (Property::MailingState, "state"),
    (Property::MailingPostalCode, "postalCode"),
    (Property::MailingCountry, "countryOrRegion"),
];
/// Properties that exist only as extended ones.
const EXTENDED: &[(Property, &str)] = &[
    (Property::Anniversary, "SystemTime 0x3A41"),
    (Property::AssistantTelephone, "String 0x3A2E"),
    (Property::BusinessFax, "String 0x3A24"),
    (Property::FtpSite, "String 0x3A4C"),
    (Property::GovernmentId, "String 0x3A07"),
    (Property::OtherTelephone, "String 0x3A1F"),
    (Property::Pager, "String 0x3A21"),
    (Property::MailingPostOfficeBox, "String {00062004-0000-0000-C000-000000000046} Id 0x804A"),
];
const IMPORTANCE: [&str; 3] = ["low", "normal", "high"];
const SHOW_AS: [&str; 5] = ["free", "tentative", "busy", "oof", "workingElsewhere"];
const TASK_STATUS: [&str; 5] =
    ["notStarted", "inProgress", "completed", "waitingOnOthers", "deferred"];

/// Why a patch cannot be said in Graph's words.
pub(super) type Unsaid = &'static str;

/// The link names that an item carries; OriginalXML holds personal data and stays at home.
fn carried() -> impl Iterator<Item = &'static str> {
    names::ALL.into_iter().filter(|name| *name != names::ORIGINAL_XML)
}

/// The `$expand` that brings the extended properties along.
pub(super) fn expand(kind: ItemKind) -> String {
    if kind == ItemKind::Task {
        return "extensions".to_owned();
    }
    let own = carried().chain([TRANSACTION]).map(|name| format!("{STRINGS}{name}"));
    let contact = EXTENDED.iter().filter(|_| kind == ItemKind::Contact);
    let ids = own.chain(contact.map(|(_, id)| (*id).to_owned()));
    let filter: Vec<_> = ids.map(|id| format!("id eq '{id}'")).collect();
    format!("singleValueExtendedProperties($filter={})", filter.join(" or "))
}

/// The `$filter` that finds an item by its transaction.
pub(super) fn made_by(transaction: &str) -> String {
    format!(
        "singleValueExtendedProperties/Any(ep: ep/id eq '{STRINGS}{TRANSACTION}' and ep/value eq '{transaction}')"
    )
}

fn text<'a>(json: &'a Value, name: &str) -> Option<&'a str> {
    json.get(name)?.as_str().filter(|text| !text.is_empty())
}

fn extended<'a>(json: &'a Value, id: &str) -> Option<&'a str> {
    let all = json.get("singleValueExtendedProperties")?.as_array()?;
    let found =
        all.iter().find(|one| text(one, "id").is_some_and(|there| there.eq_ignore_ascii_case(id)));
    text(found?, "value")
}

/// The tie that an item carries.
pub(super) fn link(json: &Value, kind: ItemKind) -> LinkProperties {
    let mut found = Vec::new();
    if kind == ItemKind::Task {
        let extensions = json.get("extensions").and_then(Value::as_array);
        let ours = extensions
            .into_iter()
            .flatten()
            .find(|one| text(one, "extensionName") == Some(EXTENSION));
        found.extend(
            ours.into_iter()
                .flat_map(|one| carried().filter_map(|name| Some((name, text(one, name)?)))),
        );
    } else {
        found.extend(
            carried().filter_map(|name| Some((name, extended(json, &format!("{STRINGS}{name}"))?))),
        );
    }
    LinkProperties::from_named(found)
}

/// The transaction that made a task.
pub(super) fn task_transaction(json: &Value) -> Option<&str> {
    let extensions = json.get("extensions")?.as_array()?;
    text(extensions.iter().find(|one| text(one, "extensionName") == Some(EXTENSION))?, TRANSACTION)
}

/// The open extension of a task.
pub(super) fn extension(link: &LinkProperties, transaction: Option<&str>) -> Value {
    let mut body = Map::new();
    body.insert("@odata.type".to_owned(), json!("microsoft.graph.openTypeExtension"));
    body.insert("extensionName".to_owned(), json!(EXTENSION));
    for name in carried() {
        let value = link.to_named().into_iter().find(|(there, _)| *there == name);
        body.insert(name.to_owned(), value.map_or(Value::Null, |(_, value)| json!(value)));
    }
    if let Some(transaction) = transaction {
        body.insert(TRANSACTION.to_owned(), json!(transaction));
    }
    Value::Object(body)
}

/// The properties of an item.
pub(super) fn read(json: &Value, kind: ItemKind) -> Properties {
    let mut properties = Properties::new();
    let mut put = |property, value: Option<PropertyValue>| {
        let value = value.as_ref().and_then(PropertyValue::canonical);
        properties.extend(value.map(|value| (property, value)));
    };
    match kind {
        ItemKind::Contact => read_contact(json, &mut put),
        ItemKind::Appointment => read_event(json, &mut put),
        ItemKind::Task => read_task(json, &mut put),
        ItemKind::Email => read_message(json, &mut put),
    }
    properties
}

/// Why an item is left alone; `None` for one that is understood. A zone or a rule is never guessed.
pub(super) fn not_understood(json: &Value, kind: ItemKind) -> Option<String> {
    if kind != ItemKind::Appointment {
        return None;
    }
    let all_day = json.get("isAllDay").and_then(Value::as_bool).unwrap_or(false);
    for name in ["start", "end"] {
        if point(json, name, all_day).is_none() {
            let zone = json.get(name).and_then(|point| text(point, "timeZone"));
            return Some(match zone.filter(|zone| Zone::named(zone).is_none()) {
                Some(zone) => unknown_zone(zone),
                None => format!("the event has no {name} that can be read"),
            });
        }
    }
    let rule = json.get("recurrence").filter(|value| !value.is_null())?;
    if recurrence::to_text(rule).is_none() {
        return Some("the rule of the series is of a kind that is not known".to_owned());
    }
    let zone = text(json, "originalStartTimeZone").filter(|_| !all_day)?;
    Zone::named(zone).is_none().then(|| unknown_zone(zone))
}

fn unknown_zone(zone: &str) -> String {
    format!("the time zone '{zone}' is not known, and is not guessed")
}

type Put<'a> = &'a mut dyn FnMut(Property, Option<PropertyValue>);

fn read_contact(json: &Value, put: Put<'_>) {
    for (property, name) in CONTACT_TEXTS {
        put(*property, text(json, name).map(PropertyValue::text));
    }
    for (property, name) in FIRSTS {
        let first = json.get(*name).and_then(|list| list.get(0)).and_then(Value::as_str);
        put(*property, first.map(PropertyValue::text));
    }
    for (at, property) in EMAILS.into_iter().enumerate() {
        let address = json.get("emailAddresses").and_then(|list| list.get(at));
        put(property, address.and_then(|one| text(one, "address")).map(PropertyValue::text));
    }
    let children = json.get("children").and_then(Value::as_array);
    let names = children.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    put(Property::Children, Some(PropertyValue::Texts(names.collect())));
    let address = address_of(json);
    for (property, name) in ADDRESS {
        put(*property, json.get(address).and_then(|one| text(one, name)).map(PropertyValue::text));
    }
    put(Property::Birthday, text(json, "birthday").and_then(day).map(PropertyValue::Date));
    for (property, id) in EXTENDED {
        let value = extended(json, id);
        put(
            *property,
            match property {
                Property::Anniversary => value.and_then(day).map(PropertyValue::Date),
                _ => value.map(PropertyValue::text),
            },
        );
    }
}

/// The mailing address: the first of the three that is filled.
fn address_of(json: &Value) -> &'static str {
    let all = ["businessAddress", "homeAddress", "otherAddress"];
    let filled = |name: &&str| {
        let address = json.get(*name).and_then(Value::as_object);
        address.is_some_and(|fields| {
            fields.values().any(|value| value.as_str().is_some_and(|text| !text.is_empty()))
        })
    };
    all.into_iter().find(|name| filled(name)).unwrap_or(all[0])
}

fn read_event(json: &Value, put: Put<'_>) {
    put(Property::Subject, text(json, "subject").map(PropertyValue::text));
    put(Property::Body, body(json));
    put(
        Property::Location,
        json.get("location").and_then(|one| text(one, "displayName")).map(PropertyValue::text),
    );
    put(Property::Importance, choice(json, "importance", &IMPORTANCE));
    put(Property::ShowTimeAs, choice(json, "showAs", &SHOW_AS));
    put(Property::GlobalObjectId, text(json, "iCalUId").map(PropertyValue::text));
    let all_day = json.get("isAllDay").and_then(Value::as_bool).unwrap_or(false);
    put(Property::AllDay, Some(PropertyValue::Boolean(all_day)));
    let (start, end) = (point(json, "start", all_day), point(json, "end", all_day));
    let minutes = match (&start, &end) {
        (Some(PropertyValue::Time(start)), Some(PropertyValue::Time(end))) => {
            Some((end.0 - start.0) / 60_000)
        }
        (Some(PropertyValue::Date(start)), Some(PropertyValue::Date(end))) => {
            start.until(*end).ok().map(|span| i64::from(span.get_days()) * 1440)
        }
        _ => None,
    };
    put(
        Property::Duration,
        minutes.and_then(|m| i32::try_from(m).ok()).map(PropertyValue::Integer),
    );
    put(Property::Start, start);
    put(Property::End, end);
    let rule = json.get("recurrence").filter(|value| !value.is_null());
    if let Some(rule) = rule {
        let whole = recurrence::to_text(rule).map(|rule| {
            let lines = std::iter::once(rule).chain(super::exceptions::lines(json));
            lines.collect::<Vec<_>>().join("\n")
        });
        put(Property::Recurrence, whole.map(PropertyValue::Text));
        // Only names that the database knows are handed on; Graph has names of its own.
        let zone = text(json, "originalStartTimeZone").and_then(Zone::named);
        put(
            Property::TimeZone,
            zone.and_then(|zone| zone.name()).filter(|_| !all_day).map(PropertyValue::text),
        );
    }
    let people = |wanted: &str| {
        let all = json.get("attendees").and_then(Value::as_array);
        let mine = all.into_iter().flatten().filter(|one| text(one, "type") == Some(wanted));
        PropertyValue::People(mine.filter_map(person).collect())
    };
    put(Property::RequiredAttendees, Some(people("required")));
    put(Property::OptionalAttendees, Some(people("optional")));
    let organizer = json.get("organizer").and_then(person);
    put(Property::Organizer, Some(PropertyValue::People(organizer.into_iter().collect())));
}

fn read_task(json: &Value, put: Put<'_>) {
    put(Property::Subject, text(json, "title").map(PropertyValue::text));
    put(Property::Body, body(json));
    put(Property::Importance, choice(json, "importance", &IMPORTANCE));
    put(Property::TaskStatus, choice(json, "status", &TASK_STATUS));
    put(Property::DueDate, point(json, "dueDateTime", true));
    put(Property::StartDate, point(json, "startDateTime", true));
    let reminds = json.get("isReminderOn").and_then(Value::as_bool).unwrap_or(false);
    put(Property::ReminderTime, point(json, "reminderDateTime", false).filter(|_| reminds));
}

fn read_message(json: &Value, put: Put<'_>) {
    put(Property::Subject, text(json, "subject").map(PropertyValue::text));
    put(Property::Body, body(json));
    put(Property::MessageId, text(json, "internetMessageId").map(PropertyValue::text));
    let people = |name: &str| {
        let all = json.get(name).and_then(Value::as_array);
        PropertyValue::People(all.into_iter().flatten().filter_map(person).collect())
    };
    put(Property::ToRecipients, Some(people("toRecipients")));
    put(Property::CcRecipients, Some(people("ccRecipients")));
    let from = json.get("from").and_then(person);
    put(Property::Sender, Some(PropertyValue::People(from.into_iter().collect())));
    let time = |name| {
        text(json, name).and_then(|text| Timestamp::parse(text).ok()).map(PropertyValue::Time)
    };
    put(Property::SentOn, time("sentDateTime"));
    put(Property::ReceivedOn, time("receivedDateTime"));
}

fn person(json: &Value) -> Option<Person> {
    let address = json.get("emailAddress")?;
    Some(Person::new(
        text(address, "name").unwrap_or_default(),
        text(address, "address").unwrap_or_default(),
    ))
}

fn body(json: &Value) -> Option<PropertyValue> {
    let body = json.get("body")?;
    let content = text(body, "content")?;
    let html = text(body, "contentType").is_some_and(|kind| kind.eq_ignore_ascii_case("html"));
    Some(PropertyValue::Text(if html {
        mail_parser::decoders::html::html_to_text(content)
    } else {
        content.to_owned()
    }))
}

fn choice(json: &Value, name: &str, words: &[&str]) -> Option<PropertyValue> {
    let word = text(json, name)?;
    let at = words.iter().position(|known| known.eq_ignore_ascii_case(word))?;
    i32::try_from(at).ok().map(PropertyValue::Integer)
}

fn day(text: &str) -> Option<Date> {
    text.get(..10)?.parse().ok()
}

/// A `dateTimeTimeZone`; asked for in UTC, but a zone that it names counts.
fn point(json: &Value, name: &str, whole_day: bool) -> Option<PropertyValue> {
    let point = json.get(name)?;
    let at = text(point, "dateTime")?;
    if whole_day {
        return day(at).map(PropertyValue::Date);
    }
    let local: jiff::civil::DateTime = at.trim_end_matches('Z').parse().ok()?;
    let zone = text(point, "timeZone").map_or(Some(Zone::UTC), Zone::named)?;
    zone.instant(local).map(PropertyValue::Time)
}

/// The body of a request that changes what a patch names. `old` is the item as it is.
pub(super) fn write(
    kind: ItemKind,
    changes: &[(Property, Option<PropertyValue>)],
    link: Option<&LinkProperties>,
    transaction: Option<&str>,
    old: &Value,
) -> Result<Value, Unsaid> {
    let mut out = Map::new();
    let mut more = Vec::new();
    for (property, value) in changes {
        let value = value.as_ref().and_then(PropertyValue::canonical);
        match kind {
            ItemKind::Contact => write_contact(&mut out, &mut more, old, *property, value.as_ref()),
            ItemKind::Appointment => {
                write_event(&mut out, changes, old, *property, value.as_ref())?
            }
            ItemKind::Task => write_task(&mut out, *property, value.as_ref()),
            ItemKind::Email => return Err("messages are tracked and never changed"),
        }
    }
    if kind != ItemKind::Task {
        if let Some(link) = link {
            let named = link.to_named();
            more.extend(carried().map(|name| {
                let value = named.iter().find(|(there, _)| *there == name);
                json!({"id": format!("{STRINGS}{name}"), "value": value.map_or("", |(_, value)| value)})
            }));
        }
        if let Some(transaction) = transaction {
            more.push(json!({"id": format!("{STRINGS}{TRANSACTION}"), "value": transaction}));
        }
        if !more.is_empty() {
            out.insert("singleValueExtendedProperties".to_owned(), Value::Array(more));
        }
    }
    Ok(Value::Object(out))
}

fn shown(value: Option<&PropertyValue>) -> Value {
    value.map_or(Value::Null, |value| json!(value.to_string()))
}

fn write_contact(
    out: &mut Map<String, Value>,
    more: &mut Vec<Value>,
    old: &Value,
    property: Property,
    value: Option<&PropertyValue>,
) {
    let named = |table: &[(Property, &'static str)]| {
        table.iter().find(|(known, _)| *known == property).map(|(_, name)| *name)
    };
    if let Some(name) = named(CONTACT_TEXTS) {
        out.insert(name.to_owned(), shown(value));
    } else if let Some(name) = named(FIRSTS) {
        // The other numbers of the list stay.
        let rest = old.get(name).and_then(Value::as_array).into_iter().flatten().skip(1).cloned();
        let first = value.map(|value| json!(value.to_string()));
        out.insert(name.to_owned(), first.into_iter().chain(rest).collect());
    } else if let Some(at) = EMAILS.iter().position(|known| *known == property) {
        let mut list = match out.get("emailAddresses").or_else(|| old.get("emailAddresses")) {
            Some(Value::Array(list)) => list.clone(),
            _ => Vec::new(),
        };
        while list.len() <= at {
            list.push(json!({"address": "", "name": ""}));
        }
        list[at] = json!({"address": value.map(ToString::to_string).unwrap_or_default(), "name": value.map(ToString::to_string).unwrap_or_default()});
        while list.last().is_some_and(|one| text(one, "address").is_none()) {
            list.pop();
        }
        out.insert("emailAddresses".to_owned(), Value::Array(list));
    } else if property == Property::Children {
        let names = match value {
            Some(PropertyValue::Texts(names)) => names.clone(),
            _ => Vec::new(),
        };
        out.insert("children".to_owned(), json!(names));
    } else if let Some(name) = named(ADDRESS) {
        let address = address_of(old);
        let there = out.get(address).or_else(|| old.get(address)).cloned();
        let mut fields = there.and_then(|there| there.as_object().cloned()).unwrap_or_default();
        fields.insert(name.to_owned(), shown(value));
        out.insert(address.to_owned(), Value::Object(fields));
    } else if property == Property::Birthday {
        out.insert(
            "birthday".to_owned(),
            value.map_or(Value::Null, |day| json!(format!("{day}T00:00:00Z"))),
        );
    } else if let Some(id) = named(EXTENDED) {
        let value = match (property, value) {
            (Property::Anniversary, Some(day)) => format!("{day}T00:00:00Z"),
            (_, value) => value.map(ToString::to_string).unwrap_or_default(),
        };
        more.push(json!({"id": id, "value": value}));
    }
}

fn write_event(
    out: &mut Map<String, Value>,
    changes: &[(Property, Option<PropertyValue>)],
    old: &Value,
    property: Property,
    value: Option<&PropertyValue>,
) -> Result<(), Unsaid> {
    let given = |wanted: Property| {
        changes.iter().find(|(known, _)| *known == wanted).and_then(|(_, value)| value.as_ref())
    };
    match property {
        Property::Subject => drop(out.insert("subject".to_owned(), shown(value))),
        Property::Body => drop(out.insert("body".to_owned(), content(value))),
        Property::Location => {
            let name = value.map(ToString::to_string).unwrap_or_default();
            out.insert("location".to_owned(), json!({"displayName": name}));
        }
        Property::Importance => {
            drop(out.insert("importance".to_owned(), word(value, &IMPORTANCE, 1)))
        }
        Property::ShowTimeAs => drop(out.insert("showAs".to_owned(), word(value, &SHOW_AS, 2))),
        Property::AllDay => {
            let yes = matches!(value, Some(PropertyValue::Boolean(true)));
            out.insert("isAllDay".to_owned(), json!(yes));
        }
        Property::Start | Property::End => {
            let name = if property == Property::Start { "start" } else { "end" };
            let zone = match given(Property::TimeZone) {
                Some(PropertyValue::Text(zone)) => Some(zone.as_str()),
                _ => text(old, "originalStartTimeZone").filter(|_| !old["recurrence"].is_null()),
            };
            out.insert(name.to_owned(), date_time(value, zone));
        }
        Property::Recurrence => {
            let start = given(Property::Start).cloned().or_else(|| point(old, "start", false));
            let Some(rule) = series(value, start.as_ref(), given(Property::TimeZone), old)? else {
                return Ok(());
            };
            out.insert("recurrence".to_owned(), rule);
        }
        Property::RequiredAttendees | Property::OptionalAttendees => {
            let kind =
                if property == Property::RequiredAttendees { "required" } else { "optional" };
            let there =
                out.get("attendees").or_else(|| old.get("attendees")).and_then(Value::as_array);
            let mut all: Vec<Value> = there
                .into_iter()
                .flatten()
                .filter(|one| text(one, "type") != Some(kind))
                .cloned()
                .collect();
            let people = value.map(PropertyValue::people).unwrap_or_default();
            all.extend(people.iter().map(|person| {
                json!({"type": kind, "emailAddress": {"name": person.name, "address": person.address}})
            }));
            out.insert("attendees".to_owned(), Value::Array(all));
        }
        _ => {}
    }
    Ok(())
}

/// The rule of a series as Graph has it; `None` leaves it as it is.
fn series(
    wanted: Option<&PropertyValue>,
    start: Option<&PropertyValue>,
    zone: Option<&PropertyValue>,
    old: &Value,
) -> Result<Option<Value>, &'static str> {
    let Some(wanted) = wanted else { return Ok(Some(Value::Null)) };
    let start = start.ok_or("a series needs a start")?;
    let wanted = Series::read(&wanted.to_string())?.rules;
    let there = old.get("recurrence").and_then(recurrence::to_text);
    if there.as_deref() == Some(wanted.as_str()) {
        // Only its exceptions change, which are written one by one.
        return Ok(None);
    }
    let zone = match zone {
        Some(PropertyValue::Text(zone)) => Some(zone.as_str()),
        _ => text(old, "originalStartTimeZone"),
    };
    // The days of a series are days of its zone; nobody guesses which.
    let zone = match zone {
        Some(name) => Zone::named(name).ok_or("nobody knows its time zone")?,
        None => Zone::UTC,
    };
    recurrence::of_text(&wanted, start, &zone).map(Some)
}

fn write_task(out: &mut Map<String, Value>, property: Property, value: Option<&PropertyValue>) {
    match property {
        Property::Subject => drop(out.insert("title".to_owned(), shown(value))),
        Property::Body => drop(out.insert("body".to_owned(), content(value))),
        Property::Importance => {
            drop(out.insert("importance".to_owned(), word(value, &IMPORTANCE, 1)))
        }
        Property::TaskStatus => drop(out.insert("status".to_owned(), word(value, &TASK_STATUS, 0))),
        Property::DueDate => drop(out.insert("dueDateTime".to_owned(), date_time(value, None))),
        Property::StartDate => drop(out.insert("startDateTime".to_owned(), date_time(value, None))),
        Property::ReminderTime => {
            out.insert("isReminderOn".to_owned(), json!(value.is_some()));
            out.insert("reminderDateTime".to_owned(), date_time(value, None));
        }
        _ => {}
    }
}

fn content(value: Option<&PropertyValue>) -> Value {
    json!({"contentType": "text", "content": value.map(ToString::to_string).unwrap_or_default()})
}

fn word(value: Option<&PropertyValue>, words: &[&str], default: usize) -> Value {
    let at = value.and_then(PropertyValue::as_integer).and_then(|at| usize::try_from(at).ok());
    json!(words.get(at.unwrap_or(default)).unwrap_or(&words[default]))
}

/// A `dateTimeTimeZone`: a day at its midnight, a time on the clock of the zone.
fn date_time(value: Option<&PropertyValue>, zone: Option<&str>) -> Value {
    match value {
        Some(PropertyValue::Date(day)) => {
            json!({"dateTime": format!("{day}T00:00:00"), "timeZone": "UTC"})
        }
        Some(PropertyValue::Time(time)) => {
            let known = zone.and_then(|name| Some((name, Zone::named(name)?)));
            let (name, zone) = known.unwrap_or(("UTC", Zone::UTC));
            let local = zone.local(*time).map(|local| local.to_string()).unwrap_or_default();
            json!({"dateTime": local, "timeZone": name})
        }
        _ => Value::Null,
    }
}
