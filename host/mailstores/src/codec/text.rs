//! Parameters and escaped text of content lines, and the typed reading of one line by `calcard`.
//!
//! It never changes a document.

use calcard::icalendar::{ICalendarEntry, ICalendarProperty};
use calcard::vcard::{VCardEntry, VCardProperty, VCardValue};
use calcard::{Entry, Parser};

use super::lines::{Line, Param};

/// The version of a vCard, which decides how some values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// 2.1: no escapes; other characters are quoted-printable.
    V2,
    /// 3.0.
    V3,
    /// 4.0.
    V4,
}

impl Version {
    /// The version that a `VERSION` line names; cards without one are read as 3.0.
    pub(crate) fn of(text: &str) -> Self {
        match text.trim() {
            "2.1" => Self::V2,
            "4.0" => Self::V4,
            _ => Self::V3,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::V2 => "2.1",
            Self::V3 => "3.0",
            Self::V4 => "4.0",
        }
    }
}

/// Reads `TYPE=HOME,FAX;PREF=1` and the bare `HOME;FAX` of vCard 2.1.
pub(crate) fn parameters(text: &str) -> Vec<Param> {
    split(text, ';')
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(|part| match part.split_once('=') {
            Some((name, values)) => Param {
                name: name.trim().to_ascii_uppercase(),
                values: split(values, ',').into_iter().map(unquoted).collect(),
                raw: part.to_owned(),
            },
            None => Param {
                name: bare_parameter(part).to_owned(),
                values: vec![part.to_owned()],
                raw: part.to_owned(),
            },
        })
        .collect()
}

/// What a parameter without a name stands for in vCard 2.1.
fn bare_parameter(value: &str) -> &'static str {
    match value.to_ascii_uppercase().as_str() {
        "QUOTED-PRINTABLE" | "BASE64" | "8BIT" | "7BIT" => "ENCODING",
        _ => "TYPE",
    }
}

/// A parameter's text, in quotation marks where it needs them.
pub(crate) fn parameter(name: &str, value: &str) -> Param {
    // A quotation mark or a line break cannot stand in a parameter at all.
    let value: String = value.chars().filter(|char| *char != '"' && !char.is_control()).collect();
    let quoted = value.contains([':', ';', ',']);
    let raw = if quoted { format!("{name}=\"{value}\"") } else { format!("{name}={value}") };
    Param { name: name.to_owned(), values: vec![value], raw }
}

/// Splits outside quotation marks.
fn split(text: &str, at: char) -> Vec<&str> {
    let mut within = false;
    text.split(|char: char| {
        within ^= char == '"';
        char == at && !within
    })
    .collect()
}

fn unquoted(value: &str) -> String {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or(value).to_owned()
}

/// Escapes text for a value: backslash, comma, semicolon, line break.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.replace("\r\n", "\n").chars() {
        match char {
            '\\' | ',' | ';' => out.extend(['\\', char]),
            '\n' | '\r' => out.push_str("\\n"),
            _ if char.is_control() && char != '\t' => {}
            _ => out.push(char),
        }
    }
    out
}

/// Reads one line of a vCard; `None` if it is no property.
pub(crate) fn vcard_entry(line: &Line, version: Version) -> Option<VCardEntry> {
    let text =
        format!("BEGIN:VCARD\r\nVERSION:{}\r\n{}\r\nEND:VCARD\r\n", version.text(), line.text());
    match Parser::new(&text).entry() {
        Entry::VCard(card) => card.entries.into_iter().find(|entry| {
            let frame = [VCardProperty::Version, VCardProperty::Begin, VCardProperty::End];
            !frame.contains(&entry.name)
        }),
        _ => None,
    }
}

/// The parts of a structured value, each as text.
pub(crate) fn vcard_parts(entry: &VCardEntry) -> Vec<String> {
    entry
        .values
        .iter()
        .map(|value| match value {
            VCardValue::Component(parts) => parts.join(","),
            other => other.clone().into_text().map(|text| text.into_owned()).unwrap_or_default(),
        })
        .collect()
}

/// Reads one line of an iCalendar object; `None` if it is no property.
pub(crate) fn ical_entry(line: &Line) -> Option<ICalendarEntry> {
    let text = format!("BEGIN:VEVENT\r\n{}\r\nEND:VEVENT\r\n", line.text());
    match Parser::new(&text).entry() {
        Entry::ICalendar(calendar) => {
            let component = calendar.components.into_iter().next()?;
            let frame = [ICalendarProperty::Begin, ICalendarProperty::End];
            component.entries.into_iter().find(|entry| !frame.contains(&entry.name))
        }
        _ => None,
    }
}

/// The text of an iCalendar value.
pub(crate) fn ical_text(line: &Line) -> Option<String> {
    let entry = ical_entry(line)?;
    let texts: Vec<_> = entry
        .values
        .into_iter()
        .filter_map(|value| value.into_text().map(|text| text.into_owned()))
        .collect();
    (!texts.is_empty()).then(|| texts.join(","))
}

/// Takes the escapes out of text.
pub(crate) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some('n' | 'N') => out.push('\n'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            other => out.push(other),
        }
    }
    out
}

/// Encodes text as quoted-printable, for a line of vCard 2.1.
pub(crate) fn quoted_printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b" ;,.-()/:@\\".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("={byte:02X}"));
        }
    }
    out
}
