//! From the MAPI properties of a file to the properties that the engine knows.
//!
//! What a file cannot tell for certain (a rule of another calendar, a zone without a name) is left
//! out and noted. Never guesses a day from a point in time where the file has the day itself.

use jiff::civil::Date;
use mail_parser::decoders::html::html_to_text;
use offstage_model::Timestamp;
use offstage_outlook::property::{MapiName, PropertySet, PropertyType};
use offstage_outlook::{
    FileTime, ItemKind, LinkProperties, Person, Properties, Property, PropertyValue,
};

use super::file::{Message, Name, Raw};
use super::recurrence;
use crate::codec::zone::Zone;

/// What was made of a message.
pub(super) struct Mapped {
    pub(super) properties: Properties,
    pub(super) link: LinkProperties,
    pub(super) notes: Vec<String>,
}

struct Source<'a> {
    message: &'a Message,
    home: &'a Zone,
    notes: Vec<String>,
}

/// Maps a message of a kind; `home` is the user's zone.
pub(super) fn map(message: &Message, kind: ItemKind, home: &Zone) -> Mapped {
    let mut source = Source { message, home, notes: Vec::new() };
    let mut properties = Properties::new();
    for property in Property::ALL.iter().filter(|property| applies(**property, kind)) {
        let value = source.value(*property).as_ref().and_then(PropertyValue::canonical);
        properties.extend(value.map(|value| (*property, value)));
    }
    if kind == ItemKind::Appointment {
        source.times(&mut properties);
    }
    if kind == ItemKind::Task && !source.flag(PropertySet::Common, 0x8503) {
        properties.remove(&Property::ReminderTime);
    }
    let named = source.message.values.iter().filter_map(|(name, value)| match name {
        Name::Text(_, name) => Some((name.as_str(), shown(value)?)),
        _ => None,
    });
    let named: Vec<_> = named.collect();
    let link =
        LinkProperties::from_named(named.iter().map(|(name, value)| (*name, value.as_str())));
    Mapped { properties, link, notes: source.notes }
}

/// Whether items of a kind have a property.
pub(super) fn applies(property: Property, kind: ItemKind) -> bool {
    use Property as P;
    match property {
        P::Subject | P::Body => kind != ItemKind::Contact || property == P::Body,
        P::Importance => matches!(kind, ItemKind::Task | ItemKind::Appointment),
        P::Regarding => false,
        P::Start
        | P::End
        | P::Duration
        | P::AllDay
        | P::Location
        | P::ShowTimeAs
        | P::Organizer
        | P::RequiredAttendees
        | P::OptionalAttendees
        | P::Recurrence
        | P::TimeZone
        | P::GlobalObjectId => kind == ItemKind::Appointment,
        P::DueDate | P::StartDate | P::TaskStatus | P::ReminderTime => kind == ItemKind::Task,
        P::MessageId
        | P::Sender
        | P::ToRecipients
        | P::CcRecipients
        | P::SentOn
        | P::ReceivedOn => kind == ItemKind::Email,
        _ => kind == ItemKind::Contact,
    }
}

impl Source<'_> {
    fn raw(&self, name: MapiName) -> Option<&Raw> {
        let name = match name {
            MapiName::Tag(tag) => Name::Tag(tag),
            MapiName::Lid(set, lid) => Name::Lid(set.guid(), lid),
            MapiName::Text(set, text) => Name::Text(set.guid(), text.to_owned()),
            MapiName::Recipients(_) => return None,
        };
        self.message.values.get(&name)
    }

    fn text(&self, name: MapiName) -> Option<String> {
        match self.raw(name)? {
            Raw::Text(text) if !text.is_empty() => Some(text.clone()),
            _ => None,
        }
    }

    fn flag(&self, set: PropertySet, lid: u32) -> bool {
        matches!(self.raw(MapiName::Lid(set, lid)), Some(Raw::Boolean(true)))
    }

    fn value(&mut self, property: Property) -> Option<PropertyValue> {
        use Property as P;
        let name = property.mapi();
        match property {
            P::Body => self.body().map(PropertyValue::Text),
            P::Birthday => self.day(name, 0x3A42),
            P::Anniversary => self.day(name, 0x3A41),
            P::Email1 => self.address(0x8080),
            P::Email2 => self.address(0x8090),
            P::Email3 => self.address(0x80A0),
            P::WebPage => self
                .text(name)
                .or_else(|| self.text(MapiName::Tag(0x3A51)))
                .map(PropertyValue::Text),
            P::Organizer => self.person([0x0042, 0x5D02, 0x0064, 0x0065]),
            P::Sender => self.person([0x0C1A, 0x5D01, 0x0C1E, 0x0C1F]),
            P::Start | P::End | P::Duration | P::Recurrence | P::TimeZone | P::AllDay => None,
            P::GlobalObjectId => match self.raw(name)? {
                Raw::Binary(bytes) => Some(PropertyValue::Text(uid(bytes))),
                _ => None,
            },
            P::DueDate | P::StartDate => match self.raw(name)? {
                // Local midnight, stored as if it were UTC.
                Raw::Time(ticks) => date_in(*ticks, &Zone::UTC).map(PropertyValue::Date),
                _ => None,
            },
            _ => self.plain(property, name),
        }
    }

    fn plain(&self, property: Property, name: MapiName) -> Option<PropertyValue> {
        if let MapiName::Recipients(kind) = name {
            let mine = self.message.recipients.iter();
            let mine = mine.filter(|recipient| recipient.kind & 0xF == i64::from(kind));
            let people = mine.map(|recipient| Person::new(&recipient.name, &recipient.address));
            return Some(PropertyValue::People(people.collect()));
        }
        Some(match (property.kind(), self.raw(name)?) {
            (PropertyType::Text, Raw::Text(text)) => PropertyValue::text(subject(property, text)),
            (PropertyType::Texts, Raw::Texts(texts)) => PropertyValue::Texts(texts.clone()),
            (PropertyType::Texts, Raw::Text(text)) => PropertyValue::Texts(vec![text.clone()]),
            (PropertyType::Integer, Raw::Integer(number)) => {
                PropertyValue::Integer(i32::try_from(*number).ok()?)
            }
            (PropertyType::Boolean, Raw::Boolean(yes)) => PropertyValue::Boolean(*yes),
            (PropertyType::Time, Raw::Time(ticks)) => {
                PropertyValue::Time(FileTime(*ticks).timestamp())
            }
            _ => return None,
        })
    }

    fn body(&mut self) -> Option<String> {
        if let Some(text) = self.text(MapiName::Tag(0x1000)) {
            return Some(text);
        }
        match self.raw(MapiName::Tag(0x1013)) {
            Some(Raw::Binary(html)) => return Some(html_to_text(&String::from_utf8_lossy(html))),
            Some(Raw::Text(html)) => return Some(html_to_text(html)),
            _ => {}
        }
        if self.raw(MapiName::Tag(0x1009)).is_some() {
            self.notes.push("the body exists only as rich text, which is not read".to_owned());
        }
        None
    }

    /// A day: the one that the file keeps as a day, else that of the point in time.
    fn day(&self, local: MapiName, tag: u16) -> Option<PropertyValue> {
        let (ticks, zone) = match (self.raw(local), self.raw(MapiName::Tag(tag))) {
            (Some(Raw::Time(ticks)), _) => (*ticks, &Zone::UTC),
            (_, Some(Raw::Time(ticks))) => (*ticks, self.home),
            _ => return None,
        };
        date_in(ticks, zone).map(PropertyValue::Date)
    }

    /// An e-mail address; the address of an Exchange user is found in its original display name.
    fn address(&self, first: u32) -> Option<PropertyValue> {
        let text = |offset| self.text(MapiName::Lid(PropertySet::Address, first + offset));
        let exchange = text(2).is_some_and(|kind| kind.eq_ignore_ascii_case("EX"));
        let address = if exchange { text(4) } else { text(3).or_else(|| text(4)) };
        address.map(PropertyValue::Text)
    }

    fn person(&self, [name, smtp, kind, address]: [u16; 4]) -> Option<PropertyValue> {
        let text = |tag| self.text(MapiName::Tag(tag));
        let exchange = text(kind).is_some_and(|kind| kind.eq_ignore_ascii_case("EX"));
        let address = text(smtp).or_else(|| text(address).filter(|_| !exchange));
        let person = Person::new(text(name).unwrap_or_default(), address.unwrap_or_default());
        Some(PropertyValue::People(vec![person]))
    }

    fn times(&mut self, properties: &mut Properties) {
        let all_day = self.flag(PropertySet::Appointment, 0x8215);
        let ticks = |lid| match self.raw(MapiName::Lid(PropertySet::Appointment, lid)) {
            Some(Raw::Time(ticks)) => Some(*ticks),
            _ => None,
        };
        let (Some(start), Some(end)) = (ticks(0x820D), ticks(0x820E)) else {
            self.notes.push("the appointment has no start or no end".to_owned());
            return;
        };
        let zone = self.zone();
        let named = zone.as_ref().and_then(Zone::name);
        let zone = zone.unwrap_or_else(|| self.home.clone());
        let point = |ticks| {
            if all_day {
                midnight(ticks, &zone).map(PropertyValue::Date)
            } else {
                Some(PropertyValue::Time(FileTime(ticks).timestamp()))
            }
        };
        properties.insert(Property::AllDay, PropertyValue::Boolean(all_day));
        properties.extend(point(start).map(|value| (Property::Start, value)));
        properties.extend(point(end).map(|value| (Property::End, value)));
        let minutes = i32::try_from((end - start) / 600_000_000).ok();
        properties
            .extend(minutes.map(|minutes| (Property::Duration, PropertyValue::Integer(minutes))));
        if let Some(name) = named.filter(|_| !all_day) {
            properties.insert(Property::TimeZone, PropertyValue::text(name));
        }
        if !self.flag(PropertySet::Appointment, 0x8223) {
            return;
        }
        let rule = match self.raw(MapiName::Lid(PropertySet::Appointment, 0x8216)) {
            Some(Raw::Binary(blob)) => recurrence::read(blob, all_day, &zone),
            _ => Err("the rule of the series is missing"),
        };
        match rule {
            Ok(text) => {
                properties.insert(Property::Recurrence, PropertyValue::Text(text));
            }
            Err(reason) => self.notes.push(reason.to_owned()),
        }
    }

    /// The zone that the appointment was made in, if the database knows it.
    fn zone(&mut self) -> Option<Zone> {
        for lid in [0x825E, 0x8260] {
            if let Some(Raw::Binary(blob)) = self.raw(MapiName::Lid(PropertySet::Appointment, lid))
                && let Some(zone) = recurrence::zone_key(blob).and_then(|key| Zone::named(&key))
            {
                return Some(zone);
            }
        }
        let told = self.text(MapiName::Lid(PropertySet::Appointment, 0x8234))?;
        let zone = Zone::named(&told);
        if zone.is_none() {
            self.notes.push(format!("the time zone '{told}' is not known"));
        }
        zone
    }
}

/// The subject without the two characters that say how long its prefix is (MS-PST, 2.5.3.1.1.1).
fn subject(property: Property, text: &str) -> &str {
    let mut chars = text.chars();
    if property == Property::Subject && chars.next() == Some('\u{1}') && chars.next().is_some() {
        return chars.as_str();
    }
    text
}

fn shown(value: &Raw) -> Option<String> {
    Some(match value {
        Raw::Text(text) => text.clone(),
        Raw::Integer(number) => number.to_string(),
        Raw::Double(number) => number.to_string(),
        Raw::Boolean(yes) => yes.to_string(),
        _ => return None,
    })
}

fn date_in(ticks: i64, zone: &Zone) -> Option<Date> {
    zone.local(FileTime(ticks).timestamp()).map(|local| local.date())
}

/// The day of a whole-day event: the midnight in its zone, or the nearest one in another.
fn midnight(ticks: i64, zone: &Zone) -> Option<Date> {
    let local = zone.local(FileTime(ticks).timestamp())?;
    if local.hour() == 0 {
        return Some(local.date());
    }
    let noon = Timestamp(FileTime(ticks).timestamp().0 + 12 * 3_600_000);
    zone.local(noon).map(|local| local.date())
}

/// The UID of a global object id: the one inside it, or its bytes (MS-OXCICAL, 2.1.3.1.1.20.26).
fn uid(bytes: &[u8]) -> String {
    const MARK: &[u8] = b"vCal-Uid\x01\0\0\0";
    if let Some(at) = bytes.windows(MARK.len()).position(|window| window == MARK) {
        let inner = &bytes[at + MARK.len()..];
        return String::from_utf8_lossy(inner).trim_end_matches('\0').to_owned();
    }
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}
