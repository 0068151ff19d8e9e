//! Attribute values, references and time stamps, with their JSON form for journal and wire.
//!
//! Never checks a value against metadata; that is `metadata::Column::check`.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This time moved by `ms` milliseconds; saturates at the ends of the range.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Reads RFC 3339 text, or a date `YYYY-MM-DD` as its midnight in UTC.
    ///
    /// # Errors
    /// Text that is neither.
    pub fn parse(text: &str) -> Result<Self, InvalidTimestamp> {
        let invalid = || InvalidTimestamp { text: text.chars().take(64).collect() };
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Ok(Self(time.as_millisecond()));
        }
        let date: jiff::civil::Date = text.parse().map_err(|_| invalid())?;
        let zoned = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| invalid())?;
        Ok(Self(zoned.timestamp().as_millisecond()))
    }

    /// The date part in UTC, `YYYY-MM-DD`.
    #[must_use]
    pub fn date_text(self) -> String {
        self.to_string().chars().take(10).collect()
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with milliseconds only where there are some.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

/// Text that is not a time.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{text}' is not a time; write 2026-11-21T09:30:00Z or 2026-11-21")]
pub struct InvalidTimestamp {
    /// The first 64 characters of the text.
    pub text: String,
}

/// A reference to one row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntityReference {
    /// The table's logical name.
    #[serde(rename = "t")]
    pub table: String,
    /// The row's id.
    #[serde(rename = "i")]
    pub id: Uuid,
    /// The primary name of the row where it is known; takes no part in what the reference names.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl EntityReference {
    /// A reference without a name.
    pub fn new(table: impl Into<String>, id: Uuid) -> Self {
        Self { table: table.into(), id, name: None }
    }

    /// Whether both name the same row.
    #[must_use]
    pub fn same_row(&self, other: &Self) -> bool {
        self.table == other.table && self.id == other.id
    }
}

impl fmt::Display for EntityReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.table, self.id)
    }
}

/// The value of one attribute (column types: `pipeline.md`, "Messages and data").
///
/// JSON form: `null`, or an object with one key that names the type, such as `{"s":"text"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
pub enum Value {
    /// The column is empty.
    #[default]
    #[serde(rename = "null")]
    Null,
    /// boolean
    #[serde(rename = "b")]
    Boolean(bool),
    /// integer
    #[serde(rename = "i")]
    Integer(i32),
    /// bigint
    #[serde(rename = "l")]
    BigInt(i64),
    /// decimal
    #[serde(rename = "d")]
    Decimal(Decimal),
    /// double
    #[serde(rename = "f", with = "any_double")]
    Double(f64),
    /// money, in the row's currency
    #[serde(rename = "m")]
    Money(Decimal),
    /// string and memo
    #[serde(rename = "s")]
    Text(String),
    /// datetime; a date-only column holds midnight UTC
    #[serde(rename = "t")]
    DateTime(Timestamp),
    /// picklist, state and status
    #[serde(rename = "o")]
    Option(i32),
    /// multi-select picklist: ascending, without repeats
    #[serde(rename = "os")]
    Options(Vec<i32>),
    /// lookup, customer and owner
    #[serde(rename = "r")]
    Reference(EntityReference),
    /// uniqueidentifier
    #[serde(rename = "g")]
    Guid(Uuid),
    /// image and file
    #[serde(rename = "x", with = "base64_bytes")]
    Bytes(Vec<u8>),
}

/// JSON has no form for what is not finite; it is written as text.
mod any_double {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Number(f64),
        Text(String),
    }

    pub(super) fn serialize<S: Serializer>(number: &f64, s: S) -> Result<S::Ok, S::Error> {
        match number.is_finite() {
            true => s.serialize_f64(*number),
            false => s.serialize_str(&number.to_string()),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        match Form::deserialize(d)? {
            Form::Number(number) => Ok(number),
            Form::Text(text) if matches!(text.as_str(), "NaN" | "inf" | "-inf") => {
                text.parse().map_err(D::Error::custom)
            }
            Form::Text(text) => Err(D::Error::custom(format!("'{text}' is no number"))),
        }
    }
}

pub(crate) mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        STANDARD.decode(text.as_bytes()).map_err(D::Error::custom)
    }
}

impl Value {
    /// A text value.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A reference value.
    pub fn reference(table: impl Into<String>, id: Uuid) -> Self {
        Self::Reference(EntityReference::new(table, id))
    }

    /// Whether the column is empty.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text of a text value.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The reference of a reference value.
    #[must_use]
    pub fn as_reference(&self) -> Option<&EntityReference> {
        match self {
            Self::Reference(reference) => Some(reference),
            _ => None,
        }
    }

    /// The choice of an option value; integers count too.
    #[must_use]
    pub fn as_option(&self) -> Option<i32> {
        match self {
            Self::Option(value) | Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// Whether both mean the same: a reference's name and an empty text against null do not count,
    /// nor trailing zeros of a number.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Reference(a), Self::Reference(b)) => a.same_row(b),
            (Self::Null, Self::Text(text)) | (Self::Text(text), Self::Null) => text.is_empty(),
            (a, b) => a == b,
        }
    }

    /// The value without what does not belong to its identity (a reference's name).
    #[must_use]
    pub fn canonical(&self) -> Self {
        match self {
            Self::Reference(r) => Self::reference(r.table.clone(), r.id),
            Self::Decimal(d) => Self::Decimal(d.normalize()),
            Self::Money(d) => Self::Money(d.normalize()),
            other => other.clone(),
        }
    }

    /// Roughly how many bytes the value takes; for limits.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Options(options) => options.len() * 4,
            _ => 16,
        }
    }
}

impl fmt::Display for Value {
    /// What a person reads in a table or an error; not a stored form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Boolean(v) => write!(f, "{v}"),
            Self::Integer(v) | Self::Option(v) => write!(f, "{v}"),
            Self::BigInt(v) => write!(f, "{v}"),
            Self::Decimal(v) | Self::Money(v) => write!(f, "{v}"),
            Self::Double(v) => write!(f, "{v}"),
            Self::Text(v) => f.write_str(v),
            Self::DateTime(v) => write!(f, "{v}"),
            Self::Options(v) => {
                let texts: Vec<String> = v.iter().map(ToString::to_string).collect();
                f.write_str(&texts.join(","))
            }
            Self::Reference(v) => match &v.name {
                Some(name) => f.write_str(name),
                None => write!(f, "{v}"),
            },
            Self::Guid(v) => write!(f, "{v}"),
            Self::Bytes(v) => write!(f, "{} bytes", v.len()),
        }
    }
}
