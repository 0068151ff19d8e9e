//! Columns and their types. Never holds values.

use super::AutoNumber;
use crate::Value;
use serde::{Deserialize, Serialize};

/// The type of a column (`pipeline.md`, "Messages and data").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// One line of text.
    String,
    /// Many lines of text.
    Memo,
    /// 32-bit integer.
    Integer,
    /// 64-bit integer.
    BigInt,
    /// Fixed-point number with `precision` digits after the point.
    Decimal,
    /// Floating-point number.
    Double,
    /// Amount of money with `precision` digits after the point.
    Money,
    /// Yes or no.
    Boolean,
    /// A point in time, or a date.
    DateTime,
    /// One choice.
    Picklist,
    /// Many choices.
    MultiSelect,
    /// The row's state.
    State,
    /// The reason of the state.
    Status,
    /// A reference to a row of one of `targets`.
    Lookup,
    /// A reference to an account or a contact.
    Customer,
    /// A reference to a user or a team.
    Owner,
    /// A GUID.
    UniqueIdentifier,
    /// A picture.
    Image,
    /// A file.
    File,
}

impl ColumnType {
    /// Whether the column refers to a row.
    #[must_use]
    pub fn is_reference(self) -> bool {
        matches!(self, Self::Lookup | Self::Customer | Self::Owner)
    }

    /// Whether the column holds text.
    #[must_use]
    pub fn is_text(self) -> bool {
        matches!(self, Self::String | Self::Memo)
    }
}

/// Whether a value is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequiredLevel {
    /// No.
    #[default]
    None,
    /// Forms ask for it; the platform does not.
    Recommended,
    /// Forms demand it; the platform does not.
    Application,
    /// The platform demands it.
    System,
}

/// What a date means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DateBehavior {
    /// A point in time, shown in the user's zone.
    #[default]
    UserLocal,
    /// A date without a time.
    DateOnly,
    /// A time without a zone.
    TimeZoneIndependent,
}

/// One choice of a picklist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The stored value.
    pub value: i32,
    /// What people read.
    pub label: String,
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The type.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// What people read; the logical name when empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Whether a value is needed.
    #[serde(default)]
    pub required: RequiredLevel,
    /// Text: the longest value in characters. Image and file: in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
    /// Numbers: the smallest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Numbers: the largest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Decimal and money: digits after the point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<u32>,
    /// Dates: what they mean.
    #[serde(default)]
    pub behavior: DateBehavior,
    /// Picklists: the choices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    /// References: the tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// The value that a Create without one gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Text: how the server numbers rows that are created without a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autonumber: Option<AutoNumber>,
    /// Set by the platform only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub system: bool,
}

impl Column {
    /// A column of a type with nothing else set.
    #[must_use]
    pub fn of(kind: ColumnType) -> Self {
        Self {
            kind,
            label: String::new(),
            required: RequiredLevel::None,
            length: None,
            min: None,
            max: None,
            precision: None,
            behavior: DateBehavior::UserLocal,
            choices: Vec::new(),
            targets: Vec::new(),
            default: None,
            autonumber: None,
            system: false,
        }
    }

    /// The same column, set by the platform only.
    #[must_use]
    pub fn system(mut self) -> Self {
        self.system = true;
        self
    }

    /// The same column with these target tables.
    #[must_use]
    pub fn to(mut self, targets: &[&str]) -> Self {
        self.targets = targets.iter().map(|&t| t.to_owned()).collect();
        self
    }

    /// Digits after the point: of the definition, or 2.
    #[must_use]
    pub fn scale(&self) -> u32 {
        self.precision.unwrap_or(2)
    }

    /// The longest value: of the definition, or the type's default.
    #[must_use]
    pub fn length_max(&self) -> u32 {
        self.length.unwrap_or(match self.kind {
            ColumnType::String => 100,
            ColumnType::Memo => 2_000,
            _ => 1024 * 1024,
        })
    }

    /// The label of a choice.
    #[must_use]
    pub fn choice_label(&self, value: i32) -> Option<&str> {
        self.choices.iter().find(|c| c.value == value).map(|c| c.label.as_str())
    }
}
