//! The form that a record can hold of a value: cut to length, in the choices that it has.
//!
//! Never reads a record.

use super::status::{BUSY, ELSEWHERE, task_round};
use crate::mapping::{FieldMapping, Form, TableMapping};
use crate::property::{Person, Property, PropertyValue};

/// A value as a record holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The value; `None` when empty.
    pub value: Option<PropertyValue>,
    /// A part of the text does not fit.
    pub truncated: bool,
}

impl Held {
    fn whole(value: PropertyValue) -> Self {
        Self { value: value.canonical(), truncated: false }
    }
}

/// The form in which a record of this table holds `value`. Applying it twice changes nothing more.
#[must_use]
pub fn crm_form(mapping: &TableMapping, property: Property, value: Option<&PropertyValue>) -> Held {
    let Some(field) = mapping.field(property) else { return Held::default() };
    let Some(value) = value.and_then(PropertyValue::canonical) else { return Held::default() };
    match (field.form, &value) {
        (Form::Text, PropertyValue::Text(text)) => text_form(field, text),
        (Form::TextList, PropertyValue::Texts(texts)) => list_form(field, texts),
        (Form::Lines, PropertyValue::Text(text)) => lines_form(field, text),
        (Form::Boolean, PropertyValue::Boolean(false)) => Held::default(),
        (Form::TaskStatus, PropertyValue::Integer(choice)) => {
            Held::whole(PropertyValue::Integer(task_round(mapping.table, *choice)))
        }
        (Form::ShowTimeAs, PropertyValue::Integer(ELSEWHERE)) => {
            Held::whole(PropertyValue::Integer(BUSY))
        }
        (Form::Priority, PropertyValue::Integer(priority)) => {
            Held::whole(PropertyValue::Integer((*priority).clamp(0, 2)))
        }
        (Form::Parties(_), PropertyValue::People(people)) => {
            Held::whole(PropertyValue::People(people.iter().map(key).collect()))
        }
        _ => Held::whole(value),
    }
}

/// People are who their address says; a name alone counts where there is no address.
fn key(person: &Person) -> Person {
    let name = if person.address.is_empty() { person.name.as_str() } else { "" };
    Person::new(name, person.address.clone())
}

fn cut(text: &str, length_max: u32) -> (String, bool) {
    let length_max = length_max as usize;
    match text.char_indices().nth(length_max) {
        Some((end, _)) => (text[..end].to_owned(), true),
        None => (text.to_owned(), false),
    }
}

fn text_form(field: &FieldMapping, text: &str) -> Held {
    let (text, truncated) = cut(text, field.length_max);
    Held { value: PropertyValue::Text(text).canonical(), truncated }
}

fn list_form(field: &FieldMapping, texts: &[String]) -> Held {
    let (text, truncated) = cut(&texts.join(", "), field.length_max);
    Held { value: split_list(&text), truncated }
}

/// The texts of a list column.
pub(super) fn split_list(text: &str) -> Option<PropertyValue> {
    PropertyValue::Texts(text.split([',', ';', '\n']).map(str::to_owned).collect()).canonical()
}

fn lines_form(field: &FieldMapping, text: &str) -> Held {
    let (lines, truncated) = split_lines(field, text);
    Held { value: join_lines(&lines), truncated }
}

/// The lines of a text, one for each column; the fourth and later lines join the last column.
pub(super) fn split_lines(field: &FieldMapping, text: &str) -> (Vec<String>, bool) {
    let mut lines: Vec<String> = text.split('\n').map(|line| line.trim_end().to_owned()).collect();
    let columns = field.columns.len();
    if lines.len() > columns {
        let rest: Vec<String> = lines.split_off(columns);
        let rest = rest.into_iter().filter(|line| !line.is_empty());
        let last = lines.last_mut().expect("BUG: a field of lines has columns");
        for line in rest {
            if !last.is_empty() {
                last.push_str(", ");
            }
            last.push_str(&line);
        }
    }
    let mut truncated = false;
    for line in &mut lines {
        let (text, cut) = cut(line, field.length_max);
        *line = text.trim_end().to_owned();
        truncated |= cut;
    }
    (lines, truncated)
}

/// One text of the lines of several columns.
pub(super) fn join_lines(lines: &[String]) -> Option<PropertyValue> {
    PropertyValue::Text(lines.join("\n")).canonical()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::of_table;

    fn held(property: Property, value: PropertyValue) -> Held {
        crm_form(of_table("contact").unwrap(), property, Some(&value))
    }

    #[test]
    fn values_take_the_form_that_a_record_holds() {
        let text = |text: &str| PropertyValue::text(text);
        let cases = [
            (Property::FirstName, text(&"x".repeat(60)), Some(text(&"x".repeat(50))), true),
            (Property::FirstName, text(&"é".repeat(50)), Some(text(&"é".repeat(50))), false),
            (Property::Body, text("a\r\nb\r\n"), Some(text("a\nb")), false),
            (Property::MailingStreet, text("1\n2\n3\n4\n5"), Some(text("1\n2\n3, 4, 5")), false),
            (
                Property::Children,
                PropertyValue::Texts(vec!["Ann".into(), "Lee, Bob".into()]),
                Some(PropertyValue::Texts(vec!["Ann".into(), "Lee".into(), "Bob".into()])),
                false,
            ),
            (Property::Nickname, text(""), None, false),
        ];
        for (property, value, wanted, truncated) in cases {
            let first = held(property, value);
            assert_eq!(first, Held { value: wanted, truncated }, "{property}");
            let again = first.value.map(|value| held(property, value)).unwrap_or_default();
            assert!(!again.truncated, "{property}: a second time cuts nothing more");
        }
    }
}
