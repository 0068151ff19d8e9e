//! `COL=VALUE` on the command line: parsed without metadata, typed with it.
//!
//! Never checks ranges; the pipeline does.

use crate::error::CliError;
use crate::exit::Exit;
use base64::Engine as _;
use offstage_model::entity::Attributes;
use offstage_model::metadata::{Catalog, Column, ColumnType, Table};
use offstage_model::{Decimal, EntityReference, Fault, Timestamp, Uuid, Value};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::str::FromStr;

/// The largest file that `@FILE` reads.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// A file named on the command line: an absolute path, so that another process finds it too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileArgument(pub(crate) PathBuf);

impl FromStr for FileArgument {
    type Err = std::io::Error;

    fn from_str(text: &str) -> Result<Self, std::io::Error> {
        std::path::absolute(text).map(Self)
    }
}

impl FileArgument {
    /// The file's bytes.
    pub(crate) fn read(&self) -> Result<Vec<u8>, CliError> {
        let length = std::fs::metadata(&self.0)
            .map_err(|error| CliError::file("read", &self.0, &error))?
            .len();
        if length > FILE_BYTES_MAX {
            let message = format!(
                "'{}' has {length} bytes; at most {FILE_BYTES_MAX} are taken.",
                self.0.display()
            );
            return Err(CliError::usage(message));
        }
        std::fs::read(&self.0).map_err(|error| CliError::file("read", &self.0, &error))
    }

    /// The file's text.
    pub(crate) fn read_text(&self) -> Result<String, CliError> {
        String::from_utf8(self.read()?)
            .map_err(|_| CliError::usage(format!("'{}' is not UTF-8 text.", self.0.display())))
    }
}

/// One `COL=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Assignment {
    /// The column's logical name.
    pub(crate) column: String,
    /// What it gets.
    pub(crate) source: Source,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Source {
    /// `COL=`: the column is cleared.
    Nothing,
    /// `COL=TEXT`
    Text(String),
    /// `COL=@FILE`
    File(FileArgument),
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((column, value)) = text.split_once('=') else {
            return Err("write COLUMN=VALUE, such as lastname=Alvarez".into());
        };
        let column = column.trim().to_owned();
        if column.is_empty() {
            return Err("the column's name is missing before '='".into());
        }
        let source = match value.strip_prefix('@') {
            _ if value.is_empty() => Source::Nothing,
            // `@@` begins a text with an at sign.
            Some(rest) if rest.starts_with('@') => Source::Text(rest.to_owned()),
            Some(path) => Source::File(path.parse().map_err(|e: std::io::Error| e.to_string())?),
            None => Source::Text(value.to_owned()),
        };
        Ok(Self { column, source })
    }
}

/// The attributes that `assignments` set in a row of `table`.
pub(crate) fn attributes(
    catalog: &Catalog,
    table: &str,
    assignments: &[Assignment],
) -> Result<Attributes, CliError> {
    let table = catalog.table(table)?;
    let mut attributes = Attributes::new();
    for assignment in assignments {
        let name = &assignment.column;
        let column = table.column(name).ok_or_else(|| unknown_column(table, name))?;
        let value = match &assignment.source {
            Source::Nothing => Value::Null,
            Source::Text(text) => typed(table, name, column, text)?,
            Source::File(file) if matches!(column.kind, ColumnType::Image | ColumnType::File) => {
                Value::Bytes(file.read()?)
            }
            Source::File(file) => typed(table, name, column, &file.read_text()?)?,
        };
        if attributes.insert(name.clone(), value).is_some() {
            return Err(CliError::usage(format!("The column '{name}' is given twice.")));
        }
    }
    Ok(attributes)
}

fn unknown_column(table: &Table, name: &str) -> CliError {
    let error = CliError::from(Fault::unknown_column(&table.name, name));
    let near = table.columns.keys().find(|c| c.contains(name) || name.contains(c.as_str()));
    match near {
        Some(near) => error.hint(format!(
            "Did you mean '{near}'? `offstage table show {}` lists the columns.",
            table.name
        )),
        None => error,
    }
}

fn typed(table: &Table, name: &str, column: &Column, text: &str) -> Result<Value, CliError> {
    let wrong = |expected: &str| {
        let shown: String = text.chars().take(60).collect();
        let kind = format!("{:?}", column.kind).to_lowercase();
        CliError::usage(format!(
            "'{shown}' is no value for '{}.{name}', which is of type {kind}.",
            table.name
        ))
        .hint(format!("Write {expected}."))
    };
    let number = || text.parse::<Decimal>().map_err(|_| wrong("a number such as 1200.50"));
    Ok(match column.kind {
        ColumnType::String | ColumnType::Memo => Value::text(text),
        ColumnType::Integer => {
            Value::Integer(text.parse().map_err(|_| wrong("a whole number such as 12"))?)
        }
        ColumnType::BigInt => {
            Value::BigInt(text.parse().map_err(|_| wrong("a whole number such as 12"))?)
        }
        ColumnType::Decimal => Value::Decimal(number()?),
        ColumnType::Money => Value::Money(number()?),
        ColumnType::Double => {
            Value::Double(text.parse().map_err(|_| wrong("a number such as 0.5"))?)
        }
        ColumnType::Boolean => Value::Boolean(boolean(text).ok_or_else(|| wrong("true or false"))?),
        ColumnType::DateTime => Value::DateTime(
            Timestamp::parse(text)
                .map_err(|_| wrong("a time such as 2026-11-21T09:30:00Z or 2026-11-21"))?,
        ),
        ColumnType::Picklist | ColumnType::State | ColumnType::Status => {
            Value::Option(choice(column, text).ok_or_else(|| wrong(&choices(column)))?)
        }
        ColumnType::MultiSelect => {
            let mut options = text
                .split(',')
                .map(|part| choice(column, part.trim()))
                .collect::<Option<Vec<i32>>>()
                .ok_or_else(|| wrong(&choices(column)))?;
            options.sort_unstable();
            options.dedup();
            Value::Options(options)
        }
        ColumnType::Lookup | ColumnType::Customer | ColumnType::Owner => {
            Value::Reference(reference(column, text).ok_or_else(|| wrong(&targets(column)))?)
        }
        ColumnType::UniqueIdentifier => {
            Value::Guid(Uuid::parse_str(text).map_err(|_| wrong("a GUID"))?)
        }
        ColumnType::Image | ColumnType::File => Value::Bytes(
            base64::engine::general_purpose::STANDARD
                .decode(text)
                .map_err(|_| wrong("@FILE, or base64"))?,
        ),
    })
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// A choice by its number or its label, in any case.
fn choice(column: &Column, text: &str) -> Option<i32> {
    if let Ok(value) = text.parse() {
        // An unknown number goes on to the pipeline, whose error lists the choices.
        return Some(value);
    }
    let wanted = text.to_lowercase();
    column.choices.iter().find(|c| c.label.to_lowercase() == wanted).map(|c| c.value)
}

fn choices(column: &Column) -> String {
    let known: Vec<String> =
        column.choices.iter().take(12).map(|c| format!("{} ({})", c.value, c.label)).collect();
    format!("one of: {}", known.join(", "))
}

/// `TABLE:ID`, or the id alone when there is one target.
fn reference(column: &Column, text: &str) -> Option<EntityReference> {
    if let Some((table, id)) = text.split_once(':') {
        let known = column.targets.iter().any(|t| t == table);
        return Uuid::parse_str(id)
            .ok()
            .filter(|_| known)
            .map(|id| EntityReference::new(table, id));
    }
    match column.targets.as_slice() {
        [only] => Uuid::parse_str(text).ok().map(|id| EntityReference::new(only, id)),
        _ => None,
    }
}

fn targets(column: &Column) -> String {
    let known: Vec<String> = column.targets.iter().map(|t| format!("{t}:ID")).collect();
    known.join(" or ")
}

/// A row's id from the command line.
pub(crate) fn row_id(text: &str) -> Result<Uuid, CliError> {
    Uuid::parse_str(text).map_err(|_| {
        let shown: String = text.chars().take(60).collect();
        CliError::new(Exit::Usage, format!("'{shown}' is not a row id."))
            .hint("A row id is a GUID; `offstage query TABLE` shows them.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00000000-0000-0000-0000-000000000007";

    fn value(table: &str, text: &str) -> Result<Value, CliError> {
        let assignment: Assignment = text.parse().unwrap();
        let column = assignment.column.clone();
        let mut attributes = attributes(&Catalog::base(), table, &[assignment])?;
        Ok(attributes.remove(&column).unwrap())
    }

    #[test]
    fn values_are_typed_by_metadata() {
        let id = Uuid::parse_str(ID).unwrap();
        let cases = [
            ("contact", "lastname=O'Neil=x", Value::text("O'Neil=x")),
            ("contact", "lastname=@@home", Value::text("@home")),
            ("contact", "lastname=", Value::Null),
            ("contact", "birthdate=1990-02-28", Value::DateTime(Timestamp(636_163_200_000))),
            ("account", "numberofemployees=12", Value::Integer(12)),
            ("account", "revenue=1200.50", Value::Money("1200.50".parse().unwrap())),
            ("account", "creditonhold=yes", Value::Boolean(true)),
            ("account", "industrycode=11", Value::Option(11)),
            ("account", "industrycode=technology", Value::Option(11)),
            ("task", "statuscode=Completed", Value::Option(5)),
            ("contact", "preferredcontactmethods=Phone,1", Value::Options(vec![1, 2])),
            ("account", &format!("parentaccountid={ID}"), Value::reference("account", id)),
            ("contact", &format!("parentcustomerid=account:{ID}"), Value::reference("account", id)),
        ];
        for (table, text, expected) in cases {
            assert_eq!(value(table, text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn wrong_values_say_what_to_write() {
        let cases = [
            ("account", "numberofemployees=many", "a whole number such as 12"),
            ("account", "creditonhold=maybe", "true or false"),
            ("contact", "birthdate=soon", "2026-11-21"),
            ("contact", "gendercode=x", "1 (Male)"),
            ("contact", &format!("parentcustomerid={ID}"), "account:ID or contact:ID"),
            ("contact", &format!("parentcustomerid=task:{ID}"), "account:ID or contact:ID"),
        ];
        for (table, text, hint) in cases {
            let error = value(table, text).unwrap_err();
            assert_eq!(error.exit, Exit::Usage, "{text}");
            assert!(error.hint.as_deref().unwrap_or_default().contains(hint), "{error:?}");
        }
    }

    #[test]
    fn unknown_names_are_not_found() {
        let error = value("contact", "mobile=1").unwrap_err();
        assert_eq!(error.exit, Exit::NotFound);
        assert!(error.hint.unwrap().contains("mobilephone"));
        assert_eq!(value("unicorn", "name=x").unwrap_err().exit, Exit::NotFound);
    }
}
