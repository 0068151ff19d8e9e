//! OriginalXML: the last synchronised state of an item, as XML, with the version that the record had
//! then.
//!
//! Reads what a newer program wrote as far as it understands it, and takes what it cannot read for
//! absent. Never holds a value that was not synchronised.

use crate::property::{Person, Property, PropertyType, PropertyValue};
use crate::state::State;
use offstage_model::Timestamp;
use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use std::fmt::Write as _;

/// The version that is written.
pub const VERSION: u32 = 1;
/// A longer text is not read: it cannot be ours.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// What the document is called.
const ROOT: &str = "original";

/// Why a text is no OriginalXML.
#[derive(Debug, thiserror::Error)]
pub enum OriginalError {
    /// It is too long.
    #[error("the last synchronised state has {bytes} bytes; at most {BYTES_MAX} are read")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// It is no XML.
    #[error("the last synchronised state is no XML")]
    Xml(#[from] roxmltree::Error),
    /// It is another document.
    #[error("the last synchronised state is a document '{found}'")]
    Other {
        /// Its root element.
        found: String,
    },
}

/// A state as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Original {
    /// The values.
    pub state: State,
    /// The row version of the record that has them, so that of two states the later one is known;
    /// 0 when the text does not say.
    pub record_version: u64,
}

/// Writes a state, and the row version of the record that has it (0 for none).
#[must_use]
pub fn write(table: &str, state: &State, record_version: u64) -> String {
    let mut writer = Writer::new(Vec::new());
    let mut root = BytesStart::new(ROOT);
    root.push_attribute(("version", VERSION.to_string().as_str()));
    root.push_attribute(("table", table));
    if record_version > 0 {
        root.push_attribute(("record-version", record_version.to_string().as_str()));
    }
    let mut put = |event: Event<'_>| {
        writer.write_event(event).expect("BUG: writing into memory does not fail");
    };
    put(Event::Start(root));
    for (property, value) in state.values() {
        let mut field = BytesStart::new("field");
        field.push_attribute(("name", property.name()));
        put(Event::Start(field));
        match value {
            PropertyValue::Texts(texts) => {
                for text in texts {
                    put(Event::Start(BytesStart::new("text")));
                    put(Event::Text(BytesText::new(&escaped(text))));
                    put(Event::End(BytesEnd::new("text")));
                }
            }
            PropertyValue::People(people) => {
                for person in people {
                    let mut element = BytesStart::new("person");
                    element.push_attribute(("name", escaped(&person.name).as_str()));
                    element.push_attribute(("address", escaped(&person.address).as_str()));
                    put(Event::Empty(element));
                }
            }
            single => put(Event::Text(BytesText::new(&escaped(&plain(single))))),
        }
        put(Event::End(BytesEnd::new("field")));
    }
    put(Event::End(BytesEnd::new(ROOT)));
    String::from_utf8(writer.into_inner()).expect("BUG: text in, text out")
}

/// Reads a state. Properties and values that this version does not know are left out, so that they
/// count as never synchronised.
///
/// # Errors
/// The text is no OriginalXML at all.
pub fn read(text: &str) -> Result<Original, OriginalError> {
    if text.len() > BYTES_MAX {
        return Err(OriginalError::TooLong { bytes: text.len() });
    }
    let document = roxmltree::Document::parse(text)?;
    let root = document.root_element();
    if root.tag_name().name() != ROOT {
        let found = root.tag_name().name().chars().take(64).collect();
        return Err(OriginalError::Other { found });
    }
    let mut state = State::default();
    for field in root.children().filter(|node| node.has_tag_name("field")) {
        let Some(property) = field.attribute("name").and_then(Property::named) else { continue };
        let value = match property.kind() {
            PropertyType::Texts => {
                let texts = field.children().filter(|node| node.has_tag_name("text"));
                Some(PropertyValue::Texts(texts.map(inner_text).collect()))
            }
            PropertyType::People => {
                let people = field.children().filter(|node| node.has_tag_name("person"));
                let part = |node: &roxmltree::Node<'_, '_>, name| {
                    unescaped(node.attribute(name).unwrap_or_default())
                };
                let people = people.map(|n| Person::new(part(&n, "name"), part(&n, "address")));
                Some(PropertyValue::People(people.collect()))
            }
            single => parse(single, inner_text(field)),
        };
        if value.is_some() {
            state.set(property, value);
        }
    }
    let version = root.attribute("record-version").and_then(|text| text.parse().ok());
    Ok(Original { state, record_version: version.unwrap_or(0) })
}

fn inner_text(node: roxmltree::Node<'_, '_>) -> String {
    let texts: String = node.children().filter_map(|child| child.text()).collect();
    unescaped(&texts)
}

fn plain(value: &PropertyValue) -> String {
    match value {
        PropertyValue::Boolean(yes) => if *yes { "true" } else { "false" }.to_owned(),
        other => other.to_string(),
    }
}

fn parse(kind: PropertyType, text: String) -> Option<PropertyValue> {
    match kind {
        PropertyType::Text => Some(PropertyValue::Text(text)),
        PropertyType::Integer => text.parse().ok().map(PropertyValue::Integer),
        PropertyType::Boolean => Some(PropertyValue::Boolean(text == "true")),
        PropertyType::Time => Timestamp::parse(&text).ok().map(PropertyValue::Time),
        PropertyType::Date => text.parse().ok().map(PropertyValue::Date),
        PropertyType::TimeOrDate => match text.parse() {
            Ok(date) if text.len() == 10 => Some(PropertyValue::Date(date)),
            _ => Timestamp::parse(&text).ok().map(PropertyValue::Time),
        },
        PropertyType::Texts | PropertyType::People => None,
    }
}

/// XML has no form for most control characters and changes CR; a backslash stands before what it
/// cannot hold.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\t' => escaped.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                write!(escaped, "\\u{:04x}", u32::from(c)).expect("BUG: a string takes text");
            }
            c => escaped.push(c),
        }
    }
    escaped
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match rest.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('u') => {
                let digits: String = rest.by_ref().take(4).collect();
                plain.extend(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32));
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_come_back_whole() {
        let state = State::default()
            .with(
                Property::Body,
                PropertyValue::text("a <b> & \\ \u{b} \n\t\u{1f600} ]]> 'q' \"d\""),
            )
            .with(Property::Children, PropertyValue::Texts(vec!["Ann".into(), "<Bob>".into()]))
            .with(Property::Importance, PropertyValue::Integer(2))
            .with(Property::AllDay, PropertyValue::Boolean(true))
            .with(Property::Start, PropertyValue::Time(Timestamp(1_700_000_000_123)))
            .with(Property::End, PropertyValue::Date(jiff::civil::date(2026, 12, 1)))
            .with(
                Property::Organizer,
                PropertyValue::People(vec![Person::new("\"A\" & <B>", "a@x.example")]),
            );
        let text = write("appointment", &state, 7);
        assert_eq!(read(&text).unwrap(), Original { state, record_version: 7 });
    }

    #[test]
    fn what_is_not_understood_is_left_out() {
        let text = r#"<original version="9"><field name="new">x</field><other/>
            <field name="importance">much</field><field name="subject">s</field></original>"#;
        let known = State::default().with(Property::Subject, PropertyValue::text("s"));
        assert_eq!(read(text).unwrap(), Original { state: known, record_version: 0 });
        for wrong in
            ["", "<a/>", "<original>", "<!DOCTYPE x [<!ENTITY e 'e'>]><original>&e;</original>"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
