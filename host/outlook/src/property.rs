//! The properties of items that the engine knows, each with its MAPI name and type.
//!
//! A property that is not here is not understood: stores keep it byte for byte. Ids are those of
//! MS-OXPROPS. Never holds a record's column names; `mapping` does.

use jiff::civil::Date;
use offstage_model::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

/// The properties of an item that are set.
pub type Properties = BTreeMap<Property, PropertyValue>;

/// A property set of MS-OXPROPS, section 1.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PropertySet {
    /// PSETID_Address
    Address,
    /// PSETID_Appointment
    Appointment,
    /// PSETID_Task
    Task,
    /// PSETID_Common
    Common,
    /// PSETID_Meeting
    Meeting,
    /// PS_PUBLIC_STRINGS
    PublicStrings,
}

impl PropertySet {
    /// The GUID of the set.
    #[must_use]
    pub fn guid(self) -> offstage_model::Uuid {
        const OFFICE_TAIL: u128 = 0x0000_0000_C000_0000_0000_0046;
        let head: u128 = match self {
            Self::Address => 0x0006_2004,
            Self::Appointment => 0x0006_2002,
            Self::Task => 0x0006_2003,
            Self::Common => 0x0006_2008,
            Self::PublicStrings => 0x0002_0329,
            Self::Meeting => {
                return offstage_model::Uuid::from_u128(0x6ED8_DA90_450B_101B_98DA_00AA_003F_1305);
            }
        };
        offstage_model::Uuid::from_u128(head << 96 | OFFICE_TAIL)
    }
}

/// How MAPI names a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MapiName {
    /// A fixed property id.
    Tag(u16),
    /// A property set and a number in it; the store gives it an id of its own.
    Lid(PropertySet, u32),
    /// A property set and a string in it.
    Text(PropertySet, &'static str),
    /// Rows of the recipient table with this type.
    Recipients(u8),
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropertyType {
    /// One text; line ends are LF.
    Text,
    /// Several texts.
    Texts,
    /// A number, or a choice.
    Integer,
    /// Yes or no.
    Boolean,
    /// A point in time.
    Time,
    /// A date without a zone.
    Date,
    /// A point in time, or a date when the item lasts whole days.
    TimeOrDate,
    /// People with addresses.
    People,
}

/// Defines the properties in one table.
macro_rules! properties {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $kind:ident, $mapi:expr;)*) => {
        /// A property that the engine knows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Property {
            $($(#[$doc])* $name,)*
        }

        impl Property {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name in OriginalXML, commands and reports.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// What its values are.
            #[must_use]
            pub fn kind(self) -> PropertyType {
                match self { $(Self::$name => PropertyType::$kind,)* }
            }

            /// Its name in MAPI.
            #[must_use]
            pub fn mapi(self) -> MapiName {
                match self { $(Self::$name => $mapi,)* }
            }
        }
    };
}

use MapiName::{Lid, Recipients, Tag, Text as Named};
use PropertySet::{Address, Appointment, Common, Meeting, PublicStrings, Task};

properties! {
    /// PidTagSubject
    Subject = "subject", Text, Tag(0x0037);
    /// PidTagBody, as plain text
    Body = "body", Text, Tag(0x1000);
    /// PidTagImportance: 0 low, 1 normal, 2 high. Not PidTagPriority.
    Importance = "importance", Integer, Tag(0x0017);
    /// crmregardingobjectid, as `table:id`; kept in [`crate::LinkProperties`]
    Regarding = "regarding", Text, Named(PublicStrings, "crmregardingobjectid");

    /// PidTagWeddingAnniversary with PidLidWeddingAnniversaryLocal, which is the date
    Anniversary = "anniversary", Date, Lid(Address, 0x80DF);
    /// PidTagAssistant
    AssistantName = "assistant-name", Text, Tag(0x3A30);
    /// PidTagAssistantTelephoneNumber
    AssistantTelephone = "assistant-telephone", Text, Tag(0x3A2E);
    /// PidTagBirthday with PidLidBirthdayLocal, which is the date
    Birthday = "birthday", Date, Lid(Address, 0x80DE);
    /// PidTagBusinessFaxNumber
    BusinessFax = "business-fax", Text, Tag(0x3A24);
    /// PidTagBusinessTelephoneNumber
    BusinessTelephone = "business-telephone", Text, Tag(0x3A08);
    /// PidTagChildrensNames
    Children = "children", Texts, Tag(0x3A58);
    /// PidTagDepartmentName
    Department = "department", Text, Tag(0x3A18);
    /// PidLidEmail1EmailAddress as an SMTP address
    Email1 = "email1", Text, Lid(Address, 0x8083);
    /// PidLidEmail2EmailAddress as an SMTP address
    Email2 = "email2", Text, Lid(Address, 0x8093);
    /// PidLidEmail3EmailAddress as an SMTP address
    Email3 = "email3", Text, Lid(Address, 0x80A3);
    /// PidTagGivenName
    FirstName = "first-name", Text, Tag(0x3A06);
    /// PidTagFtpSite
    FtpSite = "ftp-site", Text, Tag(0x3A4C);
    /// PidTagGovernmentIdNumber; personal data
    GovernmentId = "government-id", Text, Tag(0x3A07);
    /// PidTagHomeTelephoneNumber
    HomeTelephone = "home-telephone", Text, Tag(0x3A09);
    /// PidTagTitle
    JobTitle = "job-title", Text, Tag(0x3A17);
    /// PidTagSurname
    LastName = "last-name", Text, Tag(0x3A11);
    /// PidTagLocality, a mirror of the address that PidLidPostalAddressId selects
    MailingCity = "mailing-city", Text, Tag(0x3A27);
    /// PidTagCountry
    MailingCountry = "mailing-country", Text, Tag(0x3A26);
    /// PidTagPostOfficeBox
    MailingPostOfficeBox = "mailing-post-office-box", Text, Tag(0x3A2B);
    /// PidTagPostalCode
    MailingPostalCode = "mailing-postal-code", Text, Tag(0x3A2A);
    /// PidTagStateOrProvince
    MailingState = "mailing-state", Text, Tag(0x3A28);
    /// PidTagStreetAddress; up to three lines have a column of their own
    MailingStreet = "mailing-street", Text, Tag(0x3A29);
    /// PidTagManagerName
    ManagerName = "manager-name", Text, Tag(0x3A4E);
    /// PidTagMiddleName
    MiddleName = "middle-name", Text, Tag(0x3A44);
    /// PidTagMobileTelephoneNumber
    MobileTelephone = "mobile-telephone", Text, Tag(0x3A1C);
    /// PidTagNickname
    Nickname = "nickname", Text, Tag(0x3A4F);
    /// PidTagOtherTelephoneNumber
    OtherTelephone = "other-telephone", Text, Tag(0x3A1F);
    /// PidTagPagerTelephoneNumber
    Pager = "pager", Text, Tag(0x3A21);
    /// PidTagSpouseName
    Spouse = "spouse", Text, Tag(0x3A48);
    /// PidTagDisplayNamePrefix. Not PidTagTitle.
    Title = "title", Text, Tag(0x3A45);
    /// PidLidHtml and PidTagBusinessHomePage; both are written
    WebPage = "web-page", Text, Lid(Address, 0x802B);
    /// PidLidYomiFirstName
    YomiFirstName = "yomi-first-name", Text, Lid(Address, 0x802C);
    /// PidLidYomiLastName
    YomiLastName = "yomi-last-name", Text, Lid(Address, 0x802D);
    /// PidTagCompanyName
    Company = "company", Text, Tag(0x3A16);

    /// PidLidAppointmentStartWhole; a date when the event lasts whole days
    Start = "start", TimeOrDate, Lid(Appointment, 0x820D);
    /// PidLidAppointmentEndWhole; for whole days the day after the last one
    End = "end", TimeOrDate, Lid(Appointment, 0x820E);
    /// PidLidAppointmentDuration, in minutes; derived from start and end
    Duration = "duration", Integer, Lid(Appointment, 0x8213);
    /// PidLidAppointmentSubType
    AllDay = "all-day", Boolean, Lid(Appointment, 0x8215);
    /// PidLidLocation
    Location = "location", Text, Lid(Appointment, 0x8208);
    /// PidLidBusyStatus: 0 free, 1 tentative, 2 busy, 3 out of office, 4 working elsewhere
    ShowTimeAs = "show-time-as", Integer, Lid(Appointment, 0x8205);
    /// PidTagSentRepresentingSmtpAddress and …Name
    Organizer = "organizer", People, Tag(0x5D02);
    /// Recipients of type To
    RequiredAttendees = "required-attendees", People, Recipients(1);
    /// Recipients of type Cc
    OptionalAttendees = "optional-attendees", People, Recipients(2);
    /// PidLidAppointmentRecur, as the lines RRULE, RDATE and EXDATE of RFC 5545 in a canonical order,
    /// then the instances that differ. Equal rules are equal texts.
    Recurrence = "recurrence", Text, Lid(Appointment, 0x8216);
    /// PidLidAppointmentTimeZoneDefinitionStartDisplay, as an IANA name
    TimeZone = "time-zone", Text, Lid(Appointment, 0x825E);
    /// PidLidGlobalObjectId, as the UID of RFC 5545
    GlobalObjectId = "global-object-id", Text, Lid(Meeting, 0x0003);

    /// PidLidTaskDueDate
    DueDate = "due-date", Date, Lid(Task, 0x8105);
    /// PidLidTaskStartDate
    StartDate = "start-date", Date, Lid(Task, 0x8104);
    /// PidLidTaskStatus: 0 not started, 1 in progress, 2 complete, 3 waiting, 4 deferred. A store
    /// keeps PidLidPercentComplete, PidLidTaskComplete and PidLidTaskDateCompleted in step with it.
    TaskStatus = "task-status", Integer, Lid(Task, 0x8101);
    /// PidLidReminderTime with PidLidReminderSet; absent means no reminder
    ReminderTime = "reminder-time", Time, Lid(Common, 0x8502);

    /// PidTagInternetMessageId
    MessageId = "message-id", Text, Tag(0x1035);
    /// PidTagSenderSmtpAddress and PidTagSenderName
    Sender = "sender", People, Tag(0x5D01);
    /// Recipients of type To
    ToRecipients = "to", People, Recipients(1);
    /// Recipients of type Cc
    CcRecipients = "cc", People, Recipients(2);
    /// PidTagClientSubmitTime; absent in a draft
    SentOn = "sent-on", Time, Tag(0x0039);
    /// PidTagMessageDeliveryTime; absent in what the user sent
    ReceivedOn = "received-on", Time, Tag(0x0E06);
}

impl Property {
    /// The property with this [`Property::name`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|property| property.name() == name)
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Somebody with an address: an attendee, an organizer, a sender or a recipient.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Person {
    /// What people call them; may be empty.
    pub name: String,
    /// The SMTP address; compared without regard to case.
    pub address: String,
}

impl Person {
    /// A person with a name and an address.
    pub fn new(name: impl Into<String>, address: impl Into<String>) -> Self {
        Self { name: name.into(), address: address.into() }
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            f.write_str(&self.address)
        } else {
            write!(f, "{} <{}>", self.name, self.address)
        }
    }
}

/// The value of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PropertyValue {
    /// One text.
    Text(String),
    /// Several texts, in order.
    Texts(Vec<String>),
    /// A number, or a choice.
    Integer(i32),
    /// Yes or no.
    Boolean(bool),
    /// A point in time.
    Time(Timestamp),
    /// A date without a zone.
    Date(Date),
    /// People; their order says nothing.
    People(Vec<Person>),
}

impl PropertyValue {
    /// A text value.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The text of a text value.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number of a number value.
    #[must_use]
    pub fn as_integer(&self) -> Option<i32> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The people of such a value; none of another.
    #[must_use]
    pub fn people(&self) -> &[Person] {
        match self {
            Self::People(people) => people,
            _ => &[],
        }
    }

    /// The value in the one form in which equal meanings are equal: LF line ends, no blank lines at
    /// the end (Outlook adds one), people by address in lower case, and `None` for what is empty.
    #[must_use]
    pub fn canonical(&self) -> Option<Self> {
        match self {
            Self::Text(text) => {
                let text = text.replace("\r\n", "\n").replace('\r', "\n");
                let text = text.trim_end_matches(['\n', '\0']);
                (!text.is_empty()).then(|| Self::text(text))
            }
            Self::Texts(texts) => {
                let kept: Vec<String> =
                    texts.iter().map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect();
                (!kept.is_empty()).then_some(Self::Texts(kept))
            }
            Self::People(people) => {
                let mut kept: Vec<Person> = people
                    .iter()
                    .filter(|p| !p.address.trim().is_empty() || !p.name.trim().is_empty())
                    .map(|p| Person::new(p.name.trim(), p.address.trim().to_lowercase()))
                    .collect();
                kept.sort_by(|a, b| (&a.address, &a.name).cmp(&(&b.address, &b.name)));
                kept.dedup_by(|a, b| !a.address.is_empty() && a.address == b.address);
                (!kept.is_empty()).then_some(Self::People(kept))
            }
            other => Some(other.clone()),
        }
    }
}

impl fmt::Display for PropertyValue {
    /// What a person reads in a plan or a report; not a stored form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Texts(texts) => f.write_str(&texts.join(", ")),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Boolean(yes) => f.write_str(if *yes { "yes" } else { "no" }),
            Self::Time(time) => write!(f, "{time}"),
            Self::Date(date) => write!(f, "{date}"),
            Self::People(people) => {
                let texts: Vec<String> = people.iter().map(ToString::to_string).collect();
                f.write_str(&texts.join("; "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_read_back() {
        let names: BTreeSet<&str> = Property::ALL.iter().map(|p| p.name()).collect();
        assert_eq!(names.len(), Property::ALL.len());
        for property in Property::ALL {
            assert_eq!(Property::named(property.name()), Some(*property));
        }
    }

    #[test]
    fn property_sets_have_the_guids_of_the_specification() {
        let address = PropertySet::Address.guid().to_string();
        assert_eq!(address, "00062004-0000-0000-c000-000000000046");
        let strings = PropertySet::PublicStrings.guid().to_string();
        assert_eq!(strings, "00020329-0000-0000-c000-000000000046");
    }

    #[test]
    fn empty_and_missing_are_one_and_line_ends_do_not_count() {
        let same = [
            (PropertyValue::text("a\r\nb\r\n"), PropertyValue::text("a\nb")),
            (PropertyValue::text("\r\n"), PropertyValue::text("")),
            (
                PropertyValue::Texts(vec![" Ann ".into(), String::new()]),
                PropertyValue::Texts(vec!["Ann".into()]),
            ),
            (
                PropertyValue::People(vec![
                    Person::new("B", "B@x.example"),
                    Person::new("A", "a@x.example"),
                ]),
                PropertyValue::People(vec![
                    Person::new("A", "A@x.example"),
                    Person::new("B", "b@x.example"),
                ]),
            ),
        ];
        for (a, b) in same {
            assert_eq!(a.canonical(), b.canonical());
        }
        assert_eq!(PropertyValue::text("").canonical(), None);
        assert_eq!(PropertyValue::People(Vec::new()).canonical(), None);
    }
}
