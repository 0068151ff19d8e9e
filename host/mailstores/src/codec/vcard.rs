//! vCard 2.1, 3.0 and 4.0 to and from the fields of a contact.
//!
//! The slot table says which line holds which field; reading and patching use the same search, so
//! what is written is what is read back. A birthday without a year, a second business number and
//! whatever else Outlook's contact has no field for stays as it is.

use jiff::civil::Date;

use offstage_outlook::{ItemPatch, LinkProperties, Properties, Property, PropertyValue};

use super::lines::{Block, Document, Line, NewLine};
use super::text::{self, Version};
use super::{LimitExceeded, link};

/// A vCard that cannot be mapped; its text is left alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VCardError {
    /// Too large.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// No `BEGIN:VCARD` with its end.
    #[error("the text holds no whole vCard")]
    NoCard,
    /// A card that names other cards.
    #[error("the vCard is a group, not a contact")]
    Group,
}

/// Where a field stands.
enum Slot {
    /// The value of the first line with the name.
    Text(&'static str),
    /// One component of a structured value.
    Part(&'static str, usize),
    /// One component of the mailing address.
    Address(usize),
    /// A telephone number of a kind.
    Phone(Phone),
    /// The e-mail address of that number.
    Email(usize),
    /// A date, in any of these properties; the first two are written by 4.0 and 3.0.
    Date([&'static str; 2], &'static [&'static str]),
    /// A person, as `RELATED` of that type in 4.0 and as one of these properties before.
    Person(&'static str, &'static [&'static str]),
    /// The web page.
    Page,
    /// The address of a file server.
    FileServer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phone {
    Assistant,
    BusinessFax,
    Business,
    Home,
    Mobile,
    Pager,
    Other,
}

const SLOTS: &[(Property, Slot)] = &[
    (Property::LastName, Slot::Part("N", 0)),
    (Property::FirstName, Slot::Part("N", 1)),
    (Property::MiddleName, Slot::Part("N", 2)),
    (Property::Title, Slot::Part("N", 3)),
    (Property::Nickname, Slot::Text("NICKNAME")),
    (Property::JobTitle, Slot::Text("TITLE")),
    (Property::Company, Slot::Part("ORG", 0)),
    (Property::Department, Slot::Part("ORG", 1)),
    (Property::Body, Slot::Text("NOTE")),
    (Property::MailingPostOfficeBox, Slot::Address(0)),
    (Property::MailingStreet, Slot::Address(2)),
    (Property::MailingCity, Slot::Address(3)),
    (Property::MailingState, Slot::Address(4)),
    (Property::MailingPostalCode, Slot::Address(5)),
    (Property::MailingCountry, Slot::Address(6)),
    (Property::BusinessTelephone, Slot::Phone(Phone::Business)),
    (Property::BusinessFax, Slot::Phone(Phone::BusinessFax)),
    (Property::HomeTelephone, Slot::Phone(Phone::Home)),
    (Property::MobileTelephone, Slot::Phone(Phone::Mobile)),
    (Property::Pager, Slot::Phone(Phone::Pager)),
    (Property::OtherTelephone, Slot::Phone(Phone::Other)),
    (Property::AssistantTelephone, Slot::Phone(Phone::Assistant)),
    (Property::Email1, Slot::Email(1)),
    (Property::Email2, Slot::Email(2)),
    (Property::Email3, Slot::Email(3)),
    (Property::Birthday, Slot::Date(["BDAY", "BDAY"], &["BDAY"])),
    (
        Property::Anniversary,
        Slot::Date(
            ["ANNIVERSARY", "X-MS-ANNIVERSARY"],
            &["ANNIVERSARY", "X-MS-ANNIVERSARY", "X-ANNIVERSARY", "X-EVOLUTION-ANNIVERSARY"],
        ),
    ),
    (Property::Spouse, Slot::Person("SPOUSE", &["X-MS-SPOUSE", "X-SPOUSE", "X-EVOLUTION-SPOUSE"])),
    (Property::Children, Slot::Person("CHILD", &["X-MS-CHILD"])),
    (
        Property::AssistantName,
        Slot::Person("AGENT", &["X-MS-ASSISTANT", "X-ASSISTANT", "X-EVOLUTION-ASSISTANT"]),
    ),
    (
        Property::ManagerName,
        Slot::Person("X-MANAGER", &["X-MS-MANAGER", "X-MANAGER", "X-EVOLUTION-MANAGER"]),
    ),
    (Property::WebPage, Slot::Page),
    (Property::FtpSite, Slot::FileServer),
    (Property::GovernmentId, Slot::Text("X-GOVERNMENT-ID")),
    (Property::YomiFirstName, Slot::Text("X-PHONETIC-FIRST-NAME")),
    (Property::YomiLastName, Slot::Text("X-PHONETIC-LAST-NAME")),
];

/// The parameter that says which of the three e-mail addresses a line is, where its place does not.
const SLOT_PARAMETER: &str = "X-CRM-SLOT";
/// The parts of a name, in the order in which a display name has them.
const DISPLAYED: [usize; 5] = [3, 1, 2, 0, 4];

/// One vCard of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VCard {
    document: Document,
    /// The number of the card among those of the document.
    number: usize,
}

impl VCard {
    /// Reads the first card of a text.
    pub fn parse(bytes: &[u8]) -> Result<Self, VCardError> {
        Self::parse_all(bytes)?.into_iter().next().ok_or(VCardError::NoCard)
    }

    /// Reads every card of a text; each keeps the text around it.
    pub fn parse_all(bytes: &[u8]) -> Result<Vec<Self>, VCardError> {
        let document = Document::parse(bytes)?;
        let count = cards(&document)?.len();
        Ok((0..count).map(|number| Self { document: document.clone(), number }).collect())
    }

    /// A new card with nothing but its identity.
    ///
    /// Written as 3.0, the version that every server reads.
    #[must_use]
    pub fn new(uid: &str) -> Self {
        let uid = text::escaped(uid);
        let text = format!(
            "BEGIN:VCARD\r\nVERSION:3.0\r\nPRODID:{}\r\nUID:{uid}\r\nFN:\r\nN:;;;;\r\nEND:VCARD\r\n",
            super::PRODUCT
        );
        let document =
            Document::parse(text.as_bytes()).expect("BUG: an empty card is within the limits");
        Self { document, number: 0 }
    }

    /// The text with everything that was in it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.document.to_bytes()
    }

    /// The card's own identity.
    #[must_use]
    pub fn uid(&self) -> Option<String> {
        let at = self.first("UID")?;
        Some(self.document.lines()[at].value().trim().to_owned())
    }

    /// Whether the card names other cards instead of a person.
    #[must_use]
    pub fn is_group(&self) -> bool {
        ["KIND", "X-ADDRESSBOOKSERVER-KIND"].iter().any(|name| {
            self.first(name).is_some_and(|at| {
                self.document.lines()[at].value().trim().eq_ignore_ascii_case("group")
            })
        })
    }

    /// The properties that are understood.
    pub fn properties(&self) -> Result<Properties, VCardError> {
        if self.is_group() {
            return Err(VCardError::Group);
        }
        let read = |(property, slot): &(Property, Slot)| Some((*property, self.read(slot)?));
        Ok(SLOTS.iter().filter_map(read).collect())
    }

    /// The tie to a record.
    #[must_use]
    pub fn link(&self) -> LinkProperties {
        let lines = self.document.lines();
        link::read(self.places().into_iter().map(|at| &lines[at]))
    }

    /// Writes what a patch names into its lines.
    pub fn patch(&mut self, patch: &ItemPatch) -> Result<(), VCardError> {
        if self.is_group() {
            return Err(VCardError::Group);
        }
        let named = self.parts("N");
        for (property, slot) in SLOTS {
            if let Some(value) = patch.properties.get(property) {
                let value = value.as_ref().and_then(PropertyValue::canonical);
                self.write(*property, slot, value.as_ref());
            }
        }
        self.follow_name(&named);
        if let Some(link) = &patch.link {
            for (name, line) in link::lines(link) {
                let places = self.find(|line| line.name() == name);
                self.settle(&places, line);
            }
        }
        Ok(())
    }

    fn version(&self) -> Version {
        self.first("VERSION")
            .map_or(Version::V3, |at| Version::of(self.document.lines()[at].value()))
    }

    fn block(&self) -> Option<Block> {
        cards(&self.document).ok()?.into_iter().nth(self.number)
    }

    fn places(&self) -> Vec<usize> {
        self.block().map(|block| self.document.own_lines(&block)).unwrap_or_default()
    }

    fn find(&self, wanted: impl Fn(&Line) -> bool) -> Vec<usize> {
        let lines = self.document.lines();
        self.places().into_iter().filter(|at| wanted(&lines[*at])).collect()
    }

    fn first(&self, name: &str) -> Option<usize> {
        self.find(|line| line.name() == name).into_iter().next()
    }

    /// The lines that hold a slot, the one that counts first.
    fn located(&self, slot: &Slot) -> Vec<usize> {
        match slot {
            Slot::Text(name) | Slot::Part(name, _) => self.first(name).into_iter().collect(),
            Slot::Address(_) => self.address().into_iter().collect(),
            Slot::Phone(kind) => self.find(|line| phone(line) == Some(*kind)),
            Slot::Email(number) => self.emails()[number - 1].into_iter().collect(),
            Slot::Date(_, names) => {
                let mut found = self.find(|line| names.contains(&line.name()));
                if names.contains(&"ANNIVERSARY") {
                    found.extend(self.labelled_anniversary());
                }
                found
            }
            Slot::Person(kind, names) => self.find(|line| {
                names.contains(&line.name())
                    || line.name() == "RELATED" && line.is_type(kind) && !is_link(line)
            }),
            Slot::Page => {
                let pages = self.find(|line| {
                    line.name() == "URL" && !line.is_type("X-FTP") && !line.is_type("HOME")
                });
                let lines = self.document.lines();
                let work = pages.iter().copied().find(|at| lines[*at].is_type("WORK"));
                work.or_else(|| pages.first().copied()).into_iter().collect()
            }
            Slot::FileServer => self.find(|line| {
                line.name() == "X-FTP" || line.name() == "URL" && line.is_type("X-FTP")
            }),
        }
    }

    /// The mailing address: the preferred one, else the one at work, else the first.
    fn address(&self) -> Option<usize> {
        let found = self.find(|line| line.name() == "ADR");
        let lines = self.document.lines();
        let by = |test: &dyn Fn(&Line) -> bool| found.iter().copied().find(|at| test(&lines[*at]));
        by(&is_preferred).or_else(|| by(&|line| line.is_type("WORK"))).or(found.first().copied())
    }

    /// The lines of the three e-mail addresses: those that say which they are, then by preference.
    fn emails(&self) -> [Option<usize>; 3] {
        let lines = self.document.lines();
        let mut found = self
            .find(|line| line.name() == "EMAIL" && !line.is_type("X400") && !line.is_type("TLX"));
        found.sort_by_key(|at| !is_preferred(&lines[*at]));
        let mut slots = [None; 3];
        let told = |at: &usize| {
            let number: usize = lines[*at].parameter(SLOT_PARAMETER)?.parse().ok()?;
            (1..=3).contains(&number).then(|| number - 1)
        };
        found.retain(|at| match told(at) {
            Some(number) if slots[number].is_none() => {
                slots[number] = Some(*at);
                false
            }
            _ => true,
        });
        let mut rest = found.into_iter();
        for slot in slots.iter_mut().filter(|slot| slot.is_none()) {
            *slot = rest.next();
        }
        slots
    }

    /// Apple's `item1.X-ABDATE` with the label of an anniversary.
    fn labelled_anniversary(&self) -> Vec<usize> {
        let lines = self.document.lines();
        let label = self.find(|line| {
            line.name() == "X-ABLABEL" && line.value().to_ascii_lowercase().contains("anniversary")
        });
        let groups: Vec<_> = label.iter().filter_map(|at| lines[*at].group()).collect();
        self.find(|line| {
            line.name() == "X-ABDATE" && line.group().is_some_and(|group| groups.contains(&group))
        })
    }

    fn parts(&self, name: &str) -> Vec<String> {
        self.first(name).map(|at| self.parts_of(at)).unwrap_or_default()
    }

    fn parts_of(&self, at: usize) -> Vec<String> {
        let line = &self.document.lines()[at];
        let parts = text::vcard_entry(line, self.version()).map(|entry| text::vcard_parts(&entry));
        parts.unwrap_or_default()
    }

    fn text_of(&self, at: usize) -> String {
        let line = &self.document.lines()[at];
        let joined = self.parts_of(at).join(", ");
        if joined.is_empty() {
            // MS-OXVCARD puts the name of a person into a parameter.
            return line.parameter("N").unwrap_or_default().to_owned();
        }
        joined
    }

    fn read(&self, slot: &Slot) -> Option<PropertyValue> {
        let places = self.located(slot);
        let at = *places.first()?;
        let text = match slot {
            Slot::Part(_, number) | Slot::Address(number) => {
                self.parts_of(at).into_iter().nth(*number).unwrap_or_default()
            }
            Slot::Date(..) => return date(&self.document.lines()[at]).map(PropertyValue::Date),
            Slot::Person("CHILD", _) => {
                let names: Vec<_> = places.iter().map(|at| self.text_of(*at)).collect();
                let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
                return (!names.is_empty()).then_some(PropertyValue::Texts(names));
            }
            Slot::Phone(_) => {
                let text = self.text_of(at);
                text.strip_prefix("tel:").unwrap_or(&text).to_owned()
            }
            _ => self.text_of(at),
        };
        PropertyValue::Text(text).canonical()
    }

    fn write(&mut self, property: Property, slot: &Slot, value: Option<&PropertyValue>) {
        if self.read(slot).as_ref() == value {
            return;
        }
        let places = self.located(slot);
        match (slot, value) {
            (Slot::Part(name, number), _) => {
                self.write_part(name, &places, *number, value);
            }
            (Slot::Address(number), _) => self.write_part("ADR", &places, *number, value),
            (Slot::Person(kind, names), Some(PropertyValue::Texts(values))) => {
                for at in places.into_iter().rev() {
                    self.document.remove(at);
                }
                for value in values {
                    let line = self.person(kind, names, value);
                    self.add(line);
                }
            }
            (Slot::Date(names, _), Some(PropertyValue::Date(date))) => {
                let line = self.dated(&places, names, *date);
                self.settle(&places, Some(line));
            }
            (_, Some(value)) => {
                let line = self.filled(property, slot, &places, &value.to_string());
                self.settle(&places, Some(line));
            }
            (Slot::Person("CHILD", _), None) => {
                for at in places.into_iter().rev() {
                    self.document.remove(at);
                }
            }
            (_, None) => self.settle(&places, None),
        }
    }

    /// Replaces the line that counts, adds one, or takes it out.
    fn settle(&mut self, places: &[usize], line: Option<NewLine>) {
        match (places.first(), line) {
            (Some(at), Some(line)) => self.document.replace(*at, line),
            (None, Some(line)) => self.add(line),
            // 3.0 and 4.0 want these two lines even when they are empty.
            (Some(at), None) => {
                let line = &self.document.lines()[*at];
                if matches!(line.name(), "FN" | "N") {
                    let emptied = line.patched().value("");
                    self.document.replace(*at, emptied);
                } else {
                    self.document.remove(*at);
                }
            }
            (None, None) => {}
        }
    }

    fn add(&mut self, line: NewLine) {
        if let Some(block) = self.block() {
            self.document.insert(block.end, line);
        }
    }

    fn write_part(
        &mut self,
        name: &str,
        places: &[usize],
        number: usize,
        value: Option<&PropertyValue>,
    ) {
        let mut parts = places.first().map(|at| self.parts_of(*at)).unwrap_or_default();
        let length = match name {
            "N" => 5,
            "ADR" => 7,
            _ => number + 1,
        };
        parts.resize(parts.len().max(length), String::new());
        parts[number] = value.map(PropertyValue::to_string).unwrap_or_default();
        if parts.iter().all(String::is_empty) {
            return self.settle(places, None);
        }
        if name == "ORG" {
            while parts.last().is_some_and(String::is_empty) {
                parts.pop();
            }
        }
        let version = self.version();
        let start = match places.first() {
            Some(at) => self.document.lines()[*at].patched(),
            None if name == "ADR" => NewLine::new(name, "").parameter("TYPE", "WORK"),
            None => NewLine::new(name, ""),
        };
        let line = encoded(start, version, &parts);
        self.settle(places, Some(line));
    }

    /// The line of a single text, patched or new.
    fn filled(&self, property: Property, slot: &Slot, places: &[usize], value: &str) -> NewLine {
        let version = self.version();
        let start = match (places.first(), slot) {
            (Some(at), _) => {
                let old = &self.document.lines()[*at];
                let value = if old.value().starts_with("tel:") { "tel:" } else { "" };
                old.patched().without("N").value(value)
            }
            (None, Slot::Text(name)) => NewLine::new(name, ""),
            (None, Slot::Phone(kind)) => new_phone(*kind),
            (None, Slot::Email(number)) => self.new_email(*number),
            (None, Slot::Person(kind, names)) => return self.person(kind, names, value),
            (None, Slot::FileServer) => NewLine::new("X-FTP", ""),
            (None, Slot::Page) => NewLine::new("URL", "").parameter("TYPE", "WORK"),
            (None, Slot::Part(..) | Slot::Address(_) | Slot::Date(..)) => {
                unreachable!("BUG: {property} is no plain text")
            }
        };
        if matches!(slot, Slot::Page | Slot::FileServer) {
            // An address is no text: its commas and semicolons are its own.
            let value: String = value.chars().filter(|char| !char.is_control()).collect();
            return start.value(value);
        }
        encoded(start, version, &[value.to_owned()])
    }

    fn new_email(&self, number: usize) -> NewLine {
        let line = NewLine::new("EMAIL", "").parameter("TYPE", "INTERNET");
        // Without its number the line would be read back as the first free one.
        let first_free = self.emails().iter().position(Option::is_none);
        let last = self.emails()[number..].iter().all(Option::is_none);
        if first_free == Some(number - 1) && last && number == 1 {
            return line;
        }
        line.parameter(SLOT_PARAMETER, &number.to_string())
    }

    fn person(&self, kind: &str, names: &[&str], value: &str) -> NewLine {
        let version = self.version();
        if version == Version::V4 && !kind.starts_with("X-") {
            let line = NewLine::new("RELATED", "").parameter("TYPE", &kind.to_ascii_lowercase());
            return encoded(line.parameter("VALUE", "text"), version, &[value.to_owned()]);
        }
        encoded(NewLine::new(names[0], ""), version, &[value.to_owned()])
    }

    /// A date in the form that the line has already, else in that of the card's version.
    fn dated(&self, places: &[usize], names: &[&str; 2], date: Date) -> NewLine {
        let version = self.version();
        let old = places.first().map(|at| &self.document.lines()[*at]);
        let basic = match old {
            Some(line) => !line.value().contains('-') || line.value().starts_with('-'),
            None => version == Version::V4,
        };
        let text = if basic { date.strftime("%Y%m%d").to_string() } else { date.to_string() };
        match old {
            Some(line) => line.patched().without("VALUE").without("X-APPLE-OMIT-YEAR").value(text),
            None => NewLine::new(names[usize::from(version != Version::V4)], text),
        }
    }

    /// Gives the display name the new parts of the name, if it was made of the old ones.
    fn follow_name(&mut self, before: &[String]) {
        let after = self.parts("N");
        let Some(at) = self.first("FN") else { return };
        let shown = self.text_of(at);
        if after == before || (!shown.is_empty() && shown != displayed(before)) {
            return;
        }
        let version = self.version();
        let line = self.document.lines()[at].patched();
        self.document.replace(at, encoded(line, version, &[displayed(&after)]));
    }
}

fn cards(document: &Document) -> Result<Vec<Block>, LimitExceeded> {
    Ok(document.blocks()?.iter().filter(|block| block.name == "VCARD").cloned().collect())
}

fn displayed(parts: &[String]) -> String {
    let parts = DISPLAYED.iter().filter_map(|number| parts.get(*number));
    parts.filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn is_preferred(line: &Line) -> bool {
    line.is_type("PREF") || line.parameter("PREF").is_some_and(|value| value == "1")
}

/// Whether a related person is a link to another card and no name.
fn is_link(line: &Line) -> bool {
    let text = line.parameter("VALUE").is_some_and(|value| value.eq_ignore_ascii_case("text"));
    !text && line.value().contains(':')
}

/// Which of Outlook's numbers a line is, if any.
fn phone(line: &Line) -> Option<Phone> {
    if line.name() == "X-MS-TEL" {
        return line.is_type("ASSISTANT").then_some(Phone::Assistant);
    }
    if line.name() != "TEL" {
        return None;
    }
    let special = ["MAIN", "CAR", "ISDN", "VIDEO", "MSG", "BBS", "MODEM", "PCS", "TEXTPHONE", "X-"];
    let kinds = || {
        let types = line.parameters().iter().filter(|parameter| parameter.name == "TYPE");
        types.flat_map(|parameter| parameter.values.iter().map(|value| value.to_ascii_uppercase()))
    };
    match () {
        () if line.is_type("PAGER") => Some(Phone::Pager),
        () if line.is_type("FAX") => (!line.is_type("HOME")).then_some(Phone::BusinessFax),
        () if line.is_type("CELL") || line.is_type("IPHONE") => Some(Phone::Mobile),
        () if kinds().any(|kind| special.iter().any(|special| kind.starts_with(special))) => None,
        () if line.is_type("WORK") => Some(Phone::Business),
        () if line.is_type("HOME") => Some(Phone::Home),
        () => Some(Phone::Other),
    }
}

fn new_phone(kind: Phone) -> NewLine {
    let types: &[&str] = match kind {
        Phone::Assistant => &["ASSISTANT"],
        Phone::BusinessFax => &["WORK", "FAX"],
        Phone::Business => &["WORK", "VOICE"],
        Phone::Home => &["HOME", "VOICE"],
        Phone::Mobile => &["CELL"],
        Phone::Pager => &["PAGER"],
        Phone::Other => &["VOICE"],
    };
    let name = if kind == Phone::Assistant { "X-MS-TEL" } else { "TEL" };
    types.iter().fold(NewLine::new(name, ""), |line, kind| line.with("TYPE", kind))
}

/// The date of a line, as it is written: nothing is moved to another zone.
fn date(line: &Line) -> Option<Date> {
    if line.parameter("X-APPLE-OMIT-YEAR").is_some() {
        return None;
    }
    let digits: String = line.value().trim().chars().take(10).collect();
    let text = if digits.as_bytes().get(4) == Some(&b'-') {
        digits
    } else {
        let eight =
            digits.get(..8).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
        format!("{}-{}-{}", &eight[..4], &eight[4..6], &eight[6..])
    };
    text.parse().ok()
}

/// Puts parts into a line, escaped as its version wants it.
fn encoded(line: NewLine, version: Version, parts: &[String]) -> NewLine {
    if version != Version::V2 {
        let parts: Vec<_> = parts.iter().map(|part| text::escaped(part)).collect();
        return line.value(parts.join(";"));
    }
    let escaped = |part: &String| part.replace('\\', "\\\\").replace(';', "\\;");
    let joined = parts.iter().map(escaped).collect::<Vec<_>>().join(";");
    if joined.chars().all(|char| char.is_ascii() && !char.is_control()) {
        return line.value(joined);
    }
    let value = text::quoted_printable(&joined.replace("\r\n", "\n").replace('\n', "\r\n"));
    line.value(value).parameter("ENCODING", "QUOTED-PRINTABLE").parameter("CHARSET", "UTF-8")
}
