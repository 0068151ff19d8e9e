//! Organizers and attendees.
//!
//! Every line that is written says `SCHEDULE-AGENT=CLIENT` (RFC 6638, section 7.1): a server that
//! handles invitations leaves it alone, so nobody is mailed by accident.

use offstage_outlook::{Person, Property};

use crate::codec::lines::{Line, NewLine};

/// The properties that are people.
pub(super) const PROPERTIES: [Property; 3] =
    [Property::Organizer, Property::RequiredAttendees, Property::OptionalAttendees];

/// Whether a server that handles invitations would mail for this line.
#[must_use]
pub fn mails_attendees(line: &Line) -> bool {
    let agent = line.parameter("SCHEDULE-AGENT");
    line.name() == "ATTENDEE" && agent.is_none_or(|agent| agent.eq_ignore_ascii_case("SERVER"))
}

/// Which property a line belongs to. Rooms and resources belong to none.
pub(super) fn property(line: &Line) -> Option<Property> {
    let parameter = |name| line.parameter(name).map(str::to_ascii_uppercase);
    match line.name() {
        "ORGANIZER" => Some(Property::Organizer),
        "ATTENDEE" => {
            let kind = parameter("CUTYPE");
            if matches!(kind.as_deref(), Some("ROOM" | "RESOURCE")) {
                return None;
            }
            match parameter("ROLE").as_deref() {
                Some("OPT-PARTICIPANT") => Some(Property::OptionalAttendees),
                Some("NON-PARTICIPANT") => None,
                _ => Some(Property::RequiredAttendees),
            }
        }
        _ => None,
    }
}

/// The people of a property.
pub(super) fn read(own: &[&Line], wanted: Property) -> Vec<Person> {
    own.iter().filter(|line| property(line) == Some(wanted)).map(|line| person(line)).collect()
}

/// The person of a line.
pub(super) fn person(line: &Line) -> Person {
    let value = line.value().trim();
    let mailto = value.get(..7).is_some_and(|head| head.eq_ignore_ascii_case("mailto:"));
    let address = match line.parameter("EMAIL") {
        Some(address) if !mailto => address,
        _ if mailto => &value[7..],
        _ => value,
    };
    Person::new(line.parameter("CN").unwrap_or_default(), address)
}

/// The line of a person.
pub(super) fn line(property: Property, person: &Person) -> NewLine {
    // An address with a line break would begin a line of its own.
    let address: String = person.address.chars().filter(|char| !char.is_control()).collect();
    let name = if property == Property::Organizer { "ORGANIZER" } else { "ATTENDEE" };
    let mut line = NewLine::new(name, format!("mailto:{address}"));
    if !person.name.is_empty() {
        line = line.parameter("CN", &person.name);
    }
    match property {
        Property::RequiredAttendees => line = line.parameter("ROLE", "REQ-PARTICIPANT"),
        Property::OptionalAttendees => line = line.parameter("ROLE", "OPT-PARTICIPANT"),
        _ => {}
    }
    line.parameter("SCHEDULE-AGENT", "CLIENT")
}
