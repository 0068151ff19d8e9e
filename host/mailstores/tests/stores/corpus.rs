//! What must hold for any calendar or card text: nothing that is not mapped ever changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use offstage_mailstores::codec::icalendar::{CalendarError, CalendarObject, Writing};
use offstage_mailstores::codec::lines::Document;
use offstage_mailstores::codec::vcard::VCard;
use offstage_mailstores::codec::zone::Zone;
use offstage_model::Timestamp;
use offstage_outlook::{ItemPatch, Properties, Property, PropertyValue};

/// Objects of one file that every property is written to; all of them are read.
const WRITTEN_MAX: usize = 3;

/// What became of the objects of some files.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) files: usize,
    pub(crate) objects: usize,
    pub(crate) mapped: usize,
    pub(crate) left_alone: BTreeMap<String, usize>,
    pub(crate) problems: Vec<String>,
}

/// Lines that mapped properties are written to, and what follows from them.
const MAPPED: &[&str] = &[
    "SUMMARY",
    "DESCRIPTION",
    "LOCATION",
    "PRIORITY",
    "X-MICROSOFT-CDO-IMPORTANCE",
    "DTSTART",
    "DTEND",
    "DURATION",
    "DUE",
    "TRANSP",
    "STATUS",
    "X-MICROSOFT-CDO-BUSYSTATUS",
    "ATTENDEE",
    "X-MICROSOFT-CDO-ALLDAYEVENT",
    "ORGANIZER",
    "COMPLETED",
    "PERCENT-COMPLETE",
    "X-CRM-TASK-STATUS",
    "EXDATE",
    "RECURRENCE-ID",
    "FN",
    "N",
    "NICKNAME",
    "TITLE",
    "ORG",
    "NOTE",
    "ADR",
    "TEL",
    "X-MS-TEL",
    "EMAIL",
    "BDAY",
    "ANNIVERSARY",
    "X-MS-ANNIVERSARY",
    "X-ANNIVERSARY",
    "X-EVOLUTION-ANNIVERSARY",
    "X-ABDATE",
    "RELATED",
    "X-MS-SPOUSE",
    "X-SPOUSE",
    "X-EVOLUTION-SPOUSE",
    "X-MS-CHILD",
    "X-MS-ASSISTANT",
    "X-ASSISTANT",
    "X-EVOLUTION-ASSISTANT",
    "X-MS-MANAGER",
    "X-MANAGER",
    "X-EVOLUTION-MANAGER",
    "URL",
    "X-FTP",
    "X-GOVERNMENT-ID",
    "X-PHONETIC-FIRST-NAME",
    "X-PHONETIC-LAST-NAME",
    "X-CRMID",
];

/// All files below a folder whose name ends so.
pub(crate) fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, endings));
        } else if endings.iter().any(|ending| path.extension().is_some_and(|e| e == *ending)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Takes one file through parse, map, write and parse.
pub(crate) fn check_file(path: &Path, tally: &mut Tally) {
    let bytes = std::fs::read(path).unwrap();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    tally.files += 1;
    let Ok(document) = Document::parse(&bytes) else {
        *tally.left_alone.entry("too large".to_owned()).or_default() += 1;
        return;
    };
    if document.to_bytes() != bytes {
        tally.problems.push(format!("{name}: not the same bytes"));
    }
    if path.extension().is_some_and(|ending| ending == "vcf") {
        check_cards(&name, &bytes, tally);
    } else {
        check_calendar(&name, &bytes, tally);
    }
}

fn check_cards(name: &str, bytes: &[u8], tally: &mut Tally) {
    let cards = match VCard::parse_all(bytes) {
        Ok(cards) => cards,
        Err(error) => return left(tally, &error.to_string()),
    };
    for (number, card) in cards.into_iter().enumerate() {
        tally.objects += 1;
        let properties = match card.properties() {
            Ok(properties) => properties,
            Err(error) => {
                left(tally, &error.to_string());
                continue;
            }
        };
        tally.mapped += 1;
        if number >= WRITTEN_MAX {
            continue;
        }
        let apply = |patch: &ItemPatch| {
            let mut card = card.clone();
            card.patch(patch).map(|()| (card.to_bytes(), card.properties()))
        };
        let same = apply(&everything(&properties));
        if !same.is_ok_and(|(after, _)| after == bytes) {
            tally.problems.push(format!("{name}: a patch that changes nothing changes bytes"));
        }
        for property in CONTACT {
            let value = other(*property, &properties);
            let patch = only(*property, value.clone());
            match apply(&patch) {
                Ok((after, Ok(read))) => {
                    let places = (name, *property);
                    compare(places, (bytes, &after), (&properties, &read), &value, tally);
                }
                other => tally.problems.push(format!("{name}: {property}: {other:?}")),
            }
        }
    }
}

fn check_calendar(name: &str, bytes: &[u8], tally: &mut Tally) {
    let objects = match CalendarObject::parse_all(bytes) {
        Ok(objects) => objects,
        Err(error) => return left(tally, &error.to_string()),
    };
    let home = Zone::named("Europe/Berlin").unwrap();
    let writing = Writing { home: &home, now: Timestamp(1_790_000_000_000) };
    for (number, object) in objects.into_iter().enumerate() {
        tally.objects += 1;
        let properties = match object.properties(&home) {
            Ok(properties) => properties,
            Err(CalendarError::UnknownZone { .. }) => {
                left(tally, "unknown zone, reported");
                continue;
            }
            Err(error) => {
                left(tally, &error.to_string());
                continue;
            }
        };
        tally.mapped += 1;
        if number >= WRITTEN_MAX {
            continue;
        }
        let apply = |patch: &ItemPatch| {
            let mut object = object.clone();
            object.patch(patch, writing).map(|()| (object.to_bytes(), object.properties(&home)))
        };
        match apply(&everything(&properties)) {
            Ok((after, _)) if after == bytes => {}
            other => tally.problems.push(format!(
                "{name}: {}: a patch that changes nothing changes bytes: {:?}",
                object.uid(),
                other.map(|(after, _)| difference(bytes, &after))
            )),
        }
        for property in if properties.contains_key(&Property::Start) { APPOINTMENT } else { TASK } {
            let value = other(*property, &properties);
            match apply(&only(*property, value.clone())) {
                Ok((after, Ok(read))) => {
                    let places = (name, *property);
                    compare(places, (bytes, &after), (&properties, &read), &value, tally);
                }
                other => tally.problems.push(format!("{name}: {property}: {other:?}")),
            }
        }
    }
}

fn left(tally: &mut Tally, reason: &str) {
    *tally.left_alone.entry(reason.to_owned()).or_default() += 1;
}

/// Every property, as it is.
fn everything(properties: &Properties) -> ItemPatch {
    let all = properties.iter().map(|(property, value)| (*property, Some(value.clone())));
    ItemPatch { properties: all.collect(), link: None }
}

fn only(property: Property, value: Option<PropertyValue>) -> ItemPatch {
    ItemPatch { properties: [(property, value)].into(), link: None }
}

const CONTACT: &[Property] = &[
    Property::LastName,
    Property::FirstName,
    Property::MiddleName,
    Property::Title,
    Property::Nickname,
    Property::JobTitle,
    Property::Department,
    Property::Body,
    Property::MailingCity,
    Property::MailingStreet,
    Property::BusinessTelephone,
    Property::BusinessFax,
    Property::HomeTelephone,
    Property::MobileTelephone,
    Property::Pager,
    Property::OtherTelephone,
    Property::AssistantTelephone,
    Property::Email1,
    Property::Email2,
    Property::Email3,
    Property::Birthday,
    Property::Anniversary,
    Property::Spouse,
    Property::Children,
    Property::AssistantName,
    Property::ManagerName,
    Property::WebPage,
    Property::FtpSite,
    Property::GovernmentId,
    Property::YomiFirstName,
];
const APPOINTMENT: &[Property] = &[
    Property::Subject,
    Property::Body,
    Property::Location,
    Property::Importance,
    Property::ShowTimeAs,
    Property::Start,
    Property::RequiredAttendees,
];
const TASK: &[Property] = &[
    Property::Subject,
    Property::Body,
    Property::Importance,
    Property::DueDate,
    Property::StartDate,
    Property::TaskStatus,
];

/// A value that differs from the one that is there.
fn other(property: Property, there: &Properties) -> Option<PropertyValue> {
    use offstage_outlook::property::PropertyType;
    let day = jiff::civil::date(2031, 3, 30);
    match (property.kind(), there.get(&property)) {
        (PropertyType::Text, _) if matches!(property, Property::WebPage | Property::FtpSite) => {
            Some(PropertyValue::text("https://example.org/ü?a=1,2;b=%20"))
        }
        (PropertyType::Text, _) => {
            Some(PropertyValue::text("Ünlikely, “value”; with \\ and\na second line"))
        }
        (PropertyType::Texts, _) => Some(PropertyValue::Texts(vec!["Ada".into(), "Béla".into()])),
        (PropertyType::Integer, Some(PropertyValue::Integer(1))) => Some(PropertyValue::Integer(2)),
        (PropertyType::Integer, _) => Some(PropertyValue::Integer(1)),
        (PropertyType::TimeOrDate, Some(PropertyValue::Time(time))) => {
            Some(PropertyValue::Time(time.plus_ms(90 * 60_000)))
        }
        (PropertyType::Date | PropertyType::TimeOrDate, _) => Some(PropertyValue::Date(day)),
        (PropertyType::People, _) => {
            Some(PropertyValue::People(vec![offstage_outlook::Person::new(
                "Zoë: the \"new\" one",
                "zoe@example.org",
            )]))
        }
        (PropertyType::Boolean | PropertyType::Time, _) => None,
    }
}

/// After writing one property: it is read back, no other moved, and every unmapped line is there.
fn compare(
    (name, property): (&str, Property),
    (before, after): (&[u8], &[u8]),
    (old, new): (&Properties, &Properties),
    value: &Option<PropertyValue>,
    tally: &mut Tally,
) {
    let mut wanted = value.clone();
    if property == Property::RequiredAttendees {
        // A quotation mark cannot stand in a parameter.
        wanted = Some(PropertyValue::People(vec![offstage_outlook::Person::new(
            "Zoë: the new one",
            "zoe@example.org",
        )]));
    }
    if new.get(&property) != wanted.as_ref() {
        tally.problems.push(format!("{name}: {property} reads back as {:?}", new.get(&property)));
    }
    for (other, value) in old {
        let follows = matches!(
            (property, other),
            (
                Property::Start,
                Property::End | Property::AllDay | Property::TimeZone | Property::Recurrence
            )
        );
        if *other != property && !follows && new.get(other) != Some(value) {
            tally.problems.push(format!(
                "{name}: writing {property} changed {other} from {value:?} to {:?}",
                new.get(other)
            ));
        }
    }
    if unmapped(before) != unmapped(after) {
        tally.problems.push(format!(
            "{name}: writing {property} touched an unmapped line: {}",
            difference(before, after)
        ));
    }
}

/// The bytes of all lines that nothing is mapped to.
fn unmapped(bytes: &[u8]) -> Vec<Vec<u8>> {
    let document = Document::parse(bytes).unwrap();
    let lines = document.lines().iter().filter(|line| !MAPPED.contains(&line.name()));
    // The last line may get the end that it lacked.
    lines.map(|line| line.raw().trim_ascii_end().to_vec()).collect()
}

fn difference(before: &[u8], after: &[u8]) -> String {
    let before = String::from_utf8_lossy(before);
    let after = String::from_utf8_lossy(after);
    let gone = before.lines().filter(|line| !after.lines().any(|other| other == *line));
    let new = after.lines().filter(|line| !before.lines().any(|other| other == *line));
    format!("-{:?} +{:?}", gone.collect::<Vec<_>>(), new.collect::<Vec<_>>())
}
